//! A viewer with a WebSocket: bare frames of one stream, or `eyelet.v1` with several. Normative: `docs/ref/wire.md`.

use std::cell::RefCell;
use std::io;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::BytesMut;
use eyelet_area::MonotonicNs;
use eyelet_wire::v1::{
    ClientMessage, ErrorCode, MAX_CLIENT_MESSAGE_LEN, SUBPROTOCOL, ServerMessage, Start,
};
use eyelet_wire::websocket::{Message, Opcode};

use crate::serve::audience::{Hearer, News, Presence};
use crate::serve::inbox::Inbox;
use crate::serve::link::{Heard, Link};
use crate::serve::socket::Socket;
use crate::serve::tcp::Room;
use crate::serve::websocket::Upgrade;
use crate::serve::{Feed, Outlet, Server, streams};

use super::session::{self, Told, Turn, refuse};
use super::task::{self, Waking};
use super::track::Track;
use super::untold::Untold;

/// Streams that one socket carries; a wall of cameras, and far from what a page can paint.
const MAX_TRACKS: usize = 32;

/// What a client's address asks for; `eyelet.v1` says all that itself.
#[derive(Debug)]
pub(crate) struct Wanted {
    /// The stream.
    pub(crate) feed: Rc<Feed>,
    /// The least time from frame to frame.
    pub(crate) least: Option<Duration>,
}

/// Completes the handshake and sends frames until the viewer leaves or the process stops.
pub(crate) async fn run(
    server: Rc<Server>,
    stream: Socket,
    read_ahead: BytesMut,
    upgrade: Upgrade,
    wanted: Wanted,
) {
    let is_v1 = upgrade.offers_v1();
    let mut link =
        Link::new(stream, read_ahead, MAX_CLIENT_MESSAGE_LEN, Rc::clone(&server.counters));
    link.send_raw(&upgrade.response(is_v1.then_some(SUBPROTOCOL)));
    drop(upgrade);
    if is_v1 {
        session::greet(&server, &mut link).await;
    }
    let says = if is_v1 { Says::V1 } else { Says::Nothing };
    let viewer = Viewer::new(&server, link, says);
    if is_v1 {
        let hearer: Weak<dyn Hearer> = viewer.me.clone();
        server.audience.join(hearer);
    } else {
        viewer.add(Track::bare(wanted.feed, wanted.least, Opcode::Binary));
    }
    task::run(&server, |cx| viewer.poll(cx), || viewer.close(1001, "the server is stopping")).await;
}

/// A client whose app has said that it is to get each newest frame: a viewer until it leaves, or the app wants it back.
pub(crate) struct Following(Rc<Viewer>);

impl Following {
    /// Makes a viewer of a client that has a WebSocket already; its messages go on waiting for the app.
    pub(crate) fn start(
        server: &Rc<Server>,
        link: Link,
        inbox: Inbox,
        wanted: Wanted,
        opcode: Opcode,
    ) -> Self {
        let viewer = Viewer::new(server, link, Says::ToApp(inbox));
        viewer.add(Track::bare(wanted.feed, wanted.least, opcode));
        Self(viewer)
    }

    /// Sends frames; ready when the client has left.
    pub(crate) fn poll(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll(cx)
    }

    /// Sends no more frames and begins to close the connection.
    pub(crate) fn close(&self, code: u16, reason: &str) {
        self.0.close(code, reason);
    }

    /// Gives the client back. What is being sent is still to be finished.
    pub(crate) fn into_parts(self) -> Option<(Link, Inbox)> {
        // Others hold it only while they offer it something.
        let state = Rc::into_inner(self.0)?.state.into_inner();
        match state.says {
            Says::ToApp(inbox) => Some((state.link, inbox)),
            Says::V1 | Says::Nothing => None,
        }
    }
}

impl std::fmt::Debug for Following {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Following").finish_non_exhaustive()
    }
}

/// What a viewer's messages mean.
enum Says {
    /// Nothing: they are thrown away.
    Nothing,
    /// They are those of `eyelet.v1`.
    V1,
    /// They wait for the app.
    ToApp(Inbox),
}

struct Viewer {
    server: Rc<Server>,
    me: Weak<Viewer>,
    state: RefCell<State>,
}

struct State {
    link: Link,
    room: Room,
    tracks: Vec<Track>,
    /// Which track had the last turn.
    turn: usize,
    says: Says,
    last_config_id: u8,
    /// What `eyelet.v1` is still to say beside its streams.
    untold: Untold,
    /// Counts the viewer while a stream plays.
    presence: Option<Presence>,
    waking: Waking,
}

impl Outlet for Viewer {
    fn offer(&self) {
        let state = &mut *self.state.borrow_mut();
        if !state.link.is_idle() {
            // It is slow, and its own task waits for room.
            return;
        }
        // An error is met again by the task.
        if !matches!(state.send_due(&self.server), Ok(true)) {
            state.waking.wake();
        }
    }

    fn holds_since(&self) -> Option<MonotonicNs> {
        self.state.borrow().link.holds_since()
    }

    fn give_up(&self) {
        let state = &mut *self.state.borrow_mut();
        state.link.abort();
        state.waking.wake();
    }
}

impl Hearer for Viewer {
    fn tell(&self, news: &News) {
        self.state.borrow_mut().untold.add(news);
        self.offer();
    }
}

impl Viewer {
    fn new(server: &Rc<Server>, link: Link, says: Says) -> Rc<Self> {
        Rc::new_cyclic(|me: &Weak<Viewer>| {
            let state = State {
                link,
                room: Room::default(),
                tracks: Vec::new(),
                turn: 0,
                says,
                last_config_id: 0,
                untold: Untold::default(),
                presence: None,
                waking: Waking::default(),
            };
            Viewer { server: Rc::clone(server), me: me.clone(), state: RefCell::new(state) }
        })
    }

    fn poll(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let state = &mut *self.state.borrow_mut();
        let polled = self.poll_state(state, cx);
        self.count(state);
        polled
    }

    fn poll_state(&self, state: &mut State, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        state.waking.note(cx);
        loop {
            state.send_due(&self.server)?;
            match ready!(state.link.poll(cx))? {
                Heard::Message(message) => self.hear(state, message),
                Heard::Sent | Heard::Idle => {}
                Heard::Closed => return Poll::Ready(Ok(())),
            }
        }
    }

    /// Who has no stream that plays does not watch.
    fn count(&self, state: &mut State) {
        let is_watching = state.tracks.iter().any(Track::is_playing);
        if is_watching != state.presence.is_some() {
            state.presence = is_watching.then(|| Presence::new(&self.server));
        }
    }

    fn close(&self, code: u16, reason: &str) {
        let state = &mut *self.state.borrow_mut();
        state.tracks.clear();
        state.link.close(code, reason);
    }

    fn hear(&self, state: &mut State, message: Message) {
        match &mut state.says {
            Says::Nothing => {}
            Says::ToApp(inbox) => {
                if !inbox.push(message) {
                    state.link.close_too_many_messages();
                }
            }
            Says::V1 => self.obey(state, &message),
        }
    }

    /// Obeys a message of `eyelet.v1`.
    fn obey(&self, state: &mut State, message: &Message) {
        let Message::Text(text) = message else {
            return state.link.refuse(1003, "only text messages are understood here");
        };
        match ClientMessage::parse(text) {
            Ok(ClientMessage::Start(start)) => self.start(state, start),
            Ok(ClientMessage::Stop { stream }) => {
                state.tracks.retain(|track| stream.is_some() && track.id() != stream);
            }
            Ok(ClientMessage::Ack { seq, stream }) => {
                if let Some(told) = state.tracks_of(stream).find_map(Track::telling) {
                    told.acknowledge(seq);
                }
            }
            Ok(ClientMessage::Ping { c }) => {
                let pong = ServerMessage::Pong { c, s: MonotonicNs::now().as_micros() };
                state.link.send_text(&pong.to_json());
            }
            Ok(ClientMessage::Pause { stream }) => {
                state.tracks_of(stream).for_each(Track::pause);
            }
            Ok(ClientMessage::Play { stream }) => {
                for track in state.tracks_of(stream) {
                    track.play(self.me.clone());
                }
            }
            // Where all are key frames it changes nothing.
            Ok(ClientMessage::Key) => state.tracks.iter_mut().for_each(Track::need_key),
            // From a newer client.
            Ok(_) => {}
            Err(e) => refuse(&mut state.link, ErrorCode::BadMessage, &e.to_string()),
        }
    }

    /// Starts a stream beside the others, or anew.
    fn start(&self, state: &mut State, mut start: Start) {
        let first = || streams::first(&self.server).map_or(0, |feed| feed.id());
        let id = *start.stream.get_or_insert_with(first);
        let Some(feed) = self.server.feed(id) else {
            let text = format!("there is no stream {id}");
            return refuse(&mut state.link, ErrorCode::NoStream, &text);
        };
        state.tracks.retain(|track| track.id() != Some(id));
        if state.tracks.len() >= MAX_TRACKS {
            let text = format!("a socket carries {MAX_TRACKS} streams: stop one first");
            return refuse(&mut state.link, ErrorCode::Busy, &text);
        }
        let formats = start.formats.as_deref().unwrap_or_default();
        let Some(feed) = streams::in_format(&self.server, &feed, formats) else {
            let text = format!("stream {id} has none of the formats that were asked for");
            return refuse(&mut state.link, ErrorCode::NoFormat, &text);
        };
        let least = start.maxfps.map(|fps| Duration::from_secs(1) / fps.max(1));
        let mut track = Track::told(feed, least, Told::new(start));
        track.play(self.me.clone());
        state.tracks.push(track);
    }

    fn add(&self, mut track: Track) {
        track.play(self.me.clone());
        let state = &mut *self.state.borrow_mut();
        state.tracks.push(track);
        self.count(state);
    }
}

impl State {
    /// Sends what is due as long as the socket takes it at once; false when something is left in our hands.
    fn send_due(&mut self, server: &Server) -> io::Result<bool> {
        loop {
            if !self.link.push()? {
                self.room.was_short();
                return Ok(false);
            }
            if !self.link.is_idle() || !self.begin_next(server) {
                return Ok(true);
            }
        }
    }

    /// Gives each track its turn until one has something to say.
    fn begin_next(&mut self, server: &Server) -> bool {
        if let Some(message) = self.untold.next() {
            self.link.send_text(&message.to_json());
            return true;
        }
        for _ in 0..self.tracks.len() {
            self.turn = (self.turn + 1) % self.tracks.len();
            let free_id = self.free_config_id();
            let track = &mut self.tracks[self.turn];
            match track.turn(&mut self.link, &mut self.room, free_id, server) {
                Turn::Passed => {}
                Turn::Spoke => {
                    self.last_config_id = track.config_id().unwrap_or(self.last_config_id);
                    return true;
                }
                Turn::Ended => {
                    self.tracks.remove(self.turn);
                    return true;
                }
            }
        }
        false
    }

    /// Gives the next config id that no track uses.
    fn free_config_id(&self) -> u8 {
        let mut id = self.last_config_id;
        loop {
            id = id.wrapping_add(1);
            if self.tracks.iter().all(|track| track.config_id() != Some(id)) {
                return id;
            }
        }
    }

    /// The track of one stream, or all.
    fn tracks_of(&mut self, stream: Option<u32>) -> impl Iterator<Item = &mut Track> {
        self.tracks.iter_mut().filter(move |track| stream.is_none() || track.id() == stream)
    }
}
