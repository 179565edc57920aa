//! A witness on the multipart answer.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use super::{End, LOOK_EVERY, Number, Post, Sighting};

const REQUEST: &[u8] = b"GET /-/stream.mjpg?stream=bars HTTP/1.1\r\nHost: localhost\r\n\r\n";
/// Bytes of one read at most: more than a picture.
const READ: usize = 64 << 10;
/// A head is never as long as this.
const LONGEST_HEAD: usize = 4096;

/// One connection, from its request to its end.
pub(super) fn watch(post: &Post) -> End {
    let mut stream = match TcpStream::connect_timeout(&post.addr, Duration::from_secs(30)) {
        Ok(stream) => stream,
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
            return End::Wrong(format!("{}: not let in: {error}", post.name));
        }
        Err(_) => return End::Lost,
    };
    let is_set = stream.set_read_timeout(Some(LOOK_EVERY)).is_ok();
    if !is_set || stream.write_all(REQUEST).is_err() {
        return End::Lost;
    }
    post.connected(stream.local_addr().ok());
    let mut input = Vec::new();
    while !post.is_leaving() {
        match take(post, &mut input) {
            Ok(true) => continue,
            Ok(false) => {}
            Err(end) => return end,
        }
        let filled = input.len();
        input.resize(filled + READ, 0);
        let read = stream.read(&mut input[filled..]);
        input.truncate(filled + *read.as_ref().unwrap_or(&0));
        match read {
            Ok(0) => return End::Lost,
            Ok(_) => {}
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
                ) => {}
            Err(_) => return End::Lost,
        }
    }
    End::Wanted
}

/// Takes a head, with the picture behind it where it announces one; tells whether there was a whole one.
fn take(post: &Post, input: &mut Vec<u8>) -> Result<bool, End> {
    let wrong = |what: String| End::Wrong(format!("{}: {what}", post.name));
    let Some(head_len) = input.windows(4).position(|four| four == b"\r\n\r\n").map(|at| at + 4)
    else {
        let is_none = input.len() > LONGEST_HEAD;
        return if is_none { Err(wrong("no head where one is due".into())) } else { Ok(false) };
    };
    let head = String::from_utf8_lossy(&input[..head_len]).into_owned();
    let field = |name: &str| head.lines().find_map(|line| line.strip_prefix(name));
    if head.starts_with("HTTP/1.1 ") {
        // No picture came in a while.
        if head.starts_with("HTTP/1.1 503 ") {
            return Err(End::Lost);
        }
        if !head.starts_with("HTTP/1.1 200 ") {
            return Err(wrong(format!("answered with {head}")));
        }
        input.drain(..head_len);
        return Ok(true);
    }
    let len = field("Content-Length: ").and_then(|len| len.parse::<usize>().ok());
    let Some(len) = len else { return Err(wrong(format!("a part without a length: {head}"))) };
    if input.len() < head_len + len {
        return Ok(false);
    }
    let stamped = post.kind.check(&input[head_len..head_len + len]).map_err(wrong)?;
    input.drain(..head_len + len);
    let number = Number::Stamp(stamped.number);
    post.saw(Sighting { number, captured_us: stamped.captured_us })?;
    Ok(true)
}
