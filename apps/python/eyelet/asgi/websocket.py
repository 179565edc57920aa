"""A WebSocket of ASGI."""

from __future__ import annotations

import sys
from typing import Any, Dict

from .head import encode
from .http import Http
from .link import MAX_CLOSE_LEN, Gone, Request
from .talk import Talk

Event = Dict[str, Any]


class WebSocket:
    """`receive` and `send` of one WebSocket."""

    def __init__(self, talk: Talk, request: Request) -> None:
        self._talk = talk
        # The answer of an app that wants none.
        self._http = Http(talk, request)
        self._is_connected = False  # was told so
        self._is_accepted = self._is_closed = False
        self._code = 1006

    @property
    def is_complete(self) -> bool:
        """The request was ended."""
        return self._is_closed or self._http.is_complete

    @property
    def is_accepted(self) -> bool:
        """The handshake is done."""
        return self._is_accepted

    async def receive(self) -> Event:
        """First `websocket.connect`, then what the client says, at last `websocket.disconnect`, again and again."""
        if not self._is_connected:
            self._is_connected = True
            return {"type": "websocket.connect"}
        if not self._is_accepted and not self.is_complete:
            # There is nothing to receive before the handshake; that the client leaves is heard of by whoever answers.
            await self._talk.left.wait()
        if not self.is_complete:
            try:
                message = await self._talk.receive()
                if message.is_text:
                    return {"type": "websocket.receive", "text": message.payload.decode("utf-8", "replace")}
                return {"type": "websocket.receive", "bytes": message.payload}
            except Gone as gone:
                self._code = self._code if self.is_complete else gone.code
        return {"type": "websocket.disconnect", "code": self._code, "reason": ""}

    async def send(self, event: Event) -> None:
        """Answers; OSError after the client has left, as ASGI has it. Waits until it is in the client's socket."""
        kind = event["type"]
        if kind.startswith("websocket.http.response.") and not self._is_accepted:
            await self._http.send({**event, "type": kind[len("websocket.") :]})
        elif kind == "websocket.accept" and not self._is_accepted:
            await self._accept(event)
        elif kind == "websocket.close":
            await self._close(event)
        elif kind == "websocket.send":
            if not self._is_accepted or self._is_closed:
                raise RuntimeError("the WebSocket is not open: websocket.accept comes first, websocket.close last")
            text = event.get("text")
            payload = bytes(event.get("bytes") or b"") if text is None else text.encode()
            await self._talk.ask(f"send {2 if text is None else 1} {len(payload)}", payload)
        else:
            raise RuntimeError(f"a WebSocket takes no {kind} now")

    async def _accept(self, event: Event) -> None:
        if event.get("headers"):
            # The server writes this answer, and the protocol has no place for headers in it.
            names = ", ".join(bytes(name).decode("latin-1") for name, _ in event["headers"])
            print(f"eyelet.asgi: headers of websocket.accept are left out: {names}", file=sys.stderr)
        protocol = event.get("subprotocol")
        if protocol and not all("!" <= letter <= "~" for letter in protocol):
            raise RuntimeError(f"{protocol!r} is no subprotocol")
        await self._talk.ask(f"handshake {protocol}" if protocol else "handshake")
        self._is_accepted = True

    async def _close(self, event: Event) -> None:
        if self.is_complete:
            raise RuntimeError("the WebSocket is closed already")
        if not self._is_accepted:
            # As ASGI has it: a WebSocket that is closed before it was accepted is refused.
            self._is_closed = True
            head = encode(403, [(b"content-type", b"text/plain; charset=utf-8")])
            await self._talk.ask(f"head {len(head)}", head)
            await self._talk.ask("body 10", b"Forbidden\n")
            await self._talk.end()
            return
        reason = (event.get("reason") or "").encode()[:MAX_CLOSE_LEN].decode(errors="ignore").encode()
        self._code = int(event.get("code") or 1000)
        self._is_closed = True
        await self._talk.ask(f"close {self._code} {len(reason)}", reason)
        await self._talk.end()

    async def send_head(self) -> None:
        """An area is a message: there is nothing to send before it."""

    async def fail(self) -> None:
        """The app has failed: before the handshake the client is told, later the server closes with 1011."""
        if not self._is_accepted:
            await self._http.fail()
