//! What arrives at a grabber's input. A webcam has no such thing.

use eyelet_v4l2::timings::{Signal, Timings};
use eyelet_v4l2::{Device, ErrorKind};

use super::unavailable;
use crate::error::{Error, Result};

/// Sets the receiver to the signal that arrives: a driver tells of another one and leaves it at that.
///
/// # Errors
/// [`Unavailable`](crate::error::ErrorKind::Unavailable) while nothing arrives that can be received.
pub(super) fn tune(camera: &mut Device) -> Result<()> {
    let missing = match camera.detect_signal() {
        Ok(Signal::Locked(timings)) => {
            set(camera, timings);
            return Ok(());
        }
        Ok(Signal::None) => "there is no signal at",
        Ok(Signal::Unstable) => "there is no stable signal at",
        Ok(Signal::OutOfRange) => "there is no signal that can be received at",
        Err(e) if e.kind() == ErrorKind::Gone => return Err(unavailable(&e)),
        // No timings, or none that can be measured: what it is set to is as good.
        Err(_) => return Ok(()),
    };
    let path = camera.path().display();
    Err(Error::unavailable(format!("{missing} `{path}`: look at what is connected to it")))
}

fn set(camera: &mut Device, timings: Timings) {
    if camera.timings().is_ok_and(|current| current == timings) {
        return;
    }
    let path = camera.path().display().to_string();
    match camera.set_timings(timings) {
        Ok(set) => log::info!("source={path} the signal is {}x{}", set.width(), set.height()),
        // Whoever has buffers of it has set it.
        Err(e) => log::warn!("source={path} keeps its timings: {e}"),
    }
}
