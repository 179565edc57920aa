"""cv2.VideoCapture, as every tutorial has it: URL COUNT."""

import sys

import cv2
import seen

url, count = sys.argv[1], int(sys.argv[2])
camera = cv2.VideoCapture(url)
assert camera.isOpened(), f"OpenCV cannot open {url}"
pictures = []
for _ in range(count):
    is_read, picture = camera.read()
    assert is_read, f"nothing came after {len(pictures)} pictures"
    pictures.append(seen.of(picture))
camera.release()
seen.say(pictures)
