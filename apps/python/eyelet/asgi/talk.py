"""Many tasks of an app, one connection: whoever speaks interrupts who only waits.

Verbs are obeyed strictly one after the other, but an ASGI app waits for a message in one task, for a frame in a
second, and sends in a third. So one waiting verb at a time is held, for all that wait; `stop` ends it when somebody
has something to say or to wait for as well, and it is taken up again after. `wait-any` waits for several things in one
verb; with a server that does not know `stop` or `wait-any` the waiting is done in short turns instead.
"""

from __future__ import annotations

import asyncio
import collections
from typing import Any, Callable, Coroutine, Deque, Dict, List, Optional, Set, TypeVar

from .link import Answer, Failed, Gone, Link, MAX_PAYLOAD_LEN

T = TypeVar("T")
#: What is waited for: an area, or a message of the client.
RECV = "recv"
#: Turns of waiting, where the server cannot be told to stop.
SLICE_S = "0.05"


class Abilities:
    """What the server knows; found out once per process."""

    def __init__(self) -> None:
        self.stop: Optional[bool] = None
        self.wait_any = True


class Message:
    """A message of the client."""

    def __init__(self, is_text: bool, payload: bytes) -> None:
        self.is_text, self.payload = is_text, payload


class Talk:
    """One request's verbs."""

    def __init__(self, link: Link, abilities: Abilities) -> None:
        self._link, self._abilities = link, abilities
        self._lock = asyncio.Lock()  # first come, first served
        self._held: Set[str] = set()  # what the verb that is out waits for, if it may be told to stop
        self._waiting: Dict[str, List[asyncio.Future[Any]]] = {}
        self._waiter: Optional[asyncio.Task[None]] = None
        self._messages: Deque[Message] = collections.deque()
        self._turn = 0
        self._jobs: Set[asyncio.Task[Any]] = set()
        self._speakers = 0  # have something to say, and it is not their turn yet
        #: Why the client is known to have left; `left` is set then.
        self.gone: Optional[Gone] = None
        self.left = asyncio.Event()
        #: There is nothing to receive but the client's leaving.
        self.is_deaf = False

    # ---- To speak.

    async def ask(self, line: str, payload: bytes = b"", answers_payload: bool = False) -> Answer:
        """Sends a verb and waits for its answer, ahead of all that only waits. Failed, Gone.

        If it is cancelled after the verb went out, the answer is awaited nevertheless, by nobody.
        """

        async def work() -> Answer:
            return await self._exchange(line, payload, answers_payload)

        return await self._speak(work)

    async def _speak(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        is_begun = False

        async def locked() -> T:
            nonlocal is_begun
            try:
                await self._lock.acquire()
            finally:
                self._speakers -= 1
            is_begun = True
            try:
                return await work()
            finally:
                self._lock.release()

        self._speakers += 1
        self._stop()
        job = asyncio.ensure_future(locked())
        self._jobs.add(job)
        job.add_done_callback(self._jobs.discard)
        try:
            return await asyncio.shield(job)
        except asyncio.CancelledError:
            if not is_begun:
                job.cancel()
            else:
                job.add_done_callback(lambda job: job.cancelled() or job.exception())
            raise

    async def _exchange(self, line: str, payload: bytes = b"", answers_payload: bool = False) -> Answer:
        try:
            answer = await self._link.ask(line, payload)
            if not answers_payload or not answer.words:
                return answer
            length = answer.words[-1]
            if not length.isdigit() or int(length) > MAX_PAYLOAD_LEN:
                raise Failed("internal", "the server's answer is not understood")
            return answer._replace(payload=await self._link.payload(int(length)))
        except Gone as gone:
            self._leave(gone)
            raise

    def _stop(self) -> None:
        """Ends the verb that waits, if one does."""
        if self._held and self._abilities.stop:
            self._held = set()
            self._link.put(b"stop\n")

    def _leave(self, gone: Gone) -> None:
        """The client has left: nobody waits for a frame any more. Messages that came before may still be received."""
        if self.gone is None:
            self.gone = gone
            self.left.set()

    # ---- To wait.

    async def receive(self) -> Message:
        """Waits for a message of the client; Gone when it has left and all of its messages were received."""
        while not self._messages:
            await self._wait(RECV)
        return self._messages.popleft()

    async def wait(self, area: str) -> int:
        """Waits for a frame newer than the last one of this area that this request had, and gives its sequence."""
        if self.gone is not None:
            raise self.gone
        return int(await self._wait(area))

    async def follow(self, area: str) -> None:
        """Sends each newest frame until the client leaves: raises Gone, or Failed."""
        while True:
            await self._learn()
            if self._waiting or not self._abilities.stop:
                # Somebody waits for something else, too: frame by frame there is room for it in between.
                await self.wait(area)
                await self.ask(f"send-area {area} 0 0 2")
                continue
            try:
                await self._speak(lambda: self._hold(f"follow {area} 2", {"follow"}))
            except Failed as error:
                if error.kind != "stopped":
                    raise
            except asyncio.CancelledError:
                self._stop()
                raise

    async def _wait(self, what: str) -> Any:
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(what, []).append(future)
        if what not in self._held:
            self._stop()
        if self._waiter is None or self._waiter.done():
            self._waiter = asyncio.ensure_future(self._keep_waiting())
        try:
            return await future
        except asyncio.CancelledError:
            # A message that came in the same moment is still there; a frame is only the newest, and will be again.
            futures = self._waiting.get(what, [])
            if future in futures:
                futures.remove(future)
                if not futures:
                    del self._waiting[what]
                    if what in self._held:
                        self._stop()
            raise

    async def _keep_waiting(self) -> None:
        """Holds a waiting verb as long as anybody waits."""
        try:
            await self._learn()
            while self._waiting:
                async with self._lock:
                    if self._waiting:
                        await self._wait_once()
                # Also if it ended at once: whoever has something to say is let in.
                await asyncio.sleep(0)
        except Exception as error:
            self._fail_all(error)

    async def _learn(self) -> None:
        """Finds out whether the server knows `stop`: it has no answer where nothing waits, unless it is unknown."""
        if self._abilities.stop is not None:
            return
        async with self._lock:
            if self._abilities.stop is not None:
                return
            try:
                await self._exchange("stop\nareas", answers_payload=True)
                self._abilities.stop = True
            except Gone:
                raise
            except Failed as error:
                self._abilities.stop = error.kind != "unknown-verb"
                if not self._abilities.stop:
                    try:
                        answer = await self._link.answer()
                        await self._link.payload(int(answer.words[0]) if answer.words else 0)
                    except Gone:
                        raise
                    except Failed:
                        pass

    async def _wait_once(self) -> None:
        """One waiting verb, and what comes of it to those who wait for it."""
        wanted = [what for what in self._waiting if what != RECV or not self.is_deaf]
        if self.gone is not None and RECV not in wanted:
            return self._fail_all(self.gone)
        if not wanted:
            # Only the client's leaving is waited for, and that is heard of when a verb is asked for.
            return self._fail_all(Failed("bad-state", "there is nothing to wait for"))
        try:
            if self.gone is not None:
                await self._take_message("recv-nb")
            elif len(wanted) == 1:
                await self._wait_for(wanted[0], "0" if self._abilities.stop else SLICE_S)
            elif self._abilities.stop and self._abilities.wait_any:
                await self._wait_any(wanted[:16])
            else:
                self._turn += 1
                what = wanted[self._turn % len(wanted)]
                await (self._take_message("recv-nb") if what == RECV else self._wait_for(what, SLICE_S))
        except Gone as gone:
            # What the client said before is still to be received.
            for what in [what for what in self._waiting if what != RECV or self._was_drained]:
                self._fail(what, gone)
        except Failed as error:
            if error.kind not in ("stopped", "timeout"):
                raise

    async def _wait_any(self, wanted: List[str]) -> None:
        try:
            answer = await self._hold("wait-any 0 " + " ".join(wanted), set(wanted))
        except Failed as error:
            if error.kind in ("unknown-verb", "bad-request"):
                self._abilities.wait_any = False
                return
            if error.kind in ("stopped", "timeout", "gone"):
                raise
            # One of them is wrong: asked for alone, each gets its own answer.
            for what in wanted:
                await self._wait_for(what, SLICE_S)
            return
        if answer.words[:1] == (RECV,):
            await self._take_message("recv-nb")
        elif len(answer.words) == 2:
            self._deliver(answer.words[0], answer.words[1])

    async def _wait_for(self, what: str, timeout: str) -> None:
        if what == RECV:
            await self._take_message("recv" if timeout == "0" else f"recv {timeout}")
            return
        try:
            answer = await self._hold(f"wait {what} 0 {timeout}", {what})
            self._deliver(what, answer.words[0])
        except Failed as error:
            if error.kind in ("stopped", "timeout", "gone"):
                raise
            self._fail(what, error)

    async def _take_message(self, verb: str) -> None:
        try:
            answer = await self._hold(verb, {RECV} if verb == RECV else set(), answers_payload=True)
        except Gone:
            self._was_drained = True
            raise
        except Failed as error:
            if error.kind in ("stopped", "timeout", "gone"):
                raise
            self.is_deaf = error.kind == "bad-state"
            self._fail(RECV, error)
            return
        if not answer.words and self.gone is not None:
            self._was_drained = True
            raise self.gone
        if answer.words:
            self._messages.append(Message(answer.words[0] == "1", answer.payload))
            futures = self._waiting.get(RECV, [])
            # One message for one task; the others go on waiting.
            while futures:
                future = futures.pop(0)
                if not future.done():
                    future.set_result(None)
                    break
            if not futures:
                self._waiting.pop(RECV, None)

    #: The client was asked for messages after it had left, and there was none.
    _was_drained = False

    async def _hold(self, line: str, what: Set[str], answers_payload: bool = False) -> Answer:
        """A verb that `_stop` may end."""
        # Who came while it was not yet out could not end it.
        if self._speakers or ("follow" in what and self._waiting):
            raise Failed("stopped", "somebody has something to say")
        if self._abilities.stop:
            self._held = what
        try:
            return await self._exchange(line, answers_payload=answers_payload)
        finally:
            self._held = set()

    def _deliver(self, what: str, value: Any) -> None:
        for future in self._waiting.pop(what, []):
            if not future.done():
                future.set_result(value)

    def _fail(self, what: str, error: Exception) -> None:
        for future in self._waiting.pop(what, []):
            if not future.done():
                future.set_exception(error)

    def _fail_all(self, error: Exception) -> None:
        for what in list(self._waiting):
            self._fail(what, error)

    # ---- The end.

    async def end(self) -> None:
        """Ends the request in order."""
        self._speakers += 1
        self._stop()
        async with self._lock:
            self._link.put(b"end\n")
            self._link.close()
        self.hang_up()

    def hang_up(self) -> None:
        """Ends it without a word: it has failed."""
        for job in [*self._jobs, self._waiter]:
            if job is not None and not job.done():
                job.cancel()
        self._leave(Gone("the request has ended"))
        self._fail_all(Gone("the request has ended"))
        self._link.close()
