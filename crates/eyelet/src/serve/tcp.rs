//! How a stream's socket is set up, and how much it may hold.

use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};

use crate::serve::outstanding;
use crate::serve::socket::Socket;

/// Least bytes that may be unsent before a socket counts as full.
///
/// Below this the kernel wakes us too often to fill a fast link; measured without cost at this value.
const LEAST_UNSENT: u64 = 128 << 10;

/// The same of a stream of small frames that need those before them, on a slow link: a quarter of a second of 500 kbit/s.
const LEAST_OUTSTANDING: u64 = 16 << 10;

/// A viewer whose machine vanished without a word is noticed after this and three probes.
const PROBE_AFTER_IDLE: Duration = Duration::from_secs(30);

/// After so many frames in a row before which everything had arrived, a socket is looked at only now and then.
const CALM_AFTER: u8 = 8;
/// Frames between two looks at a calm socket: so many at the most and more than half of them at the least, not the same
/// for all sockets, so that they are not all looked at before the same frame.
const LOOK_EVERY: u8 = 16;

/// Prepares a socket that streams frames: no delay for small ones, and a dead peer is noticed.
///
/// Refusals are harmless, as a Unix socket has them: the stream works without.
pub(crate) fn prepare(stream: &Socket) {
    SockRef::from(stream).set_tcp_nodelay(true).ok();
    let keepalive = TcpKeepalive::new()
        .with_time(PROBE_AFTER_IDLE)
        .with_interval(PROBE_AFTER_IDLE / 3)
        .with_retries(3);
    SockRef::from(stream).set_tcp_keepalive(&keepalive).ok();
}

/// Bounds what is unsent to about one frame, so that the newest frame is chosen late.
pub(crate) fn bound_unsent(stream: &Socket, frame_len: u64) {
    let bytes = u32::try_from(frame_len.max(LEAST_UNSENT)).unwrap_or(u32::MAX);
    SockRef::from(stream).set_tcp_notsent_lowat(bytes).ok();
}

/// Makes the kernel forget at the close what was not sent: a peer that never reads must not keep frames for minutes.
pub(crate) fn forget_unsent(stream: &Socket) {
    SockRef::from(stream).set_linger(Some(Duration::ZERO)).ok();
}

/// Whether a socket has room for a frame that would not wait behind older ones.
///
/// `TCP_NOTSENT_LOWAT` bounds what is unsent, not what is on its way: a frame starts only while less than about two are
/// unacknowledged, so that a long pipe holds no old frames. Asking is a system call; while everything keeps arriving
/// before the next frame it is asked only now and then. What a link that goes bad can get too much meanwhile is bounded
/// all the same: by the congestion window, and by the first frame that the socket does not take at once.
#[derive(Debug, Default)]
pub(crate) struct Room {
    /// Length of the longest frame, for which the socket is set up.
    frame_len: u64,
    calm: u8,
}

impl Room {
    /// Tells whether a frame of this length may start now.
    ///
    /// `most` is what may be outstanding where frames need those before them, and several are on their way.
    pub(crate) fn has(&mut self, stream: &Socket, frame_len: u64, most: Option<u64>) -> bool {
        if frame_len > self.frame_len {
            bound_unsent(stream, frame_len);
            self.frame_len = frame_len;
        }
        if self.calm > CALM_AFTER {
            self.calm -= 1;
            return true;
        }
        let outstanding = outstanding::bytes(stream);
        if outstanding > 0 {
            self.calm = 0;
        } else {
            self.calm += 1;
            if self.calm > CALM_AFTER {
                let spread = stream.number() % i32::from(LOOK_EVERY / 2);
                self.calm += LOOK_EVERY - 1 - u8::try_from(spread).unwrap_or(0);
            }
        }
        let most = most.map_or(LEAST_UNSENT, |most| most.max(LEAST_OUTSTANDING));
        outstanding < (2 * frame_len).max(most)
    }

    /// The socket did not take a frame at once: from here on it is looked at before each.
    pub(crate) fn was_short(&mut self) {
        self.calm = 0;
    }
}
