"""What an app sees beyond ASGI: `scope["extensions"]["eyelet"]`."""

from __future__ import annotations

import asyncio
from typing import Awaitable, Callable, List, NamedTuple, Optional, Union

from ..errors import Timeout
from .link import Failed
from .talk import Talk

Area = Union[int, str]


class AreaLine(NamedTuple):
    """One area, as the server lists it; what is not known is 0 or empty."""

    id: int
    name: str
    kind: str  # camera, derived, mule, app
    is_live: bool
    len: int
    fourcc: str
    width: int
    height: int
    stride: int
    sequence: int


class Areas:
    """The server's areas, for one request: what its client gets of them never enters the app.

    Areas are named by id or name. All methods may be used from several tasks at the same time, also while the app
    receives or sends. They raise `eyelet.asgi.Gone` (an OSError) when the client has left, `eyelet.asgi.Failed` (an
    AreaError) whose `kind` is one of the app protocol otherwise: `no-area`, `out-of-range`, `refused`, `too-large`,
    `bad-state`.
    """

    def __init__(self, talk: Talk, ready: Callable[[], Awaitable[None]]) -> None:
        """`ready` sends what must be out before an area is, as the head of an answer."""
        self._talk, self._ready = talk, ready

    async def wait(self, area: Area, timeout: Optional[float] = None) -> int:
        """Waits for a frame newer than the last one that this request waited for, sent or read; gives its sequence.

        Keeps to the viewer's `?fps=`. eyelet.Timeout after so many seconds.
        """
        try:
            return await asyncio.wait_for(self._talk.wait(word(area)), timeout)
        except asyncio.TimeoutError:
            raise Timeout(f"no newer frame of area {area} came in time") from None

    async def send_area(self, area: Area, pos: int = 0, len: int = 0, text: bool = False) -> int:
        """Sends the newest frame from `pos` on, `len` bytes of it or all; gives its sequence when it is in the socket.

        To a WebSocket as one message; after `http.response.start` as a part of the body.
        """
        await self._ready()
        answer = await self._talk.ask(f"send-area {word(area)} {number(pos)} {number(len)} {1 if text else 2}")
        return int(answer.words[0])

    async def follow(self, area: Area) -> None:
        """Sends each newest frame as one message until the client leaves, which raises Gone; cancel it to end earlier.

        Cheapest while no other task waits to receive.
        """
        await self._ready()
        await self._talk.follow(word(area))

    async def read(self, area: Area, pos: int = 0, len: int = 0) -> bytes:
        """Reads from an area, or from its newest frame; a `len` of 0 is all from `pos` on."""
        line = f"read {word(area)} {number(pos)} {number(len)}"
        return (await self._talk.ask(line, answers_payload=True)).payload

    async def write(self, area: Area, pos: int, data: "bytes | bytearray | memoryview") -> int:
        """Writes at most 65,536 bytes into an area of application data; gives their sequence."""
        payload = bytes(data)
        answer = await self._talk.ask(f"write {word(area)} {number(pos)} {len(payload)}", payload)
        return int(answer.words[0])

    async def inc(self, area: Area, pos: int, bits: int = 64, amount: int = 1) -> int:
        """Adds to the little-endian number of 8, 16, 32 or 64 bits at `pos`; it wraps. Gives what it is now, signed."""
        answer = await self._talk.ask(f"inc {word(area)} {number(pos)} {number(bits)} {int(amount)}")
        return int(answer.words[0])

    async def dec(self, area: Area, pos: int, bits: int = 64, amount: int = 1) -> int:
        """Takes from the number, as `inc` adds."""
        return await self.inc(area, pos, bits, -amount)

    async def areas(self) -> List[AreaLine]:
        """Lists the areas."""
        text = (await self._talk.ask("areas", answers_payload=True)).payload.decode("utf-8", "replace")
        return [_area_line(line.split()) for line in text.splitlines() if line]


def word(area: Area) -> str:
    """An area as the server wants it; what is no word could be another verb."""
    text = str(area)
    if not text or not all("!" <= letter <= "~" for letter in text):
        raise Failed("no-area", f"there is no area {area!r}")
    return text


def number(value: int) -> int:
    """A number without a sign."""
    if value < 0:
        raise Failed("out-of-range", f"{value} is below 0")
    return int(value)


def _area_line(words: List[str]) -> AreaLine:
    id_, name, kind, state, length, fourcc, width, height, stride, sequence = (words + ["-"] * 10)[:10]
    known = [0 if word == "-" else int(word) for word in (length, width, height, stride, sequence)]
    code = "" if fourcc == "-" else fourcc
    return AreaLine(int(id_), name, kind, state == "live", known[0], code, *known[1:])
