"""A process that serves requests: loads the app, starts it, accepts while it has a place, ends in order."""

from __future__ import annotations

import asyncio
import math
import os
import signal
import socket
import sys
import time
import traceback
from typing import Any, Dict, NamedTuple, Optional, Set

from . import scope as scopes
from .areas import Areas
from .http import Http
from .lifespan import Failure, Lifespan
from .link import Failed, Gone, Link, Request
from .loading import load, stamps
from .talk import Abilities, Talk
from .websocket import WebSocket

#: Words of a worker to its parent, and of the parent to it: a line each.
READY, FAILED, CHANGED = b"ready", b"failed", b"changed"
GO, FINISH, STOP = b"go", b"finish", b"stop"
#: So long requests may take to end when the app is loaded anew.
FINISH_S = 30.0
#: So long they may take when the server ends, which ends their connections, too; then the app has as long for itself.
STOP_S, SHUTDOWN_S = 0.2, 2.0
#: The time between two looks at the app's files.
LOOK_S = 0.5


class Task(NamedTuple):
    """What a worker is to do."""

    app: str
    coroutines: int
    listener: socket.socket
    #: A socket to the parent; that it ends means that the parent has.
    control: socket.socket
    looks_for_changes: bool


def run(task: Task) -> int:
    """Serves until it is told to end; gives the exit code."""
    try:
        return asyncio.run(_run(task))
    except KeyboardInterrupt:
        return 0


async def _run(task: Task) -> int:
    return await Worker(task).run()


class Worker:
    """One process of the app; made inside its loop."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._abilities = Abilities()
        self._requests: Set[asyncio.Task[None]] = set()
        self._is_accepting = self._is_ending = False
        self._told = asyncio.Event()
        self._ends_at = math.inf

    async def run(self) -> int:
        """Loads, says so, waits for the word to go on, serves."""
        loop = asyncio.get_running_loop()
        control, parent = await asyncio.open_connection(sock=self._task.control)
        lifespan = None
        try:
            app = load(self._task.app)
            lifespan = Lifespan(app)
            await lifespan.start()
        except BaseException as error:
            # SystemExit as well: a script that ends while it is loaded is no app.
            if not isinstance(error, Failure):
                traceback.print_exc(file=sys.stderr)
            text = f"{type(error).__name__}: {error}".replace("\n", " ")
            parent.write(FAILED + b" " + text.encode("utf-8", "replace") + b"\n")
            await parent.drain()
            return 1
        parent.write(READY + b"\n")
        loop.add_signal_handler(signal.SIGTERM, self._end_within, STOP_S)
        loop.add_signal_handler(signal.SIGINT, self._end_within, STOP_S)
        listening = asyncio.ensure_future(self._listen_to(control, app, lifespan))
        looking = asyncio.ensure_future(self._look(parent)) if self._task.looks_for_changes else None
        await self._told.wait()
        if looking is not None:
            looking.cancel()
        self._is_ending = True
        self._accept(False, app, lifespan)
        await self._finish()
        listening.cancel()
        try:
            await asyncio.wait_for(lifespan.stop(), SHUTDOWN_S)
        except asyncio.TimeoutError:
            print("eyelet.asgi: the app did not end in time", file=sys.stderr)
        return 0

    async def _listen_to(self, control: asyncio.StreamReader, app: Any, lifespan: Lifespan) -> None:
        while line := (await control.readline()).strip():
            if line == GO:
                self._accept(True, app, lifespan)
            else:
                self._end_within(FINISH_S if line == FINISH else STOP_S)
        self._end_within(STOP_S)

    def _end_within(self, patience: float) -> None:
        """Requests that are under way get so many seconds; told again, it can only become sooner."""
        self._ends_at = min(self._ends_at, time.monotonic() + patience)
        self._told.set()

    async def _look(self, parent: asyncio.StreamWriter) -> None:
        """Says when a file of the app has changed; what a module loads later is looked at, too."""
        known: Dict[str, int] = {}
        while True:
            now = stamps(self._task.app)
            if any(known.get(file, stamp) != stamp for file, stamp in now.items()):
                parent.write(CHANGED + b"\n")
            known = now
            await asyncio.sleep(LOOK_S)

    # ---- Requests.

    def _accept(self, on: bool, app: Any, lifespan: Lifespan) -> None:
        loop, fd = asyncio.get_running_loop(), self._task.listener.fileno()
        if on and not self._is_accepting and not self._is_ending:
            loop.add_reader(fd, self._take, app, lifespan)
        elif not on and self._is_accepting:
            loop.remove_reader(fd)
        self._is_accepting = on and not self._is_ending

    def _take(self, app: Any, lifespan: Lifespan) -> None:
        """Takes one connection. One at a time, so that processes share what comes at once."""
        try:
            connection, _ = self._task.listener.accept()
        except OSError:
            return  # another process was faster, or the server has thought better of it
        connection.setblocking(False)
        request = asyncio.ensure_future(self._serve(connection, app, lifespan))
        self._requests.add(request)
        # The one beyond is for a page while all others stream; who is allowed in is the server's to decide.
        if len(self._requests) > self._task.coroutines:
            self._accept(False, app, lifespan)

        def done(request: asyncio.Task[None]) -> None:
            self._requests.discard(request)
            if not self._is_ending:
                self._accept(True, app, lifespan)

        request.add_done_callback(done)

    async def _serve(self, connection: socket.socket, app: Any, lifespan: Lifespan) -> None:
        link = await Link.open(connection)
        try:
            request = await link.receive_request()
        except (ValueError, EOFError, OSError) as error:
            if not isinstance(error, (EOFError, OSError)):
                print(f"eyelet.asgi: {error}", file=sys.stderr)
            return link.close()
        talk = Talk(link, self._abilities)
        is_socket = scopes.is_websocket(request.variables)
        client = WebSocket(talk, request) if is_socket else Http(talk, request)
        areas = Areas(talk, client.send_head)
        try:
            await app(scopes.make(request, lifespan.state, areas), client.receive, client.send)
            await self._end(talk, client)
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            await self._fail(error, request, talk, client)
        finally:
            talk.hang_up()

    async def _end(self, talk: Talk, client: "Http | WebSocket") -> None:
        if client.is_complete or talk.gone is not None:
            return
        if isinstance(client, Http):
            raise RuntimeError("the app has returned without a whole answer")
        if client.is_accepted:
            return await talk.end()
        raise RuntimeError("the app has returned without an answer")

    async def _fail(self, error: BaseException, request: Request, talk: Talk, client: "Http | WebSocket") -> None:
        # That the client leaves is how a stream ends, not a fault.
        if talk.gone is not None and not client.is_complete and _is_about_leaving(error):
            return
        method, path = (request.variables.get(name, b"-") for name in ("REQUEST_METHOD", "PATH_INFO"))
        what = f"{method.decode('latin-1')} {path.decode('utf-8', 'replace')!r}"
        print(f"eyelet.asgi: {what} failed: {type(error).__name__}: {error}", file=sys.stderr)
        traceback.print_exception(type(error), error, error.__traceback__, file=sys.stderr)
        try:
            await client.fail()
        except (Failed, RuntimeError):
            pass

    async def _finish(self) -> None:
        """Waits for the requests that are under way, as long as they may take, then cancels them."""
        while self._requests and time.monotonic() < self._ends_at:
            self._told.clear()
            told = asyncio.ensure_future(self._told.wait())
            patience = self._ends_at - time.monotonic()
            await asyncio.wait({told, *self._requests}, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
            told.cancel()
        for request in self._requests:
            request.cancel()
        if self._requests:
            await asyncio.wait(self._requests, timeout=STOP_S)


def _is_about_leaving(error: Optional[BaseException]) -> bool:
    """The error, or what it came from, or all in its group, is that the client has left."""
    while error is not None:
        parts = getattr(error, "exceptions", None)
        if parts:
            return all(_is_about_leaving(part) for part in parts)
        # Starlette has its own names for it.
        if isinstance(error, Gone) or type(error).__name__ in ("WebSocketDisconnect", "ClientDisconnect"):
            return True
        error = error.__cause__ or error.__context__
    return False


def become(task: Task) -> None:
    """Serves in a child that was forked for it, and does not return: nothing of the parent's is done at its end."""
    code = 1
    try:
        code = run(task)
    except BaseException:
        traceback.print_exc(file=sys.stderr)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
