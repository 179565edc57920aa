//! Input: lines of the app protocol.
#![no_main]

use eyelet_wire::verbs::{MAX_LINE_LEN, MAX_PAYLOAD_LEN, err, ok, parse};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    for line in data.split_inclusive(|&byte| byte == b'\n') {
        match parse(line) {
            Ok(verb) => assert!(verb.payload_len() <= MAX_PAYLOAD_LEN),
            Err(error) => one_line(&err(error.kind(), &error)),
        }
    }
    one_line(&ok(String::from_utf8_lossy(data)));
});

fn one_line(answer: &[u8]) {
    assert!(answer.len() <= MAX_LINE_LEN + 1);
    assert_eq!(answer.iter().position(|&byte| byte < b' '), Some(answer.len() - 1));
}
