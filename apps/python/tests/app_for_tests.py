"""The app that the tests of the host run: a bit of everything, in plain ASGI."""

import asyncio
import os

started = []


async def app(scope, receive, send):
    """Each path is another test's."""
    if scope["type"] == "lifespan":
        return await lifespan(scope, receive, send)
    await PATHS[scope["path"]](scope, receive, send)


async def lifespan(scope, receive, send):
    """Starts, ends."""
    assert (await receive())["type"] == "lifespan.startup"
    scope["state"]["started"] = "yes"
    await send({"type": "lifespan.startup.complete"})
    assert (await receive())["type"] == "lifespan.shutdown"
    print("shut down in order", flush=True)
    await send({"type": "lifespan.shutdown.complete"})


async def answer(send, body, status=200, headers=()):
    """A whole answer."""
    await send({"type": "http.response.start", "status": status, "headers": list(headers)})
    await send({"type": "http.response.body", "body": body})


async def echo(scope, receive, send):
    """Says what was asked."""
    body = (await receive())["body"]
    keys = ("type", "method", "path", "raw_path", "query_string", "scheme", "client", "server", "headers")
    about = repr({key: scope[key] for key in keys}).encode()
    await answer(send, about + b"|" + body + b"|" + scope["state"]["started"].encode(), 201, [(b"x-a", b"b")])


async def stream(scope, receive, send):
    """Parts, and an area as one of them."""
    eyelet = scope["extensions"]["eyelet"]
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"one ", "more_body": True})
    await eyelet.wait(0)
    await eyelet.send_area(0, 3, 9)
    await send({"type": "http.response.body", "body": b"two"})


async def area_first(scope, receive, send):
    """The head goes out before the area that follows it."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await scope["extensions"]["eyelet"].send_area("camera")
    await send({"type": "http.response.body"})


async def broken(scope, receive, send):
    """A mistake before an answer."""
    raise RuntimeError("a mistake")


async def broken_late(scope, receive, send):
    """A mistake in the middle."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"one", "more_body": True})
    raise RuntimeError("a mistake")


async def patient(scope, receive, send):
    """Waits for the client to leave."""
    await receive()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"x", "more_body": True})
    assert (await receive())["type"] == "http.disconnect"
    print("the client has left", flush=True)


async def data(scope, receive, send):
    """Application data."""
    eyelet = scope["extensions"]["eyelet"]
    await eyelet.write("data", 2, b"abc")
    value = await eyelet.inc("data", 8, bits=16, amount=5)
    value = await eyelet.dec("data", 8, bits=16, amount=7)
    part = await eyelet.read("data", 2, 3)
    lines = await eyelet.areas()
    try:
        await eyelet.write(0, 0, b"x")
    except Exception as error:
        refused = error.kind
    await answer(send, repr((value, part, lines[0].fourcc, lines[1].is_live, refused)).encode())


async def websocket_echo(scope, receive, send):
    """Each message back."""
    assert (await receive())["type"] == "websocket.connect"
    protocols = scope["subprotocols"]
    protocol = protocols[0] if protocols else None
    await send({"type": "websocket.accept", "subprotocol": protocol, "headers": [(b"a", b"b")]})
    while (event := await receive())["type"] == "websocket.receive":
        if event.get("text") == "bye":
            return await send({"type": "websocket.close", "code": 4001, "reason": "as you wish"})
        await send({**event, "type": "websocket.send"})
    print("left with", event["code"], flush=True)


async def listen(scope, receive, send):
    """Hears all, says nothing."""
    await receive()
    await send({"type": "websocket.accept"})
    words = []
    while (event := await receive())["type"] == "websocket.receive":
        words.append(event["text"])
    print(f"heard {' '.join(words)}, then {event['code']}", flush=True)


async def refuse(scope, receive, send):
    """Closes before it accepts."""
    await receive()
    await send({"type": "websocket.close"})


async def player(scope, receive, send):
    """Frames in one task, messages in another, a clock in a third: what a page with a picture does."""
    eyelet = scope["extensions"]["eyelet"]
    await receive()
    await send({"type": "websocket.accept"})

    async def frames():
        while True:
            await eyelet.wait(0)
            await eyelet.send_area(0)

    async def clock():
        while True:
            await asyncio.sleep(0.03)
            await send({"type": "websocket.send", "text": "tick"})

    tasks = [asyncio.ensure_future(frames())]
    if scope["query_string"] == b"clock":
        tasks.append(asyncio.ensure_future(clock()))
    while (event := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": "heard " + event["text"]})
    for task in tasks:
        task.cancel()
    print("player left with", event["code"], flush=True)


async def follower(scope, receive, send):
    """All frames, and a cancelled wait before."""
    from eyelet import Timeout

    eyelet = scope["extensions"]["eyelet"]
    await receive()
    await send({"type": "websocket.accept"})
    try:
        await eyelet.wait(0, timeout=0.05)
    except Timeout:
        await send({"type": "websocket.send", "text": "timeout"})
    try:
        await asyncio.wait_for(eyelet.follow(0), 0.3)
    except asyncio.TimeoutError:
        await send({"type": "websocket.send", "text": "enough"})
    try:
        await eyelet.wait("nowhere")
    except Exception as error:
        await send({"type": "websocket.send", "text": error.kind})
    await eyelet.follow(0)


async def place(scope, receive, send):
    """Holds its place until it is told."""
    await receive()
    await send({"type": "websocket.accept"})
    await send({"type": "websocket.send", "text": str(os.getpid())})
    await receive()
    await receive()


PATHS = {
    "/": echo, "/stream": stream, "/area": area_first, "/broken": broken, "/late": broken_late, "/patient": patient,
    "/data": data, "/ws": websocket_echo, "/refuse": refuse,
    "/listen": listen, "/player": player, "/follow": follower, "/place": place,
}  # fmt: skip
