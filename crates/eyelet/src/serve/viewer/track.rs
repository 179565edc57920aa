//! One stream that a viewer has started, and how far it has got in it.

use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::Duration;

use eyelet_area::MonotonicNs;
use eyelet_wire::v1::ErrorCode;
use eyelet_wire::websocket::Opcode;
use tokio::time::Instant;

use crate::serve::link::Link;
use crate::serve::tcp::Room;
use crate::serve::wrapping::Envelope;
use crate::serve::{Feed, Joined, Outlet, Server};

use super::pace::Pace;
use super::session::{self, Told, Turn};

/// A stream on its way to a viewer.
#[derive(Debug)]
pub(super) struct Track {
    feed: Rc<Feed>,
    /// Its place in the feed; none while it pauses.
    joined: Option<Joined>,
    pace: Pace,
    /// What the messages are; that of `eyelet.v1` and of the page that knows no protocol is binary.
    opcode: Opcode,
    /// What `eyelet.v1` says about it; none for bare frames.
    told: Option<Box<Told>>,
}

impl Track {
    /// A stream of bare frames.
    pub(super) fn bare(feed: Rc<Feed>, least: Option<Duration>, opcode: Opcode) -> Self {
        Self { feed, joined: None, pace: Pace::new(least), opcode, told: None }
    }

    /// A stream of frames with headers.
    pub(super) fn told(feed: Rc<Feed>, least: Option<Duration>, told: Told) -> Self {
        let told = Some(Box::new(told));
        Self { feed, joined: None, pace: Pace::new(least), opcode: Opcode::Binary, told }
    }

    /// What is said about it.
    pub(super) fn telling(&mut self) -> Option<&mut Told> {
        self.told.as_deref_mut()
    }

    /// The id that the client calls it by; none for bare frames.
    pub(super) fn id(&self) -> Option<u32> {
        self.told.as_ref().map(|told| told.stream())
    }

    /// The config id of its frames.
    pub(super) fn config_id(&self) -> Option<u8> {
        self.told.as_ref().map(|told| told.config_id())
    }

    /// Tells whether frames come.
    pub(super) fn is_playing(&self) -> bool {
        self.joined.is_some()
    }

    /// Lets frames come.
    pub(super) fn play(&mut self, outlet: Weak<dyn Outlet>) {
        if self.joined.is_none() {
            self.joined = Some(self.feed.join(outlet));
        }
    }

    /// The viewer can use nothing but a key frame.
    pub(super) fn need_key(&mut self) {
        self.pace.need_key();
    }

    /// Lets frames come no more.
    pub(super) fn pause(&mut self) {
        self.joined = None;
    }

    /// Begins whatever is to be sent next, if the viewer can take it. Call it only when the link is idle.
    pub(super) fn turn(
        &mut self,
        link: &mut Link,
        room: &mut Room,
        free_config_id: u8,
        server: &Server,
    ) -> Turn {
        let Some(joined) = &self.joined else { return Turn::Passed };
        let newest = joined.newest();
        if let Some(told) = &mut self.told
            && told.tell_state(&newest.state, link)
        {
            return Turn::Spoke;
        }
        if joined.is_gone() {
            match &self.told {
                Some(told) => {
                    let text = format!("stream {} is there no more", told.stream());
                    session::refuse(link, ErrorCode::NoStream, &text);
                }
                None => link.close(1001, "the stream is there no more"),
            }
            return Turn::Ended;
        }
        let now = Instant::now();
        let Some(frame) = self.pace.due(&newest, now) else {
            // A viewer that cannot take one does not ask for one.
            let is_ready = self.told.as_ref().is_none_or(|told| told.may_send(true));
            if is_ready && self.pace.lacks_key(&newest) {
                joined.want_key();
            }
            return Turn::Passed;
        };
        let info = *frame.info();
        let is_predicted = info.format.fourcc.is_predicted();
        let most = is_predicted.then(|| newest.recent.bytes());
        if self.told.as_ref().is_some_and(|told| !told.may_send(is_predicted))
            || !room.has(link.stream(), info.len, most)
        {
            return Turn::Passed;
        }
        if let Some(told) = &mut self.told {
            let codec = newest.recent.codec(info.sequence);
            let turn = told.configure(&info, codec, free_config_id, link);
            if turn != Turn::Passed {
                return turn;
            }
        }
        let dropped = self.pace.begin(frame, &newest, now);
        server.count_frame(info.len, dropped);
        match &mut self.told {
            Some(told) => {
                let header = told.header(&info, dropped, MonotonicNs::now());
                link.send_frame(self.opcode, &header, frame.clone(), 0..info.len);
            }
            None => {
                // A viewer that is late in a stream of H.264 gets another than the newest.
                let is_newest = newest.frame.as_ref().is_some_and(|n| Arc::ptr_eq(n, frame));
                let is_common = is_newest && self.opcode == Opcode::Binary;
                let wrapped = is_common.then(|| joined.wrapped(frame, Envelope::WebSocket));
                match wrapped.flatten() {
                    Some(wrapped) => link.send_wrapped(wrapped),
                    None => link.send_frame(self.opcode, &[], frame.clone(), 0..info.len),
                }
            }
        }
        Turn::Spoke
    }
}
