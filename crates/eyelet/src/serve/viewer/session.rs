//! What a viewer has asked for, in bare mode and in `eyelet.v1`. Normative: `docs/ref/wire.md`.

use std::collections::VecDeque;
use std::time::Duration;

use eyelet_area::{Format, FourCc, FrameInfo, Matrix, MonotonicNs, Range, State};
use eyelet_wire::v1::{
    self, ClientMessage, ErrorCode, FRAME_HEADER_LEN, FormatInfo, FrameFlags, FrameHeader,
    ServerMessage, Start, StreamInfo, StreamState,
};
use eyelet_wire::websocket::Message;

use crate::serve::link::Link;
use crate::serve::{Newest, Server, Watching};

/// How long a `hello` waits for streams that have not said yet what they are.
const HELLO_PATIENCE: Duration = Duration::from_millis(500);

/// What a viewer has asked for.
#[derive(Debug)]
pub(super) enum Session {
    /// Bare frames of one stream.
    Bare {
        /// The stream's id.
        stream: u32,
    },
    /// The protocol with a header before each frame.
    V1(Box<V1>),
}

#[derive(Debug, Default)]
pub(super) struct V1 {
    start: Option<Start>,
    /// Counts the starts, so that each is seen as something new.
    starts: u32,
    is_paused: bool,
    /// Sequences that were sent and not acknowledged, oldest first; kept only where a window bounds them.
    unacknowledged: VecDeque<u64>,
    config_id: u8,
    configured: Option<(Format, Duration)>,
    dropped: u32,
    told: Option<State>,
}

/// Which stream is wanted, and by which `start`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    stream: u32,
    start: u32,
}

impl Session {
    /// A client without a subprotocol gets the stream that its address names, bare.
    pub(super) fn bare(stream: u32) -> Self {
        Self::Bare { stream }
    }

    /// Greets a client of `eyelet.v1`.
    pub(super) async fn v1(server: &Server, link: &mut Link) -> Self {
        let mut watching: Vec<Watching> = server.feeds.iter().map(|feed| feed.watch()).collect();
        let deadline = tokio::time::Instant::now() + HELLO_PATIENCE;
        let mut streams = Vec::with_capacity(watching.len());
        let mut lost = Vec::new();
        for watching in &mut watching {
            let left = deadline.saturating_duration_since(tokio::time::Instant::now());
            let newest = watching.first(left).await;
            let stream = describe_stream(watching, &newest);
            if let State::NoSignal { why } = newest.state {
                let (stream, state, why) = (stream.id, StreamState::NoSignal, Some(why));
                lost.push(ServerMessage::State { stream, state, why });
            }
            streams.push(stream);
        }
        let server = format!("eyelet/{}", env!("CARGO_PKG_VERSION"));
        link.send_text(&ServerMessage::Hello { v: v1::VERSION, server, streams }.to_json());
        // Why there is no picture, for those who come while there is none.
        for state in lost {
            link.send_text(&state.to_json());
        }
        Self::V1(Box::default())
    }

    /// The stream that the viewer wants now.
    pub(super) fn wanted(&self) -> Option<Wanted> {
        match self {
            Self::Bare { stream } => Some(Wanted { stream: *stream, start: 0 }),
            Self::V1(v1) if v1.is_paused => None,
            Self::V1(v1) => v1
                .start
                .as_ref()
                .map(|start| Wanted { stream: start.stream.unwrap_or(0), start: v1.starts }),
        }
    }

    /// Obeys a message; in bare mode they are thrown away.
    pub(super) fn hear(&mut self, message: &Message, server: &Server, link: &mut Link) {
        let Self::V1(v1) = self else { return };
        let Message::Text(text) = message else {
            return link.close(1003, "only text messages are understood here");
        };
        match ClientMessage::parse(text) {
            Ok(ClientMessage::Start(start)) => v1.start(start, server, link),
            Ok(ClientMessage::Ack { seq }) => v1.acknowledge(seq),
            Ok(ClientMessage::Ping { c }) => {
                link.send_text(
                    &ServerMessage::Pong { c, s: MonotonicNs::now().as_micros() }.to_json(),
                );
            }
            Ok(ClientMessage::Pause) => v1.is_paused = true,
            Ok(ClientMessage::Play) => v1.is_paused = false,
            // Raw frames and pictures are all key frames; unknown words are a newer client's.
            Ok(_) => {}
            Err(e) => refuse(link, ErrorCode::BadMessage, &e.to_string()),
        }
    }

    /// Tells the viewer that the picture went away or came back.
    pub(super) fn tell_state(&mut self, newest: &Newest, link: &mut Link) {
        let Self::V1(v1) = self else { return };
        // Live is told only after something else was.
        let told = v1.told.get_or_insert(State::Live);
        if newest.state == State::NoSignalYet || *told == newest.state {
            return;
        }
        told.clone_from(&newest.state);
        let state = if newest.state.is_live() { StreamState::Live } else { StreamState::NoSignal };
        let why = Some(newest.state.why().to_owned()).filter(|why| !why.is_empty());
        let stream = v1.start.as_ref().and_then(|start| start.stream).unwrap_or(0);
        link.send_text(&ServerMessage::State { stream, state, why }.to_json());
    }

    /// Tells whether the viewer's window has room.
    pub(super) fn may_send(&self) -> bool {
        match self {
            Self::Bare { .. } => true,
            Self::V1(v1) => v1.window().is_none_or(|window| v1.unacknowledged.len() < window),
        }
    }

    /// The least time from frame to frame that the viewer wants.
    pub(super) fn least_interval(&self) -> Option<Duration> {
        match self {
            Self::Bare { .. } => None,
            Self::V1(v1) => {
                v1.start.as_ref()?.maxfps.map(|fps| Duration::from_secs(1) / fps.max(1))
            }
        }
    }

    /// Sends the message that describes the frames from here on, if they have changed; true if it did.
    pub(super) fn configure(&mut self, info: &FrameInfo, link: &mut Link) -> bool {
        let Self::V1(v1) = self else { return false };
        if v1.configured == Some((info.format, info.interval)) {
            return false;
        }
        let format = describe_format(info);
        let start = v1.start.clone().unwrap_or_default();
        let wanted = start.formats.unwrap_or_default();
        v1.configured = Some((info.format, info.interval));
        if !wanted.is_empty() && !wanted.contains(&format.format) {
            let text = format!("the stream is `{}`, which was not asked for", format.format);
            refuse(link, ErrorCode::NoFormat, &text);
            v1.start = None;
            return true;
        }
        v1.config_id = v1.config_id.wrapping_add(1);
        let stream = start.stream.unwrap_or(0);
        link.send_text(&ServerMessage::Config { id: v1.config_id, stream, format }.to_json());
        true
    }

    /// Gives the header of a frame that is begun now; none in bare mode.
    pub(super) fn prefix(
        &mut self,
        info: &FrameInfo,
        dropped: u64,
    ) -> Option<[u8; FRAME_HEADER_LEN]> {
        let Self::V1(v1) = self else { return None };
        if v1.window().is_some() {
            v1.unacknowledged.push_back(info.sequence);
        }
        v1.dropped = v1.dropped.wrapping_add(u32::try_from(dropped).unwrap_or(u32::MAX));
        let header = FrameHeader {
            flags: FrameFlags { key: info.flags.is_key, discontinuity: dropped > 0 },
            config_id: v1.config_id,
            dropped: v1.dropped,
            sequence: info.sequence,
            captured_us: info.captured_at.as_micros(),
            sent_us: MonotonicNs::now().as_micros(),
        };
        Some(header.encode())
    }
}

impl V1 {
    fn window(&self) -> Option<usize> {
        self.start.as_ref().and_then(|start| start.window).map(usize::from)
    }

    fn start(&mut self, start: Start, server: &Server, link: &mut Link) {
        let stream = start.stream.unwrap_or(0);
        if server.feed(stream).is_none() {
            return refuse(link, ErrorCode::NoStream, &format!("there is no stream {stream}"));
        }
        self.start = Some(start);
        self.starts = self.starts.wrapping_add(1);
        self.unacknowledged.clear();
        self.configured = None;
        self.dropped = 0;
        self.told = None;
    }

    fn acknowledge(&mut self, sequence: u64) {
        while self.unacknowledged.front().is_some_and(|&oldest| oldest <= sequence) {
            self.unacknowledged.pop_front();
        }
    }
}

fn refuse(link: &mut Link, code: ErrorCode, message: &str) {
    link.send_text(&ServerMessage::Error { code, message: message.to_owned() }.to_json());
}

fn describe_stream(watching: &Watching, newest: &Newest) -> StreamInfo {
    let place = watching.place();
    StreamInfo {
        id: u32::try_from(place.id).unwrap_or(u32::MAX),
        name: place.name.clone(),
        state: if newest.frame.is_some() { StreamState::Live } else { StreamState::NoSignal },
        formats: newest.frame.iter().map(|frame| describe_format(frame.info())).collect(),
    }
}

fn describe_format(info: &FrameInfo) -> FormatInfo {
    let format = info.format;
    FormatInfo {
        format: name(format.fourcc),
        fourcc: format.fourcc.to_string(),
        width: format.width,
        height: format.height,
        stride: format.stride,
        fps: fps(info.interval),
        matrix: match format.matrix {
            Matrix::Unspecified | Matrix::Bt601 => v1::Matrix::Bt601,
            Matrix::Bt709 => v1::Matrix::Bt709,
            Matrix::Bt2020 => v1::Matrix::Bt2020,
            Matrix::Smpte240m => v1::Matrix::Unknown,
        },
        range: match format.range {
            Range::Unspecified | Range::Limited => v1::Range::Limited,
            Range::Full => v1::Range::Full,
        },
    }
}

/// Rounds to a thousandth, so that 33,333,333 ns are 30 frames a second.
fn fps(interval: Duration) -> f64 {
    if interval.is_zero() { 0.0 } else { (1000.0 / interval.as_secs_f64()).round() / 1000.0 }
}

fn name(fourcc: FourCc) -> String {
    match fourcc {
        FourCc::RGB24 => "rgb24".to_owned(),
        FourCc::MJPEG => "jpeg".to_owned(),
        other => other.to_string().to_ascii_lowercase(),
    }
}

impl Wanted {
    /// The stream's id.
    pub(super) fn stream(self) -> u32 {
        self.stream
    }
}
