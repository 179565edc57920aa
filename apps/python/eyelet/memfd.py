"""Bytes into a sealed memfd: the one copy of a frame that is published."""

from __future__ import annotations

import fcntl
import os
from typing import Tuple

from . import messages
from .frame import F_ADD_SEALS, SEALED

_MFD_NOEXEC_SEAL = 0x8  # Linux 6.3; without it such a kernel logs a warning


def seal(payload: memoryview) -> int:
    """Writes `payload` into a new memfd that nobody can change any more, and gives its descriptor."""
    flags = os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING
    try:
        memfd = os.memfd_create("eyelet-frame", flags | _MFD_NOEXEC_SEAL)
    except OSError:
        memfd = os.memfd_create("eyelet-frame", flags)
    try:
        rest = payload
        while len(rest):
            rest = rest[os.write(memfd, rest) :]
        fcntl.fcntl(memfd, F_ADD_SEALS, SEALED)
    except BaseException:
        os.close(memfd)
        raise
    return memfd


def flat(data: object) -> memoryview:
    """The bytes of whatever has a buffer; a copy only if they do not lie in a row, as those of a slice of an array."""
    view = memoryview(data)  # type: ignore[arg-type]
    if not view.c_contiguous:
        view = memoryview(view.tobytes())
    return view.cast("B")


def shape_of(data: object, fourcc: str) -> Tuple[int, int]:
    """Gives width and height of an array of bytes by its shape; ValueError if it is not that of the format."""
    shape = memoryview(data).shape or ()  # type: ignore[arg-type]
    depth = {"YUYV": 2, "UYVY": 2, "RGB3": 3, "AB24": 4}.get(fourcc)
    if depth is not None and len(shape) == 3 and shape[2] == depth:
        return shape[1], shape[0]
    if fourcc == "GREY" and len(shape) == 2:
        return shape[1], shape[0]
    if fourcc == "NV12" and len(shape) == 2 and shape[0] % 3 == 0:
        return shape[1], shape[0] // 3 * 2
    raise ValueError(f"say width and height: the data's shape {shape} is not that of a {fourcc or 'format'} picture")


def check_picture(fourcc: str, width: int, height: int, stride: int, length: int) -> None:
    """Refuses with ValueError what no subscriber would believe."""
    if not 1 <= length <= messages.MAX_FRAME_LEN:
        raise ValueError(f"a frame has 1 to {messages.MAX_FRAME_LEN} bytes, not {length}")
    if len(fourcc.encode("latin-1")) not in (0, 4):
        raise ValueError(f"a fourcc has four characters: {fourcc!r}")
    if not (0 <= width <= messages.MAX_SIDE_PX and 0 <= height <= messages.MAX_SIDE_PX):
        raise ValueError(f"a side has at most {messages.MAX_SIDE_PX} pixels: {width}x{height}")
    if bool(fourcc) != bool(width and height):
        raise ValueError("a picture has width, height and fourcc; data without a picture have none of them")
    packed = messages.packed_stride(fourcc, width)
    if packed and stride != packed:
        raise ValueError(f"rows of a {fourcc} frame follow each other without padding: {packed} bytes, not {stride}")
    needed = messages.packed_len(fourcc, width, height)
    if length < needed:
        raise ValueError(f"a {width}x{height} {fourcc} frame needs {needed} bytes; these are {length}")
