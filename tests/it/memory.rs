//! What it costs while nobody watches.

use anyhow::Result;

use crate::support::{VGA, start};

/// KiB of the whole tree, shared pages counted once.
const BUDGET_KB: u64 = 8 << 10;

#[test]
fn the_whole_tree_takes_less_than_8_mib_while_nobody_watches() -> Result<()> {
    if cfg!(debug_assertions) {
        println!("skipped: a debug build is many times the size; run with --release");
        return Ok(());
    }
    let eyelet = start(VGA, &[])?;
    eyelet.wait_until("some frames", || {
        eyelet.status().is_ok_and(|status| status["sources"][0]["sequence"].as_u64() > Some(30))
    })?;
    let taken = eyelet.pss_kb()?;
    println!("{taken} KiB");
    assert!(taken < BUDGET_KB, "{taken} KiB");
    Ok(())
}
