"""Areas for asyncio: no thread, no task, one descriptor that the loop watches while somebody waits."""

from __future__ import annotations

import asyncio
import time
from typing import AsyncIterator, Optional, Set, TypeVar, Union

from .frame import Frame
from .messages import State
from .places import find
from .subscription import Procedure, Subscription, Wait, add_request, deadline_of, write_request

T = TypeVar("T")


class Area:
    """As `eyelet.Area`, with the same methods, arguments and errors; those that may wait are coroutines.

        async with eyelet.aio.Area("camera") as area:
            async for frame in area:
                ...

    Several tasks may use it at the same time: each `next` gives another frame. It belongs to the loop it is awaited in.
    """

    def __init__(self, area: Union[int, str] = 0, *, path: Optional[str] = None) -> None:
        """Connects. AreaError of kind `no-area` or `ambiguous` if it is not known where, OSError if nothing listens."""
        self._subscription = Subscription(find(area) if path is None else path)
        self._subscription.before_close = self._unwatch
        self._sleepers: Set[asyncio.Future[None]] = set()
        self._loop: Optional[asyncio.AbstractEventLoop] = None
        self._watched: Optional[int] = None
        self._subscription.connect()

    async def newest(self, timeout: Optional[float] = None) -> Frame:
        """The newest frame there is now; see `eyelet.Area.newest`."""
        return await self._drive(self._subscription.newest(deadline_of(timeout)))

    async def next(self, timeout: Optional[float] = None) -> Frame:
        """The next frame after the last one that this area gave; see `eyelet.Area.next`."""
        return await self._drive(self._subscription.next(deadline_of(timeout)))

    async def newer_than(self, sequence: int, timeout: Optional[float] = None) -> Frame:
        """As `newest`, but waits until it is newer than that sequence."""
        return await self._drive(self._subscription.newest(deadline_of(timeout), sequence))

    async def read(self, pos: int = 0, len: int = 0, timeout: Optional[float] = None) -> bytes:
        """Reads application data, or of the newest frame; see `eyelet.Area.read`."""
        return await self._drive(self._subscription.read(pos, len, deadline_of(timeout)))

    async def write(self, pos: int, data: "bytes | bytearray | memoryview", timeout: Optional[float] = None) -> int:
        """Writes application data and gives their sequence; see `eyelet.Area.write`."""
        answer = await self._drive(self._subscription.request(write_request(pos, data), deadline_of(timeout)))
        return answer.sequence

    async def inc(self, pos: int, bits: int = 64, amount: int = 1, timeout: Optional[float] = None) -> int:
        """Adds to a number and gives what it is now; see `eyelet.Area.inc`."""
        answer = await self._drive(self._subscription.request(add_request(pos, bits, amount), deadline_of(timeout)))
        return answer.value

    async def dec(self, pos: int, bits: int = 64, amount: int = 1, timeout: Optional[float] = None) -> int:
        """Takes from the number at `pos`, as `inc` adds."""
        return await self.inc(pos, bits, -amount, timeout)

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
        """Leaves the area; who still waits gets AreaError of kind `closed`. Frames that it gave stay valid."""
        self._subscription.close()
        self._wake()

    async def __aiter__(self) -> AsyncIterator[Frame]:
        """Each `next` frame, without an end."""
        while True:
            yield await self.next()

    async def __aenter__(self) -> Area:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()

    async def _drive(self, procedure: Procedure[T]) -> T:
        try:
            while True:
                await self._sleep(next(procedure))
        except StopIteration as end:
            value: T = end.value
            return value
        finally:
            procedure.close()

    async def _sleep(self, wait: Wait) -> None:
        loop = asyncio.get_running_loop()
        self._loop = loop
        sleeper: asyncio.Future[None] = loop.create_future()
        self._sleepers.add(sleeper)
        timer = None if wait.until is None else loop.call_later(_until(wait.until), _finish, sleeper)
        if wait.fd is not None:
            # Each that waits is woken by whatever comes, and looks for what it wants.
            loop.add_reader(wait.fd, self._wake)
            self._watched = wait.fd
            if wait.writable:
                loop.add_writer(wait.fd, self._wake)
        try:
            await sleeper
        finally:
            self._sleepers.discard(sleeper)
            if timer is not None:
                timer.cancel()
            if not self._sleepers and self._watched is not None:
                # What comes while nobody waits must not wake the loop again and again.
                self._unwatch(self._watched)

    def _unwatch(self, fd: int) -> None:
        """Also before a descriptor is closed: its number may soon be another's."""
        if self._watched == fd and self._loop is not None:
            self._watched = None
            if not self._loop.is_closed():
                self._loop.remove_reader(fd)
                self._loop.remove_writer(fd)
        self._wake()

    def _wake(self) -> None:
        for sleeper in self._sleepers:
            _finish(sleeper)
        if self._watched is not None and self._loop is not None and not self._loop.is_closed():
            self._loop.remove_writer(self._watched)


def _finish(sleeper: asyncio.Future[None]) -> None:
    if not sleeper.done():
        sleeper.set_result(None)


def _until(at: float) -> float:
    # `call_later` counts by the loop's own clock, which need not be time.monotonic.
    return max(0.0, at - time.monotonic())
