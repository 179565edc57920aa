//! One viewer: a frame on its way, and then the newest.

use std::net::TcpStream;
use std::rc::Rc;

use anyhow::{Result, bail, ensure};
use rustix::io::Errno;
use rustix::net::SendFlags;
use rustix::pipe::{SpliceFlags, splice, tee};

use super::message::{Framing, Message, Pipe, pipe_for};

#[derive(Debug)]
pub(super) struct Viewer {
    stream: TcpStream,
    pub(super) framing: Framing,
    /// What is being sent, or was sent last.
    message: Option<Rc<Message>>,
    sent: usize,
    /// This viewer's own references to a message's pages.
    pipe: Option<Pipe>,
}

impl Viewer {
    pub(super) fn new(stream: TcpStream, framing: Framing) -> Self {
        Self { stream, framing, message: None, sent: 0, pipe: None }
    }

    pub(super) fn is_busy(&self) -> bool {
        self.message.as_ref().is_some_and(|message| self.sent < message.len())
    }

    /// Begins with a message.
    pub(super) fn send(&mut self, message: &Rc<Message>) -> Result<()> {
        self.sent = 0;
        if let Message::Pipe(master, len) = &**message {
            if self.pipe.is_none() {
                self.pipe = Some(pipe_for(*len)?);
            }
            if let Some(own) = &self.pipe {
                let moved = tee(&master.0, &own.1, *len, SpliceFlags::NONBLOCK)?;
                ensure!(moved == *len, "the pipe is too small");
            }
        }
        self.message = Some(Rc::clone(message));
        self.progress()
    }

    /// Goes on when the socket takes more, also with the newest message.
    pub(super) fn go_on(&mut self, newest: Option<&Rc<Message>>) -> Result<()> {
        let was_busy = self.is_busy();
        if was_busy {
            self.progress()?;
        }
        let is_new = |newest: &&Rc<Message>| {
            self.message.as_ref().is_some_and(|message| !Rc::ptr_eq(message, newest))
        };
        match newest.filter(is_new) {
            Some(newest) if was_busy && !self.is_busy() => self.send(newest),
            _ => Ok(()),
        }
    }

    /// Sends what the socket takes; after a short call it waits for the edge.
    fn progress(&mut self) -> Result<()> {
        let Some(message) = &self.message else { return Ok(()) };
        while self.sent < message.len() {
            let left = message.len() - self.sent;
            let sent = match (&**message, &self.pipe) {
                (Message::Bytes(bytes), _) => {
                    let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
                    rustix::net::send(&self.stream, &bytes[self.sent..], flags)
                }
                (Message::Pages(memfd, _), _) => {
                    let mut offset = self.sent as u64;
                    rustix::fs::sendfile(&self.stream, memfd, Some(&mut offset), left)
                }
                (Message::Pipe(..), Some(own)) => {
                    let flags = SpliceFlags::NONBLOCK | SpliceFlags::MOVE;
                    splice(&own.0, None, &self.stream, None, left, flags)
                }
                (Message::Pipe(..), None) => bail!("no pipe"),
            };
            match sent {
                Ok(0) => bail!("the viewer has left"),
                Ok(n) => self.sent += n,
                Err(Errno::AGAIN) => return Ok(()),
                Err(error) => return Err(error.into()),
            }
            // A pipe may also be short of what it could give; then only the kernel knows whether to wait.
            if self.sent < message.len() && !matches!(**message, Message::Pipe(..)) {
                return Ok(());
            }
        }
        Ok(())
    }
}
