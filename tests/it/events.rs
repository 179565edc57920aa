//! What viewers are told beside their pictures.

use anyhow::{Context as _, Result, ensure};
use eyelet_harness::{DEADLINE, Eyelet, exchange};
use serde_json::{Value, json};

use crate::support::{Got, SMALL, V1, start};

fn put(eyelet: &Eyelet, path: &str, body: &Value) -> Result<Value> {
    let body = body.to_string();
    let answer = exchange(eyelet.addr(), "PUT", path, &[], body.as_bytes())?;
    ensure!(answer.status == 200, "{body}: {}", answer.text());
    answer.json()
}

/// Waits until the viewer is told this count.
fn hears_of_viewers(viewer: &mut V1, count: u64) -> Result<()> {
    let mut told = Vec::new();
    while told.last() != Some(&json!(count)) {
        let text = viewer.text("viewers").with_context(|| format!("told of {told:?}"))?;
        told.push(text["count"].clone());
    }
    Ok(())
}

#[test]
fn every_client_is_told_which_controls_changed() -> Result<()> {
    let more = ["--source", SMALL, "--serve-processes", "2"];
    let eyelet = start(SMALL, &more)?;
    let mut watching = V1::watch(&eyelet)?;
    watching.frame()?;
    // One that has started nothing, and one that looks away.
    let mut idle = V1::connect(&eyelet)?;
    let mut paused = V1::watch(&eyelet)?;
    paused.frame()?;
    paused.say(&json!({"t": "pause"}))?;
    put(&eyelet, "/-/api/controls?stream=1", &json!({"brightness": 7, "pattern": "Grey"}))?;
    for viewer in [&mut watching, &mut idle, &mut paused] {
        let told = viewer.text("controls")?;
        assert_eq!(told["stream"], 1);
        let controls = told["controls"].as_array().context("no controls")?;
        let ids: Vec<&str> = controls.iter().filter_map(|c| c["id"].as_str()).collect();
        // One of them has become inactive.
        assert_eq!(ids, ["brightness", "pattern", "saturation"]);
        assert_eq!((&controls[0]["value"], &controls[2]["inactive"]), (&json!(7), &json!(true)));
    }
    // What stays as it is is no news.
    put(&eyelet, "/-/api/controls?stream=1", &json!({"brightness": 7}))?;
    put(&eyelet, "/-/api/controls", &json!({"brightness": 8}))?;
    let told = idle.text("controls")?;
    assert_eq!((&told["stream"], &told["controls"][0]["value"]), (&json!(0), &json!(8)));
    Ok(())
}

#[test]
fn a_client_that_does_not_read_is_told_the_newest() -> Result<()> {
    let eyelet = start("test:640x480@30", &[])?;
    let mut viewer = V1::watch(&eyelet)?;
    viewer.frame()?;
    for brightness in -60..=60 {
        put(&eyelet, "/-/api/controls", &json!({"brightness": brightness}))?;
    }
    let mut told = Value::Null;
    let mut times = 0;
    while told != json!(60) {
        told = viewer.text("controls")?["controls"][0]["value"].take();
        times += 1;
    }
    assert!(times <= 121, "told {times} times");
    viewer.frame().map(drop)
}

#[test]
fn viewers_are_counted_over_all_processes() -> Result<()> {
    let eyelet = start(SMALL, &["--serve-processes", "2"])?;
    let mut first = V1::watch(&eyelet)?;
    hears_of_viewers(&mut first, 1)?;
    // Two streams of one client are one viewer.
    let mut second = eyelet.websocket("/-/ws", &["eyelet.v1"], &[])?;
    second.send_text(r#"{"t":"start"}"#)?;
    second.send_text(r#"{"t":"start","stream":1}"#)?;
    let mut bare = eyelet.websocket("/-/ws", &[], &[])?;
    bare.next_binary()?;
    let head = exchange(eyelet.addr(), "HEAD", "/-/stream.mjpg", &[], &[])?;
    assert_eq!(head.status, 200);
    hears_of_viewers(&mut first, 3)?;
    while second.next_text()? != r#"{"t":"viewers","count":3}"# {}
    // Who looks away does not watch, and is told all the same.
    first.say(&json!({"t": "pause"}))?;
    hears_of_viewers(&mut first, 2)?;
    drop(bare);
    hears_of_viewers(&mut first, 1)?;
    // Who comes later is told at once.
    hears_of_viewers(&mut V1::connect(&eyelet)?, 1)?;
    drop(second);
    hears_of_viewers(&mut first, 0)
}

#[test]
fn a_serve_process_that_ended_takes_its_viewers_with_it() -> Result<()> {
    let eyelet = start(SMALL, &[])?;
    let mut viewer = V1::watch(&eyelet)?;
    hears_of_viewers(&mut viewer, 1)?;
    eyelet.kill_role("serve")?;
    let mut next = None;
    eyelet.wait_until("another serve process", || {
        next = V1::connect(&eyelet).ok();
        next.is_some()
    })?;
    let mut next = next.context("nobody serves")?;
    next.say(&json!({"t": "start"}))?;
    hears_of_viewers(&mut next, 1)?;
    while let Some(got) = next.next(DEADLINE)? {
        if matches!(got, Got::Frame(_)) {
            break;
        }
    }
    Ok(())
}
