//! A viewer: one WebSocket that gets the newest frame whenever it can take one.
//!
//! The rule is that of the areas: one frame in flight (with `window`, so many unacknowledged), then the newest, and a
//! count of what was left out. A viewer that cannot take frames costs nobody else anything.

use std::rc::Rc;
use std::time::Duration;

use bytes::BytesMut;
use eyelet_area::GENERATION_SHIFT;
use eyelet_wire::v1::{MAX_CLIENT_MESSAGE_LEN, SUBPROTOCOL};
use eyelet_wire::websocket::{Message, Opcode};
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::serve::link::{Heard, Link};
use crate::serve::websocket::Upgrade;
use crate::serve::{Newest, Server, Watching, count, outstanding, tcp};

mod session;

use session::{Session, Wanted};

/// A viewer whose pipe is full is looked at again after so long; there is no event for an acknowledgement.
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(4);

/// Completes the handshake and sends frames until the viewer leaves or the process stops.
pub(crate) async fn run(
    server: Rc<Server>,
    stream: TcpStream,
    read_ahead: BytesMut,
    upgrade: &Upgrade,
    bare_stream: u32,
) {
    let is_v1 = upgrade.offers_v1();
    let mut link = Link::new(stream, read_ahead, MAX_CLIENT_MESSAGE_LEN);
    link.send_raw(&upgrade.response(is_v1.then_some(SUBPROTOCOL)));
    let session =
        if is_v1 { Session::v1(&server, &mut link).await } else { Session::bare(bare_stream) };
    let mut viewer = Viewer { server, link, session, watching: None, pace: Pace::default() };
    viewer.watch();
    if let Err(e) = viewer.run().await {
        log::debug!("a viewer has left: {e}");
    }
}

struct Viewer {
    server: Rc<Server>,
    link: Link,
    session: Session,
    /// What it watches; nothing before its `start`, and while it pauses.
    watching: Option<Watching>,
    pace: Pace,
}

/// What the viewer has got of the stream it watches.
#[derive(Debug, Default)]
struct Pace {
    /// What was wanted when it began.
    of: Option<Wanted>,
    /// Length of the frames, for which the socket is set up.
    frame_len: u64,
    /// Sequence of the last frame that was begun.
    last_sequence: u64,
    /// [`Newest::published`] at that time; none before the first.
    last_published: Option<u64>,
    /// When the next frame may begin, where the viewer wants fewer.
    next_at: Option<Instant>,
}

impl Viewer {
    async fn run(&mut self) -> std::io::Result<()> {
        let server = Rc::clone(&self.server);
        let mut stopped = std::pin::pin!(server.stopped());
        let mut is_stopping = false;
        loop {
            let look_again = self.send_newest();
            tokio::select! {
                heard = self.link.next() => match heard? {
                    Heard::Message(message) => self.on_message(message),
                    Heard::Sent | Heard::Idle => {}
                    Heard::Closed => return Ok(()),
                },
                () = changed(&mut self.watching) => {}
                () = sleep_until(look_again), if look_again.is_some() => {}
                () = &mut stopped, if !is_stopping => {
                    is_stopping = true;
                    self.watching = None;
                    self.link.close(1001, "the server is stopping");
                }
            }
        }
    }

    fn on_message(&mut self, message: Message) {
        let was = self.session.wanted();
        self.session.hear(&message, &self.server, &mut self.link);
        if self.session.wanted() != was {
            self.watch();
        }
    }

    /// Begins to watch what the session wants now.
    fn watch(&mut self) {
        let wanted = self.session.wanted();
        let feed = wanted.and_then(|wanted| self.server.feed(wanted.stream()));
        self.watching = feed.map(|feed| feed.watch());
        // A pause wants nothing for a while; what was sent before it counts on after it.
        if wanted.is_some() && wanted != self.pace.of {
            self.pace = Pace { of: wanted, ..Pace::default() };
        }
    }

    /// Begins the newest frame if the viewer has not had it and may have it now; else says when to look again.
    fn send_newest(&mut self) -> Option<Instant> {
        let newest = self.watching.as_mut()?.newest_seen();
        self.session.tell_state(&newest, &mut self.link);
        let frame = newest.frame.as_ref()?;
        let info = *frame.info();
        if info.sequence <= self.pace.last_sequence
            || !self.link.is_idle()
            || !self.session.may_send()
        {
            return None;
        }
        if let Some(at) = self.pace.next_at.filter(|at| *at > Instant::now()) {
            return Some(at);
        }
        if info.len > self.pace.frame_len {
            tcp::bound_unsent(self.link.stream(), info.len);
            self.pace.frame_len = info.len;
        }
        if outstanding::bytes(self.link.stream()) >= tcp::most_outstanding(info.len) {
            return Some(Instant::now() + LOOK_AGAIN_AFTER);
        }
        if self.session.configure(&info, &mut self.link) {
            // The message that describes the frame goes first; then we are called again. Or it was an error.
            if self.session.wanted().is_none() {
                self.watching = None;
            }
            return None;
        }
        self.begin(&newest);
        None
    }

    fn begin(&mut self, newest: &Newest) {
        let Some(frame) = &newest.frame else { return };
        let info = *frame.info();
        let dropped = self.pace.dropped(info.sequence, newest.published);
        self.pace.last_published = Some(newest.published);
        self.pace.last_sequence = info.sequence;
        self.pace.next_at =
            self.session.least_interval().map(|least| next_at(self.pace.next_at, least));
        count(&self.server.counters.frames_dropped, dropped);
        count(&self.server.counters.frames_sent, 1);
        count(&self.server.counters.bytes_sent, info.len);
        let prefix = self.session.prefix(&info, dropped);
        let prefix = prefix.as_ref().map_or(&[][..], |prefix| prefix);
        self.link.send_frame(Opcode::Binary, prefix, frame.clone(), 0..info.len);
    }
}

impl Pace {
    /// Counts the frames between the last one and the one that is begun.
    fn dropped(&self, sequence: u64, published: u64) -> u64 {
        let Some(last_published) = self.last_published else { return 0 };
        if sequence >> GENERATION_SHIFT == self.last_sequence >> GENERATION_SHIFT {
            return sequence.saturating_sub(self.last_sequence + 1);
        }
        // Another process made it: nobody knows what the one before would have counted to.
        published.saturating_sub(last_published + 1)
    }
}

/// Keeps a wanted rate over time: the next moment counts from the last one unless that is long gone.
fn next_at(last: Option<Instant>, least: Duration) -> Instant {
    let now = Instant::now();
    last.map(|last| last + least).filter(|at| *at + least > now).unwrap_or(now + least)
}

async fn changed(watching: &mut Option<Watching>) {
    match watching {
        Some(watching) => watching.changed().await,
        None => std::future::pending().await,
    }
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
