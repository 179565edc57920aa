use super::*;

const PAGE: &str = include_str!("../../../../docs/ref/area.md");

/// A row of a layout table: offset, size, type, field.
type Row = (usize, usize, &'static str, &'static str);

fn cells(line: &'static str) -> Vec<&'static str> {
    line.trim_matches('|').split('|').map(str::trim).collect()
}

/// The first table of a chapter whose first column has this name, without its head.
fn table(chapter: &str, first_column: &str) -> Vec<Vec<&'static str>> {
    let chapter = PAGE
        .split("\n## ")
        .find(|c| c.lines().next() == Some(chapter))
        .expect("the page has the chapter");
    let rows: Vec<_> = chapter
        .lines()
        .skip_while(|l| !l.starts_with(&format!("| {first_column} |")))
        .skip(2)
        .take_while(|l| l.starts_with('|'))
        .map(cells)
        .collect();
    assert!(!rows.is_empty(), "the chapter has a table of {first_column}");
    rows
}

fn layout(chapter: &str) -> Vec<Row> {
    table(chapter, "offset")
        .into_iter()
        .map(|row| {
            assert_eq!(row.len(), 5, "{row:?}");
            (row[0].parse().unwrap(), row[1].parse().unwrap(), row[2], row[3].trim_matches('`'))
        })
        .collect()
}

/// Holds that the documented fields are these, fill the message without gaps, and have their types' sizes.
fn check_layout(chapter: &str, len: usize, fields: &[(&str, usize)]) {
    let rows = layout(chapter);
    let documented: Vec<_> = rows.iter().map(|&(offset, _, _, field)| (field, offset)).collect();
    let common = [("magic", offset::MAGIC), ("version", offset::VERSION), ("kind", offset::KIND)];
    assert_eq!(documented, [&common[..], fields].concat(), "{chapter}");
    let mut end = 0;
    for (offset, size, kind, field) in rows {
        assert_eq!(offset, end, "{chapter}: `{field}` follows the one before");
        end += size;
        let natural = match kind {
            "u8" => 1,
            "u16" => 2,
            "u32" => 4,
            "u64" | "i64" => 8,
            "bytes" => size,
            other => panic!("{chapter}: type {other}"),
        };
        assert_eq!(size, natural, "{chapter}: `{field}`");
        if kind != "bytes" {
            assert_eq!(offset % size, 0, "{chapter}: `{field}` is aligned");
        }
    }
    assert_eq!(end, len, "{chapter}");
}

#[test]
fn the_page_has_the_offsets_of_the_code() {
    use super::offset as o;
    check_layout(
        "Frame message",
        FRAME_MESSAGE_LEN,
        &[
            ("sequence", o::FRAME_SEQUENCE),
            ("captured_at", o::FRAME_CAPTURED_AT),
            ("published_at", o::FRAME_PUBLISHED_AT),
            ("missed", o::FRAME_MISSED),
            ("len", o::FRAME_LEN),
            ("width", o::FRAME_WIDTH),
            ("height", o::FRAME_HEIGHT),
            ("stride", o::FRAME_STRIDE),
            ("fourcc", o::FRAME_FOURCC),
            ("interval", o::FRAME_INTERVAL),
            ("matrix", o::FRAME_MATRIX),
            ("range", o::FRAME_RANGE),
            ("flags", o::FRAME_FLAGS),
            ("reserved", o::FRAME_RESERVED),
        ],
    );
    check_layout(
        "State message",
        STATE_MESSAGE_LEN,
        &[("state", o::STATE_STATE), ("why_len", o::STATE_WHY_LEN), ("why", o::STATE_WHY)],
    );
    check_layout(
        "Credit message",
        CREDIT_MESSAGE_LEN,
        &[
            ("frames", o::CREDIT_FRAMES),
            ("flags", o::CREDIT_FLAGS),
            ("reserved", o::CREDIT_RESERVED),
        ],
    );
    check_layout(
        "Request message",
        REQUEST_HEAD_LEN,
        &[
            ("tag", o::REQUEST_TAG),
            ("op", o::REQUEST_OP),
            ("bits", o::REQUEST_BITS),
            ("pos", o::REQUEST_POS),
            ("len", o::REQUEST_LEN),
            ("amount", o::REQUEST_AMOUNT),
        ],
    );
    check_layout(
        "Answer message",
        ANSWER_HEAD_LEN,
        &[
            ("tag", o::ANSWER_TAG),
            ("outcome", o::ANSWER_OUTCOME),
            ("reserved", o::ANSWER_RESERVED),
            ("sequence", o::ANSWER_SEQUENCE),
            ("value", o::ANSWER_VALUE),
        ],
    );
}

#[test]
fn the_page_has_the_kinds_and_limits_of_the_code() {
    let kinds = table("The socket", "kind");
    let fixed = |len: usize| len.to_string();
    let with_payload = |head: usize, most: &str| format!("{head} and a payload of at most {most}");
    let expected = [
        (FRAME_KIND, "owner", fixed(FRAME_MESSAGE_LEN), "1", "frame"),
        (STATE_KIND, "owner", fixed(STATE_MESSAGE_LEN), "0", "state"),
        (CREDIT_KIND, "subscriber", fixed(CREDIT_MESSAGE_LEN), "0", "credit"),
        (REQUEST_KIND, "subscriber", with_payload(REQUEST_HEAD_LEN, "65,536"), "0", "request"),
        (ANSWER_KIND, "owner", with_payload(ANSWER_HEAD_LEN, "65,536"), "0", "answer"),
    ];
    assert_eq!((MAX_REQUEST_PAYLOAD_LEN, MAX_ANSWER_PAYLOAD_LEN), (65_536, 65_536));
    let expected: Vec<Vec<String>> = expected
        .into_iter()
        .map(|(kind, from, len, descriptors, name)| {
            vec![kind.to_string(), from.into(), len, descriptors.into(), name.into()]
        })
        .collect();
    assert_eq!(kinds, expected);
    let chapters =
        ["Frame message", "State message", "Credit message", "Request message", "Answer message"];
    for (chapter, kind) in chapters.into_iter().zip(1..) {
        let rows = table(chapter, "offset");
        assert_eq!(rows[0][4], format!("`{}`", MAGIC.escape_ascii()));
        assert_eq!(rows[1][4], VERSION.to_string());
        assert_eq!(rows[2][4], kind.to_string());
    }
    let limits = table("Limits, and what a misbehaving peer gets", "limit");
    let number = |row: usize| {
        let digits = limits[row][1].split(' ').next().unwrap().replace(',', "");
        digits.parse::<u64>().unwrap()
    };
    assert_eq!(number(0), crate::MAX_FRAME_LEN);
    assert_eq!(number(1), u64::from(Format::MAX_SIDE_PX));
    assert_eq!(number(2), u64::from(MAX_CREDIT));
    assert_eq!(number(3), crate::Limits::default().subscribers as u64);
    assert_eq!(number(4), (STATE_MESSAGE_LEN - offset::STATE_WHY) as u64);
}

#[test]
fn the_page_has_the_codes_of_the_code() {
    let meaning = |chapter: &str, field: &str| {
        let rows = table(chapter, "offset");
        let row = rows.iter().find(|row| row[3].trim_matches('`') == field).unwrap();
        row[4].to_owned()
    };
    assert_eq!(meaning("Request message", "op"), "1 read, 2 write, 3 add");
    assert_eq!(meaning("Request message", "bits"), "of add: 8, 16, 32 or 64; else 0");
    let bits: Vec<u16> =
        (0..=u16::MAX).filter(|n| Bits::from_count(*n).is_some_and(|b| b.count() == *n)).collect();
    assert_eq!(bits, [8, 16, 32, 64]);
    let outcomes: Vec<String> = (0..=u16::MAX)
        .filter_map(|code| Outcome::from_code(code).map(|outcome| (code, outcome)))
        .map(|(code, outcome)| {
            let words = match outcome {
                Outcome::Done => "done",
                Outcome::OutOfRange => "out of range",
                Outcome::Refused => "refused",
                Outcome::TooLong => "too long",
            };
            format!("{code} {words}")
        })
        .collect();
    assert_eq!(meaning("Answer message", "outcome"), outcomes.join(", "));
}

fn info() -> FrameInfo {
    FrameInfo {
        sequence: (3 << 40) | 17,
        captured_at: MonotonicNs(0x0102_0304_0506_0708),
        published_at: MonotonicNs(0x1112_1314_1516_1718),
        len: 640 * 480 * 2,
        format: Format {
            width: 640,
            height: 480,
            stride: 1280,
            fourcc: FourCc::YUYV,
            matrix: Matrix::Bt709,
            range: Range::Full,
        },
        interval: Duration::from_nanos(33_333_333),
        flags: FrameFlags { is_key: true },
    }
}

fn refusal<T: std::fmt::Debug>(result: Result<T>) -> ErrorKind {
    result.unwrap_err().kind()
}

/// A frame message with these bytes from `at` on.
fn frame_with(at: usize, bytes: &[u8]) -> [u8; FRAME_MESSAGE_LEN] {
    let mut message = encode_frame(&info(), 0);
    message[at..at + bytes.len()].copy_from_slice(bytes);
    message
}

#[test]
fn each_field_of_a_frame_stands_where_the_page_says() {
    let message = encode_frame(&info(), 0x2122_2324_2526_2728);
    let field = |name: &str| {
        let rows = layout("Frame message");
        let &(offset, size, ..) = rows.iter().find(|row| row.3 == name).unwrap();
        message[offset..offset + size].to_vec()
    };
    let expected: [(&str, &[u8]); 17] = [
        ("magic", b"EYEA"),
        ("version", &[1, 0]),
        ("kind", &[1, 0]),
        ("sequence", &[17, 0, 0, 0, 0, 3, 0, 0]),
        ("captured_at", &[8, 7, 6, 5, 4, 3, 2, 1]),
        ("published_at", &[0x18, 0x17, 0x16, 0x15, 0x14, 0x13, 0x12, 0x11]),
        ("missed", &[0x28, 0x27, 0x26, 0x25, 0x24, 0x23, 0x22, 0x21]),
        ("len", &614_400_u64.to_le_bytes()),
        ("width", &640_u32.to_le_bytes()),
        ("height", &480_u32.to_le_bytes()),
        ("stride", &1280_u32.to_le_bytes()),
        ("fourcc", b"YUYV"),
        ("interval", &33_333_333_u64.to_le_bytes()),
        ("matrix", &[2]),
        ("range", &[2]),
        ("flags", &[1, 0]),
        ("reserved", &[0; 20]),
    ];
    for (name, bytes) in expected {
        assert_eq!(field(name), bytes, "{name}");
    }
}

#[test]
fn a_frame_is_read_as_it_was_written() {
    let codes = |code: u8| (Matrix::from_code(code), Range::from_code(code));
    for code in 0..=u8::MAX {
        let (matrix, range) = codes(code);
        assert_eq!(matrix.is_some(), code <= 4, "matrix {code}");
        assert_eq!(range.is_some(), code <= 2, "range {code}");
    }
    for (matrix, range, is_key) in [(0, 0, false), (1, 1, true), (3, 2, false), (4, 0, true)] {
        let mut info = FrameInfo { flags: FrameFlags { is_key }, ..info() };
        info.format.matrix = codes(matrix).0.unwrap();
        info.format.range = codes(range).1.unwrap();
        let read = decode_owner(&encode_frame(&info, 7)).unwrap();
        assert_eq!(read, OwnerMessage::Frame { info, missed: 7 });
    }
}

#[test]
fn a_state_is_read_as_it_was_written() {
    let why = || "unplugged: `/dev/vidéo0`".to_owned();
    for state in [State::Live, State::NoSignalYet, State::NoSignal { why: why() }] {
        let message = encode_state(&state);
        assert_eq!(decode_owner(&message).unwrap(), OwnerMessage::State(state));
    }
}

#[test]
fn a_long_reason_is_cut_at_a_character() {
    let why = "é".repeat(121); // 242 bytes
    let message = encode_state(&State::NoSignal { why: format!("x{why}") });
    let OwnerMessage::State(State::NoSignal { why: read }) = decode_owner(&message).unwrap() else {
        panic!("no reason came")
    };
    assert_eq!(read, format!("x{}", "é".repeat(119)));
}

#[test]
fn credit_is_read_as_it_was_written() {
    for frames in [1, 2, u32::MAX] {
        for wants_key in [false, true] {
            let read = decode_subscriber(&encode_credit(frames, wants_key)).unwrap();
            assert_eq!(read, SubscriberMessage::Credit { frames, wants_key });
        }
    }
    assert_eq!(refusal(decode_subscriber(&encode_credit(0, false))), ErrorKind::InvalidMessage);
}

#[test]
fn nonsense_and_other_versions_are_refused_both_ways() {
    let mut newer_frame = encode_frame(&info(), 0);
    newer_frame[offset::VERSION] = 2;
    let mut newer_credit = encode_credit(1, false);
    newer_credit[offset::VERSION + 1] = 1;
    assert_eq!(refusal(decode_owner(&newer_frame)), ErrorKind::WrongVersion);
    assert_eq!(refusal(decode_subscriber(&newer_credit)), ErrorKind::WrongVersion);
    // A newer version may have another length.
    assert_eq!(refusal(decode_subscriber(&newer_credit[..8])), ErrorKind::WrongVersion);

    let no_magic = frame_with(offset::MAGIC, b"EYEB");
    for nonsense in [&b""[..], b"EYEA", b"EYEA\x01\0\x01", &no_magic, &[0xff; 300]] {
        assert_eq!(refusal(decode_owner(nonsense)), ErrorKind::InvalidMessage);
        assert_eq!(refusal(decode_subscriber(nonsense)), ErrorKind::InvalidMessage);
    }
}

#[test]
fn a_kind_from_the_wrong_side_is_refused() {
    for kind in [0, CREDIT_KIND, REQUEST_KIND, 6, u16::MAX] {
        let message = frame_with(offset::KIND, &kind.to_le_bytes());
        assert_eq!(refusal(decode_owner(&message)), ErrorKind::InvalidMessage);
    }
    let answer = encode_answer(&Answer::new(1, Outcome::Done));
    for message in [&encode_frame(&info(), 0)[..], &encode_state(&State::Live), &answer] {
        assert_eq!(refusal(decode_subscriber(message)), ErrorKind::InvalidMessage);
    }
}

#[test]
fn every_other_length_is_refused() {
    let frame = encode_frame(&info(), 0);
    let state = encode_state(&State::Live);
    let credit = encode_credit(1, false);
    for len in 0..=MAX_MESSAGE_LEN + 1 {
        let of = |message: &[u8]| {
            let mut bytes = message.to_vec();
            bytes.resize(len, 0);
            bytes
        };
        assert_eq!(decode_owner(&of(&frame)).is_ok(), len == FRAME_MESSAGE_LEN, "frame of {len}");
        assert_eq!(decode_owner(&of(&state)).is_ok(), len == STATE_MESSAGE_LEN, "state of {len}");
        assert_eq!(decode_subscriber(&of(&credit)).is_ok(), len == CREDIT_MESSAGE_LEN, "{len}");
    }
}

#[test]
fn a_frame_that_cannot_be_is_refused() {
    let too_wide = (Format::MAX_SIDE_PX + 1).to_le_bytes();
    let cases: [(&str, usize, &[u8]); 8] = [
        ("width", offset::FRAME_WIDTH, &too_wide),
        ("width", offset::FRAME_WIDTH, &[0xff; 4]),
        ("height", offset::FRAME_HEIGHT, &too_wide),
        ("matrix", offset::FRAME_MATRIX, &[5]),
        ("range", offset::FRAME_RANGE, &[3]),
        ("more rows than bytes", offset::FRAME_HEIGHT, &481_u32.to_le_bytes()),
        ("fewer bytes than rows", offset::FRAME_LEN, &614_399_u64.to_le_bytes()),
        ("no bytes", offset::FRAME_LEN, &[0; 8]),
    ];
    for (name, at, bytes) in cases {
        let refused = refusal(decode_owner(&frame_with(at, bytes)));
        assert_eq!(refused, ErrorKind::InvalidMessage, "{name}");
    }
}

#[test]
fn unknown_flags_and_reserved_bytes_are_not_looked_at() {
    let expected = OwnerMessage::Frame { info: info(), missed: 0 };
    let flags = frame_with(offset::FRAME_FLAGS, &[0xff, 0xff]);
    let reserved = frame_with(offset::FRAME_RESERVED, &[0xff; 20]);
    assert_eq!(decode_owner(&flags).unwrap(), expected);
    assert_eq!(decode_owner(&reserved).unwrap(), expected);
    let mut credit = encode_credit(2, false);
    credit[offset::CREDIT_RESERVED..].fill(0xff);
    let plain = SubscriberMessage::Credit { frames: 2, wants_key: false };
    assert_eq!(decode_subscriber(&credit).unwrap(), plain);
    credit[offset::CREDIT_FLAGS..offset::CREDIT_RESERVED].copy_from_slice(&[0xfe, 0xff]);
    assert_eq!(decode_subscriber(&credit).unwrap(), plain);
}

#[test]
fn a_state_that_cannot_be_is_refused() {
    let mut template = encode_state(&State::NoSignal { why: "é".into() });
    let mut with = |at: usize, byte: u8| {
        let before = std::mem::replace(&mut template[at], byte);
        let refused = refusal(decode_owner(&template));
        template[at] = before;
        refused
    };
    assert_eq!(with(offset::STATE_STATE, 0), ErrorKind::InvalidMessage);
    assert_eq!(with(offset::STATE_STATE, 3), ErrorKind::InvalidMessage);
    assert_eq!(with(offset::STATE_WHY_LEN, 241), ErrorKind::InvalidMessage);
    assert_eq!(with(offset::STATE_WHY_LEN + 3, 0xff), ErrorKind::InvalidMessage);
    assert_eq!(with(offset::STATE_WHY_LEN, 1), ErrorKind::InvalidMessage, "half a character");
    assert_eq!(with(offset::STATE_WHY, 0xff), ErrorKind::InvalidMessage, "no UTF-8");
}

#[test]
fn an_interval_beyond_the_field_is_not_known() {
    let info = FrameInfo { interval: Duration::MAX, ..info() };
    let OwnerMessage::Frame { info, .. } = decode_owner(&encode_frame(&info, 0)).unwrap() else {
        panic!("no frame")
    };
    assert_eq!(info.interval, Duration::ZERO);
}

fn request(op: Op) -> Vec<u8> {
    encode_request(&Request { tag: 0x0102_0304, op })
}

fn requests() -> [Request; 6] {
    let ops = [
        Op::Read { pos: 0x1112_1314_1516_1718, len: u64::MAX },
        Op::Read { pos: 0, len: 0 },
        Op::Write { pos: u64::MAX, payload: b"payload".to_vec() },
        Op::Write { pos: 3, payload: vec![7; MAX_REQUEST_PAYLOAD_LEN] },
        Op::Write { pos: 0, payload: Vec::new() },
        Op::Add { pos: 9, bits: Bits::B16, amount: -2 },
    ];
    ops.map(|op| Request { tag: u32::MAX, op })
}

#[test]
fn each_field_of_a_request_and_an_answer_stands_where_the_page_says() {
    let check = |chapter: &str, message: &[u8], expected: &[(&str, &[u8])]| {
        let rows = layout(chapter);
        assert_eq!(rows.len(), expected.len());
        for ((offset, size, _, field), (name, bytes)) in rows.into_iter().zip(expected) {
            assert_eq!((field, &message[offset..offset + size]), (*name, *bytes), "{chapter}");
        }
    };
    let head: [(&str, &[u8]); 2] = [("magic", b"EYEA"), ("version", &[1, 0])];
    let add = request(Op::Add { pos: 0x1112, bits: Bits::B32, amount: -2 });
    let fields: [(&str, &[u8]); 7] = [
        ("kind", &[4, 0]),
        ("tag", &[4, 3, 2, 1]),
        ("op", &[3, 0]),
        ("bits", &[32, 0]),
        ("pos", &[0x12, 0x11, 0, 0, 0, 0, 0, 0]),
        ("len", &[0; 8]),
        ("amount", &[0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
    ];
    check("Request message", &add, &[&head[..], &fields].concat());
    let write = request(Op::Write { pos: 0, payload: b"abc".to_vec() });
    let mut expected = [&head[..], &fields].concat();
    for (name, bytes) in &mut expected[4..] {
        *bytes = match *name {
            "op" => &[2, 0],
            "bits" => &[0, 0],
            "len" => &[3, 0, 0, 0, 0, 0, 0, 0],
            _ => &[0; 8],
        };
    }
    check("Request message", &write, &expected);
    assert_eq!(&write[REQUEST_HEAD_LEN..], b"abc");
    let answer = Answer {
        sequence: (1 << 40) | 5,
        value: -3,
        payload: b"abc".to_vec(),
        ..Answer::new(7, Outcome::Done)
    };
    let fields: [(&str, &[u8]); 6] = [
        ("kind", &[5, 0]),
        ("tag", &[7, 0, 0, 0]),
        ("outcome", &[0, 0]),
        ("reserved", &[0, 0]),
        ("sequence", &[5, 0, 0, 0, 0, 1, 0, 0]),
        ("value", &[0xfd, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
    ];
    let answer = encode_answer(&answer);
    check("Answer message", &answer, &[&head[..], &fields].concat());
    assert_eq!(&answer[ANSWER_HEAD_LEN..], b"abc");
}

#[test]
fn requests_and_answers_are_read_as_they_were_written() {
    for request in requests() {
        let read = decode_subscriber(&encode_request(&request)).unwrap();
        assert_eq!(read, SubscriberMessage::Request(request));
    }
    for outcome in [Outcome::Done, Outcome::OutOfRange, Outcome::Refused, Outcome::TooLong] {
        for len in [0, 1, MAX_ANSWER_PAYLOAD_LEN] {
            let len = match outcome {
                Outcome::Done => len,
                Outcome::Refused => len.min(MAX_REASON_LEN),
                Outcome::OutOfRange | Outcome::TooLong => 0,
            };
            let answer = Answer {
                sequence: u64::MAX,
                value: i64::MIN,
                payload: vec![3; len],
                ..Answer::new(9, outcome)
            };
            let mut bytes = encode_answer(&answer);
            bytes[offset::ANSWER_RESERVED..offset::ANSWER_RESERVED + 2].fill(0xff);
            assert_eq!(decode_owner(&bytes).unwrap(), OwnerMessage::Answer(answer));
        }
    }
}

#[test]
fn a_refusal_may_say_why() {
    let answer = Answer::refused(7, "the line `button` is an input");
    assert_eq!((answer.outcome, answer.why()), (Outcome::Refused, "the line `button` is an input"));
    assert_eq!(decode_owner(&encode_answer(&answer)).unwrap(), OwnerMessage::Answer(answer));
    assert_eq!(Answer::refused(7, ""), Answer::new(7, Outcome::Refused));
    let long = Answer::refused(7, &"ä".repeat(MAX_REASON_LEN));
    assert_eq!(long.why(), "ä".repeat(MAX_REASON_LEN / 2));
    assert!(decode_owner(&encode_answer(&long)).is_ok());
    let cut = Answer::refused(7, &format!("x{}", "ä".repeat(MAX_REASON_LEN)));
    assert_eq!(cut.why().len(), MAX_REASON_LEN - 1, "no half of a character");
    assert_eq!(Answer { payload: b"x".to_vec(), ..Answer::new(7, Outcome::Done) }.why(), "");
}

#[test]
fn a_request_that_cannot_be_is_refused() {
    let read = || request(Op::Read { pos: 1, len: 2 });
    let write = || request(Op::Write { pos: 1, payload: b"ab".to_vec() });
    let add = || request(Op::Add { pos: 1, bits: Bits::B8, amount: 1 });
    let with = |mut message: Vec<u8>, at: usize, byte: u8| {
        message[at] = byte;
        message
    };
    let longer = |message: Vec<u8>| [&message[..], b"x"].concat();
    let most = request(Op::Write { pos: 0, payload: vec![0; MAX_REQUEST_PAYLOAD_LEN + 1] });
    let cases = [
        ("op 0", with(read(), offset::REQUEST_OP, 0)),
        ("op 4", with(read(), offset::REQUEST_OP, 4)),
        ("a read of bits", with(read(), offset::REQUEST_BITS, 8)),
        ("a read of an amount", with(read(), offset::REQUEST_AMOUNT, 1)),
        ("a read with a payload", longer(read())),
        ("a write of bits", with(write(), offset::REQUEST_BITS, 8)),
        ("a write of an amount", with(write(), offset::REQUEST_AMOUNT + 7, 1)),
        ("a write of less than its payload", longer(write())),
        ("a write of more than its payload", with(write(), offset::REQUEST_LEN + 7, 0xff)),
        ("a write of too much", most),
        ("an add with a payload", longer(add())),
        ("an add of a length", with(add(), offset::REQUEST_LEN, 1)),
        ("an add to 0 bits", with(add(), offset::REQUEST_BITS, 0)),
        ("an add to 7 bits", with(add(), offset::REQUEST_BITS, 7)),
        ("an add to 264 bits", with(add(), offset::REQUEST_BITS + 1, 1)),
    ];
    for (name, message) in cases {
        assert_eq!(refusal(decode_subscriber(&message)), ErrorKind::InvalidMessage, "{name}");
    }
    for len in 0..REQUEST_HEAD_LEN {
        let refused = refusal(decode_subscriber(&add()[..len]));
        assert_eq!(refused, ErrorKind::InvalidMessage, "{len} bytes");
    }
}

#[test]
fn an_answer_that_cannot_be_is_refused() {
    let mut answer = Answer::new(1, Outcome::Done);
    let head = encode_answer(&answer);
    for len in 0..ANSWER_HEAD_LEN {
        let refused = refusal(decode_owner(&head[..len]));
        assert_eq!(refused, ErrorKind::InvalidMessage, "{len} bytes");
    }
    answer.payload = vec![0; MAX_ANSWER_PAYLOAD_LEN + 1];
    assert_eq!(refusal(decode_owner(&encode_answer(&answer))), ErrorKind::InvalidMessage);
    for (outcome, payload) in [(1, vec![0]), (2, vec![0xff]), (3, vec![0]), (4, vec![0])]
        .into_iter()
        .chain([(2, vec![0; MAX_REASON_LEN + 1])])
    {
        answer.payload = payload;
        let mut bytes = encode_answer(&answer);
        bytes[offset::ANSWER_OUTCOME] = outcome;
        assert_eq!(refusal(decode_owner(&bytes)), ErrorKind::InvalidMessage, "{outcome}");
        assert_eq!(decode_owner(&bytes[..ANSWER_HEAD_LEN]).is_ok(), outcome < 4, "{outcome}");
    }
}
