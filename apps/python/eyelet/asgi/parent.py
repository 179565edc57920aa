"""The process that sees to it that there are enough workers, and replaces them when the app is to be loaded anew."""

from __future__ import annotations

import os
import selectors
import signal
import socket
import sys
import time
from typing import Dict, List, Optional, Set

from . import worker
from .worker import FINISH_S, Task

#: A worker that dies young is followed by the next one only after a pause, which doubles.
YOUNG_S, MIN_PAUSE_S, MAX_PAUSE_S = 1.0, 0.1, 5.0
#: Workers that do not end by themselves are killed so long after they should have.
KILL_AFTER_S = 5.0


class Child:
    """One worker, as its parent sees it."""

    def __init__(self, pid: int, control: socket.socket, generation: int) -> None:
        self.pid, self.control, self.generation = pid, control, generation
        self.born = time.monotonic()
        self.is_ready = False
        self.input = b""
        self.kill_at: Optional[float] = None

    def tell(self, word: bytes) -> None:
        """Sends it a line; one that has died is heard of otherwise."""
        try:
            self.control.send(word + b"\n")
        except OSError:
            pass

    def end(self, word: bytes, patience: float) -> None:
        """Tells it to end, and remembers by when; told again, it can only become sooner."""
        self.tell(word)
        kill_at = time.monotonic() + patience + KILL_AFTER_S
        self.kill_at = kill_at if self.kill_at is None else min(self.kill_at, kill_at)


class Parent:
    """All workers. Nothing of the app is loaded here, so that loading it anew is loading all of it."""

    def __init__(self, app: str, processes: int, coroutines: int, listener: socket.socket, reload: bool) -> None:
        self._app, self._processes, self._coroutines = app, processes, coroutines
        self._listener, self._looks_for_changes = listener, reload
        self._children: Dict[int, Child] = {}
        self._serving = 0  # the generation that accepts
        self._newest = 0  # the one that was begun last
        self._resume_at, self._pause = 0.0, 0.0
        self._is_stopping = False
        self._code = 0
        self._signals: Set[int] = set()
        self._selector = selectors.DefaultSelector()

    def run(self) -> int:
        """Runs until it is told to end, or the app cannot be started; gives the exit code."""
        alarm, waker = socket.socketpair()
        alarm.setblocking(False)
        waker.setblocking(False)
        self._selector.register(alarm, selectors.EVENT_READ)
        signal.set_wakeup_fd(waker.fileno(), warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
            signal.signal(number, lambda number, _frame: self._signals.add(number))
        self._begin()
        while self._children or not self._is_stopping:
            for key, _ in self._selector.select(self._patience()):
                if key.fileobj is alarm:
                    alarm.recv(4096)
                elif isinstance(key.data, Child):
                    self._hear(key.data)
            self._obey_signals()
            self._reap()
            self._kill_late()
            self._refill()
        return self._code

    def _patience(self) -> Optional[float]:
        times = [child.kill_at for child in self._children.values() if child.kill_at is not None]
        if not self._is_stopping and self._missing():
            times.append(self._resume_at)
        return max(0.0, min(times) - time.monotonic()) if times else None

    def _obey_signals(self) -> None:
        signals, self._signals = self._signals, set()
        if signals & {signal.SIGTERM, signal.SIGINT}:
            self._stop()
        elif signal.SIGHUP in signals:
            self._begin()

    def _stop(self) -> None:
        self._is_stopping = True
        for child in self._children.values():
            child.end(worker.STOP, 0.0)
            # One that is still loading the app does not listen.
            os.kill(child.pid, signal.SIGTERM)

    # ---- Generations.

    def _begin(self) -> None:
        """Loads the app in a new generation of workers; the old one goes on until all of the new are ready."""
        if self._is_stopping:
            return
        self._end_generation(self._newest, unless=self._serving)
        self._newest += 1
        for index in range(self._processes):
            self._spawn(self._newest, is_first=index == 0)

    def _end_generation(self, generation: int, unless: int = -1) -> None:
        for child in self._children.values():
            if child.generation == generation != unless:
                child.end(worker.FINISH, FINISH_S)

    def _of(self, generation: int) -> List[Child]:
        return [child for child in self._children.values() if child.generation == generation and child.kill_at is None]

    def _missing(self) -> int:
        """Workers that the serving generation has too few."""
        return self._processes - len(self._of(self._serving)) if self._serving else 0

    def _refill(self) -> None:
        if not self._is_stopping and time.monotonic() >= self._resume_at:
            for _ in range(self._missing()):
                self._spawn(self._serving, is_first=not self._of(self._serving))

    def _spawn(self, generation: int, is_first: bool) -> None:
        ours, theirs = socket.socketpair()
        sys.stdout.flush()
        sys.stderr.flush()
        try:
            pid = os.fork()
        except OSError as error:
            complain(f"no process could be started: {error}")
            self._resume_at = time.monotonic() + MAX_PAUSE_S
            ours.close()
            theirs.close()
            return
        if pid == 0:
            # Whatever of the parent's is left open here would keep others from seeing that it has ended.
            signal.set_wakeup_fd(-1)
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD):
                signal.signal(number, signal.SIG_DFL)
            # The app host's own is for its parent; it must not end what is forked from it.
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
            self._selector.close()
            ours.close()
            for child in self._children.values():
                child.control.close()
            looks = self._looks_for_changes and is_first
            worker.become(Task(self._app, self._coroutines, self._listener, theirs, looks))
        theirs.close()
        ours.setblocking(False)
        child = Child(pid, ours, generation)
        self._children[pid] = child
        self._selector.register(ours, selectors.EVENT_READ, child)

    def _hear(self, child: Child) -> None:
        try:
            data = child.control.recv(4096)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data = b""
        if not data:
            self._selector.unregister(child.control)
            return
        *lines, child.input = (child.input + data).split(b"\n")
        for line in lines:
            word, _, text = line.partition(b" ")
            if word == worker.READY:
                child.is_ready = True
                self._go_on(child)
            elif word == worker.FAILED:
                self._has_failed(child, text.decode("utf-8", "replace"))
            elif word == worker.CHANGED and child.generation in (self._serving, self._newest):
                complain("the app has changed: it is loaded again")
                self._begin()

    def _go_on(self, child: Child) -> None:
        if child.generation == self._serving:
            child.tell(worker.GO)
            return
        generation = self._of(child.generation)
        if child.generation != self._newest or len(generation) < self._processes:
            return
        if not all(other.is_ready for other in generation):
            return
        # All or none: from here on the new generation serves, and the old one finishes what it has begun.
        before, self._serving = self._serving, self._newest
        for other in generation:
            other.tell(worker.GO)
        if before:
            complain("the app was loaded again")
        self._end_generation(before)

    def _has_failed(self, child: Child, text: str) -> None:
        complain(f"failed to load `{self._app}`: {text}")
        if child.generation == self._serving or child.generation != self._newest:
            return
        self._end_generation(child.generation)
        if self._serving:
            complain("the app that was loaded before goes on")
            self._newest_failed()
        else:
            self._code = 1
            self._stop()

    def _newest_failed(self) -> None:
        """Nothing of it is expected any more, so that its other workers do not make it serve."""
        self._newest += 1

    # ---- Ends.

    def _reap(self) -> None:
        while self._children:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            child = self._children.pop(pid, None)
            if child is None:
                continue
            self._hear_last(child)
            if child.kill_at is not None or self._is_stopping:
                continue
            code = os.waitstatus_to_exitcode(status)
            complain(f"process {pid} of the app ended: " + (f"signal {-code}" if code < 0 else f"status {code}"))
            if child.generation == self._serving:
                is_young = time.monotonic() - child.born < YOUNG_S
                self._pause = min(self._pause * 2 or MIN_PAUSE_S, MAX_PAUSE_S) if is_young else 0.0
                self._resume_at = time.monotonic() + self._pause
            elif child.generation == self._newest:
                self._has_failed(child, "it ended while it was loaded")

    def _hear_last(self, child: Child) -> None:
        """What it said before it ended, as why it could not be loaded."""
        if child.control.fileno() in self._selector.get_map():
            self._hear(child)
            if child.control.fileno() in self._selector.get_map():
                self._selector.unregister(child.control)
        child.control.close()

    def _kill_late(self) -> None:
        now = time.monotonic()
        for child in self._children.values():
            if child.kill_at is not None and now >= child.kill_at:
                complain(f"process {child.pid} of the app does not end: it is killed")
                child.kill_at = now + KILL_AFTER_S
                os.kill(child.pid, signal.SIGKILL)


def complain(text: str) -> None:
    """Says it on standard error, as one line."""
    print("eyelet.asgi: " + " ".join(text.split())[:2000], file=sys.stderr, flush=True)
