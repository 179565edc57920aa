#!/usr/bin/env python3
"""Marks what moves, and publishes the result as an area of its own (pip install numpy opencv-python-headless):

    eyelet --source v4l2:/dev/video0 --mule 'annotated=python3 opencv_mule.py'

Eyelet gives it the area that it may publish to (descriptor 3) and those that it may read (EYELET_AREA_N).
"""

import time

import cv2
import eyelet
import numpy

MIN_AREA_PX = 400  # what is smaller is noise

# How OpenCV makes BGR of a frame's array. JPEG is decoded instead.
CONVERSIONS = {
    "YUYV": cv2.COLOR_YUV2BGR_YUYV,
    "UYVY": cv2.COLOR_YUV2BGR_UYVY,
    "NV12": cv2.COLOR_YUV2BGR_NV12,
    "GREY": cv2.COLOR_GRAY2BGR,
    "RGB3": cv2.COLOR_RGB2BGR,
    "AB24": cv2.COLOR_RGBA2BGR,
}


def to_bgr(frame):
    """The frame's picture as OpenCV likes it; None if it cannot be decoded."""
    if frame.fourcc in ("MJPG", "JPEG"):
        return cv2.imdecode(frame.array(), cv2.IMREAD_COLOR)
    if frame.fourcc not in CONVERSIONS:
        raise SystemExit(f"no way to read {frame.fourcc}")
    return cv2.cvtColor(frame.array(), CONVERSIONS[frame.fourcc])


def mark_motion(picture, before):
    """Draws a box around each thing that differs from the background, which follows the picture slowly."""
    grey = cv2.GaussianBlur(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), (21, 21), 0)
    if before is None or before.shape != grey.shape:
        before = grey.astype(numpy.float32)
    moving = cv2.threshold(cv2.absdiff(grey, cv2.convertScaleAbs(before)), 25, 255, cv2.THRESH_BINARY)[1]
    cv2.accumulateWeighted(grey, before, 0.1)
    for outline in cv2.findContours(moving, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)[0]:
        if cv2.contourArea(outline) >= MIN_AREA_PX:
            x, y, width, height = cv2.boundingRect(outline)
            cv2.rectangle(picture, (x, y), (x + width, y + height), (0, 200, 255), 2)
    return before


def main():
    owner = eyelet.Owner()
    area = eyelet.Area(0)
    before, last = None, 0
    while True:
        owner.wait_demand()  # while nobody watches, nothing is worked on
        try:
            # Always the newest, however long the last one took.
            frame = area.newer_than(last, timeout=5)
        except eyelet.Timeout:
            owner.no_signal(f"{area.state}: nothing to work on")
            continue
        last = frame.sequence
        picture = to_bgr(frame)
        if picture is None:
            continue
        before = mark_motion(picture, before)
        stamp = time.strftime("%Y-%m-%d %H:%M:%S")
        cv2.putText(picture, stamp, (8, 24), cv2.FONT_HERSHEY_SIMPLEX, 0.6, (255, 255, 255), 2, cv2.LINE_AA)
        rgb = cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
        # With the time of the original, so that viewers see how old it really is.
        owner.publish(rgb, fourcc="RGB3", captured_at=frame.captured_at, interval=frame.interval)


if __name__ == "__main__":
    main()
