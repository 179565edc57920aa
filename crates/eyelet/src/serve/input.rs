//! Reading what viewers send, which is little and seldom: one buffer for all of them.

use crate::serve::socket::Socket;
use std::cell::RefCell;
use std::io;
use std::task::{Context, Poll, ready};

/// Reads of one connection before others have their turn.
pub(crate) const READS_AT_A_TIME: usize = 4;
/// Bytes read at a time.
const READ_LEN: usize = 4096;

thread_local! {
    /// A buffer for each viewer would be most of what a viewer costs.
    static BUFFER: RefCell<[u8; READ_LEN]> = const { RefCell::new([0; READ_LEN]) };
}

/// Reads what is there, hands it on, and gives its length; 0 at the end of the connection.
pub(crate) fn poll_read(
    cx: &mut Context<'_>,
    stream: &Socket,
    take: impl FnOnce(&[u8]),
) -> Poll<io::Result<usize>> {
    BUFFER.with_borrow_mut(|buffer| {
        loop {
            ready!(stream.poll_read_ready(cx))?;
            match stream.try_read(buffer) {
                Ok(n) => {
                    take(&buffer[..n]);
                    return Poll::Ready(Ok(n));
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                Err(e) => return Poll::Ready(Err(e)),
            }
        }
    })
}
