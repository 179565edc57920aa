//! What `eyelet.v1` says to a viewer about one stream, and how the greeting is made. Normative: `docs/ref/wire.md`.

use std::collections::VecDeque;
use std::time::Duration;

use eyelet_area::{Format, FrameInfo, MonotonicNs, State};
use eyelet_wire::v1::{
    self, ErrorCode, FRAME_HEADER_LEN, FormatInfo, FrameFlags, FrameHeader, ServerMessage, Start,
    StreamInfo, StreamState,
};

use crate::config::Origin;
use crate::serve::link::Link;
use crate::serve::{Server, Watching, streams};

/// How long a `hello` waits for cameras that have not said yet what they are.
const HELLO_PATIENCE: Duration = Duration::from_millis(500);

/// Frames that may be unacknowledged beyond the window where they need those before them: none can be left out, so that a
/// window for the newest would stop such a stream on any link that is far.
const PREDICTED_WINDOW: usize = 8;

/// What a track has done with its turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// There was nothing to do.
    Passed,
    /// A message waits or is begun.
    Spoke,
    /// It cannot go on, and the viewer is told so.
    Ended,
}

/// What a viewer was told about a stream that it has started.
#[derive(Debug)]
pub(super) struct Told {
    stream: u32,
    formats: Vec<String>,
    window: Option<usize>,
    /// Sequences that were sent and not acknowledged, oldest first; kept only where a window bounds them.
    unacknowledged: VecDeque<u64>,
    config_id: u8,
    configured: Option<(Format, Duration, Option<String>)>,
    dropped: u32,
    /// Live is told only after something else was.
    state: State,
}

impl Told {
    /// Begins with what a `start` asks for.
    pub(super) fn new(start: Start) -> Self {
        Self {
            stream: start.stream.unwrap_or(0),
            formats: start.formats.unwrap_or_default(),
            window: start.window.map(usize::from),
            unacknowledged: VecDeque::new(),
            config_id: 0,
            configured: None,
            dropped: 0,
            state: State::Live,
        }
    }

    /// The stream's id, as the client calls it.
    pub(super) fn stream(&self) -> u32 {
        self.stream
    }

    /// The id of the last `config`.
    pub(super) fn config_id(&self) -> u8 {
        self.config_id
    }

    /// Takes an `ack`: this frame and all before it are painted or given up.
    pub(super) fn acknowledge(&mut self, sequence: u64) {
        while self.unacknowledged.front().is_some_and(|&oldest| oldest <= sequence) {
            self.unacknowledged.pop_front();
        }
    }

    /// Tells whether the viewer's window has room for a frame.
    pub(super) fn may_send(&self, is_predicted: bool) -> bool {
        let beyond = if is_predicted { PREDICTED_WINDOW } else { 0 };
        self.window.is_none_or(|window| self.unacknowledged.len() < window + beyond)
    }

    /// Tells the viewer that the picture went away or came back; true if there was something to tell.
    pub(super) fn tell_state(&mut self, state: &State, link: &mut Link) -> bool {
        if *state == State::NoSignalYet || self.state == *state {
            return false;
        }
        self.state.clone_from(state);
        let why = Some(state.why().to_owned()).filter(|why| !why.is_empty());
        let state = if state.is_live() { StreamState::Live } else { StreamState::NoSignal };
        link.send_text(&ServerMessage::State { stream: self.stream, state, why }.to_json());
        true
    }

    /// Sends the message that describes the frames from here on, if they have changed.
    pub(super) fn configure(
        &mut self,
        info: &FrameInfo,
        codec: Option<&str>,
        free_id: u8,
        link: &mut Link,
    ) -> Turn {
        let is_told = |(format, interval, told): &(Format, Duration, Option<String>)| {
            (*format, *interval, told.as_deref()) == (info.format, info.interval, codec)
        };
        if self.configured.as_ref().is_some_and(is_told) {
            return Turn::Passed;
        }
        let codec = codec.map(str::to_owned);
        let format =
            FormatInfo { codec: codec.clone(), ..streams::describe(&info.format, info.interval) };
        if !self.formats.is_empty() && !self.formats.contains(&format.format) {
            let text = format!("the stream is `{}`, which was not asked for", format.format);
            refuse(link, ErrorCode::NoFormat, &text);
            return Turn::Ended;
        }
        self.configured = Some((info.format, info.interval, codec));
        self.config_id = free_id;
        let config = ServerMessage::Config { id: free_id, stream: self.stream, format };
        link.send_text(&config.to_json());
        Turn::Spoke
    }

    /// Gives the header of a frame that is begun now.
    pub(super) fn header(
        &mut self,
        info: &FrameInfo,
        dropped: u64,
        now: MonotonicNs,
    ) -> [u8; FRAME_HEADER_LEN] {
        if self.window.is_some() {
            self.unacknowledged.push_back(info.sequence);
        }
        self.dropped = self.dropped.wrapping_add(u32::try_from(dropped).unwrap_or(u32::MAX));
        let header = FrameHeader {
            flags: FrameFlags { key: info.flags.is_key, discontinuity: dropped > 0 },
            config_id: self.config_id,
            dropped: self.dropped,
            sequence: info.sequence,
            captured_us: info.captured_at.as_micros(),
            sent_us: now.as_micros(),
        };
        header.encode()
    }
}

/// Says that a request could not be met.
pub(super) fn refuse(link: &mut Link, code: ErrorCode, message: &str) {
    link.send_text(&ServerMessage::Error { code, message: message.to_owned() }.to_json());
}

/// Says who speaks and what there is, and why there is no picture, where there is none.
///
/// Only cameras are asked what they are: looking at a derived stream would make its encoder work.
pub(super) async fn greet(server: &Server, link: &mut Link) {
    let feeds = server.feeds();
    let cameras = feeds.iter().filter(|feed| feed.place().origin.is_shown_first());
    let mut watching: Vec<Watching> = cameras.map(|feed| feed.watch()).collect();
    let deadline = tokio::time::Instant::now() + HELLO_PATIENCE;
    let mut lost = Vec::new();
    for watching in &mut watching {
        let left = deadline.saturating_duration_since(tokio::time::Instant::now());
        let newest = watching.first(left).await;
        let stream = watching.feed().id();
        if let State::NoSignal { why } = newest.state {
            let (state, why) = (StreamState::NoSignal, Some(why));
            lost.push(ServerMessage::State { stream, state, why });
        }
    }
    let streams = feeds.iter().filter(|feed| !matches!(feed.place().origin, Origin::App { .. }));
    let streams = streams.map(|feed| {
        let camera = feed.place().camera();
        let is_live =
            watching.iter().any(|w| w.feed().place().id == camera && w.newest().frame.is_some());
        StreamInfo {
            id: feed.id(),
            name: feed.place().name.clone(),
            of: feed.place().of().and_then(|id| u32::try_from(id).ok()),
            state: if is_live { StreamState::Live } else { StreamState::NoSignal },
            formats: if is_live { streams::formats(server, feed) } else { Vec::new() },
        }
    });
    let hello = ServerMessage::Hello {
        v: v1::VERSION,
        server: format!("eyelet/{}", env!("CARGO_PKG_VERSION")),
        streams: streams.collect(),
    };
    link.send_text(&hello.to_json());
    for state in lost {
        link.send_text(&state.to_json());
    }
}
