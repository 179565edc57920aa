//! Waiting on conditions.

use std::time::{Duration, Instant};

/// How long any wait may last: far longer than anything takes on the slowest machine, so that reaching it is a failure.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// Time between two looks: short beside everything that is waited for, long enough to leave the processor alone.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Waits until `condition` holds; `what` completes "no ... in 30 seconds".
///
/// # Errors
/// The condition did not hold within [`DEADLINE`].
pub fn wait_until(what: &str, mut condition: impl FnMut() -> bool) -> anyhow::Result<()> {
    let begin = Instant::now();
    while !condition() {
        anyhow::ensure!(begin.elapsed() < DEADLINE, "no {what} in {} seconds", DEADLINE.as_secs());
        std::thread::sleep(LOOK_EVERY);
    }
    Ok(())
}

/// Gives what is left of a time that began at `begin`; `None` when it is over.
pub(crate) fn left(begin: Instant, timeout: Duration) -> Option<Duration> {
    timeout.checked_sub(begin.elapsed()).filter(|left| !left.is_zero())
}
