//! The WebSocket of an app's request: always read, its messages wait for the app.

use std::io;
use std::ops::Range;
use std::sync::Arc;

use eyelet_area::Frame;
use eyelet_wire::websocket::{Message, Opcode};

use crate::serve::inbox::Inbox;
use crate::serve::link::{Heard, Link};
use crate::serve::tcp;

/// A client with a WebSocket.
#[derive(Debug)]
pub(super) struct Messages {
    link: Link,
    inbox: Inbox,
    /// Longest frame that the socket is set up for.
    frame_len: u64,
    is_over: bool,
}

/// What has happened.
enum Progress {
    /// A message was put into the inbox, or something was sent that nobody waits for.
    Other,
    /// What was begun is in the kernel's hands.
    Sent,
    /// The connection has ended.
    Over,
}

impl Messages {
    pub(super) fn new(link: Link, inbox: Inbox) -> Self {
        Self { link, inbox, frame_len: 0, is_over: false }
    }

    pub(super) fn into_parts(self) -> (Link, Inbox) {
        (self.link, self.inbox)
    }

    /// Goes on reading and sending. May be dropped and called again.
    async fn go_on(&mut self) -> Progress {
        if self.is_over {
            return Progress::Over;
        }
        match self.link.next().await {
            Ok(Heard::Message(message)) => {
                if !self.inbox.push(message) {
                    self.link.close_too_many_messages();
                }
                Progress::Other
            }
            Ok(Heard::Sent) => Progress::Sent,
            Ok(Heard::Idle) => Progress::Other,
            // Why does not matter: nobody else is there to be told.
            Ok(Heard::Closed) | Err(_) => {
                self.is_over = true;
                Progress::Over
            }
        }
    }

    /// Waits until the client has left. May be dropped and called again.
    pub(super) async fn gone(&mut self) {
        while !matches!(self.go_on().await, Progress::Over) {}
    }

    /// Waits for a message; `None` when the client has left and no message is left. May be dropped and called again.
    pub(super) async fn receive(&mut self) -> Option<Message> {
        loop {
            if let Some(message) = self.inbox.pop() {
                return Some(message);
            }
            if matches!(self.go_on().await, Progress::Over) {
                return self.inbox.pop();
            }
        }
    }

    /// Gives a message that is there, also one that was not read yet.
    pub(super) async fn try_receive(&mut self) -> Option<Message> {
        tokio::select! {
            biased;
            message = self.receive() => message,
            () = std::future::ready(()) => None,
        }
    }

    /// Waits until a message waits, or the client has left: false. May be dropped and called again.
    pub(super) async fn has_come(&mut self) -> bool {
        while !self.has_message() {
            if matches!(self.go_on().await, Progress::Over) {
                return self.has_message();
            }
        }
        true
    }

    /// The code with which the client has closed; nothing while it has not.
    pub(super) fn closed_with(&self) -> Option<u16> {
        self.link.closed_with()
    }

    /// Tells whether a message waits.
    pub(super) fn has_message(&self) -> bool {
        !self.inbox.is_empty()
    }

    /// Begins to close the connection.
    pub(super) fn close(&mut self, code: u16, reason: &str) {
        self.link.close(code, reason);
    }

    /// Sends one message and waits until it is in the kernel's hands.
    pub(super) async fn send(&mut self, opcode: Opcode, payload: &[u8]) -> io::Result<()> {
        self.idle().await?;
        self.link.send(opcode, payload);
        self.sent().await
    }

    /// Sends a part of a frame as one message and waits until it is in the kernel's hands.
    pub(super) async fn send_frame(
        &mut self,
        opcode: Opcode,
        frame: Arc<Frame>,
        part: Range<u64>,
    ) -> io::Result<()> {
        self.idle().await?;
        let len = part.end - part.start;
        if len > self.frame_len {
            self.frame_len = len;
            tcp::bound_unsent(self.link.stream(), len);
        }
        self.link.send_frame(opcode, &[], frame, part);
        self.sent().await
    }

    /// Waits until a message may be begun.
    async fn idle(&mut self) -> io::Result<()> {
        while !self.link.is_idle() {
            if matches!(self.go_on().await, Progress::Over) {
                return Err(io::ErrorKind::BrokenPipe.into());
            }
        }
        Ok(())
    }

    async fn sent(&mut self) -> io::Result<()> {
        loop {
            match self.go_on().await {
                Progress::Sent => return Ok(()),
                Progress::Over => return Err(io::ErrorKind::BrokenPipe.into()),
                Progress::Other => {}
            }
        }
    }
}
