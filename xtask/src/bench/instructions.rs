//! `cargo xtask bench instructions`.

use anyhow::{Result, bail};

use super::server::Programs;

/// Counts.
pub(super) fn run(_programs: &Programs) -> Result<()> {
    bail!("not there yet")
}
