//! Streams that are made from a camera's, as other programs see them: by their areas.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use eyelet_area::{Event, Format, FourCc, Frame, GENERATION_SHIFT, MonotonicNs, State, Subscriber};
use eyelet_harness::{BARS, DEADLINE, Eyelet};
use libjpeg_turbo_rs::{Encoder, PixelFormat};
use serde_json::{Value, json};

use crate::support::{SMALL, VGA, start};

/// Long enough for an encoder to have put everything down.
const A_WHILE: Duration = Duration::from_secs(1);

/// A program on the same machine that reads an area, and comes again when its owner has gone.
#[derive(Debug)]
struct Reader {
    path: PathBuf,
    subscriber: Subscriber,
    states: Vec<State>,
}

impl Reader {
    fn connect(eyelet: &Eyelet, area: &str) -> Result<Self> {
        let path = eyelet.folder().join("run").join(area);
        let subscriber = Subscriber::connect(&path)?;
        Ok(Self { path, subscriber, states: Vec::new() })
    }

    /// Wants a frame and waits for it.
    fn frame(&mut self) -> Result<Frame> {
        self.subscriber.grant(1)?;
        let begin = Instant::now();
        while let Some(left) = DEADLINE.checked_sub(begin.elapsed()) {
            match self.subscriber.receive(left)? {
                Some(Event::Frame { frame, .. }) => return Ok(frame),
                Some(Event::State(state)) => self.states.push(state),
                Some(Event::Closed) => {
                    self.subscriber = Subscriber::connect(&self.path)?;
                    self.subscriber.grant(1)?;
                }
                None | Some(Event::Answer(_)) => break,
            }
        }
        bail!("no frame in {}", self.path.display())
    }
}

/// The RGB pixels of a JPEG, and its size.
fn decode(bytes: &[u8]) -> Result<(usize, usize, Vec<u8>)> {
    let picture = libjpeg_turbo_rs::decompress_to(bytes, PixelFormat::Rgb)?;
    Ok((picture.width, picture.height, picture.data))
}

/// Looks at the middle of each bar.
fn shows_bars(pixels: &[u8], width: usize, height: usize, bytes_per_pixel: usize) -> Result<()> {
    // In the upper part; each eighth row begins with a stamp.
    let row = &pixels[(height / 3 / 8 * 8 + 3) * width * bytes_per_pixel..];
    for (at, bar) in BARS.iter().enumerate() {
        let pixel = &row[(2 * at + 1) * width / 16 * bytes_per_pixel..][..3];
        let is_near = pixel.iter().zip(bar).all(|(is, shall)| is.abs_diff(*shall) < 40);
        ensure!(is_near, "bar {at} is {pixel:?} and not {bar:?}");
    }
    Ok(())
}

fn stream(status: &Value, name: &str) -> Result<Value> {
    let all = status["streams"].as_array().context("no streams")?;
    let found = all.iter().find(|stream| stream["name"] == name).cloned();
    found.with_context(|| format!("no {name} in {status}"))
}

/// Nanoseconds that a role has run. Source: "Scheduler Statistics", Linux kernel documentation.
fn run_ns(eyelet: &Eyelet, role: &str) -> Result<u64> {
    let pid = eyelet.role(role).pop().context("it has ended")?.pid;
    let text = std::fs::read_to_string(format!("/proc/{pid}/schedstat"))?;
    Ok(text.split(' ').next().context("nothing")?.parse()?)
}

#[test]
fn a_jpeg_comes_when_it_is_asked_for_and_shows_the_picture() -> Result<()> {
    let eyelet = start(VGA, &[])?;
    let mut reader = Reader::connect(&eyelet, "1-camera-jpeg")?;
    let asked = Instant::now();
    let frame = reader.frame()?;
    // Two intervals, and much for a machine that does other things as well.
    assert!(asked.elapsed() < Duration::from_millis(67 + 3000), "{:?}", asked.elapsed());
    let info = *frame.info();
    assert_eq!(info.format, Format::packed(FourCc::MJPEG, 640, 480));
    assert_eq!((info.interval.as_millis(), info.flags.is_key), (33, true));
    let (width, height, pixels) = decode(frame.bytes()?)?;
    assert_eq!((width, height), (640, 480));
    shows_bars(&pixels, width, height, 3)?;
    assert_eq!(reader.states.last(), Some(&State::Live));
    let second = reader.frame()?;
    assert!(second.info().sequence > info.sequence);
    assert!(second.info().captured_at > info.captured_at);
    Ok(())
}

#[test]
fn what_nobody_wants_costs_nothing_and_who_comes_back_sees_no_old_picture() -> Result<()> {
    let eyelet = start("test:640x480@10", &[])?;
    let mut reader = Reader::connect(&eyelet, "1-camera-jpeg")?;
    reader.frame()?;
    let last = *reader.frame()?.info();
    drop(reader);
    std::thread::sleep(A_WHILE);
    let published = stream(&eyelet.status()?, "camera-jpeg")?["published"].clone();
    // Somebody who only listens for the state wants nothing.
    let mut idle = Reader::connect(&eyelet, "1-camera-jpeg")?;
    let before = run_ns(&eyelet, "encode 1")?;
    std::thread::sleep(2 * A_WHILE);
    let ran = run_ns(&eyelet, "encode 1")? - before;
    assert!(ran < 10_000_000, "ran for {ran} ns in 2 s");
    assert_eq!(stream(&eyelet.status()?, "camera-jpeg")?["published"], published);

    let frame = idle.frame()?;
    let age = MonotonicNs::now().0 - frame.info().captured_at.0;
    assert!(age < 300_000_000, "{age} ns old");
    assert!(frame.info().sequence > last.sequence);
    // The source is asked for the newest at once, and not for the one after it.
    let now = stream(&eyelet.status()?, "camera-jpeg")?;
    assert_eq!((&now["skipped"], &now["corrupt"]), (&json!(0), &json!(0)), "{now}");
    Ok(())
}

#[test]
fn an_encoder_that_is_killed_comes_back_and_counts_on() -> Result<()> {
    let eyelet = start(SMALL, &[])?;
    let mut reader = Reader::connect(&eyelet, "1-camera-jpeg")?;
    let first = reader.frame()?.info().sequence;
    assert_eq!(first >> GENERATION_SHIFT, 0);
    eyelet.kill_role("encode 1")?;
    let next = reader.frame()?.info().sequence;
    assert_eq!(next >> GENERATION_SHIFT, 1, "{next}");
    // Nobody else was disturbed.
    assert_eq!(Reader::connect(&eyelet, "0-camera")?.frame()?.info().sequence >> 40, 0);
    Ok(())
}

#[test]
fn a_stream_says_what_its_source_says() -> Result<()> {
    let eyelet = start(SMALL, &[])?;
    let mut reader = Reader::connect(&eyelet, "1-camera-jpeg")?;
    let first = *reader.frame()?.info();
    eyelet.kill_role("capture")?;
    // A frame may be on its way still; then there is none, and then one of the next process.
    let is_away = |state: &State| !state.why().is_empty();
    while !reader.states.iter().any(is_away) {
        reader.frame()?;
    }
    assert_eq!(reader.states.last(), Some(&State::Live), "{reader:?}");
    let next = *reader.frame()?.info();
    assert!(next.sequence > first.sequence && next.sequence >> GENERATION_SHIFT == 0);
    Ok(())
}

/// A grey picture of 64 x 48.
fn grey_jpeg(luma: u8) -> Result<Vec<u8>> {
    let pixels = [luma; 64 * 48];
    Ok(Encoder::new(&pixels, 64, 48, PixelFormat::Grayscale).quality(90).encode()?)
}

/// One that looks whole and cannot be decoded: it names a quantization table that it does not have.
fn damaged_jpeg() -> Result<Vec<u8>> {
    let mut bytes = grey_jpeg(70)?;
    let frame = bytes.windows(2).position(|at| at == [0xff, 0xc0]).context("no frame header")?;
    // Marker, length, precision, height, width, count; then number, sampling and table. ITU-T T.81 B.2.2.
    bytes[frame + 12] = 3;
    Ok(bytes)
}

#[test]
fn a_damaged_picture_is_counted_and_passed_over() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let clip = folder.path().join("clip.mjpeg");
    std::fs::write(&clip, [grey_jpeg(50)?, damaged_jpeg()?, grey_jpeg(90)?].concat())?;
    let eyelet = start(&format!("file:{}?fps=30", clip.display()), &["--stream", "rgba"])?;
    let mut reader = Reader::connect(&eyelet, "1-camera-rgba")?;
    for _ in 0..10 {
        let luma = reader.frame()?.bytes()?[0];
        assert!(luma.abs_diff(50) < 3 || luma.abs_diff(90) < 3, "{luma}");
    }
    assert!(reader.states.iter().all(|state| state.why().is_empty()), "{reader:?}");
    let told = stream(&eyelet.status()?, "camera-rgba")?;
    assert!(told["corrupt"].as_u64() >= Some(2), "{told}");
    assert_eq!(told["state"], "live", "{told}");
    Ok(())
}

#[test]
fn a_camera_that_gives_nothing_but_damage_has_no_signal_and_says_why() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let clip = folder.path().join("clip.mjpeg");
    std::fs::write(&clip, damaged_jpeg()?)?;
    let eyelet = start(&format!("file:{}?fps=30", clip.display()), &["--stream", "rgba"])?;
    let mut reader = Reader::connect(&eyelet, "1-camera-rgba")?;
    reader.subscriber.grant(1)?;
    while reader.states.iter().all(|state| state.why().is_empty()) {
        match reader.subscriber.receive(DEADLINE)?.context("nothing")? {
            Event::State(state) => reader.states.push(state),
            other => bail!("came {other:?}"),
        }
    }
    let why = reader.states.last().map(State::why).unwrap_or_default();
    assert!(why.contains("JPEG is damaged"), "{why}");
    let told = stream(&eyelet.status()?, "camera-rgba")?;
    assert_eq!((&told["state"], &told["why"]), (&json!("no_signal"), &json!(why)), "{told}");
    Ok(())
}

#[test]
fn pictures_of_a_jpeg_camera_pass_as_they_are() -> Result<()> {
    let pictures = [20, 120, 220].map(grey_jpeg);
    let pictures: Vec<Vec<u8>> = pictures.into_iter().collect::<Result<_>>()?;
    let folder = tempfile::tempdir()?;
    let clip = folder.path().join("clip.mjpeg");
    std::fs::write(&clip, pictures.concat())?;
    let streams = ["--stream", "rgba", "--stream", "jpeg?width=32"];
    let eyelet = start(&format!("file:{}?fps=20", clip.display()), &streams)?;
    let mut reader = Reader::connect(&eyelet, "3-camera-jpeg")?;
    let mut seen = [false; 3];
    while seen != [true; 3] {
        let frame = reader.frame()?;
        let bytes = frame.bytes()?;
        let which = pictures.iter().position(|picture| picture == bytes);
        seen[which.context("not as it was")?] = true;
        assert_eq!((frame.info().format.width, frame.info().format.fourcc), (64, FourCc::MJPEG));
    }
    // For all else they are decoded.
    let rgba = Reader::connect(&eyelet, "1-camera-rgba")?.frame()?;
    let first = &rgba.bytes()?[..4];
    assert!(first[0].abs_diff(first[1]) < 3 && first[3] == 255, "{first:?}");
    let small = Reader::connect(&eyelet, "2-camera-jpeg-32")?.frame()?;
    let (width, height, _) = decode(small.bytes()?)?;
    assert_eq!((width, height), (32, 24));
    Ok(())
}

#[test]
fn streams_have_their_ids_names_and_sizes() -> Result<()> {
    let words = ["--source", "back=test:64x48@30", "--stream", "rgba"];
    let more = ["--stream", "small=jpeg:front?width=320&quality=60"];
    let eyelet = start("front=test:640x480@30?format=NV12", &[&words[..], &more].concat())?;
    let rgba = Reader::connect(&eyelet, "2-front-rgba")?.frame()?;
    let format = rgba.info().format;
    assert_eq!((format.width, format.height, format.stride), (640, 480, 2560));
    assert_eq!(format.fourcc, FourCc(*b"AB24"));
    assert_eq!(rgba.bytes()?.len(), 640 * 480 * 4);
    shows_bars(rgba.bytes()?, 640, 480, 4)?;
    let small = Reader::connect(&eyelet, "3-small")?.frame()?;
    let (width, height, pixels) = decode(small.bytes()?)?;
    assert_eq!((width, height), (320, 240));
    shows_bars(&pixels, width, height, 3)?;
    for area in ["4-front-jpeg", "5-back-jpeg"] {
        Reader::connect(&eyelet, area)?.frame()?;
    }

    let status = eyelet.status()?;
    let streams = status["streams"].as_array().context("no streams")?;
    let told: Vec<Value> =
        streams.iter().map(|s| json!([s["id"], s["name"], s["of"], s["kind"]])).collect();
    let expected = json!([
        [2, "front-rgba", 0, "rgba"],
        [3, "small", 0, "jpeg"],
        [4, "front-jpeg", 0, "jpeg"],
        [5, "back-jpeg", 1, "jpeg"],
    ]);
    assert_eq!(json!(told), expected);
    let small = stream(&status, "small")?;
    assert_eq!((&small["state"], &small["format"]["width"]), (&json!("live"), &json!(320)));
    assert!(small["published"].as_u64() >= Some(1) && small["encode_us"].as_u64() >= Some(1));
    assert_eq!(status["sources"].as_array().map(Vec::len), Some(2));
    Ok(())
}

#[test]
fn an_encoder_that_is_too_slow_leaves_frames_out_and_is_not_late() -> Result<()> {
    /// For what the machine does besides.
    const SLACK_NS: u64 = 250_000_000;
    // More than either build makes in time, and no more: other tests run beside this one.
    let source = if cfg!(debug_assertions) { "test:1280x720@60" } else { "test:3840x2160@60" };
    let eyelet = start(source, &[])?;
    let mut reader = Reader::connect(&eyelet, "1-camera-jpeg")?;
    // With credit for the next one while this one is made, there is demand all the time.
    reader.subscriber.grant(1)?;
    let mut last = *reader.frame()?.info();
    for _ in 0..5 {
        let info = *reader.frame()?.info();
        let interval = u64::try_from(info.interval.as_nanos())?;
        let made_in = info.published_at.0 - last.published_at.0;
        let latency = info.published_at.0 - info.captured_at.0;
        assert!(latency < made_in + interval + SLACK_NS, "{info:?} after {last:?}");
        last = info;
    }
    // It answers between two frames, which may take longer than a question waits.
    drop(reader);
    let mut told = Value::Null;
    eyelet.wait_until("count of frames left out", || {
        let now = eyelet.status().and_then(|status| stream(&status, "camera-jpeg"));
        told = now.unwrap_or_default();
        told["skipped"].is_u64()
    })?;
    assert!(told["skipped"].as_u64() >= Some(1), "{told}");
    Ok(())
}
