"""Subscribing, against an owner that is written from docs/ref/area.md."""

import asyncio
import gc
import os
import struct
import tempfile
import threading
import unittest

import eyelet
from eyelet import aio
from fake_owner import FakeOwner

try:
    import numpy
except ImportError:
    numpy = None


class Folder(unittest.TestCase):
    """A folder for each test."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def pair(self):
        owner = FakeOwner(self.folder)
        self.addCleanup(owner.close)
        area = eyelet.Area(path=owner.path)
        self.addCleanup(area.close)
        owner.let_in()
        return owner, area

    def ask(self, area):
        """Lets the area grant its first credit."""
        with self.assertRaises(eyelet.Timeout):
            area.next(0)


class Frames(Folder):
    def test_a_frame_is_what_was_sent(self):
        owner, area = self.pair()
        self.ask(area)
        self.assertEqual(owner.credit(), 2)
        owner.frame(7, b"abcdefgh", interval=40_000_000, missed=3)
        frame = area.next(5)
        self.assertEqual(owner.credit(), 1)
        self.assertEqual((frame.sequence, frame.captured_at, frame.published_at), (7, 5, 6))
        self.assertEqual((frame.width, frame.height, frame.stride, frame.fourcc), (2, 2, 2, "GREY"))
        self.assertEqual((frame.matrix, frame.range), (eyelet.Matrix.BT601, eyelet.Range.FULL))
        self.assertEqual((frame.interval, frame.is_key, frame.missed, len(frame)), (40_000_000, True, 3, 8))
        self.assertEqual(bytes(frame.bytes), b"abcdefgh")
        self.assertTrue(frame.bytes.readonly)
        self.assertTrue(area.state.live)

    def test_views_outlive_the_frame_and_the_area(self):
        owner, area = self.pair()
        self.ask(area)
        owner.frame(1, b"abcd")
        frame = area.next(5)
        view = frame.bytes[1:3]
        frame.close()
        with self.assertRaises(ValueError):
            frame.bytes
        area.close()
        del frame
        gc.collect()
        self.assertEqual(bytes(view), b"bc")

    def test_frames_that_are_dropped_leave_no_descriptor(self):
        owner, area = self.pair()
        self.ask(area)
        for number in range(3):
            owner.frame(number + 1)
            frame = area.next(5)
            self.assertTrue(frame.bytes)
        before = len(os.listdir("/proc/self/fd"))
        for number in range(20):
            owner.frame(number + 4)
            frame = area.next(5)
            self.assertTrue(frame.bytes)
        del frame
        self.assertLessEqual(len(os.listdir("/proc/self/fd")), before)

    def test_what_docs_forbid_is_not_believed(self):
        wrong = {
            "unsealed": dict(seals=0),
            "without the seal of seals": dict(seals=0x2 | 0x4 | 0x8),
            "still growing": dict(seals=0x1 | 0x2 | 0x8),
            "no descriptor": dict(descriptors=0),
            "two descriptors": dict(descriptors=2),
            "five descriptors": dict(descriptors=5),
            "longer than its file": dict(length=9),
            "empty": dict(length=0),
            "another version": dict(version=2),
            "another magic": dict(magic=b"EYEB"),
            "another kind": dict(kind=9),
            "a matrix that is none": dict(matrix=5),
            "a range that is none": dict(range=3),
            "too wide": dict(width=65536),
            "less than its picture": dict(width=3),
            "sequence 0": dict(sequence=0),
        }
        top = self.folder
        for number, (why, change) in enumerate(wrong.items()):
            with self.subTest(why):
                os.mkdir(os.path.join(top, str(number)))
                self.folder = os.path.join(top, str(number))
                owner, area = self.pair()
                self.ask(area)
                owner.frame(**{"sequence": 1, **change})
                with self.assertRaises(eyelet.AreaError) as raised:
                    area.next(5)
                self.assertEqual(raised.exception.kind, "protocol")
                owner.credit()
                self.assertEqual(owner.heard(), b"", "the connection is closed")

    def test_a_sequence_must_grow(self):
        owner, area = self.pair()
        self.ask(area)
        owner.frame(2)
        owner.frame(2)
        with self.assertRaises(eyelet.AreaError):
            area.next(5)

    @unittest.skipIf(numpy is None, "numpy is not installed")
    def test_an_array_is_a_view_of_the_mapping(self):
        owner, area = self.pair()
        self.ask(area)
        owner.frame(1, b"abcd")
        frame = area.next(5)
        array = frame.array()
        mapping = numpy.frombuffer(frame.bytes, numpy.uint8).__array_interface__["data"]
        self.assertEqual(array.__array_interface__["data"], mapping)
        self.assertEqual(mapping[1], True, "read only")
        with open("/proc/self/maps") as maps:
            ranges = [line.split()[0].split("-") for line in maps if "memfd:fake" in line]
        self.assertTrue(any(int(start, 16) <= mapping[0] < int(end, 16) for start, end in ranges))
        frame.close()
        del frame
        gc.collect()
        self.assertEqual(array.tolist(), [[97, 98], [99, 100]])

    @unittest.skipIf(numpy is None, "numpy is not installed")
    def test_arrays_have_the_shape_of_their_format(self):
        shapes = [
            (b"YUYV", 4, 2, 8, 16, (2, 4, 2)),
            (b"UYVY", 3, 2, 8, 16, (2, 3, 2)),
            (b"GREY", 4, 2, 4, 8, (2, 4)),
            (b"GREY", 4, 2, 6, 12, (2, 4)),
            (b"RGB3", 4, 2, 12, 24, (2, 4, 3)),
            (b"AB24", 4, 2, 16, 32, (2, 4, 4)),
            (b"NV12", 4, 2, 4, 12, (3, 4)),
            (b"NV12", 3, 3, 3, 17, (17,)),
            (b"MJPG", 4, 2, 0, 5, (5,)),
            (b"\0\0\0\0", 0, 0, 0, 7, (7,)),
        ]
        owner, area = self.pair()
        self.ask(area)
        for number, (fourcc, width, height, stride, length, shape) in enumerate(shapes):
            payload = bytes(range(length))
            owner.frame(number + 1, payload, fourcc=fourcc, width=width, height=height, stride=stride)
            frame = area.next(5)
            array = frame.array()
            self.assertEqual(array.shape, shape, fourcc)
            if len(shape) > 1:
                self.assertEqual(array.ravel()[0], 0)
                self.assertEqual(array[1].ravel()[0], stride, "rows respect the stride")


class Newest(Folder):
    def test_what_waited_in_the_queue_is_passed_over(self):
        owner, area = self.pair()
        self.ask(area)
        owner.frame(1)
        owner.frame(2)
        self.assertEqual(owner.credit(), 2)

        def publish_when_asked():
            owner.credit()
            owner.frame(30, missed=27)

        thread = threading.Thread(target=publish_when_asked)
        thread.start()
        frame = area.newest(5)
        thread.join()
        self.assertEqual((frame.sequence, frame.missed, area.missed), (30, 29, 29))

    def test_with_credit_left_the_last_one_is_the_newest(self):
        owner, area = self.pair()
        self.ask(area)
        owner.frame(1)
        self.assertEqual(area.newest(5).sequence, 1)
        self.assertEqual(area.newest(0).sequence, 1)
        with self.assertRaises(eyelet.Timeout):
            area.newer_than(1, 0.05)
        owner.frame(2)
        self.assertEqual(area.newer_than(1, 5).sequence, 2)

    def test_a_camera_that_has_nothing_newer_gives_what_it_has(self):
        owner, area = self.pair()
        self.ask(area)
        owner.frame(1)
        owner.frame(2)
        self.assertEqual(area.newest(5).sequence, 2)

    def test_an_old_picture_is_not_given_while_there_is_no_signal(self):
        owner, area = self.pair()
        self.ask(area)
        owner.frame(1)
        area.next(5)
        owner.state(2, b"unplugged")
        with self.assertRaisesRegex(eyelet.Timeout, "no signal: unplugged"):
            area.newest(0.4)
        self.assertEqual(area.state, eyelet.State(False, "unplugged"))

    def test_next_gives_all_in_order(self):
        owner, area = self.pair()
        self.ask(area)
        owner.frame(1)
        owner.frame(2)
        self.assertEqual([area.next(5).sequence, area.next(5).sequence], [1, 2])
        owner.frame(5, missed=2)
        self.assertEqual((area.next(5).missed, area.missed), (2, 2))

    def test_iteration_gives_each(self):
        owner, area = self.pair()
        self.ask(area)
        owner.frame(1)
        owner.frame(2)
        got = []
        for frame in area:
            got.append(frame.sequence)
            if len(got) == 2:
                break
        self.assertEqual(got, [1, 2])


class Reconnecting(Folder):
    def test_it_connects_again_and_gives_no_frame_twice(self):
        owner, area = self.pair()
        self.ask(area)
        owner.frame(1)
        area.next(5)
        owner.go()
        self.assertIn("gone", area.state.why)
        thread = threading.Thread(target=lambda: (owner.let_in(), owner.credit(), owner.frame(1), owner.frame(4)))
        thread.start()
        frame = area.next(5)
        thread.join()
        self.assertEqual((frame.sequence, frame.missed), (4, 2))

    def test_a_request_whose_owner_goes_is_an_error_of_its_own(self):
        owner, area = self.pair()
        thread = threading.Thread(target=lambda: (owner.heard(), owner.go()))
        thread.start()
        with self.assertRaises(eyelet.AreaError) as raised:
            area.write(0, b"x", timeout=5)
        thread.join()
        self.assertEqual(raised.exception.kind, "gone")

    def test_nobody_there_is_an_error(self):
        with self.assertRaises(OSError):
            eyelet.Area(path=os.path.join(self.folder, "nothing"))

    def test_a_closed_area_says_so(self):
        _, area = self.pair()
        area.close()
        with self.assertRaises(eyelet.AreaError) as raised:
            area.next(1)
        self.assertEqual(raised.exception.kind, "closed")


class Requests(Folder):
    def test_an_addition_is_sent_and_its_answer_understood(self):
        owner, area = self.pair()

        def serve():
            heard = struct.unpack("<4sHHIHHQQq", owner.heard())
            self.assertEqual(heard[:3] + heard[4:], (b"EYEA", 1, 4, 3, 16, 8, 0, -3))
            owner.answer(heard[3], value=-2, sequence=5)

        thread = threading.Thread(target=serve)
        thread.start()
        self.assertEqual(area.dec(8, bits=16, amount=3, timeout=5), -2)
        thread.join()

    def test_outcomes_are_errors(self):
        owner, area = self.pair()
        for outcome, error, kind in [
            (1, eyelet.OutOfRange, "out-of-range"),
            (2, eyelet.Refused, "refused"),
            (3, eyelet.AreaError, "too-large"),
        ]:

            def serve(outcome=outcome):
                owner.answer(struct.unpack_from("<8xI", owner.heard())[0], outcome, 0, 64)

            thread = threading.Thread(target=serve)
            thread.start()
            with self.assertRaises(error) as raised:
                area.write(0, b"abc", timeout=5)
            thread.join()
            self.assertEqual(raised.exception.kind, kind)

    def test_of_a_camera_the_newest_frame_is_read(self):
        owner, area = self.pair()
        self.ask(area)
        owner.frame(1, b"abcd")
        self.assertEqual((area.read(1, 2), area.read(), area.read(3)), (b"bc", b"abcd", b"d"))
        with self.assertRaises(eyelet.OutOfRange):
            area.read(3, 2)

    def test_numbers_that_there_are_not_are_refused_here(self):
        _, area = self.pair()
        for wrong in (dict(bits=7), dict(amount=1 << 63)):
            with self.assertRaises(ValueError):
                area.inc(0, **wrong)
        with self.assertRaises(eyelet.AreaError) as raised:
            area.write(0, bytes(65537))
        self.assertEqual(raised.exception.kind, "too-large")


class Aio(Folder):
    def test_tasks_share_an_area(self):
        owner = FakeOwner(self.folder)
        self.addCleanup(owner.close)

        async def run():
            async with aio.Area(path=owner.path) as area:
                owner.let_in()
                frames = asyncio.ensure_future(area.next(10))
                adding = asyncio.ensure_future(area.inc(0, timeout=10))
                await asyncio.sleep(0.05)
                self.assertEqual(owner.credit(), 2)
                owner.answer(struct.unpack_from("<8xI", owner.heard())[0], value=9)
                self.assertEqual(await adding, 9)
                self.assertFalse(frames.done())
                owner.frame(1)
                self.assertEqual((await frames).sequence, 1)
                with self.assertRaises(eyelet.Timeout):
                    await area.next(0.05)
                owner.go()
                waiting = asyncio.ensure_future(area.next(10))
                await asyncio.sleep(0.2)
                owner.let_in()
                self.assertEqual(owner.credit(), 2)
                owner.frame(2)
                self.assertEqual((await waiting).sequence, 2)
                owner.frame(3)
                async for frame in area:
                    self.assertEqual(frame.sequence, 3)
                    break
                waiting = asyncio.ensure_future(area.next(10))
                await asyncio.sleep(0.02)
                waiting.cancel()
                await asyncio.sleep(0)
                owner.frame(4)
                self.assertEqual((await area.newest(5)).sequence, 4)
                waiting = asyncio.ensure_future(area.next(10))
                await asyncio.sleep(0.02)
                area.close()
                with self.assertRaises(eyelet.AreaError):
                    await waiting

        asyncio.run(run())


if __name__ == "__main__":
    unittest.main()
