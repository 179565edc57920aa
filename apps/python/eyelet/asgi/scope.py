"""From CGI variables to ASGI's scope."""

from __future__ import annotations

from typing import Any, Dict, List, Tuple
from urllib.parse import unquote_to_bytes

from .link import Request

Scope = Dict[str, Any]
VERSION = "3.0"


def is_websocket(variables: Dict[str, bytes]) -> bool:
    """The client asks for a WebSocket; that it does so rightly was checked by the server."""
    tokens = variables.get("HTTP_UPGRADE", b"").lower().split(b",")
    return b"websocket" in [token.strip() for token in tokens]


def make(request: Request, state: Dict[str, Any], extension: object) -> Scope:
    """Makes the scope of a request. Source: "HTTP & WebSocket ASGI Message Format", version 2.3."""
    variables = request.variables
    is_socket = is_websocket(variables)
    is_secure = variables.get("HTTPS", b"").lower() in (b"on", b"1")
    raw_path = variables.get("REQUEST_URI", b"/").partition(b"?")[0]
    path = variables.get("PATH_INFO") or unquote_to_bytes(raw_path)
    scope: Scope = {
        "type": "websocket" if is_socket else "http",
        "asgi": {"version": VERSION, "spec_version": "2.3"},
        "http_version": _text(variables, "SERVER_PROTOCOL", "HTTP/1.1").rpartition("/")[2],
        "scheme": ("wss" if is_secure else "ws") if is_socket else ("https" if is_secure else "http"),
        "path": path.decode("utf-8", "replace"),
        "raw_path": raw_path,
        "query_string": variables.get("QUERY_STRING", b""),
        "root_path": _text(variables, "SCRIPT_NAME", ""),
        "headers": _headers(request),
        "client": _address(variables, "REMOTE_ADDR", "REMOTE_PORT"),
        "server": _address(variables, "SERVER_NAME", "SERVER_PORT"),
        "state": dict(state),
        "extensions": {"eyelet": extension},
    }
    if is_socket:
        offered = _text(variables, "HTTP_SEC_WEBSOCKET_PROTOCOL", "").split(",")
        scope["subprotocols"] = [name.strip() for name in offered if name.strip()]
        scope["extensions"]["websocket.http.response"] = {}
    else:
        scope["method"] = _text(variables, "REQUEST_METHOD", "GET").upper()
    return scope


def _text(variables: Dict[str, bytes], name: str, default: str) -> str:
    value = variables.get(name)
    return default if value is None else value.decode("latin-1")


def _address(variables: Dict[str, bytes], host: str, port: str) -> Any:
    number = _text(variables, port, "")
    return [_text(variables, host, ""), int(number) if number.isdigit() else 0] if variables.get(host) else None


def _headers(request: Request) -> List[Tuple[bytes, bytes]]:
    """The client's headers; those that stood twice were joined by the server."""
    headers = []
    for name, value in request.variables.items():
        if name.startswith("HTTP_") and name not in ("HTTP_CONTENT_LENGTH", "HTTP_CONTENT_TYPE"):
            headers.append((name[5:].lower().replace("_", "-").encode("latin-1"), value))
    if request.variables.get("CONTENT_TYPE"):
        headers.append((b"content-type", request.variables["CONTENT_TYPE"]))
    if request.body:
        headers.append((b"content-length", str(len(request.body)).encode()))
    return headers
