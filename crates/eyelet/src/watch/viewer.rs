//! One viewer: connects, reads, answers, and connects again.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use eyelet_wire::v1::FormatInfo;
use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};

use super::latency::Histogram;
use super::session::{Ended, Session, Witness};
use super::tally::{Arrived, Tally};
use super::{Options, Reading, handshake};
use crate::error::Error;

/// Bytes of the one read buffer: large enough that system calls do not count, small enough for a core's own cache.
const BUFFER: usize = 256 << 10;
/// Reads in a row before the other viewers have their turn: two large frames.
const READS_IN_A_ROW: u32 = 8;
/// Between the end of a connection and the next one.
const RECONNECT_AFTER: Duration = Duration::from_millis(100);
/// How often a slow viewer reads.
const SLOW_TURN: Duration = Duration::from_millis(50);
/// A slow viewer's receive buffer, so that the server soon feels that it is slow: the kernel's own may grow to megabytes.
const SLOW_RECEIVE_BUFFER: u32 = 64 << 10;
/// A latency beyond it means that the server's clock is not ours.
const LONGEST_LATENCY_US: u64 = 600_000_000;
/// Different remarks that are kept.
const MAX_REMARKS: usize = 50;

/// What is being counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Viewers connect; nothing counts yet.
    Connecting,
    /// Everything counts.
    Measuring,
    /// Only frames up to this number count.
    Ending(u64),
}

/// The newest frame that anybody has: number and time of capture, or of arrival, in µs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Newest {
    pub(crate) sequence: u64,
    pub(crate) at_us: u64,
}

/// What the viewers of one run share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) options: Options,
    pub(crate) addresses: Vec<SocketAddr>,
    pub(crate) phase: Cell<Phase>,
    pub(crate) newest: Cell<Option<Newest>>,
    pub(crate) format: RefCell<Option<FormatInfo>>,
    pub(crate) from_capture: RefCell<Histogram>,
    pub(crate) from_sending: RefCell<Histogram>,
    pub(crate) is_other_clock: Cell<bool>,
    /// Why nothing will ever come.
    pub(crate) refused: RefCell<Option<Error>>,
    pub(crate) connections: Cell<u64>,
    pub(crate) disconnects: Cell<u64>,
    pub(crate) reconnects: Cell<u64>,
    /// Viewers that have not given up.
    pub(crate) active: Cell<usize>,
    pub(crate) remarks: RefCell<BTreeMap<String, u64>>,
    buffer: RefCell<Vec<u8>>,
}

impl Shared {
    pub(crate) fn new(options: &Options, addresses: Vec<SocketAddr>) -> Self {
        Self {
            options: options.clone(),
            addresses,
            phase: Cell::new(Phase::Connecting),
            newest: Cell::default(),
            format: RefCell::default(),
            from_capture: RefCell::default(),
            from_sending: RefCell::default(),
            is_other_clock: Cell::default(),
            refused: RefCell::default(),
            connections: Cell::default(),
            disconnects: Cell::default(),
            reconnects: Cell::default(),
            active: Cell::new(options.viewers),
            remarks: RefCell::default(),
            buffer: RefCell::new(vec![0; BUFFER]),
        }
    }

    pub(crate) fn remark(&self, text: String) {
        let mut remarks = self.remarks.borrow_mut();
        if remarks.len() < MAX_REMARKS || remarks.contains_key(&text) {
            *remarks.entry(text).or_default() += 1;
        }
    }
}

/// One viewer's counts.
#[derive(Debug, Default)]
pub(crate) struct Viewer {
    pub(crate) tally: RefCell<Tally>,
    /// Counting may begin: a frame came, or none ever will because this viewer does not read.
    pub(crate) is_ready: Cell<bool>,
}

/// Watches until it is dropped, or until it is of no use to go on.
pub(crate) async fn watch(shared: Rc<Shared>, viewer: Rc<Viewer>) {
    let mut is_first = true;
    loop {
        let ended = connection(&shared, &viewer, &mut is_first).await;
        let text = match ended {
            Ended::Lost(text) => text,
            Ended::Refused(error) => {
                let text = error.to_string();
                if shared.phase.get() == Phase::Connecting {
                    shared.refused.borrow_mut().get_or_insert(error);
                    break;
                }
                text
            }
        };
        shared.disconnects.set(shared.disconnects.get() + 1);
        shared.remark(text);
        if !shared.options.reconnects {
            break;
        }
        sleep(RECONNECT_AFTER).await;
    }
    shared.active.set(shared.active.get() - 1);
}

/// Lives through one connection.
async fn connection(shared: &Shared, viewer: &Viewer, is_first: &mut bool) -> Ended {
    let options = &shared.options;
    let receive_buffer = matches!(options.reading, Reading::Slow(_)).then_some(SLOW_RECEIVE_BUFFER);
    let opened = handshake::open(&options.target, &shared.addresses, options.mode, receive_buffer);
    let (stream, rest) = match opened.await {
        Ok(opened) => opened,
        Err(error) if shared.connections.get() == 0 => return Ended::Refused(error),
        Err(error) => return Ended::Lost(error.to_string()),
    };
    shared.connections.set(shared.connections.get() + 1);
    if !std::mem::take(is_first) {
        shared.reconnects.set(shared.reconnects.get() + 1);
    }
    viewer.tally.borrow_mut().connected();
    let mut session = Session::new(options);
    let Err(ended) = converse(&stream, &mut session, &rest, shared, viewer).await;
    // The answer to a close, if there is one; whether it arrives changes nothing.
    drop(stream.try_write(&session.outgoing));
    ended
}

/// Reads and answers until the connection ends.
async fn converse(
    stream: &TcpStream,
    session: &mut Session,
    rest: &[u8],
    shared: &Shared,
    viewer: &Viewer,
) -> Result<std::convert::Infallible, Ended> {
    let mut view = View { shared, viewer };
    session.feed(rest, &mut view)?;
    let mut allowance = Allowance::new(shared.options.reading);
    loop {
        let may_read = shared.options.reading != Reading::Never || !session.is_started;
        if !may_read {
            viewer.is_ready.set(true);
        }
        let interest = match (may_read, session.outgoing.is_empty()) {
            (true, true) => Interest::READABLE,
            (true, false) => Interest::READABLE | Interest::WRITABLE,
            (false, false) => Interest::WRITABLE,
            (false, true) => Interest::ERROR,
        };
        let ready = stream.ready(interest).await.map_err(lost)?;
        if ready.is_error() && !may_read {
            return Err(lost(
                stream
                    .take_error()
                    .ok()
                    .flatten()
                    .unwrap_or_else(|| io::Error::from(io::ErrorKind::ConnectionReset)),
            ));
        }
        if ready.is_writable() && !session.outgoing.is_empty() {
            write(stream, session)?;
        }
        if ready.is_readable() && may_read {
            allowance.wait().await;
            let all_read = read(stream, session, &mut view, &mut allowance)?;
            if !session.outgoing.is_empty() {
                write(stream, session)?;
            }
            if !all_read {
                tokio::task::yield_now().await;
            }
        }
    }
}

/// Reads for one turn; tells whether there was nothing left.
fn read(
    stream: &TcpStream,
    session: &mut Session,
    view: &mut View<'_>,
    allowance: &mut Allowance,
) -> Result<bool, Ended> {
    let mut buffer = view.shared.buffer.borrow_mut();
    for _ in 0..READS_IN_A_ROW {
        let limit = allowance.left().min(buffer.len());
        if limit == 0 {
            return Ok(false);
        }
        match stream.try_read(&mut buffer[..limit]) {
            Ok(0) => {
                return Err(Ended::Lost("connection ended without a close message".to_owned()));
            }
            Ok(len) => {
                allowance.spend(len);
                session.feed(&buffer[..len], view)?;
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(true),
            Err(error) => return Err(lost(error)),
        }
    }
    Ok(false)
}

fn write(stream: &TcpStream, session: &mut Session) -> Result<(), Ended> {
    match stream.try_write(&session.outgoing) {
        Ok(len) => drop(session.outgoing.drain(..len)),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
        Err(error) => return Err(lost(error)),
    }
    Ok(())
}

#[expect(clippy::needless_pass_by_value, reason = "given to `map_err` as it is")]
fn lost(error: io::Error) -> Ended {
    Ended::Lost(format!("connection is lost: {error}"))
}

/// How many bytes may be read now.
struct Allowance {
    per_turn: Option<usize>,
    left: usize,
    next: Instant,
}

impl Allowance {
    fn new(reading: Reading) -> Self {
        let per_turn = match reading {
            Reading::Slow(bytes) => {
                let turns = 1000 / u32::try_from(SLOW_TURN.as_millis()).unwrap_or(1).max(1);
                Some(usize::try_from(bytes / turns).unwrap_or(usize::MAX).max(1))
            }
            Reading::Fast | Reading::Never => None,
        };
        Self { per_turn, left: per_turn.unwrap_or(usize::MAX), next: Instant::now() + SLOW_TURN }
    }

    fn left(&self) -> usize {
        self.left
    }

    fn spend(&mut self, len: usize) {
        if self.per_turn.is_some() {
            self.left -= len;
        }
    }

    /// Waits for the next turn if nothing is left.
    async fn wait(&mut self) {
        if let (0, Some(per_turn)) = (self.left, self.per_turn) {
            tokio::time::sleep_until(self.next).await;
            self.next = Instant::now() + SLOW_TURN;
            self.left = per_turn;
        }
    }
}

/// Counts for one viewer and for all.
struct View<'a> {
    shared: &'a Shared,
    viewer: &'a Viewer,
}

impl Witness for View<'_> {
    fn frame(&mut self, frame: Arrived, now_us: u64) {
        let shared = self.shared;
        if let (Phase::Ending(end), Some(sequence)) = (shared.phase.get(), frame.sequence)
            && sequence > end
        {
            return;
        }
        self.viewer.is_ready.set(true);
        if let Some(sequence) = frame.sequence
            && shared.newest.get().is_none_or(|newest| newest.sequence < sequence)
        {
            let at_us = frame.captured_us.unwrap_or(now_us);
            shared.newest.set(Some(Newest { sequence, at_us }));
        }
        if !self.viewer.tally.borrow_mut().add(&frame) || shared.phase.get() == Phase::Connecting {
            return;
        }
        for (from_us, histogram) in
            [(frame.captured_us, &shared.from_capture), (frame.sent_us, &shared.from_sending)]
        {
            let Some(from_us) = from_us else { continue };
            match now_us.checked_sub(from_us).filter(|us| *us < LONGEST_LATENCY_US) {
                Some(us) => histogram.borrow_mut().add(us),
                None => shared.is_other_clock.set(true),
            }
        }
    }

    fn frame_without_config(&mut self) {
        self.viewer.tally.borrow_mut().without_config += 1;
    }

    fn format(&mut self, format: &FormatInfo) {
        *self.shared.format.borrow_mut() = Some(format.clone());
    }

    fn remark(&mut self, text: String) {
        self.shared.remark(text);
    }
}
