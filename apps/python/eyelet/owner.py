"""Publishing to an area."""

from __future__ import annotations

import _thread
import os
import selectors
import socket
import sys
import threading
import time
import traceback
from typing import Callable, Dict, Optional

from . import messages
from .errors import AreaError, OutOfRange, Refused
from .memfd import check_picture, flat, seal, shape_of
from .messages import Answer, FrameInfo, Request, State
from .outlet import MESSAGES_PER_TURN, Outlet
from .places import inherited_listener

#: Subscribers at a time; one more is let in and closed at once.
MAX_SUBSCRIBERS = 64
#: Subscribers that one turn lets in, and waiting connections of a socket that is made here.
ACCEPTS_PER_TURN, BACKLOG = 64, 128

OnRead = Callable[[int, int], "bytes | bytearray | memoryview"]
OnWrite = Callable[[int, bytes], None]


class Owner:
    """The one process that publishes to an area.

        owner = eyelet.Owner()                    # the area that Eyelet has given this mule
        for frame in eyelet.Area("camera"):
            owner.wait_demand()                   # works only while somebody watches
            owner.publish(work_on(frame.array()), fourcc="RGB3", captured_at=frame.captured_at)

    Subscribers are served by a small thread of its own, so that nobody waits for anybody. All methods may be called
    from any thread, also from the callbacks.

    Requests of subscribers are refused, unless there are callbacks. These run in that thread, one at a time: keep them
    short. `on_write(pos, data)` applies a write and usually publishes what came of it; `on_read(pos, len)` gives those
    bytes, a `len` of 0 being all from `pos` on; without it the newest frame is read, if it is no picture. With a way to
    read and `on_write`, numbers can be added to, too. A callback raises OutOfRange or Refused where it cannot.
    """

    def __init__(
        self,
        *,
        path: Optional[str] = None,
        generation: Optional[int] = None,
        on_read: Optional[OnRead] = None,
        on_write: Optional[OnWrite] = None,
    ) -> None:
        """Takes the inherited listening socket (descriptor 3, LISTEN_FDS=1), or makes one at `path`, mode 0600.

        `generation` is the number of owners that the area had before, so that sequences grow across them: by default
        EYELET_GENERATION, and for a `path` the minutes since 2025. AreaError of kind `no-area` if there is no inherited
        socket; OSError if none can be made, of EADDRINUSE if another owner has it.
        """
        if generation is None:
            own = (int(time.time()) - 1_735_689_600) // 60 if path is not None else 0
            generation = own if path is not None else int(os.environ.get("EYELET_GENERATION") or 0)
        if not 0 <= generation < 1 << (64 - messages.GENERATION_SHIFT):
            raise ValueError(f"generation {generation} does not fit an area's sequence")
        self._path = path
        self._name = os.path.basename(path) if path is not None else os.environ.get("LISTEN_FDNAMES", "")
        self._listener = inherited_listener() if path is None else _listen(path)
        self._on_read, self._on_write = on_read, on_write
        self._changed = threading.Condition(threading.RLock())
        self._outlets: Dict[int, Outlet] = {}
        self._state = State(False)
        self._newest: Optional[FrameInfo] = None
        self._memfd = -1
        self._sequence = generation << messages.GENERATION_SHIFT
        self._is_closed = False
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._waker, self._alarm = socket.socketpair()
        self._waker.setblocking(False)
        self._selector.register(self._alarm, selectors.EVENT_READ)
        self._has_ended = threading.Event()
        self._thread = 0
        # Not a `Thread`: the interpreter would wait for it at its end.
        _thread.start_new_thread(self._serve, ())

    # ---- What it says.

    def publish(
        self,
        data: object,
        *,
        width: int = 0,
        height: int = 0,
        fourcc: str = "",
        stride: Optional[int] = None,
        captured_at: Optional[int] = None,
        interval: int = 0,
        matrix: int = 0,
        range: int = 0,
        is_key: bool = True,
    ) -> int:
        """Publishes a frame as the newest and gives its sequence; the area is live then. Never waits for a subscriber.

        `data` is whatever has a buffer (bytes, memoryview, a numpy array) and is copied once. Size in pixels, `fourcc`
        as in "RGB3"; width and height may be left out where an array's shape is that of `Frame.array`. Without a
        fourcc it is data without a picture. `captured_at` in nanoseconds of CLOCK_MONOTONIC, now by default: pass on
        that of the frame it was made from. `interval` in nanoseconds, 0 if not known. ValueError for what no
        subscriber would believe, OSError if the kernel has no memory or descriptor left.
        """
        if fourcc and not (width and height):
            width, height = shape_of(data, fourcc)
        payload = flat(data)
        if stride is None:
            stride = messages.packed_stride(fourcc, width)
        check_picture(fourcc, width, height, stride, len(payload))
        if not (0 <= matrix <= 4 and 0 <= range <= 2):
            raise ValueError(f"there is no matrix {matrix} or no range {range}")
        memfd = seal(payload)
        with self._changed:
            if self._is_closed:
                os.close(memfd)
                raise AreaError("closed", "the area was closed")
            self._sequence += 1
            now = time.monotonic_ns()
            times = (now if captured_at is None else captured_at, now)
            self._forget()
            self._newest = FrameInfo(
                self._sequence, *times, 0, len(payload), width, height, stride, fourcc, interval, matrix, range, is_key
            )
            self._memfd = memfd
            for outlet in self._outlets.values():
                outlet.publish()
            self._say(State(True))
            self._flush_all()
            return self._sequence

    def no_signal(self, why: str) -> None:
        """Tells the subscribers that no frames come, and why: one line for a person, at most 240 bytes."""
        with self._changed:
            self._say(State(False, why))
            self._flush_all()

    def live(self) -> None:
        """Tells the subscribers that frames come; `publish` does so by itself."""
        with self._changed:
            self._say(State(True))
            self._flush_all()

    def clear(self) -> None:
        """Forgets the newest frame, so that whoever comes now does not get an old one."""
        with self._changed:
            self._forget()

    # ---- What it knows.

    @property
    def name(self) -> str:
        """The area's name."""
        return self._name

    @property
    def state(self) -> State:
        """What the subscribers were told last."""
        return self._state

    @property
    def sequence(self) -> int:
        """That of the newest frame; before the first one, that of the generation's start."""
        return self._sequence

    @property
    def subscribers(self) -> int:
        """How many there are."""
        return len(self._outlets)

    @property
    def demand(self) -> int:
        """Subscribers that would take a frame now."""
        with self._changed:
            return sum(outlet.credit > 0 for outlet in self._outlets.values())

    @property
    def is_followed(self) -> bool:
        """Somebody has asked for a frame, and not left since."""
        with self._changed:
            return any(outlet.has_asked for outlet in self._outlets.values())

    def wait_demand(self, timeout: Optional[float] = None) -> bool:
        """Waits until somebody would take a frame now, at most so many seconds; False if nobody came, or at `close`."""
        with self._changed:
            return self._changed.wait_for(lambda: self._is_closed or self.demand > 0, timeout) and not self._is_closed

    def close(self) -> None:
        """Ends: subscribers are disconnected, a socket that was made here is removed. Closing twice does nothing."""
        with self._changed:
            if self._is_closed:
                return
            self._is_closed = True
            for outlet in self._outlets.values():
                outlet.close()
            self._outlets.clear()
            self._forget()
            if self._path is not None:
                os.unlink(self._path)
            self._changed.notify_all()
        self._waker.close()
        if threading.get_ident() != self._thread:
            self._has_ended.wait()

    def __enter__(self) -> Owner:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # ---- Below, all under the lock.

    def _forget(self) -> None:
        if self._memfd >= 0:
            os.close(self._memfd)
        self._newest, self._memfd = None, -1

    def _say(self, state: State) -> None:
        if state != self._state:
            self._state = state
            for outlet in self._outlets.values():
                outlet.owes_state = True

    def _flush_all(self) -> None:
        for fd, outlet in list(self._outlets.items()):
            self._guard(fd, outlet, self._flush)

    def _flush(self, fd: int, outlet: Outlet) -> None:
        was_full = outlet.is_full
        outlet.send_due(self._state, self._newest, self._memfd)
        if outlet.is_full != was_full:
            write = selectors.EVENT_WRITE if outlet.is_full else 0
            self._selector.modify(fd, selectors.EVENT_READ | write)

    def _guard(self, fd: int, outlet: Outlet, work: Callable[[int, Outlet], None]) -> None:
        """Sends away who has left or done wrong; nobody is told why, as docs/ref/area.md has it."""
        try:
            work(fd, outlet)
        except (EOFError, AreaError):
            if self._outlets.pop(fd, None) is not None:
                self._selector.unregister(fd)
                outlet.close()

    def _serve(self) -> None:
        self._thread = threading.get_ident()
        while True:
            events = self._selector.select()
            with self._changed:
                if self._is_closed:
                    break
                for key, _ in events:
                    fd = key.fd
                    outlet = self._outlets.get(fd)
                    if outlet is not None:
                        self._guard(fd, outlet, self._hear)
                    elif fd == self._listener.fileno():
                        self._accept()
                self._changed.notify_all()
        self._selector.close()
        self._listener.close()
        self._alarm.close()
        self._has_ended.set()

    def _accept(self) -> None:
        for _ in range(ACCEPTS_PER_TURN):
            try:
                connection, _peer = self._listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError:
                # Out of descriptors: who waits goes on waiting. Not at once again, or this thread would spin.
                self._changed.wait(0.1)
                return
            if len(self._outlets) >= MAX_SUBSCRIBERS:
                connection.close()
                continue
            connection.setblocking(False)
            fd, outlet = connection.fileno(), Outlet(connection, self._newest is not None)
            self._outlets[fd] = outlet
            self._selector.register(fd, selectors.EVENT_READ)
            self._guard(fd, outlet, self._flush)

    def _hear(self, fd: int, outlet: Outlet) -> None:
        for _ in range(MESSAGES_PER_TURN):
            heard = outlet.hear()
            if heard is None:
                break
            if isinstance(heard, Request):
                # What is due goes out before the answer: so a subscriber can tell that it has the newest.
                self._flush(fd, outlet)
                answer = self._apply(heard)
                self._flush(fd, outlet)
                outlet.answer(answer)
        self._flush(fd, outlet)

    # ---- Requests.

    def _apply(self, request: Request) -> Answer:
        """Does what is asked for; what a callback raises becomes the outcome."""
        tag, pos = request.tag, request.pos
        try:
            if request.op == messages.READ:
                if request.len > messages.MAX_PAYLOAD_LEN:
                    return Answer(tag, messages.TOO_LONG)
                payload = self._read(pos, request.len)
                is_too_long = len(payload) > messages.MAX_PAYLOAD_LEN
                return Answer(tag, messages.TOO_LONG) if is_too_long else Answer(tag, messages.DONE, payload=payload)
            if self._on_write is None:
                raise Refused()
            if request.op == messages.WRITE:
                self._on_write(pos, request.payload)
                return Answer(tag, messages.DONE, self._sequence)
            if request.bits not in (8, 16, 32, 64):
                raise Refused()
            width = request.bits // 8
            number = int.from_bytes(self._read(pos, width), "little") + request.amount
            data = (number % (1 << request.bits)).to_bytes(width, "little")
            self._on_write(pos, data)
            return Answer(tag, messages.DONE, self._sequence, int.from_bytes(data, "little", signed=True))
        except OutOfRange as error:
            return Answer(tag, messages.OUT_OF_RANGE, value=error.len)
        except Refused as error:
            return Answer(tag, messages.REFUSED, payload=messages.encode_why(error.why))
        except Exception:
            # A mistake of the callback's; the area goes on.
            traceback.print_exc(file=sys.stderr)
            return Answer(tag, messages.REFUSED)

    def _read(self, pos: int, length: int) -> bytes:
        if self._on_read is not None:
            return bytes(self._on_read(pos, length))
        if self._newest is None or self._newest.fourcc:
            raise Refused()
        whole = self._newest.len
        end = pos + length if length else whole
        if not pos <= end <= whole:
            raise OutOfRange(whole)
        # At most one byte more than an answer takes: the caller says that it is too long.
        return os.pread(self._memfd, min(end - pos, messages.MAX_PAYLOAD_LEN + 1), pos)


def _listen(path: str) -> socket.socket:
    """Makes an area's listening socket, in the place of one that a dead owner left."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        try:
            listener.bind(path)
        except OSError:
            _remove_dead(path)
            listener.bind(path)
        os.chmod(path, 0o600)  # before it listens, so nobody can have connected
        listener.listen(BACKLOG)
        listener.setblocking(False)
    except BaseException:
        listener.close()
        raise
    return listener


def _remove_dead(path: str) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as probe:
        probe.setblocking(False)
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            os.unlink(path)
        except OSError:
            pass  # alive, or something else: binding says what is wrong
