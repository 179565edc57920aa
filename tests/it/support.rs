//! Starting the program, and viewers that check every frame they get.

use std::fmt;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use eyelet::stamp::Layout;
use eyelet_area::{Format, FourCc};
use eyelet_harness::wire::v1::FrameHeader;
use eyelet_harness::wire::websocket::Message;
use eyelet_harness::{DEADLINE, Eyelet, Response, WsClient, wait_until};
use serde_json::{Value, json};

pub(crate) const BIN: &str = env!("CARGO_BIN_EXE_eyelet");

/// The picture of the old program's page.
pub(crate) const VGA: &str = "test:640x480@30";
/// Bytes of one of its frames.
pub(crate) const VGA_LEN: usize = 614_400;
/// A picture that costs next to nothing and still has room for the stamp.
pub(crate) const SMALL: &str = "test:64x48@30";

/// Starts the program with one source, on a free port.
pub(crate) fn start(source: &str, more: &[&str]) -> Result<Eyelet> {
    let words = [&["--listen", "127.0.0.1:0", "--source", source], more].concat();
    Eyelet::start(Path::new(BIN), &words)
}

/// A run of the program that has ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs the program to its end.
pub(crate) fn run(words: &[&str]) -> Result<Ended> {
    let folder = tempfile::tempdir()?;
    let mut child = Command::new(BIN)
        .args(words)
        .current_dir(folder.path())
        .env("XDG_RUNTIME_DIR", folder.path())
        .env_remove("RUNTIME_DIRECTORY")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let ended = wait_until("end of the program", || !matches!(child.try_wait(), Ok(None)));
    if ended.is_err() {
        child.kill()?;
    }
    let output = child.wait_with_output()?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    ended.with_context(|| format!("{words:?} printed {stdout}{stderr}"))?;
    Ok(Ended { code: output.status.code(), stdout, stderr })
}

/// Sends bytes as they are on a connection of their own, and reads one answer.
pub(crate) fn ask(eyelet: &Eyelet, request: &str) -> Result<Response> {
    let mut stream = eyelet.raw()?;
    stream.write_all(request.as_bytes())?;
    read_answer(&mut stream).with_context(|| format!("asked {request}"))
}

/// Reads one answer that has a `Content-Length`, or no body.
pub(crate) fn read_answer(stream: &mut TcpStream) -> Result<Response> {
    let head = read_head(stream)?;
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.strip_prefix("HTTP/1."));
    let status = status.and_then(|line| line.split(' ').nth(1)?.parse().ok());
    let headers = lines.filter_map(|line| line.split_once(": "));
    let headers: Vec<(String, String)> =
        headers.map(|(name, value)| (name.to_lowercase(), value.to_owned())).collect();
    let status = status.with_context(|| format!("no answer: {head}"))?;
    let mut answer = Response { status, headers, body: Vec::new() };
    let len = answer.header("content-length").map_or(Ok(0), str::parse)?;
    answer.body.resize(len, 0);
    stream.read_exact(&mut answer.body).context("the body is cut off")?;
    Ok(answer)
}

/// Reads the head of an answer, and nothing behind it.
pub(crate) fn read_head(stream: &mut TcpStream) -> Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        let count = stream.read(&mut byte).context("failed to read an answer")?;
        ensure!(count == 1, "the connection ended after `{}`", head.escape_ascii());
        head.extend(byte);
    }
    Ok(String::from_utf8(head)?)
}

/// A handshake that is answered with 101 and bare frames.
pub(crate) const UPGRADE: &str = "GET /-/ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
     Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// Waits until the server ends a connection, and gives what it said before.
pub(crate) fn read_to_end(stream: &mut TcpStream) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    match stream.read_to_end(&mut bytes) {
        Ok(_) => Ok(bytes),
        // It was ended with something unread.
        Err(e) if e.kind() == std::io::ErrorKind::ConnectionReset => Ok(bytes),
        Err(e) => Err(e).context("the server did not end the connection"),
    }
}

/// A frame that cannot be: torn, of a wrong length, or out of order. Everything else that fails is a connection.
#[derive(Debug)]
pub(crate) struct Wrong(String);

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Wrong {}

fn right(holds: bool, what: impl FnOnce() -> String) -> Result<()> {
    if holds { Ok(()) } else { Err(Wrong(what()).into()) }
}

/// What a frame of the test picture says about itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shown {
    pub(crate) header: FrameHeader,
    /// The number in the pixels.
    pub(crate) stamp: u64,
}

/// What came.
#[derive(Debug)]
pub(crate) enum Got {
    Frame(Shown),
    Text(Value),
}

/// Gives the number in a frame's pixels.
pub(crate) fn stamp(frame: &[u8], format: &Format) -> Result<u64> {
    let len = format.packed_len().context("not a raw format")?;
    right(frame.len() as u64 == len, || format!("a frame of {} bytes", frame.len()))?;
    let layout = Layout::for_format(format).context("no room for a stamp")?;
    layout.read_frame(frame).ok_or_else(|| Wrong("a torn frame".to_owned()).into())
}

/// A viewer of `eyelet.v1` that checks each frame: config id, length, stamps; and that the sequence grows.
#[derive(Debug)]
pub(crate) struct V1 {
    pub(crate) ws: WsClient,
    pub(crate) hello: Value,
    /// The last one, and the format that it tells.
    config: Option<(Value, Format)>,
    last_sequence: u64,
}

impl V1 {
    /// Connects and reads the greeting.
    pub(crate) fn connect(eyelet: &Eyelet) -> Result<Self> {
        Self::over(eyelet.websocket("/-/ws", &["eyelet.v1"], &[])?)
    }

    /// Reads the greeting on a socket that has shaken hands.
    pub(crate) fn over(mut ws: WsClient) -> Result<Self> {
        ensure!(ws.protocol() == Some("eyelet.v1"), "agreed on {:?}", ws.protocol());
        let hello: Value = serde_json::from_str(&ws.next_text()?)?;
        ensure!(hello["t"] == "hello", "first came {hello}");
        Ok(Self { ws, hello, config: None, last_sequence: 0 })
    }

    /// Connects and starts the first stream.
    pub(crate) fn watch(eyelet: &Eyelet) -> Result<Self> {
        let mut viewer = Self::connect(eyelet)?;
        viewer.say(&json!({"t": "start"}))?;
        Ok(viewer)
    }

    pub(crate) fn say(&mut self, message: &Value) -> Result<()> {
        self.ws.send_text(&message.to_string())
    }

    /// Says `start` with more keys; the sequence of another stream may be lower.
    pub(crate) fn start(&mut self, keys: Value) -> Result<()> {
        let mut message = keys;
        message["t"] = json!("start");
        self.last_sequence = 0;
        self.say(&message)
    }

    /// The last config.
    pub(crate) fn config(&self) -> Result<&Value> {
        Ok(&self.config.as_ref().context("no config has come")?.0)
    }

    /// Waits for a frame or a text; `None` when none came in time. How many watch is passed over: others tell that.
    pub(crate) fn next(&mut self, timeout: Duration) -> Result<Option<Got>> {
        let begin = Instant::now();
        loop {
            let left = timeout.saturating_sub(begin.elapsed());
            match self.next_of_all(left)? {
                Some(Got::Text(text)) if text["t"] == "viewers" => {}
                got => return Ok(got),
            }
        }
    }

    fn next_of_all(&mut self, timeout: Duration) -> Result<Option<Got>> {
        match self.ws.next_message(timeout)? {
            None => Ok(None),
            Some(Message::Text(text)) => self.on_text(&text).map(|text| Some(Got::Text(text))),
            Some(Message::Binary(bytes)) => self.on_frame(&bytes).map(|f| Some(Got::Frame(f))),
            Some(other) => bail!("came {other:?}"),
        }
    }

    fn on_text(&mut self, text: &str) -> Result<Value> {
        let text: Value = serde_json::from_str(text)?;
        if text["t"] == "config" {
            let number = |key: &str| u32::try_from(text[key].as_u64().unwrap_or(0));
            let code = text["fourcc"].as_str().unwrap_or("").as_bytes().try_into();
            let fourcc = FourCc(code.context("fourcc")?);
            let format = Format::packed(fourcc, number("width")?, number("height")?);
            self.config = Some((text.clone(), format));
        }
        Ok(text)
    }

    fn on_frame(&mut self, message: &[u8]) -> Result<Shown> {
        let (header, start) = FrameHeader::decode(message)?;
        let (config, format) = self.config.as_ref().context("a frame before its config")?;
        let id = config["id"].as_u64();
        right(id == Some(header.config_id.into()), || format!("{header:?} after {config}"))?;
        let stamp = stamp(&message[start..], format)?;
        let last = std::mem::replace(&mut self.last_sequence, header.sequence);
        right(header.sequence > last, || format!("{} after {last}", header.sequence))?;
        Ok(Shown { header, stamp })
    }

    /// Waits for the next frame and passes over texts.
    pub(crate) fn frame(&mut self) -> Result<Shown> {
        self.wait("frame", |got| match got {
            Got::Frame(frame) => Some(frame),
            Got::Text(_) => None,
        })
    }

    /// Waits for a text of this type and passes over all else.
    pub(crate) fn text(&mut self, t: &str) -> Result<Value> {
        self.wait(t, |got| match got {
            Got::Text(text) if text["t"] == t => Some(text),
            _ => None,
        })
    }

    /// Waits for a frame that `is_it` accepts.
    pub(crate) fn frame_that(&mut self, is_it: impl Fn(&Shown) -> bool) -> Result<Shown> {
        self.wait("such frame", |got| match got {
            Got::Frame(frame) if is_it(&frame) => Some(frame),
            _ => None,
        })
    }

    fn wait<T>(&mut self, what: &str, take: impl Fn(Got) -> Option<T>) -> Result<T> {
        let begin = Instant::now();
        while begin.elapsed() < DEADLINE {
            if let Some(found) = self.next_of_all(DEADLINE)?.and_then(&take) {
                return Ok(found);
            }
        }
        bail!("no {what} in {} seconds", DEADLINE.as_secs())
    }
}

/// Frames that a [`Witness`] sees at least: too few would prove nothing.
const FEWEST: u64 = 60;

/// A viewer in a thread of its own that must not notice what others do.
#[derive(Debug)]
pub(crate) struct Witness {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Result<Seen>>,
}

/// What a [`Witness`] got.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Seen {
    pub(crate) frames: u64,
    /// Sequences that it did not get.
    pub(crate) missing: u64,
}

impl Witness {
    /// Connects, and returns when the first frame has come.
    pub(crate) fn start(eyelet: &Eyelet) -> Result<Self> {
        let mut viewer = V1::watch(eyelet)?;
        let mut last = viewer.frame()?.header.sequence;
        let stop = Arc::new(AtomicBool::new(false));
        let is_stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let mut seen = Seen { frames: 1, missing: 0 };
            while seen.frames < FEWEST || !is_stopped.load(Ordering::Relaxed) {
                let sequence = viewer.frame()?.header.sequence;
                seen.frames += 1;
                seen.missing += sequence - last - 1;
                last = sequence;
            }
            Ok(seen)
        });
        Ok(Self { stop, thread })
    }

    /// Ends it, and tells whether frames kept coming one after the other.
    pub(crate) fn finish(self) -> Result<Seen> {
        self.stop.store(true, Ordering::Relaxed);
        let seen = self.thread.join().map_err(|_| anyhow::anyhow!("the witness panicked"))?;
        let seen = seen.context("another viewer noticed")?;
        // A few may be lost to a machine that does other things as well.
        ensure!(seen.missing <= seen.frames / 20, "another viewer noticed: {seen:?}");
        Ok(seen)
    }
}

/// Gives a role's entry in the status.
pub(crate) fn process(status: &Value, role: &str) -> Result<Value> {
    let all = status["processes"].as_array().context("no processes")?;
    let found = all.iter().find(|process| process["role"] == role).cloned();
    found.with_context(|| format!("no {role} in {status}"))
}
