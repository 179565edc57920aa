"""A page with a picture, in plain ASGI: eyelet --source v4l2:/dev/video0 --asgi asgi_app.py:app --coroutines 10

No picture enters this program: it says which area's newest frame the client gets, and the server sends it.
"""

PAGE = b"""<!doctype html><title>Camera</title><img id=i><script>
const s = new WebSocket(location.href.replace(/^http/, "ws"))
s.onmessage = m => { URL.revokeObjectURL(i.src); i.src = URL.createObjectURL(m.data) }
</script>"""


async def app(scope, receive, send):
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/html")]})
        await send({"type": "http.response.body", "body": PAGE})
    elif scope["type"] == "websocket":
        eyelet = scope["extensions"]["eyelet"]
        await send({"type": "websocket.accept"})
        while True:  # ends with an error that nobody has to handle, when the client leaves
            await eyelet.wait(1)  # area 1 is the camera's JPEG stream; this is where a slow client makes us wait
            await eyelet.send_area(1)
