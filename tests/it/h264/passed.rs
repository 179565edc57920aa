//! Streams that come as H.264.

use std::io::{Read as _, Write as _};

use anyhow::Result;
use bytes::BytesMut;
use eyelet_harness::DEADLINE;
use eyelet_harness::wire::h264;
use eyelet_harness::wire::websocket::Message;
use serde_json::json;

use super::viewer::Viewer;
use crate::support::{read_head, start};

/// Six pictures of 34 x 18 pixels, each third a key frame; untagged, over and over.
const X264: &str = concat!(
    "file:",
    env!("CARGO_MANIFEST_DIR"),
    "/../wire/testdata/x264_34x18_baseline.h264?fps=30"
);

#[test]
fn a_camera_of_h264_passes_as_it_is_and_says_what_it_is() -> Result<()> {
    let eyelet = start(X264, &[])?;
    let mut viewer = Viewer::start(&eyelet, &json!({"window": 2}))?;
    for _ in 0..60 {
        let (header, _) = viewer.frame()?;
        viewer.say(&json!({"t": "ack", "seq": header.sequence}))?;
    }
    let config = &viewer.config;
    assert_eq!((&config["width"], &config["height"]), (&json!(34), &json!(18)), "{config}");
    assert_eq!((&config["matrix"], &config["range"]), (&json!("bt601"), &json!("limited")));
    assert_eq!(config["codec"], "avc1.42C00D");
    // Nobody can ask the camera for a key frame: there is nothing before its next one.
    viewer.say(&json!({"t": "stop"}))?;
    viewer = Viewer::start(&eyelet, &json!({}))?;
    let (first, _) = viewer.frame()?;
    viewer.say(&json!({"t": "key"}))?;
    let key = viewer.frame_that(|header| header.flags.discontinuity || header.flags.key)?;
    assert!(key.flags.key && key.sequence > first.sequence, "{key:?} after {first:?}");
    // Nothing can be made of it here, and whoever asks is told.
    let answer = eyelet.get("/-/snapshot.jpg")?;
    assert_eq!(answer.status, 503, "{answer:?}");
    assert!(answer.text().contains("H264"), "{answer:?}");
    Ok(())
}

#[test]
fn who_knows_no_protocol_begins_with_a_key_frame_too() -> Result<()> {
    let eyelet = start(X264, &[])?;
    let _other = Viewer::start(&eyelet, &json!({}))?.frame()?;
    let mut bare = eyelet.websocket("/-/ws", &[], &[])?;
    let Some(Message::Binary(first)) = bare.next_message(DEADLINE)? else { panic!("no frame") };
    assert!(h264::is_key(&first));
    let frame = eyelet.get("/-/frame")?;
    assert!(frame.status == 200 && h264::is_key(&frame.body), "{}", frame.status);

    let mut stream = eyelet.raw()?;
    stream.write_all(b"GET /-/stream.h264 HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
    let head = read_head(&mut stream)?;
    assert!(head.contains("Content-Type: video/h264\r\n"), "{head}");
    let mut splitter = h264::Splitter::new(1 << 20);
    let (mut input, mut part, mut keys) = (BytesMut::new(), [0; 4096], Vec::new());
    while keys.len() < 7 {
        let count = stream.read(&mut part)?;
        assert!(count > 0, "it has ended");
        input.extend_from_slice(&part[..count]);
        while let Some(unit) = splitter.next_access_unit(&mut input) {
            keys.push(h264::is_key(&unit));
        }
    }
    assert_eq!(splitter.skipped(), 0);
    assert!(keys[0] && keys[3] && !keys[1], "{keys:?}");
    Ok(())
}
