"""Publishing, against the reader in examples/python, which knows nothing of this package."""

import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

import eyelet
from eyelet.messages import encode_credit

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "..", "examples", "python"))

import read_area  # noqa: E402

PIXELS = bytes(range(12))


class OwnerTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = os.path.join(folder.name, "5-mine")

    def owner(self, **options):
        owner = eyelet.Owner(path=self.path, generation=3, **options)
        self.addCleanup(owner.close)
        return owner

    def subscriber(self):
        subscriber = read_area.Subscriber(self.path)
        subscriber.socket.settimeout(20)
        self.addCleanup(subscriber.close)
        return subscriber

    def publish(self, owner, **options):
        return owner.publish(PIXELS, **{"width": 2, "height": 2, "fourcc": "RGB3", **options})

    def until(self, condition):
        for _ in range(1000):
            if condition():
                return
            time.sleep(0.01)
        self.fail("it did not come to be")


class Publishing(OwnerTest):
    def test_a_frame_arrives_as_it_was_published(self):
        owner, subscriber = self.owner(), self.subscriber()
        self.assertEqual(subscriber.receive(), "no signal")
        subscriber.grant(1)
        self.assertTrue(owner.wait_demand(20))
        sequence = self.publish(owner, captured_at=7, interval=8, matrix=eyelet.Matrix.BT709, range=2)
        self.assertEqual(sequence, (3 << 40) + 1)
        self.assertEqual(subscriber.receive(), "live")
        frame = subscriber.receive()
        self.assertEqual((frame.sequence, frame.captured_ns, frame.interval_ns), (sequence, 7, 8))
        self.assertEqual((frame.width, frame.height, frame.stride, frame.fourcc), (2, 2, 6, "RGB3"))
        self.assertEqual((frame.matrix, frame.range, frame.is_key, frame.missed), (2, 2, True, 0))
        with frame.map() as payload:
            self.assertEqual(payload[:], PIXELS)

    def test_without_credit_nothing_comes_and_then_the_newest(self):
        owner, subscriber = self.owner(), self.subscriber()
        subscriber.receive()
        for _ in range(5):
            self.publish(owner)
        self.assertEqual(subscriber.receive(), "live")
        subscriber.grant(2)
        frame = subscriber.receive()
        self.assertEqual((frame.sequence & 0xFFFF, frame.missed), (5, 4))
        self.publish(owner)
        self.publish(owner)
        self.assertEqual(subscriber.receive().missed, 0)
        subscriber.grant(1)
        self.assertEqual(subscriber.receive().missed, 0)

    def test_demand_and_following(self):
        owner, subscriber = self.owner(), self.subscriber()
        self.assertFalse(owner.wait_demand(0.05))
        subscriber.receive()
        self.assertFalse(owner.is_followed)
        subscriber.grant(1)
        self.assertTrue(owner.wait_demand(20))
        self.publish(owner)
        self.assertEqual((owner.demand, owner.is_followed, owner.subscribers), (0, True, 1))
        subscriber.close()
        self.until(lambda: not owner.is_followed)

    def test_the_reason_of_a_state_is_cut_at_a_character(self):
        owner, subscriber = self.owner(), self.subscriber()
        subscriber.receive()
        owner.no_signal("\u00e4" * 200)
        self.assertEqual(subscriber.receive(), "no signal: " + "\u00e4" * 120)

    def test_who_does_wrong_is_sent_away(self):
        owner = self.owner()
        for wrong in (b"nonsense", encode_credit(3), encode_credit(0), b"EYEA\2\0\3\0" + bytes(8)):
            subscriber = self.subscriber()
            subscriber.receive()
            subscriber.socket.send(wrong)
            self.assertIsNone(subscriber.receive())
        subscriber = self.subscriber()
        subscriber.receive()
        socket.send_fds(subscriber.socket, [encode_credit(1)], [0])
        self.assertIsNone(subscriber.receive())
        self.until(lambda: owner.subscribers == 0)

    def test_one_that_does_not_read_answers_is_sent_away_and_nobody_else_waits(self):
        owner, subscriber, other = self.owner(), self.subscriber(), self.subscriber()
        request = b"EYEA\1\0\4\0" + bytes(4) + b"\1\0" + bytes(26)
        other.receive()
        with self.assertRaises(OSError):
            for _ in range(100_000):
                subscriber.socket.send(request)
        other.grant(1)
        self.publish(owner)
        self.assertEqual(other.receive(), "live")
        self.assertEqual(other.receive().sequence, owner.sequence)

    def test_what_no_subscriber_would_believe_is_refused(self):
        owner = self.owner()
        for wrong in (
            dict(width=5), dict(width=70000), dict(fourcc="RG"), dict(fourcc=""), dict(stride=8), dict(matrix=9),
        ):  # fmt: skip
            with self.assertRaises(ValueError, msg=wrong):
                self.publish(owner, **wrong)
        with self.assertRaises(ValueError):
            owner.publish(b"")

    def test_a_socket_of_a_dead_owner_is_taken_and_of_a_living_one_not(self):
        self.owner()
        with self.assertRaises(OSError):
            eyelet.Owner(path=self.path)
        left = self.path + "-left"
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as dead:
            dead.bind(left)
        with eyelet.Owner(path=left):
            self.assertEqual(os.stat(left).st_mode & 0o777, 0o600)
        self.assertFalse(os.path.exists(left))

    def test_the_inherited_socket_is_taken(self):
        script = (
            "import eyelet, os, sys\n"
            "os.dup2(int(sys.argv[1]), 3)\n"
            "os.environ.update(LISTEN_FDS='1', LISTEN_FDNAMES='annotated', EYELET_GENERATION='9')\n"
            "owner = eyelet.Owner()\n"
            "owner.wait_demand()\n"
            "print(owner.name, owner.publish(b'x') >> 40, os.environ.get('LISTEN_FDS'), flush=True)\n"
            "sys.stdin.read()\n"
        )
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
            listener.bind(self.path)
            listener.listen(8)
            environment = {**os.environ, "PYTHONPATH": os.path.dirname(HERE)}
            command = [sys.executable, "-c", script, str(listener.fileno())]
            mule = subprocess.Popen(
                command, pass_fds=[listener.fileno()], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
            with eyelet.Area(path=self.path) as area:
                frame = area.next(20)
                self.assertEqual((frame.sequence, bytes(frame.bytes)), ((9 << 40) + 1, b"x"))
            out, _ = mule.communicate()
            self.assertEqual(out, b"annotated 9 None\n")


class Data(OwnerTest):
    """Application data, as a plugin keeps them."""

    def keep(self, length):
        data = bytearray(length)

        def write(pos, payload):
            if pos + len(payload) > length:
                raise eyelet.OutOfRange(length)
            data[pos : pos + len(payload)] = payload
            owner.publish(data)

        owner = self.owner(on_write=write)
        owner.publish(data)
        return owner

    def test_what_is_written_is_read_and_is_the_newest(self):
        self.keep(64)
        with eyelet.Area(path=self.path) as area:
            sequence = area.write(3, b"abc")
            self.assertEqual(area.read(2, 5), b"\0abc\0")
            self.assertEqual(len(area.read()), 64)
            self.assertEqual(area.newest(20).sequence, sequence)
            for number in range(10):
                sequence = area.write(0, bytes([number]))
                self.assertEqual(area.newest(20).bytes[0], number)
                self.assertEqual(area.newest(20).sequence, sequence)
            with self.assertRaises(eyelet.OutOfRange) as raised:
                area.write(62, b"abc")
            self.assertEqual(raised.exception.len, 64)
            with self.assertRaises(eyelet.OutOfRange):
                area.inc(60)

    def test_what_is_too_long_for_an_answer_is_read_from_the_frame(self):
        self.keep(100_000)
        with eyelet.Area(path=self.path) as area:
            area.write(99_999, b"x")
            self.assertEqual(area.read()[99_998:], b"\0x")
            self.assertEqual(len(area.read(1, 70_000)), 70_000)

    def test_numbers_wrap_and_have_a_sign(self):
        self.keep(64)
        with eyelet.Area(path=self.path) as area:
            self.assertEqual([area.inc(0, 8, 127), area.inc(0, 8), area.inc(0, 8, 128)], [127, -128, 0])
            self.assertEqual([area.dec(8), area.inc(8, 64, 2)], [-1, 1])

    def test_a_refusal_says_why(self):
        def refuse(pos, data):
            raise eyelet.Refused("the line is an input " + "ä" * 200)

        self.owner(on_write=refuse).publish(b"ab")
        with eyelet.Area(path=self.path) as area, self.assertRaises(eyelet.Refused) as refused:
            area.write(0, b"x")
        self.assertTrue(refused.exception.why.startswith("the line is an input ä"))
        self.assertEqual(len(refused.exception.why.encode()), 239)
        self.assertEqual(eyelet.Refused().why, "")

    def test_no_addition_is_lost(self):
        self.keep(64)

        def add():
            with eyelet.Area(path=self.path) as area:
                for _ in range(200):
                    area.inc(0)

        threads = [threading.Thread(target=add) for _ in range(4)]
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]
        with eyelet.Area(path=self.path) as area:
            self.assertEqual(area.inc(0, amount=0), 800)

    def test_cameras_refuse(self):
        owner = self.owner()
        self.publish(owner)
        with eyelet.Area(path=self.path) as area:
            for ask in (lambda: area.write(0, b"x"), lambda: area.inc(0)):
                with self.assertRaises(eyelet.Refused):
                    ask()
            self.assertEqual(area.read(3, 2), b"\3\4")


if __name__ == "__main__":
    unittest.main()
