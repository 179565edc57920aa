"""Where the areas of the running Eyelet are."""

from __future__ import annotations

import os
import re
import socket
import tempfile
from typing import Dict, List, NamedTuple, Optional, Union

from .errors import AreaError

_VARIABLE = re.compile(r"EYELET_AREA_([0-9]+)\Z")
_FILE = re.compile(r"([0-9]+)-(.+)\Z")


class Place(NamedTuple):
    """An area's socket; `name` is empty where its file is not named `ID-NAME`."""

    id: int
    name: str
    path: str


def areas() -> List[Place]:
    """Lists the areas that this program can reach, by id.

    From the environment, `EYELET_AREA_N=PATH`, as programs get it that Eyelet starts; else from the runtime folder of
    the one Eyelet of this user that runs. AreaError of kind `no-area` or `ambiguous` if there is none, or more than
    one.
    """
    given = _from_environment()
    return given if given else _from_runtime_folder()


def find(area: Union[int, str]) -> str:
    """Gives the path of an area's socket, by id or name. AreaError of kind `no-area` or `ambiguous`."""
    known = areas()
    for place in known:
        if area == (place.id if isinstance(area, int) else place.name):
            return place.path
    if isinstance(area, str) and area.isdigit():
        return find(int(area))
    names = ", ".join(f"{place.id} {place.name}".strip() for place in known)
    raise AreaError("no-area", f"there is no area {area!r}; there are: {names}")


def _from_environment() -> List[Place]:
    found = []
    for variable, path in os.environ.items():
        match = _VARIABLE.match(variable)
        if match and path:
            file = _FILE.match(os.path.basename(path))
            found.append(Place(int(match[1]), file[2] if file else "", path))
    return sorted(found)


def _bases() -> List[str]:
    """The folders that may hold runtime folders; Eyelet looks for them in the same order."""
    folders = []
    if os.environ.get("RUNTIME_DIRECTORY"):
        folders.append(os.environ["RUNTIME_DIRECTORY"])
    if os.environ.get("XDG_RUNTIME_DIR"):
        folders.append(os.path.join(os.environ["XDG_RUNTIME_DIR"], "eyelet"))
    # Last, since the server may run without the variables that this program has.
    folders.append(os.path.join(tempfile.gettempdir(), f"eyelet-{os.getuid()}"))
    return folders


def _from_runtime_folder() -> List[Place]:
    bases = _bases()
    for base in bases:
        running: Dict[str, List[Place]] = {}
        for folder in [base, *_folders(base)]:
            sockets = _sockets(folder)
            if sockets and _listens(sockets[0].path):
                running[folder] = sockets
        if len(running) > 1:
            text = "several Eyelets run: give the path of an area in one of " + ", ".join(sorted(running))
            raise AreaError("ambiguous", text)
        if running:
            return next(iter(running.values()))
    looked = ", ".join(bases)
    raise AreaError("no-area", f"no Eyelet runs here: $EYELET_AREA_0 is not set, and nothing is in {looked}")


def _folders(base: str) -> List[str]:
    try:
        return [entry.path for entry in os.scandir(base) if entry.is_dir()]
    except OSError:
        return []


def _sockets(folder: str) -> List[Place]:
    found = []
    try:
        for entry in os.scandir(folder):
            file = _FILE.match(entry.name)
            if file:
                found.append(Place(int(file[1]), file[2], entry.path))
    except OSError:
        pass
    return sorted(found)


def _listens(path: str) -> bool:
    """Tells a living Eyelet from what a killed one left: the kernel refuses where nobody holds the listening socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as probe:
        probe.setblocking(False)
        try:
            probe.connect(path)
        except BlockingIOError:
            return True  # so many wait there that there is no place: it is alive
        except OSError:
            return False
    return True


def inherited_listener(name: Optional[str] = None) -> socket.socket:
    """Takes descriptor 3, as systemd and Eyelet give it: LISTEN_FDS=1, and LISTEN_PID, if set, this process.

    The variables are removed, and programs started from here do not inherit the descriptor. AreaError of kind
    `no-area`.
    """
    count, pid = os.environ.pop("LISTEN_FDS", ""), os.environ.pop("LISTEN_PID", "")
    names = os.environ.pop("LISTEN_FDNAMES", "")
    if count != "1" or pid not in ("", str(os.getpid())):
        raise AreaError("no-area", "no listening socket was inherited: LISTEN_FDS is not 1, or not for this process")
    if name is not None and names != name:
        raise AreaError("no-area", f"the inherited socket is of {names!r}, not of {name!r}")
    try:
        os.set_inheritable(3, False)
        listener = socket.socket(fileno=3)
        if not listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            raise OSError("it does not listen")
    except OSError as error:
        raise AreaError("no-area", f"descriptor 3: {error}") from None
    listener.setblocking(False)
    return listener
