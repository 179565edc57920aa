//! Section 7: closing, with codes that may and may not be sent, and what comes after a close.

use super::case::{
    CLOSE, Case, Ending, MORE, NOT_UTF8, PING, PROTOCOL_ERROR, TEXT, close, part, text, whole,
};
use super::utf8::SURROGATE_INSIDE;

const NORMAL: Ending = Ending::ByServer(&[1000]);

/// What may come before and after a close, and what a close may carry.
pub(super) fn closes() -> Vec<Case> {
    let one = |number: &str, bytes| Case::new(number).send(bytes);
    let hello = b"Hello World!";
    vec![
        one("7.1.1", whole(TEXT, hello)).expect(text("Hello World!")),
        one("7.1.2", [close(1000, b""), whole(CLOSE, b"")].concat()).ends(NORMAL),
        one("7.1.3", [close(1000, b""), whole(PING, b"")].concat()).ends(NORMAL),
        one("7.1.4", [close(1000, b""), whole(TEXT, hello)].concat()).ends(NORMAL),
        one(
            "7.1.5",
            [part(TEXT, b"fragment1"), close(1000, b""), whole(MORE, b"fragment2")].concat(),
        )
        .ends(NORMAL),
        one("7.3.1", whole(CLOSE, b"")).ends(NORMAL),
        one("7.3.2", whole(CLOSE, b"a")).ends(PROTOCOL_ERROR),
        one("7.3.3", close(1000, b"")).ends(NORMAL),
        one("7.3.4", close(1000, hello)).ends(NORMAL),
        one("7.3.5", close(1000, &[b'*'; 123])).ends(NORMAL),
        one("7.3.6", close(1000, &[b'*'; 124])).ends(PROTOCOL_ERROR),
        one("7.5.1", close(1000, SURROGATE_INSIDE)).ends(NOT_UTF8),
    ]
}

/// The case of a message that is longer than ours may be, a message behind it, a close and a ping: what comes of it is
/// not laid down, but with us it is the refusal of the first.
pub(super) fn too_long() -> Case {
    let long = b"BAsd7&jh23".iter().copied().cycle().take(256 << 10).collect::<Vec<u8>>();
    let frames = [whole(TEXT, &long), whole(TEXT, b"Hello World!"), close(1000, b"")];
    Case::new("7.1.6")
        .send([frames.concat(), whole(PING, b"")].concat())
        .ends(Ending::ByServer(&[1009]))
}

/// A code that may be sent, and the answer to it.
const RIGHT_CODES: [(u16, &[u16]); 13] = [
    (1000, &[1000]),
    (1001, &[1000, 1001]),
    (1002, &[1000, 1002]),
    (1003, &[1000, 1003]),
    (1007, &[1000, 1007]),
    (1008, &[1000, 1008]),
    (1009, &[1000, 1009]),
    (1010, &[1000, 1010]),
    (1011, &[1000, 1011]),
    (3000, &[1000, 3000]),
    (3999, &[1000, 3999]),
    (4000, &[1000, 4000]),
    (4999, &[1000, 4999]),
];

const WRONG_CODES: [u16; 9] = [0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999];

/// Codes that nobody has said anything about; with us they are wrong.
const UNDEFINED_CODES: [u16; 2] = [5000, 65535];

pub(super) fn codes() -> Vec<Case> {
    let case =
        |group: &str, n: usize, code| Case::new(format!("{group}.{n}")).send(close(code, b""));
    let right = (1..).zip(RIGHT_CODES);
    let right =
        right.map(|(n, (code, answers))| case("7.7", n, code).ends(Ending::ByServer(answers)));
    let wrong = |group: &'static str, codes: &'static [u16]| {
        (1..).zip(codes).map(move |(n, code)| case(group, n, *code).ends(PROTOCOL_ERROR))
    };
    right.chain(wrong("7.9", &WRONG_CODES)).chain(wrong("7.13", &UNDEFINED_CODES)).collect()
}
