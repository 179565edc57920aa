//! RFC 6455 as a peer that breaks its rules sees it; nobody else may notice.

use anyhow::{Context as _, Result};
use eyelet_harness::wire::websocket::{Message, Opcode};
use eyelet_harness::{DEADLINE, Response, WsClient};
use serde_json::{Value, json};

use crate::support::{SMALL, V1, Witness, ask, read_answer, start};

const KEY: &str = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
/// What a client's message may have, in bytes.
const MAX_MESSAGE: usize = 4096;

/// A handshake in which lines that start as `without` does are left out, and `with` is put in.
fn handshake(line: &str, without: &str, with: &str) -> String {
    let lines = [
        "Host: cam.local:9090",
        "Upgrade: websocket",
        "Connection: keep-alive, Upgrade",
        "Sec-WebSocket-Version: 13",
        KEY,
    ];
    let kept = lines.into_iter().filter(|kept| without.is_empty() || !kept.starts_with(without));
    let all: Vec<&str> =
        [line].into_iter().chain(kept).chain([with]).filter(|line| !line.is_empty()).collect();
    all.join("\r\n") + "\r\n\r\n"
}

#[test]
fn each_wrong_handshake_gets_the_status_of_the_rfc() -> Result<()> {
    let eyelet = start(SMALL, &[])?;
    let witness = Witness::start(&eyelet)?;
    let get = "GET /-/ws HTTP/1.1";
    for (status, line, without, with) in [
        (400, get, "Sec-WebSocket-Key", ""),
        (400, get, "Sec-WebSocket-Key", "Sec-WebSocket-Key: short"),
        (400, get, "Sec-WebSocket-Key", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZSE=="),
        (426, get, "Sec-WebSocket-Version", "Sec-WebSocket-Version: 8"),
        (426, get, "Sec-WebSocket-Version", ""),
        (426, get, "Upgrade", ""),
        (426, get, "Upgrade", "Upgrade: h2c"),
        (426, get, "Connection", "Connection: keep-alive"),
        (405, "POST /-/ws HTTP/1.1", "", "Content-Length: 0"),
        (400, "GET /-/ws HTTP/1.0", "", ""),
        (403, get, "", "Origin: http://evil.example"),
        (403, get, "", "Origin: null"),
        (403, get, "", "Origin: http://cam.local"),
        (101, get, "", "Origin: http://cam.local:9090"),
        (101, get, "", "Sec-WebSocket-Protocol: chat, superchat"),
        (101, get, "", "Sec-WebSocket-Extensions: permessage-deflate"),
    ] {
        let answer = ask(&eyelet, &handshake(line, without, with))?;
        assert_eq!(answer.status, status, "{line} without `{without}`, with `{with}`: {answer:?}");
        says_what_it_must(&answer, without);
    }
    witness.finish()?;
    Ok(())
}

fn says_what_it_must(answer: &Response, without: &str) {
    match answer.status {
        101 => {
            // The example of section 1.3.
            let accept = answer.header("sec-websocket-accept");
            assert_eq!(accept, Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
            assert_eq!(answer.header("sec-websocket-protocol"), None);
            assert_eq!(answer.header("sec-websocket-extensions"), None);
        }
        // RFC 9110, sections 15.5.6 and 15.5.22; RFC 6455, section 4.2.2.
        405 => assert_eq!(answer.header("allow"), Some("GET"), "{answer:?}"),
        426 if without == "Sec-WebSocket-Version" => {
            assert_eq!(answer.header("sec-websocket-version"), Some("13"), "{answer:?}");
        }
        426 => assert_eq!(answer.header("upgrade"), Some("websocket"), "{answer:?}"),
        _ => assert!(answer.text().ends_with('\n'), "{answer:?}"),
    }
}

#[test]
fn a_subprotocol_is_named_only_if_it_is_spoken() -> Result<()> {
    let eyelet = start(SMALL, &[])?;
    for (offered, agreed) in [
        (&["eyelet.v1"][..], Some("eyelet.v1")),
        (&["chat", "eyelet.v1"], Some("eyelet.v1")),
        (&["chat"], None),
        (&["EYELET.V1"], None),
        (&[], None),
    ] {
        assert_eq!(eyelet.websocket("/-/ws", offered, &[])?.protocol(), agreed, "{offered:?}");
    }
    Ok(())
}

/// A whole frame of the client, masked with zeroes; `first` is FIN, RSV and opcode.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let len = payload.len();
    let head = match u8::try_from(len) {
        Ok(len @ 0..=125) => vec![first, 0x80 | len],
        _ => [&[first, 0x80 | 126][..], &u16::try_from(len).unwrap_or(0).to_be_bytes()].concat(),
    };
    [&head[..], &[0; 4], payload].concat()
}

fn violations() -> Vec<(u16, &'static str, Vec<u8>)> {
    vec![
        (1002, "no mask", vec![0x81, 0x02, b'h', b'i']),
        (1002, "RSV1", frame(0xC1, b"hi")),
        (1002, "RSV2", frame(0xA1, b"hi")),
        (1002, "RSV3", frame(0x91, b"hi")),
        (1002, "reserved opcode 3", frame(0x83, b"")),
        (1002, "reserved opcode 11", frame(0x8B, b"")),
        (1002, "fragmented ping", frame(0x09, b"hi")),
        (1002, "ping of 126 bytes", frame(0x89, &[b'x'; 126])),
        (1002, "close of 126 bytes", frame(0x88, &[0x03; 126])),
        (1002, "close of one byte", frame(0x88, &[0x03])),
        (1002, "close with code 1005", frame(0x88, &1005u16.to_be_bytes())),
        (1002, "continuation of nothing", frame(0x80, b"hi")),
        (1002, "message inside another", [frame(0x01, b"h"), frame(0x81, b"i")].concat()),
        (1002, "length not in its shortest form", vec![0x81, 0xFE, 0, 1, 0, 0, 0, 0, b'x']),
        (1002, "length with its top bit", [&[0x81, 0xFF][..], &[0xFF; 8], &[0; 4]].concat()),
        (1009, "length of 63 bits", [&[0x81, 0xFF, 0x7F][..], &[0xFF; 7], &[0; 4]].concat()),
        (1009, "message over the limit", frame(0x81, &[b' '; MAX_MESSAGE + 1])),
        (
            1009,
            "parts over the limit",
            [frame(0x01, &[b' '; MAX_MESSAGE]), frame(0x80, b" ")].concat(),
        ),
        (1007, "text that is not UTF-8", frame(0x81, b"\xC3\x28")),
        (1007, "reason that is not UTF-8", frame(0x88, b"\x03\xE8\xFF")),
    ]
}

#[test]
fn each_violation_is_closed_with_its_code_and_nobody_else_notices() -> Result<()> {
    let eyelet = start(SMALL, &[])?;
    let witness = Witness::start(&eyelet)?;
    for (code, what, bytes) in violations() {
        for protocols in [&["eyelet.v1"][..], &[]] {
            let mut client = eyelet.websocket("/-/ws", protocols, &[])?;
            client.send_raw(&bytes)?;
            let closed = client.next_close().with_context(|| what.to_owned())?;
            assert_eq!(closed, Some(code), "{what}, {protocols:?}");
            ends(&mut client).with_context(|| what.to_owned())?;
        }
    }
    witness.finish()?;
    Ok(())
}

/// Waits for the end of a connection after the close message; nothing else may come.
fn ends(client: &mut WsClient) -> Result<()> {
    match client.next_message(DEADLINE) {
        Err(_) => Ok(()),
        Ok(other) => anyhow::bail!("after the close came {other:?}"),
    }
}

#[test]
fn a_close_is_answered_with_its_own_code() -> Result<()> {
    let eyelet = start(SMALL, &[])?;
    for protocols in [&["eyelet.v1"][..], &[]] {
        for (sent, answered) in [
            (&b""[..], Some(1000)),
            (b"\x03\xE8", Some(1000)),
            (b"\x03\xE9bye", Some(1001)),
            (b"\x0F\xA0", Some(4000)),
        ] {
            let mut client = eyelet.websocket("/-/ws", protocols, &[])?;
            client.send(Opcode::Close, sent)?;
            assert_eq!(client.next_close()?, answered, "{sent:?}");
            ends(&mut client)?;
        }
    }
    Ok(())
}

/// Waits for the next pong and counts the frames before it.
fn pong(client: &mut WsClient) -> Result<(Vec<u8>, usize)> {
    let mut frames = 0;
    loop {
        match client.next_message(DEADLINE)?.context("no pong")? {
            Message::Pong(payload) => return Ok((payload, frames)),
            Message::Binary(_) => frames += 1,
            _ => {}
        }
    }
}

#[test]
fn pings_are_answered_while_frames_flow() -> Result<()> {
    let eyelet = start(SMALL, &[])?;
    let mut client = eyelet.websocket("/-/ws", &[], &[])?;
    for payload in [&b""[..], b"ping", &[b'x'; 125]] {
        client.next_binary()?;
        client.send(Opcode::Ping, payload)?;
        let (answer, frames) = pong(&mut client)?;
        assert_eq!(answer, payload);
        assert!(frames < 30, "the answer came behind {frames} frames");
    }
    // An answer that nobody asked for means nothing, and a ping may come inside a message.
    client.send(Opcode::Pong, b"unasked")?;
    client.send_raw(&[frame(0x01, b"h"), frame(0x89, b"in"), frame(0x80, b"i")].concat())?;
    assert_eq!(pong(&mut client)?.0, b"in");
    client.next_binary()?;
    Ok(())
}

#[test]
fn a_viewer_that_is_slower_than_the_camera_gets_its_pongs_between_frames() -> Result<()> {
    let eyelet = start("test:640x480@60", &[])?;
    let mut client = eyelet.websocket("/-/ws", &[], &[])?;
    for _ in 0..3 {
        client.next_binary()?;
        // Frames queue up on the way; the answer stands behind those, and behind no others.
        std::thread::sleep(std::time::Duration::from_millis(300));
        client.send(Opcode::Ping, b"slow")?;
        let (answer, frames) = pong(&mut client)?;
        assert_eq!(answer, b"slow");
        assert!(frames < 30, "the answer came behind {frames} frames");
    }
    Ok(())
}

#[test]
fn bytes_that_come_with_the_handshake_belong_to_the_stream() -> Result<()> {
    use std::io::{Read as _, Write as _};
    let eyelet = start(SMALL, &[])?;
    let head = handshake("GET /-/ws HTTP/1.1", "", "");
    for (early, answered) in [
        (frame(0x88, &1000u16.to_be_bytes()), [0x88, 2, 0x03, 0xE8]),
        (frame(0xC1, b"hi"), [0x88, 22, 0x03, 0xEA]),
    ] {
        let mut stream = eyelet.raw()?;
        stream.write_all(&[head.as_bytes(), &early].concat())?;
        assert_eq!(read_answer(&mut stream)?.status, 101);
        let mut close = [0; 4];
        stream.read_exact(&mut close)?;
        assert_eq!(close[..1], answered[..1]);
        assert_eq!(close[2..], answered[2..]);
    }
    Ok(())
}

#[test]
fn a_binary_message_of_an_eyelet_v1_client_is_closed_with_1003() -> Result<()> {
    let eyelet = start(SMALL, &[])?;
    let mut viewer = V1::watch(&eyelet)?;
    viewer.ws.send(Opcode::Binary, b"\x01")?;
    assert_eq!(viewer.ws.next_close()?, Some(1003));
    // Without the protocol it is thrown away.
    let mut bare = eyelet.websocket("/-/ws", &[], &[])?;
    bare.send(Opcode::Binary, &[7; MAX_MESSAGE])?;
    bare.send(Opcode::Text, b"not JSON")?;
    bare.send(Opcode::Ping, b"still there")?;
    assert_eq!(pong(&mut bare)?.0, b"still there");
    Ok(())
}

#[test]
fn what_is_not_understood_is_told_and_the_stream_goes_on() -> Result<()> {
    let eyelet = start(SMALL, &[])?;
    let mut viewer = V1::watch(&eyelet)?;
    for text in [
        "",
        "{",
        "[]",
        "null",
        r#"{"t":7}"#,
        r#"{"no":"t"}"#,
        r#"{"t":"start","window":0}"#,
        r#"{"t":"start","window":9}"#,
        r#"{"t":"start","maxfps":0}"#,
        r#"{"t":"start","stream":-1}"#,
        r#"{"t":"ack"}"#,
    ] {
        viewer.ws.send_text(text)?;
        let error = viewer.text("error").with_context(|| text.to_owned())?;
        assert_eq!(error["code"], "bad_message", "{text}: {error}");
        assert!(error["message"].as_str().is_some_and(|why| !why.is_empty()), "{text}: {error}");
        viewer.frame()?;
    }
    // What a newer client may say is passed over.
    viewer.ws.send_text(r#"{"t":"later","x":1}"#)?;
    viewer.say(&json!({"t": "ping", "c": 1.5, "more": [1]}))?;
    let next = viewer.text("pong")?;
    assert_eq!(next["c"], 1.5);
    Ok(())
}

#[test]
fn questions_without_reading_the_answers_end_with_1008() -> Result<()> {
    // A frame of 4 MB, more than the way holds: what follows it waits in the server until somebody reads.
    let eyelet = start("test:1920x1080@5", &[])?;
    let mut witness = V1::watch(&eyelet)?;
    let ws = WsClient::connect_keeping_little(eyelet.addr(), "/-/ws", &["eyelet.v1"])?;
    let mut viewer = V1::over(ws)?;
    viewer.start(json!({}))?;
    viewer.text("config")?;
    let sequence = witness.frame()?.header.sequence;
    witness.frame_that(|frame| frame.header.sequence > sequence + 1)?;
    // In one piece: both sides repeating themselves against closed windows would be another test, of the kernel.
    let ping = frame(0x81, json!({"t": "ping", "c": 1}).to_string().as_bytes());
    viewer.ws.send_raw(&ping.repeat(1000))?;
    // Others have their turn, so meanwhile it was the questions' turn.
    let sequence = witness.frame()?.header.sequence;
    witness.frame_that(|frame| frame.header.sequence > sequence + 1)?;
    assert_eq!(viewer.ws.next_close()?, Some(1008));
    witness.frame()?;
    Ok(())
}

#[test]
fn a_flood_of_messages_does_not_keep_frames_from_others() -> Result<()> {
    let eyelet = start(SMALL, &[])?;
    let mut viewer = V1::watch(&eyelet)?;
    let sequence = viewer.frame()?.header.sequence;
    let ack = frame(0x81, br#"{"t":"ack","seq":1}"#).repeat(1000);
    let ping = frame(0x89, b"flood").repeat(1000);
    let flooding: Vec<_> = [ack, ping]
        .into_iter()
        .map(|flood| {
            let mut client = eyelet.websocket("/-/ws", &["eyelet.v1"], &[])?;
            // Until the program ends, or nobody reads any more.
            Ok(std::thread::spawn(move || while client.send_raw(&flood).is_ok() {}))
        })
        .collect::<Result<_>>()?;
    viewer.frame_that(|frame| frame.header.sequence > sequence + 60)?;
    assert_eq!(eyelet.get("/-/healthz")?.status, 200);
    drop(eyelet);
    for thread in flooding {
        assert!(thread.join().is_ok());
    }
    Ok(())
}

#[test]
fn the_greeting_names_the_version_of_the_protocol() -> Result<()> {
    let eyelet = start(SMALL, &[])?;
    let viewer = V1::connect(&eyelet)?;
    assert_eq!(viewer.hello["v"], 1);
    assert!(viewer.hello["server"].as_str().is_some_and(|name| name.starts_with("eyelet/")));
    let format = &viewer.hello["streams"][0]["formats"][0];
    let expected: Value = json!({
        "format": "yuyv", "fourcc": "YUYV", "width": 64, "height": 48, "stride": 128,
        "fps": 30.0, "matrix": "bt601", "range": "limited",
    });
    assert_eq!(format, &expected);
    Ok(())
}
