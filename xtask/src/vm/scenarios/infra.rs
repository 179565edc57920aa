//! The guest itself: its drivers, the simulated cameras and the way in, without Eyelet.
//!
//! These show that a failure elsewhere is Eyelet's, and give the driver's own rate as the reference.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use super::camera::{Camera, Capture, End, Frame};
use super::{Scenario, web};
use crate::vm::guest::{GUEST_PORT, Guest, PATIENCE};

/// What the guest needs for all of them.
const EXECUTABLES: &[&str] = &["uvcsim"];
const YUYV: &str = "640x480 YUYV";
const YUYV_BYTES: u64 = 640 * 480 * 2;
const MJPEG: &str = "640x480 MJPG";
/// Two seconds and a half at the cameras' 30 per second.
const FRAMES: usize = 75;
/// A sixth of the nominal rate: less is a broken guest, not a busy host.
const LEAST_RATE: f64 = 5.0;

pub(crate) const SCENARIOS: &[Scenario] = &[
    Scenario::new(EXECUTABLES, "infra/network", "the forwarded port leads into the guest", network),
    Scenario::new(
        EXECUTABLES,
        "infra/executables",
        "the same executable runs here and there",
        executables,
    ),
    Scenario::new(EXECUTABLES, "infra/vivid", "the kernel's test camera", vivid),
    Scenario::new(EXECUTABLES, "infra/isochronous", "a USB camera, YUYV and MJPEG", isochronous),
    Scenario::new(
        EXECUTABLES,
        "infra/bulk",
        "a USB camera with bulk transfers, YUYV and MJPEG",
        bulk,
    ),
    Scenario::new(EXECUTABLES, "infra/sizes", "a USB camera's other sizes and rates", sizes),
    Scenario::new(EXECUTABLES, "infra/stamp", "frames carry their number, in whole", stamp),
    Scenario::new(EXECUTABLES, "infra/controls", "brightness and contrast are kept", controls),
    Scenario::new(EXECUTABLES, "infra/stall", "a USB camera that stops sending", stall),
    Scenario::new(
        EXECUTABLES,
        "infra/replug",
        "a USB camera that is pulled out and put back",
        replug,
    ),
    Scenario::new(EXECUTABLES, "infra/damaged", "a USB camera with broken frames", damaged),
    Scenario::new(EXECUTABLES, "infra/two-cameras", "two USB cameras at once", two_cameras),
];

fn network(guest: &mut Guest) -> Result<String> {
    const BYTES: u32 = 16_000_000;
    let folder = "/run/web";
    guest.run(&format!("mkdir {folder} && head -c {BYTES} /dev/zero >{folder}/big"))?;
    guest.run(&format!("echo hello >{folder}/page && httpd -p {GUEST_PORT} -h {folder}"))?;
    let page = web::get(guest, "/page")?;
    ensure!(page == b"hello\n", "the page is {:?}", String::from_utf8_lossy(&page));
    let start = Instant::now();
    let len = web::get(guest, "/big")?.len();
    ensure!(u32::try_from(len) == Ok(BYTES), "only {len} bytes came");
    Ok(format!("{:.0} MB/s", f64::from(BYTES) / 1e6 / start.elapsed().as_secs_f64()))
}

/// A wrong flag shows that an executable runs at all: it must say how it is used.
fn executables(guest: &mut Guest) -> Result<String> {
    let inside = guest.sh("uvcsim --nonsense", PATIENCE)?;
    let outside = Command::new(guest.executable("uvcsim")).arg("--nonsense").output()?;
    let status = outside.status.code();
    ensure!(inside.status == 2 && status == Some(2), "{} and {status:?}", inside.status);
    let outside = String::from_utf8_lossy(&outside.stderr);
    ensure!(inside.text == outside.trim_end(), "`{}` and `{outside}`", inside.text);
    Ok(String::new())
}

fn vivid(guest: &mut Guest) -> Result<String> {
    let camera = Camera::vivid(guest)?;
    let capture = camera.capture(guest, YUYV, FRAMES)?;
    capture.expect_bytes(YUYV_BYTES)?;
    lively(&capture)?;
    Ok(capture.to_string())
}

fn isochronous(guest: &mut Guest) -> Result<String> {
    both_formats(guest, "")
}

fn bulk(guest: &mut Guest) -> Result<String> {
    both_formats(guest, "--bulk")
}

fn both_formats(guest: &mut Guest, flags: &str) -> Result<String> {
    let camera = Camera::usb(guest, 0, flags)?;
    let yuyv = camera.capture(guest, YUYV, FRAMES)?;
    yuyv.expect_bytes(YUYV_BYTES)?;
    let mjpeg = camera.capture(guest, MJPEG, FRAMES)?;
    lively(&mjpeg)?;
    let is_small = |frame: &Frame| (1000..YUYV_BYTES / 2).contains(&frame.bytes);
    ensure!(mjpeg.frames.iter().all(is_small), "MJPEG frames of odd lengths: {mjpeg:?}");
    Ok(format!("YUYV: {yuyv}; MJPEG: {mjpeg}"))
}

fn sizes(guest: &mut Guest) -> Result<String> {
    let camera = Camera::usb(guest, 0, "")?;
    let small = camera.capture(guest, "320x240 YUYV", FRAMES)?;
    small.expect_bytes(320 * 240 * 2)?;
    let large = camera.capture(guest, "1280x720 MJPG", FRAMES)?;
    lively(&large)?;
    let slow = camera.capture(guest, "640x480 YUYV 10", 20)?;
    ensure!(slow.rate() < 15.0, "10 fps were asked for: {slow}");
    Ok(format!("320x240: {small}; 1280x720 MJPEG: {large}; at 10 fps: {slow}"))
}

/// For captures that move few bytes; the rate of the others depends on how busy the host is.
fn lively(capture: &Capture) -> Result<()> {
    ensure!(capture.rate() >= LEAST_RATE, "the camera is too slow: {capture}");
    Ok(())
}

/// Reads the stamp of rows at the top, in the middle and near the bottom of some frames.
fn stamp(guest: &mut Guest) -> Result<String> {
    const COUNT: usize = 4;
    let camera = Camera::usb(guest, 0, "")?;
    let command = camera.capture_command(YUYV, COUNT)?;
    guest.run(&format!("{command} --stream-to=/run/frames"))?;
    let mut numbers = Vec::new();
    for frame in 0..COUNT {
        let mut words = Vec::new();
        for row in [0, 240, 472] {
            let at = (frame * 480 + row) * 10; // in units of 128 bytes, ten per row
            let line = format!("dd if=/run/frames bs=128 skip={at} count=1 2>/dev/null");
            words.push(stamped_word(
                &guest.run(&format!("{line} | hexdump -v -e '1/1 \"%02x\"'"))?,
            )?);
        }
        ensure!(words.iter().all(|word| *word == words[0]), "frame {frame} is torn: {words:x?}");
        numbers.push(words[0] >> 16);
    }
    let is_rising = numbers.windows(2).all(|pair| pair[0] < pair[1]);
    ensure!(is_rising && numbers[0] > 0, "the numbers do not rise: {numbers:?}");
    Ok(format!("frames {numbers:?}"))
}

/// The 64 bits in the luma of 64 pixels, given as hexadecimal digits of YUYV.
fn stamped_word(digits: &str) -> Result<u64> {
    let digits = digits.trim();
    ensure!(digits.len() == 256, "half a row of stamp: `{digits}`");
    let mut word = 0;
    for at in (0..256).step_by(4) {
        let bit = match &digits[at..at + 4] {
            "eb80" => 1, // luma 235, chroma 128
            "1080" => 0, // luma 16
            other => anyhow::bail!("a pixel of the stamp is `{other}`"),
        };
        word = word << 1 | bit;
    }
    Ok(word)
}

fn controls(guest: &mut Guest) -> Result<String> {
    let node = Camera::usb(guest, 0, "")?.node;
    guest.run(&format!("v4l2-ctl -d {node} -c brightness=-17,contrast=5"))?;
    let text = guest.run(&format!("v4l2-ctl -d {node} -C brightness,contrast"))?;
    ensure!(text == "brightness: -17\ncontrast: 5", "the controls are {text}");
    Ok(text.replace('\n', ", "))
}

fn stall(guest: &mut Guest) -> Result<String> {
    let camera = Camera::usb(guest, 0, "--stall-after 2")?;
    let (capture, end) = camera.capture_for(guest, MJPEG, Duration::from_secs(6))?;
    ensure!(end == End::Time, "the camera failed instead: {capture}");
    ensure!(!capture.frames.is_empty(), "no frame came before the stall");
    ensure!(capture.seconds() < 3.0, "frames came for {:.1} s", capture.seconds());
    guest.run(&format!("[ -c {} ]", camera.node)).context("the node is gone")?;
    let again = camera.capture(guest, MJPEG, 15).context("after the stream was started anew")?;
    Ok(format!("{capture}; then {again}"))
}

fn replug(guest: &mut Guest) -> Result<String> {
    let camera = Camera::usb(guest, 0, "--unplug-after 6 --replug-after 1")?;
    let (capture, end) = camera.capture_for(guest, MJPEG, Duration::from_secs(60))?;
    ensure!(end == End::Camera, "the capture went on without the camera: {capture}");
    ensure!(!capture.frames.is_empty(), "no frame came before it was pulled out");
    guest.wait_for("[ $(grep -c 'plugged in' /run/log/uvcsim-0) = 2 ]")?;
    let camera = Camera::with_serial(guest, "SIM0000")?;
    let again = camera.capture(guest, MJPEG, FRAMES)?;
    // From outside: what pulling the cable is to the kernel. The simulator ends.
    guest.run("echo 0 >/sys/devices/platform/vhci_hcd.0/detach")?;
    guest.wait_for(&format!("[ ! -e {} ]", camera.node))?;
    let log = guest.log("uvcsim-0")?;
    ensure!(log.contains("from outside"), "the simulator says {log}");
    Ok(format!("{capture}; then {again}"))
}

fn damaged(guest: &mut Guest) -> Result<String> {
    // The driver drops frames with the error bit; short ones too, but not of MJPEG, whose lengths vary.
    let camera = Camera::usb(guest, 0, "--err-every 3")?;
    let flagged = camera.capture(guest, YUYV, 30)?;
    ensure!((10..=20).contains(&flagged.missing()), "every third is broken: {flagged}");
    let camera = Camera::usb(guest, 1, "--trunc-every 3 --strip-dht")?;
    let cut = camera.capture(guest, MJPEG, 30)?;
    let longest = cut.frames.iter().map(|frame| frame.bytes).max().unwrap_or_default();
    let halves = cut.frames.iter().filter(|frame| frame.bytes < longest * 2 / 3).count();
    ensure!((8..=12).contains(&halves), "every third is cut in half, not {halves} of 30");
    Ok(format!("error bit: {flagged}; cut: {halves} of 30"))
}

fn two_cameras(guest: &mut Guest) -> Result<String> {
    let cameras = [Camera::usb(guest, 0, "")?, Camera::usb(guest, 1, "--bulk")?];
    ensure!(cameras[0] != cameras[1], "both cameras are {}", cameras[0].node);
    for (number, camera) in cameras.iter().enumerate() {
        let command = camera.capture_command(MJPEG, FRAMES)?;
        guest.background(&format!("capture-{number}"), &command)?;
    }
    guest.wait_for("! pidof v4l2-ctl >/dev/null")?;
    let mut notes = Vec::new();
    for number in 0..cameras.len() {
        let capture = Capture::parse(&guest.log(&format!("capture-{number}"))?)?;
        ensure!(capture.frames.len() == FRAMES, "camera {number}: {capture}");
        notes.push(capture.to_string());
    }
    Ok(notes.join("; "))
}
