"""A real Starlette app runs as it is."""

import asyncio
import unittest

from fake_server import Host, Server

try:
    import starlette
except ImportError:
    starlette = None
try:
    import fastapi
except ImportError:
    fastapi = None

STARLETTE = """
import contextlib
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import JSONResponse, PlainTextResponse, StreamingResponse
from starlette.routing import Route, WebSocketRoute

@contextlib.asynccontextmanager
async def lifespan(app):
    print("startup", flush=True)
    yield {"word": "from lifespan"}
    print("shutdown", flush=True)

async def echo(request):
    task = BackgroundTask(lambda: print("background", flush=True))
    about = {"form": await request.json(), "word": request.state.word, "url": str(request.url)}
    return JSONResponse(about, background=task)

async def endless(request):
    import asyncio
    async def parts():
        try:
            while True:
                yield b"part"
                await asyncio.sleep(0.01)
        finally:
            print("the stream was closed", flush=True)
    return StreamingResponse(parts())

async def mistake(request):
    raise ValueError("a mistake")

async def talk(websocket):
    await websocket.accept()
    async for text in websocket.iter_text():
        await websocket.send_text("heard " + text)
    print("iteration ended", flush=True)

routes = [
    Route("/echo", echo, methods=["POST"]),
    Route("/endless", endless),
    Route("/mistake", mistake),
    WebSocketRoute("/talk", talk),
]
app = Starlette(routes=routes, lifespan=lifespan, middleware=[Middleware(GZipMiddleware)])
"""

FASTAPI = """
from fastapi import FastAPI, WebSocket
app = FastAPI()

@app.get("/items/{number}")
async def item(number: int, q: str = ""):
    return {"number": number, "q": q}

@app.websocket("/eyetoy")
async def eyetoy(websocket: WebSocket):
    await websocket.accept()
    eyelet = websocket.scope["extensions"]["eyelet"]
    while True:
        await eyelet.wait(0)
        await eyelet.send_area(0)
"""


class Real(unittest.IsolatedAsyncioTestCase):
    def server(self, text):
        host = Host("app.py:app", "--coroutines", "9", files={"app.py": text})
        self.addCleanup(host.stop)
        return Server(host)

    @unittest.skipIf(starlette is None, "starlette is not installed: pip install starlette")
    async def test_starlette(self):
        server = self.server(STARLETTE)
        client = await server.request("/echo", "POST", b'{"a": 1}', query="b=c", CONTENT_TYPE="application/json")
        status, _, body = await client.answer()
        self.assertEqual(status, 200)
        self.assertEqual(
            body, b'{"form":{"a":1},"word":"from lifespan","url":"http://localhost:9090/echo?b=c"}'
        )
        await server.host.says("background")
        status, _, body = await (await server.request("/nothing")).answer()
        self.assertEqual(status, 404)
        status, _, body = await (await server.request("/mistake")).answer()
        self.assertEqual((status, body), (500, b"Internal Server Error"))
        endless = await server.request("/endless")
        self.assertEqual([(await endless.next())[0] for _ in range(4)], ["head", "body", "body", "body"])
        endless.leave()
        await server.host.says("the stream was closed")
        talk = await server.request("/talk", websocket=True)
        self.assertEqual(await talk.next(), ("handshake", ""))
        for text in ("one", "two"):
            talk.say(text)
            self.assertEqual(await talk.next(), ("message", "heard " + text))
        talk.leave()
        await server.host.says("iteration ended")
        server.host.process.terminate()
        self.assertEqual(await asyncio.to_thread(server.host.process.wait, 20), 0)
        self.assertIn("shutdown", server.host.said())

    @unittest.skipIf(fastapi is None, "fastapi is not installed: pip install fastapi")
    async def test_fastapi(self):
        server = self.server(FASTAPI)
        status, _, body = await (await server.request("/items/5", query="q=x")).answer()
        self.assertEqual((status, body), (200, b'{"number":5,"q":"x"}'))
        client = await server.request("/eyetoy", websocket=True)
        await client.next()
        for _ in range(3):
            server.publish()
            self.assertEqual(await client.next(), ("area", "0", 0, 0, 2))
        client.leave()
        self.assertEqual(await client.next(), ("failed",))
        self.assertNotIn("failed:", server.host.said())


if __name__ == "__main__":
    unittest.main()
