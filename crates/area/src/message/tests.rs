use super::*;

const PAGE: &str = include_str!("../../../../docs/ref/area.md");

fn decode_credit(bytes: &[u8]) -> Result<u32> {
    match decode_subscriber(bytes)? {
        SubscriberMessage::Credit(frames) => Ok(frames),
        SubscriberMessage::Request(request) => Err(invalid(format!("{request:?}"))),
    }
}

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
        &[("frames", o::CREDIT_FRAMES), ("reserved", o::CREDIT_RESERVED)],
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
    assert_eq!(MAX_REQUEST_PAYLOAD_LEN, 65_536);
    let with_payload = |len: usize| format!("{len} and a payload of at most 65,536");
    let expected = [
        (FRAME_KIND, "owner", FRAME_MESSAGE_LEN.to_string(), "1", "frame"),
        (STATE_KIND, "owner", STATE_MESSAGE_LEN.to_string(), "0", "state"),
        (CREDIT_KIND, "subscriber", CREDIT_MESSAGE_LEN.to_string(), "0", "credit"),
        (REQUEST_KIND, "subscriber", with_payload(REQUEST_HEAD_LEN), "0", "request"),
        (ANSWER_KIND, "owner", with_payload(ANSWER_HEAD_LEN), "0", "answer"),
    ];
    let expected: Vec<Vec<String>> = expected
        .iter()
        .map(|(kind, from, len, descriptors, name)| {
            vec![
                kind.to_string(),
                (*from).into(),
                len.to_string(),
                (*descriptors).into(),
                (*name).into(),
            ]
        })
        .collect();
    assert_eq!(kinds, expected);
    for (chapter, kind) in [
        ("Frame message", 1),
        ("State message", 2),
        ("Credit message", 3),
        ("Request message", 4),
        ("Answer message", 5),
    ] {
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
fn requests_and_answers_are_read_as_they_were_written() {
    let asks = [
        Ask::Read { pos: 7, len: 0 },
        Ask::Write { pos: u64::MAX, payload: b"bytes".to_vec() },
        Ask::Write { pos: 0, payload: vec![1; MAX_REQUEST_PAYLOAD_LEN] },
        Ask::Add { pos: 9, bits: Bits::B16, amount: i64::MIN },
    ];
    for (tag, ask) in (7..).zip(asks) {
        let request = Request { tag, ask };
        let read = decode_subscriber(&request.encode()).unwrap();
        assert_eq!(read, SubscriberMessage::Request(request));
    }
    for outcome in [Outcome::Done, Outcome::OutOfRange, Outcome::Refused, Outcome::TooLong] {
        let answer =
            Answer { tag: 3, outcome, sequence: 1 << 40, value: -1, payload: b"abc".to_vec() };
        let read = decode_owner(&answer.encode()).unwrap();
        assert_eq!(read, OwnerMessage::Answer(answer));
    }
}

#[test]
fn requests_that_contradict_themselves_are_refused() {
    let write = Request { tag: 1, ask: Ask::Write { pos: 0, payload: vec![5; 10] } }.encode();
    let with = |at: usize, byte: u8| {
        let mut bytes = write.clone();
        bytes[at] = byte;
        bytes
    };
    let too_long = [&write[..], &[0; MAX_REQUEST_PAYLOAD_LEN]].concat();
    let wrong = [
        with(offset::REQUEST_OP, 0),
        with(offset::REQUEST_OP, 9),
        // A payload where there is none; bits that no number has; a length that is not the payload's.
        with(offset::REQUEST_OP, 1),
        with(offset::REQUEST_OP, 3),
        with(offset::REQUEST_LEN, 11),
        write[..REQUEST_HEAD_LEN - 1].to_vec(),
        too_long,
    ];
    for bytes in wrong {
        assert_eq!(refusal(decode_subscriber(&bytes)), ErrorKind::InvalidMessage);
    }
    let mut add = Request { tag: 1, ask: Ask::Add { pos: 0, bits: Bits::B8, amount: 1 } }.encode();
    add[offset::REQUEST_BITS] = 7;
    assert_eq!(refusal(decode_subscriber(&add)), ErrorKind::InvalidMessage);
    let mut answer = Answer::default().encode();
    answer[offset::ANSWER_OUTCOME] = 4;
    assert_eq!(refusal(decode_owner(&answer)), ErrorKind::InvalidMessage);
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
        assert_eq!(decode_credit(&encode_credit(frames)).unwrap(), frames);
    }
    assert_eq!(refusal(decode_credit(&encode_credit(0))), ErrorKind::InvalidMessage);
}

#[test]
fn nonsense_and_other_versions_are_refused_both_ways() {
    let mut newer_frame = encode_frame(&info(), 0);
    newer_frame[offset::VERSION] = 2;
    let mut newer_credit = encode_credit(1);
    newer_credit[offset::VERSION + 1] = 1;
    assert_eq!(refusal(decode_owner(&newer_frame)), ErrorKind::WrongVersion);
    assert_eq!(refusal(decode_credit(&newer_credit)), ErrorKind::WrongVersion);
    // A newer version may have another length.
    assert_eq!(refusal(decode_credit(&newer_credit[..8])), ErrorKind::WrongVersion);

    let no_magic = frame_with(offset::MAGIC, b"EYEB");
    for nonsense in [&b""[..], b"EYEA", b"EYEA\x01\0\x01", &no_magic, &[0xff; 300]] {
        assert_eq!(refusal(decode_owner(nonsense)), ErrorKind::InvalidMessage);
        assert_eq!(refusal(decode_credit(nonsense)), ErrorKind::InvalidMessage);
    }
}

#[test]
fn a_kind_from_the_wrong_side_is_refused() {
    for kind in [0, CREDIT_KIND, 4, u16::MAX] {
        let message = frame_with(offset::KIND, &kind.to_le_bytes());
        assert_eq!(refusal(decode_owner(&message)), ErrorKind::InvalidMessage);
    }
    for message in [&encode_frame(&info(), 0)[..], &encode_state(&State::Live)] {
        assert_eq!(refusal(decode_credit(message)), ErrorKind::InvalidMessage);
    }
}

#[test]
fn every_other_length_is_refused() {
    let frame = encode_frame(&info(), 0);
    let state = encode_state(&State::Live);
    let credit = encode_credit(1);
    for len in 0..=MAX_MESSAGE_LEN + 1 {
        let of = |message: &[u8]| {
            let mut bytes = message.to_vec();
            bytes.resize(len, 0);
            bytes
        };
        assert_eq!(decode_owner(&of(&frame)).is_ok(), len == FRAME_MESSAGE_LEN, "frame of {len}");
        assert_eq!(decode_owner(&of(&state)).is_ok(), len == STATE_MESSAGE_LEN, "state of {len}");
        assert_eq!(decode_credit(&of(&credit)).is_ok(), len == CREDIT_MESSAGE_LEN, "{len}");
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
    let mut credit = encode_credit(2);
    credit[offset::CREDIT_RESERVED..].fill(0xff);
    assert_eq!(decode_credit(&credit).unwrap(), 2);
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
