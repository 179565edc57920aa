//! Whether the program's wall clock has jumped.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result};
use eyelet_harness::wait_until;

use crate::stage::Stage;

/// The two looks are not at the same time.
const TOLERANCE_S: f64 = 60.0;

/// Tells whether a frame's time since 1970 is so much ahead of this process's, which keeps the right one.
pub(crate) fn is_ahead(stage: &Stage, ahead_s: i64) -> Result<bool> {
    let mut stamp = None;
    wait_until("frame with its time", || {
        let answer = stage.eyelet.get("/-/frame?stream=bars").ok();
        let answer = answer.filter(|answer| answer.status == 200);
        let header =
            answer.and_then(|answer| answer.header("x-eyelet-timestamp").map(str::to_owned));
        stamp = header.and_then(|stamp| stamp.parse::<f64>().ok());
        stamp.is_some()
    })?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs_f64();
    let ahead = stamp.context("a frame without a time")? - now;
    let wanted = f64::from(i32::try_from(ahead_s)?);
    // A jump of a second cannot be told from the way to here.
    Ok((ahead - wanted).abs() < TOLERANCE_S)
}
