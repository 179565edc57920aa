//! What memory it takes: while nobody watches, and for each viewer. Here, as a debug build is many times the size.

use anyhow::Result;

use crate::start;

/// KiB of the whole tree, shared pages counted once.
const BUDGET_KB: u64 = 8 << 10;
/// The same for each viewer, of which the kernel's sockets are no part.
const BUDGET_FOR_A_VIEWER_KB: u64 = 2;
const VIEWERS: u64 = 400;

#[test]
fn the_whole_tree_takes_less_than_8_mib_while_nobody_watches() -> Result<()> {
    let eyelet = start()?;
    eyelet.wait_until("some frames", || {
        eyelet.status().is_ok_and(|status| status["sources"][0]["captured"].as_u64() > Some(30))
    })?;
    let taken = eyelet.pss_kb()?;
    println!("{taken} KiB");
    assert!(taken < BUDGET_KB, "{taken} KiB");
    Ok(())
}

#[test]
fn a_crowd_of_viewers_takes_no_more_than_it_needs() -> Result<()> {
    let eyelet = start()?;
    // They never read: each is in the middle of the same frame or two.
    let crowd: Vec<_> =
        (0..VIEWERS).map(|_| eyelet.websocket("/-/ws", &[], &[])).collect::<Result<_>>()?;
    assert_eq!(eyelet.status()?["viewers"], VIEWERS);
    let budget = BUDGET_KB + VIEWERS * BUDGET_FOR_A_VIEWER_KB;
    eyelet.wait_until("a settled crowd", || eyelet.pss_kb().is_ok_and(|taken| taken < budget))?;
    println!("{} KiB", eyelet.pss_kb()?);
    drop(crowd);
    Ok(())
}
