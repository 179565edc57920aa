"""The head of an HTTP answer, from what an app says."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Any, Iterable, Tuple

from .link import MAX_HEAD_LEN

_NAME = re.compile(rb"[A-Za-z0-9!#$%&'*+.^_`|~-]+\Z")
_NO_VALUE = re.compile(rb"[^\t\x20-\x7e\x80-\xff]")


def encode(status: Any, headers: Iterable[Tuple[bytes, bytes]]) -> bytes:
    """Writes status line, headers and the empty line; ValueError for what would be another line than it says."""
    status = int(status)
    if not 200 <= status <= 599:
        raise ValueError(f"the app's status is {status}; an answer has 200 to 599")
    reason = HTTPStatus(status).phrase if status in HTTPStatus.__members__.values() else "-"
    lines = [f"HTTP/1.1 {status} {reason}".encode("latin-1")]
    for name, value in headers:
        name, value = bytes(name), bytes(value).strip(b" \t")
        if not _NAME.match(name):
            raise ValueError(f"a header of the app has a wrong name: {name!r}")
        if _NO_VALUE.search(value):
            raise ValueError(f"the app's header {name.decode()} has a control character")
        # The server parts the bodies of its answers itself.
        if name.lower() != b"transfer-encoding":
            lines.append(name + b": " + value)
    head = b"\r\n".join([*lines, b"", b""])
    if len(head) > MAX_HEAD_LEN:
        raise ValueError(f"a head of {len(head)} bytes; there is room for {MAX_HEAD_LEN}")
    return head
