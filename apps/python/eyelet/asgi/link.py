"""The connection of one request to the server: a verb out, its answer in. docs/ref/app.md has both."""

from __future__ import annotations

import asyncio
import socket
from typing import Dict, NamedTuple, Tuple

from ..errors import AreaError

MAX_LINE_LEN = 4096
MAX_VARIABLES_LEN = 131_072
MAX_HEAD_LEN = 65_536
MAX_PAYLOAD_LEN = 16_777_216
MAX_CLOSE_LEN = 123
#: A body goes in parts: the server holds each whole.
PART_LEN = 1 << 20


class Failed(AreaError):
    """The server answered a verb with an error; `kind` is one of docs/ref/app.md, as `no-area` or `out-of-range`."""


class Gone(Failed, OSError):
    """The client has left. `code` is that of its closing, 1006 if it said none. Also an `OSError`, as ASGI has it."""

    def __init__(self, text: str) -> None:
        Failed.__init__(self, "gone", text)
        word = text.split(" ", 1)[0]
        self.code = int(word) if len(word) == 4 and word.isdigit() else 1006


class Request(NamedTuple):
    """What the client asked for: CGI variables and a body."""

    variables: Dict[str, bytes]
    body: bytes


class Answer(NamedTuple):
    """The words behind `ok`, and the payload."""

    words: Tuple[str, ...]
    payload: bytes = b""


class Link:
    """One connection; verbs strictly one after the other, as `ask` is called."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def open(cls, connection: socket.socket) -> Link:
        """Takes an accepted connection over."""
        return cls(*await asyncio.open_connection(sock=connection))

    async def receive_request(self) -> Request:
        """Reads the SCGI netstring and the body; ValueError if it is none, EOFError if the server has gone."""
        digits = b""
        while (byte := await self._reader.readexactly(1)) != b":":
            digits += byte
            if not digits.isdigit() or len(digits) > 6:
                raise ValueError("the request is no netstring")
        if not digits or int(digits) > MAX_VARIABLES_LEN:
            raise ValueError("the request's variables are none or too many")
        words = (await self._reader.readexactly(int(digits))).split(b"\0")
        if await self._reader.readexactly(1) != b"," or words.pop() != b"" or len(words) % 2:
            raise ValueError("the request's variables are no pairs")
        variables = {name.decode("latin-1"): value for name, value in zip(words[::2], words[1::2])}
        length = variables.get("CONTENT_LENGTH", b"")
        if not length.isdigit() or len(length) > 9:
            raise ValueError("the request has a wrong CONTENT_LENGTH")
        return Request(variables, await self._reader.readexactly(int(length)))

    async def ask(self, line: str, payload: bytes = b"", before: bytes = b"") -> Answer:
        """Sends a verb and waits for its answer; Failed if it is an error, Gone if the client or the server has left.

        `before` is a line without an answer. Not to be cancelled: the answer would be taken for that of the next verb.
        """
        self.put(before + line.encode("ascii") + b"\n" + payload)
        return await self.answer()

    def put(self, data: bytes) -> None:
        """Sends without waiting: what is outstanding is bounded by the one verb that is out."""
        self._writer.write(data)

    async def answer(self) -> Answer:
        """Reads one answer."""
        try:
            line = (await self._reader.readuntil(b"\n")).decode("utf-8", "replace").rstrip("\r\n")
            head, _, rest = line.partition(" ")
            if head == "err":
                kind, _, text = rest.partition(" ")
                raise Gone(text) if kind == "gone" else Failed(kind, f"{kind}: {text}")
            if head != "ok":
                raise Failed("internal", "the server's answer is not understood")
            return Answer(tuple(rest.split()))
        except (EOFError, ConnectionError, asyncio.LimitOverrunError) as error:
            raise Gone("the server has ended the request") from error

    async def payload(self, length: int) -> bytes:
        """Reads the payload that an answer has announced."""
        try:
            return await self._reader.readexactly(length)
        except (EOFError, ConnectionError) as error:
            raise Gone("the server has ended the request") from error

    def close(self) -> None:
        """Hangs up; without `end` before it the request has failed."""
        self._writer.close()
