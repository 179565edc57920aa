"""One frame: a sealed memfd and what it is."""

from __future__ import annotations

import enum
import fcntl
import mmap
import os
from typing import TYPE_CHECKING, Any, Optional, Tuple

from .errors import AreaError
from .messages import MAX_FRAME_LEN, FrameInfo, packed_stride

if TYPE_CHECKING:
    import numpy

# linux/fcntl.h
F_ADD_SEALS, F_GET_SEALS = 1033, 1034
SEALED = 0x1 | 0x2 | 0x4 | 0x8  # SEAL, SHRINK, GROW, WRITE


class Matrix(enum.IntEnum):
    """The matrix that made Y'CbCr from R'G'B'."""

    UNSPECIFIED = 0
    BT601 = 1
    BT709 = 2
    BT2020 = 3
    SMPTE240M = 4


class Range(enum.IntEnum):
    """How the code values of luma and chroma are used."""

    UNSPECIFIED = 0
    LIMITED = 1
    FULL = 2


def check(info: FrameInfo, memfd: int) -> None:
    """Believes a frame, or raises AreaError: "Before a frame is believed" of docs/ref/area.md, points 2 to 4."""
    try:
        seals = fcntl.fcntl(memfd, F_GET_SEALS)
    except OSError:
        seals = 0  # no memfd at all
    if seals & SEALED != SEALED:
        raise AreaError("protocol", f"frame {info.sequence} can still be changed")
    # Block and page size differ exactly for huge pages.
    if os.fstatvfs(memfd).f_bsize != mmap.PAGESIZE:
        raise AreaError("protocol", f"frame {info.sequence} is made of huge pages")
    size = os.fstat(memfd).st_size
    if not 1 <= info.len <= min(size, MAX_FRAME_LEN):
        raise AreaError("protocol", f"frame {info.sequence} says {info.len} bytes and has {size}")


class Frame:
    """One image, or one version of an area's application data. Nobody can change it any more.

    It holds its pages in memory until it, and every view that it gave, is gone: let go of it soon. `close()` or a
    `with` block lets go earlier than Python would; views that were taken before stay valid in any case.
    """

    __slots__ = ("_info", "_memfd", "_view", "missed", "__weakref__")

    def __init__(self, info: FrameInfo, memfd: int) -> None:
        """Takes over `memfd`, which was checked."""
        self._info = info
        self._memfd = memfd
        self._view: Optional[memoryview] = None
        #: Frames that were published between the one that the area gave before and this one.
        self.missed = info.missed

    @property
    def sequence(self) -> int:
        """The frame's number, always growing: a count from 1, above bit 40 the owner's generation."""
        return self._info.sequence

    @property
    def captured_at(self) -> int:
        """When the camera had it, in nanoseconds of CLOCK_MONOTONIC: compare with `time.monotonic_ns()`."""
        return self._info.captured_at

    @property
    def published_at(self) -> int:
        """When the owner published it, in nanoseconds of CLOCK_MONOTONIC."""
        return self._info.published_at

    @property
    def width(self) -> int:
        """Pixels in a row; 0 for data without a picture."""
        return self._info.width

    @property
    def height(self) -> int:
        """Rows; the top one comes first."""
        return self._info.height

    @property
    def stride(self) -> int:
        """Bytes from one row of the first plane to the next; 0 for compressed formats."""
        return self._info.stride

    @property
    def fourcc(self) -> str:
        """The V4L2 code of the pixel format, as "YUYV" or "MJPG"; empty for data without a picture."""
        return self._info.fourcc

    @property
    def matrix(self) -> Matrix:
        """The matrix of Y'CbCr; take BT.601 where it is not specified."""
        return Matrix(self._info.matrix)

    @property
    def range(self) -> Range:
        """Limited or full; take limited for Y'CbCr and full for the rest where it is not specified."""
        return Range(self._info.range)

    @property
    def interval(self) -> int:
        """Nominal nanoseconds from frame to frame; 0 if not known."""
        return self._info.interval

    @property
    def is_key(self) -> bool:
        """It can be decoded without an earlier frame."""
        return self._info.is_key

    @property
    def is_picture(self) -> bool:
        """It has pixels, compressed or not; False for application data."""
        return bool(self._info.fourcc)

    @property
    def closed(self) -> bool:
        """`close()` was called."""
        return self._memfd < 0

    def __len__(self) -> int:
        """Bytes of the payload."""
        return self._info.len

    @property
    def bytes(self) -> memoryview:
        """The payload: a read-only view of the mapped pages, no copy. It keeps them alive, also after `close()`.

        Raises ValueError if the frame was closed, OSError if the kernel has no mapping or descriptor left.
        """
        if self.closed:
            raise ValueError("the frame was closed")
        if self._view is None:
            # Private, since kernels before 6.7 refuse a shared mapping of what is sealed against writing. Never
            # unmapped by hand: the view holds the mapping, and whoever holds the view can read it.
            flags, prot = mmap.MAP_PRIVATE, mmap.PROT_READ
            self._view = memoryview(mmap.mmap(self._memfd, self._info.len, flags=flags, prot=prot))
        return self._view

    def array(self) -> "numpy.ndarray[Any, Any]":
        """The payload as a read-only numpy array of bytes, no copy: a view of the same pages as `bytes`.

        Its shape: YUYV, UYVY `(height, width, 2)`; GREY `(height, width)`; RGB3 `(height, width, 3)`; AB24
        `(height, width, 4)`; NV12 `(height * 3 // 2, width)`, luma above chroma; `(len,)` for JPEG, for all other
        formats, for data without a picture, and for NV12 of an odd size, whose chroma does not fit under its luma.

        Raises what `bytes` raises, and ImportError without numpy.
        """
        import numpy

        shape, strides = _layout(self._info)
        return numpy.ndarray(shape, numpy.uint8, self.bytes, 0, strides)

    def close(self) -> None:
        """Lets go of the frame; views that were taken stay valid. Closing twice does nothing."""
        memfd, self._memfd, self._view = self._memfd, -1, None
        if memfd >= 0:
            os.close(memfd)

    def __enter__(self) -> Frame:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        try:
            self.close()
        except (AttributeError, TypeError):
            pass  # never finished, or the interpreter is going down

    def __repr__(self) -> str:
        what = f"{self.width}x{self.height} {self.fourcc}" if self.is_picture else "data"
        return f"<eyelet.Frame {self.sequence} {what} {len(self)} bytes>"


def _layout(info: FrameInfo) -> Tuple[Tuple[int, ...], Tuple[int, ...]]:
    """Gives shape and strides of a frame's array."""
    width, height, fourcc = info.width, info.height, info.fourcc
    stride = max(info.stride, packed_stride(fourcc, width))
    pixel_len = {"YUYV": 2, "UYVY": 2, "RGB3": 3, "AB24": 4}.get(fourcc)
    shape: Tuple[int, ...]
    if pixel_len and width and height:
        shape, strides = (height, width, pixel_len), (stride, pixel_len, 1)
    elif fourcc == "GREY" and width and height:
        shape, strides = (height, width), (stride, 1)  # type: ignore[assignment]
    elif fourcc == "NV12" and width and height and width % 2 == height % 2 == 0:
        shape, strides = (height * 3 // 2, width), (stride, 1)  # type: ignore[assignment]
    else:
        return (info.len,), (1,)
    # Rows that would reach beyond the payload: their padding is a lie, and bytes are all that is certain.
    if stride * (shape[0] - 1) + packed_stride(fourcc, width) > info.len:
        return (info.len,), (1,)
    return shape, strides
