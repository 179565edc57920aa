//! Input: a byte for the role (even: server), a byte for the size of the reads, then what the peer sends.
#![no_main]

use bytes::BytesMut;
use eyelet_wire::websocket::{
    Decoder, MAX_CONTROL_PAYLOAD, MAX_HEADER_LEN, Message, Role, Violation,
};
use libfuzzer_sys::fuzz_target;

const MAX_MESSAGE: usize = 300;

fuzz_target!(|data: &[u8]| {
    let [role, read_len, sent @ ..] = data else { return };
    let role = if role % 2 == 0 { Role::Server } else { Role::Client };
    let whole = run(role, sent, usize::MAX);
    assert_eq!(whole, run(role, sent, usize::from(*read_len).max(1)), "the cuts matter");
    for message in whole.0 {
        match message {
            Message::Text(text) => assert!(text.len() <= MAX_MESSAGE),
            Message::Binary(bytes) => assert!(bytes.len() <= MAX_MESSAGE),
            Message::Ping(bytes) | Message::Pong(bytes) => {
                assert!(bytes.len() <= MAX_CONTROL_PAYLOAD)
            }
            Message::Close(_) => {}
        }
    }
});

fn run(role: Role, sent: &[u8], read_len: usize) -> (Vec<Message>, Option<Violation>) {
    let mut decoder = Decoder::new(role, MAX_MESSAGE);
    let mut input = BytesMut::new();
    let mut messages = Vec::new();
    for read in sent.chunks(read_len) {
        input.extend_from_slice(read);
        loop {
            match decoder.decode(&mut input) {
                Ok(Some(message)) => messages.push(message),
                Ok(None) => break,
                Err(violation) => return (messages, Some(violation)),
            }
        }
        assert!(input.len() < MAX_HEADER_LEN);
        assert!(decoder.held() <= MAX_MESSAGE + 2 * MAX_CONTROL_PAYLOAD);
    }
    (messages, None)
}
