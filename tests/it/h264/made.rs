//! Streams of H.264 that are made here.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use eyelet::stamp::Layout;
use eyelet_area::{Format, FourCc};
use eyelet_harness::wire::h264;
use eyelet_harness::wire::v1::FrameHeader;
use eyelet_harness::wire::websocket::Message;
use eyelet_harness::{DEADLINE, Eyelet, WsClient};
use openh264::decoder::Decoder;
use openh264::formats::YUVSource as _;
use serde_json::{Value, json};

use super::viewer::Viewer;
use crate::support::{BIN, VGA, run, start};

/// One without key frames but those that are wanted, small enough for any machine.
const ENDLESS: [&str; 2] = ["--stream", "h264?gop=3000"];
const QVGA: &str = "test:320x240@30";
/// Frames of a source of 30 a second in which a key frame comes that was wanted: the half second from one to the next,
/// and some that are on their way.
const SOON: u64 = 15 + 15;
/// Microseconds from one key frame to the next at the least.
const KEY_EVERY_US: u64 = 500_000;

/// An app that gives its clients the stream in two ways.
const SCRIPT: &str = r#"
say() { printf '%s\n' "$1"; read -r answer rest; [ "$answer" = ok ]; }
say handshake
case $PATH_INFO in
/wait) while say 'wait camera-h264 0 0' && say 'send-area camera-h264 0 0 2'; do :; done ;;
/follow) say 'follow camera-h264 2' ;;
esac
echo end
"#;

/// Starts one of these streams.
fn endless() -> Result<Eyelet> {
    start(QVGA, &ENDLESS)
}

fn encoder(eyelet: &Eyelet) -> Result<Value> {
    let status = eyelet.status()?;
    let streams = status["streams"].as_array().context("no streams")?;
    let found = streams.iter().find(|stream| stream["kind"] == "h264");
    found.cloned().with_context(|| format!("{status}"))
}

/// The number in a picture.
fn stamp(decoder: &mut Decoder, access_unit: &[u8]) -> Result<Option<u64>> {
    let picture = decoder.decode(access_unit)?.context("the picture was held back")?;
    let (width, height) = picture.dimensions();
    let luma: Vec<u8> = picture
        .y()
        .chunks(picture.strides().0)
        .take(height)
        .flat_map(|r| r[..width].to_vec())
        .collect();
    let format = Format::packed(FourCc::GREY, u32::try_from(width)?, u32::try_from(height)?);
    Ok(Layout::for_format(&format).context("no room for a stamp")?.read_frame(&luma))
}

#[test]
fn every_frame_can_be_decoded_and_shows_its_number_and_the_rate_is_bounded() -> Result<()> {
    let eyelet = start(VGA, &["--stream", "h264"])?;
    let mut viewer = Viewer::start(&eyelet, &json!({}))?;
    let mut decoder = Decoder::new()?;
    let (mut bytes, mut last, mut first_us, mut last_us) = (0, None, 0, 0);
    for _ in 0..90 {
        let (header, payload) = viewer.frame()?;
        let stamp = stamp(&mut decoder, &payload)?;
        ensure!(stamp.is_some() && stamp > last, "{stamp:?} after {last:?}");
        last = stamp;
        bytes += payload.len() as u64;
        (first_us, last_us) =
            (if first_us == 0 { header.captured_us } else { first_us }, header.captured_us);
    }
    let config = &viewer.config;
    assert_eq!((&config["width"], &config["height"]), (&json!(640), &json!(480)), "{config}");
    assert_eq!((&config["matrix"], &config["range"]), (&json!("bt601"), &json!("limited")));
    let bits = bytes * 8_000_000 / (last_us - first_us);
    assert!(bits < 1_500_000, "{bits} bit/s");
    Ok(())
}

#[test]
fn ten_viewers_cost_one_encoder_and_few_key_frames() -> Result<()> {
    let eyelet = endless()?;
    let mut viewers: Vec<Viewer> =
        (0..10).map(|_| Viewer::start(&eyelet, &json!({}))).collect::<Result<_>>()?;
    let mut firsts = Vec::new();
    for viewer in &mut viewers {
        firsts.push(viewer.frame()?.0);
        viewer.say(&json!({"t": "key"}))?;
    }
    let begin = firsts.iter().map(|header| header.captured_us).min().context("no viewers")?;
    for viewer in &mut viewers {
        viewer.frame_that(|header| header.captured_us > begin + 2 * KEY_EVERY_US)?;
    }
    let told = encoder(&eyelet)?;
    let now = viewers[0].frame()?.0;
    assert_eq!(eyelet.role("encode 1").len(), 1);
    let (published, keys) = (told["published"].as_u64(), told["keys"].as_u64());
    assert!(published <= Some(now.sequence), "{told}, {now:?}");
    // However many have asked: one in half a second, and one at the start.
    let most = (now.captured_us - begin) / KEY_EVERY_US + 2;
    assert!(keys >= Some(1) && keys <= Some(most), "{told}: more than {most}");
    Ok(())
}

#[test]
fn nothing_is_made_while_nobody_watches_and_who_comes_back_gets_a_key_frame() -> Result<()> {
    let eyelet = endless()?;
    assert_eq!(encoder(&eyelet)?["published"], 0);
    Viewer::start(&eyelet, &json!({}))?.frame()?;
    eyelet.wait_until("rest", || {
        let published = || Some(encoder(&eyelet).ok()?["published"].clone());
        let before = published();
        std::thread::sleep(Duration::from_millis(300));
        before == published()
    })?;
    let before = encoder(&eyelet)?["published"].as_u64();
    let (header, _) = Viewer::start(&eyelet, &json!({}))?.frame()?;
    // The first that is made: whatever was there is old.
    assert_eq!(before.map(|before| before + 1), Some(header.sequence));
    Ok(())
}

#[test]
fn who_joins_in_the_middle_or_asks_soon_gets_a_key_frame() -> Result<()> {
    let eyelet = endless()?;
    let mut first = Viewer::start(&eyelet, &json!({}))?;
    for round in 0..3 {
        let (now, _) = first.frame()?;
        let mut second = Viewer::start(&eyelet, &json!({}))?;
        let (begin, _) = second.frame()?;
        assert!(begin.sequence <= now.sequence + SOON, "round {round}: {begin:?} after {now:?}");
        // All get the same key frame.
        first.frame_that(|header| header.sequence >= begin.sequence)?;
        second.say(&json!({"t": "key"}))?;
        // Some are on their way when the server reads that; then there is nothing but a key frame.
        let key = second.frame_that(|header| header.flags.key)?;
        assert!(key.sequence <= begin.sequence + SOON, "round {round}: {key:?} after {begin:?}");
    }
    Ok(())
}

#[test]
fn who_does_not_acknowledge_gets_a_few_more_and_goes_on_with_a_key_frame() -> Result<()> {
    let eyelet = endless()?;
    let mut prompt = Viewer::start(&eyelet, &json!({}))?;
    let mut late = Viewer::start(&eyelet, &json!({"window": 1}))?;
    let (begin, _) = late.frame()?;
    let mut last = begin;
    // The window, and eight that need it.
    for _ in 0..8 {
        last = late.frame()?.0;
    }
    assert_eq!(last.sequence, begin.sequence + 8);
    let now = prompt.frame_that(|header| header.sequence > last.sequence + 40)?;
    late.say(&json!({"t": "ack", "seq": last.sequence}))?;
    let (next, _) = late.frame()?;
    assert!(next.flags.key && next.flags.discontinuity, "{next:?} after {last:?}");
    assert!(next.sequence + 8 >= now.sequence && next.sequence <= now.sequence + SOON, "{next:?}");
    Ok(())
}

/// Takes all that a viewer was sent before it read, up to the first frame that was made afterwards.
fn read_late(viewer: &mut Viewer, now: &FrameHeader) -> Result<(FrameHeader, u64)> {
    let mut queued = 0;
    loop {
        let (header, _) = viewer.frame()?;
        if header.sequence > now.sequence {
            return Ok((header, queued));
        }
        queued += 1;
    }
}

#[test]
fn a_viewer_that_does_not_read_costs_the_others_nothing_and_goes_on_with_a_key_frame() -> Result<()>
{
    let eyelet = start(VGA, &["--stream", "h264?gop=3000&bitrate=3M"])?;
    let ws = WsClient::connect_keeping_little(eyelet.addr(), "/-/ws", &["eyelet.v1"])?;
    let mut silent = Viewer::over(ws, &json!({}))?;
    silent.frame()?;
    let mut prompt = Viewer::start(&eyelet, &json!({}))?;
    let (begin, _) = prompt.frame()?;
    let now = prompt.frame_that(|header| header.sequence > begin.sequence + 150)?;
    // It lost hardly any: what it lost came to an end with a key frame, which its checks are about.
    assert!(now.dropped < 40, "{now:?}");
    let (next, queued) = read_late(&mut silent, &now)?;
    assert!(queued < 75, "{queued} frames were kept for it");
    assert!(next.dropped > 0, "{next:?}");
    Ok(())
}

#[test]
fn who_knows_no_protocol_begins_with_a_key_frame_in_the_middle_too() -> Result<()> {
    let eyelet = endless()?;
    let mut other = Viewer::start(&eyelet, &json!({}))?;
    other.frame_that(|header| header.sequence > 20)?;
    let mut bare = eyelet.websocket("/-/ws?stream=camera-h264", &[], &[])?;
    for number in 0..10 {
        let Some(Message::Binary(frame)) = bare.next_message(DEADLINE)? else { panic!("no frame") };
        assert!(number > 0 || h264::is_key(&frame), "begins with another");
    }
    let begin = Instant::now();
    let frame = eyelet.get("/-/frame?format=h264")?;
    assert!(frame.status == 200 && h264::is_key(&frame.body), "after {:?}", begin.elapsed());
    Ok(())
}

#[test]
fn an_app_that_waits_and_sends_gives_each_frame_from_a_key_frame_on() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let script = folder.path().join("app.sh");
    std::fs::write(&script, SCRIPT)?;
    let app = format!("sh {}", script.display());
    let eyelet = start(QVGA, &["--stream", "h264?gop=3000", "--script", &app, "--processes", "4"])?;
    let mut other = Viewer::start(&eyelet, &json!({}))?;
    other.frame_that(|header| header.sequence > 20)?;
    for path in ["/wait", "/follow"] {
        let mut viewer = eyelet.websocket(path, &[], &[])?;
        let mut decoder = Decoder::new()?;
        let mut last = None;
        for number in 0..30 {
            let frame = viewer.next_binary()?;
            ensure!(number > 0 || h264::is_key(&frame), "{path} begins with another");
            let stamp = stamp(&mut decoder, &frame)?;
            ensure!(stamp.is_some() && stamp > last, "{path}: {stamp:?} after {last:?}");
            last = stamp;
        }
    }
    Ok(())
}

#[test]
fn a_headless_viewer_finds_nothing_that_cannot_be_decoded() -> Result<()> {
    let eyelet = start(QVGA, &["--stream", "h264"])?;
    let url = eyelet.url("/");
    let words = ["watch", &url, "--format", "h264", "--viewers", "3", "--seconds", "2", "--json"];
    let ended = run(&words)?;
    let report: Value = serde_json::from_str(ended.stdout.lines().last().unwrap_or(""))
        .with_context(|| format!("{BIN}: {ended:?}"))?;
    assert_eq!(report["format"], "h264 320x240", "{report}");
    for fault in ["undecodable", "backwards", "without_config", "disconnects"] {
        assert_eq!(report[fault], 0, "{report}");
    }
    assert!(report["frames"].as_u64() > Some(30), "{report}");
    Ok(())
}
