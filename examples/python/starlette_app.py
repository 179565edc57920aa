"""A page with a picture and a counter, with Starlette (pip install starlette):

    eyelet --source v4l2:/dev/video0 --area counters=64 --asgi starlette_app.py:app --coroutines 10

FastAPI is the same: `websocket.scope["extensions"]["eyelet"]`. The counter lies in an area of application data, so that
all processes of the app, and every mule, see the same number.
"""

import asyncio

from starlette.applications import Starlette
from starlette.responses import HTMLResponse, JSONResponse
from starlette.routing import Route, WebSocketRoute

PAGE = """<!doctype html><title>Camera</title>
<p><button onclick="s.send('pause')">Pause</button> <button onclick="s.send('go')">Go</button> <span id=t></span></p>
<img id=i><script>
const s = new WebSocket(location.href.replace(/^http/, "ws") + "picture")
s.onmessage = m => {
  if (typeof m.data == "string") { t.textContent = m.data; return }
  URL.revokeObjectURL(i.src); i.src = URL.createObjectURL(m.data)
}
</script>"""


async def page(request):
    visit = await request.scope["extensions"]["eyelet"].inc("counters", 0)
    return HTMLResponse(PAGE + f"<p>Visit {visit}")


async def areas(request):
    lines = await request.scope["extensions"]["eyelet"].areas()
    return JSONResponse([line._asdict() for line in lines])


async def picture(websocket):
    """Sends pictures in one task and listens in another; both may wait at the same time."""
    eyelet = websocket.scope["extensions"]["eyelet"]
    await websocket.accept()
    goes_on = asyncio.Event()
    goes_on.set()

    async def send_pictures():
        while True:
            await goes_on.wait()
            await eyelet.wait(1)
            await eyelet.send_area(1)

    sending = asyncio.ensure_future(send_pictures())
    try:
        async for word in websocket.iter_text():  # ends when the client leaves
            goes_on.set() if word == "go" else goes_on.clear()
            await websocket.send_text(f"you said {word}")
    finally:
        sending.cancel()


app = Starlette(routes=[Route("/", page), Route("/areas", areas), WebSocketRoute("/picture", picture)])
