//! Viewers are spread evenly over the serve processes, and none of these holds up another's.

use anyhow::{Context as _, Result};
use eyelet_harness::{DEADLINE, Eyelet, Signal, WsClient};
use serde_json::Value;

use crate::support::{SMALL, process, start};

const PROCESSES: [&str; 4] = ["serve 0", "serve 1", "serve 2", "serve 3"];
const VIEWERS: usize = 10;

fn four_processes() -> Result<Eyelet> {
    start(SMALL, &["--serve-processes", "4", "--healthy-after", "0.1"])
}

/// Viewers that have got a frame, so that they are counted.
fn viewers(eyelet: &Eyelet, count: usize) -> Result<Vec<WsClient>> {
    let mut viewers =
        (0..count).map(|_| eyelet.websocket("/-/ws", &[], &[])).collect::<Result<Vec<_>>>()?;
    viewers.iter_mut().try_for_each(|viewer| viewer.next_binary().map(drop))?;
    Ok(viewers)
}

/// Viewers of each process that says how it is.
fn counts(status: &Value) -> Result<Vec<u64>> {
    let counts = PROCESSES.iter().map(|role| Ok(process(status, role)?["viewers"].as_u64()));
    Ok(counts.collect::<Result<Vec<_>>>()?.into_iter().flatten().collect())
}

/// Waits until all processes tell their viewers, and all viewers are there, evenly.
fn wait_even(eyelet: &Eyelet, count: usize) -> Result<()> {
    let mut told = Vec::new();
    let is_even = || {
        told = eyelet.status().and_then(|status| counts(&status)).unwrap_or_default();
        let (least, most) = (told.iter().min(), told.iter().max());
        told.len() == PROCESSES.len()
            && told.iter().sum::<u64>() == count as u64
            && least.zip(most).is_some_and(|(least, most)| most - least <= 1)
    };
    let waited = eyelet.wait_until("even spread", is_even);
    waited.with_context(|| format!("viewers of each process: {told:?}"))
}

/// Waits until all processes say how they are.
fn wait_all(eyelet: &Eyelet) -> Result<()> {
    eyelet.wait_until("answer of all serve processes", || {
        let told = eyelet.status().and_then(|status| counts(&status));
        told.is_ok_and(|told| told.len() == PROCESSES.len())
    })
}

#[test]
fn viewers_are_spread_evenly_also_after_a_process_was_killed() -> Result<()> {
    let eyelet = four_processes()?;
    wait_all(&eyelet)?;
    let mut watching = viewers(&eyelet, VIEWERS)?;
    wait_even(&eyelet, VIEWERS)?;

    let killed = eyelet.kill_role("serve 2")?;
    let is_back = || eyelet.role("serve 2").pop().is_some_and(|now| now.pid != killed[0].pid);
    eyelet.wait_until("new serve process", is_back)?;
    wait_all(&eyelet)?;
    // Those of the others go on; its own come again.
    watching.retain_mut(|viewer| viewer.next_message(DEADLINE).is_ok() && still_watches(viewer));
    let lost = VIEWERS - watching.len();
    assert!((2..=3).contains(&lost), "{lost} lost their process");
    watching.extend(viewers(&eyelet, lost)?);
    wait_even(&eyelet, VIEWERS)
}

/// Reads what had been sent before the end, too.
fn still_watches(viewer: &mut WsClient) -> bool {
    (0..30).all(|_| matches!(viewer.next_message(DEADLINE), Ok(Some(_))))
}

#[test]
fn a_process_that_stands_still_is_passed_over() -> Result<()> {
    let eyelet = four_processes()?;
    wait_all(&eyelet)?;
    let stopped = eyelet.role("serve 1").pop().context("no serve 1")?;
    stopped.signal(Signal::STOP)?;
    let mut watching = viewers(&eyelet, 8)?;
    for viewer in &mut watching {
        assert!(still_watches(viewer));
    }
    // Also while it has fewer than all others, requests are answered.
    for _ in 0..5 {
        assert_eq!(eyelet.get("/-/healthz")?.status, 200);
    }
    stopped.signal(Signal::CONT)?;
    // It has the least to do now, so whoever comes next is its own.
    wait_all(&eyelet)?;
    let told = process(&eyelet.status()?, "serve 1")?;
    assert_eq!(told["viewers"], 0, "{told}");
    watching.extend(viewers(&eyelet, 1)?);
    eyelet.wait_until("viewer of the process that stood still", || {
        let status = eyelet.status().and_then(|status| process(&status, "serve 1"));
        status.is_ok_and(|now| now["viewers"] == 1)
    })
}
