//! The content of an area of application data: what requests do to it, and how it is published.

use std::ops::Range;
use std::os::fd::{AsFd, BorrowedFd};

use crate::message::{Answer, Bits, MAX_ANSWER_PAYLOAD_LEN, Op, Outcome, Request, State};
use crate::owner::{Owner, Turn};
use crate::{Error, ErrorKind, Format, FrameBuilder, MonotonicNs, Result};

/// The largest area of application data, in bytes.
///
/// Each version is a whole copy. One of this size takes some milliseconds, and a version on its way to a subscriber
/// that is stopped holds as much memory; what is larger is a file or a database.
pub const MAX_KEEP_LEN: usize = 16 << 20;

/// The owner of an area of application data: bytes that subscribers read and change by requests.
///
/// All requests of a turn are applied one after the other, what came of them is published as one frame, and then they
/// are answered: who has the answer to a change is sent the frame that has it as soon as it grants credit. A frame is
/// made only when somebody has credit for it; until then changes cost no more than themselves.
///
/// It polls readable ([`AsFd`]) when [`turn`](Self::turn) has something to do: call that then. Nothing here waits.
#[derive(Debug)]
pub struct Keep {
    owner: Owner,
    content: Content,
    /// The content is what the owner's newest frame has.
    is_published: bool,
    answered: u64,
}

impl Keep {
    /// Keeps `len` bytes, which are zero at first, for the subscribers of `owner`, which has published nothing yet.
    ///
    /// # Errors
    /// [`ErrorKind::TooLarge`] for more than [`MAX_KEEP_LEN`] bytes, [`ErrorKind::TooShort`] for none.
    pub fn new(owner: Owner, len: usize) -> Result<Self> {
        if len == 0 {
            return Err(Error::new(ErrorKind::TooShort, "an area of no bytes"));
        }
        if len > MAX_KEEP_LEN {
            let text = format!("an area of {len} bytes; at most {MAX_KEEP_LEN}");
            return Err(Error::new(ErrorKind::TooLarge, text));
        }
        let mut owner = owner.with_requests();
        owner.set_state(State::Live);
        Ok(Self { owner, content: Content(vec![0; len]), is_published: false, answered: 0 })
    }

    /// Lets subscribers in, does what they ask, publishes what came of it, and answers. Never waits.
    ///
    /// Bounded as [`Owner::turn`] is, and polls readable anew for what is left. What it gives has no requests any more.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if epoll itself fails, or there is neither memory nor a descriptor for a frame. In the latter
    /// case nothing is lost: requests were applied and answered, and each further turn tries again to publish.
    pub fn turn(&mut self) -> Result<Turn> {
        let mut turn = self.owner.turn()?;
        let mut answers = Vec::with_capacity(turn.requests.len());
        for asked in turn.requests.drain(..) {
            // Whenever the next frame is made, it has this change.
            let answer = self.content.answer(asked.request, self.owner.sequence() + 1);
            if answer.sequence > 0 && self.is_published {
                // Nobody is to be sent what is no longer so.
                self.is_published = false;
                self.owner.clear();
            }
            answers.push((asked.peer, answer));
        }
        self.answered += answers.len() as u64;
        let published = self.publish();
        for (peer, answer) in &answers {
            self.owner.answer(*peer, answer);
        }
        published.map(|()| turn)
    }

    /// Tells whether the next [`turn`](Self::turn) has something to say or to do that nothing is readable for; see
    /// [`Owner::owes_turn`].
    #[must_use]
    pub fn owes_turn(&self) -> bool {
        self.owner.owes_turn() || self.is_due()
    }

    /// Gives the owner, to ask it for its subscribers and its sequence.
    #[must_use]
    pub fn owner(&self) -> &Owner {
        &self.owner
    }

    /// Counts the requests that were answered.
    #[must_use]
    pub fn answered(&self) -> u64 {
        self.answered
    }

    /// Gives the bytes as they are now.
    #[must_use]
    pub fn content(&self) -> &[u8] {
        &self.content.0
    }

    fn is_due(&self) -> bool {
        !self.is_published && self.owner.demand() > 0
    }

    fn publish(&mut self) -> Result<()> {
        if self.is_due() {
            let mut builder = FrameBuilder::new()?;
            builder.write(&self.content.0)?;
            self.owner.publish(builder.seal(Format::default(), MonotonicNs::now())?);
            self.is_published = true;
        }
        Ok(())
    }
}

impl AsFd for Keep {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.owner.as_fd()
    }
}

/// The bytes, and what a request does to them.
#[derive(Debug)]
struct Content(Vec<u8>);

impl Content {
    /// Does what is asked; `sequence` is that of the next frame.
    fn answer(&mut self, request: Request, sequence: u64) -> Answer {
        let tag = request.tag;
        let done = Answer { sequence, ..Answer::new(tag, Outcome::Done) };
        let answer = match request.op {
            Op::Read { pos, len } => self.read(pos, len).map(|outcome| match outcome {
                Ok(bytes) => Answer { payload: bytes.to_vec(), ..Answer::new(tag, Outcome::Done) },
                Err(outcome) => Answer::new(tag, outcome),
            }),
            Op::Write { pos, payload } => self.range(pos, payload.len() as u64).map(|range| {
                self.0[range].copy_from_slice(&payload);
                done
            }),
            Op::Add { pos, bits, amount } => {
                self.add(pos, bits, amount).map(|value| Answer { value, ..done })
            }
        };
        answer.unwrap_or_else(|| {
            let value = i64::try_from(self.0.len()).unwrap_or(i64::MAX);
            Answer { value, ..Answer::new(tag, Outcome::OutOfRange) }
        })
    }

    /// Where so many bytes stand, if all of them lie inside.
    fn range(&self, pos: u64, len: u64) -> Option<Range<usize>> {
        let start = usize::try_from(pos).ok()?;
        let end = start.checked_add(usize::try_from(len).ok()?)?;
        (end <= self.0.len()).then_some(start..end)
    }

    fn read(&self, pos: u64, len: u64) -> Option<std::result::Result<&[u8], Outcome>> {
        let all = (self.0.len() as u64).checked_sub(pos)?;
        let range = self.range(pos, if len == 0 { all } else { len })?;
        if range.len() > MAX_ANSWER_PAYLOAD_LEN {
            return Some(Err(Outcome::TooLong));
        }
        Some(Ok(&self.0[range]))
    }

    fn add(&mut self, pos: u64, bits: Bits, amount: i64) -> Option<i64> {
        let range = self.range(pos, bits.bytes() as u64)?;
        let number = &mut self.0[range];
        let mut wide = [0; 8];
        wide[..number.len()].copy_from_slice(number);
        // What wraps at 64 bits has, in its lower bytes, wrapped there.
        let sum = i64::from_le_bytes(wide).wrapping_add(amount);
        number.copy_from_slice(&sum.to_le_bytes()[..number.len()]);
        let unused = 64 - u32::from(bits.count());
        Some((sum << unused) >> unused)
    }
}
