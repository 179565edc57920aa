//! Cameras and drivers that fail: Eyelet counts, says so, and goes on.

use anyhow::{Context as _, Result, ensure};

use super::camera::Camera;
use super::server::{OPENED, Server, Source};
use super::viewer::{UNSTAMPED, Viewer, watch};
use super::{EYELET, Scenario};
use crate::vm::guest::Guest;

/// So many frames more show that a stream goes on.
const SOME: u64 = 15;
/// A small picture, where it does not matter how many bytes get through.
const SMALL: &str = "v4l2:/dev/video0?format=GREY&size=320x180";

pub(crate) const SCENARIOS: &[Scenario] = &[
    Scenario::new(
        EYELET,
        "eyelet/damaged",
        "half pictures and broken frames are counted, not sent",
        damaged,
    ),
    Scenario::new(
        EYELET,
        "eyelet/injected",
        "calls that fail, buffers that are damaged or dropped",
        injected,
    ),
    Scenario::new(EYELET, "eyelet/stalled", "a camera that stops sending is opened again", stalled),
    Scenario::new(EYELET, "eyelet/signal", "another signal at an HDMI input, and none", signal),
];

fn damaged(guest: &mut Guest) -> Result<String> {
    let mut notes = Vec::new();
    // The driver passes half an MJPEG picture on: Eyelet has to see that itself.
    let node = Camera::usb(guest, 0, "--trunc-every 3")?.node;
    let server = Server::with_sources(guest, &[&format!("v4l2:{node}?format=MJPG")])?;
    server.wait_live(guest, 0, SOME)?;
    let report = watch(guest, 3, &[])?;
    report.expect_sound()?;
    let source = server.wait(guest, 0, "counting", |source| source.count("corrupt") >= 5)?;
    let (whole, half) = (source.count("published"), source.count("corrupt"));
    ensure!((whole * 3 / 10..=whole * 7 / 10).contains(&half), "every third is cut: {source}");
    notes.push(format!("cut: {whole} sent, {half} counted"));
    server.stop(guest)?;

    // The driver itself drops these, and leaves gaps in its count.
    let node = Camera::usb(guest, 1, "--err-every 3")?.node;
    let server = Server::with_sources(guest, &[&format!("v4l2:{node}?format=YUYV")])?;
    let source = server.wait(guest, 0, "counting", |source| source.count("dropped") >= 5)?;
    ensure!(source.is_live(), "no signal: {source}");
    let report = watch(guest, 3, &["--verify", "always"])?;
    report.expect_sound()?;
    server.expect_unbroken(guest)?;
    notes.push(format!(
        "error bit: {} sent, {} counted as dropped",
        source.count("captured"),
        source.count("dropped")
    ));
    Ok(notes.join("; "))
}

/// Sets controls of the test camera, for faults among other things.
fn control(guest: &mut Guest, settings: &str) -> Result<()> {
    guest.run(&format!("v4l2-ctl -d /dev/video0 -c {settings}")).map(drop)
}

fn injected(guest: &mut Guest) -> Result<String> {
    Camera::vivid(guest)?;
    let server = Server::with_sources(guest, &[SMALL])?;
    let viewer = Viewer::start(guest, UNSTAMPED)?;
    server.wait_live(guest, 0, SOME)?;

    // The stream goes on.
    control(guest, "inject_v4l2_buf_flag_error=1")?;
    server.wait(guest, 0, "counting a damaged frame", |source| source.count("corrupt") >= 1)?;
    let dropped = server.wait_live(guest, 0, SOME)?.count("dropped");
    control(guest, "percentage_of_dropped_buffers=50")?;
    let is_counted = |source: &Source| source.count("dropped") >= dropped + 10;
    server.wait(guest, 0, "counting dropped frames", is_counted)?;
    control(guest, "percentage_of_dropped_buffers=0")?;
    control(guest, "inject_vidioc_qbuf_error=1")?;
    server.wait_live(guest, 0, SOME)?;
    let opened = server.said(guest, OPENED)?;
    ensure!(opened == 1, "the camera was opened {opened} times");

    // The camera has to be opened again; some of that fails.
    let faults = [
        // The driver tells at the next call, which may be to take a buffer or to give one back.
        ("inject_fatal_streaming_error=1", "input/output error"),
        (
            "inject_vidioc_reqbufs_error=1,inject_fatal_streaming_error=1",
            "failed to allocate buffers of",
        ),
        (
            "inject_vidioc_streamon_error=1,inject_fatal_streaming_error=1",
            "failed to start streaming from",
        ),
        ("disconnect=1", "was unplugged"),
    ];
    for (opened, (settings, words)) in (2..).zip(faults) {
        control(guest, settings)?;
        server.wait_to_say(guest, words).with_context(|| format!("after {settings}"))?;
        let again = || format!("it is not live again after {settings}");
        server.wait_to_open(guest, opened).with_context(again)?;
        server.wait_live(guest, 0, SOME).with_context(again)?;
    }
    let report = viewer.end()?;
    report.expect_sound()?;
    report.expect_told("NoSignal: ")?;
    server.expect_unbroken(guest)?;
    let source = server.source(guest, 0)?;
    Ok(format!("{} corrupt, {} dropped", source.count("corrupt"), source.count("dropped")))
}

fn stalled(guest: &mut Guest) -> Result<String> {
    let node = Camera::usb(guest, 0, "--stall-after 2")?.node;
    let server = Server::with_sources(guest, &[&format!("v4l2:{node}?format=MJPG")])?;
    let viewer = Viewer::start(guest, &[])?;
    server.wait_live(guest, 0, 1)?;
    for times in [1, 2] {
        guest.wait_for(&format!(
            "[ $(grep -c 'no signal: .* stalled: ' /run/log/eyelet) -ge {times} ]"
        ))?;
        server.wait_to_open(guest, times + 1)?;
        server.wait_live(guest, 0, 1)?;
    }
    let report = viewer.end()?;
    report.expect_sound()?;
    report.expect_told("stalled")?;
    server.expect_unbroken(guest)?;
    Ok(format!("twice, {} frames seen", report.count("frames")))
}

fn signal(guest: &mut Guest) -> Result<String> {
    Camera::vivid(guest)?;
    let server = Server::with_sources(guest, &[SMALL])?;
    let viewer = Viewer::start(guest, UNSTAMPED)?;
    let before = server.wait_live(guest, 0, SOME)?.nominal_fps();
    control(guest, "dv_timings_signal_mode=1")?; // nothing arrives
    let why = server.wait_lost(guest, 0, "no signal at")?.text("why").to_owned();
    control(guest, "dv_timings_signal_mode=0")?;
    server.wait_live(guest, 0, SOME)?;
    // Other timings arrive: 640x480p59.94.
    control(guest, "dv_timings=0,dv_timings_signal_mode=4")?;
    let source = server.wait(guest, 0, "live with the new timings", |source| {
        source.is_live() && (59.0..60.5).contains(&source.nominal_fps())
    })?;
    source.expect_format("320x180 GREY")?;
    let source = server.wait_live(guest, 0, SOME)?;
    viewer.end()?.expect_sound()?;
    server.expect_unbroken(guest)?;
    Ok(format!("{before:.1} → {:.1} fps; without a signal: {why}", source.nominal_fps()))
}
