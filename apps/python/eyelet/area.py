"""An area, for programs that may wait: its frames, and the application data of those that have some."""

from __future__ import annotations

import select
import time
from typing import Iterator, Optional, TypeVar, Union

from .frame import Frame
from .messages import State
from .places import find
from .subscription import Procedure, Subscription, Wait, add_request, deadline_of, write_request

T = TypeVar("T")


class Area:
    """A subscription to an area, by id or name, or by the path of its socket.

        with eyelet.Area("camera") as area:
            for frame in area:
                print(frame.sequence, frame.array().mean())

    When the owner goes away it connects again by itself: meanwhile `state` says why nothing comes. One thread at a
    time may use it; `eyelet.aio.Area` is the same for asyncio.

    All timeouts are seconds, None waits for ever; what does not come in time raises `eyelet.Timeout`. Other failures
    raise `eyelet.AreaError`, whose `kind` says which; all but `closed` may be tried again.
    """

    def __init__(self, area: Union[int, str] = 0, *, path: Optional[str] = None) -> None:
        """Connects. AreaError of kind `no-area` or `ambiguous` if it is not known where, OSError if nothing listens."""
        self._subscription = Subscription(find(area) if path is None else path)
        self._subscription.connect()

    def newest(self, timeout: Optional[float] = None) -> Frame:
        """The newest frame there is now; waits for one only where there is none, or no signal.

        Never one that was queued while this program did something else. It may be the same one again.
        """
        return self._drive(self._subscription.newest(deadline_of(timeout)))

    def next(self, timeout: Optional[float] = None) -> Frame:
        """The next frame after the last one that this area gave; in order, with `frame.missed` left out in between.

        Up to two frames wait in the socket, so a loop that is quick enough misses none; a slow one gets frames that are
        as old as its own turn is long, and does better with `newer_than`.
        """
        return self._drive(self._subscription.next(deadline_of(timeout)))

    def newer_than(self, sequence: int, timeout: Optional[float] = None) -> Frame:
        """As `newest`, but waits until it is newer than that sequence."""
        return self._drive(self._subscription.newest(deadline_of(timeout), sequence))

    def read(self, pos: int = 0, len: int = 0, timeout: Optional[float] = None) -> bytes:
        """Reads `len` bytes from `pos` on, 0 for all the rest: application data, or of the newest frame of a camera.

        OutOfRange if they are not all inside.
        """
        return self._drive(self._subscription.read(pos, len, deadline_of(timeout)))

    def write(self, pos: int, data: "bytes | bytearray | memoryview", timeout: Optional[float] = None) -> int:
        """Writes at most 65,536 bytes of application data, all at once for all who read; gives their sequence.

        OutOfRange, Refused (cameras cannot be written); of kind `gone` if the owner went before it answered: then it is
        not known whether it was done.
        """
        return self._drive(self._subscription.request(write_request(pos, data), deadline_of(timeout))).sequence

    def inc(self, pos: int, bits: int = 64, amount: int = 1, timeout: Optional[float] = None) -> int:
        """Adds to the little-endian number of 8, 16, 32 or 64 bits at `pos`; it wraps. Gives what it is now, signed.

        No two programs' additions get lost. Raises what `write` raises.
        """
        return self._drive(self._subscription.request(add_request(pos, bits, amount), deadline_of(timeout))).value

    def dec(self, pos: int, bits: int = 64, amount: int = 1, timeout: Optional[float] = None) -> int:
        """Takes from the number at `pos`, as `inc` adds."""
        return self.inc(pos, bits, -amount, timeout)

    @property
    def state(self) -> State:
        """Live, or no signal and why, as far as it is known now."""
        self._subscription.pump()
        return self._subscription.state

    @property
    def missed(self) -> int:
        """Frames that were published and that this area never gave, in all."""
        return self._subscription.missed

    @property
    def path(self) -> str:
        """The area's socket."""
        return self._subscription.path

    def close(self) -> None:
        """Leaves the area. Frames that it gave stay valid."""
        self._subscription.close()

    def __iter__(self) -> Iterator[Frame]:
        """Each `next` frame, without an end."""
        while True:
            yield self.next()

    def __enter__(self) -> Area:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _drive(self, procedure: Procedure[T]) -> T:
        try:
            while True:
                _sleep(next(procedure))
        except StopIteration as end:
            value: T = end.value
            return value
        finally:
            procedure.close()


def _sleep(wait: Wait) -> None:
    timeout = None if wait.until is None else max(0.0, wait.until - time.monotonic())
    if wait.fd is None:
        time.sleep(timeout or 0.0)
        return
    poll = select.poll()
    poll.register(wait.fd, select.POLLOUT if wait.writable else select.POLLIN)
    # Rounded up: a wait that ends too early would only be begun again.
    poll.poll(None if timeout is None else int(timeout * 1000) + 1)
