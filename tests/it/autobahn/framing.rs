//! Sections 1 to 5 and 10: framing, pings and pongs, reserved bits and opcodes, fragments.

use eyelet_harness::wire::websocket::Message;

use super::case::{
    BINARY, CLOSE, Case, MORE, PING, PONG, PROTOCOL_ERROR, TEXT, fragments, part, reserved, text,
    whole,
};

const HELLO: &[u8] = b"Hello, world!";
const NO_TEXT: &[u8] = b"\x00\xff\xfe\xfd\xfc\xfb\x00\xff";

/// Payloads of every length that is written in another way.
pub(super) fn lengths() -> Vec<Case> {
    let lens = [0, 125, 126, 127, 128, 65_535, 65_536, 65_536];
    let mut cases = Vec::new();
    for (n, len) in (1..).zip(lens) {
        let chop = if n == 8 { 997 } else { 0 };
        let stars = "*".repeat(len);
        let case = Case::new(format!("1.1.{n}")).chopped(whole(TEXT, stars.as_bytes()), chop);
        cases.push(case.expect(text(stars)));
        let bytes = vec![0xfe; len];
        let case = Case::new(format!("1.2.{n}")).chopped(whole(BINARY, &bytes), chop);
        cases.push(case.expect(Message::Binary(bytes)));
    }
    let stars = "*".repeat(65_536);
    let case = Case::new("10.1.1").send(fragments(TEXT, stars.as_bytes(), 1300));
    cases.push(case.expect(text(stars)));
    cases
}

fn ping(number: &str, payload: &[u8], chop: usize) -> Case {
    let case = Case::new(number).chopped(whole(PING, payload), chop);
    case.expect(Message::Pong(payload.to_vec()))
}

/// Pings, and pongs that nobody asked for.
pub(super) fn pings() -> Vec<Case> {
    let unasked = b"unsolicited pong payload";
    let ten: Vec<String> = (0..10).map(|n| format!("payload-{n}")).collect();
    let all = || ten.iter().map(|one| whole(PING, one.as_bytes())).collect::<Vec<_>>().concat();
    let answered = |case: Case| {
        ten.iter().fold(case, |case, one| case.expect(Message::Pong(one.as_bytes().to_vec())))
    };
    vec![
        ping("2.1", b"", 0),
        ping("2.2", HELLO, 0),
        ping("2.3", NO_TEXT, 0),
        ping("2.4", &[0xfe; 125], 0),
        Case::new("2.5").send(whole(PING, &[0xfe; 126])).ends(PROTOCOL_ERROR),
        ping("2.6", &[0xfe; 125], 1),
        Case::new("2.7").send(whole(PONG, b"")),
        Case::new("2.8").send(whole(PONG, unasked)),
        Case::new("2.9")
            .send([whole(PONG, unasked), whole(PING, b"ping payload")].concat())
            .expect(Message::Pong(b"ping payload".to_vec())),
        answered(Case::new("2.10").send(all())),
        answered(Case::new("2.11").chopped(all(), 1)),
    ]
}

/// A message that is right, one that is not, and a ping that must not be answered.
fn then_wrong(number: &str, wrong: Vec<u8>) -> Case {
    Case::new(number)
        .each(vec![whole(TEXT, HELLO), wrong, whole(PING, b"")])
        .expect(text("Hello, world!"))
        .silent_as_well()
        .ends(PROTOCOL_ERROR)
}

/// The same octet by octet.
fn then_wrong_in_octets(number: &str, wrong: &[u8]) -> Case {
    let bytes = [&whole(TEXT, HELLO), wrong, &whole(PING, b"")].concat();
    Case::new(number)
        .chopped(bytes, 1)
        .expect(text("Hello, world!"))
        .silent_as_well()
        .ends(PROTOCOL_ERROR)
}

fn wrong(number: &str, bytes: Vec<u8>) -> Case {
    Case::new(number).send(bytes).ends(PROTOCOL_ERROR)
}

/// Reserved bits and opcodes.
pub(super) fn reservations() -> Vec<Case> {
    let payload = b"reserved opcode payload";
    vec![
        wrong("3.1", reserved(1, TEXT, HELLO)),
        then_wrong("3.2", reserved(2, TEXT, HELLO)),
        then_wrong("3.3", reserved(3, TEXT, HELLO)),
        then_wrong_in_octets("3.4", &reserved(4, TEXT, HELLO)),
        wrong("3.5", reserved(5, BINARY, NO_TEXT)),
        wrong("3.6", reserved(6, PING, HELLO)),
        wrong("3.7", reserved(7, CLOSE, b"")),
        wrong("4.1.1", whole(3, b"")),
        wrong("4.1.2", whole(4, payload)),
        then_wrong("4.1.3", whole(5, b"")),
        then_wrong("4.1.4", whole(6, HELLO)),
        then_wrong_in_octets("4.1.5", &whole(7, HELLO)),
        wrong("4.2.1", whole(11, b"")),
        wrong("4.2.2", whole(12, payload)),
        then_wrong("4.2.3", whole(13, b"")),
        then_wrong("4.2.4", whole(14, HELLO)),
        then_wrong_in_octets("4.2.5", &whole(15, HELLO)),
    ]
}

fn in_two() -> Vec<Vec<u8>> {
    vec![part(TEXT, b"fragment1"), whole(MORE, b"fragment2")]
}

fn with_a_ping() -> Vec<Vec<u8>> {
    let [first, second] = [part(TEXT, b"fragment1"), whole(MORE, b"fragment2")];
    vec![first, whole(PING, b"ping payload"), second]
}

/// Messages in fragments, with pings between them.
pub(super) fn right_fragments() -> Vec<Case> {
    let joined = |case: Case| case.expect(text("fragment1fragment2"));
    let pinged = |case: Case| joined(case.expect(Message::Pong(b"ping payload".to_vec())));
    let five = |case: Case| {
        case.expect(Message::Pong(b"pongme 1!".to_vec()))
            .expect(Message::Pong(b"pongme 2!".to_vec()))
            .expect(text("fragment1fragment2fragment3fragment4fragment5"))
    };
    let before =
        vec![part(TEXT, b"fragment1"), part(MORE, b"fragment2"), whole(PING, b"pongme 1!")];
    let after = vec![
        part(MORE, b"fragment3"),
        part(MORE, b"fragment4"),
        whole(PING, b"pongme 2!"),
        whole(MORE, b"fragment5"),
    ];
    vec![
        joined(Case::new("5.3").send(in_two().concat())),
        joined(Case::new("5.4").each(in_two())),
        joined(Case::new("5.5").chopped(in_two().concat(), 1)),
        pinged(Case::new("5.6").send(with_a_ping().concat())),
        pinged(Case::new("5.7").each(with_a_ping())),
        pinged(Case::new("5.8").chopped(with_a_ping().concat(), 1)),
        // The first pong comes before the rest is sent.
        five(Case::new("5.19").send(before.concat()).hear().send(after.concat())),
        five(Case::new("5.20").each(before).hear().each(after)),
    ]
}

/// Fragments of what must not be fragmented, and of nothing.
pub(super) fn wrong_fragments() -> Vec<Case> {
    let lone = |fin: bool| {
        let payload = b"non-continuation payload";
        let lone = if fin { whole(MORE, payload) } else { part(MORE, payload) };
        vec![lone, whole(TEXT, HELLO)]
    };
    let all = |number: &str, frames: Vec<Vec<u8>>| wrong(number, frames.concat());
    let each = |number: &str, frames| Case::new(number).each(frames).ends(PROTOCOL_ERROR);
    let octets = |number: &str, frames: Vec<Vec<u8>>| {
        Case::new(number).chopped(frames.concat(), 1).ends(PROTOCOL_ERROR)
    };
    let twice = |first: Vec<u8>| {
        let three = [first, part(TEXT, b"fragment2"), whole(MORE, b"fragment3")];
        [three.clone(), three].concat()
    };
    vec![
        all("5.1", vec![part(PING, b"fragment1"), whole(MORE, b"fragment2")]),
        all("5.2", vec![part(PONG, b"fragment1"), whole(MORE, b"fragment2")]),
        all("5.9", lone(true)),
        each("5.10", lone(true)),
        octets("5.11", lone(true)),
        all("5.12", lone(false)),
        each("5.13", lone(false)),
        octets("5.14", lone(false)),
        all("5.15", [in_two(), vec![part(MORE, b"fragment3"), whole(TEXT, b"fragment4")]].concat())
            .expect(text("fragment1fragment2"))
            .silent_as_well(),
        all("5.16", twice(part(MORE, b"fragment1"))),
        all("5.17", twice(whole(MORE, b"fragment1"))),
        all("5.18", vec![part(TEXT, b"fragment1"), whole(TEXT, b"fragment2")]),
    ]
}
