//! Input: a text message, from a client or a server; also read as a binary one.
#![no_main]

use eyelet_wire::v1::{ClientMessage, FRAME_HEADER_LEN, FrameHeader, ServerMessage};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Ok((header, offset)) = FrameHeader::decode(data) {
        assert!(offset >= FRAME_HEADER_LEN);
        assert_eq!(FrameHeader::decode(&header.encode()), Ok((header, FRAME_HEADER_LEN)));
    }
    let Ok(text) = str::from_utf8(data) else { return };
    match ClientMessage::parse(text) {
        Ok(message) => assert_eq!(ClientMessage::parse(&message.to_json()), Ok(message)),
        Err(error) => {
            let error = error.to_string();
            assert!(error.len() < 1000 && !error.contains(char::is_control), "{error}");
        }
    }
    if let Ok(message) = ServerMessage::parse(text) {
        assert_eq!(ServerMessage::parse(&message.to_json()), Ok(message));
    }
});
