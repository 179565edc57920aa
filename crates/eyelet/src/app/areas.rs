//! What an app does with areas: waits, sends, follows, reads, writes, counts.

use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use eyelet_area::Frame;
use eyelet_area::message::{Answer, Op, Outcome as AreaOutcome};
use eyelet_wire::verbs::{Area, Bits, Kind, MAX_PAYLOAD_LEN};
use eyelet_wire::websocket::Opcode;
use tokio::time::Instant;

use super::client::Client;
use super::followed::{Followed, changed};
use super::messages::Messages;
use super::outcome::{Outcome, Reply, deadline, gone, interrupted, until};
use super::session::Session;
use crate::config::Origin;
use crate::serve::counters::count;
use crate::serve::streams;
use crate::serve::viewer::{Following, Pace, WantedFrames};
use crate::serve::{Feed, Newest};

impl Session<'_> {
    /// Waits for a frame that is newer than the last one that was waited for, sent or read.
    pub(super) async fn wait(&mut self, area: &Area, timeout: Option<Duration>) -> Outcome {
        let (_, sequence) = self.first_of(timeout, false, std::slice::from_ref(area)).await?;
        Ok(Reply::words(sequence))
    }

    /// Waits for a message of the client, or for a newer frame of one of the areas.
    pub(super) async fn wait_any(
        &mut self,
        timeout: Option<Duration>,
        recv: bool,
        areas: &[Area],
    ) -> Outcome {
        if recv {
            self.messages()?;
        }
        match self.first_of(timeout, recv, areas).await? {
            (None, _) => Ok(Reply::words("recv")),
            (Some(area), sequence) => Ok(Reply::words(format!("{area} {sequence}"))),
        }
    }

    /// Waits for the first of these; gives the area and the sequence, or no area for a message.
    async fn first_of<'a>(
        &mut self,
        timeout: Option<Duration>,
        recv: bool,
        areas: &'a [Area],
    ) -> Result<(Option<&'a Area>, u64), (Kind, String)> {
        let mut waited_for = Vec::with_capacity(areas.len());
        for area in areas {
            waited_for.push((self.watch(area)?, area));
        }
        let deadline = deadline(timeout);
        loop {
            if recv && self.messages()?.has_message() {
                return Ok((None, 0));
            }
            let now = Instant::now();
            for (id, area) in &waited_for {
                let Some(followed) = self.areas.get_mut(id) else { continue };
                let newest = followed.watching.newest_seen();
                if let Some(frame) = followed.pace.due(&newest, now) {
                    let sequence = frame.info().sequence;
                    let dropped = followed.pace.begin(frame, &newest, now);
                    count(&self.server.counters.frames_dropped, dropped);
                    return Ok((Some(area), sequence));
                }
                if followed.pace.lacks_key(&newest) {
                    followed.watching.feed().want_key();
                }
            }
            let Some(client) = &mut self.client else { return Err(gone()) };
            let ids: Vec<usize> = waited_for.iter().map(|(id, _)| *id).collect();
            tokio::select! {
                () = changed(&mut self.areas, &ids) => {}
                is_there = client.has_come(recv) => if !is_there { return Err(gone()) },
                interruption = self.app.interrupted() => return Err(interrupted(interruption)),
                () = until(deadline) => {
                    let what = if recv { "nothing" } else { "no newer frame" };
                    return Err((Kind::Timeout, format!("{what} came in time")));
                }
            }
        }
    }

    /// Sends a part of the newest frame.
    pub(super) async fn send_area(
        &mut self,
        area: &Area,
        pos: u64,
        len: Option<u64>,
        opcode: Opcode,
    ) -> Outcome {
        if !self.client().has_answer() {
            let text = "nothing was answered yet: shake hands first, or send a head";
            return Err((Kind::BadState, text.to_owned()));
        }
        let frame = self.newest(area).await?;
        let end = end_of(&frame, pos, len)?;
        let sequence = frame.info().sequence;
        let sent = match self.client() {
            Client::WebSocket(messages) => messages.send_frame(opcode, frame, pos..end).await,
            client => client.body_frame(frame, pos..end).await,
        };
        sent.map_err(|_| gone())?;
        self.server.count_frame(end - pos, 0);
        Ok(Reply::words(sequence))
    }

    /// Makes the client a viewer of an area until it leaves or the app says stop.
    pub(super) async fn follow(&mut self, area: &Area, opcode: Opcode) -> Outcome {
        self.messages()?;
        let feed = self.find(area)?;
        let (link, inbox) = match self.client.take() {
            Some(Client::WebSocket(messages)) => messages.into_parts(),
            _ => return Err(gone()),
        };
        let wanted = WantedFrames { feed, least: self.request.least_interval };
        let following = Following::start(self.server, link, inbox, wanted, opcode);
        self.client = Some(Client::Following(following));
        let Some(Client::Following(following)) = &self.client else { return Err(gone()) };
        let end = tokio::select! {
            // Why it ended does not matter: the client is gone.
            _ = poll_fn(|cx| following.poll(cx)) => None,
            interruption = self.app.interrupted() => Some(interruption),
        };
        let parts = match self.client.take() {
            Some(Client::Following(following)) => following.into_parts(),
            _ => None,
        };
        let (link, inbox) = parts.ok_or((Kind::Internal, "the client is lost".to_owned()))?;
        self.client = Some(Client::WebSocket(Box::new(Messages::new(link, inbox))));
        Err(end.map_or_else(gone, interrupted))
    }

    /// Reads from the newest frame; from an application area what all changes before have made of it.
    pub(super) async fn read(&mut self, area: &Area, pos: u64, len: Option<u64>) -> Outcome {
        if matches!(self.find(area)?.place().origin, Origin::App { .. }) {
            let ask = Op::Read { pos, len: len.unwrap_or(0) };
            let answer = self.ask(area, ask).await?;
            return Ok(Reply::payload("", answer.payload));
        }
        let frame = self.newest(area).await?;
        let end = end_of(&frame, pos, len)?;
        if end - pos > MAX_PAYLOAD_LEN as u64 {
            let text = format!("read takes {MAX_PAYLOAD_LEN} bytes at a time, not {}", end - pos);
            return Err((Kind::TooLarge, text));
        }
        let failed = |text: String| (Kind::Internal, text);
        let bytes = frame.bytes().map_err(|e| failed(e.to_string()))?;
        let part = |at: u64| usize::try_from(at).map_err(|e| failed(e.to_string()));
        Ok(Reply::payload("", Bytes::copy_from_slice(&bytes[part(pos)?..part(end)?])))
    }

    pub(super) async fn write(&mut self, area: &Area, pos: u64, payload: &[u8]) -> Outcome {
        let answer = self.ask(area, Op::Write { pos, payload: payload.to_vec() }).await?;
        Ok(Reply::words(answer.sequence))
    }

    pub(super) async fn inc(&mut self, area: &Area, pos: u64, bits: Bits, amount: i64) -> Outcome {
        let answer = self.ask(area, Op::Add { pos, bits: width(bits), amount }).await?;
        Ok(Reply::words(answer.value))
    }

    /// Asks the area's owner.
    async fn ask(&mut self, area: &Area, op: Op) -> Result<Answer, (Kind, String)> {
        let feed = self.find(area)?;
        let place = feed.place();
        let name = &place.name;
        let refused = |why: &str| {
            let text = match why {
                "" => format!("area {name} takes no such request"),
                why => format!("area {name}: {why}"),
            };
            (Kind::Refused, text)
        };
        if !feed.place().origin.may_take_requests() {
            return Err(refused(""));
        }
        let answer = feed.requests().ask(op).await;
        let answer = answer.map_err(|e| (Kind::Internal, format!("area {name}: {e}")))?;
        match answer.outcome {
            AreaOutcome::Done => Ok(answer),
            AreaOutcome::OutOfRange => {
                let text = format!("area {name} has {} bytes; that part lies beyond", answer.value);
                Err((Kind::OutOfRange, text))
            }
            AreaOutcome::Refused => Err(refused(answer.why())),
            AreaOutcome::TooLong => {
                let most = eyelet_area::message::MAX_REQUEST_PAYLOAD_LEN;
                let text = format!("a read of area {name} takes {most} bytes at the most");
                Err((Kind::TooLarge, text))
            }
        }
    }

    /// Lists the areas, a line for each.
    pub(super) fn list(&self) -> Reply {
        let feeds = self.server.feeds();
        let lines = feeds.iter().map(|feed| streams::line(feed));
        Reply::payload("", lines.collect::<String>())
    }

    /// Gives the newest frame, waiting for the first one if none has come yet, and notes that this request had it.
    async fn newest(&mut self, area: &Area) -> Result<Arc<Frame>, (Kind, String)> {
        let id = self.watch(area)?;
        let patience = self.server.limits().send_timeout;
        let (Some(followed), Some(client)) = (self.areas.get_mut(&id), &mut self.client) else {
            return Err(gone());
        };
        let sequence = followed.pace.last_sequence();
        // Where frames need those before them: the one that was waited for, as long as it is there.
        let pick = |newest: &Newest| {
            newest.recent.of_sequence(sequence).or_else(|| newest.alone()).cloned()
        };
        if pick(&followed.watching.newest()).is_none() {
            followed.watching.feed().want_key();
        }
        let newest = tokio::select! {
            newest = followed.watching.first_that(patience, pick) => newest,
            () = client.gone() => return Err(gone()),
        };
        let Some(frame) = newest.frame.clone() else {
            return Err((Kind::OutOfRange, format!("there is no frame: {}", newest.state.why())));
        };
        let dropped = followed.pace.had(&frame, &newest);
        count(&self.server.counters.frames_dropped, dropped);
        Ok(frame)
    }

    fn watch(&mut self, area: &Area) -> Result<usize, (Kind, String)> {
        let feed = self.find(area)?;
        let id = feed.place().id;
        if !self.areas.contains_key(&id) {
            let watching = feed.watch();
            let pace = Pace::new(self.request.least_interval);
            self.areas.insert(id, Followed { watching, pace });
        }
        Ok(id)
    }

    fn find(&self, area: &Area) -> Result<Rc<Feed>, (Kind, String)> {
        let found = match area {
            Area::Id(id) => self.server.feed(*id),
            Area::Name(name) => self.server.feed_named(name),
        };
        found.ok_or_else(|| (Kind::NoArea, format!("there is no area {area}")))
    }
}

fn width(bits: Bits) -> eyelet_area::message::Bits {
    match bits {
        Bits::B8 => eyelet_area::message::Bits::B8,
        Bits::B16 => eyelet_area::message::Bits::B16,
        Bits::B32 => eyelet_area::message::Bits::B32,
        Bits::B64 => eyelet_area::message::Bits::B64,
    }
}

/// Where a part ends that must lie inside the frame.
fn end_of(frame: &Frame, pos: u64, len: Option<u64>) -> Result<u64, (Kind, String)> {
    let whole = frame.info().len;
    let end = len.map_or(Some(whole), |len| pos.checked_add(len));
    end.filter(|end| *end <= whole && pos <= *end).ok_or_else(|| {
        (Kind::OutOfRange, format!("the frame has {whole} bytes; that part lies beyond"))
    })
}
