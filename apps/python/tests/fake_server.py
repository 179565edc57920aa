"""Eyelet's side of the app protocol, written from docs/ref/app.md, and the host that it speaks to."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import tempfile

PACKAGE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
ENOUGH_S = 20


class Host:
    """`python3 -m eyelet.asgi`, with a listening socket at descriptor 3."""

    def __init__(self, app, *options, files=None):
        self.folder = tempfile.TemporaryDirectory()
        for name, text in (files or {}).items():
            self.write(name, text)
        self.path = os.path.join(self.folder.name, "app")
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.bind(self.path)
        self.listener.listen(128)
        self.errors = open(os.path.join(self.folder.name, "errors"), "w+")
        # `dup2` leaves descriptor 3 open for the child; python's own is put elsewhere first.
        starter = (
            "import os, sys; os.dup2(int(sys.argv[1]), 3);"
            "os.environ.update(LISTEN_FDS='1', LISTEN_PID=str(os.getpid()));"
            "os.execv(sys.executable, [sys.executable, '-m', 'eyelet.asgi', *sys.argv[2:]])"
        )
        environment = {**os.environ, "PYTHONPATH": os.path.abspath(PACKAGE), "PYTHONDONTWRITEBYTECODE": "1"}
        self.process = subprocess.Popen(
            [sys.executable, "-c", starter, str(self.listener.fileno()), *options, app],
            pass_fds=[self.listener.fileno()],
            cwd=self.folder.name,
            env=environment,
            stdout=self.errors,
            stderr=self.errors,
        )

    def write(self, name, text):
        """Writes a file beside the app, in one step."""
        path = os.path.join(self.folder.name, name)
        with open(path + "~", "w") as file:
            file.write(text)
        os.replace(path + "~", path)

    def said(self):
        """What it wrote to standard error so far."""
        with open(self.errors.name) as file:
            return file.read()

    async def says(self, text):
        """Waits until it has said so."""
        for _ in range(ENOUGH_S * 50):
            if text in self.said():
                return
            await asyncio.sleep(0.02)
        raise AssertionError(f"{text!r} is not in: {self.said()}")

    def reload(self):
        """As `kill -HUP`."""
        self.process.send_signal(signal.SIGHUP)

    def stop(self):
        """Ends it and gives its exit code."""
        if self.process.poll() is None:
            self.process.terminate()
        code = self.process.wait(ENOUGH_S)
        self.listener.close()
        self.errors.close()
        self.folder.cleanup()
        return code


class Server:
    """What all requests share: the areas, and what verbs it knows."""

    def __init__(self, host, knows_stop=True, knows_wait_any=True):
        self.host = host
        self.unknown = set([] if knows_stop else ["stop"]) | set([] if knows_wait_any else ["wait-any"])
        self.sequences = {"0": 0, "camera": 0, "2": 0}
        self.data = bytearray(64)
        self.clients = []

    def publish(self, area="0"):
        """A new frame."""
        self.sequences[area] += 1
        for client in self.clients:
            client.wake()

    async def request(self, path="/", method="GET", body=b"", websocket=False, query="", **variables):
        """Sends a request, and obeys from then on."""
        reader, writer = await asyncio.open_unix_connection(self.host.path)
        pairs = {
            "CONTENT_LENGTH": str(len(body)), "SCGI": "1", "REQUEST_METHOD": method, "PATH_INFO": path,
            "REQUEST_URI": path + ("?" + query if query else ""), "QUERY_STRING": query, "SCRIPT_NAME": "",
            "SERVER_PROTOCOL": "HTTP/1.1", "SERVER_NAME": "localhost", "SERVER_PORT": "9090",
            "REMOTE_ADDR": "127.0.0.1", "REMOTE_PORT": "5", "HTTP_HOST": "localhost:9090", **variables,
        }  # fmt: skip
        if websocket:
            pairs.update(HTTP_UPGRADE="websocket", HTTP_CONNECTION="Upgrade", HTTP_SEC_WEBSOCKET_KEY="x")
        head = b"".join(f"{name}\0{value}\0".encode() for name, value in pairs.items())
        writer.write(f"{len(head)}:".encode() + head + b"," + body)
        client = Client(self, reader, writer)
        self.clients.append(client)
        return client


class Client:
    """One request: obeys its verbs, and keeps what its client got in `got`."""

    def __init__(self, server, reader, writer):
        self.server, self.reader, self.writer = server, reader, writer
        self.got = asyncio.Queue()
        self.verbs = []
        self.messages = []
        self.last = {}
        self.is_open = self.has_head = False
        self.gone = None
        self.changed = asyncio.Event()
        self.line = None
        self.task = asyncio.ensure_future(self.obey())

    # ---- What the client does.

    def say(self, payload):
        """A message: text or bytes."""
        text = isinstance(payload, str)
        self.messages.append((1 if text else 2, payload.encode() if text else payload))
        self.wake()

    def leave(self, text="1001 the client has left"):
        """It closes."""
        self.gone = text
        self.wake()

    def wake(self):
        """Something that is waited for may be there."""
        self.changed.set()

    async def next(self):
        """The next thing that it got."""
        return await asyncio.wait_for(self.got.get(), ENOUGH_S)

    async def answer(self):
        """A whole HTTP answer: status, head and body."""
        head, body = await self.next(), b""
        assert head[0] == "head", head
        while (part := await self.next())[0] == "body":
            body += part[1]
        assert part == ("end",), part
        return int(head[1].split()[1]), head[1], body

    # ---- What the server does.

    def put(self, text, payload=b""):
        """Sends an answer."""
        self.writer.write(text.encode() + b"\n" + payload)

    async def obey(self):
        """Until the end."""
        try:
            while True:
                line = await self.next_line()
                if not line:
                    self.got.put_nowait(("failed",))
                    return
                if line == "end":
                    self.got.put_nowait(("end",))
                    return
                self.verbs.append(line)
                await self.perform(*line.split())
        except (ConnectionError, asyncio.IncompleteReadError):
            self.got.put_nowait(("failed",))
        finally:
            self.server.clients.remove(self)
            self.writer.close()

    async def next_line(self):
        """A line, which may have come while something else was waited for."""
        self.line = self.line or asyncio.ensure_future(self.reader.readline())
        line, self.line = await self.line, None
        return line.decode().rstrip("\n")

    async def until(self, ready, timeout=0.0):
        """Waits until `ready` gives something, which it gives, or an error's line."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + float(timeout) if float(timeout) else None
        while True:
            self.changed.clear()
            value = ready()
            if value is not None:
                return value
            if self.gone is not None:
                return f"err gone {self.gone}"
            if "stop" not in self.server.unknown:
                self.line = self.line or asyncio.ensure_future(self.reader.readline())
                if self.line.done() and self.line.result() == b"stop\n":
                    self.line = None
                    self.verbs.append("stop")
                    return "err stopped it was told to"
            if deadline is not None and loop.time() >= deadline:
                return "err timeout nothing came in time"
            jobs = [asyncio.ensure_future(self.changed.wait())]
            if self.line is not None and not self.line.done():
                jobs.append(self.line)
            patience = None if deadline is None else deadline - loop.time()
            try:
                await asyncio.wait(jobs, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
            finally:
                jobs[0].cancel()

    def message(self):
        """The answer that has a message, if there is one."""
        if self.messages:
            op, payload = self.messages.pop(0)
            return f"ok {op} {len(payload)}", payload
        return None

    def newer(self, area):
        """The sequence of a frame that it did not have yet."""
        sequence = self.server.sequences[area]
        if sequence > self.last.get(area, 0):
            self.last[area] = sequence
            return f"ok {sequence}"
        return None

    async def perform(self, verb, *words):
        """Obeys one verb."""
        method = getattr(self, "do_" + verb.replace("-", "_"), None)
        if method is None or verb in self.server.unknown:
            return self.put("err unknown-verb this server does not know that verb")
        payload = b""
        if verb in ("send", "close", "head", "body", "write"):
            payload = await self.reader.readexactly(int(words[-1]))
        area = words[0] if words else ""
        known = verb not in ("wait", "send-area", "follow", "read") or area in self.server.sequences or area == "data"
        if not known:
            return self.put(f"err no-area there is no area {area}")
        needs_client = verb not in ("stop", "recv", "recv-nb", "areas", "read", "write", "inc")
        if self.gone is not None and needs_client:
            return self.put(f"err gone {self.gone}")
        answer = await method(*words, *([payload] if verb in ("send", "close", "head", "body", "write") else []))
        if answer is not None:
            self.put(*((answer,) if isinstance(answer, str) else answer))

    async def do_stop(self):
        return None

    async def do_handshake(self, protocol=""):
        self.is_open = True
        self.got.put_nowait(("handshake", protocol))
        return "ok"

    async def do_wait(self, area, _ms, timeout):
        return await self.until(lambda: self.newer(area), timeout)

    async def do_wait_any(self, timeout, *whats):
        def ready():
            for what in whats:
                if what == "recv" and self.messages:
                    return "ok recv"
                if what != "recv" and (newer := self.newer(what)):
                    return f"ok {what} {newer.split()[1]}"
            return None

        return await self.until(ready, timeout)

    async def do_follow(self, area, op):
        while True:
            answer = await self.until(lambda: self.newer(area))
            if answer.startswith("err"):
                return answer
            self.got.put_nowait(("area", area, 0, 0, int(op)))

    async def do_send_area(self, area, pos, length, op):
        if not self.is_open and not self.has_head:
            return "err bad-state neither handshake nor head"
        if int(pos) > 1000:
            return "err out-of-range that part lies beyond"
        self.last[area] = self.server.sequences[area]
        self.got.put_nowait(("area", area, int(pos), int(length), int(op)))
        return f"ok {self.last[area]}"

    async def do_send(self, op, _length, payload):
        self.got.put_nowait(("message", payload.decode() if op == "1" else payload))
        return "ok"

    async def do_recv(self, timeout="0"):
        return await self.until(self.message, timeout)

    async def do_recv_nb(self):
        return self.message() or (f"err gone {self.gone}" if self.gone is not None else "ok")

    async def do_close(self, code, _length, reason):
        self.got.put_nowait(("close", int(code), reason.decode()))
        return "ok"

    async def do_head(self, _length, payload):
        self.has_head = True
        self.got.put_nowait(("head", payload))
        return "ok"

    async def do_body(self, _length, payload):
        self.got.put_nowait(("body", payload))
        return "ok"

    async def do_read(self, _area, pos, length):
        data = bytes(self.server.data[int(pos) :])[: int(length) or None]
        return f"ok {len(data)}", data

    async def do_write(self, area, pos, _length, payload):
        if area != "data":
            return "err refused cameras cannot be written"
        self.server.data[int(pos) : int(pos) + len(payload)] = payload
        return "ok 7"

    async def do_inc(self, _area, pos, bits, amount):
        size = int(bits) // 8
        value = int.from_bytes(self.server.data[int(pos) : int(pos) + size], "little") + int(amount)
        self.server.data[int(pos) : int(pos) + size] = (value % (1 << int(bits))).to_bytes(size, "little")
        return f"ok {value}"

    async def do_areas(self):
        text = b"0 camera camera live 153600 YUYV 320 240 640 5\n3 data app no-signal - - - - - -\n"
        return f"ok {len(text)}", text
