"""What a script saw, for the test that runs it."""

import json

import cv2
import numpy


def of_jpeg(jpeg):
    """Decodes a picture; OpenCV gives none if it cannot."""
    picture = cv2.imdecode(numpy.frombuffer(jpeg, numpy.uint8), cv2.IMREAD_COLOR)
    assert picture is not None, f"no JPEG in {len(jpeg)} bytes"
    return of(picture)


def of(picture):
    """Describes a picture as OpenCV has it: rows of blue, green, red."""
    height, width, _ = picture.shape
    # The number of the frame is in the first 64 pixels of every eighth row, a bit each.
    words = {"".join("1" if green >= 128 else "0" for green in row) for row in picture[::8, :64, 1]}
    word = f"{int(words.pop(), 2):016x}" if len(words) == 1 else None
    # Where no block of a JPEG has a part of it.
    row = picture[int(height * 0.345)]
    bars = [row[int(width / 8 * (bar + 0.9)), ::-1].tolist() for bar in range(8)]
    return {"size": [width, height], "word": word, "bars": bars}


def say(pictures):
    print(json.dumps(pictures))
