"""Draws a frame around what moves, and publishes that as a stream of its own.

    pip install opencv-python-headless numpy
    eyelet --mule 'motion=python3 examples/python/opencv_mule.py'

Eyelet starts it, gives it the area `motion`, and starts it again if it ends. Viewers choose the stream on the page; a JPEG of
it is made while somebody wants one. While nobody watches, nothing is computed.
"""

import cv2
import eyelet

#: What OpenCV calls the way from a camera's pixels to its own order, blue, green, red.
TO_BGR = {
    "YUYV": cv2.COLOR_YUV2BGR_YUYV,
    "UYVY": cv2.COLOR_YUV2BGR_UYVY,
    "NV12": cv2.COLOR_YUV2BGR_NV12,
    "GREY": cv2.COLOR_GRAY2BGR,
    "RGB3": cv2.COLOR_RGB2BGR,
    "AB24": cv2.COLOR_RGBA2BGR,
}
#: Pixels that differ by more have changed, and fewer of them are noise.
LEAST_CHANGE, LEAST_PIXELS = 25, 200


def main() -> None:
    area, own = eyelet.Area(0), eyelet.Owner()
    before = None
    while True:
        # Until somebody watches; the camera is not asked for frames meanwhile.
        own.wait_demand()
        frame = area.next()
        # The frame's own memory, not a copy of it; cvtColor writes to another place.
        pixels = frame.array()
        picture = cv2.imdecode(pixels, cv2.IMREAD_COLOR) if frame.fourcc == "MJPG" else cv2.cvtColor(pixels, TO_BGR[frame.fourcc])
        grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
        if before is not None and before.shape == grey.shape:
            changed = cv2.threshold(cv2.absdiff(before, grey), LEAST_CHANGE, 255, cv2.THRESH_BINARY)[1]
            for outline in cv2.findContours(changed, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)[0]:
                if cv2.contourArea(outline) >= LEAST_PIXELS:
                    x, y, width, height = cv2.boundingRect(outline)
                    cv2.rectangle(picture, (x, y), (x + width, y + height), (0, 0, 255), 2)
        before = grey
        cv2.putText(picture, "motion", (8, frame.height - 8), cv2.FONT_HERSHEY_SIMPLEX, 0.6, (0, 255, 255), 2)
        rgb = cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
        own.publish(
            rgb,
            width=frame.width,
            height=frame.height,
            fourcc="RGB3",
            captured_at=frame.captured_at,
            interval=frame.interval,
        )


if __name__ == "__main__":
    main()
