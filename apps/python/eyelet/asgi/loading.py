"""From `module:app` or `file.py:app` to the app, and which files it is made of."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from typing import Any, Dict


def folder_of(name: str) -> str:
    """The folder that the app lies in: that of its file, or the current one."""
    place = name.rpartition(":")[0] or name
    return os.path.dirname(os.path.abspath(place)) if place.endswith(".py") else os.getcwd()


def load(name: str) -> Any:
    """Loads the app; without a name behind the colon it is `app`. Whatever the module raises goes through."""
    place, _, attribute = name.rpartition(":")
    if not place:
        place, attribute = attribute, "app"
    folder = folder_of(name)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    app: Any = _load_file(place) if place.endswith(".py") else importlib.import_module(place)
    for word in attribute.split("."):
        app = getattr(app, word, None)
    if not callable(app):
        raise TypeError(f"`{attribute}` of {place} is no app: it cannot be called")
    return app


def _load_file(place: str) -> Any:
    path = os.path.abspath(place)
    module_name = os.path.splitext(os.path.basename(path))[0]
    spec = importlib.util.spec_from_file_location(module_name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is no Python module")
    module = importlib.util.module_from_spec(spec)
    # By its name, so that it can be imported by what it imports.
    sys.modules[module_name] = module
    spec.loader.exec_module(module)
    return module


def stamps(name: str) -> Dict[str, int]:
    """The files of all loaded modules below the app's folder, with the time of their last change; 0 if one is away."""
    folder = folder_of(name) + os.sep
    own = os.path.abspath(name.rpartition(":")[0] or name)
    files = {own} if own.endswith(".py") else set()
    for module in list(sys.modules.values()):
        file = getattr(module, "__file__", None)
        if file and os.path.abspath(file).startswith(folder):
            files.add(os.path.abspath(file))
    return {file: _changed_at(file) for file in files}


def _changed_at(file: str) -> int:
    try:
        return os.stat(file).st_mtime_ns
    except OSError:
        return 0
