//! Asking an area of application data, one request after the other.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::message::{Answer, Op, Request};
use crate::{Error, ErrorKind, Event, Result, Subscriber};

/// A connection for requests alone: it grants no credit, so that no frame comes between.
///
/// Who wants frames as well has a [`Subscriber`] beside it, or sends requests there and does not wait.
#[derive(Debug)]
pub struct Requester {
    subscriber: Subscriber,
    last_tag: u32,
}

impl Requester {
    /// Connects to the area at `path`.
    ///
    /// # Errors
    /// [`ErrorKind::NoOwner`] if nothing listens there, or more wait there than may; else [`ErrorKind::Io`].
    pub fn connect(path: &Path) -> Result<Self> {
        Ok(Self { subscriber: Subscriber::connect(path)?, last_tag: 0 })
    }

    /// Sends a request and waits for its answer, at most `timeout`.
    ///
    /// # Errors
    /// [`ErrorKind::NoOwner`] if the connection has ended, [`ErrorKind::TimedOut`] if no answer came: in both cases it
    /// may have been done all the same. After the first connect again, after the second go on at will. Else as
    /// [`Subscriber::request`] and [`Subscriber::try_receive`].
    pub fn ask(&mut self, op: Op, timeout: Duration) -> Result<Answer> {
        let tag = self.last_tag.wrapping_add(1);
        self.subscriber.request(&Request { tag, op })?;
        self.last_tag = tag;
        // A timeout beyond what the clock can hold is none.
        let deadline = Instant::now().checked_add(timeout);
        loop {
            let left =
                deadline.map_or(Duration::MAX, |d| d.saturating_duration_since(Instant::now()));
            match self.subscriber.receive(left)? {
                Some(Event::Answer(answer)) if answer.tag == tag => return Ok(answer),
                // The late answer to an earlier request; a state; a frame that nobody has asked for.
                Some(Event::Answer(_) | Event::State(_) | Event::Frame { .. })
                    if !left.is_zero() => {}
                Some(Event::Closed) => {
                    let text = "the owner has gone before it answered";
                    return Err(Error::new(ErrorKind::NoOwner, text));
                }
                _ => {
                    let text = format!("no answer came within {timeout:?}");
                    return Err(Error::new(ErrorKind::TimedOut, text));
                }
            }
        }
    }
}
