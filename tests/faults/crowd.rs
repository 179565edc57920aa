//! Clients that behave badly, and some that behave well and do not stay.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use eyelet_harness::wire::v1::FrameHeader;
use eyelet_harness::wire::websocket::Message;
use eyelet_harness::{DEADLINE, Random, WsClient, exchange};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

use crate::stage::Stage;

/// A handshake that is answered with 101 and bare frames.
const UPGRADE: &str = "GET /-/ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
     Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// Opens connections that each say this and then do not read.
pub(crate) fn saying(stage: &Stage, what: &[u8], count: u64) -> Result<Vec<TcpStream>> {
    let open = |_| {
        let mut stream = stage.eyelet.raw()?;
        stream.write_all(what)?;
        Ok(stream)
    };
    (0..count).map(open).collect()
}

/// Viewers that have shaken hands, or will when their serve process has time, and read nothing.
pub(crate) fn deaf(stage: &Stage, count: u64) -> Result<Vec<TcpStream>> {
    saying(stage, UPGRADE.as_bytes(), count)
}

/// Requests that are never finished.
pub(crate) fn half_heads(stage: &Stage, count: u64) -> Result<Vec<TcpStream>> {
    saying(stage, b"GET /-/stream.mjpg HTTP/1.1\r\nHost: localhost\r\nX-", count)
}

/// Viewers that read a little now and then, until they are fetched back.
#[derive(Debug)]
pub(crate) struct Sippers {
    is_over: Arc<AtomicBool>,
    thread: JoinHandle<Result<()>>,
}

/// How often a little is read, and how much: far less than a camera gives.
const SIP_EVERY: Duration = Duration::from_millis(20);
const SIP: usize = 512;

impl Sippers {
    pub(crate) fn send(mut viewers: Vec<TcpStream>) -> Self {
        let is_over = Arc::<AtomicBool>::default();
        let over = Arc::clone(&is_over);
        let thread = std::thread::spawn(move || {
            viewers.iter().try_for_each(|viewer| viewer.set_nonblocking(true))?;
            while !over.load(Ordering::Relaxed) {
                for viewer in &mut viewers {
                    // Nothing there, or its serve process has ended: both are as it may be, and so is any count.
                    let _count = viewer.read(&mut [0; SIP]).unwrap_or(0);
                }
                std::thread::sleep(SIP_EVERY);
            }
            Ok(())
        });
        Self { is_over, thread }
    }

    pub(crate) fn join(self) -> Result<()> {
        self.is_over.store(true, Ordering::Relaxed);
        self.thread.join().map_err(|_| anyhow::anyhow!("a viewer that sips panicked"))?
    }
}

/// Ends connections so that the server is told of a failure and not of an end: with what is unread thrown away.
pub(crate) fn cut(viewers: Vec<TcpStream>) -> Result<()> {
    for viewer in viewers {
        rustix::net::sockopt::set_socket_linger(&viewer, Some(Duration::ZERO))?;
    }
    Ok(())
}

/// Connections all at once, none waited for.
pub(crate) fn flood(addr: SocketAddr, count: u64) -> Result<Vec<OwnedFd>> {
    let open = |_| {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let socket =
            rustix::net::socket_with(AddressFamily::INET, SocketType::STREAM, flags, None)?;
        match rustix::net::connect(&socket, &addr) {
            Ok(()) | Err(Errno::INPROGRESS) => Ok(socket),
            Err(error) => Err(error.into()),
        }
    };
    (0..count).map(open).collect()
}

/// Bytes without sense, where WebSocket frames and requests are expected.
pub(crate) fn nonsense(stage: &Stage, random: &mut Random) -> Result<Vec<TcpStream>> {
    let mut all = Vec::new();
    for _ in 0..random.within(1, 6) {
        let len = usize::try_from(random.within(1, 4000))?;
        let start: &[u8] = random.pick(&[UPGRADE.as_bytes(), b"", b"GET /stream HTTP/1.1\r\n"]);
        let mut stream = stage.eyelet.raw()?;
        // It may be thrown out before it has said all.
        stream.write_all(&[start, &random.bytes(len)].concat()).ok();
        all.push(stream);
    }
    Ok(all)
}

/// Messages without sense on the socket of an area, some with a credit that nobody was promised.
pub(crate) fn area_nonsense(path: &Path, random: &mut Random) -> Result<Vec<OwnedFd>> {
    let mut all = Vec::new();
    for _ in 0..random.within(1, 6) {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let socket =
            rustix::net::socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
        match rustix::net::connect(&socket, &SocketAddrUnix::new(path)?) {
            Ok(()) => {}
            // Its owner stands still, and many wait already.
            Err(Errno::AGAIN) => continue,
            Err(error) => return Err(error.into()),
        }
        for _ in 0..random.within(1, 40) {
            let mut message = b"EYEA\x01\x00\x03\x00".to_vec();
            if random.below(2) == 0 {
                message = random.bytes(8);
            }
            let len = random.pick(&[0, 4, 8, 32, 200]);
            message.extend(random.bytes(len));
            if message.is_empty() {
                continue;
            }
            // Refused, full, or ended by the owner.
            rustix::net::send(socket.as_fd(), &message, rustix::net::SendFlags::NOSIGNAL).ok();
        }
        all.push(socket);
    }
    Ok(all)
}

/// Clients that come, get what they ask for, and leave in order. Each must be served in the end, however often its serve
/// process ends meanwhile.
#[derive(Debug)]
pub(crate) struct Visitors(Vec<JoinHandle<Result<()>>>);

impl Visitors {
    pub(crate) fn send(stage: &Arc<Stage>, count: u64) -> Self {
        let visitor = |number: u64| {
            let stage = Arc::clone(stage);
            std::thread::spawn(move || visit(&stage, number))
        };
        Self((0..count).map(visitor).collect())
    }

    /// Waits for all.
    pub(crate) fn join(self) -> Result<()> {
        for visitor in self.0 {
            visitor.join().map_err(|_| anyhow::anyhow!("a visitor panicked"))??;
        }
        Ok(())
    }
}

fn visit(stage: &Stage, number: u64) -> Result<()> {
    let begin = Instant::now();
    loop {
        let visited = match number % 6 {
            0 => watch_once(stage.eyelet.addr(), "yuyv"),
            1 => watch_once(stage.eyelet.addr(), "jpeg"),
            2 => ask(stage, &["/-/api/status", "/-/metrics", "/-/snapshot.jpg?stream=bars"]),
            3 => ask(stage, &["/", "/-/frame?stream=clip", "/-/api/areas/visits"]),
            4 => change(stage.eyelet.addr(), "POST", "/-/api/areas/visits?add=1", ""),
            _ => {
                let control = format!("{{\"brightness\":{}}}", number % 8);
                change(stage.eyelet.addr(), "PUT", "/-/api/controls?stream=bars", &control)
            }
        };
        match visited {
            Ok(()) => return Ok(()),
            // Serve processes may be killed more than once meanwhile.
            Err(error) => ensure!(begin.elapsed() < DEADLINE, "who comes is not served: {error:#}"),
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Asks what there is to ask: the state of all processes, a picture, the app's page.
fn ask(stage: &Stage, paths: &[&str]) -> Result<()> {
    for path in paths {
        let answer = stage.eyelet.get(path)?;
        ensure!(answer.status == 200, "{path} was answered with {}", answer.status);
    }
    Ok(())
}

/// Changes something that other processes own.
fn change(addr: SocketAddr, method: &str, path: &str, body: &str) -> Result<()> {
    let json = [("Content-Type", "application/json")];
    let answer = exchange(addr, method, path, &json, body.as_bytes())?;
    ensure!(answer.status == 200, "{method} {path}: {} {}", answer.status, answer.text());
    Ok(())
}

/// Watches the test picture for one frame, and leaves in order.
fn watch_once(addr: SocketAddr, format: &str) -> Result<()> {
    let mut ws = WsClient::connect(addr, "/-/ws", &["eyelet.v1"], &[])?;
    ws.send_text(&format!("{{\"t\":\"start\",\"stream\":0,\"formats\":[\"{format}\"]}}"))?;
    let begin = Instant::now();
    while let Some(left) = DEADLINE.checked_sub(begin.elapsed()) {
        match ws.next_message(left)? {
            Some(Message::Binary(bytes)) => {
                FrameHeader::decode(&bytes)?;
                return ws.send_close(1000, "seen");
            }
            Some(Message::Close(reason)) => bail!("sent away: {reason:?}"),
            _ => {}
        }
    }
    bail!("no frame in {} seconds", DEADLINE.as_secs())
}
