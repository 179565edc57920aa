"""The messages of an area, as docs/ref/area.md has them: bytes to values and back. No sockets here."""

from __future__ import annotations

import struct
from typing import NamedTuple, Union

from .errors import AreaError

MAGIC, VERSION = b"EYEA", 1
FRAME, STATE, CREDIT, REQUEST, ANSWER = 1, 2, 3, 4, 5
READ, WRITE, ADD = 1, 2, 3  # `op` of a request
DONE, OUT_OF_RANGE, REFUSED, TOO_LONG = 0, 1, 2, 3  # `outcome` of an answer

MAX_CREDIT = 2
MAX_FRAME_LEN = 268_435_456
MAX_SIDE_PX = 65_535
MAX_PAYLOAD_LEN = 65_536
MAX_WHY_LEN = 240
GENERATION_SHIFT = 40

HEAD = struct.Struct("<4sHH")
FRAME_LAYOUT = struct.Struct("<4sHH5Q3I4sQBBH20x")
STATE_LAYOUT = struct.Struct("<4sHHII240s")
CREDIT_LAYOUT = struct.Struct("<4sHHI4x")
REQUEST_LAYOUT = struct.Struct("<4sHHIHHQQq")
ANSWER_LAYOUT = struct.Struct("<4sHHIH2xQq")
# The longest message and one byte more, so that a longer one is seen.
ROOM = REQUEST_LAYOUT.size + MAX_PAYLOAD_LEN + 1


class FrameInfo(NamedTuple):
    """A frame message, field by field."""

    sequence: int
    captured_at: int
    published_at: int
    missed: int
    len: int
    width: int
    height: int
    stride: int
    fourcc: str
    interval: int
    matrix: int
    range: int
    is_key: bool


class State(NamedTuple):
    """What an area's source does: `live`, or no signal and `why`, which is empty as long as nothing has come yet."""

    live: bool
    why: str = ""

    def __str__(self) -> str:
        return "live" if self.live else f"no signal: {self.why}" if self.why else "no signal"


class Request(NamedTuple):
    """A request message: `op` is READ, WRITE or ADD."""

    tag: int
    op: int
    bits: int
    pos: int
    len: int
    amount: int
    payload: bytes


class Answer(NamedTuple):
    """The answer to one request."""

    tag: int
    outcome: int
    sequence: int = 0
    value: int = 0
    payload: bytes = b""


class Credit(NamedTuple):
    """So many frames more."""

    frames: int


def packed_stride(fourcc: str, width: int) -> int:
    """Bytes of one row of the first plane without padding; 0 for compressed and unknown formats."""
    if fourcc in ("YUYV", "UYVY"):
        return (width + 1) // 2 * 4
    return width * {"NV12": 1, "GREY": 1, "RGB3": 3, "AB24": 4}.get(fourcc, 0)


def packed_len(fourcc: str, width: int, height: int) -> int:
    """Bytes of a picture without padding; 0 for compressed and unknown formats."""
    chroma = (width + 1) // 2 * 2 * ((height + 1) // 2) if fourcc == "NV12" else 0
    return packed_stride(fourcc, width) * height + chroma


def encode_frame(info: FrameInfo) -> bytes:
    """Writes a frame message."""
    fourcc = info.fourcc.encode("latin-1").ljust(4, b"\0")
    numbers = (info.sequence, info.captured_at, info.published_at, info.missed, info.len)
    shape = (info.width, info.height, info.stride, fourcc)
    rest = (info.interval, info.matrix, info.range, int(info.is_key))
    return FRAME_LAYOUT.pack(MAGIC, VERSION, FRAME, *numbers, *shape, *rest)


def encode_state(state: State) -> bytes:
    """Writes a state message; a reason that is too long is cut at a character."""
    why = b"" if state.live else encode_why(state.why)
    return STATE_LAYOUT.pack(MAGIC, VERSION, STATE, 1 if state.live else 2, len(why), why)


def encode_why(why: str) -> bytes:
    """Writes the reason of a state or a refusal; one that does not fit is cut at a character."""
    return why.encode()[:MAX_WHY_LEN].decode(errors="ignore").encode()


def encode_credit(frames: int) -> bytes:
    """Writes a credit message."""
    return CREDIT_LAYOUT.pack(MAGIC, VERSION, CREDIT, frames)


def encode_request(request: Request) -> bytes:
    """Writes a request message."""
    *head, payload = request
    return REQUEST_LAYOUT.pack(MAGIC, VERSION, REQUEST, *head) + payload


def encode_answer(answer: Answer) -> bytes:
    """Writes an answer message."""
    *head, payload = answer
    return ANSWER_LAYOUT.pack(MAGIC, VERSION, ANSWER, *head) + payload


def _kind(message: bytes) -> int:
    if len(message) < HEAD.size:
        raise AreaError("protocol", f"{len(message)} bytes are no message of an area")
    magic, version, kind = HEAD.unpack_from(message)
    if magic != MAGIC:
        raise AreaError("protocol", "that is no message of an area")
    if version != VERSION:
        raise AreaError("protocol", f"version {version} of the area protocol; this is {VERSION}")
    return int(kind)


def decode_from_owner(message: bytes) -> Union[FrameInfo, State, Answer]:
    """Reads what an owner sent; AreaError of kind `protocol` for what is no such message."""
    kind = _kind(message)
    if kind == FRAME and len(message) == FRAME_LAYOUT.size:
        return _decode_frame(message)
    if kind == STATE and len(message) == STATE_LAYOUT.size:
        _, _, _, state, why_len, why = STATE_LAYOUT.unpack(message)
        if state not in (1, 2) or why_len > MAX_WHY_LEN:
            raise AreaError("protocol", f"state {state} with a reason of {why_len} bytes")
        try:
            return State(state == 1, why[:why_len].decode())
        except UnicodeDecodeError:
            raise AreaError("protocol", "a state whose reason is no text") from None
    if kind == ANSWER and ANSWER_LAYOUT.size <= len(message) <= ANSWER_LAYOUT.size + MAX_PAYLOAD_LEN:
        _, _, _, tag, outcome, sequence, value = ANSWER_LAYOUT.unpack_from(message)
        return Answer(tag, outcome, sequence, value, message[ANSWER_LAYOUT.size :])
    raise AreaError("protocol", f"a message of kind {kind} with {len(message)} bytes")


def _decode_frame(message: bytes) -> FrameInfo:
    fields = FRAME_LAYOUT.unpack(message)[3:]
    numbers, (width, height, stride, fourcc, interval, matrix, range_, flags) = fields[:5], fields[5:]
    name = fourcc.rstrip(b"\0").decode("latin-1")
    info = FrameInfo._make((*numbers, width, height, stride, name, interval, matrix, range_, bool(flags & 1)))
    if matrix > 4 or range_ > 2 or max(width, height) > MAX_SIDE_PX:
        text = f"a frame of {width}x{height}, matrix {matrix}, range {range_}"
        raise AreaError("protocol", text)
    if info.len < packed_len(name, width, height):
        text = f"a {name} frame of {width}x{height} with {info.len} bytes"
        raise AreaError("protocol", text)
    return info


def decode_from_subscriber(message: bytes) -> Union[Credit, Request]:
    """Reads what a subscriber sent; AreaError of kind `protocol` for what is no such message."""
    kind = _kind(message)
    if kind == CREDIT and len(message) == CREDIT_LAYOUT.size:
        (frames,) = CREDIT_LAYOUT.unpack(message)[3:]
        if frames == 0:
            raise AreaError("protocol", "credit for no frame")
        return Credit(frames)
    if kind == REQUEST and REQUEST_LAYOUT.size <= len(message) < ROOM:
        payload = message[REQUEST_LAYOUT.size :]
        request = Request._make((*REQUEST_LAYOUT.unpack_from(message)[3:], payload))
        needed = request.len if request.op == WRITE else 0
        if request.op in (READ, WRITE, ADD) and len(payload) == needed:
            return request
    raise AreaError("protocol", f"a message of kind {kind} with {len(message)} bytes")
