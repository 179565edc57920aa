//! Messages of a client that wait for the app: bounded, whatever the client sends.

use std::collections::VecDeque;

use eyelet_wire::websocket::Message;

/// What keeping a message costs beside its payload, so that empty ones are bounded as well.
const OVERHEAD: usize = 64;

/// Messages in the order in which they came.
#[derive(Debug)]
pub(crate) struct Inbox {
    messages: VecDeque<Message>,
    len: usize,
    capacity: usize,
}

impl Inbox {
    /// Takes messages of `capacity` bytes in all.
    pub(crate) fn new(capacity: usize) -> Self {
        Self { messages: VecDeque::new(), len: 0, capacity }
    }

    /// Puts a message behind the others; false if there is no room for it, and then it is lost.
    ///
    /// A message that is as long as all of them may be is taken when no other waits.
    #[must_use]
    pub(crate) fn push(&mut self, message: Message) -> bool {
        let len = cost(&message);
        if !self.messages.is_empty() && self.len + len > self.capacity {
            return false;
        }
        self.len += len;
        self.messages.push_back(message);
        true
    }

    /// Takes the first message.
    pub(crate) fn pop(&mut self) -> Option<Message> {
        let message = self.messages.pop_front()?;
        self.len -= cost(&message);
        Some(message)
    }

    /// Tells whether no message waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }
}

fn cost(message: &Message) -> usize {
    let payload = match message {
        Message::Text(text) => text.len(),
        Message::Binary(bytes) | Message::Ping(bytes) | Message::Pong(bytes) => bytes.len(),
        Message::Close(_) => 0,
    };
    payload + OVERHEAD
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_is_bounded_and_keeps_its_order() {
        let mut inbox = Inbox::new(1000);
        assert!(inbox.push(Message::Binary(vec![1; 1000])), "one alone");
        assert!(!inbox.push(Message::Text(String::new())));
        assert_eq!(inbox.pop(), Some(Message::Binary(vec![1; 1000])));
        let taken = (0..100).take_while(|n| inbox.push(Message::Text(n.to_string()))).count();
        assert!((5..=15).contains(&taken), "{taken}");
        for n in 0..taken {
            assert_eq!(inbox.pop(), Some(Message::Text(n.to_string())));
        }
        assert!(inbox.is_empty() && inbox.pop().is_none());
    }
}
