use super::*;
use proptest::prelude::*;

#[test]
fn lines_about_areas() {
    let name = |name: &str| Area::Name(name.to_owned());
    let wait = |ms, timeout| Verb::Wait {
        area: Area::Id(0),
        interval: Duration::from_micros(ms),
        timeout,
    };
    let cases: [(&str, Verb); 17] = [
        ("wait 0 50 0\n", wait(50_000, None)),
        ("wait 0 0 0.5", wait(0, Some(Duration::from_millis(500)))),
        ("wait 0 12.5 30", wait(12_500, Some(Duration::from_secs(30)))),
        ("wait 0 0 0.00000000001", wait(0, Some(Duration::from_nanos(1)))),
        ("  wait  0  50  0.0  ", wait(50_000, None)),
        (
            "send-area 1 16 100 1",
            Verb::SendArea { area: Area::Id(1), pos: 16, len: Some(100), op: Op::Text },
        ),
        (
            "send-area 0 0 0 2",
            Verb::SendArea { area: Area::Id(0), pos: 0, len: None, op: Op::Binary },
        ),
        (
            "send-area front-jpeg 0 0 2",
            Verb::SendArea { area: name("front-jpeg"), pos: 0, len: None, op: Op::Binary },
        ),
        ("follow 1 2", Verb::Follow { area: Area::Id(1), op: Op::Binary }),
        ("stop", Verb::Stop),
        (
            "wait-any 0 recv 1 front",
            Verb::WaitAny { timeout: None, recv: true, areas: vec![Area::Id(1), name("front")] },
        ),
        (
            "wait-any 2 0",
            Verb::WaitAny {
                timeout: Some(Duration::from_secs(2)),
                recv: false,
                areas: vec![Area::Id(0)],
            },
        ),
        ("read 2b 8 0", Verb::Read { area: name("2b"), pos: 8, len: None }),
        ("write 2 8 65536", Verb::Write { area: Area::Id(2), pos: 8, len: MAX_WRITE_LEN }),
        ("inc 2 8 16 -3", Verb::Inc { area: Area::Id(2), pos: 8, bits: Bits::B16, amount: -3 }),
        (
            "dec 2 8 64 9223372036854775808",
            Verb::Inc { area: Area::Id(2), pos: 8, bits: Bits::B64, amount: i64::MIN },
        ),
        ("areas", Verb::Areas),
    ];
    for (line, verb) in cases {
        assert_eq!(parse(line.as_bytes()), Ok(verb), "{line:?}");
    }
}

#[test]
fn lines_about_messages_and_answers() {
    let cases: [(&str, Verb); 12] = [
        ("handshake", Verb::Handshake { protocol: None }),
        ("handshake eyelet.v1\r\n", Verb::Handshake { protocol: Some("eyelet.v1".into()) }),
        ("send 1 5", Verb::Send { op: Op::Text, len: 5 }),
        ("send 2 16777216", Verb::Send { op: Op::Binary, len: MAX_PAYLOAD_LEN }),
        ("recv", Verb::Recv { timeout: None }),
        ("recv 0", Verb::Recv { timeout: None }),
        ("recv 1.5", Verb::Recv { timeout: Some(Duration::from_millis(1500)) }),
        ("recv-nb", Verb::RecvNow),
        ("close 4000 3", Verb::Close { code: 4000, len: 3 }),
        ("head 65536", Verb::Head { len: MAX_HEAD_LEN }),
        ("body 0", Verb::Body { len: 0 }),
        ("end\n", Verb::End),
    ];
    for (line, verb) in cases {
        assert_eq!(parse(line.as_bytes()), Ok(verb), "{line:?}");
    }
}

#[test]
fn lines_that_are_refused_and_whether_the_request_can_go_on() {
    let long = format!("handshake {}", "x".repeat(MAX_LINE_LEN));
    let cases: [(&str, Kind, bool, &str); 35] = [
        ("", Kind::BadRequest, false, "line is empty"),
        ("  \n", Kind::BadRequest, false, "line is empty"),
        ("sing 5", Kind::UnknownVerb, true, "verb `sing` is not known"),
        ("END", Kind::UnknownVerb, true, "verb `END` is not known"),
        ("end now", Kind::BadRequest, false, "`end` has a word too many: `now`"),
        ("handshake a,b", Kind::BadRequest, false, "`handshake` has a wrong PROTOCOL: `a,b`"),
        ("wait", Kind::BadRequest, false, "`wait` lacks AREA"),
        ("wait 0 50", Kind::BadRequest, false, "`wait` lacks TIMEOUT"),
        ("wait -1 50 0", Kind::BadRequest, false, "`wait` has a wrong AREA: `-1`"),
        ("wait +1 50 0", Kind::BadRequest, false, "wrong AREA"),
        ("wait 4294967296 50 0", Kind::BadRequest, false, "wrong AREA"),
        ("wait 0 1e3 0", Kind::BadRequest, false, "`wait` has a wrong MS: `1e3`"),
        ("wait 0 . 0", Kind::BadRequest, false, "wrong MS"),
        ("wait 0 0 1.2.3", Kind::BadRequest, false, "`wait` has a wrong TIMEOUT: `1.2.3`"),
        ("wait 0 0 99999999999", Kind::BadRequest, false, "wrong TIMEOUT"),
        ("wait 0 0 0 0", Kind::BadRequest, false, "`wait` has a word too many: `0`"),
        ("send-area 0 0 0 3", Kind::BadRequest, false, "`send-area` has a wrong OP: `3`"),
        ("wait a/b 0 0", Kind::BadRequest, false, "`wait` has a wrong AREA: `a/b`"),
        ("wait-any 0", Kind::BadRequest, false, "`wait-any` lacks WHAT"),
        (
            "wait-any 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17",
            Kind::BadRequest,
            false,
            "wrong WHAT: `17`",
        ),
        ("follow 0", Kind::BadRequest, false, "`follow` lacks OP"),
        ("recv x", Kind::BadRequest, false, "`recv` has a wrong TIMEOUT: `x`"),
        ("inc 0 0 24 1", Kind::BadRequest, false, "`inc` has a wrong BITS: `24`"),
        ("dec 0 0 8 1.5", Kind::BadRequest, false, "`dec` has a wrong AMOUNT: `1.5`"),
        ("inc 0 0 8 --1", Kind::BadRequest, false, "wrong AMOUNT"),
        ("close 1005 0", Kind::BadRequest, true, "`close` has a wrong CODE: `1005`"),
        ("close 1000 124", Kind::TooLarge, true, "123 that `close` takes"),
        ("write 0 0 65537", Kind::TooLarge, true, "65536 that `write` takes"),
        ("send 1", Kind::BadRequest, true, "`send` lacks LEN"),
        ("send 1 x", Kind::BadRequest, true, "`send` has a wrong LEN: `x`"),
        (
            "send 2 16777217",
            Kind::TooLarge,
            true,
            "payload of 16777217 bytes is longer than the 16777216 that `send` takes",
        ),
        ("head 65537", Kind::TooLarge, true, "65536 that `head` takes"),
        ("body 5 5", Kind::BadRequest, true, "`body` has a word too many: `5`"),
        ("end\0", Kind::BadRequest, true, "not printable"),
        (&long, Kind::TooLarge, true, "line is longer than 4096 bytes"),
    ];
    for (line, kind, ends, text) in cases {
        let error = parse(line.as_bytes()).expect_err(line);
        assert_eq!((error.kind(), error.ends_request()), (kind, ends), "{line}");
        assert!(error.to_string().contains(text), "{line}: {error}");
    }
}

#[test]
fn two_lines_are_never_one() {
    assert!(parse(b"end\nend\n").is_err());
    assert!(parse(b"handshake a\rb").is_err());
}

#[test]
fn only_five_verbs_have_a_payload() {
    let lens = |lines: &[&str]| -> Vec<usize> {
        lines.iter().map(|line| parse(line.as_bytes()).unwrap().payload_len()).collect()
    };
    assert_eq!(lens(&["send 1 7", "head 7", "body 7", "write 0 3 7", "close 1000 7"]), [7; 5]);
    let without = ["end", "wait 7 7 7", "send-area 7 7 7 1", "read 7 7 7", "inc 7 7 8 7", "recv 7"];
    assert_eq!(lens(&without), [0; 6]);
}

/// Every verb, error kind and limit that is said stands in the page that says it.
#[test]
fn the_page_names_every_verb_and_kind() {
    let page = include_str!("../../../../docs/ref/app.md");
    let verbs = [
        "handshake",
        "wait",
        "wait-any",
        "send-area",
        "follow",
        "stop",
        "send",
        "recv",
        "recv-nb",
        "close",
        "head",
        "body",
        "read",
        "write",
        "inc",
        "areas",
        "end",
    ];
    for verb in verbs {
        assert!(page.contains(&format!("| `{verb}")), "{verb}");
    }
    let kinds = [
        Kind::Timeout,
        Kind::Gone,
        Kind::BadRequest,
        Kind::BadState,
        Kind::NoArea,
        Kind::OutOfRange,
        Kind::Refused,
        Kind::Stopped,
        Kind::TooLarge,
        Kind::UnknownVerb,
        Kind::Internal,
    ];
    for kind in kinds {
        assert!(page.contains(&format!("| `{kind}` |")), "{kind}");
    }
    for limit in ["4,096", "16,777,216", "65,536", "123"] {
        assert!(page.contains(&format!(" | {limit} |")), "{limit}");
    }
}

proptest! {
    #[test]
    fn an_answer_is_one_line_whatever_it_says(text: String, long in 0usize..3) {
        for answer in [ok(&text), err(Kind::Internal, text.repeat(long * 100))] {
            let line = str::from_utf8(&answer).unwrap().strip_suffix('\n').unwrap();
            prop_assert!(!line.contains(char::is_control));
            prop_assert_eq!(line.lines().count(), 1);
            prop_assert!(line.len() <= MAX_LINE_LEN);
        }
    }

    #[test]
    fn garbage_is_refused_without_a_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..80),
        words in "(wait|send|send-area|follow|recv|close|read|write|inc|dec|head|body|handshake|end)( [0-9.x-]{1,20}){0,5}",
    ) {
        for line in [&bytes[..], words.as_bytes()] {
            if let Ok(verb) = parse(line) {
                prop_assert!(verb.payload_len() <= MAX_PAYLOAD_LEN);
            }
        }
    }

    #[test]
    fn times_are_read_exactly(nanos in 0u64..100_000_000_000) {
        let text = format!("wait 0 0 {}.{:09}", nanos / 1_000_000_000, nanos % 1_000_000_000);
        let expected = Some(Duration::from_nanos(nanos)).filter(|time| !time.is_zero());
        match parse(text.as_bytes()) {
            Ok(Verb::Wait { timeout, .. }) => prop_assert_eq!(timeout, expected),
            other => prop_assert!(false, "{other:?}"),
        }
    }
}
