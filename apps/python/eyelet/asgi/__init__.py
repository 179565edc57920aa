"""Runs an ASGI app for Eyelet: `python3 -m eyelet.asgi --processes P --coroutines C module:app`.

What an app sees beyond ASGI is `scope["extensions"]["eyelet"]`, an `Areas`; see there.
"""

from .areas import AreaLine, Areas
from .link import Failed, Gone

__all__ = ["AreaLine", "Areas", "Failed", "Gone"]
