//! Faults of real drivers at random, over and over: the part of `tests/faults` that needs a kernel of its own.

use anyhow::{Context as _, Result};
use eyelet_harness::Random;

use super::camera::Camera;
use super::server::Server;
use super::viewer::{UNSTAMPED, Viewer};
use super::{EYELET, Scenario};
use crate::vm::guest::{GUEST_PORT, Guest};

/// Makes the faults; `EYELET_FAULTS_SEED` sets another.
const SEED: u64 = 1;
/// How many; `EYELET_FAULTS_STEPS` sets another number.
const STEPS: u64 = 15;
/// So many frames more show that a stream goes on.
const SOME: u64 = 10;

pub(crate) const SCENARIOS: &[Scenario] = &[Scenario::new(
    EYELET,
    "eyelet/random",
    "faults of two cameras and their processes at random, by a seed; viewers stay",
    random,
)];

/// What is done: the words for the report, and the line of shell that does it.
const FAULTS: [(&str, &str); 13] = [
    ("a damaged buffer", "v4l2-ctl -d $VIVID -c inject_v4l2_buf_flag_error=1"),
    ("qbuf fails", "v4l2-ctl -d $VIVID -c inject_vidioc_qbuf_error=1"),
    ("streaming fails", "v4l2-ctl -d $VIVID -c inject_fatal_streaming_error=1"),
    (
        "streaming and reqbufs fail",
        "v4l2-ctl -d $VIVID -c inject_vidioc_reqbufs_error=1,inject_fatal_streaming_error=1",
    ),
    (
        "streaming and streamon fail",
        "v4l2-ctl -d $VIVID -c inject_vidioc_streamon_error=1,inject_fatal_streaming_error=1",
    ),
    ("disconnected", "v4l2-ctl -d $VIVID -c disconnect=1"),
    (
        "every other buffer is dropped",
        "v4l2-ctl -d $VIVID -c percentage_of_dropped_buffers=50; sleep 1; \
         v4l2-ctl -d $VIVID -c percentage_of_dropped_buffers=0",
    ),
    (
        "no signal at the input",
        "v4l2-ctl -d $VIVID -c dv_timings_signal_mode=1; sleep 1; \
         v4l2-ctl -d $VIVID -c dv_timings_signal_mode=0",
    ),
    (
        "the driver lets go",
        "cd /sys/bus/platform/drivers/vivid; echo vivid.0 >unbind; sleep 1; echo vivid.0 >bind",
    ),
    ("one capture is killed", "kill -9 $(capture 0)"),
    ("the other capture is killed", "kill -9 $(capture 1)"),
    ("capture stands still", "p=$(capture 0); kill -STOP $p; sleep 1; kill -CONT $p"),
    (PULLED, "echo 0 >/sys/devices/platform/vhci_hcd.0/detach"),
];
/// The number of a capture process; the guest's tools have no `pgrep`.
const CAPTURE: &str = "capture() { grep -l \"^eyelet: capture $1\" /proc/[0-9]*/cmdline 2>/dev/null | cut -d/ -f3; }; ";
/// The one whose simulator has to be started again.
const PULLED: &str = "the USB camera is pulled";

/// A number from the environment.
fn number(name: &str, default: u64) -> Result<u64> {
    let text = std::env::var(format!("EYELET_FAULTS_{name}")).ok();
    let number = text.map(|text| text.parse().with_context(|| format!("`{text}` is no number")));
    Ok(number.transpose()?.unwrap_or(default))
}

fn random(guest: &mut Guest) -> Result<String> {
    let (seed, steps) = (number("SEED", SEED)?, number("STEPS", STEPS)?);
    let vivid = Camera::vivid(guest)?;
    let usb = Camera::usb(guest, 0, "")?;
    let server = Server::start(
        guest,
        &format!(
            "eyelet run --listen 0.0.0.0:{GUEST_PORT} --healthy-after 0.1 --restart-cap 0.5 \
             --source 'v4l2:{}?format=GREY&size=320x180' --source 'v4l2:{}?format=MJPG&size=640x480'",
            vivid.node, usb.node
        ),
    )?;
    let viewers = [
        Viewer::start(guest, &[UNSTAMPED, &["--stream", "camera0"]].concat())?,
        Viewer::start(guest, &["--stream", "camera1"])?,
    ];
    for id in [0, 1] {
        server.wait_live(guest, id, SOME)?;
    }
    for step in 0..steps {
        let (what, line) = Random::new(seed, step).pick(&FAULTS);
        let context = || format!("step {step} of seed {seed}: {what}");
        let line = CAPTURE.to_owned() + &line.replace("$VIVID", &vivid.node);
        fault(guest, what, &line).with_context(context)?;
        for id in [0, 1] {
            server.wait_live(guest, id, SOME).with_context(context)?;
        }
    }
    let mut frames = Vec::new();
    for viewer in viewers {
        let report = viewer.end()?;
        report.expect_sound()?;
        frames.push(report.count("frames"));
    }
    Ok(format!("{steps} faults of seed {seed}, {frames:?} frames seen"))
}

fn fault(guest: &mut Guest, what: &str, line: &str) -> Result<()> {
    guest.run(line)?;
    if what == PULLED {
        guest.wait_for("grep -q 'from outside' /run/log/uvcsim-0")?;
        Camera::usb(guest, 0, "")?;
    }
    Ok(())
}
