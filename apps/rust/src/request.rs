//! A request as a handler gets it.

use std::io::{self, BufRead, Read};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use eyelet_wire::scgi::{self, Vars};

use crate::answer::Body;
use crate::error::{Error, Result};
use crate::link::{Link, Stopper, nonsense, number, seconds};
use crate::websocket::WebSocket;

/// The server sends a request in one piece; whoever takes longer is not the server.
const PATIENCE: Duration = Duration::from_secs(10);
/// Digits of the length that a request begins with, at most, and the colon.
const LEN_DIGITS: u64 = 7;

/// What a client asks for, and all that can be done about it.
///
/// A handler answers it once: with [`respond`](Self::respond), with [`answer`](Self::answer) or with
/// [`handshake`](Self::handshake). Areas can be used before and after; what these two give can do all that a request
/// can.
#[derive(Debug)]
pub struct Request {
    pub(crate) link: Link,
    method: String,
    path: String,
    query: String,
    vars: Vars,
    body: Vec<u8>,
}

impl Request {
    /// Receives it, with its body.
    pub(crate) fn receive(stream: UnixStream) -> Result<Self> {
        let mut link = Link::new(stream);
        link.set_patience(Some(PATIENCE))?;
        let vars = read_vars(link.input())?;
        let len: u64 = number(&text(&vars, "CONTENT_LENGTH"))?;
        let mut body = Vec::new();
        // It grows with what comes, not with what is promised.
        link.input().take(len).read_to_end(&mut body)?;
        if body.len() as u64 != len {
            return Err(nonsense("the request's body is not whole"));
        }
        link.set_patience(None)?;
        let word = |name| text(&vars, name);
        let (method, path, query) =
            (word("REQUEST_METHOD"), word("PATH_INFO"), word("QUERY_STRING"));
        Ok(Self { link, method, path, query, vars, body })
    }

    /// The method, as `GET`.
    #[must_use]
    pub fn method(&self) -> &str {
        &self.method
    }

    /// The path, decoded and without the query, as `/stream`. What is not UTF-8 in it is replaced; `PATH_INFO` of
    /// [`var`](Self::var) has the bytes.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// What follows the question mark, as the client sent it; empty if there is none.
    #[must_use]
    pub fn query(&self) -> &str {
        &self.query
    }

    /// A header's value, whatever the case of the name; those that stand twice are joined with `, `. `None` if it is
    /// not there or is not UTF-8; [`var`](Self::var) has the bytes.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let is_length = name.eq_ignore_ascii_case("Content-Length");
        let name = if is_length { "CONTENT_LENGTH".to_owned() } else { scgi::cgi_name(name)? };
        str::from_utf8(self.var(&name)?).ok()
    }

    /// A CGI variable (RFC 3875), as `REMOTE_ADDR`; headers are `HTTP_…`.
    #[must_use]
    pub fn var(&self, name: &str) -> Option<&[u8]> {
        find(&self.vars, name)
    }

    /// All CGI variables, names and values, as the server sent them.
    pub fn vars(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.vars.iter().map(|(name, value)| (name.as_slice(), value.as_slice()))
    }

    /// What the client sent with its request, all of it.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// Tells whether the client asks for a WebSocket.
    #[must_use]
    pub fn wants_websocket(&self) -> bool {
        self.var("HTTP_SEC_WEBSOCKET_KEY").is_some()
    }

    /// Completes the WebSocket handshake, with a subprotocol if one is named.
    ///
    /// # Errors
    /// [`Error::BadState`] if the client did not ask for one, or the request is answered.
    pub fn handshake(&mut self, protocol: Option<&str>) -> Result<WebSocket<'_>> {
        match protocol {
            Some(protocol) if !is_word(protocol) => {
                return Err(Error::BadRequest(format!("`{protocol}` is no subprotocol")));
            }
            Some(protocol) => self.link.ask(format_args!("handshake {protocol}"), &[])?,
            None => self.link.ask(format_args!("handshake"), &[])?,
        };
        self.link.is_answered = true;
        Ok(WebSocket::new(self))
    }

    /// Answers with one page, picture or text, of this `Content-Type`.
    ///
    /// # Errors
    /// As [`answer`](Self::answer).
    pub fn respond(
        &mut self,
        status: u16,
        content_type: &str,
        body: impl AsRef<[u8]>,
    ) -> Result<()> {
        let body = body.as_ref();
        let len = body.len().to_string();
        let headers = [("Content-Type", content_type), ("Content-Length", &len)];
        // Where there can be no body, a length would be wrong.
        let headers = if matches!(status, 204 | 304) { &headers[..0] } else { &headers[..] };
        self.answer(status, headers)?.send(body)
    }

    /// Begins an answer with these headers; its body may be endless.
    ///
    /// # Errors
    /// [`Error::BadState`] if the request is answered; [`Error::BadRequest`] if the status is not 200 to 599, or a
    /// header has a character that it may not have.
    pub fn answer(&mut self, status: u16, headers: &[(&str, &str)]) -> Result<Body<'_>> {
        let head = crate::answer::head(status, headers)?;
        self.link.ask(format_args!("head {}", head.len()), head.as_bytes())?;
        self.link.is_answered = true;
        Ok(Body::new(self))
    }

    /// Waits until the client has left, so long at most; for a request without a WebSocket.
    ///
    /// # Errors
    /// [`Error::Timeout`]; [`Error::BadState`] where there is a WebSocket, whose messages would get lost here.
    pub fn wait_gone(&mut self, timeout: Option<Duration>) -> Result<()> {
        match self.link.ask(format_args!("recv {}", seconds(timeout)), &[]) {
            Ok(words) => {
                // The message has to be read all the same: answers follow it.
                self.link.payload(words.split(' ').nth(1).unwrap_or_default())?;
                Err(Error::BadState("there is a WebSocket: receive its messages".to_owned()))
            }
            Err(Error::Gone { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Gives what ends a wait of this request from another thread.
    #[must_use]
    pub fn stopper(&self) -> Stopper {
        self.link.stopper()
    }
}

fn read_vars(mut input: impl BufRead) -> Result<Vars> {
    let broken = || nonsense("the request is no netstring of variables");
    let mut bytes = Vec::with_capacity(2048);
    if (&mut input).take(LEN_DIGITS).read_until(b':', &mut bytes)? == 0 {
        // Whoever connected has thought better of it.
        return Err(Error::hung_up(&io::ErrorKind::UnexpectedEof.into()));
    }
    let digits = bytes.strip_suffix(b":").and_then(|digits| str::from_utf8(digits).ok());
    let len: usize = number(digits.ok_or_else(broken)?)?;
    if len > scgi::MAX_VARS_LEN {
        return Err(nonsense(&format!("a request of {len} bytes")));
    }
    let begin = bytes.len();
    bytes.resize(begin + len + 1, 0);
    input.read_exact(&mut bytes[begin..])?;
    let request = scgi::decode_request(&bytes).map_err(|_| broken())?;
    Ok(request.ok_or_else(broken)?.0)
}

fn find<'a>(vars: &'a Vars, name: &str) -> Option<&'a [u8]> {
    vars.iter().find(|(known, _)| known == name.as_bytes()).map(|(_, value)| value.as_slice())
}

fn text(vars: &Vars, name: &str) -> String {
    String::from_utf8_lossy(find(vars, name).unwrap_or_default()).into_owned()
}

/// Printable ASCII without a space; the server looks closer.
fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
}
