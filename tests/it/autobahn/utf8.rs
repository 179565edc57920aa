//! Section 6: texts that are UTF-8 and texts that are not, whole and in pieces.
//!
//! Source of the sequences: Markus Kuhn, "UTF-8 decoder capability and stress test", 2015, in Autobahn's order.

use super::case::{Case, MORE, NOT_UTF8, TEXT, fragments, part, text, whole};

/// Greek letters of two and three bytes.
const GREEK: &[u8] = b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5";
/// The same, half of a surrogate pair, and more text.
pub(super) const SURROGATE_INSIDE: &[u8] =
    b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80\x65\x64\x69\x74\x65\x64";
/// The same letters, a code point beyond the last, and more text.
const BEYOND_INSIDE: &[u8] =
    b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xf4\x90\x80\x80\x65\x64\x69\x74\x65\x64";
const GERMAN: &str = "Hello-µ@ßöäüàá-UTF-8!!";

/// Empty, whole and fragmented texts; texts that are refused before they end.
pub(super) fn texts() -> Vec<Case> {
    let empty = |frames: Vec<Vec<u8>>| frames.concat();
    let greek = String::from_utf8_lossy(GREEK);
    let (first, second) = ("Hello-µ@ßöä", "üàá-UTF-8!!");
    let halves = [part(TEXT, first.as_bytes()), whole(MORE, second.as_bytes())];
    vec![
        Case::new("6.1.1").send(whole(TEXT, b"")).expect(text("")),
        Case::new("6.1.2")
            .send(empty(vec![part(TEXT, b""), part(MORE, b""), whole(MORE, b"")]))
            .expect(text("")),
        Case::new("6.1.3")
            .send(empty(vec![
                part(TEXT, b""),
                part(MORE, b"middle frame payload"),
                whole(MORE, b""),
            ]))
            .expect(text("middle frame payload")),
        Case::new("6.2.1").send(whole(TEXT, GERMAN.as_bytes())).expect(text(GERMAN)),
        Case::new("6.2.2").send(halves.concat()).expect(text(GERMAN)),
        Case::new("6.2.3").send(fragments(TEXT, GERMAN.as_bytes(), 1)).expect(text(GERMAN)),
        Case::new("6.2.4").send(fragments(TEXT, GREEK, 1)).expect(text(greek)),
        Case::new("6.3.1").send(whole(TEXT, SURROGATE_INSIDE)).ends(NOT_UTF8),
        Case::new("6.3.2").send(fragments(TEXT, SURROGATE_INSIDE, 1)).ends(NOT_UTF8),
        // Refused at once: what would follow is never sent.
        early("6.4.1", 11, 15),
        early("6.4.2", 12, 13),
        early_in_one_frame("6.4.3", 11, 15),
        early_in_one_frame("6.4.4", 12, 13),
    ]
}

/// A frame with the first bytes, one with those that make it wrong; a ping between them shows that the first were right.
fn early(number: &str, right: usize, wrong: usize) -> Case {
    use super::case::PING;
    use eyelet_harness::wire::websocket::Message;
    Case::new(number)
        .send([part(TEXT, &BEYOND_INSIDE[..right]), whole(PING, b"so far")].concat())
        .hear()
        .send(part(MORE, &BEYOND_INSIDE[right..wrong]))
        .expect(Message::Pong(b"so far".to_vec()))
        .ends(NOT_UTF8)
}

/// The same bytes in one frame that never ends.
fn early_in_one_frame(number: &str, right: usize, wrong: usize) -> Case {
    let frame = whole(TEXT, BEYOND_INSIDE);
    let head = frame.len() - BEYOND_INSIDE.len();
    Case::new(number)
        .send(frame[..head + right].to_vec())
        .send(frame[head + right..head + wrong].to_vec())
        .ends(NOT_UTF8)
}

/// Sections 6.5 to 6.23, a row each: right ones come back, wrong ones end the connection; which is which `str` says as
/// well, and a test holds that against the table.
const SEQUENCES: [(&[&[u8]], Rightness); 14] = [
    // 6.5: some that are right
    (
        &[
            b"hello\x24world",
            b"hello\xc2\xa2world",
            b"hello\xe2\x82\xacworld",
            b"hello\xf0\xa4\xad\xa2world",
            GREEK,
        ],
        Rightness::All,
    ),
    // 6.7, 6.8: the first of each length
    (&[b"\x00", b"\xc2\x80", b"\xe0\xa0\x80", b"\xf0\x90\x80\x80"], Rightness::All),
    (&[b"\xf8\x88\x80\x80\x80", b"\xfc\x84\x80\x80\x80\x80"], Rightness::None),
    // 6.9, 6.10: the last of each length
    (&[b"\x7f", b"\xdf\xbf", b"\xef\xbf\xbf", b"\xf4\x8f\xbf\xbf"], Rightness::All),
    (&[b"\xf7\xbf\xbf\xbf", b"\xfb\xbf\xbf\xbf\xbf", b"\xfd\xbf\xbf\xbf\xbf\xbf"], Rightness::None),
    // 6.11: around the surrogates and the end
    (
        &[
            b"\xed\x9f\xbf",
            b"\xee\x80\x80",
            b"\xef\xbf\xbd",
            b"\xf4\x8f\xbf\xbf",
            b"\xf4\x90\x80\x80",
        ],
        Rightness::AllButTheLast,
    ),
    // 6.14: the last byte missing
    (&CUT_OFF, Rightness::None),
    // 6.16: bytes that never occur
    (&[b"\xfe", b"\xff", b"\xfe\xfe\xff\xff"], Rightness::None),
    // 6.17, 6.18, 6.19: longer than needed
    (
        &[
            b"\xc0\xaf",
            b"\xe0\x80\xaf",
            b"\xf0\x80\x80\xaf",
            b"\xf8\x80\x80\x80\xaf",
            b"\xfc\x80\x80\x80\x80\xaf",
        ],
        Rightness::None,
    ),
    (
        &[
            b"\xc1\xbf",
            b"\xe0\x9f\xbf",
            b"\xf0\x8f\xbf\xbf",
            b"\xf8\x87\xbf\xbf\xbf",
            b"\xfc\x83\xbf\xbf\xbf\xbf",
        ],
        Rightness::None,
    ),
    (
        &[
            b"\xc0\x80",
            b"\xe0\x80\x80",
            b"\xf0\x80\x80\x80",
            b"\xf8\x80\x80\x80\x80",
            b"\xfc\x80\x80\x80\x80\x80",
        ],
        Rightness::None,
    ),
    // 6.20, 6.21: surrogates, single and in pairs
    (
        &[
            b"\xed\xa0\x80",
            b"\xed\xad\xbf",
            b"\xed\xae\x80",
            b"\xed\xaf\xbf",
            b"\xed\xb0\x80",
            b"\xed\xbe\x80",
            b"\xed\xbf\xbf",
        ],
        Rightness::None,
    ),
    (
        &[
            b"\xed\xa0\x80\xed\xb0\x80",
            b"\xed\xa0\x80\xed\xbf\xbf",
            b"\xed\xad\xbf\xed\xb0\x80",
            b"\xed\xad\xbf\xed\xbf\xbf",
            b"\xed\xae\x80\xed\xb0\x80",
            b"\xed\xae\x80\xed\xbf\xbf",
            b"\xed\xaf\xbf\xed\xb0\x80",
            b"\xed\xaf\xbf\xed\xbf\xbf",
        ],
        Rightness::None,
    ),
    // 6.23: specials
    (
        &[
            b"\xef\xbf\xb9",
            b"\xef\xbf\xba",
            b"\xef\xbf\xbb",
            b"\xef\xbf\xbc",
            b"\xef\xbf\xbd",
            b"\xef\xbf\xbe",
            b"\xef\xbf\xbf",
        ],
        Rightness::All,
    ),
];

/// The sections of [`SEQUENCES`].
const SECTIONS: [u32; 14] = [5, 7, 8, 9, 10, 11, 14, 16, 17, 18, 19, 20, 21, 23];

const CUT_OFF: [&[u8]; 10] = [
    b"\xc0",
    b"\xe0\x80",
    b"\xf0\x80\x80",
    b"\xf8\x80\x80\x80",
    b"\xfc\x80\x80\x80\x80",
    b"\xdf",
    b"\xef\xbf",
    b"\xf7\xbf\xbf",
    b"\xfb\xbf\xbf\xbf",
    b"\xfd\xbf\xbf\xbf\xbf",
];

/// Which sequences of a section are UTF-8.
#[derive(Clone, Copy, Debug)]
enum Rightness {
    All,
    AllButTheLast,
    None,
}

pub(super) fn sequences() -> Vec<Case> {
    let mut cases = Vec::new();
    for (section, (sequences, rightness)) in SECTIONS.into_iter().zip(SEQUENCES) {
        for (at, sequence) in sequences.iter().enumerate() {
            let is_right = match rightness {
                Rightness::All => true,
                Rightness::AllButTheLast => at + 1 < sequences.len(),
                Rightness::None => false,
            };
            cases.push(case(section, at, sequence, is_right));
        }
    }
    // All beginnings of a text: right where a letter ends.
    let ends = [2, 5, 7, 9, 11];
    let beginnings = (1..=GREEK.len()).map(|len| (&GREEK[..len], ends.contains(&len)));
    cases.extend(beginnings.enumerate().map(|(at, (text, is_right))| case(6, at, text, is_right)));
    let lone = |at, bytes: &[u8]| case(12, at, bytes, false);
    cases.extend([lone(0, b"\x80"), lone(1, b"\xbf")]);
    cases.extend((2..=6).map(|len| lone(len, &b"\x80\xbf\x80\xbf\x80\xbf"[..len])));
    cases.push(lone(7, &(0x80..0xbf).collect::<Vec<u8>>()));
    let starts = [0xc0..0xdf_u8, 0xe0..0xef, 0xf0..0xf7, 0xf8..0xfb, 0xfc..0xfd];
    for (at, starts) in starts.into_iter().enumerate() {
        let spaced: Vec<u8> = starts.flat_map(|start| [start, b' ']).collect();
        cases.push(case(13, at, &spaced, false));
    }
    cases.push(case(15, 0, &CUT_OFF.concat(), false));
    cases.extend(no_characters().iter().enumerate().map(|(at, text)| case(22, at, text, true)));
    cases
}

/// The last two code points of each plane, which are no characters, and are UTF-8 all the same.
fn no_characters() -> Vec<Vec<u8>> {
    let planes = (0..=16_u32).flat_map(|plane| [plane << 16 | 0xfffe, plane << 16 | 0xffff]);
    planes.filter_map(char::from_u32).map(|c| c.to_string().into_bytes()).collect()
}

fn case(section: u32, at: usize, bytes: &[u8], is_right: bool) -> Case {
    let case = Case::new(format!("6.{section}.{}", at + 1)).send(whole(TEXT, bytes));
    assert_eq!(str::from_utf8(bytes).is_ok(), is_right, "{}", case.number);
    if is_right { case.expect(text(String::from_utf8_lossy(bytes))) } else { case.ends(NOT_UTF8) }
}
