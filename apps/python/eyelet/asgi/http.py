"""An HTTP request of ASGI."""

from __future__ import annotations

from typing import Any, Dict, Optional

from .head import encode
from .link import PART_LEN, Failed, Gone, Request
from .talk import Talk

Event = Dict[str, Any]


class Http:
    """`receive` and `send` of one request."""

    def __init__(self, talk: Talk, request: Request) -> None:
        self._talk = talk
        self._body: Optional[bytes] = request.body
        self._head: Optional[bytes] = None
        #: Something was answered, so that it is too late for an error's page.
        self.has_answered = False
        self.is_complete = False

    async def receive(self) -> Event:
        """The body, all of which the server has read before; then nothing until the client leaves or all was sent."""
        if self._body is not None:
            body, self._body = self._body, None
            return {"type": "http.request", "body": body, "more_body": False}
        try:
            while not self.is_complete:
                await self._talk.receive()
        except Gone:
            pass
        except Failed:
            # The server does not tell by itself that the client has left; the next thing that is sent will.
            await self._talk.left.wait()
        return {"type": "http.disconnect"}

    async def send(self, event: Event) -> None:
        """Answers, and waits until that is in the client's socket; nothing after the client has left, as ASGI has it."""
        kind = event["type"]
        try:
            if kind == "http.response.start":
                if self._head is not None or self.has_answered:
                    raise RuntimeError("the request was answered already")
                self._head = encode(event["status"], event.get("headers") or [])
            elif kind == "http.response.body":
                if self.is_complete:
                    raise RuntimeError("the answer was complete already")
                if self._head is None and not self.has_answered:
                    raise RuntimeError("http.response.start comes first")
                await self.send_head()
                await self._send_body(bytes(event.get("body") or b""))
                if not event.get("more_body", False):
                    # Now, so that the client need not wait for what the app does after it.
                    self.is_complete = True
                    await self._talk.end()
            else:
                raise RuntimeError(f"an HTTP request takes no {kind}")
        except Gone:
            pass

    async def send_head(self) -> None:
        """Sends the head, if it still waits for the first part of the body; until then the answer may be an error's."""
        head, self._head = self._head, None
        if head is not None:
            self.has_answered = True
            await self._talk.ask(f"head {len(head)}", head)

    async def _send_body(self, body: bytes) -> None:
        for start in range(0, len(body), PART_LEN):
            part = body[start : start + PART_LEN]
            await self._talk.ask(f"body {len(part)}", part)

    async def fail(self) -> None:
        """The app has failed: if nothing was answered, the client is told."""
        if not self.has_answered:
            self._head = encode(500, [(b"content-type", b"text/plain; charset=utf-8")])
            await self.send_head()
            await self._send_body(b"Internal Server Error\n")
            self.is_complete = True
            await self._talk.end()
