"""The command line of the host."""

from __future__ import annotations

import argparse
import os
from typing import List, Optional

from ..errors import AreaError
from ..places import inherited_listener
from .parent import Parent, complain


def main(arguments: Optional[List[str]] = None) -> int:
    """Runs the host; gives the exit code: 0 after SIGTERM, 1 if the app cannot be loaded, 2 for a wrong use."""
    parser = argparse.ArgumentParser(
        prog="python3 -m eyelet.asgi",
        description="Runs an ASGI app for Eyelet, which connects to the socket at descriptor 3 (LISTEN_FDS=1).",
    )
    parser.add_argument("app", help="module:app or file.py:app; without `:app` its name is app")
    parser.add_argument("--processes", type=_count, default=1, metavar="P", help="processes (1)")
    parser.add_argument("--coroutines", type=_count, default=1, metavar="C", help="requests at a time in each (1)")
    parser.add_argument("--reload-on-change", action="store_true", help="load the app again when a file of it changes")
    options = parser.parse_args(arguments)
    if options.app.rpartition(":")[0].endswith(".py") or options.app.endswith(".py"):
        place = options.app if options.app.endswith(".py") else options.app.rpartition(":")[0]
        if not os.path.isfile(place):
            complain(f"failed to read the app `{place}`")
            return 2
    try:
        listener = inherited_listener()
    except AreaError as error:
        complain(f"no socket to serve: {error}")
        return 2
    reload = options.reload_on_change
    return Parent(options.app, options.processes, options.coroutines, listener, reload).run()


def _count(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= 9999:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 to 9999")
    return int(text)
