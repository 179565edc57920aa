//! Who may have the camera, and who may see it.

use anyhow::{Context as _, Result, ensure};

use super::camera::Camera;
use super::server::Server;
use super::viewer::{UNSTAMPED, watch};
use super::{EYELET, Scenario};
use crate::vm::guest::{Guest, PATIENCE};

/// A user's number and the cameras' group, for a guest that knows only root.
const USER: &str = "user:x:1000:1000::/tmp:/bin/sh";
const GROUPS: &str = "video:x:44:";
const SMALL: &str = "v4l2:/dev/video0?format=GREY&size=320x180";

pub(crate) const SCENARIOS: &[Scenario] = &[
    Scenario::new(
        EYELET,
        "eyelet/busy",
        "whoever holds the camera is named; it is waited for",
        busy,
    ),
    Scenario::new(
        EYELET,
        "eyelet/permission",
        "a user who may not open the camera is told what to do",
        permission,
    ),
    Scenario::new(
        EYELET,
        "eyelet/old-command",
        "the old command line, reachable from everywhere",
        old_command,
    ),
];

fn busy(guest: &mut Guest) -> Result<String> {
    let mut notes = Vec::new();
    let cameras = [Camera::vivid(guest)?, Camera::usb(guest, 0, "")?];
    for camera in &cameras {
        let command = camera.capture_command("320x240 YUYV", 1_000_000)?;
        let pid = guest.background("holder", &command)?;
        guest.wait_for("grep -q dqbuf /run/log/holder")?;
        let source = format!("v4l2:{}?format=YUYV&size=320x240", camera.node);
        let server = Server::with_sources(guest, &[&source])?;
        let holder = format!("it is held by `v4l2-ctl` (process {pid})");
        let source = server.wait_lost(guest, 0, &holder)?;
        notes.push(source.text("why").to_owned());
        server.wait_to_say(guest, "sharedarea 0 waits: ")?;
        guest.run(&format!("kill {pid}"))?;
        server.wait_live(guest, 0, 5)?;
        server.expect_unbroken(guest)?;
        server.stop(guest)?;
    }
    Ok(notes.join("; "))
}

fn permission(guest: &mut Guest) -> Result<String> {
    Camera::vivid(guest)?;
    guest.run(&format!(
        "echo {USER} >/etc/passwd && echo {GROUPS} >/etc/group && chmod 1777 /tmp && \
         chown 0:44 /dev/video0 && chmod 660 /dev/video0"
    ))?;
    let command =
        format!("su user -c \"exec eyelet run --listen 0.0.0.0:8080 --source '{SMALL}'\"");
    let output = guest.sh(&command, PATIENCE)?;
    ensure!(output.status == 1, "it ended with {}: {}", output.status, output.text);
    let hint = "usermod -aG video";
    let line = output.text.lines().find(|line| line.contains(hint));
    let line = line.with_context(|| format!("`{hint}` is missing: {}", output.text))?;
    ensure!(line.contains("/dev/video0"), "the device is not named: {line}");
    guest.run("chmod 666 /dev/video0")?;
    let server = Server::start(guest, &command)?;
    server.wait_live(guest, 0, 5)?;
    Ok(line.to_owned())
}

fn old_command(guest: &mut Guest) -> Result<String> {
    Camera::vivid(guest)?;
    let command = "eyelet --plugin capture --v4l-capture /dev/video0 --mule 'captureloop()' --http-socket :8080";
    let server = Server::start(guest, command)?;
    server.wait_live(guest, 0, 5)?.expect_format("640x480 YUYV")?;
    // The forwarded port does not arrive at the loopback interface.
    let report = watch(guest, 2, UNSTAMPED)?;
    report.expect_sound()?;
    let mut answers = Vec::new();
    for address in ["127.0.0.1", "10.0.2.15", "[::1]"] {
        let answer = guest.run(&format!("wget -qO- http://{address}:8080/-/healthz"))?;
        ensure!(answer.trim() == "ok", "at {address} it answers `{answer}`");
        answers.push(address);
    }
    server.expect_unbroken(guest)?;
    server.stop(guest)?;
    // What is named alone is reached alone.
    let server =
        Server::start(guest, &format!("eyelet run --listen '[::1]:8080' --source '{SMALL}'"))?;
    guest.run("wget -qO- http://[::1]:8080/-/healthz")?;
    let elsewhere = guest.sh("wget -qO- http://127.0.0.1:8080/-/healthz", PATIENCE)?;
    ensure!(elsewhere.status != 0, "it answers at another address: {}", elsewhere.text);
    server.stop(guest)?;
    Ok(format!("{} frames seen; answers at {}", report.count("frames"), answers.join(", ")))
}
