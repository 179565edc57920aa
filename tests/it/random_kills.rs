//! Roles killed at random, over and over: every frame that is shown is whole, and nothing piles up.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;

use anyhow::{Context as _, Result, bail, ensure};
use eyelet_harness::process::{descriptors, memory};
use eyelet_harness::{Eyelet, Process, Signal};
use serde_json::Value;

use crate::support::{SMALL, V1, Wrong, start};

const ROLES: [&str; 4] = ["capture 0", "encode 1", "serve 0", "serve 1"];
const VIEWERS: usize = 3;
/// Any number; the same one kills the same roles in the same order.
const SEED: u64 = 0x005E_EDE7_E1E7;

/// A viewer that comes again whenever it is thrown out.
struct Viewer {
    frames: Arc<AtomicU64>,
    thread: JoinHandle<Result<u64>>,
}

impl Viewer {
    fn start(eyelet: &Arc<Eyelet>, stop: &Arc<AtomicBool>) -> Self {
        let (eyelet, stop) = (Arc::clone(eyelet), Arc::clone(stop));
        let frames = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&frames);
        let thread = std::thread::spawn(move || watch(&eyelet, &stop, &counter));
        Self { frames, thread }
    }
}

/// Watches until the end, and gives how often it was thrown out. Fails on a frame that cannot be, and when refused.
fn watch(eyelet: &Eyelet, stop: &AtomicBool, frames: &AtomicU64) -> Result<u64> {
    let mut thrown_out = 0;
    while !stop.load(Ordering::Relaxed) {
        let error = match watch_once(eyelet, stop, frames) {
            Ok(()) => return Ok(thrown_out),
            Err(error) => error,
        };
        let io = error.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
        if error.is::<Wrong>() || io == Some(std::io::ErrorKind::ConnectionRefused) {
            return Err(error);
        }
        thrown_out += 1;
    }
    Ok(thrown_out)
}

fn watch_once(eyelet: &Eyelet, stop: &AtomicBool, frames: &AtomicU64) -> Result<()> {
    let mut viewer = V1::watch(eyelet)?;
    while !stop.load(Ordering::Relaxed) {
        viewer.frame()?;
        frames.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}

/// Source: Marsaglia, "Xorshift RNGs" (2003).
fn random(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

/// Tells whether all roles are there and the encoder and both serve processes are subscribed.
fn serves(status: &Value) -> bool {
    let source = &status["sources"][0];
    let all_there = status["processes"]
        .as_array()
        .is_some_and(|all| all.iter().all(|process| process["pid"].is_u64()));
    all_there && source["state"] == "live" && source["subscribers"] == 3
}

/// Kills whoever does `role`, and waits until another does it and every viewer sees frames again.
fn kill(eyelet: &Eyelet, role: &str, viewers: &[Viewer]) -> Result<()> {
    let victim: Process = eyelet.role(role).pop().context("nobody does it")?;
    victim.signal(Signal::KILL)?;
    let is_replaced = || eyelet.role(role).pop().is_some_and(|now| now.pid != victim.pid);
    eyelet.wait_until("successor", is_replaced)?;
    eyelet.wait_until("serving again", || eyelet.status().is_ok_and(|now| serves(&now)))?;
    for viewer in viewers {
        let before = viewer.frames.load(Ordering::Relaxed);
        let is_seeing =
            || viewer.frames.load(Ordering::Relaxed) > before + 1 || viewer.thread.is_finished();
        eyelet.wait_until("frame after the kill", is_seeing)?;
        ensure!(!viewer.thread.is_finished(), "a viewer has given up");
    }
    Ok(())
}

/// The supervisor's descriptors and heap in KiB, at rest.
fn held(eyelet: &Eyelet) -> Result<(usize, u64)> {
    Ok((descriptors(eyelet.pid())?.len(), memory(eyelet.pid())?.anonymous_kb))
}

#[test]
fn no_frame_is_torn_and_nothing_piles_up_under_random_kills() -> Result<()> {
    let kills: u32 = std::env::var("EYELET_KILLS").map_or(Ok(40), |count| count.parse())?;
    println!("{kills} kills, seed {SEED:#x}; EYELET_KILLS sets another number");
    let more = ["--serve-processes", "2", "--healthy-after", "0.05", "--restart-cap", "0.2"];
    let eyelet = Arc::new(start(SMALL, &more)?);
    let stop = Arc::new(AtomicBool::new(false));
    let viewers: Vec<Viewer> = (0..VIEWERS).map(|_| Viewer::start(&eyelet, &stop)).collect();
    let mut state = SEED;
    let mut half = (0, 0);
    let mut killing = Ok(());
    for number in 0..kills {
        if number == kills / 2 {
            half = held(&eyelet)?;
        }
        let role = ROLES[usize::try_from(random(&mut state) % 4)?];
        killing = kill(&eyelet, role, &viewers).with_context(|| format!("kill {number}, {role}"));
        if killing.is_err() {
            break;
        }
    }
    let end = held(&eyelet)?;
    stop.store(true, Ordering::Relaxed);
    let mut thrown_out = 0;
    for viewer in viewers {
        match viewer.thread.join() {
            Ok(watched) => thrown_out += watched?,
            Err(_) => bail!("a viewer panicked"),
        }
    }
    killing?;
    println!("viewers were thrown out {thrown_out} times; at half {half:?}, at the end {end:?}");
    assert!(end.0 <= half.0 + 1, "descriptors: {} at half, {} at the end", half.0, end.0);
    assert!(end.1 <= half.1 + 128, "heap in KiB: {} at half, {} at the end", half.1, end.1);
    let status = eyelet.status()?;
    let restarts = status["processes"].as_array().into_iter().flatten();
    let restarts: u64 = restarts.filter_map(|process| process["restarts"].as_u64()).sum();
    assert_eq!(restarts, u64::from(kills), "{status}");
    Ok(())
}
