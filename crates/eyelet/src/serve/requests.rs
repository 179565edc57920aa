//! Asking the owner of an area to read, write or add, on behalf of apps: one connection for each area, made when needed.

use std::path::PathBuf;
use std::time::Duration;

use eyelet_area::{Answer, Event, Op, Request, Subscriber};
use tokio::io::unix::AsyncFd;
use tokio::sync::Mutex;

use crate::error::{Error, Result};
use crate::serve::readiness::{self, Registered};

/// An owner answers at once; one that is just starting again needs a moment.
const PATIENCE: Duration = Duration::from_secs(5);

/// The way to ask one area's owner.
#[derive(Debug)]
pub(crate) struct Requests {
    path: PathBuf,
    /// One request at a time: the owner works them off one after the other anyway.
    line: Mutex<Option<Line>>,
}

impl Requests {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path, line: Mutex::new(None) }
    }

    /// Asks and gives the answer.
    ///
    /// # Errors
    /// If the owner has gone, or does not answer in time; the request may be done or not then.
    pub(crate) async fn ask(&self, op: Op) -> Result<Answer> {
        let mut kept = self.line.lock().await;
        // Taken out: where this is given up half way, an answer would be left for the next request.
        let mut line = match kept.take().and_then(living) {
            Some(line) => line,
            None => readiness::register(Subscriber::connect(&self.path)?)?,
        };
        let tag = TAG;
        line.get_mut().0.request(&Request { tag, op })?;
        let answer = tokio::time::timeout(PATIENCE, answer(&mut line, tag)).await;
        let answer = answer
            .map_err(|_| Error::failed("the area's owner does not answer"))
            .and_then(|answer| answer);
        if answer.is_ok() {
            *kept = Some(line);
        }
        answer
    }
}

/// Of all requests: one is under way at a time.
const TAG: u32 = 1;

type Line = AsyncFd<Registered<Subscriber>>;

/// The line, if its owner has not gone since it was used last.
fn living(mut line: Line) -> Option<Line> {
    loop {
        match line.get_mut().0.try_receive() {
            Ok(None) => return Some(line),
            Ok(Some(Event::Closed)) | Err(_) => return None,
            // What nobody waits for any more.
            Ok(Some(_)) => {}
        }
    }
}

async fn answer(line: &mut Line, tag: u32) -> Result<Answer> {
    loop {
        let mut ready = line
            .readable_mut()
            .await
            .map_err(|e| Error::failed(format!("failed to wait for an answer: {e}")))?;
        match ready.get_inner_mut().0.try_receive()? {
            Some(Event::Answer(answer)) if answer.tag == tag => return Ok(answer),
            Some(Event::Answer(_) | Event::State(_) | Event::Frame { .. }) => {}
            Some(Event::Closed) => return Err(Error::failed("the area's owner has gone")),
            None => ready.clear_ready(),
        }
    }
}
