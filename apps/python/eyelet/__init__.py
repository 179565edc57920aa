"""Areas of the Eyelet camera server, from Python: frames in without a copy, frames out, application data.

`Area` subscribes (`eyelet.aio.Area` for asyncio), `Owner` publishes, `areas` lists what there is. `python3 -m
eyelet.asgi` runs an ASGI app. Linux only; the standard library is enough, and with numpy a frame is an array.
"""

from .area import Area
from .errors import AreaError, OutOfRange, Refused, Timeout
from .frame import Frame, Matrix, Range
from .messages import State
from .owner import Owner
from .places import Place, areas

__all__ = [
    "Area",
    "AreaError",
    "Frame",
    "Matrix",
    "OutOfRange",
    "Owner",
    "Place",
    "Range",
    "Refused",
    "State",
    "Timeout",
    "areas",
]
