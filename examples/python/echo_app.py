"""Sends every message back as it came, in plain ASGI: eyelet --asgi echo_app.py:app --coroutines 10

A client to try a connection with, and what WebSocket test suites want of a server (cargo xtask conformance).
"""


async def app(scope, receive, send):
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 426, "headers": [(b"upgrade", b"websocket")]})
        await send({"type": "http.response.body", "body": b"this address speaks WebSocket\n"})
    elif scope["type"] == "websocket":
        await receive()  # websocket.connect
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] == "websocket.receive":
            kind = "bytes" if message.get("bytes") is not None else "text"
            await send({"type": "websocket.send", kind: message[kind]})
