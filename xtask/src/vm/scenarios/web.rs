//! Asking a server in the guest.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};

use crate::vm::guest::{Guest, PATIENCE};

/// The body of a page; waits until something in the guest answers.
///
/// # Errors
/// If nothing answers, or not with status 200.
pub(crate) fn get(guest: &Guest, path: &str) -> Result<Vec<u8>> {
    let deadline = Instant::now() + PATIENCE;
    let answer = loop {
        let answer = exchange(guest, path).with_context(|| format!("asking for `{path}`"))?;
        if !answer.is_empty() {
            break answer;
        }
        ensure!(Instant::now() < deadline, "nothing in the guest answers for `{path}`");
        std::thread::sleep(Duration::from_millis(100));
    };
    let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n");
    let (head, body) = answer.split_at(end.context("the answer has no end of its header")? + 4);
    let head = String::from_utf8_lossy(head);
    match head.split(' ').nth(1) {
        Some("200") => Ok(body.to_vec()),
        _ => bail!("the guest answers for `{path}`: {}", head.trim()),
    }
}

/// One request; the answer is empty if nobody listens: the emulator then closes a connection that it took itself.
fn exchange(guest: &Guest, path: &str) -> Result<Vec<u8>> {
    let mut connection = TcpStream::connect(guest.address())?;
    connection.set_read_timeout(Some(PATIENCE))?;
    let mut answer = Vec::new();
    let done =
        write!(connection, "GET {path} HTTP/1.1\r\nHost: guest\r\nConnection: close\r\n\r\n")
            .and_then(|()| connection.read_to_end(&mut answer));
    match done {
        Err(problem)
            if matches!(problem.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe) =>
        {
            Ok(vec![])
        }
        done => done.map(|_| answer).map_err(Into::into),
    }
}
