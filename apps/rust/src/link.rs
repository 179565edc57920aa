//! The connection to the server: verbs out, answers in.

use std::fmt::Arguments;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use eyelet_wire::verbs::{MAX_LINE_LEN, MAX_PAYLOAD_LEN};

use crate::error::{Error, Result};

/// A payload up to this length goes out with its line in one call; beyond it a copy costs more than a call.
const JOINED_LEN: usize = 16 * 1024;

/// One request's connection.
#[derive(Debug)]
pub(crate) struct Link {
    shared: Arc<Shared>,
    input: BufReader<Reader>,
    /// The client got an answer, or the beginning of one.
    pub(crate) is_answered: bool,
    /// The server has said so, or has hung up.
    pub(crate) is_gone: bool,
    /// Where an answer ends is not known any more.
    is_lost: bool,
}

#[derive(Debug)]
struct Shared {
    stream: UnixStream,
    /// A verb and its payload are not torn apart by a stop.
    writing: Mutex<()>,
}

#[derive(Debug)]
struct Reader(Arc<Shared>);

impl Read for Reader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        (&self.0.stream).read(buffer)
    }
}

impl Shared {
    fn send(&self, line: &[u8], payload: &[u8]) -> io::Result<()> {
        // Nothing is guarded but the order; a panic between two writes cannot happen.
        let _order = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut stream = &self.stream;
        if payload.is_empty() {
            return stream.write_all(line);
        }
        if payload.len() <= JOINED_LEN {
            return stream.write_all(&[line, payload].concat());
        }
        stream.write_all(line)?;
        stream.write_all(payload)
    }
}

/// Ends a wait of its request from another thread: `recv`, `wait`, `wait_any` or `follow`.
///
/// It does not keep the request alive, and does nothing once that has ended.
#[derive(Clone, Debug)]
pub struct Stopper(Weak<Shared>);

impl Stopper {
    /// Says `stop`: the wait that is going on gives [`Error::Stopped`], a [`follow`](crate::WebSocket::follow) just
    /// ends. Does nothing where none waits, so it may come too early as well as too late.
    pub fn stop(&self) {
        if let Some(shared) = self.0.upgrade() {
            // It fails when the request has ended, and then there is nothing to stop.
            shared.send(b"stop\n", &[]).ok();
        }
    }
}

impl Link {
    pub(crate) fn new(stream: UnixStream) -> Self {
        let shared = Arc::new(Shared { stream, writing: Mutex::new(()) });
        let input = BufReader::new(Reader(Arc::clone(&shared)));
        Self { shared, input, is_answered: false, is_gone: false, is_lost: false }
    }

    pub(crate) fn stopper(&self) -> Stopper {
        Stopper(Arc::downgrade(&self.shared))
    }

    /// Bounds how long a read may take; `None` for ever.
    pub(crate) fn set_patience(&self, patience: Option<Duration>) -> io::Result<()> {
        self.shared.stream.set_read_timeout(patience)
    }

    /// What the server sends.
    pub(crate) fn input(&mut self) -> &mut impl BufRead {
        &mut self.input
    }

    /// Says a verb and gives the words that follow `ok`.
    ///
    /// # Errors
    /// What the server answers; [`Error::Gone`] too if it has hung up; [`Error::Protocol`] if it speaks nonsense, and
    /// from then on always.
    pub(crate) fn ask(&mut self, verb: Arguments<'_>, payload: &[u8]) -> Result<String> {
        if self.is_lost {
            return Err(nonsense("nothing more is understood"));
        }
        let line = format!("{verb}\n");
        if line.len() > MAX_LINE_LEN {
            return Err(Error::TooLarge(format!("a line of {} bytes", line.len())));
        }
        let answer = self.shared.send(line.as_bytes(), payload);
        let answer = answer.map_err(|e| Error::hung_up(&e)).and_then(|()| self.answer());
        self.noted(answer)
    }

    /// Gives the payload that follows an answer.
    ///
    /// # Errors
    /// As [`Link::ask`].
    pub(crate) fn payload(&mut self, len: &str) -> Result<Vec<u8>> {
        let len = number(len).and_then(|len: usize| {
            let too_long = || nonsense(&format!("a payload of {len} bytes"));
            (len <= MAX_PAYLOAD_LEN).then_some(len).ok_or_else(too_long)
        });
        let payload = len.and_then(|len| {
            let mut payload = vec![0; len];
            self.input.read_exact(&mut payload).map_err(|e| Error::hung_up(&e))?;
            Ok(payload)
        });
        self.noted(payload)
    }

    /// Ends the request in order.
    pub(crate) fn end(self) {
        // It fails when the server has hung up, and then it has ended.
        self.shared.send(b"end\n", &[]).ok();
        self.hang_up();
    }

    /// Ends the request as one that has failed.
    pub(crate) fn hang_up(self) {
        // A stopper may have it for a moment longer; the server need not wait for that.
        self.shared.stream.shutdown(Shutdown::Write).ok();
    }

    fn answer(&mut self) -> Result<String> {
        let mut line = Vec::with_capacity(64);
        // Its newline and a carriage return before it do not count.
        let most = MAX_LINE_LEN as u64 + 2;
        let read = (&mut self.input).take(most).read_until(b'\n', &mut line);
        let len = read.map_err(|e| Error::hung_up(&e))?;
        let Some(line) = line.strip_suffix(b"\n") else {
            return Err(if len as u64 == most {
                nonsense("a line without an end")
            } else {
                Error::hung_up(&io::ErrorKind::UnexpectedEof.into())
            });
        };
        let line = String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(line));
        let (word, rest) = line.split_once(' ').unwrap_or((&line, ""));
        match word {
            "ok" => Ok(rest.to_owned()),
            "err" => Err(Error::from_answer(rest)),
            _ => Err(nonsense(&line)),
        }
    }

    fn noted<T>(&mut self, result: Result<T>) -> Result<T> {
        if let Err(error) = &result {
            self.is_gone |= error.is_gone();
            self.is_lost |= matches!(error, Error::Protocol(_));
        }
        result
    }
}

/// Reads a number of the server's.
pub(crate) fn number<T: std::str::FromStr>(word: &str) -> Result<T> {
    word.parse().map_err(|_| nonsense(&format!("`{word}` is no number")))
}

pub(crate) fn nonsense(what: &str) -> Error {
    const KEPT: usize = 100;
    Error::Protocol(what.chars().take(KEPT).collect())
}

/// Seconds as the protocol writes them. Of 0, which would be for ever, it makes the shortest time there is.
pub(crate) fn seconds(time: Option<Duration>) -> String {
    /// The server takes a century at most.
    const LONGEST: Duration = Duration::from_secs(3_000_000_000);
    let Some(time) = time else { return "0".to_owned() };
    let time = time.clamp(Duration::from_nanos(1), LONGEST);
    format!("{}.{:09}", time.as_secs(), time.subsec_nanos())
}
