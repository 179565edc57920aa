//! As much of HTTP as `eyelet watch` needs.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use eyelet_wire::websocket::accept_key;

use super::message::Framing;

/// Reads a request and answers it; `None` for whoever asks for something else.
pub(super) fn greet(mut stream: TcpStream) -> Option<(TcpStream, Framing)> {
    stream.set_nonblocking(false).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(1))).ok()?;
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let mut some = [0; 1024];
        let n = stream.read(&mut some).ok().filter(|n| *n > 0)?;
        request.extend_from_slice(&some[..n]);
    }
    let request = String::from_utf8(request).ok()?;
    let key = request.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("sec-websocket-key").then_some(value.trim())
    });
    let (answer, framing) = match key {
        Some(key) => {
            let accept = accept_key(key)?;
            let answer = format!(
                "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                 Sec-WebSocket-Accept: {accept}\r\n\r\n"
            );
            (answer, Framing::WebSocket)
        }
        None => {
            let kind = "multipart/x-mixed-replace; boundary=bare";
            let answer = format!("HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\n\r\n");
            (answer, Framing::Multipart)
        }
    };
    stream.write_all(answer.as_bytes()).ok()?;
    stream.set_nodelay(true).ok()?;
    stream.set_nonblocking(true).ok()?;
    Some((stream, framing))
}
