//! One message on its way: some bytes, a frame's own pages, some bytes.
//!
//! The one place that writes pictures to a viewer's socket, whatever kind of stream it is. The head goes with `MSG_MORE`,
//! so that it shares a segment with the payload; the payload goes by `sendfile(2)` from the sealed memfd: no copy in
//! user space, whoever else is sent the same. A socket that refuses that, or has TLS around it, gets its bytes from what we
//! have mapped.

use std::io;
use std::ops::Range;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use eyelet_area::{Frame, MonotonicNs};
use rustix::fd::BorrowedFd;
use rustix::io::Errno;

use crate::serve::socket::Socket;

/// What takes bytes.
trait Sink {
    /// Takes some of them.
    fn send(&self, bytes: &[u8], has_more: bool) -> io::Result<usize>;
    /// Has them all in the kernel's hands.
    fn flush(&self) -> io::Result<()>;
    /// What takes a frame's pages, if anything does.
    fn pages(&self) -> Option<BorrowedFd<'_>>;
}

impl Sink for Socket {
    fn send(&self, bytes: &[u8], has_more: bool) -> io::Result<usize> {
        self.send(bytes, has_more)
    }

    fn flush(&self) -> io::Result<()> {
        self.flush()
    }

    fn pages(&self) -> Option<BorrowedFd<'_>> {
        self.takes_pages().then(|| self.as_fd())
    }
}

/// What is being sent; reused from message to message.
#[derive(Debug, Default)]
pub(crate) struct Sending {
    head: Vec<u8>,
    head_sent: usize,
    payload: Option<Payload>,
    tail: &'static [u8],
    is_active: bool,
    way: Way,
}

#[derive(Debug)]
struct Payload {
    frame: Arc<Frame>,
    left: Range<u64>,
}

/// How the payload gets from the memfd into the socket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Way {
    /// The kernel takes the memfd's pages.
    #[default]
    Pages,
    /// The kernel copies what we have mapped.
    Copy,
}

impl Sending {
    /// Begins with bytes alone.
    pub(crate) fn begin(&mut self, bytes: &[u8]) {
        debug_assert!(!self.is_active, "one message at a time");
        self.head.clear();
        self.head.extend_from_slice(bytes);
        self.head_sent = 0;
        self.payload = None;
        self.tail = &[];
        self.is_active = true;
    }

    /// Begins with a head, a part of a frame, which must lie inside it, and a tail.
    pub(crate) fn begin_frame(
        &mut self,
        head: &[u8],
        frame: Arc<Frame>,
        part: Range<u64>,
        tail: &'static [u8],
    ) {
        self.begin(head);
        debug_assert!(part.end <= frame.info().len);
        self.payload = (!part.is_empty()).then_some(Payload { frame, left: part });
        self.tail = tail;
    }

    /// Tells whether something is left to send.
    pub(crate) fn is_active(&self) -> bool {
        self.is_active
    }

    /// When the frame was captured that it is in the middle of: its pages stay for it.
    pub(crate) fn holds_since(&self) -> Option<MonotonicNs> {
        self.payload.as_ref().map(|payload| payload.frame.info().captured_at)
    }

    /// Sends what the socket takes now; true when all is in the kernel's hands.
    ///
    /// # Errors
    /// When the socket fails; the connection is over then.
    pub(crate) fn attempt(&mut self, stream: &Socket) -> io::Result<bool> {
        if !self.is_active {
            return Ok(true);
        }
        match stream.try_write(|| self.progress(stream)) {
            Ok(()) => {
                self.is_active = false;
                Ok(true)
            }
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => Ok(false),
            Err(e) => Err(e),
        }
    }

    /// Sends until all is in the kernel's hands.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, stream: &Socket) -> Poll<io::Result<()>> {
        while !self.attempt(stream)? {
            ready!(stream.poll_write_ready(cx))?;
        }
        Poll::Ready(Ok(()))
    }

    /// Sends what the socket takes now.
    ///
    /// After a short call it waits for the edge at once instead of trying until the kernel says `EAGAIN`: one system
    /// call less per frame.
    fn progress(&mut self, to: &impl Sink) -> io::Result<()> {
        let has_more = self.payload.is_some() || !self.tail.is_empty();
        while self.head_sent < self.head.len() {
            self.head_sent += to.send(&self.head[self.head_sent..], has_more)?;
        }
        while let Some(payload) = &mut self.payload {
            let wanted = payload.left.end - payload.left.start;
            let sent = match payload.send(to, self.way, !self.tail.is_empty()) {
                Err(e) if self.way == Way::Pages && is_refusal(&e) => {
                    self.way = Way::Copy;
                    continue;
                }
                other => other?,
            };
            if sent == wanted {
                // The pages live on until the last socket has sent them.
                self.payload = None;
            } else {
                return Err(io::ErrorKind::WouldBlock.into());
            }
        }
        while !self.tail.is_empty() {
            let n = to.send(self.tail, false)?;
            self.tail = &self.tail[n..];
        }
        to.flush()
    }
}

impl Payload {
    /// Sends as much as the socket takes in one call and gives its length.
    fn send(&mut self, to: &impl Sink, way: Way, has_more: bool) -> io::Result<u64> {
        let wanted = usize::try_from(self.left.end - self.left.start).unwrap_or(usize::MAX);
        let from = self.left.start;
        match (way, to.pages()) {
            (Way::Pages, Some(pages)) => loop {
                let at = Some(&mut self.left.start);
                match rustix::fs::sendfile(pages, self.frame.as_fd(), at, wanted) {
                    Err(Errno::INTR) => {}
                    // The memfd is sealed and long enough: the kernel has nothing to stop for.
                    Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                    Ok(_) => break,
                    Err(e) => return Err(e.into()),
                }
            },
            (Way::Copy | Way::Pages, _) => {
                let bytes = self.frame.bytes().map_err(io::Error::other)?;
                let from = usize::try_from(from).map_err(io::Error::other)?;
                let mut left = &bytes[from..from + wanted];
                // Encryption takes a few records at a time.
                while !left.is_empty() {
                    let sent = to.send(left, has_more)?;
                    self.left.start += sent as u64;
                    left = &left[sent..];
                }
            }
        }
        Ok(self.left.start - from)
    }
}

/// Tells whether the kernel says that this socket cannot be sent pages, and never could.
///
/// Source: `sendfile(2)`, EINVAL and ENOSYS: "applications may wish to fall back to read and write".
fn is_refusal(e: &io::Error) -> bool {
    let refusals = [Errno::INVAL, Errno::NOSYS, Errno::OPNOTSUPP];
    refusals.iter().any(|errno| e.raw_os_error() == Some(errno.raw_os_error()))
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::unix::net::UnixStream;

    use eyelet_area::{Format, FrameBuilder};

    use super::*;

    impl Sink for UnixStream {
        fn send(&self, bytes: &[u8], _: bool) -> io::Result<usize> {
            Ok(rustix::net::send(self, bytes, rustix::net::SendFlags::DONTWAIT)?)
        }

        fn flush(&self) -> io::Result<()> {
            Ok(())
        }

        fn pages(&self) -> Option<BorrowedFd<'_>> {
            Some(self.as_fd())
        }
    }

    fn frame(len: usize) -> (Arc<Frame>, Vec<u8>) {
        let bytes: Vec<u8> = (0..=250u8).cycle().take(len).collect();
        let mut builder = FrameBuilder::new().unwrap();
        builder.write(&bytes).unwrap();
        (Arc::new(builder.seal(Format::default(), MonotonicNs(1)).unwrap()), bytes)
    }

    /// Sends a part of a frame between head and tail over a socket that takes little at a time.
    fn arrives(way: Way) {
        let (frame, bytes) = frame(1_000_000);
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        let mut sending = Sending { way, ..Sending::default() };
        sending.begin_frame(b"head", frame, 10..900_010, b"tail");
        // Nobody reads yet, so that there is something to go on with.
        assert_eq!(sending.progress(&ours).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        let reader = std::thread::spawn(move || {
            let mut got = Vec::new();
            theirs.read_to_end(&mut got).unwrap();
            got
        });
        loop {
            match sending.progress(&ours) {
                Ok(()) => break,
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => std::thread::yield_now(),
                Err(e) => panic!("{e}"),
            }
        }
        drop(ours);
        let expected = [b"head", &bytes[10..900_010], b"tail"].concat();
        assert!(reader.join().unwrap() == expected);
    }

    #[test]
    fn pages_arrive_whole_and_in_order() {
        arrives(Way::Pages);
    }

    #[test]
    fn copied_bytes_arrive_whole_and_in_order() {
        arrives(Way::Copy);
    }

    #[test]
    fn only_a_refusal_of_pages_is_one() {
        assert!(is_refusal(&Errno::INVAL.into()));
        assert!(!is_refusal(&Errno::PIPE.into()));
        assert!(!is_refusal(&io::ErrorKind::WriteZero.into()));
    }
}
