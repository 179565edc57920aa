//! Hosts that speak nonsense: their requests end, and the server goes on.

use std::io::{Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context as _, Result};
use eyelet_harness::{Eyelet, exchange};

use crate::support::{SMALL, Witness, start};

/// Dialogues; half of them on WebSockets.
const DIALOGUES: usize = 10_000;
/// At the same time.
const CLIENTS: usize = 8;

/// Words that a host might say, and some that none would.
const WORDS: [&str; 44] = [
    "handshake",
    "wait",
    "wait-any",
    "send-area",
    "follow",
    "stop",
    "send",
    "recv",
    "recv-nb",
    "close",
    "head",
    "body",
    "read",
    "write",
    "inc",
    "dec",
    "areas",
    "end",
    "sing",
    "0",
    "1",
    "2",
    "camera",
    "camera-jpeg",
    "data",
    "nowhere",
    "8",
    "16",
    "64",
    "-1",
    "5",
    "0.001",
    "1000",
    "4000",
    "65536",
    "65537",
    "16777216",
    "99999999999999999999",
    "HTTP/1.1 200 OK\r\n\r\n",
    "\n",
    "\n\n",
    "\0",
    "é",
    "hello",
];

/// Numbers that look like chance and are the same each time. Source: Marsaglia, "Xorshift RNGs".
struct Chance(u64);

impl Chance {
    fn next(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % below as u64).unwrap_or(0)
    }

    /// What one host says in one go.
    fn speech(&mut self) -> Vec<u8> {
        let mut speech = Vec::new();
        // Most begin with something that makes sense, to get further.
        let openings: [&str; 4] =
            ["handshake\n", "head 19\nHTTP/1.1 200 OK\r\n\r\n", "", "areas\n"];
        speech.extend_from_slice(openings[self.next(openings.len())].as_bytes());
        for _ in 0..=self.next(12) {
            match self.next(10) {
                0 => speech.extend((0..self.next(300)).map(|_| self.byte())),
                1 => speech.extend_from_slice(&vec![b'x'; self.next(9000)]),
                _ => {
                    speech.extend_from_slice(WORDS[self.next(WORDS.len())].as_bytes());
                    speech.push(if self.next(4) == 0 { b'\n' } else { b' ' });
                }
            }
        }
        speech
    }

    fn byte(&mut self) -> u8 {
        u8::try_from(self.next(256)).unwrap_or(0)
    }
}

/// Says something, reads a little of what comes of it, and hangs up.
fn talk_nonsense(mut server: UnixStream, chance: &mut Chance) -> Result<()> {
    server.set_read_timeout(Some(std::time::Duration::from_millis(20)))?;
    let mut heard = [0; 4096];
    // Whatever the server thinks of it: it may have hung up already.
    let _heard = server.read(&mut heard).unwrap_or(0);
    for _ in 0..=chance.next(3) {
        server.write_all(&chance.speech()).ok();
        if chance.next(3) == 0 {
            let _heard = server.read(&mut heard).unwrap_or(0);
        }
    }
    Ok(())
}

/// Takes the place of the app's host: the server finds it by its path.
fn host(eyelet: &Eyelet) -> Result<UnixListener> {
    let path = eyelet.folder().join("run/app.sock");
    std::fs::remove_file(&path)?;
    Ok(UnixListener::bind(&path)?)
}

#[test]
fn nonsense_ends_its_request_and_never_the_server() -> Result<()> {
    let words = ["--app", "sleep 1000", "--processes", "8", "--area", "data=64"];
    let eyelet = start(SMALL, &words)?;
    let witness = Witness::start(&eyelet)?;
    let serve: Vec<u32> = eyelet.role("serve").iter().map(|process| process.pid).collect();
    let listener = host(&eyelet)?;
    let asked = Arc::new(AtomicUsize::new(0));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let (asked, addr) = (Arc::clone(&asked), eyelet.addr());
            std::thread::spawn(move || {
                let upgrade = [
                    ("Upgrade", "websocket"),
                    ("Connection", "Upgrade"),
                    ("Sec-WebSocket-Version", "13"),
                    ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
                ];
                loop {
                    let n = asked.fetch_add(1, Ordering::Relaxed);
                    if n >= DIALOGUES {
                        return;
                    }
                    let headers: &[(&str, &str)] = if n % 2 == 0 { &upgrade } else { &[] };
                    // What comes of it, if anything, is not looked at.
                    exchange(addr, "GET", "/x?y=z", headers, b"").ok();
                }
            })
        })
        .collect();
    let hosting = std::thread::spawn(move || -> Result<usize> {
        listener.set_nonblocking(true)?;
        let mut chance = Chance(0x1234_5678_9abc_def1);
        let mut dialogues = 0;
        while asked.load(Ordering::Relaxed) < DIALOGUES + CLIENTS {
            match listener.accept() {
                Ok((server, _)) => {
                    server.set_nonblocking(false)?;
                    dialogues += 1;
                    talk_nonsense(server, &mut chance)?;
                }
                Err(_) => std::thread::sleep(std::time::Duration::from_micros(200)),
            }
        }
        Ok(dialogues)
    });
    for client in clients {
        client.join().ok().context("a client's thread failed")?;
    }
    let dialogues = hosting.join().ok().context("the host's thread failed")??;
    println!("{dialogues} dialogues");
    assert!(dialogues >= DIALOGUES * 9 / 10, "{dialogues} dialogues");
    let after: Vec<u32> = eyelet.role("serve").iter().map(|process| process.pid).collect();
    assert_eq!(serve, after, "a serve process has ended");
    witness.finish()?;
    Ok(())
}
