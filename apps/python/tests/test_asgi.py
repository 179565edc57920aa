"""The ASGI host, against a server that is written from docs/ref/app.md."""

import ast
import asyncio
import os
import unittest

from fake_server import Host, Server

APP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "app_for_tests.py") + ":app"


class HostTest(unittest.IsolatedAsyncioTestCase):
    """One host for each test."""

    def host(self, *options, app=APP, files=None):
        host = Host(app, *options, files=files)
        self.addCleanup(host.stop)
        return host

    def server(self, *options, **known):
        return Server(self.host("--coroutines", "50", *options), **known)


class Http(HostTest):
    async def test_a_request_is_passed_with_all_that_it_has(self):
        client = await self.server().request(
            "/", "POST", b"body", query="a=b", HTTP_X_ONE="1, 2", CONTENT_TYPE="text/x", HTTPS="on"
        )
        status, head, body = await client.answer()
        self.assertEqual(status, 201)
        self.assertIn(b"\r\nx-a: b\r\n", head)
        scope, body, started = body.split(b"|")
        scope = ast.literal_eval(scope.decode())
        self.assertEqual((body, started), (b"body", b"yes"))
        self.assertEqual((scope["type"], scope["method"], scope["scheme"]), ("http", "POST", "https"))
        self.assertEqual((scope["path"], scope["raw_path"], scope["query_string"]), ("/", b"/", b"a=b"))
        self.assertEqual((scope["client"], scope["server"]), (["127.0.0.1", 5], ["localhost", 9090]))
        headers = dict(scope["headers"])
        self.assertEqual(headers[b"x-one"], b"1, 2")
        self.assertEqual((headers[b"content-type"], headers[b"content-length"]), (b"text/x", b"4"))

    async def test_an_area_is_a_part_of_a_body(self):
        server = self.server()
        client = await server.request("/stream")
        self.assertEqual((await client.next())[0], "head")
        self.assertEqual(await client.next(), ("body", b"one "))
        server.publish()
        self.assertEqual(await client.next(), ("area", "0", 3, 9, 2))
        self.assertEqual(await client.next(), ("body", b"two"))
        self.assertEqual(await client.next(), ("end",))

    async def test_the_head_goes_before_an_area(self):
        client = await self.server().request("/area")
        self.assertEqual((await client.next())[0], "head")
        self.assertEqual(await client.next(), ("area", "camera", 0, 0, 2))

    async def test_a_mistake_is_an_answer_if_there_was_none(self):
        server = self.server()
        status, _, body = await (await server.request("/broken")).answer()
        self.assertEqual((status, body), (500, b"Internal Server Error\n"))
        late = await server.request("/late")
        self.assertEqual([(await late.next())[0] for _ in range(3)], ["head", "body", "failed"])
        await server.host.says("RuntimeError: a mistake")

    async def test_that_the_client_leaves_is_told(self):
        server = self.server()
        client = await server.request("/patient")
        await client.next(), await client.next()
        client.leave()
        await server.host.says("the client has left")

    async def test_application_data_are_read_and_changed(self):
        _, _, body = await (await self.server().request("/data")).answer()
        self.assertEqual(body, repr((-2, b"abc", "YUYV", False, "refused")).encode())


class WebSocket(HostTest):
    async def test_messages_go_both_ways_until_the_app_closes(self):
        client = await self.server().request("/ws", websocket=True, HTTP_SEC_WEBSOCKET_PROTOCOL="a, b")
        self.assertEqual(await client.next(), ("handshake", "a"))
        for payload in ("text", b"bytes", "", "\u00e4", b"x" * 60000):
            client.say(payload)
            self.assertEqual(await client.next(), ("message", payload))
        client.say("bye")
        self.assertEqual(await client.next(), ("close", 4001, "as you wish"))
        self.assertEqual(await client.next(), ("end",))

    async def test_the_code_of_the_client_s_closing_arrives(self):
        server = self.server()
        client = await server.request("/listen", websocket=True)
        await client.next()
        client.say("last")
        client.say("words")
        client.leave("4002 the client has left")
        await server.host.says("heard last words, then 4002")
        client = await server.request("/listen", websocket=True)
        await client.next()
        client.leave("the connection broke")
        await server.host.says("heard , then 1006")

    async def test_headers_of_the_handshake_are_left_out_aloud(self):
        server = self.server()
        await (await server.request("/ws", websocket=True)).next()
        await server.host.says("headers of websocket.accept are left out: a")

    async def test_one_that_is_not_accepted_is_refused(self):
        client = await self.server().request("/refuse", websocket=True)
        status, _, body = await client.answer()
        self.assertEqual((status, body), (403, b"Forbidden\n"))

    async def check_player(self, server):
        client = await server.request("/player", websocket=True, query="clock")
        self.assertEqual(await client.next(), ("handshake", ""))
        got = []
        for number in range(20):
            server.publish()
            client.say(str(number))
            while ("message", f"heard {number}") not in got or len([g for g in got if g[0] == "area"]) <= number:
                got.append(await client.next())
        # Twenty rounds may be over before the clock ticks for the first time.
        while ("message", "tick") not in got:
            got.append(await client.next())
        heard = [g[1] for g in got if g[0] == "message" and g[1] != "tick"]
        self.assertEqual(heard, [f"heard {number}" for number in range(20)])
        client.leave()
        await server.host.says("player left with 1001")
        return client

    async def test_frames_messages_and_a_clock_at_the_same_time(self):
        client = await self.check_player(self.server())
        self.assertIn("wait-any 0 recv 0", client.verbs)
        self.assertIn("stop", client.verbs)

    async def test_the_same_with_a_server_that_cannot_wait_for_several_things(self):
        await self.check_player(self.server(knows_wait_any=False))

    async def test_the_same_with_a_server_that_cannot_be_told_to_stop(self):
        client = await self.check_player(self.server(knows_stop=False, knows_wait_any=False))
        self.assertNotIn("recv", client.verbs)

    async def test_what_waits_alone_is_held_without_polling(self):
        server = self.server()
        client = await server.request("/player", websocket=True)
        await client.next()
        await asyncio.sleep(0.5)
        self.assertLess(len(client.verbs), 10, client.verbs)

    async def test_following_and_cancelling(self):
        server = self.server()
        client = await server.request("/follow", websocket=True)
        await client.next()
        self.assertEqual(await client.next(), ("message", "timeout"))
        server.publish()
        self.assertEqual(await client.next(), ("area", "0", 0, 0, 2))
        self.assertEqual(await client.next(), ("message", "enough"))
        self.assertEqual(await client.next(), ("message", "no-area"))
        server.publish()
        self.assertEqual(await client.next(), ("area", "0", 0, 0, 2))
        client.leave()
        self.assertEqual(await client.next(), ("failed",))
        self.assertNotIn("failed:", server.host.said())


class Processes(HostTest):
    async def test_a_full_process_leaves_requests_to_the_others(self):
        server = Server(self.host("--processes", "2", "--coroutines", "2"))
        clients = [await server.request("/place", websocket=True) for _ in range(6)]
        pids = []
        for client in clients:
            self.assertEqual((await client.next())[0], "handshake")
            pids.append((await client.next())[1])
        self.assertEqual(sorted(map(pids.count, set(pids))), [3, 3])
        late = await server.request("/place", websocket=True)
        with self.assertRaises(asyncio.TimeoutError):
            await asyncio.wait_for(late.got.get(), 0.3)
        clients[0].leave()
        self.assertEqual((await late.next())[0], "handshake")

    async def test_it_ends_in_order(self):
        host = self.host("--processes", "2")
        await (await Server(host).request("/broken")).answer()
        host.process.terminate()
        self.assertEqual(host.process.wait(20), 0)
        self.assertEqual(host.said().count("shut down in order"), 2, host.said())

    async def test_a_websocket_that_is_open_does_not_keep_it_from_ending(self):
        server = self.server("--processes", "2")
        for path in ("/place", "/player", "/ws"):
            await (await server.request(path, websocket=True)).next()
        server.host.process.terminate()
        self.assertEqual(server.host.process.wait(20), 0)
        self.assertNotIn("killed", server.host.said())
        self.assertEqual(server.host.said().count("shut down in order"), 2, server.host.said())

    async def test_an_end_is_obeyed_while_old_requests_finish(self):
        server = self.server()
        await (await server.request("/place", websocket=True)).next()
        server.host.reload()
        await server.host.says("the app was loaded again")
        server.host.process.terminate()
        self.assertEqual(server.host.process.wait(20), 0)
        self.assertNotIn("killed", server.host.said())

    async def test_an_app_that_cannot_be_loaded_ends_it_with_the_reason(self):
        host = self.host(app="bad.py:app", files={"bad.py": "import nothing_of_this_name\n"})
        self.assertEqual(host.process.wait(20), 1)
        self.assertIn("failed to load `bad.py:app`: ModuleNotFoundError", host.said())

    async def test_an_app_whose_startup_fails_ends_it_with_the_reason(self):
        text = (
            "async def app(scope, receive, send):\n"
            "    await receive()\n"
            "    await send({'type': 'lifespan.startup.failed', 'message': 'no room'})\n"
        )
        host = self.host(app="bad:app", files={"bad.py": text})
        self.assertEqual(host.process.wait(20), 1)
        self.assertIn("no room", host.said())

    async def test_a_process_that_dies_is_replaced(self):
        text = ANSWERS.format("await receive() if scope['path'] == '/' else __import__('os')._exit(9)")
        server = Server(self.host(app="app.py", files={"app.py": text}))
        client = await server.request("/die")
        self.assertEqual(await client.next(), ("failed",))
        self.assertEqual((await (await server.request("/")).answer())[0], 200)
        self.assertIn("status 9", server.host.said())


# An app without a lifespan.
ANSWERS = """
async def app(scope, receive, send):
    assert scope["type"] == "http"
    {}
    await send({{"type": "http.response.start", "status": 200, "headers": []}})
    await send({{"type": "http.response.body", "body": VERSION.encode()}})
VERSION = "one"
"""


class Reload(HostTest):
    async def body(self, server):
        return (await (await server.request("/")).answer())[2]

    async def becomes(self, server, body):
        for _ in range(500):
            if await self.body(server) == body:
                return
            await asyncio.sleep(0.02)
        self.fail(server.host.said())

    async def test_a_hangup_loads_it_anew_and_a_failure_leaves_the_old_one(self):
        text = ANSWERS.format("pass")
        host = self.host("--processes", "2", app="app.py:app", files={"app.py": text})
        server = Server(host)
        self.assertEqual(await self.body(server), b"one")
        host.write("app.py", "this is no python\n")
        host.reload()
        await host.says("the app that was loaded before goes on")
        self.assertIn("SyntaxError", host.said())
        self.assertEqual(await self.body(server), b"one")
        host.write("app.py", text.replace("one", "two"))
        host.reload()
        await self.becomes(server, b"two")
        await host.says("the app was loaded again")
        self.assertEqual([await self.body(server) for _ in range(10)], [b"two"] * 10)

    async def test_a_request_that_is_under_way_is_finished_by_the_old_one(self):
        text = ANSWERS.format("await scope['extensions']['eyelet'].wait(0) if scope['path'] == '/slow' else 0")
        host = self.host("--coroutines", "3", app="app.py", files={"app.py": text})
        server = Server(host)
        slow = await server.request("/slow")
        while not slow.verbs:
            await asyncio.sleep(0.01)
        host.write("app.py", text.replace("one", "two"))
        host.reload()
        await self.becomes(server, b"two")
        server.publish()
        self.assertEqual((await slow.answer())[2], b"one")

    async def test_a_change_of_a_module_loads_it_anew(self):
        text = ANSWERS.format("pass").replace('"one"', "__import__('part').NAME")
        files = {"app.py": text, "part.py": "NAME = 'one'\n"}
        host = self.host("--reload-on-change", app="app:app", files=files)
        server = Server(host)
        self.assertEqual(await self.body(server), b"one")
        await asyncio.sleep(1)
        host.write("part.py", "NAME =\n")
        await host.says("the app that was loaded before goes on")
        host.write("part.py", "NAME = 'two'\n")
        await self.becomes(server, b"two")


if __name__ == "__main__":
    unittest.main()
