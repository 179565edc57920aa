//! Eyelet with cameras that behave: what it lists, which it takes, and that their frames arrive.

use anyhow::{Result, ensure};

use super::camera::Camera;
use super::server::Server;
use super::viewer::{Report, UNSTAMPED, watch};
use super::{EYELET, Scenario, web};
use crate::vm::guest::Guest;

const YUYV: &str = "640x480 YUYV";
const YUYV_BYTES: u64 = 640 * 480 * 2;
/// A sixth of the nominal rate: less is a broken guest, not a busy host.
const LEAST_RATE: f64 = 5.0;
/// Of what the driver's own test program reaches, the part that Eyelet has to reach.
const ENOUGH: f64 = 0.9;
/// How often a rate is measured before it counts as too low: the host may be busy with something else.
const ROUNDS: u32 = 3;

pub(crate) const SCENARIOS: &[Scenario] = &[
    Scenario::new(EYELET, "eyelet/devices", "cameras and what else is called video", devices),
    Scenario::new(
        EYELET,
        "eyelet/vivid",
        "the camera that nobody named, at the driver's rate",
        vivid,
    ),
    Scenario::new(EYELET, "eyelet/yuyv", "a USB camera's raw frames, whole and in order", yuyv),
    Scenario::new(EYELET, "eyelet/mjpeg", "a USB camera's pictures, made complete", mjpeg),
    Scenario::new(EYELET, "eyelet/h264", "a USB camera's H.264, from a key frame on", h264),
];

fn devices(guest: &mut Guest) -> Result<String> {
    let nothing = guest.run("eyelet devices")?;
    ensure!(nothing.contains("no video device found"), "without cameras it says {nothing}");
    Camera::vivid(guest)?;
    let usb = Camera::usb(guest, 0, "")?;
    let text = guest.run("eyelet devices --controls")?;
    let metadata = format!(
        "{}  UVC Simulator: UVC Simulator: no camera, metadata, not video",
        guest.run("cd /sys/class/video4linux; for d in *; do [ $(cat $d/index) = 1 ] && echo /dev/$d; done")?
    );
    let usb = format!("{}  UVC Simulator: UVC Simulator", usb.node);
    for part in
        ["/dev/video0  vivid (vivid, ", &usb, &metadata, "YUYV", "MJPG", "1280x720", "brightness"]
    {
        ensure!(text.contains(part), "`{part}` is missing in: {text}");
    }
    Ok(format!("{} lines", text.lines().count()))
}

fn vivid(guest: &mut Guest) -> Result<String> {
    let camera = Camera::vivid(guest)?;
    let mut server = Server::with_sources(guest, &[])?;
    expect_start_lines(guest, &server, &camera)?;
    server.source(guest, 0)?.expect_format(YUYV)?;
    let before = web::get(guest, "/-/snapshot.png")?;
    server.wait_live(guest, 0, 10)?;
    let after = web::get(guest, "/-/snapshot.png")?;
    ensure!(web::png_size(&after)? == (640, 480), "the picture is {:?}", web::png_size(&after)?);
    ensure!(before != after, "the picture does not move");

    let mut rates = Vec::new();
    for _ in 0..ROUNDS {
        let report = watch(guest, 3, UNSTAMPED)?;
        expect_raw(&report)?;
        let ours = report.rate("published_fps");
        server.expect_unbroken(guest)?;
        server.stop(guest)?;
        let reference = camera.capture(guest, YUYV, 60)?.rate();
        rates.push(format!("{ours:.1} fps of the driver's {reference:.1}"));
        if ours >= reference * ENOUGH {
            return Ok(rates.join(", "));
        }
        server = Server::with_sources(guest, &[])?;
    }
    anyhow::bail!("too slow, machine or Eyelet: {}", rates.join(", "))
}

/// The lines that scripts of the old program look for.
fn expect_start_lines(guest: &mut Guest, server: &Server, camera: &Camera) -> Result<()> {
    let node = &camera.node;
    for line in [
        &*format!("{node} detected width = 640"),
        &format!("{node} detected height = 480"),
        &format!("{node} detected format = YUYV"),
        "sharedarea 0 created at ",
        &format!("({} pages, {YUYV_BYTES} bytes a frame)", YUYV_BYTES / 4096),
        &format!("{node} started streaming frames to sharedarea 0"),
    ] {
        ensure!(
            server.said(guest, line)? == 1,
            "`{line}` is not said once: {}",
            guest.log("eyelet")?
        );
    }
    Ok(())
}

/// Raw frames carry their exact length, however many came.
fn expect_raw(report: &Report) -> Result<()> {
    report.expect_sound()?;
    ensure!(report.format() == "yuyv 640x480", "the viewer saw {}", report.format());
    let bytes = report.count("frames") * YUYV_BYTES;
    ensure!(report.count("bytes") == bytes, "{} bytes, not {bytes}", report.count("bytes"));
    Ok(())
}

fn yuyv(guest: &mut Guest) -> Result<String> {
    let mut notes = Vec::new();
    for (port, flags) in [(0, ""), (1, "--bulk")] {
        let node = Camera::usb(guest, port, flags)?.node;
        let source = format!("v4l2:{node}?format=YUYV&size=640x480&fps=30");
        let server = Server::with_sources(guest, &[&source])?;
        server.wait_live(guest, 0, 1)?.expect_format(YUYV)?;
        let report = watch(guest, 4, &["--verify", "always"])?;
        expect_raw(&report)?;
        let frames = report.count("frames");
        ensure!(report.count("verified") == frames, "not every frame was verified");
        ensure!(frames >= 4, "only {frames} frames in 4 s");
        notes.push(format!(
            "{frames} frames verified, {:.1} fps published",
            report.rate("published_fps")
        ));
        server.expect_unbroken(guest)?;
        server.stop(guest)?;
    }
    Ok(format!("isochronous: {}; bulk: {}", notes[0], notes[1]))
}

fn mjpeg(guest: &mut Guest) -> Result<String> {
    let node = Camera::usb(guest, 0, "--strip-dht")?.node;
    let source = format!("v4l2:{node}?format=MJPG&size=1280x720&fps=15");
    let server = Server::with_sources(guest, &[&source])?;
    let source = server.wait_live(guest, 0, 1)?;
    source.expect_format("1280x720 MJPG")?;
    ensure!((14.9..15.1).contains(&source.nominal_fps()), "15 fps were asked for: {source}");
    let frame = web::bare_frame(guest)?;
    let len = frame.len();
    ensure!(frame.starts_with(b"\xff\xd8") && frame.ends_with(b"\xff\xd9"), "no picture: {len} B");
    let tables = frame.windows(2).position(|bytes| bytes == b"\xff\xc4"); // DHT
    let scan = frame.windows(2).position(|bytes| bytes == b"\xff\xda"); // SOS
    ensure!(tables.is_some() && tables < scan, "the frame has no Huffman tables: {tables:?}");
    let picture = web::get(guest, "/-/snapshot.png")?;
    ensure!(web::png_size(&picture)? == (1280, 720), "the picture has another size");
    let report = watch(guest, 3, &[])?;
    report.expect_sound()?;
    let fps = report.rate("published_fps");
    ensure!((LEAST_RATE..16.5).contains(&fps), "{fps} fps of 15");
    ensure!(report.format() == "jpeg 1280x720", "the viewer saw {}", report.format());
    server.expect_unbroken(guest)?;
    Ok(format!("{fps:.1} fps, {len} bytes a frame with tables"))
}

fn h264(guest: &mut Guest) -> Result<String> {
    let mut notes = Vec::new();
    // Then one whose driver drops each tenth frame as damaged: nothing that needs it is passed on.
    for (port, flags, least) in [(0, "", 0), (1, "--err-every 10", 1)] {
        let node = Camera::usb(guest, port, flags)?.node;
        let source = format!("v4l2:{node}?format=H264&size=640x480&fps=30");
        let server = Server::with_sources(guest, &[&source])?;
        // The size is the stream's own.
        server.wait_live(guest, 0, 1)?.expect_format("34x18 H264")?;
        let report = watch(guest, 4, UNSTAMPED)?;
        report.expect_sound()?;
        ensure!(report.format() == "h264 34x18", "the viewer saw {}", report.format());
        let frame = web::bare_frame(guest)?;
        let has_sets = frame.windows(4).any(|bytes| bytes == [0, 0, 1, 0x67]);
        ensure!(has_sets, "it begins with no parameter sets: {:?}", &frame[..frame.len().min(16)]);
        let status = server.source(guest, 0)?;
        let left = status.count("corrupt") + status.count("dropped");
        ensure!(left >= least, "no frame was lost: {status}");
        notes.push(format!("{} frames, {left} lost", report.count("frames")));
        server.stop(guest)?;
    }
    Ok(notes.join("; "))
}
