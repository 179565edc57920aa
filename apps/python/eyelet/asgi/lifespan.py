"""Startup and shutdown of an app, for each process."""

from __future__ import annotations

import asyncio
import sys
import traceback
from typing import Any, Dict, Optional

Event = Dict[str, Any]


class Failure(Exception):
    """The app said that it cannot start, and why."""


class Lifespan:
    """One app's lifespan; an app that does not know of such a thing needs none."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self._events: asyncio.Queue[Event] = asyncio.Queue()
        self._answer: Optional[asyncio.Future[None]] = None
        self._task: Optional[asyncio.Task[None]] = None
        self._has_begun = False
        #: What the app keeps for its requests.
        self.state: Dict[str, Any] = {}

    async def start(self) -> None:
        """Waits until the app has started; Failure if it says that it cannot."""
        self._task = asyncio.ensure_future(self._run())
        await self._ask("lifespan.startup")
        self._has_begun = not self._task.done()

    async def stop(self) -> None:
        """Waits until the app has let go of what it has."""
        if self._task is None or not self._has_begun or self._task.done():
            return
        try:
            await self._ask("lifespan.shutdown")
        except Failure as failure:
            print(f"eyelet.asgi: the app's shutdown failed: {failure}", file=sys.stderr)

    async def _ask(self, kind: str) -> None:
        self._answer = asyncio.get_running_loop().create_future()
        await self._events.put({"type": kind})
        await self._answer

    async def _run(self) -> None:
        scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": self.state}
        was_asked = False

        async def receive() -> Event:
            nonlocal was_asked
            was_asked = True
            return await self._events.get()

        try:
            await self._app(scope, receive, self._send)
        except BaseException as error:
            # Apps without a lifespan raise at once: that is how ASGI knows. One that had asked has failed.
            if was_asked and self._answer is not None and not self._answer.done():
                traceback.print_exc(file=sys.stderr)
                self._answer.set_exception(Failure(f"{type(error).__name__}: {error}"))
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(None)

    async def _send(self, event: Event) -> None:
        if self._answer is None or self._answer.done():
            raise RuntimeError(f"nothing was asked, and the app answers {event['type']}")
        if event["type"].endswith(".failed"):
            self._answer.set_exception(Failure(event.get("message") or "it does not say why"))
        elif event["type"].endswith(".complete"):
            self._answer.set_result(None)
