//! Viewers against a small server that does what the test wants, also what no server should.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread::JoinHandle;

use eyelet_area::{Format, FourCc, MonotonicNs};
use eyelet_wire::v1::{
    ClientMessage, FormatInfo, FrameHeader, Matrix, Range, ServerMessage, StreamInfo, StreamState,
    VERSION,
};
use eyelet_wire::websocket::{Decoder, Message, Opcode, Role, accept_key, close_payload, header};

use super::*;
use crate::error::{ErrorKind, Result};
use crate::stamp::Layout;

/// Between frames.
const INTERVAL: Duration = Duration::from_millis(3);
const WIDTH: u32 = 320;
const HEIGHT: u32 = 240;

fn options(url: &str) -> Options {
    Options {
        target: url.parse().unwrap(),
        viewers: 1,
        duration: Duration::from_millis(300),
        mode: Mode::V1,
        stream: None,
        format: None,
        window: None,
        no_ack: false,
        pauses: false,
        announces: false,
        reading: Reading::Fast,
        verify: Verify::Auto,
        reconnects: true,
    }
}

fn listen() -> (TcpListener, Options) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let options = options(&format!("http://{}", listener.local_addr().unwrap()));
    (listener, options)
}

fn format() -> FormatInfo {
    FormatInfo {
        format: "grey".into(),
        fourcc: "GREY".into(),
        width: WIDTH,
        height: HEIGHT,
        stride: WIDTH,
        fps: 50.0, // far below what is sent, so that a busy machine is not too slow
        matrix: Matrix::Bt601,
        range: Range::Limited,
        codec: None,
    }
}

/// A test picture of `top` above and `bottom` below.
fn picture(top: u64, bottom: u64) -> Vec<u8> {
    let layout = Layout::for_format(&Format::packed(FourCc::GREY, WIDTH, HEIGHT)).unwrap();
    let mut frame = vec![16; usize::try_from(WIDTH * HEIGHT).unwrap()];
    for row in 0..layout.rows() {
        let sequence = if row < layout.rows() / 2 { top } else { bottom };
        layout.write(&mut frame[layout.byte_range(row)], sequence);
    }
    frame
}

fn message(opcode: Opcode, payload: &[u8]) -> Vec<u8> {
    [&header(opcode, payload.len() as u64, None), payload].concat()
}

fn frame(sequence: u64, picture: &[u8]) -> Vec<u8> {
    let now = MonotonicNs::now().as_micros();
    let header = FrameHeader {
        config_id: 1,
        sequence,
        captured_us: now,
        sent_us: now,
        ..FrameHeader::default()
    };
    message(Opcode::Binary, &[&header.encode()[..], picture].concat())
}

fn whole(sequence: u64) -> Vec<u8> {
    frame(sequence, &picture(sequence, sequence))
}

/// Reads a handshake and answers it, in v1 as far as the config.
fn accept(listener: &TcpListener) -> TcpStream {
    let mut reader = BufReader::new(listener.accept().unwrap().0);
    let mut request = String::new();
    while !request.ends_with("\r\n\r\n") {
        reader.read_line(&mut request).unwrap();
    }
    let key = request.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: ")).unwrap();
    let is_v1 = request.contains("Sec-WebSocket-Protocol: eyelet.v1\r\n");
    let protocol = if is_v1 { "Sec-WebSocket-Protocol: eyelet.v1\r\n" } else { "" };
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\nConnection: upgrade\r\n\
         Sec-WebSocket-Accept: {}\r\n{protocol}\r\n",
        accept_key(key).unwrap()
    );
    let mut stream = reader.into_inner();
    stream.write_all(answer.as_bytes()).unwrap();
    if is_v1 {
        let info = StreamInfo {
            of: None,
            id: 3,
            name: "front".into(),
            state: StreamState::Live,
            formats: vec![format()],
        };
        let hello = ServerMessage::Hello { v: VERSION, server: "test".into(), streams: vec![info] };
        let config = ServerMessage::Config { id: 1, stream: 3, format: format() };
        for text in [hello, config] {
            stream.write_all(&message(Opcode::Text, text.to_json().as_bytes())).unwrap();
        }
    }
    stream
}

/// Sends what `step` makes of 1, 2, 3, … to `viewers` until they have gone.
fn broadcast(
    listener: TcpListener,
    viewers: usize,
    mut step: impl FnMut(u64) -> Vec<u8> + Send + 'static,
) -> JoinHandle<()> {
    std::thread::spawn(move || {
        let mut streams: Vec<_> = (0..viewers).map(|_| accept(&listener)).collect();
        for number in 1.. {
            let bytes = step(number);
            streams.retain_mut(|stream| stream.write_all(&bytes).is_ok());
            if streams.is_empty() {
                return;
            }
            std::thread::sleep(INTERVAL);
        }
    })
}

#[test]
fn several_viewers_get_every_frame() {
    let (listener, options) = listen();
    let server = broadcast(listener, 3, whole);
    let report = run(&Options { viewers: 3, window: Some(2), ..options }).unwrap();
    server.join().unwrap();
    assert!(report.frames > 0 && report.published_fps > Some(0.0), "{report}");
    assert_eq!((report.missed, report.gaps, report.backwards), (0, 0, 0), "{report}");
    assert_eq!((report.verified, report.torn, report.stale), (report.frames, 0, 0), "{report}");
    assert_eq!(report.frames, 3 * report.published.unwrap(), "{report}");
    assert_eq!(report.received_ratio, Some(1.0), "{report}");
    assert_eq!(report.bytes, report.frames * u64::from(WIDTH * HEIGHT));
    assert_eq!((report.format.as_deref(), report.nominal_fps), (Some("grey 320x240"), Some(50.0)));
    let latency = report.captured_to_received_ms.unwrap();
    assert!(latency.p50 <= latency.p99 && latency.p99 <= latency.max, "{report}");
    assert_eq!(
        (report.disconnects, report.reconnects, report.remarks.len()),
        (0, 0, 0),
        "{report}"
    );
}

#[test]
fn torn_and_stale_frames_are_found() {
    let (listener, options) = listen();
    broadcast(listener, 1, |number| match number % 8 {
        3 => frame(number, &picture(number, number - 1)),
        6 => frame(number, &picture(number - 1, number - 1)),
        _ => whole(number),
    });
    let report = run(&options).unwrap();
    assert!(report.torn > 0 && report.torn <= report.frames / 8 + 1, "{report}");
    assert!(report.stale > 0 && report.stale <= report.frames / 8 + 1, "{report}");
    assert!(report.faults().contains("torn"), "{report}");
}

#[test]
fn gaps_and_steps_back_are_found() {
    let (listener, options) = listen();
    broadcast(listener, 1, |number| whole(number + number / 8 * 2));
    let report = run(&options).unwrap();
    assert!(report.gaps > 0, "{report}");
    assert_eq!(report.missed, report.gaps * 2, "{report}");
    assert_eq!((report.verdict, report.backwards), (Verdict::FramesMissed, 0), "{report}");

    let (listener, options) = listen();
    broadcast(listener, 1, |number| whole(number ^ 1));
    assert!(run(&options).unwrap().backwards > 0);
}

#[test]
fn bare_frames_are_numbered_by_their_stamps() {
    let (listener, options) = listen();
    broadcast(listener, 1, |number| message(Opcode::Binary, &picture(number, number)));
    let report = run(&Options { mode: Mode::Bare, ..options }).unwrap();
    assert_eq!((report.missed, report.torn, report.verdict), (0, 0, Verdict::FullRate), "{report}");
    assert_eq!((report.verified, report.captured_to_received_ms), (report.frames, None));
}

#[test]
fn pictures_without_stamps_are_not_verified_unless_they_must_be() {
    for (mode, verify, verdict) in [
        (Mode::Bare, Verify::Auto, Verdict::Unknown),
        (Mode::V1, Verify::Auto, Verdict::FullRate),
        (Mode::V1, Verify::Always, Verdict::FullRate),
    ] {
        let (listener, options) = listen();
        broadcast(listener, 1, move |number| {
            let picture = vec![16; 1000];
            if mode == Mode::V1 {
                frame(number, &picture)
            } else {
                message(Opcode::Binary, &picture)
            }
        });
        let report = run(&Options { mode, verify, ..options }).unwrap();
        let verified = if verify == Verify::Always { report.frames } else { 0 };
        assert!(report.frames > 0, "{report}");
        assert_eq!((report.verified, report.torn), (verified, verified), "{report}");
        assert_eq!(
            (report.verdict, report.published.is_none()),
            (verdict, verdict == Verdict::Unknown)
        );
    }
}

#[test]
fn frames_of_another_config_are_not_counted() {
    let (listener, options) = listen();
    broadcast(listener, 1, |number| {
        let mut bytes = whole(number);
        bytes[header(Opcode::Binary, 100_000, None).len() + 2] = u8::from(number % 4 != 0);
        bytes
    });
    let report = run(&options).unwrap();
    assert!(report.without_config > 0 && report.faults().contains("config"), "{report}");
    assert_eq!(report.torn, 0, "{report}");
}

#[test]
fn frames_are_acknowledged() {
    let (listener, options) = listen();
    let server = std::thread::spawn(move || {
        let mut stream = accept(&listener);
        let (mut decoder, mut input) = (Decoder::new(Role::Server, 4096), bytes::BytesMut::new());
        let mut next = |stream: &mut TcpStream| loop {
            match decoder.decode(&mut input).unwrap() {
                Some(Message::Text(text)) => return ClientMessage::parse(&text).ok(),
                Some(other) => panic!("{other:?}"),
                None => {}
            }
            let mut part = [0; 100];
            let len = stream.read(&mut part).ok().filter(|len| *len > 0)?;
            input.extend_from_slice(&part[..len]);
        };
        let Some(ClientMessage::Start(start)) = next(&mut stream) else { panic!("no start") };
        assert_eq!((start.stream, start.window), (Some(3), Some(1)));
        assert_eq!(start.formats, Some(vec!["grey".into()]));
        let mut acked = 0;
        while stream.write_all(&whole(acked + 1)).is_ok() {
            match next(&mut stream) {
                Some(ClientMessage::Ack { seq, .. }) => assert_eq!(seq, acked + 1),
                Some(other) => panic!("{other:?}"),
                None => break,
            }
            acked += 1;
        }
        acked
    });
    let (stream, format) = (Some("front".into()), Some("grey".into()));
    let report = run(&Options { window: Some(1), stream, format, ..options }).unwrap();
    assert!(report.frames > 1, "{report}");
    assert!(server.join().unwrap() >= report.frames);
}

#[test]
fn viewers_come_back_and_say_why_they_went() {
    let (listener, options) = listen();
    std::thread::spawn(move || {
        let mut number = 0;
        while let Ok(mut stream) = std::panic::catch_unwind(|| accept(&listener)) {
            for _ in 0..10 {
                number += 1;
                drop(stream.write_all(&whole(number)));
                std::thread::sleep(INTERVAL);
            }
            drop(stream.write_all(&message(Opcode::Close, &close_payload(1013, "too slow"))));
        }
    });
    let report = run(&Options { duration: Duration::from_secs(1), ..options.clone() }).unwrap();
    assert!(report.disconnects > 0 && report.reconnects > 0, "{report}");
    assert!(report.remarks.contains_key("server closed with 1013 `too slow`"), "{report}");
    assert_eq!((report.missed, report.torn), (0, 0), "{report}");

    let report =
        run(&Options { reconnects: false, duration: Duration::from_secs(3600), ..options });
    let report = report.unwrap();
    assert_eq!((report.disconnects, report.reconnects), (1, 0), "{report}");
}

#[test]
fn a_viewer_that_never_reads_gets_nothing_and_hinders_nothing() {
    let (listener, options) = listen();
    let server = std::thread::spawn(move || accept(&listener));
    let report = run(&Options { reading: Reading::Never, ..options }).unwrap();
    drop(server.join());
    assert_eq!((report.frames, report.verdict), (0, Verdict::NoFrames), "{report}");
}

#[test]
fn a_viewer_that_never_reads_notices_when_it_is_thrown_out() {
    let (listener, options) = listen();
    std::thread::spawn(move || {
        // Closed with the viewer's `start` unread, a connection is reset.
        accept(&listener).peek(&mut [0]).unwrap();
    });
    let duration = Duration::from_secs(3600);
    let reading = Reading::Never;
    let report = run(&Options { reading, duration, reconnects: false, ..options }).unwrap();
    assert_eq!((report.disconnects, report.frames), (1, 0), "{report}");
}

#[test]
fn a_slow_viewer_reads_no_faster_than_it_may() {
    let (listener, options) = listen();
    broadcast(listener, 1, whole);
    let per_second = 1_000_000;
    let reading = Reading::Slow(per_second);
    let report = run(&Options { reading, duration: Duration::from_secs(1), ..options }).unwrap();
    assert!(report.frames > 0, "{report}");
    // One turn may fall on either end, and the last frame may have begun before.
    let surplus = 0.2 * f64::from(per_second) + f64::from(WIDTH * HEIGHT);
    let most = f64::from(per_second) + surplus / report.seconds;
    assert!(report.bytes_per_second < most, "{report}");
}

#[test]
fn reports_are_one_line_of_json() {
    let (listener, options) = listen();
    broadcast(listener, 1, whole);
    let report = run(&options).unwrap();
    let json = serde_json::to_string(&report).unwrap();
    let value: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert!(!json.contains('\n'));
    assert_eq!(value["verdict"], "full_rate");
    assert_eq!(value["full_rate"], true);
    assert_eq!(value["frames"], report.frames);
    assert!(value["captured_to_received_ms"]["p99"].is_number());
}

/// Runs against a server that answers one request with these bytes.
fn answered(answer: &'static str) -> crate::error::Error {
    let (listener, options) = listen();
    let server = std::thread::spawn(move || {
        let mut stream = listener.accept().unwrap().0;
        let mut request = [0; 4096];
        assert!(stream.read(&mut request).unwrap() > 0);
        stream.write_all(answer.as_bytes()).unwrap();
    });
    let error = run(&options).unwrap_err();
    server.join().unwrap();
    error
}

#[test]
fn what_is_no_eyelet_is_told_clearly() {
    for (answer, words) in [
        ("HTTP/1.1 404 Not Found\r\n\r\nnothing here", ["404 Not Found", "`nothing here`", "path"]),
        ("HTTP/1.1 403 Forbidden\r\n\r\n", ["403", "Forbidden", "let this client in"]),
        ("HTTP/1.1 503 Busy\r\n\r\n", ["503", "busy", "too many viewers"]),
        ("HTTP/1.1 200 OK\r\n\r\n<html>", ["200", "<html>", "path of a WebSocket"]),
        ("", ["without an answer", "port", "eyelet"]),
        ("SSH-2.0-x\r\n", ["SSH-2.0-x", "no HTTP", "port"]),
        (
            "HTTP/1.1 101 x\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
            ["accept key", "/-/ws", "proxy"],
        ),
        ("HTTP/1.1 101 x\r\n\r\n", ["accept key", "no upgrade", "proxy"]),
    ] {
        let error = answered(answer).to_string();
        for word in words {
            assert!(error.contains(word), "`{word}` is not in: {error}");
        }
    }
}

#[test]
fn nobody_there_is_told_clearly() {
    let (listener, options) = listen();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let error = run(&options).unwrap_err();
    let text = error.to_string();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(text.contains("is eyelet running there?"), "{text}");
    assert!(text.contains(&format!("127.0.0.1:{port}")), "{text}");
}

#[test]
fn a_stream_that_does_not_exist_is_told_clearly() {
    let (listener, options) = listen();
    broadcast(listener, 1, whole);
    let error: Result<Report> = run(&Options { stream: Some("back".into()), ..options });
    let text = error.unwrap_err().to_string();
    assert!(text.contains("`back`") && text.contains("`front`"), "{text}");
}
