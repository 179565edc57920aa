"""A subscriber's side of an area, without a way to wait: what the blocking and the asyncio area have in common.

What may have to wait is a generator that yields a `Wait`; whoever drives it goes on when that has come. Nothing here
blocks.
"""

from __future__ import annotations

import collections
import os
import socket
import time
from typing import Callable, Deque, Dict, Generator, List, NamedTuple, Optional, TypeVar

from . import messages
from .errors import AreaError, OutOfRange, Refused, Timeout
from .frame import Frame, check
from .messages import Answer, FrameInfo, Request, State

T = TypeVar("T")
#: Room for more descriptors than the one that is allowed, so that a second one is seen.
ROOM_FOR_DESCRIPTORS = 4
#: A connection that cannot be made is tried again after a pause, which doubles.
MIN_PAUSE_S, MAX_PAUSE_S = 0.05, 1.0
#: So long `newest` waits for a frame that is newer than a queued one: two intervals, within these limits.
MIN_GRACE_S, MAX_GRACE_S = 0.25, 1.0


class Wait(NamedTuple):
    """Go on when `fd` is readable (or writable), if there is one, and at `until` (time.monotonic) in any case."""

    fd: Optional[int]
    until: Optional[float]
    writable: bool = False


Procedure = Generator[Wait, None, T]


class Subscription:
    """One area's frames and requests, over as many connections as it takes."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.state = State(False)
        self.missed = 0
        self.connections = 0
        #: Called with a descriptor that is about to be closed.
        self.before_close: Callable[[int], None] = lambda fd: None
        self._socket: Optional[socket.socket] = None
        self._is_closed = False
        self._retry_at, self._pause = 0.0, MIN_PAUSE_S
        self._credit = 0  # granted and not used up
        self._queue: Deque[Frame] = collections.deque()  # came, and nobody has asked for them yet
        self._have: Optional[Frame] = None  # the last one that came
        self._arrivals = 0
        self._sequence_of_connection = 0
        self._given = 0  # the sequence of the last frame that was given away
        self._tags = 0
        self._answers: Dict[int, Optional[Answer]] = {}

    # ---- The connection.

    def connect(self) -> None:
        """Connects now; OSError if nothing listens."""
        self._check_open()
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            connection.setblocking(False)
            connection.connect(self.path)
        except OSError:
            connection.close()
            raise
        self._socket = connection
        self.connections += 1
        self._credit = self._sequence_of_connection = 0

    def close(self) -> None:
        """Ends it for good."""
        self._is_closed = True
        self._disconnect()
        for frame in self._queue:
            frame.close()
        self._queue.clear()
        self._have = None

    def _check_open(self) -> None:
        if self._is_closed:
            raise AreaError("closed", "the area was closed")

    def _disconnect(self) -> None:
        connection, self._socket = self._socket, None
        if connection is not None:
            self.before_close(connection.fileno())
            connection.close()

    def _lose(self, why: str) -> None:
        """The owner has gone; its listening socket stays, so that connecting again is all there is to do."""
        self._disconnect()
        self.state = State(False, why)
        self._retry_at, self._pause = time.monotonic() + self._pause, min(self._pause * 2, MAX_PAUSE_S)

    def pump(self) -> None:
        """Takes all that has come, and connects again if that is due."""
        self._check_open()
        if self._socket is None:
            if time.monotonic() < self._retry_at:
                return
            try:
                self.connect()
            except OSError as error:
                self._lose(f"nobody listens at {self.path}: {os.strerror(error.errno or 0)}")
                return
        while self._socket is not None:
            try:
                message, descriptors, flags, _ = socket.recv_fds(
                    self._socket, messages.ROOM, ROOM_FOR_DESCRIPTORS, socket.MSG_CMSG_CLOEXEC
                )
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:
                return self._lose(f"the owner has gone: {os.strerror(error.errno or 0)}")
            if not message and not descriptors:
                return self._lose("the owner has gone")
            try:
                self._take(message, descriptors, flags)
            except AreaError:
                self._lose("the owner sent what it must not")
                raise
            finally:
                for descriptor in descriptors:
                    os.close(descriptor)

    def _take(self, message: bytes, descriptors: List[int], flags: int) -> None:
        """Takes one message; what is left in `descriptors` is closed by the caller."""
        if flags & (socket.MSG_CTRUNC | socket.MSG_TRUNC):
            raise AreaError("protocol", "a message with more than fits")
        heard = messages.decode_from_owner(message)
        if len(descriptors) != (1 if isinstance(heard, FrameInfo) else 0):
            raise AreaError("protocol", f"a message with {len(descriptors)} descriptors")
        if isinstance(heard, State):
            self.state = heard
        elif isinstance(heard, Answer):
            # Nobody waits for it any more if it is not there.
            if heard.tag in self._answers:
                self._answers[heard.tag] = heard
        else:
            check(heard, descriptors[0])
            if heard.sequence <= self._sequence_of_connection:
                text = f"frame {heard.sequence} came after {self._sequence_of_connection}"
                raise AreaError("protocol", text)
            if self._credit == 0:
                raise AreaError("protocol", "a frame that was not asked for")
            self._take_frame(Frame(heard, descriptors.pop()))

    def _take_frame(self, frame: Frame) -> None:
        self._credit -= 1
        self._pause = MIN_PAUSE_S
        self._sequence_of_connection = frame.sequence
        self._arrivals += 1
        self._have = frame
        # After connecting again the newest one may be one that is known.
        if frame.sequence != self._given:
            self._queue.append(frame)

    def _ask(self) -> None:
        """Grants two at first, then one for each that was given away: one to look at and one on its way."""
        frames = messages.MAX_CREDIT - self._credit - len(self._queue)
        if frames > 0 and self._send(messages.encode_credit(frames)):
            self._credit += frames

    def _send(self, message: bytes) -> bool:
        """Sends one message; False if it cannot be sent now."""
        if self._socket is None:
            return False
        try:
            self._socket.send(message)
        except (BlockingIOError, InterruptedError):
            return False
        except OSError:
            # What it had sent before it went is still to be read; then the end is seen.
            return False
        return True

    def _wait(self, deadline: Optional[float], until: Optional[float] = None) -> Procedure[None]:
        """Waits until something comes, or for `until`; Timeout at the deadline."""
        if deadline is not None and time.monotonic() >= deadline:
            raise Timeout(f"nothing came in time from {self.path} ({self.state})")
        retry_at = self._retry_at if self._socket is None else None
        times = [at for at in (deadline, until, retry_at) if at is not None]
        fd = None if self._socket is None else self._socket.fileno()
        yield Wait(fd, min(times) if times else None)

    # ---- Frames.

    def next(self, deadline: Optional[float]) -> Procedure[Frame]:
        """The next frame after the last one that was given, in order."""
        while True:
            self.pump()
            if self._queue:
                return self._give()
            self._ask()
            yield from self._wait(deadline)

    def newest(self, deadline: Optional[float], newer_than: int = -1) -> Procedure[Frame]:
        """The newest frame there is now, and newer than that sequence; never one that only waited in the queue."""
        self.pump()
        # With credit left, whatever was published has been sent: nothing can be newer than the last one that came.
        if self._credit and self._sequence_of_connection and self._is_usable(newer_than):
            return self._give_newest()
        arrivals, settled_at, answered = self._arrivals, self._settled_at(), False
        tag = connection = 0
        try:
            while True:
                self._skip_queued()
                self._ask()
                if connection != self.connections and self._have and not self._have.is_picture:
                    # Application data may stay as they are for hours: the owner is asked whether these are the newest.
                    # What is due is sent before an answer.
                    self._answers.pop(tag, None)
                    tag, connection = self._put_request(Request(0, messages.READ, 0, 0, 1, 0, b"")), self.connections
                yield from self._wait(deadline, settled_at)
                self.pump()
                answered = self._answers.get(tag) is not None and connection == self.connections
                is_settled = answered or (settled_at is not None and time.monotonic() >= settled_at)
                if self._is_usable(newer_than) and (self._arrivals > arrivals or is_settled):
                    return self._give_newest()
                if is_settled:
                    settled_at = None
        finally:
            self._answers.pop(tag, None)

    def _settled_at(self) -> Optional[float]:
        """When it may be said that a camera has nothing newer than what is there."""
        if self._have is None or not self._have.is_picture:
            return None
        grace = min(max(2e-9 * self._have.interval, MIN_GRACE_S), MAX_GRACE_S)
        return time.monotonic() + grace

    def _is_usable(self, newer_than: int) -> bool:
        """The last frame that came can be given; a camera's not any more while it has no signal."""
        have = self._have
        if have is None or have.closed or have.sequence <= newer_than:
            return False
        return self.state.live or not have.is_picture or have in self._queue

    def _skip_queued(self) -> None:
        """Leaves the last one in the queue; what is passed over counts as missed by the one behind it."""
        while len(self._queue) > 1:
            skipped = self._queue.popleft()
            self._queue[0].missed += 1 + skipped.missed
            skipped.close()

    def _give_newest(self) -> Frame:
        self._skip_queued()
        if self._queue:
            return self._give()
        assert self._have is not None
        return self._have

    def _give(self) -> Frame:
        frame = self._queue.popleft()
        before, self._given = self._given, frame.sequence
        is_same_owner = before >> messages.GENERATION_SHIFT == frame.sequence >> messages.GENERATION_SHIFT
        if before and is_same_owner and frame.sequence > before:
            # Exact also where the connection was lost in between.
            frame.missed = frame.sequence - before - 1
        self.missed += frame.missed
        self._ask()
        return frame

    # ---- Requests.

    def request(self, request: Request, deadline: Optional[float]) -> Procedure[Answer]:
        """Sends a request and gives its answer; errors as `outcome` has them, `gone` if the owner went meanwhile."""
        if len(request.payload) > messages.MAX_PAYLOAD_LEN:
            raise AreaError("too-large", f"{len(request.payload)} bytes; a request takes {messages.MAX_PAYLOAD_LEN}")
        tag = 0
        try:
            while not tag:
                self.pump()
                tag = self._put_request(request)
                if not tag:
                    fd = None if self._socket is None else self._socket.fileno()
                    yield from self._wait_for_room(fd, deadline)
            connection = self.connections
            while self._answers[tag] is None:
                yield from self._wait(deadline)
                self.pump()
                if self._answers[tag] is None and (connection != self.connections or self._socket is None):
                    text = "the owner went away before it answered; it may have done what it was asked for"
                    raise AreaError("gone", text)
            answer = self._answers[tag]
            assert answer is not None
        finally:
            self._answers.pop(tag, None)
        if answer.outcome == messages.OUT_OF_RANGE:
            raise OutOfRange(answer.value)
        if answer.outcome == messages.REFUSED:
            raise Refused(answer.payload.decode(errors="replace"))
        if answer.outcome != messages.DONE:
            raise AreaError("too-large", "the owner says that it is too long")
        return answer

    def _put_request(self, request: Request) -> int:
        """Sends a request and gives its tag; 0 if it cannot be sent now."""
        self._tags = self._tags % 0xFFFFFFFF + 1
        if not self._send(messages.encode_request(request._replace(tag=self._tags))):
            return 0
        self._answers[self._tags] = None
        return self._tags

    def _wait_for_room(self, fd: Optional[int], deadline: Optional[float]) -> Procedure[None]:
        for wait in self._wait(deadline):
            yield Wait(fd, wait.until, fd is not None)

    def read(self, pos: int, length: int, deadline: Optional[float]) -> Procedure[bytes]:
        """Bytes of an area: of application data by request, as the owner has them; else of the newest frame."""
        is_asked = True
        while True:
            frame = self._have
            if frame is None or frame.is_picture or not is_asked:
                frame = yield from self.newest(deadline)
            if frame.is_picture or not is_asked:
                return bytes(part(frame, pos, length))
            try:
                request = Request(0, messages.READ, 0, pos, length, 0, b"")
                return (yield from self.request(request, deadline)).payload
            except AreaError as error:
                # Reading twice does no harm; what is too long for an answer, or is not answered, stands in the frame.
                if error.kind not in ("gone", "refused", "too-large"):
                    raise
                is_asked = error.kind == "gone"


def part(frame: Frame, pos: int, length: int) -> memoryview:
    """A part of a frame, from `pos` on; a length of 0 is all the rest. OutOfRange if it is not all inside."""
    end = pos + length if length else len(frame)
    if not 0 <= pos <= end <= len(frame):
        raise OutOfRange(len(frame))
    return frame.bytes[pos:end]


def add_request(pos: int, bits: int, amount: int) -> Request:
    """Makes the request that adds `amount`; ValueError for bits or amounts that there are not."""
    if bits not in (8, 16, 32, 64):
        raise ValueError(f"a number has 8, 16, 32 or 64 bits, not {bits}")
    if not -(1 << 63) <= amount < 1 << 63:
        raise ValueError(f"{amount} has more than 64 bits")
    return Request(0, messages.ADD, bits, pos, 0, amount, b"")


def write_request(pos: int, data: "bytes | bytearray | memoryview") -> Request:
    """Makes the request that writes `data`."""
    payload = bytes(data)
    return Request(0, messages.WRITE, 0, pos, len(payload), 0, payload)


def deadline_of(timeout: Optional[float]) -> Optional[float]:
    """The moment at which so many seconds from now are over."""
    return None if timeout is None else time.monotonic() + timeout
