//! Cameras that go away and come back, under the same name or another.

use anyhow::{Result, ensure};

use super::camera::Camera;
use super::server::{OPENED, Server};
use super::viewer::{UNSTAMPED, Viewer};
use super::{EYELET, Scenario};
use crate::vm::guest::{Guest, PATIENCE};

const DRIVER: &str = "/sys/bus/platform/drivers/vivid";
const CONTROLLER: &str = "/sys/devices/platform/vhci_hcd.0";
/// So many frames more show that a stream goes on.
const SOME: u64 = 15;

pub(crate) const SCENARIOS: &[Scenario] = &[
    Scenario::new(
        EYELET,
        "eyelet/replug",
        "a USB camera is pulled out and put back; viewers stay",
        replug,
    ),
    Scenario::new(
        EYELET,
        "eyelet/controls",
        "controls are set, and set again after a return",
        controls,
    ),
    Scenario::new(
        EYELET,
        "eyelet/unbind",
        "a driver lets go, and comes back under another number",
        unbind,
    ),
    Scenario::new(
        EYELET,
        "eyelet/two-cameras",
        "one of two is pulled out; both come back swapped",
        two_cameras,
    ),
];

/// Pulls the cable of a port; its simulator ends.
fn pull(guest: &mut Guest, port: u8) -> Result<()> {
    guest.run(&format!("echo {port} >{CONTROLLER}/detach"))?;
    guest.wait_for(&format!("grep -q 'from outside' /run/log/uvcsim-{port}"))
}

fn mjpeg(camera: &Camera) -> String {
    format!("v4l2:{}?format=MJPG&size=640x480", camera.node)
}

fn replug(guest: &mut Guest) -> Result<String> {
    let camera = Camera::usb(guest, 0, "")?;
    let server = Server::with_sources(guest, &[&mjpeg(&camera)])?;
    let viewer = Viewer::start(guest, &[])?;
    server.wait(guest, 0, "watched", |source| source.count("viewers") == 1)?;
    server.wait_live(guest, 0, SOME)?;
    let mut whys = Vec::new();
    for _ in 0..2 {
        pull(guest, 0)?;
        let source = server.wait_lost(guest, 0, "not plugged in")?;
        ensure!(source.count("viewers") == 1, "the viewer has gone: {source}");
        whys.push(source.text("why").to_owned());
        Camera::usb(guest, 0, "")?;
        server.wait_live(guest, 0, SOME)?;
    }
    let report = viewer.end()?;
    report.expect_sound()?;
    report.expect_told("NoSignal: ")?;
    report.expect_told("Live")?;
    server.expect_unbroken(guest)?;
    Ok(format!("twice, {} frames seen: {}", report.count("frames"), whys[0]))
}

fn controls(guest: &mut Guest) -> Result<String> {
    let camera = Camera::usb(guest, 0, "")?;
    let source = format!("{}&control.brightness=-17", mjpeg(&camera));
    let server = Server::with_sources(guest, &[&source])?;
    for _ in 0..2 {
        server.wait_live(guest, 0, SOME)?;
        let text = guest.run(&format!("v4l2-ctl -d {} -C brightness", camera.node))?;
        ensure!(text == "brightness: -17", "the control is {text}");
        pull(guest, 0)?;
        server.wait_lost(guest, 0, "not plugged in")?;
        // Plugged in, the simulated camera has forgotten everything.
        Camera::usb(guest, 0, "")?;
    }
    server.stop(guest)?;
    let wrong = format!("eyelet run --source '{}&control.brightness=99'", mjpeg(&camera));
    let answer = guest.sh(&wrong, PATIENCE)?;
    ensure!(answer.status == 1, "a wrong value ends with {}: {}", answer.status, answer.text);
    ensure!(answer.text.contains("not `99`"), "a wrong value gets: {}", answer.text);
    Ok("brightness -17 before and after a return; 99 is refused".to_owned())
}

fn unbind(guest: &mut Guest) -> Result<String> {
    let camera = Camera::vivid(guest)?;
    // A small picture: what is shown here is not how many bytes get through.
    let server = Server::with_sources(guest, &["v4l2:/dev/video0?format=GREY&size=320x180"])?;
    let viewer = Viewer::start(guest, UNSTAMPED)?;
    server.wait_live(guest, 0, SOME)?;
    guest.run(&format!("echo vivid.0 >{DRIVER}/unbind"))?;
    server.wait_lost(guest, 0, "not plugged in")?;
    guest.run(&format!("echo vivid.0 >{DRIVER}/bind"))?;
    let source = server.wait_live(guest, 0, SOME)?;
    ensure!(source.text("device") == camera.node, "it is {} now", source.text("device"));

    // Whoever still has the old node open keeps its number taken.
    guest.background("holder", "sleep 600 3<>/dev/video0")?;
    guest.run(&format!("echo vivid.0 >{DRIVER}/unbind"))?;
    server.wait_lost(guest, 0, "not plugged in")?;
    guest.run(&format!("echo vivid.0 >{DRIVER}/bind"))?;
    let source = server.wait_live(guest, 0, SOME)?;
    let now = source.text("device").to_owned();
    ensure!(now != camera.node, "it came back under its old number: the test proves nothing");
    viewer.end()?.expect_sound()?;
    server.expect_unbroken(guest)?;
    Ok(format!("{} became {now}", camera.node))
}

fn two_cameras(guest: &mut Guest) -> Result<String> {
    let cameras = [Camera::usb(guest, 0, "")?, Camera::usb(guest, 1, "")?];
    let sources = cameras.each_ref().map(mjpeg);
    let server = Server::with_sources(guest, &sources.each_ref().map(String::as_str))?;
    let viewer = Viewer::start(guest, &["--stream", "camera0"])?;
    for id in [0, 1] {
        let source = server.wait_live(guest, id, SOME)?;
        ensure!(source.text("device") == cameras[id].node, "{source} is another camera");
    }
    pull(guest, 1)?;
    server.wait_lost(guest, 1, "not plugged in")?;
    server.wait_live(guest, 0, SOME)?;
    let node = &cameras[0].node;
    let opened = server.said(guest, &format!("source={node}{OPENED}"))?;
    ensure!(opened == 1, "the other camera was opened {opened} times");

    // Now both change places.
    pull(guest, 0)?;
    server.wait_lost(guest, 0, "not plugged in")?;
    let second = Camera::usb(guest, 1, "")?;
    server.wait_live(guest, 1, SOME)?;
    ensure!(second.node == cameras[0].node, "the numbers were not given in turn");
    ensure!(!server.source(guest, 0)?.is_live(), "the wrong camera was taken");
    let first = Camera::usb(guest, 0, "")?;
    server.wait_live(guest, 0, SOME)?;
    for (id, camera) in [(0, &first), (1, &second)] {
        let source = server.wait_live(guest, id, SOME)?;
        ensure!(source.text("device") == camera.node, "{source} is another camera");
    }
    viewer.end()?.expect_sound()?;
    server.expect_unbroken(guest)?;
    Ok(format!("first {} → {}, second {} → {}", node, first.node, cameras[1].node, second.node))
}
