//! A bare loop: makes a frame and writes it to every viewer with plain `write`, and does nothing else.
//!
//! It speaks just enough of `eyelet.v1` for `eyelet watch` to watch it, so that Eyelet and the kernel's plainest call are
//! measured by the same tool, on the same bytes, in the same run. One thread, one buffer, no shared memory, no HTTP.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use eyelet::stamp;
use eyelet_area::{Format, FourCc, MonotonicNs};
use eyelet_wire::v1::{
    FormatInfo, FrameFlags, FrameHeader, Matrix, Range, SUBPROTOCOL, ServerMessage, StreamInfo,
    StreamState, VERSION,
};
use eyelet_wire::websocket::{Opcode, accept_key, header};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// The frames of the main job: 614,400 bytes at 30 a second.
const WIDTH: u32 = 640;
const HEIGHT: u32 = 480;
const FPS: u32 = 30;

struct Viewer {
    stream: TcpStream,
    message: Arc<Vec<u8>>,
    written: usize,
}

fn main() -> Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("failed to listen")?;
    #[expect(clippy::print_stdout, reason = "whoever started it reads the address")]
    {
        println!("listening on http://{}", listener.local_addr()?);
    }
    listener.set_nonblocking(true)?;
    let mut viewers: Vec<Viewer> = Vec::new();
    let mut pixels = vec![128; (WIDTH * HEIGHT * 2) as usize];
    let start = Instant::now();
    for sequence in 1.. {
        let due = start + Duration::from_secs(1) * u32::try_from(sequence)? / FPS;
        wait(&listener, &mut viewers, due)?;
        let message = Arc::new(frame(&mut pixels, sequence));
        for viewer in viewers.iter_mut().filter(|v| v.written == v.message.len()) {
            viewer.message = Arc::clone(&message);
            viewer.written = 0;
        }
        viewers.retain_mut(|viewer| viewer.write().is_ok());
    }
    Ok(())
}

/// Finishes what is being written and lets viewers in until the next frame is due.
fn wait(listener: &TcpListener, viewers: &mut Vec<Viewer>, due: Instant) -> Result<()> {
    loop {
        let left = due.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(());
        }
        let mut fds = vec![PollFd::new(listener, PollFlags::IN)];
        let busy = viewers.iter().filter(|v| v.written < v.message.len());
        fds.extend(busy.map(|v| PollFd::new(&v.stream, PollFlags::OUT)));
        poll(&mut fds, Some(&Timespec::try_from(left)?))?;
        while let Ok((stream, _)) = listener.accept() {
            viewers.extend(welcome(stream));
        }
        viewers.retain_mut(|viewer| viewer.write().is_ok());
    }
}

impl Viewer {
    fn write(&mut self) -> Result<()> {
        while self.written < self.message.len() {
            match self.stream.write(&self.message[self.written..]) {
                Ok(0) => bail!("the viewer has left"),
                Ok(n) => self.written += n,
                Err(e) if e.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(e) => return Err(e.into()),
            }
        }
        Ok(())
    }
}

/// Makes one message: heads and pixels in a row, the same for all viewers.
fn frame(pixels: &mut [u8], sequence: u64) -> Vec<u8> {
    let captured = MonotonicNs::now();
    if let Some(layout) = stamp::Layout::for_format(&Format::packed(FourCc::YUYV, WIDTH, HEIGHT)) {
        layout.write_frame(pixels, sequence);
    }
    let v1 = FrameHeader {
        flags: FrameFlags { key: true, discontinuity: false },
        config_id: 1,
        dropped: 0,
        sequence,
        captured_us: captured.as_micros(),
        sent_us: MonotonicNs::now().as_micros(),
    };
    message(Opcode::Binary, &[&v1.encode()[..], pixels].concat())
}

fn message(opcode: Opcode, payload: &[u8]) -> Vec<u8> {
    [header(opcode, payload.len() as u64, None).as_ref(), payload].concat()
}

/// Completes the handshake and says what comes; `None` for whoever speaks something else.
fn welcome(mut stream: TcpStream) -> Option<Viewer> {
    stream.set_nonblocking(false).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(1))).ok()?;
    let mut request = Vec::new();
    while !request.windows(4).any(|w| w == b"\r\n\r\n") {
        let mut some = [0; 1024];
        let n = stream.read(&mut some).ok().filter(|n| *n > 0)?;
        request.extend_from_slice(&some[..n]);
    }
    let request = String::from_utf8(request).ok()?;
    let key = request.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("sec-websocket-key").then_some(value.trim())
    })?;
    let accept = accept_key(key)?;
    let mut hello = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\nSec-WebSocket-Protocol: {SUBPROTOCOL}\r\n\r\n"
    )
    .into_bytes();
    let format = FormatInfo {
        format: "yuyv".to_owned(),
        fourcc: "YUYV".to_owned(),
        width: WIDTH,
        height: HEIGHT,
        stride: WIDTH * 2,
        fps: f64::from(FPS),
        matrix: Matrix::Bt601,
        range: Range::Limited,
    };
    let streams = vec![StreamInfo {
        of: None,
        id: 0,
        name: "bare".to_owned(),
        state: StreamState::Live,
        formats: vec![format.clone()],
    }];
    let texts = [
        ServerMessage::Hello { v: VERSION, server: "bare".to_owned(), streams },
        ServerMessage::Config { id: 1, stream: 0, format },
    ];
    for text in texts {
        hello.extend(message(Opcode::Text, text.to_json().as_bytes()));
    }
    stream.write_all(&hello).ok()?;
    stream.set_nodelay(true).ok()?;
    stream.set_nonblocking(true).ok()?;
    Some(Viewer { stream, message: Arc::default(), written: 0 })
}
