use super::violation::Broken;
use super::*;
use bytes::BytesMut;
use proptest::prelude::*;

const LIMIT: usize = 1 << 20;
const KEY: [u8; 4] = [0x37, 0xFA, 0x21, 0x3D];

/// A frame with any head: `first` is the whole first byte.
fn raw(first: u8, payload: &[u8], key: Option<[u8; 4]>) -> Vec<u8> {
    let mut frame = header(Opcode::Text, payload.len() as u64, key).to_vec();
    frame[0] = first;
    let start = frame.len();
    frame.extend_from_slice(payload);
    if let Some(key) = key {
        mask(&mut frame[start..], key);
    }
    frame
}

fn frames(parts: &[(u8, &[u8])]) -> Vec<u8> {
    parts.iter().flat_map(|(first, payload)| raw(*first, payload, Some(KEY))).collect()
}

/// All messages, and the violation that ended them; `cuts` are the sizes of the reads.
fn run(decoder: &mut Decoder, bytes: &[u8], cuts: &[usize]) -> (Vec<Message>, Option<Violation>) {
    let mut messages = Vec::new();
    let mut input = BytesMut::new();
    let mut cuts = cuts.iter().copied().cycle();
    let mut rest = bytes;
    while !rest.is_empty() {
        let (part, behind) = rest.split_at(cuts.next().unwrap_or(usize::MAX).clamp(1, rest.len()));
        rest = behind;
        input.extend_from_slice(part);
        loop {
            match decoder.decode(&mut input) {
                Ok(Some(message)) => messages.push(message),
                Ok(None) => break,
                Err(violation) => return (messages, Some(violation)),
            }
        }
        assert!(input.len() < MAX_HEADER_LEN, "{} bytes are left", input.len());
        assert!(decoder.decode(&mut input).unwrap().is_none());
    }
    (messages, None)
}

fn server(bytes: &[u8]) -> (Vec<Message>, Option<Violation>) {
    let whole = run(&mut Decoder::new(Role::Server, LIMIT), bytes, &[usize::MAX]);
    let bytewise = run(&mut Decoder::new(Role::Server, LIMIT), bytes, &[1]);
    assert_eq!(whole, bytewise, "the cuts must not matter");
    whole
}

fn text(text: &str) -> Message {
    Message::Text(text.into())
}

#[test]
fn accepted_behaviours() {
    type Case<'a> = (&'a str, &'a [(u8, &'a [u8])], &'a [Message]);
    let long = vec![b'*'; 65_536];
    let full = vec![0xFE; MAX_CONTROL_PAYLOAD];
    let euro = "€".as_bytes();
    let reason = |code, text: &str| Message::Close(Some(CloseReason { code, text: text.into() }));
    let cases: &[Case] = &[
        ("empty text", &[(0x81, b"")], &[text("")]),
        ("empty binary", &[(0x82, b"")], &[Message::Binary(vec![])]),
        ("text of 125 bytes", &[(0x81, &long[..125])], &[text(&"*".repeat(125))]),
        ("text of 126 bytes", &[(0x81, &long[..126])], &[text(&"*".repeat(126))]),
        ("text of 65535 bytes", &[(0x81, &long[..65_535])], &[text(&"*".repeat(65_535))]),
        ("binary of 65536 bytes", &[(0x82, &long)], &[Message::Binary(long.clone())]),
        ("ping without payload", &[(0x89, b"")], &[Message::Ping(vec![])]),
        ("ping with 125 bytes", &[(0x89, &full)], &[Message::Ping(full.clone())]),
        ("pong nobody asked for", &[(0x8A, b"x")], &[Message::Pong(b"x".to_vec())]),
        ("text in two fragments", &[(0x01, b"a"), (0x80, b"b")], &[text("ab")]),
        ("empty fragments", &[(0x01, b""), (0x00, b"x"), (0x00, b""), (0x80, b"")], &[text("x")]),
        (
            "ping between fragments comes first",
            &[(0x01, b"a"), (0x89, b"p"), (0x00, b"b"), (0x8A, b"q"), (0x80, b"c")],
            &[Message::Ping(b"p".to_vec()), Message::Pong(b"q".to_vec()), text("abc")],
        ),
        (
            "character cut by a fragment's end",
            &[(0x01, &euro[..1]), (0x00, &euro[1..2]), (0x80, &euro[2..])],
            &[text("€")],
        ),
        ("binary that is not UTF-8", &[(0x82, &[0xFF])], &[Message::Binary(vec![0xFF])]),
        (
            "text with NUL and the last code point",
            &[(0x81, "\0\u{10FFFF}".as_bytes())],
            &[text("\0\u{10FFFF}")],
        ),
        ("close without payload", &[(0x88, b"")], &[Message::Close(None)]),
        ("close with code", &[(0x88, &[3, 0xE8])], &[reason(1000, "")]),
        ("close with reason", &[(0x88, &[3, 0xE9, 0xE2, 0x82, 0xAC])], &[reason(1001, "€")]),
        ("close with a private code", &[(0x88, &[0x13, 0x87])], &[reason(4999, "")]),
        (
            "close inside a fragmented message",
            &[(0x01, b"a"), (0x88, &[3, 0xE8])],
            &[reason(1000, "")],
        ),
        (
            "anything after close is ignored",
            &[(0x88, b""), (0x81, b"x"), (0xFF, b"garbage")],
            &[Message::Close(None)],
        ),
    ];
    for (name, parts, expected) in cases {
        let (messages, violation) = server(&frames(parts));
        assert_eq!(violation, None, "{name}");
        assert_eq!(messages, *expected, "{name}");
    }
}

#[test]
fn refused_behaviours() {
    type Case<'a> = (&'a str, &'a [(u8, &'a [u8])], u16);
    let long = [b'*'; 126];
    let cases: &[Case] = &[
        ("first reserved bit", &[(0xC1, b"")], 1002),
        ("second reserved bit", &[(0xA1, b"")], 1002),
        ("third reserved bit on a ping", &[(0x99, b"")], 1002),
        ("reserved data opcode 3", &[(0x83, b"")], 1002),
        ("reserved data opcode 7", &[(0x87, b"")], 1002),
        ("reserved control opcode 11", &[(0x8B, b"")], 1002),
        ("reserved control opcode 15", &[(0x8F, b"")], 1002),
        ("fragmented ping", &[(0x09, b"")], 1002),
        ("fragmented close", &[(0x08, b"")], 1002),
        ("ping of 126 bytes", &[(0x89, &long)], 1002),
        ("close of 126 bytes", &[(0x88, &long)], 1002),
        ("continuation first", &[(0x80, b"x")], 1002),
        ("unfinished continuation first", &[(0x00, b"x")], 1002),
        ("continuation after a whole message", &[(0x81, b"x"), (0x80, b"y")], 1002),
        ("text inside fragmented text", &[(0x01, b"x"), (0x81, b"y")], 1002),
        ("binary inside fragmented text", &[(0x01, b"x"), (0x02, b"y")], 1002),
        ("text with a lone continuation byte", &[(0x81, &[0x80])], 1007),
        ("text with an overlong slash", &[(0x81, &[0xC0, 0xAF])], 1007),
        ("text with a surrogate", &[(0x81, &[0xED, 0xA0, 0x80])], 1007),
        ("text beyond the last code point", &[(0x81, &[0xF4, 0x90])], 1007),
        ("text that ends inside a character", &[(0x81, &[0xE2, 0x82])], 1007),
        ("fragmented text that ends inside one", &[(0x01, &[0xE2]), (0x80, &[0x82])], 1007),
        ("bad text in an unfinished fragment", &[(0x01, &[b'a', 0xFF])], 1007),
        ("close of one byte", &[(0x88, &[3])], 1002),
        ("close with a bad reason", &[(0x88, &[3, 0xE8, 0xFF])], 1007),
    ];
    for (name, parts, code) in cases {
        let (_, violation) = server(&frames(parts));
        assert_eq!(violation.map(|v| v.close_code()), Some(*code), "{name}");
    }
}

#[test]
fn close_codes_that_may_not_be_sent() {
    let refused = [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535];
    let accepted = [1000, 1003, 1007, 1011, 1014, 3000, 4999];
    for (codes, expected) in [(&refused[..], Some(1002)), (&accepted[..], None)] {
        for code in codes {
            let (_, violation) = server(&raw(0x88, &u16::to_be_bytes(*code), Some(KEY)));
            assert_eq!(violation.map(|v| v.close_code()), expected, "{code}");
        }
    }
}

#[test]
fn lengths_must_be_in_their_shortest_form() {
    let cases: [(&str, &[u8], Broken); 4] = [
        ("125 in 16 bits", &[0x82, 126, 0, 125], Broken::LengthNotMinimal),
        ("65535 in 64 bits", &[0x82, 127, 0, 0, 0, 0, 0, 0, 255, 255], Broken::LengthNotMinimal),
        ("top bit", &[0x82, 127, 0x80, 0, 0, 0, 0, 0, 0, 0], Broken::LengthTopBit),
        ("long control in 16 bits", &[0x89, 126], Broken::LongControl),
    ];
    for (name, head, broken) in cases {
        assert_eq!(parse_header(head), Err(broken.into()), "{name}");
    }
}

#[test]
fn wrong_masking_is_refused_by_either_side() {
    let (_, violation) = run(&mut Decoder::new(Role::Server, 9), &raw(0x81, b"x", None), &[1]);
    assert_eq!(violation, Some(Broken::NotMasked.into()));
    let (_, violation) = run(&mut Decoder::new(Role::Client, 9), &raw(0x81, b"x", Some(KEY)), &[1]);
    assert_eq!(violation, Some(Broken::Masked.into()));
    let (messages, _) = run(&mut Decoder::new(Role::Client, 9), &raw(0x81, b"x", None), &[1]);
    assert_eq!(messages, [text("x")]);
}

#[test]
fn a_big_message_is_refused_before_its_payload_is_kept() {
    let mut decoder = Decoder::new(Role::Server, 10);
    let head = header(Opcode::Binary, 11, Some(KEY));
    let violation = decoder.decode(&mut BytesMut::from(&head[..])).unwrap_err();
    assert_eq!(violation.close_code(), 1009);

    let parts =
        frames(&[(0x02, b"123456"), (0x00, b"7890"), (0x89, b"ping is free"), (0x80, b"x")]);
    let (messages, violation) = run(&mut Decoder::new(Role::Server, 10), &parts, &[3]);
    assert_eq!(messages, [Message::Ping(b"ping is free".to_vec())]);
    assert_eq!(violation.unwrap().to_string(), "message is longer than 10 bytes");
}

#[test]
fn a_violation_stays() {
    let mut decoder = Decoder::new(Role::Server, LIMIT);
    let first = decoder.decode(&mut BytesMut::from(&[0xFF][..])).unwrap_err();
    let again = decoder.decode(&mut BytesMut::from(&frames(&[(0x81, b"x")])[..])).unwrap_err();
    assert_eq!(first, again);
}

#[test]
fn announced_lengths_allocate_nothing() {
    let mut decoder = Decoder::new(Role::Client, usize::MAX);
    let mut input = BytesMut::from(&header(Opcode::Binary, u64::MAX >> 1, None)[..]);
    input.extend_from_slice(b"abc");
    assert_eq!(decoder.decode(&mut input), Ok(None));
    assert!(decoder.held() < 64);
}

#[test]
fn keys_need_sixteen_bytes() {
    for key in [
        "",
        "AAAA",
        "dGhlIHNhbXBsZSBub25jZQ",
        "dGhlIHNhbXBsZSBub25jZWE=",
        "!GhlIHNhbXBsZSBub25jZQ==",
    ] {
        assert_eq!(accept_key(key), None, "{key}");
    }
    // The key of RFC 6455, section 4.1, whose last character has bits set beyond the sixteenth byte.
    assert!(accept_key("AQIDBAUGBwgJCgsMDQ4PEC==").is_some());
}

#[test]
fn close_reasons_are_cut_between_characters() {
    let payload = close_payload(1011, &"€".repeat(100));
    assert_eq!(payload.len(), 2 + 41 * 3);
    assert!(str::from_utf8(&payload[2..]).is_ok());
}

fn a_message() -> impl Strategy<Value = (Opcode, Vec<u8>)> {
    let bytes = || prop::collection::vec(any::<u8>(), 0..300);
    prop_oneof![
        ".{0,200}".prop_map(|text| (Opcode::Text, text.into_bytes())),
        bytes().prop_map(|bytes| (Opcode::Binary, bytes)),
        prop::collection::vec(any::<u8>(), 0..=MAX_CONTROL_PAYLOAD).prop_map(|b| (Opcode::Ping, b)),
        prop::collection::vec(any::<u8>(), 0..=MAX_CONTROL_PAYLOAD).prop_map(|b| (Opcode::Pong, b)),
    ]
}

/// Cuts a data message into fragments, with a ping after each but the last.
fn fragment((opcode, payload): &(Opcode, Vec<u8>), size: usize, key: [u8; 4]) -> Vec<u8> {
    if opcode.is_control() || payload.is_empty() {
        return raw(0x80 | opcode.code(), payload, Some(key));
    }
    let mut out = Vec::new();
    let last = payload.len().div_ceil(size) - 1;
    for (i, part) in payload.chunks(size).enumerate() {
        let code = if i == 0 { opcode.code() } else { 0 };
        out.extend(raw(if i == last { 0x80 | code } else { code }, part, Some(key)));
        if i != last {
            out.extend(raw(0x89, b"between", Some(key)));
        }
    }
    out
}

proptest! {
    #[test]
    fn fragments_and_cuts_do_not_matter(
        sent in prop::collection::vec(a_message(), 1..6),
        size in 1usize..400,
        key: [u8; 4],
        cuts in prop::collection::vec(1usize..200, 1..8),
    ) {
        let bytes: Vec<u8> = sent.iter().flat_map(|message| fragment(message, size, key)).collect();
        let (messages, violation) = run(&mut Decoder::new(Role::Server, LIMIT), &bytes, &cuts);
        prop_assert_eq!(violation, None);
        let got: Vec<_> = messages.into_iter().filter(|m| *m != Message::Ping(b"between".to_vec())).collect();
        let expected: Vec<_> = sent.into_iter().map(|(opcode, payload)| match opcode {
            Opcode::Text => Message::Text(String::from_utf8(payload).unwrap()),
            Opcode::Binary => Message::Binary(payload),
            Opcode::Ping => Message::Ping(payload),
            _ => Message::Pong(payload),
        }).collect();
        prop_assert_eq!(got, expected);
    }

    #[test]
    fn garbage_neither_panics_nor_depends_on_cuts_nor_grows(
        bytes in prop::collection::vec(prop_oneof![any::<u8>(), Just(0x81), Just(0x01), Just(0x80)], 0..400),
        cuts in prop::collection::vec(1usize..50, 1..5),
        client: bool,
    ) {
        let role = if client { Role::Client } else { Role::Server };
        let mut decoder = Decoder::new(role, 100);
        let got = run(&mut decoder, &bytes, &cuts);
        prop_assert!(decoder.held() <= 100 + 2 * MAX_CONTROL_PAYLOAD);
        prop_assert_eq!(got, run(&mut Decoder::new(role, 100), &bytes, &[usize::MAX]));
    }

    #[test]
    fn heads_are_read_as_written(
        code in prop::sample::select(&[0x0u8, 0x1, 0x2][..]),
        len in prop_oneof![0u64..200, 65_000u64..66_000, Just(u64::MAX >> 1)],
        key: Option<[u8; 4]>,
    ) {
        let opcode = Opcode::from_code(code).unwrap();
        let head = header(opcode, len, key);
        let expected = FrameHead { fin: true, opcode, masked: key, len, header_len: head.len() };
        prop_assert_eq!(parse_header(&head), Ok(Some(expected)));
        for cut in 0..head.len() {
            prop_assert_eq!(parse_header(&head[..cut]), Ok(None));
        }
    }

    #[test]
    fn masking_in_parts_is_masking(payload: Vec<u8>, key: [u8; 4], cut: prop::sample::Index) {
        let cut = cut.index(payload.len() + 1);
        let mut whole = payload.clone();
        mask(&mut whole, key);
        let mut parts = payload;
        let mut later = key;
        later.rotate_left(cut % 4);
        mask(&mut parts[..cut], key);
        mask(&mut parts[cut..], later);
        prop_assert_eq!(whole, parts);
    }
}
