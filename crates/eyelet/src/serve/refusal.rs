//! Telling a client that there is no place for it, without waiting for one.

use std::cell::Cell;
use std::future::poll_fn;
use std::rc::Rc;
use std::time::Duration;

use hyper::StatusCode;

use crate::serve::socket::Socket;

use crate::serve::answer;

/// Refused clients that may read their answer at a time; beyond it they are cut off at once: a flood gets no more.
const MOST_AT_A_TIME: usize = 64;
/// A refused client has so long to read its answer.
const PATIENCE: Duration = Duration::from_secs(1);
/// Bytes of its request that are thrown away meanwhile: a closed socket with unread bytes would take the answer back.
const MOST_THROWN_AWAY: usize = 64 << 10;

/// Refused clients that have not left yet.
#[derive(Debug, Default)]
pub(crate) struct Refusals {
    count: Cell<usize>,
}

/// Answers 503 with this line, and ends the connection.
pub(crate) async fn refuse(refusals: Rc<Refusals>, stream: Socket, text: &'static str) {
    // With TLS it would take a handshake to say it, which is what there is no room for.
    if refusals.count.get() >= MOST_AT_A_TIME || !stream.takes_pages() {
        return;
    }
    refusals.count.set(refusals.count.get() + 1);
    // Whoever is slow does not get it.
    tokio::time::timeout(PATIENCE, tell(&stream, text)).await.ok();
    refusals.count.set(refusals.count.get() - 1);
}

async fn tell(stream: &Socket, text: &str) -> std::io::Result<()> {
    stream.write_all(&answer::plain_bytes(StatusCode::SERVICE_UNAVAILABLE, text)).await?;
    stream.shutdown()?;
    let (mut thrown_away, mut bytes) = (0, [0; 1024]);
    while thrown_away < MOST_THROWN_AWAY {
        poll_fn(|cx| stream.poll_read_ready(cx)).await?;
        match stream.try_read(&mut bytes) {
            Ok(0) => break,
            Ok(count) => thrown_away += count,
            Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(e) => return Err(e),
        }
    }
    Ok(())
}
