//! How a stream's socket is set up.

use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;

/// Least bytes that may be unsent before a socket counts as full.
///
/// Below this the kernel wakes us too often to fill a fast link; measured without cost at this value.
const LEAST_UNSENT: u64 = 128 << 10;

/// A viewer whose machine vanished without a word is noticed after this and three probes.
const PROBE_AFTER_IDLE: Duration = Duration::from_secs(30);

/// Prepares a socket that streams frames: no delay for small ones, and a dead peer is noticed.
///
/// Refusals are harmless: the stream works without.
pub(crate) fn prepare(stream: &TcpStream) {
    stream.set_nodelay(true).ok();
    let keepalive = TcpKeepalive::new()
        .with_time(PROBE_AFTER_IDLE)
        .with_interval(PROBE_AFTER_IDLE / 3)
        .with_retries(3);
    SockRef::from(stream).set_tcp_keepalive(&keepalive).ok();
}

/// Bounds what is unsent to about one frame, so that the newest frame is chosen late.
pub(crate) fn bound_unsent(stream: &TcpStream, frame_len: u64) {
    let bytes = u32::try_from(frame_len.max(LEAST_UNSENT)).unwrap_or(u32::MAX);
    SockRef::from(stream).set_tcp_notsent_lowat(bytes).ok();
}

/// Most bytes that may be unacknowledged when the next frame starts: about two frames.
///
/// `TCP_NOTSENT_LOWAT` does not bound what is on its way; this does, so that a long pipe holds no old frames.
pub(crate) fn most_outstanding(frame_len: u64) -> u64 {
    (2 * frame_len).max(LEAST_UNSENT)
}
