//! What a viewer gets, in both modes.

use std::time::Duration;

use anyhow::{Context as _, Result};
use eyelet_area::{Format, FourCc};
use eyelet_harness::wire::websocket::Message;
use eyelet_harness::{DEADLINE, Eyelet};
use serde_json::json;

use crate::support::{Got, SMALL, V1, VGA, VGA_LEN, stamp, start};

/// Silence that tells that frames have stopped: many times their interval.
const SILENCE: Duration = Duration::from_millis(500);

#[test]
fn without_a_subprotocol_each_message_is_one_frame_and_nothing_else_comes() -> Result<()> {
    let eyelet = start(VGA, &[])?;
    let mut viewer = eyelet.websocket("/-/ws", &[], &[])?;
    assert_eq!(viewer.protocol(), None);
    let format = Format::packed(FourCc::YUYV, 640, 480);
    let mut last = 0;
    for _ in 0..60 {
        let message = viewer.next_message(DEADLINE)?.context("no frame")?;
        let Message::Binary(frame) = message else { anyhow::bail!("came {message:?}") };
        assert_eq!(frame.len(), VGA_LEN);
        let stamp = stamp(&frame, &format)?;
        assert!(stamp > last, "{stamp} after {last}");
        last = stamp;
    }
    Ok(())
}

#[test]
fn with_eyelet_v1_every_frame_carries_its_header() -> Result<()> {
    let eyelet = start(VGA, &[])?;
    let mut viewer = V1::connect(&eyelet)?;
    assert_eq!(viewer.hello["streams"][0]["state"], "live");
    // Nothing comes before it is asked for.
    assert!(viewer.next(SILENCE)?.is_none());
    viewer.start(json!({}))?;
    assert!(matches!(viewer.next(DEADLINE)?, Some(Got::Text(text)) if text["t"] == "config"));
    let first = viewer.frame()?.header;
    assert_eq!((first.dropped, first.flags.discontinuity), (0, false));
    let mut last = first;
    for _ in 0..60 {
        let shown = viewer.frame()?;
        let header = shown.header;
        // The first capture process counts as its picture does.
        assert_eq!(header.sequence, shown.stamp);
        assert!(header.flags.key);
        let gap = header.sequence - last.sequence - 1;
        assert_eq!(u64::from(header.dropped - last.dropped), gap, "{header:?} after {last:?}");
        assert_eq!(header.flags.discontinuity, gap > 0);
        assert!(header.captured_us > last.captured_us && header.sent_us > last.sent_us);
        assert!(header.sent_us >= header.captured_us);
        last = header;
    }
    let config = viewer.config()?;
    assert_eq!((&config["stream"], &config["fourcc"]), (&json!(0), &json!("YUYV")));
    Ok(())
}

#[test]
fn a_window_that_is_full_stops_the_frames_until_an_ack() -> Result<()> {
    let eyelet = start(SMALL, &[])?;
    let mut viewer = V1::connect(&eyelet)?;
    viewer.start(json!({"window": 2}))?;
    let first = viewer.frame()?.header;
    let second = viewer.frame()?.header;
    assert!(viewer.next(SILENCE)?.is_none());
    // What was not sent, and what is acknowledged already, changes nothing.
    viewer.say(&json!({"t": "ack", "seq": first.sequence - 1}))?;
    assert!(viewer.next(SILENCE)?.is_none());
    viewer.say(&json!({"t": "ack", "seq": first.sequence}))?;
    let third = viewer.frame()?.header;
    let gap = third.sequence - second.sequence - 1;
    assert!(gap > 5, "{third:?} is not the newest after {second:?}");
    assert_eq!(u64::from(third.dropped - second.dropped), gap);
    assert!(third.flags.discontinuity);
    assert!(viewer.next(SILENCE)?.is_none());
    // Acknowledgements are cumulative: this one makes room for two.
    viewer.say(&json!({"t": "ack", "seq": third.sequence}))?;
    viewer.frame()?;
    viewer.frame()?;
    assert!(viewer.next(SILENCE)?.is_none());
    Ok(())
}

#[test]
fn a_window_with_prompt_acks_has_the_full_rate() -> Result<()> {
    let eyelet = start(SMALL, &[])?;
    let mut viewer = V1::connect(&eyelet)?;
    viewer.start(json!({"window": 2}))?;
    let first = viewer.frame()?.header;
    let mut header = first;
    for _ in 0..60 {
        viewer.say(&json!({"t": "ack", "seq": header.sequence}))?;
        header = viewer.frame()?.header;
    }
    assert!(header.sequence - first.sequence <= 62, "{header:?} after {first:?}");
    Ok(())
}

#[test]
fn frames_stop_at_pause_and_go_on_at_play_with_the_newest() -> Result<()> {
    let eyelet = start("test:64x48@10", &[])?;
    // While nobody follows, frames have no numbers: somebody goes on.
    let _other = V1::watch(&eyelet)?;
    let mut viewer = V1::watch(&eyelet)?;
    viewer.frame()?;
    // Pauses shorter than a frame as well: none is sent twice, which the viewer checks.
    for _ in 0..5 {
        viewer.say(&json!({"t": "pause"}))?;
        viewer.say(&json!({"t": "play"}))?;
        viewer.frame()?;
    }
    let mut last = viewer.frame()?.header;
    viewer.say(&json!({"t": "pause"}))?;
    while let Some(got) = viewer.next(SILENCE)? {
        if let Got::Frame(frame) = got {
            last = frame.header;
        }
    }
    viewer.say(&json!({"t": "pause"}))?;
    viewer.say(&json!({"t": "ping", "c": 7}))?;
    assert_eq!(viewer.text("pong")?["c"], 7.0);
    viewer.say(&json!({"t": "play"}))?;
    let next = viewer.frame()?.header;
    assert!(next.sequence > last.sequence + 3, "{next:?} after {last:?}");
    assert!(next.captured_us > last.captured_us + 300_000, "{next:?} is not the newest");
    // The header counts what this viewer did not get since its start.
    let gap = next.sequence - last.sequence - 1;
    assert_eq!(u64::from(next.dropped - last.dropped), gap, "{next:?} after {last:?}");
    Ok(())
}

#[test]
fn maxfps_leaves_frames_out() -> Result<()> {
    let eyelet = start("test:64x48@60", &[])?;
    let mut viewer = V1::connect(&eyelet)?;
    viewer.start(json!({"maxfps": 5}))?;
    let first = viewer.frame()?.header;
    let mut last = first;
    for _ in 0..10 {
        let header = viewer.frame()?.header;
        assert_eq!(u64::from(header.dropped - last.dropped), header.sequence - last.sequence - 1);
        last = header;
    }
    let interval_us = (last.sent_us - first.sent_us) / 10;
    assert!(interval_us >= 195_000, "a frame every {interval_us} µs");
    assert!(last.sequence - first.sequence >= 100, "{last:?} after {first:?}");
    Ok(())
}

#[test]
fn a_start_that_cannot_be_met_is_told_and_another_may_follow() -> Result<()> {
    let eyelet = start(SMALL, &[])?;
    let mut viewer = V1::connect(&eyelet)?;
    viewer.start(json!({"stream": 7}))?;
    assert_eq!(viewer.text("error")?["code"], "no_stream");
    assert!(viewer.next(SILENCE)?.is_none());
    viewer.start(json!({"formats": ["h264", "nv12"]}))?;
    assert_eq!(viewer.text("error")?["code"], "no_format");
    assert!(viewer.next(SILENCE)?.is_none());
    viewer.start(json!({"formats": ["h264", "something new", "yuyv"]}))?;
    viewer.frame()?;
    Ok(())
}

#[test]
fn a_further_start_replaces_the_one_before() -> Result<()> {
    let eyelet = start(SMALL, &[])?;
    let mut viewer = V1::connect(&eyelet)?;
    viewer.start(json!({"window": 1}))?;
    viewer.frame()?;
    let before = viewer.config()?["id"].clone();
    assert!(viewer.next(SILENCE)?.is_none());
    // Without `window` no acknowledgement is expected any more.
    viewer.start(json!({}))?;
    let first = viewer.frame()?.header;
    assert_eq!(first.dropped, 0);
    assert_ne!(viewer.config()?["id"], before);
    for _ in 0..10 {
        viewer.frame()?;
    }
    Ok(())
}

#[test]
fn the_server_tells_its_clock_which_is_that_of_the_frames() -> Result<()> {
    let eyelet = start(SMALL, &[])?;
    let mut viewer = V1::watch(&eyelet)?;
    let before = viewer.frame()?.header;
    viewer.say(&json!({"t": "ping", "c": 81_234_567.25}))?;
    let pong = viewer.text("pong")?;
    let after = viewer.frame()?.header;
    assert_eq!(pong["c"], 81_234_567.25);
    let clock = pong["s"].as_u64().context("no clock")?;
    assert!(before.captured_us < clock && clock <= after.sent_us, "{before:?} {pong} {after:?}");
    Ok(())
}

fn two_cameras() -> Result<Eyelet> {
    let eyelet = start("front=test:64x48@30", &["--source", "back=test:128x64@30?format=NV12"])?;
    eyelet.wait_line(|line| line.contains("sharedarea 1 created"))?;
    Ok(eyelet)
}

#[test]
fn two_cameras_are_two_streams_with_their_names() -> Result<()> {
    let eyelet = two_cameras()?;
    let mut viewer = V1::connect(&eyelet)?;
    let streams = viewer.hello["streams"].as_array().context("no streams")?;
    let named: Vec<_> =
        streams.iter().map(|one| (one["id"].clone(), one["name"].clone())).collect();
    let expected = [(0, "front"), (1, "back"), (2, "front-jpeg"), (3, "back-jpeg")];
    let expected = expected.map(|(id, name)| (json!(id), json!(name)));
    assert!(named.iter().eq(expected.iter()), "{named:?}");
    for (stream, width) in [(1, 128), (0, 64), (1, 128)] {
        viewer.start(json!({"stream": stream}))?;
        while viewer.text("config")?["stream"] != stream {}
        viewer.frame()?;
        assert_eq!(viewer.config()?["width"], width);
        viewer.say(&json!({"t": "stop", "stream": stream}))?;
    }
    viewer.start(json!({"stream": 1}))?;
    viewer.frame()?;
    let status = eyelet.status()?;
    assert_eq!(status["sources"][1]["name"], "back");
    assert_eq!(status["sources"][1]["format"]["fourcc"], "NV12");
    assert_eq!(
        (&status["sources"][0]["viewers"], &status["sources"][1]["viewers"]),
        (&json!(0), &json!(1))
    );
    Ok(())
}

#[test]
fn in_bare_mode_the_address_says_which_stream() -> Result<()> {
    let eyelet = two_cameras()?;
    for (path, len) in [
        ("/-/ws", 64 * 48 * 2),
        ("/-/ws?stream=0", 64 * 48 * 2),
        ("/-/ws?stream=1", 128 * 64 * 3 / 2),
    ] {
        let frame = eyelet.websocket(path, &[], &[])?.next_binary()?;
        assert_eq!(frame.len(), len, "{path}");
    }
    Ok(())
}

#[test]
fn every_raw_format_comes_through_whole() -> Result<()> {
    for (format, name) in [("UYVY", "uyvy"), ("NV12", "nv12"), ("GREY", "grey"), ("RGB24", "rgb24")]
    {
        let eyelet = start(&format!("test:80x50@30?format={format}"), &[])?;
        let mut viewer = V1::watch(&eyelet)?;
        for _ in 0..5 {
            viewer.frame().with_context(|| name.to_owned())?;
        }
        assert_eq!(viewer.config()?["format"], name);
    }
    Ok(())
}

#[test]
fn the_first_viewer_after_a_pause_gets_a_fresh_picture() -> Result<()> {
    let eyelet = start("test:64x48@60", &[])?;
    let mut newest = 0;
    for _ in 0..40 {
        let mut viewer = V1::watch(&eyelet)?;
        let first = viewer.frame()?;
        // What came before the last viewer left would be older than what it had last.
        assert!(first.header.sequence >= newest, "{first:?} after {newest}");
        let age_us = first.header.sent_us - first.header.captured_us;
        assert!(age_us < 1_000_000, "the first picture is {age_us} µs old");
        newest = viewer.frame()?.header.sequence;
    }
    Ok(())
}
