//! A USB camera in software, for tests against the kernel's own `uvcvideo` driver.
//!
//! The simulator attaches itself to `vhci_hcd` (the kernel's USB/IP host controller) over a socket pair: no network, no USB
//! gadget and no hardware. The driver then enumerates a USB Video Class camera with YUYV and MJPEG pictures of three sizes
//! at 30, 15 and 10 frames per second. Needs root, `modprobe vhci_hcd` and `modprobe uvcvideo`.
//!
//! Flags let the camera misbehave as real ones do: see [`options`]. Lifecycle lines go to standard error and begin with
//! `uvcsim`.
#![allow(clippy::print_stderr, reason = "a test tool: its lifecycle lines are its log")]

mod camera;
mod descriptors;
mod link;
mod options;
mod payload;
mod picture;
mod usbip;

use std::process::ExitCode;

use options::Options;

fn main() -> ExitCode {
    let options = match Options::parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(problem) => {
            eprintln!("uvcsim: {problem}\n{}", options::USAGE);
            return ExitCode::from(2);
        }
    };
    match plug_until_done(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("uvcsim: {problem}");
            ExitCode::FAILURE
        }
    }
}

/// Plugs the camera in, and once more after `--replug-after`; the second time it stays.
fn plug_until_done(options: &Options) -> std::io::Result<()> {
    let end = link::plug(options, options.unplug_after);
    let Some(pause) = options.replug_after else { return end };
    if let Err(problem) = end {
        eprintln!("uvcsim: {problem}");
    }
    std::thread::sleep(pause);
    link::plug(options, None)
}
