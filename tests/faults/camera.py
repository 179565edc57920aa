#!/usr/bin/env python3
"""A camera that fails when it is told to.

    camera.py FOLDER FPS

Writes the pictures of FOLDER/good to standard output, over and over. The word in FOLDER/mode says how it fails; it is
read before each picture, so that a word takes effect at once.
"""

import sys
import time
from pathlib import Path


def pictures(folder):
    """The pictures of a folder, by their names."""
    return [path.read_bytes() for path in sorted(folder.iterdir())]


def main():
    """Plays until nobody reads any more."""
    folder, interval = Path(sys.argv[1]), 1 / float(sys.argv[2])
    good, other = pictures(folder / "good"), pictures(folder / "other")
    out, number, due = sys.stdout.buffer, 0, time.monotonic()
    while True:
        mode = (folder / "mode").read_text(encoding="ascii")
        picture = good[number % len(good)]
        if mode == "gone":
            sys.exit("camera: no such device")
        if mode == "other":
            picture = other[number % len(other)]
        if mode == "half" and number % 2:
            picture = picture[: len(picture) // 2]
        if mode == "chatter":
            out.write(b"chatter\x00\xff\xe0 of a bad cable" * 20)
        if mode != "stall":
            out.write(picture)
            out.flush()
        number += 1
        due += 0.002 if mode == "burst" else interval
        pause = due - time.monotonic()
        if pause > 0:
            time.sleep(pause)
        else:
            due = time.monotonic()


if __name__ == "__main__":
    try:
        main()
    except BrokenPipeError:
        # Nobody reads any more; what is left in the buffer must not fail at the end as well.
        sys.stderr.close()
