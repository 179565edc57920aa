//! What memory it takes: while nobody watches, and for each viewer. Here, as a debug build is many times the size.

use anyhow::Result;

use crate::{start, start_with};

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

/// KiB of an idle request in the serve process, and in a host with coroutines.
const BUDGET_FOR_A_REQUEST_KB: u64 = 10 + 25;
const REQUESTS: u64 = 300;
/// Answers what it is told, and is told nothing.
const ECHO: &str =
    "sub { uwsgi::websocket_handshake(); uwsgi::websocket_send(uwsgi::websocket_recv()) while 1 }";

#[test]
fn requests_that_wait_in_one_process_of_the_app_take_little() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let script = folder.path().join("echo.pl");
    std::fs::write(&script, ECHO)?;
    let script = script.display().to_string();
    let eyelet = start_with(&["--psgi", &script, "--coroutines", &REQUESTS.to_string()])?;
    // Once, so that all is loaded.
    eyelet.websocket("/", &[], &[])?;
    let before = eyelet.pss_kb()?;
    let idle: Vec<_> =
        (0..REQUESTS).map(|_| eyelet.websocket("/", &[], &[])).collect::<Result<_>>()?;
    let taken = || eyelet.pss_kb().map(|now| now.saturating_sub(before));
    let budget = REQUESTS * BUDGET_FOR_A_REQUEST_KB;
    eyelet.wait_until("settled requests", || taken().is_ok_and(|taken| taken < budget))?;
    println!("{} KiB for {} requests", taken()?, idle.len());
    Ok(())
}
