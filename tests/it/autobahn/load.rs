//! Section 9, as far as messages are no longer than an app's may be: many of them, and the longest.

use eyelet_harness::wire::websocket::Message;

use super::case::{BINARY, Case, TEXT, text, whole};

/// Messages of one case, each sent when the one before is back.
const COUNT: usize = 1000;

pub(super) fn messages() -> Vec<Case> {
    let long: String = "BAsd7&jh23".chars().cycle().take(65_536).collect();
    let bytes: Vec<u8> = b"\x00\xfe\x23\xfa\xf0".iter().copied().cycle().take(65_536).collect();
    let mut cases = vec![
        Case::new("9.1.1").send(whole(TEXT, long.as_bytes())).expect(text(long)),
        Case::new("9.2.1").send(whole(BINARY, &bytes)).expect(Message::Binary(bytes)),
    ];
    for (n, len) in (1..).zip([0, 16, 64, 256, 1024, 4096]) {
        let stars = "*".repeat(len);
        cases.push(many(&format!("9.7.{n}"), &whole(TEXT, stars.as_bytes()), &text(stars)));
        let bytes = vec![0xfe; len];
        cases.push(many(&format!("9.8.{n}"), &whole(BINARY, &bytes), &Message::Binary(bytes)));
    }
    cases
}

fn many(number: &str, frame: &[u8], back: &Message) -> Case {
    let one = |case: Case| case.send(frame.to_vec()).hear().expect(back.clone());
    (0..COUNT).fold(Case::new(number), |case, _| one(case))
}
