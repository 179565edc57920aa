"""What goes wrong with an area. Each error has a kind, a word that programs can compare."""

from __future__ import annotations


class AreaError(Exception):
    """An area cannot do what it was asked for.

    `kind` is one of: `no-area` (there is none of that name or id), `ambiguous` (several Eyelets run), `gone` (the owner
    went away before it answered), `out-of-range`, `refused` (this owner takes no such request), `too-large`, `protocol`
    (the owner sent what docs/ref/area.md does not allow), `closed` (by this program), `timeout`.
    """

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(text)
        self.kind = kind


class Timeout(AreaError, TimeoutError):
    """Nothing came in time; the text has the area's reason, if it gave one. Also a `TimeoutError`."""

    def __init__(self, text: str) -> None:
        super().__init__("timeout", text)


class OutOfRange(AreaError):
    """Not every byte that was asked for lies inside; nothing was changed. `len` is the area's length in bytes.

    What an owner's `on_read` and `on_write` raise, too.
    """

    def __init__(self, len: int) -> None:
        super().__init__("out-of-range", f"that part lies outside the {len} bytes")
        self.len = len


class Refused(AreaError):
    """This owner takes no such request; `why` is its reason, if it gave one.

    What an owner's `on_read` and `on_write` raise, too; their reason gets to who asked.
    """

    def __init__(self, why: str = "") -> None:
        super().__init__("refused", why or "the area's owner does not take that")
        self.why = why
