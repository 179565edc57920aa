//! What a case is: what the client sends, what must come back, and how the connection must end.

use eyelet_harness::wire::websocket::Message;

/// One part of what the client does.
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// Sends bytes, so many in one write; all at once for 0.
    Send { bytes: Vec<u8>, chop: usize },
    /// Waits for one message.
    Hear,
}

/// How the connection must end.
#[derive(Clone, Debug)]
pub(super) enum Ending {
    /// After the last message the client closes with 1000, and that is answered with 1000.
    ByClient,
    /// The server sends a close with one of these codes: because a rule was broken, or as the answer to a close.
    ByServer(&'static [u16]),
}

/// One case.
#[derive(Clone, Debug)]
pub(super) struct Case {
    /// Its number in Autobahn's suite.
    pub(super) number: String,
    pub(super) steps: Vec<Step>,
    pub(super) expected: Vec<Message>,
    /// Nothing is as good as what is expected: the peer may fail before it answers what came first ("non-strict").
    pub(super) may_be_silent: bool,
    pub(super) ending: Ending,
}

pub(super) const PROTOCOL_ERROR: Ending = Ending::ByServer(&[1002]);
pub(super) const NOT_UTF8: Ending = Ending::ByServer(&[1007]);

impl Case {
    /// A case in which nothing is sent or expected yet, and the client closes.
    pub(super) fn new(number: impl Into<String>) -> Self {
        Self {
            number: number.into(),
            steps: Vec::new(),
            expected: Vec::new(),
            may_be_silent: false,
            ending: Ending::ByClient,
        }
    }

    /// Sends bytes in one write.
    pub(super) fn send(self, bytes: Vec<u8>) -> Self {
        self.chopped(bytes, 0)
    }

    /// Sends frames in one write each.
    pub(super) fn each(self, frames: Vec<Vec<u8>>) -> Self {
        frames.into_iter().fold(self, Self::send)
    }

    /// Sends bytes in writes of `chop`.
    pub(super) fn chopped(mut self, bytes: Vec<u8>, chop: usize) -> Self {
        self.steps.push(Step::Send { bytes, chop });
        self
    }

    /// Waits for one message before it goes on.
    pub(super) fn hear(mut self) -> Self {
        self.steps.push(Step::Hear);
        self
    }

    /// Expects one more message.
    pub(super) fn expect(mut self, message: Message) -> Self {
        self.expected.push(message);
        self
    }

    pub(super) fn silent_as_well(mut self) -> Self {
        self.may_be_silent = true;
        self
    }

    pub(super) fn ends(mut self, ending: Ending) -> Self {
        self.ending = ending;
        self
    }
}

/// What Autobahn calls opcodes.
pub(super) const MORE: u8 = 0;
pub(super) const TEXT: u8 = 1;
pub(super) const BINARY: u8 = 2;
pub(super) const CLOSE: u8 = 8;
pub(super) const PING: u8 = 9;
pub(super) const PONG: u8 = 10;

const MASK: [u8; 4] = [0xA1, 0x5C, 0x00, 0xFF];

/// A frame that ends its message.
pub(super) fn whole(opcode: u8, payload: &[u8]) -> Vec<u8> {
    frame(0x80 | opcode, payload)
}

/// A frame that others follow.
pub(super) fn part(opcode: u8, payload: &[u8]) -> Vec<u8> {
    frame(opcode, payload)
}

/// A frame with reserved bits, as Autobahn counts them.
pub(super) fn reserved(bits: u8, opcode: u8, payload: &[u8]) -> Vec<u8> {
    frame(0x80 | bits << 4 | opcode, payload)
}

/// A masked frame of any first byte.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut masked = payload.to_vec();
    eyelet_harness::wire::websocket::mask(&mut masked, MASK);
    [&head(first, payload.len())[..], &masked].concat()
}

/// The head of a masked frame whose payload is to come.
fn head(first: u8, len: usize) -> Vec<u8> {
    let mut head = vec![first];
    match (u8::try_from(len), u16::try_from(len)) {
        (Ok(len @ 0..=125), _) => head.push(0x80 | len),
        (_, Ok(len)) => {
            head.push(0x80 | 126);
            head.extend(len.to_be_bytes());
        }
        _ => {
            head.push(0x80 | 127);
            head.extend((len as u64).to_be_bytes());
        }
    }
    head.extend(MASK);
    head
}

/// A message in frames of `len` bytes.
pub(super) fn fragments(opcode: u8, payload: &[u8], len: usize) -> Vec<u8> {
    let last = payload.len().div_ceil(len).saturating_sub(1);
    let frames = payload.chunks(len).enumerate().map(|(at, chunk)| {
        let opcode = if at == 0 { opcode } else { MORE };
        if at == last { whole(opcode, chunk) } else { part(opcode, chunk) }
    });
    frames.collect::<Vec<_>>().concat()
}

/// A close frame.
pub(super) fn close(code: u16, reason: &[u8]) -> Vec<u8> {
    whole(CLOSE, &[&code.to_be_bytes(), reason].concat())
}

/// The message that comes back for a text.
pub(super) fn text(text: impl Into<String>) -> Message {
    Message::Text(text.into())
}
