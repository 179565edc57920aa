"""An owner that does and says what a test wants, byte by byte from docs/ref/area.md."""

import fcntl
import os
import socket
import struct

FRAME = struct.Struct("<4sHH5Q3I4sQBBH20x")
SEALS = 0x1 | 0x2 | 0x4 | 0x8


class FakeOwner:
    """Holds the listening socket and one connection."""

    def __init__(self, folder, name="0-camera"):
        self.path = os.path.join(folder, name)
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.listener.bind(self.path)
        self.listener.listen(128)
        self.listener.settimeout(20)
        self.peer = None

    def let_in(self):
        """Takes the next subscriber, and says that frames come."""
        self.peer, _ = self.listener.accept()
        self.peer.settimeout(20)
        self.state(1, b"")

    def state(self, state, why):
        """Sends a state."""
        self.peer.send(struct.pack("<4sHHII240s", b"EYEA", 1, 2, state, len(why), why))

    def frame(self, sequence, payload=b"abcd", seals=SEALS, descriptors=1, length=None, **changes):
        """Sends a frame."""
        memfd = os.memfd_create("fake", os.MFD_ALLOW_SEALING)
        os.write(memfd, payload)
        if seals:
            fcntl.fcntl(memfd, fcntl.F_ADD_SEALS, seals)
        fields = dict(
            magic=b"EYEA", version=1, kind=1, sequence=sequence, captured_at=5, published_at=6, missed=0,
            len=len(payload) if length is None else length, width=2, height=2, stride=2, fourcc=b"GREY",
            interval=0, matrix=1, range=2, flags=1,
        )  # fmt: skip
        message = FRAME.pack(*{**fields, **changes}.values())
        socket.send_fds(self.peer, [message], [memfd] * descriptors)
        os.close(memfd)

    def heard(self, length=200):
        """The next message of the subscriber."""
        return self.peer.recv(length)

    def credit(self):
        """The next message, which must be credit."""
        magic, version, kind, frames, reserved = struct.unpack("<4sHHII", self.heard())
        assert (magic, version, kind, reserved) == (b"EYEA", 1, 3, 0)
        return frames

    def answer(self, tag, outcome=0, sequence=0, value=0, payload=b""):
        """Answers a request."""
        self.peer.send(struct.pack("<4sHHIHHQq", b"EYEA", 1, 5, tag, outcome, 0, sequence, value) + payload)

    def go(self):
        """Ends the connection, as an owner that dies."""
        self.peer.close()

    def close(self):
        """Ends."""
        if self.peer is not None:
            self.peer.close()
        self.listener.close()
