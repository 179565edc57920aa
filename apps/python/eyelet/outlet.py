"""One subscriber, as the owner of an area keeps it: its credit, and what it is owed. Nothing here waits."""

from __future__ import annotations

import os
import socket
from typing import List, Optional, Union

from . import messages
from .errors import AreaError
from .messages import Answer, Credit, FrameInfo, Request, State

#: Messages that one turn reads of a subscriber; the next turn goes on, so that none keeps the others waiting.
MESSAGES_PER_TURN = 16


class Outlet:
    """A connection, its credit, and whether it is behind."""

    def __init__(self, connection: socket.socket, has_frame: bool) -> None:
        self.connection = connection
        self.credit = 0
        self.is_behind = has_frame
        self.missed = 0
        self.owes_state = True
        #: It has granted credit since it came.
        self.has_asked = False
        #: Its socket took no more.
        self.is_full = False

    def hear(self) -> Optional[Union[Credit, Request]]:
        """Gives one message, or None. AreaError for what it must not send, EOFError if it has left."""
        try:
            message, descriptors, flags, _ = socket.recv_fds(
                self.connection, messages.ROOM, 1, socket.MSG_CMSG_CLOEXEC
            )
        except (BlockingIOError, InterruptedError):
            return None
        except OSError:
            raise EOFError from None
        for descriptor in descriptors:
            os.close(descriptor)
        if descriptors or flags & (socket.MSG_CTRUNC | socket.MSG_TRUNC):
            raise AreaError("protocol", "a subscriber sent a descriptor, or more than a message")
        if not message:
            raise EOFError
        heard = messages.decode_from_subscriber(message)
        if isinstance(heard, Credit):
            if self.credit + heard.frames > messages.MAX_CREDIT:
                raise AreaError("protocol", f"a subscriber granted more than {messages.MAX_CREDIT} frames")
            self.credit += heard.frames
            self.has_asked = True
        return heard

    def publish(self) -> None:
        """A frame became the newest."""
        self.missed += self.is_behind
        self.is_behind = True

    def send_due(self, state: State, newest: Optional[FrameInfo], memfd: int) -> None:
        """Sends state and newest frame if they are due and fit. EOFError if it has left."""
        self.is_full = False
        if self.owes_state and self._send(messages.encode_state(state), []):
            self.owes_state = False
        if not self.is_full and self.is_behind and self.credit and newest is not None:
            if self._send(messages.encode_frame(newest._replace(missed=self.missed)), [memfd]):
                self.credit -= 1
                self.missed, self.is_behind = 0, False

    def answer(self, answer: Answer) -> None:
        """Answers a request. AreaError if it does not fit: the subscriber does not read."""
        if not self._send(messages.encode_answer(answer), []):
            raise AreaError("protocol", "a subscriber does not read its answers")

    def _send(self, message: bytes, descriptors: List[int]) -> bool:
        try:
            if descriptors:
                socket.send_fds(self.connection, [message], descriptors)
            else:
                self.connection.send(message)
        except (BlockingIOError, InterruptedError):
            self.is_full = True
            return False
        except (BrokenPipeError, ConnectionResetError):
            raise EOFError from None
        except OSError:
            return False  # passes, as too many descriptors in flight: the next frame or credit tries again
        return True

    def close(self) -> None:
        """Ends it, also where a forked child has the socket, too."""
        try:
            self.connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.connection.close()
