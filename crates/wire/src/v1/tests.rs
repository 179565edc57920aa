use super::*;
use proptest::prelude::*;

fn jpeg() -> FormatInfo {
    FormatInfo {
        format: "jpeg".into(),
        fourcc: "MJPG".into(),
        width: 1280,
        height: 720,
        stride: 0,
        fps: 29.97,
        matrix: Matrix::Bt601,
        range: Range::Full,
        codec: None,
    }
}

const JPEG: &str = r#""format":"jpeg","fourcc":"MJPG","width":1280,"height":720,"stride":0,"fps":29.97,"matrix":"bt601","range":"full""#;

#[test]
fn server_messages_have_the_documented_shape() {
    let stream = StreamInfo {
        of: None,
        id: 0,
        name: "front".into(),
        state: StreamState::NoSignal,
        formats: vec![jpeg()],
    };
    let cases = [
        (
            ServerMessage::Hello {
                v: VERSION,
                server: "eyelet/0.1.0".into(),
                streams: vec![stream],
            },
            format!(
                r#"{{"t":"hello","v":1,"server":"eyelet/0.1.0","streams":[{{"id":0,"name":"front","state":"no_signal","formats":[{{{JPEG}}}]}}]}}"#
            ),
        ),
        (
            ServerMessage::Config { id: 3, stream: 0, format: jpeg() },
            format!(r#"{{"t":"config","id":3,"stream":0,{JPEG}}}"#),
        ),
        (ServerMessage::Pong { c: 1.5, s: 9 }, r#"{"t":"pong","c":1.5,"s":9}"#.into()),
        (
            ServerMessage::State { stream: 0, state: StreamState::Live, why: None },
            r#"{"t":"state","stream":0,"state":"live"}"#.into(),
        ),
        (
            ServerMessage::State {
                stream: 0,
                state: StreamState::NoSignal,
                why: Some("unplugged".into()),
            },
            r#"{"t":"state","stream":0,"state":"no_signal","why":"unplugged"}"#.into(),
        ),
        (
            ServerMessage::Controls { stream: 2, controls: vec![button(), mask()] },
            [
                r#"{"t":"controls","stream":2,"controls":["#,
                r#"{"id":"press","name":"Press","type":"button","inactive":false,"readonly":true,"group":""},"#,
                r#"{"id":"press","name":"Press","type":"bitmask","max":255,"default":"","value":true,"#,
                r#""menu":[{"value":-1,"name":"x"}],"inactive":false,"readonly":true,"group":""}]}"#,
            ]
            .concat(),
        ),
        (ServerMessage::Viewers { count: 3 }, r#"{"t":"viewers","count":3}"#.into()),
        (
            ServerMessage::Error { code: ErrorCode::NoStream, message: "no stream 7".into() },
            r#"{"t":"error","code":"no_stream","message":"no stream 7"}"#.into(),
        ),
    ];
    for (message, json) in cases {
        assert_eq!(message.to_json(), json);
        assert_eq!(ServerMessage::parse(&json), Ok(message));
    }
}

fn button() -> ControlInfo {
    ControlInfo {
        id: "press".into(),
        name: "Press".into(),
        kind: ControlKind::Button,
        min: None,
        max: None,
        step: None,
        default: None,
        value: None,
        menu: None,
        inactive: false,
        readonly: true,
        group: String::new(),
    }
}

/// Every key that can be missing is there.
fn mask() -> ControlInfo {
    ControlInfo {
        kind: ControlKind::Bitmask,
        max: Some(255),
        default: Some(ControlValue::Text(String::new())),
        value: Some(ControlValue::Boolean(true)),
        menu: Some(vec![ControlChoice { value: -1, name: "x".into() }]),
        ..button()
    }
}

#[test]
fn newer_servers_are_understood_as_far_as_known() {
    let newer = r#"{"t":"state","stream":0,"state":"rewinding","tape":[1,{"a":null}]}"#;
    let state = ServerMessage::State { stream: 0, state: StreamState::Unknown, why: None };
    assert_eq!(ServerMessage::parse(newer), Ok(state));
    assert_eq!(ServerMessage::parse(r#"{"t":"captions","list":[]}"#), Ok(ServerMessage::Unknown));
    let config = format!(r#"{{"t":"config","rotate":90,"id":3,"stream":0,{JPEG}}}"#);
    assert_eq!(
        ServerMessage::parse(&config.replace("bt601", "bt2100")),
        Ok(ServerMessage::Config {
            id: 3,
            stream: 0,
            format: FormatInfo { matrix: Matrix::Unknown, ..jpeg() },
        })
    );
}

#[test]
fn client_messages_that_are_accepted() {
    let start = |start| ClientMessage::Start(start);
    let formats = Some(vec!["h264".to_owned(), "from the future".to_owned()]);
    let cases = [
        (r#"{"t":"start"}"#, start(Start::default())),
        (
            r#"{"t":"start","stream":2,"formats":["h264","from the future"],"window":2,"maxfps":30}"#,
            start(Start { stream: Some(2), formats, window: Some(2), maxfps: Some(30) }),
        ),
        (
            r#"{"window":8,"maxfps":1000,"t":"start","new":{"deep":[[]]}}"#,
            start(Start { window: Some(8), maxfps: Some(1000), ..Start::default() }),
        ),
        (r#"{"t":"start","window":null}"#, start(Start::default())),
        (
            r#"{"t":"ack","seq":18446744073709551615}"#,
            ClientMessage::Ack { seq: u64::MAX, stream: None },
        ),
        (r#"{"t":"ping","c":1234567890123.25}"#, ClientMessage::Ping { c: 1_234_567_890_123.25 }),
        (r#"{"t":"ping","c":-1}"#, ClientMessage::Ping { c: -1.0 }),
        (r#"{"t":"pause","why":"hidden"}"#, ClientMessage::Pause { stream: None }),
        (r#"{"t":"play"}"#, ClientMessage::Play { stream: None }),
        (r#" {"t":"key"} "#, ClientMessage::Key),
        (r#"{"t":"set","id":9963776,"value":128}"#, ClientMessage::Unknown),
    ];
    for (json, message) in cases {
        assert_eq!(ClientMessage::parse(json), Ok(message), "{json}");
    }
}

#[test]
fn client_messages_that_are_refused() {
    let long = format!(r#"{{"t":"start","formats":["{}"]}}"#, "x".repeat(33));
    let many = format!(r#"{{"t":"start","formats":[{}]}}"#, [r#""x""#; 17].join(","));
    let deep = format!(r#"{{"t":"pause","x":{}"#, "[".repeat(2000));
    let huge = format!(r#"{{"t":"pause","x":"{}"}}"#, "x".repeat(MAX_CLIENT_MESSAGE_LEN));
    let cases: [(&str, &str); 20] = [
        ("", "not a JSON object"),
        ("hello", "not a JSON object"),
        (r#"["pause"]"#, "not a JSON object"),
        ("{", "message is not understood"),
        (r#"{"seq":1}"#, "missing field `t`"),
        (r#"{"t":7}"#, "message is not understood"),
        (r#"{"t":"ack"}"#, "missing field `seq`"),
        (r#"{"t":"ack","seq":-1}"#, "expected u64"),
        (r#"{"t":"ack","seq":1.5}"#, "expected u64"),
        (r#"{"t":"ack","seq":18446744073709551616}"#, "expected u64"),
        (r#"{"t":"ping","c":1e999}"#, "number out of range"),
        (r#"{"t":"ack","seq":1}{"t":"play"}"#, "trailing characters"),
        (r#"{"t":"start","window":0}"#, "`window` is 0, not 1 to 8"),
        (r#"{"t":"start","window":9}"#, "`window` is 9, not 1 to 8"),
        (r#"{"t":"start","maxfps":0}"#, "`maxfps` is 0, not 1 to 1000"),
        (r#"{"t":"start","maxfps":1001}"#, "`maxfps` is 1001, not 1 to 1000"),
        (&long, "longer than 32 bytes"),
        (&many, "17 names, more than 16"),
        (&deep, "recursion limit"),
        (&huge, "longer than 4096"),
    ];
    for (json, text) in cases {
        let error = ClientMessage::parse(json).unwrap_err().to_string();
        assert!(error.contains(text), "{json}: {error}");
    }
}

#[test]
fn an_error_text_quotes_little_and_no_control_characters() {
    let json = format!(r#"{{"t":"ack","seq":"{}\u001b\n"}}"#, "x".repeat(3000));
    let error = ClientMessage::parse(&json).unwrap_err().to_string();
    assert!(error.len() < 250 && !error.contains(char::is_control), "{error}");
}

/// Rows of the markdown table under the heading, as cells.
fn table<'a>(page: &'a str, heading: &str) -> Vec<Vec<&'a str>> {
    let start = page.find(heading).unwrap_or_else(|| panic!("no heading `{heading}`"));
    let rows: Vec<_> = page[start..]
        .lines()
        .skip_while(|line| !line.starts_with('|'))
        .take_while(|line| line.starts_with('|'))
        .skip(2)
        .map(|row| row.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    assert!(!rows.is_empty(), "no table under `{heading}`");
    rows
}

#[test]
fn the_documented_header_is_the_real_one() {
    let header = FrameHeader {
        flags: FrameFlags { key: true, discontinuity: true },
        config_id: 0x21,
        dropped: 0x4443_4241,
        sequence: 0x5857_5655_5453_5251,
        captured_us: 0x6867_6665_6463_6261,
        sent_us: 0x7877_7675_7473_7271,
    };
    let bytes = header.encode();
    let mut end = 0;
    for row in table(include_str!("../../../../docs/ref/wire.md"), "## Frame header") {
        let [offset, kind, name, _meaning] = row[..] else { panic!("{row:?} has not four cells") };
        let offset: usize = offset.parse().unwrap();
        assert_eq!(offset, end, "{name} leaves a gap or overlaps");
        let value = match name {
            "type" => 1,
            "flags" => 3,
            "config id" => u64::from(header.config_id),
            "header length" => 32,
            "dropped" => u64::from(header.dropped),
            "sequence" => header.sequence,
            "captured" => header.captured_us,
            "sent" => header.sent_us,
            other => panic!("{other} is not a field"),
        };
        let size = kind.strip_prefix('u').unwrap().parse::<usize>().unwrap() / 8;
        assert_eq!(bytes[offset..offset + size], value.to_le_bytes()[..size], "{name}");
        end += size;
    }
    assert_eq!(end, FRAME_HEADER_LEN);
}

#[test]
fn every_documented_example_is_read() {
    let page = include_str!("../../../../docs/ref/wire.md");
    let (mut client, mut server) = (0, 0);
    for line in page.lines() {
        if let Some(json) = line.strip_prefix("C> ") {
            assert_ne!(ClientMessage::parse(json).unwrap(), ClientMessage::Unknown, "{json}");
            client += 1;
        } else if let Some(json) = line.strip_prefix("S> ") {
            let message = ServerMessage::parse(json).unwrap();
            assert_ne!(message, ServerMessage::Unknown, "{json}");
            assert_eq!(message.to_json().len(), json.len(), "{json}");
            server += 1;
        }
    }
    assert!(client >= 6 && server >= 5, "{client} and {server} examples");
}

#[test]
fn headers_that_are_refused() {
    let good = FrameHeader::default().encode();
    assert_eq!(FrameHeader::decode(&[]), Err(FrameHeaderError::TooShort(0)));
    assert_eq!(FrameHeader::decode(&good[..31]), Err(FrameHeaderError::TooShort(31)));
    let with = |offset: usize, value| {
        let mut bytes = good;
        bytes[offset] = value;
        FrameHeader::decode(&bytes)
    };
    assert_eq!(with(0, 2), Err(FrameHeaderError::NotAFrame(2)));
    assert_eq!(with(3, 31), Err(FrameHeaderError::PayloadOffset(31)));
    assert_eq!(with(3, 40), Ok((FrameHeader::default(), 40)), "a newer sender's longer header");
    assert_eq!(with(1, 0xFC), Ok((FrameHeader::default(), 32)), "flags from a newer sender");
}

prop_compose! {
    fn a_start()(
        stream: Option<u32>,
        formats in prop::option::of(prop::collection::vec("[a-z0-9]{0,32}", 0..=MAX_FORMATS)),
        window in prop::option::of(1..=MAX_WINDOW),
        maxfps in prop::option::of(1..=MAX_FPS),
    ) -> ClientMessage {
        ClientMessage::Start(Start { stream, formats, window, maxfps })
    }
}

proptest! {
    #[test]
    fn headers_are_read_as_written(
        key: bool, discontinuity: bool, config_id: u8, dropped: u32, sequence: u64, captured_us: u64, sent_us: u64,
    ) {
        let flags = FrameFlags { key, discontinuity };
        let header = FrameHeader { flags, config_id, dropped, sequence, captured_us, sent_us };
        prop_assert_eq!(FrameHeader::decode(&header.encode()), Ok((header, FRAME_HEADER_LEN)));
    }

    #[test]
    fn client_messages_are_read_as_written(
        message in prop_oneof![
            a_start(),
            any::<(u64, Option<u32>)>().prop_map(|(seq, stream)| ClientMessage::Ack { seq, stream }),
            prop::num::f64::NORMAL.prop_map(|c| ClientMessage::Ping { c }),
        ],
    ) {
        prop_assert_eq!(ClientMessage::parse(&message.to_json()), Ok(message));
    }

    #[test]
    fn garbage_is_refused_without_a_panic(text in r#"[\{\}\[\]":,.0-9a-z\\\n]{0,60}"#) {
        let _anything = ClientMessage::parse(&text);
        let _anything = ServerMessage::parse(&text);
    }
}
