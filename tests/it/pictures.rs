//! Pictures over HTTP: endless answers, snapshots, raw frames, and the addresses that clients of other servers know.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write as _};
use std::net::TcpStream;

use anyhow::{Context as _, Result, bail, ensure};
use eyelet_area::MonotonicNs;
use eyelet_harness::{Eyelet, WsClient, exchange};
use eyelet_wire::v1::FrameHeader;
use serde_json::json;

use crate::support::{SMALL, V1, VGA, start};

/// An endless answer, as a client reads it.
struct Stream {
    reader: BufReader<TcpStream>,
    head: String,
}

struct Part {
    fields: BTreeMap<String, String>,
    body: Vec<u8>,
}

impl Stream {
    fn open(eyelet: &Eyelet, path: &str) -> Result<Self> {
        Self::ask(eyelet, &format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n"))
    }

    fn ask(eyelet: &Eyelet, request: &str) -> Result<Self> {
        let mut stream = eyelet.raw()?;
        stream.write_all(request.as_bytes())?;
        let mut reader = BufReader::new(stream);
        let head = read_fields(&mut reader)?.join("\n");
        Ok(Self { reader, head })
    }

    /// Reads the line that begins a part, and its fields.
    fn part_head(&mut self) -> Result<BTreeMap<String, String>> {
        let mut line = String::new();
        self.reader.read_line(&mut line)?;
        ensure!(line == "--boundarydonotcross\r\n", "not a boundary: {line:?}");
        self.fields()
    }

    fn fields(&mut self) -> Result<BTreeMap<String, String>> {
        let field = |line: &String| {
            let (name, value) = line.split_once(": ").context("not a field")?;
            Ok((name.to_ascii_lowercase(), value.to_owned()))
        };
        read_fields(&mut self.reader)?.iter().map(field).collect()
    }

    /// Reads a part that states its length, and that the next boundary comes right behind it.
    fn part(&mut self) -> Result<Part> {
        let fields = self.part_head()?;
        let len = fields.get("content-length").context("no length")?.parse()?;
        let mut body = vec![0; len];
        self.reader.read_exact(&mut body)?;
        let mut end = [0; 2];
        self.reader.read_exact(&mut end)?;
        ensure!(&end == b"\r\n", "no end of the picture: {end:?}");
        // The boundary must be there already, not with the next picture.
        let next = self.reader.fill_buf()?;
        ensure!(next.starts_with(b"--"), "no boundary behind the picture");
        Ok(Part { fields, body })
    }

    fn picture(&mut self) -> Result<Part> {
        let part = self.part()?;
        is_jpeg(&part.body)?;
        Ok(part)
    }
}

fn read_fields(reader: &mut impl BufRead) -> Result<Vec<String>> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        ensure!(reader.read_line(&mut line)? > 0, "the answer ended");
        match line.trim_end() {
            "" => return Ok(lines),
            line => lines.push(line.to_owned()),
        }
    }
}

fn is_jpeg(bytes: &[u8]) -> Result<()> {
    ensure!(bytes.starts_with(&[0xff, 0xd8]) && bytes.ends_with(&[0xff, 0xd9]), "not a whole JPEG");
    libjpeg_turbo_rs::decompress(bytes).context("a damaged JPEG")?;
    Ok(())
}

#[test]
fn an_endless_answer_has_whole_pictures_that_state_their_length() -> Result<()> {
    let eyelet = start(SMALL, &[])?;
    let mut stream = Stream::open(&eyelet, "/-/stream.mjpg")?;
    for field in [
        "HTTP/1.1 200 OK",
        "Content-Type: multipart/x-mixed-replace;boundary=boundarydonotcross",
        "X-Accel-Buffering: no",
        "Connection: close",
    ] {
        assert!(stream.head.contains(field), "{field} is not in {}", stream.head);
    }
    let mut last = 0.0;
    for _ in 0..10 {
        let part = stream.picture()?;
        assert_eq!(part.fields["content-type"], "image/jpeg");
        let stamp: f64 = part.fields["x-timestamp"].parse()?;
        assert!(stamp > last, "{stamp} after {last}");
        last = stamp;
    }
    Ok(())
}

#[test]
fn an_old_client_is_answered_in_its_own_version() -> Result<()> {
    let eyelet = start(SMALL, &[])?;
    let mut stream = Stream::ask(&eyelet, "GET /-/stream.mjpg HTTP/1.0\r\n\r\n")?;
    assert!(stream.head.starts_with("HTTP/1.0 200"), "{}", stream.head);
    stream.picture()?;
    let mut head = Stream::ask(&eyelet, "HEAD /-/stream.mjpg HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
    let mut rest = Vec::new();
    head.reader.read_to_end(&mut rest)?;
    assert!(rest.is_empty() && head.head.contains("multipart/x-mixed-replace"), "{}", head.head);
    Ok(())
}

#[test]
fn many_viewers_get_whole_pictures_all() -> Result<()> {
    let eyelet = start(SMALL, &[])?;
    let mut streams: Vec<Stream> =
        (0..12).map(|_| Stream::open(&eyelet, "/-/stream.mjpg")).collect::<Result<_>>()?;
    let mut bare: Vec<_> =
        (0..12).map(|_| eyelet.websocket("/-/ws", &[], &[])).collect::<Result<_>>()?;
    for _ in 0..20 {
        for stream in &mut streams {
            stream.picture()?;
        }
        for bare in &mut bare {
            assert_eq!(bare.next_binary()?.len(), 64 * 48 * 2);
        }
    }
    Ok(())
}

#[test]
fn with_advanced_heads_the_next_head_comes_right_behind_the_picture() -> Result<()> {
    let eyelet = start("test:64x48@1", &[])?;
    let mut stream = Stream::open(&eyelet, "/-/stream.mjpg?advance=1")?;
    let first = stream.part_head()?;
    assert_eq!(first.get("content-length"), None);
    let begin = std::time::Instant::now();
    for _ in 0..2 {
        // Whole with the boundary and the next head, long before the next picture.
        let mut picture = Vec::new();
        while !picture.ends_with(b"\r\n--boundarydonotcross\r\nContent-Type: image/jpeg\r\n\r\n") {
            ensure!(stream.reader.read_until(b'\n', &mut picture)? > 0, "the answer ended");
        }
        let end = picture.windows(2).rposition(|w| w == [0xff, 0xd9]).context("no end")?;
        is_jpeg(&picture[..end + 2])?;
    }
    // The second picture cannot be there before its second has passed, and need not wait for a third.
    assert!(begin.elapsed().as_millis() > 300, "two pictures of one a second came at once");
    Ok(())
}

#[test]
fn a_snapshot_is_as_young_as_it_is_asked_to_be() -> Result<()> {
    let eyelet = start(SMALL, &[])?;
    for _ in 0..3 {
        let before = MonotonicNs::now();
        let snapshot = eyelet.get("/-/snapshot.jpg?max_age=0")?;
        assert_eq!((snapshot.status, snapshot.header("content-type")), (200, Some("image/jpeg")));
        is_jpeg(&snapshot.body)?;
        let captured: u64 = snapshot.header("x-eyelet-captured-us").context("no time")?.parse()?;
        assert!(
            captured >= before.as_micros(),
            "captured {captured}, asked {}",
            before.as_micros()
        );
    }
    assert_eq!(eyelet.get("/-/snapshot.jpg?max_age=soon")?.status, 400);
    assert_eq!(eyelet.get("/-/snapshot.jpg?stream=garden")?.status, 404);
    let head = exchange(eyelet.addr(), "HEAD", "/-/snapshot.jpg", &[], b"")?;
    assert_eq!((head.status, head.header("content-type")), (200, Some("image/jpeg")));
    Ok(())
}

#[test]
fn a_snapshot_is_as_wide_as_it_is_asked_to_be_and_never_wider_than_the_camera() -> Result<()> {
    let eyelet = start(SMALL, &["--stream", "jpeg?width=32"])?;
    for (path, width, height) in [
        ("/-/snapshot.jpg?width=1", 1, 1),
        ("/-/snapshot.jpg?width=20", 20, 15),
        ("/-/snapshot.jpg?width=32", 32, 24),
        ("/-/snapshot.jpg?width=33", 33, 25),
        ("/-/snapshot.jpg?width=64", 64, 48),
        ("/-/snapshot.jpg?width=65535", 64, 48),
        ("/-/snapshot.jpg?stream=camera-jpeg&width=20", 20, 15),
        ("/snapshot?width=40", 40, 30),
        ("/?action=snapshot&width=40", 40, 30),
    ] {
        let before = MonotonicNs::now();
        let snapshot = eyelet.get(&format!("{path}&max_age=0"))?;
        let picture = libjpeg_turbo_rs::decompress(&snapshot.body).context("a damaged JPEG")?;
        assert_eq!((picture.width, picture.height), (width, height), "{path}");
        for (name, value) in [("width", width), ("height", height)] {
            let field = snapshot.header(&format!("x-eyelet-{name}"));
            assert_eq!(field, Some(value.to_string().as_str()), "{path}");
        }
        let captured: u64 = snapshot.header("x-eyelet-captured-us").context("no time")?.parse()?;
        assert!(captured >= before.as_micros(), "{path}");
        assert_eq!(snapshot.header("content-type"), Some("image/jpeg"));
    }
    for wrong in ["0", "65536", "wide", "-1"] {
        assert_eq!(eyelet.get(&format!("/-/snapshot.jpg?width={wrong}"))?.status, 400);
    }
    Ok(())
}

#[test]
fn a_raw_frame_says_in_fields_what_it_is() -> Result<()> {
    let eyelet = start(VGA, &["--stream", "rgba"])?;
    let frame = eyelet.get("/-/frame?stream=camera")?;
    assert_eq!((frame.status, frame.body.len()), (200, 614_400));
    for (name, value) in [
        ("format", "yuyv"),
        ("fourcc", "YUYV"),
        ("width", "640"),
        ("stride", "1280"),
        ("range", "limited"),
    ] {
        assert_eq!(frame.header(&format!("x-eyelet-{name}")), Some(value), "{name}");
    }
    let rgba = eyelet.get("/-/frame?format=rgba")?;
    assert_eq!((rgba.status, rgba.body.len()), (200, 640 * 480 * 4));
    assert_eq!(rgba.header("x-eyelet-fourcc"), Some("AB24"));
    assert_eq!(eyelet.get("/-/frame?format=h264")?.status, 404);
    Ok(())
}

#[test]
fn clients_of_ustreamer_find_what_they_know() -> Result<()> {
    let eyelet = start(SMALL, &[])?;
    let mut stream = Stream::open(&eyelet, "/stream?key=me&extra_headers=1")?;
    assert!(stream.head.contains("Set-Cookie: stream_client=me/"), "{}", stream.head);
    let part = stream.picture()?;
    for (name, value) in [("online", "true"), ("width", "64"), ("height", "48")] {
        assert_eq!(part.fields[&format!("x-ustreamer-{name}")], value, "{name}");
    }
    assert!(part.fields["x-ustreamer-latency"].parse::<f64>()? >= 0.0);
    let state = eyelet.get("/state")?.json()?;
    assert_eq!(state["ok"], true);
    assert_eq!(state["result"]["source"]["resolution"], json!({"width": 64, "height": 48}));
    assert_eq!(state["result"]["stream"]["clients"], 1);
    let stat = state["result"]["stream"]["clients_stat"].as_object().context("no clients")?;
    assert!(stat.values().all(|client| client["key"] == "me" && client["extra_headers"] == true));
    let mut empty = Stream::open(&eyelet, "/stream?zero_data=1")?;
    assert!(empty.part()?.body.is_empty());
    let snapshot = eyelet.get("/snapshot")?;
    is_jpeg(&snapshot.body)?;
    assert_eq!(snapshot.header("x-ustreamer-width"), Some("64"));
    Ok(())
}

#[test]
fn clients_of_mjpg_streamer_find_what_they_know() -> Result<()> {
    let eyelet = start("front=test:64x48@30", &["--source", "back=test:128x64@30"])?;
    for (path, width) in [("/?action=snapshot", "64"), ("/?action=snapshot_1", "128")] {
        let snapshot = eyelet.get(path)?;
        is_jpeg(&snapshot.body)?;
        assert_eq!(snapshot.header("x-eyelet-width"), Some(width), "{path}");
    }
    for path in ["/?action=stream", "/?action=stream_1", "/-/stream.mjpg?stream=back"] {
        Stream::open(&eyelet, path)?.picture()?;
    }
    for path in ["/?action=stream_2", "/?action=dance", "/?action=stream_x"] {
        assert_eq!(eyelet.get(path)?.status, 404, "{path}");
    }
    assert_eq!(eyelet.get("/?stream=1")?.status, 200, "the page has parameters of its own");
    Ok(())
}

#[test]
fn a_viewer_that_wants_fewer_frames_gets_so_many_in_the_mean() -> Result<()> {
    let eyelet = start(SMALL, &[])?;
    let mut viewer = V1::connect(&eyelet)?;
    viewer.start(json!({"maxfps": 5}))?;
    let first = viewer.frame()?.header;
    let mut last = first;
    for _ in 0..10 {
        last = viewer.frame()?.header;
    }
    // Thirty frames a second were made, five wanted.
    let step = (last.sequence - first.sequence) as f64 / 10.0;
    assert!((5.5..=7.0).contains(&step), "every {step}th frame came");
    assert_eq!(eyelet.get("/-/stream.mjpg?fps=0")?.status, 400);
    Ok(())
}

#[test]
fn several_streams_go_over_one_socket() -> Result<()> {
    let eyelet = start("front=test:64x48@30", &["--source", "back=test:128x64@30"])?;
    let mut ws = eyelet.websocket("/-/ws", &["eyelet.v1"], &[])?;
    let hello: serde_json::Value = serde_json::from_str(&ws.next_text()?)?;
    let formats = hello["streams"][0]["formats"].as_array().context("no formats")?;
    let names: Vec<_> = formats.iter().map(|format| &format["format"]).collect();
    assert_eq!(names, ["yuyv", "jpeg"]);
    assert_eq!((&hello["streams"][0]["of"], &hello["streams"][2]["of"]), (&json!(null), &json!(0)));
    ws.send_text(r#"{"t":"start","stream":0,"window":2}"#)?;
    ws.send_text(r#"{"t":"start","stream":1,"formats":["jpeg"],"window":2}"#)?;
    let mut streams: BTreeMap<u8, u64> = BTreeMap::new();
    let mut frames: BTreeMap<u64, u32> = BTreeMap::new();
    while frames.len() < 2 || frames.values().any(|n| *n < 20) {
        match ws.next_message(std::time::Duration::from_secs(10))?.context("nothing came")? {
            eyelet_wire::websocket::Message::Text(text) => {
                let text: serde_json::Value = serde_json::from_str(&text)?;
                if text["t"] == "config" {
                    let id = u8::try_from(text["id"].as_u64().context("no id")?)?;
                    let stream = text["stream"].as_u64().context("no stream")?;
                    assert_eq!(text["format"], if stream == 0 { "yuyv" } else { "jpeg" });
                    streams.insert(id, stream);
                }
            }
            eyelet_wire::websocket::Message::Binary(bytes) => {
                let (header, _) = FrameHeader::decode(&bytes)?;
                let stream = *streams.get(&header.config_id).context("a frame without config")?;
                *frames.entry(stream).or_default() += 1;
                let ack = json!({"t": "ack", "seq": header.sequence, "stream": stream});
                ws.send_text(&ack.to_string())?;
            }
            other => bail!("{other:?} came"),
        }
    }
    Ok(())
}

#[test]
fn a_rendition_is_what_the_greeting_says_of_it() -> Result<()> {
    let eyelet = start(SMALL, &["--stream", "jpeg?width=20"])?;
    let mut viewer = V1::connect(&eyelet)?;
    let told = viewer.hello["streams"][1]["formats"][0].clone();
    viewer.start(json!({"stream": 1}))?;
    let config = viewer.text("config")?;
    for key in ["format", "width", "height", "stride", "range"] {
        assert_eq!(told[key], config[key], "{key}");
    }
    assert_eq!((&config["width"], &config["height"]), (&json!(20), &json!(15)));
    Ok(())
}

#[test]
fn what_slow_viewers_hold_stays_within_its_budget() -> Result<()> {
    // Frames of 4 MB: eight of them are the budget.
    let eyelet = start("test:1920x1080@5", &[])?;
    let mut witness = V1::watch(&eyelet)?;
    let mut slow = Vec::new();
    for _ in 0..14 {
        let sequence = witness.frame()?.header.sequence;
        slow.push(WsClient::connect_keeping_little(eyelet.addr(), "/-/ws", &[])?);
        // Each is stuck in another frame.
        witness.frame_that(|frame| frame.header.sequence > sequence)?;
    }
    let given_up = |status: &serde_json::Value| status["given_up"].as_u64().unwrap_or(0);
    eyelet.wait_until("a viewer is given up", || {
        eyelet.status().is_ok_and(|status| given_up(&status) > 0)
    })?;
    let status = eyelet.status()?;
    let most = (32 << 20) + 2 * 1920 * 1080 * 2;
    assert!(status["held_bytes"].as_u64() <= Some(most), "{status}");
    let metrics = eyelet.get("/-/metrics")?.text();
    assert!(!metrics.contains("given_up_viewers_total{process=\"serve 0\"} 0"), "{metrics}");
    let sequence = witness.frame()?.header.sequence;
    witness.frame_that(|frame| frame.header.sequence > sequence + 3)?;
    Ok(())
}
