"""An app in Python: pages, an endless answer and WebSockets, by Starlette as it is.

    pip install starlette
    eyelet --asgi examples/python/starlette_app.py:app --coroutines 100

No pixel passes through Python: the app says which area's newest frame the client gets, and Eyelet sends it.
"""

import asyncio

from starlette.applications import Starlette
from starlette.responses import HTMLResponse, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

PAGE = """<!doctype html>
<title>Eyelet</title>
<img id=picture alt=camera>
<p id=said></p>
<script>
    const socket = new WebSocket(`ws://${location.host}/pictures`);
    const picture = document.getElementById('picture');
    socket.onmessage = ({ data }) => {
        if (typeof data === 'string') document.getElementById('said').textContent = data;
        else { URL.revokeObjectURL(picture.src); picture.src = URL.createObjectURL(data); }
    };
    picture.onclick = () => socket.send('hello');
</script>
"""


async def page(request):
    return HTMLResponse(PAGE)


async def countdown(request):
    async def lines():
        for number in range(3, -1, -1):
            yield f"{number}\n"
            await asyncio.sleep(0.01)

    return StreamingResponse(lines(), media_type="text/plain")


async def pictures(websocket: WebSocket):
    """Sends the camera's JPEG pictures, and answers what the viewer says meanwhile."""
    await websocket.accept()
    areas = websocket.scope["extensions"]["eyelet"]

    async def send():
        while True:
            await areas.wait("camera-jpeg")
            await areas.send_area("camera-jpeg")

    sending = asyncio.create_task(send())
    try:
        while True:
            await websocket.send_text("you said " + await websocket.receive_text())
    except WebSocketDisconnect:
        pass
    finally:
        sending.cancel()


app = Starlette(routes=[Route("/", page), Route("/countdown", countdown), WebSocketRoute("/pictures", pictures)])
