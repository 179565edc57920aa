#!/usr/bin/env python3
"""Reads the newest frames of an area, with Python's standard library only.

    read_area.py [-n FRAMES] [--crc] [PATH]

PATH is the area's socket; $EYELET_AREA_0 by default. What goes over it is in docs/ref/area.md. As a module:

    for frame in read_area.frames(path):
        with frame.map() as picture:    # valid until the block ends
            ...
"""

import argparse
import fcntl
import mmap
import os
import socket
import struct
import sys
import time
import zlib

VERSION = 1
FRAME, STATE, CREDIT = 1, 2, 3
MAX_MESSAGE_LEN = 256
MAX_FRAME_LEN = 256 << 20

# Magic, version, kind, then the message; reserved bytes at the end.
FRAME_LAYOUT = struct.Struct("<4sHH5Q3I4sQBBH20x")
STATE_LAYOUT = struct.Struct("<4sHHII240s")
CREDIT_LAYOUT = struct.Struct("<4sHHI4x")
HEAD_LAYOUT = struct.Struct("<4sHH")

F_GET_SEALS = 1034  # linux/fcntl.h; the module has it from Python 3.8 on Linux
SEALED = 0x1 | 0x2 | 0x4 | 0x8  # SEAL, SHRINK, GROW, WRITE
ROOM_FOR_DESCRIPTORS = 4  # more than the one that is allowed, so that a second one is seen


class Refused(Exception):
    """The owner sent what docs/ref/area.md does not allow."""


class Frame:
    """One image: a sealed memfd and what it is. Close it soon: it holds its pages."""

    def __init__(self, message, memfd):
        self.memfd = memfd
        (
            _magic, _version, _kind,
            self.sequence, self.captured_ns, self.published_ns, self.missed, self.len,
            self.width, self.height, self.stride, fourcc,
            self.interval_ns, self.matrix, self.range, flags,
        ) = FRAME_LAYOUT.unpack(message)  # fmt: skip
        self.fourcc = fourcc.decode("latin-1")
        self.is_key = bool(flags & 1)

    def check(self):
        """Believes the frame, or raises Refused."""
        try:
            seals = fcntl.fcntl(self.memfd, F_GET_SEALS)
        except OSError:
            seals = 0  # no memfd at all
        if seals & SEALED != SEALED:
            raise Refused(f"frame {self.sequence} can still be changed")
        if os.fstatvfs(self.memfd).f_bsize != mmap.PAGESIZE:
            raise Refused(f"frame {self.sequence} is made of huge pages")
        size = os.fstat(self.memfd).st_size
        if not 1 <= self.len <= min(size, MAX_FRAME_LEN):
            raise Refused(f"frame {self.sequence} says {self.len} bytes and has {size}")

    def map(self):
        """Maps the payload, read only. The frame may be closed before the mapping."""
        return mmap.mmap(self.memfd, self.len, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ)

    def close(self):
        """Gives the frame back; its pages go when nobody has it."""
        if self.memfd >= 0:
            os.close(self.memfd)
            self.memfd = -1

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Subscriber:
    """One connection to an area."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.last_sequence = 0
        try:
            self.socket.connect(path)
        except OSError:
            self.socket.close()
            raise

    def grant(self, frames):
        """Takes so many frames more, two in all at the most."""
        self.socket.send(CREDIT_LAYOUT.pack(b"EYEA", VERSION, CREDIT, frames))

    def receive(self):
        """Waits for a Frame or, of the state, the words "live" or "no signal: why". None when the owner has gone."""
        try:
            message, descriptors, flags, _ = receive_message(self.socket)
        except ConnectionResetError:
            return None
        frame = None
        try:
            if not message and not descriptors:
                return None
            if flags & socket.MSG_CTRUNC or len(message) < HEAD_LAYOUT.size:
                raise Refused("no message of an area")
            magic, version, kind = HEAD_LAYOUT.unpack_from(message)
            if magic != b"EYEA" or version != VERSION:
                raise Refused(f"version {version} of the area protocol, this is {VERSION}")
            if kind == STATE and len(message) == STATE_LAYOUT.size and not descriptors:
                *_, state, why_len, why = STATE_LAYOUT.unpack(message)
                why = why[:why_len].decode()
                return "live" if state == 1 else f"no signal: {why}" if why else "no signal"
            if kind != FRAME or len(message) != FRAME_LAYOUT.size or len(descriptors) != 1:
                raise Refused(f"{len(message)} bytes and {len(descriptors)} descriptors")
            frame = Frame(message, descriptors[0])
            frame.check()
            if frame.sequence <= self.last_sequence:
                raise Refused(f"frame {frame.sequence} came after {self.last_sequence}")
            self.last_sequence = frame.sequence
            descriptors = []  # the frame has it
            return frame
        finally:
            for descriptor in descriptors:
                os.close(descriptor)

    def close(self):
        """Ends the subscription."""
        self.socket.close()


def receive_message(connection):
    """As socket.recv_fds, which gives descriptors without close-on-exec before Python 3.13, and cuts what is longer."""
    return socket.recv_fds(
        connection, MAX_MESSAGE_LEN + 1, ROOM_FOR_DESCRIPTORS, socket.MSG_CMSG_CLOEXEC
    )


def frames(path):
    """Yields the newest frame, then each newer one that this program is quick enough for; ends with the owner.

    Each is closed when the next is asked for.
    """
    subscriber = Subscriber(path)
    try:
        subscriber.grant(2)
        while (event := subscriber.receive()) is not None:
            if isinstance(event, Frame):
                with event:
                    yield event
                subscriber.grant(1)
    finally:
        subscriber.close()


def main():
    """Prints one line for each frame."""
    parser = argparse.ArgumentParser(description="Prints a line for each frame of an area.")
    parser.add_argument("path", nargs="?", default=os.environ.get("EYELET_AREA_0"))
    parser.add_argument("-n", type=int, default=10, metavar="FRAMES", help="how many (10)")
    parser.add_argument("--crc", action="store_true", help="with the CRC-32 of the payload")
    arguments = parser.parse_args()
    if not arguments.path:
        parser.error("no path given, and $EYELET_AREA_0 is not set")
    left = arguments.n
    try:
        for frame in frames(arguments.path):
            age_ms = (time.monotonic_ns() - frame.captured_ns) / 1e6
            line = f"{frame.sequence} {frame.width}x{frame.height} {frame.fourcc} {frame.len} {age_ms:.1f}ms"
            if arguments.crc:
                with frame.map() as payload:
                    line += f" {zlib.crc32(payload):08x}"
            print(line, flush=True)
            left -= 1
            if left <= 0:
                return 0
    except (OSError, Refused) as error:
        print(f"{arguments.path}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 0
    print(f"{arguments.path}: the owner has gone", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
