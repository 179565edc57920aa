//! An area of application data: bytes that many processes read and change, one request after the other.

use std::os::fd::{AsFd, BorrowedFd};

use crate::message::{Answer, Ask, Bits, MAX_REQUEST_PAYLOAD_LEN, Outcome, State};
use crate::{Error, ErrorKind, Format, Frame, FrameBuilder, MonotonicNs, Owner, Result};

/// Bytes of such an area at most. Each state that somebody follows is a copy of all of it: 16 MiB take some milliseconds.
pub const MAX_KEEP_LEN: u64 = 16 << 20;

/// What happened in one [`Keep::turn`].
#[derive(Debug, Default)]
pub struct KeepTurn {
    /// Requests that were answered.
    pub applied: u64,
    /// Subscribers that were sent away, and why; also why a state could not be published, which the next turn tries
    /// again.
    pub refused: Vec<Error>,
}

/// The owner of an area of application data, which begins as zeroes.
///
/// It polls readable ([`AsFd`]) when [`turn`](Self::turn) has something to do: call that then. Nothing here waits.
///
/// Whoever follows the area gets each state as a frame, whole; what several requests of one turn have changed is one
/// state. While nobody follows, a change costs no more than the bytes that it changes.
#[derive(Debug)]
pub struct Keep {
    owner: Owner,
    bytes: Vec<u8>,
    /// The newest frame is what the bytes are.
    is_published: bool,
}

impl Keep {
    /// Makes the area's owner hold `len` bytes.
    ///
    /// # Errors
    /// [`ErrorKind::TooLarge`] for no byte, or more than [`MAX_KEEP_LEN`].
    pub fn new(owner: Owner, len: u64) -> Result<Self> {
        let fits = usize::try_from(len).ok().filter(|_| (1..=MAX_KEEP_LEN).contains(&len));
        let len = fits.ok_or_else(|| {
            let text = format!("an area of {len} bytes; it may have 1 to {MAX_KEEP_LEN}");
            Error::new(ErrorKind::TooLarge, text)
        })?;
        let mut owner = owner.with_requests();
        owner.set_state(State::Live);
        Ok(Self { owner, bytes: vec![0; len], is_published: false })
    }

    /// Gives the sequence of the newest state that was published.
    #[must_use]
    pub fn sequence(&self) -> u64 {
        self.owner.sequence()
    }

    /// Counts the connections, those included that only ask.
    #[must_use]
    pub fn subscribers(&self) -> usize {
        self.owner.subscribers()
    }

    /// Lets subscribers in, applies what they ask for, publishes what came of it, and then answers.
    ///
    /// # Errors
    /// As [`Owner::turn`].
    pub fn turn(&mut self) -> Result<KeepTurn> {
        let turn = self.owner.turn()?;
        let mut refused = turn.refused;
        let mut answers = Vec::with_capacity(turn.requests.len());
        for asked in turn.requests {
            answers.push((asked.by, self.apply(asked.request.tag, &asked.request.ask)));
        }
        if !self.is_published
            && let Err(error) = self.publish_if_followed()
        {
            refused.push(error);
        }
        // What is not published yet will be in the next frame.
        let sequence = self.owner.sequence() + u64::from(!self.is_published);
        let applied = answers.len() as u64;
        for (by, (mut answer, has_changed)) in answers {
            if has_changed {
                answer.sequence = sequence;
            }
            self.owner.answer(by, &answer);
        }
        Ok(KeepTurn { applied, refused })
    }

    fn publish_if_followed(&mut self) -> Result<()> {
        if !self.owner.is_followed() {
            // Whoever comes must not get an old state.
            self.owner.clear();
            return Ok(());
        }
        let frame = self.state()?;
        self.owner.publish(frame);
        self.is_published = true;
        Ok(())
    }

    fn state(&self) -> Result<Frame> {
        let mut builder = FrameBuilder::new()?;
        builder.write(&self.bytes)?;
        builder.seal(Format::default(), MonotonicNs::now())
    }

    /// Does what is asked; tells whether it has changed anything.
    fn apply(&mut self, tag: u32, ask: &Ask) -> (Answer, bool) {
        let answer = Answer { tag, ..Answer::default() };
        let no = |outcome| {
            let len = i64::try_from(self.bytes.len()).unwrap_or(i64::MAX);
            let value = if outcome == Outcome::OutOfRange { len } else { 0 };
            (Answer { outcome, value, ..answer.clone() }, false)
        };
        match ask {
            Ask::Read { pos, len } => match self.range(*pos, *len) {
                None => no(Outcome::OutOfRange),
                Some(range) if range.len() > MAX_REQUEST_PAYLOAD_LEN => no(Outcome::TooLong),
                Some(range) => (Answer { payload: self.bytes[range].to_vec(), ..answer }, false),
            },
            Ask::Write { pos, payload } => match self.exactly(*pos, payload.len() as u64) {
                None => no(Outcome::OutOfRange),
                Some(range) => {
                    self.bytes[range].copy_from_slice(payload);
                    self.is_published = false;
                    (answer, true)
                }
            },
            Ask::Add { pos, bits, amount } => match self.exactly(*pos, bits.bytes() as u64) {
                None => no(Outcome::OutOfRange),
                Some(range) => {
                    let value = add(&mut self.bytes[range], *bits, *amount);
                    self.is_published = false;
                    (Answer { value, ..answer }, true)
                }
            },
        }
    }

    /// The bytes from `pos` on, `len` of them or, with 0, all; none if some lie outside.
    fn range(&self, pos: u64, len: u64) -> Option<std::ops::Range<usize>> {
        let whole = self.bytes.len() as u64;
        self.exactly(pos, if len == 0 { whole.checked_sub(pos)? } else { len })
    }

    fn exactly(&self, pos: u64, len: u64) -> Option<std::ops::Range<usize>> {
        let end = pos.checked_add(len).filter(|end| *end <= self.bytes.len() as u64)?;
        Some(usize::try_from(pos).ok()?..usize::try_from(end).ok()?)
    }
}

/// Adds to a little-endian number, and gives it with its sign extended.
fn add(number: &mut [u8], bits: Bits, amount: i64) -> i64 {
    let mut wide = [0; 8];
    wide[..number.len()].copy_from_slice(number);
    let sum = i64::from_le_bytes(wide).wrapping_add(amount);
    number.copy_from_slice(&sum.to_le_bytes()[..number.len()]);
    // Up to the left end and back: what is beyond the number falls out, and its sign comes in.
    let beyond = 64 - u32::from(bits.count());
    sum << beyond >> beyond
}

impl AsFd for Keep {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.owner.as_fd()
    }
}
