//! A viewer with an endless HTTP answer: MJPEG, as every browser shows it in an `<img>`; H.264 for players.

use std::cell::RefCell;
use std::io;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use eyelet_area::{FourCc, Frame, MonotonicNs};
use tokio::time::Instant;

use crate::serve::audience::Presence;
use crate::serve::clients::Client;
use crate::serve::multipart::Style;
use crate::serve::sending::Sending;
use crate::serve::socket::Socket;
use crate::serve::tcp::{self, Room};
use crate::serve::wrapping::Envelope;
use crate::serve::{Feed, Joined, Outlet, Server, input};

use super::pace::Pace;
use super::task::{self, Waking};

/// What a client's request asks for.
#[derive(Debug)]
pub(crate) struct Wanted {
    /// A stream of JPEG, or of H.264 where the style is bare.
    pub(crate) feed: Rc<Feed>,
    /// The least time from frame to frame.
    pub(crate) least: Option<Duration>,
    /// What it wants to be different.
    pub(crate) style: Style,
    /// Where its rate is noted for `/state`.
    pub(crate) client: Option<Rc<Client>>,
    /// The client speaks HTTP/1.1; an older one is answered as such.
    pub(crate) is_http_1_1: bool,
}

/// Answers and sends frames until the viewer leaves or the process stops.
pub(crate) async fn run(server: Rc<Server>, stream: Socket, wanted: Wanted, is_head: bool) {
    let Wanted { feed, least, style, client, is_http_1_1 } = wanted;
    let mut sending = Sending::default();
    let head = style.answer_head(is_http_1_1);
    let opening = if is_head { String::new() } else { style.opening() };
    sending.begin((head + &opening).as_bytes());
    let _presence = (!is_head).then(|| Presence::new(&server));
    let viewer = Rc::new_cyclic(|me: &Weak<Viewer>| {
        let state = State {
            stream,
            sending,
            room: Room::default(),
            joined: (!is_head).then(|| feed.join(me.clone())),
            pace: Pace::new(least),
            fps: Fps::default(),
            dropped: 0,
            is_over: false,
            waking: Waking::default(),
        };
        Viewer { server: Rc::clone(&server), style, client, state: RefCell::new(state) }
    });
    // The picture that is under way is finished.
    task::run(&server, |cx| viewer.poll(cx), || viewer.state.borrow_mut().joined = None).await;
}

struct Viewer {
    server: Rc<Server>,
    style: Style,
    client: Option<Rc<Client>>,
    state: RefCell<State>,
}

struct State {
    stream: Socket,
    sending: Sending,
    room: Room,
    /// Its place in the feed; none when it is to end.
    joined: Option<Joined>,
    pace: Pace,
    fps: Fps,
    dropped: u64,
    is_over: bool,
    waking: Waking,
}

impl Outlet for Viewer {
    fn offer(&self) {
        let state = &mut *self.state.borrow_mut();
        if state.sending.is_active() {
            // It is slow, and its own task waits for room.
            return;
        }
        // An error is met again by the task.
        if !matches!(state.send_due(self), Ok(true)) || state.is_over {
            state.waking.wake();
        }
    }

    fn holds_since(&self) -> Option<MonotonicNs> {
        self.state.borrow().sending.holds_since()
    }

    fn give_up(&self) {
        let state = &mut *self.state.borrow_mut();
        tcp::forget_unsent(&state.stream);
        state.sending = Sending::default();
        state.is_over = true;
        state.waking.wake();
    }
}

impl Viewer {
    fn poll(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let state = &mut *self.state.borrow_mut();
        state.waking.note(cx);
        for _ in 0..input::READS_AT_A_TIME {
            while !state.is_over && !state.send_due(self)? {
                if state.sending.poll(cx, &state.stream)?.is_pending() {
                    break;
                }
            }
            let is_done = state.joined.is_none() && !state.sending.is_active();
            // What a client says after its request is a pipelined one, which this connection will not answer.
            if state.is_over || is_done || ready!(input::poll_read(cx, &state.stream, |_| {}))? == 0
            {
                return Poll::Ready(Ok(()));
            }
        }
        // A flood must not keep out all others.
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl State {
    /// Sends what is due as long as the socket takes it at once; false when something is left in our hands.
    fn send_due(&mut self, viewer: &Viewer) -> io::Result<bool> {
        loop {
            if !self.sending.attempt(&self.stream)? {
                self.room.was_short();
                return Ok(false);
            }
            if self.is_over || !self.begin(viewer) {
                return Ok(true);
            }
        }
    }

    fn begin(&mut self, viewer: &Viewer) -> bool {
        let style = &viewer.style;
        let Some(joined) = &self.joined else { return false };
        if joined.is_gone() {
            self.is_over = true;
            return false;
        }
        let newest = joined.newest();
        let now = Instant::now();
        let Some(frame) = self.pace.due(&newest, now) else {
            if self.pace.lacks_key(&newest) {
                joined.want_key();
            }
            return false;
        };
        let info = *frame.info();
        if style.is_bare && info.format.fourcc != FourCc::H264 {
            // Nobody knew what the camera gives, and now it is something else.
            self.is_over = true;
            return false;
        }
        let most = info.format.fourcc.is_predicted().then(|| newest.recent.bytes());
        if !self.room.has(&self.stream, info.len, most) {
            return false;
        }
        let dropped = self.pace.begin(frame, &newest, now);
        self.dropped += dropped;
        viewer.server.count_frame(if style.is_empty { 0 } else { info.len }, dropped);
        let fps = self.fps.count(now);
        if let Some(client) = &viewer.client {
            client.fps.set(fps);
        }
        let wrapped =
            if style.is_common() { joined.wrapped(frame, Envelope::Multipart) } else { None };
        if let Some(wrapped) = wrapped {
            let part = 0..wrapped.info().len;
            self.sending.begin_frame(&[], wrapped, part, &[]);
            return true;
        }
        let head = style.part_head(&info, fps, self.dropped);
        let part = if style.is_empty { 0..0 } else { 0..info.len };
        self.sending.begin_frame(head.as_bytes(), Arc::<Frame>::clone(frame), part, style.tail());
        true
    }
}

/// Frames that a client got in the last whole second.
#[derive(Debug, Default)]
struct Fps {
    second: Option<Instant>,
    counted: u32,
    last: u32,
}

impl Fps {
    fn count(&mut self, now: Instant) -> u32 {
        let second = *self.second.get_or_insert(now);
        if now.duration_since(second) >= Duration::from_secs(1) {
            self.second = Some(now);
            self.last = std::mem::take(&mut self.counted);
        }
        self.counted += 1;
        self.last
    }
}
