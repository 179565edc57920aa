//! A thousand viewers that cannot follow, and twenty that can: these keep the full rate, and memory stays small.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use eyelet::stamp::Layout;
use eyelet_area::{Format, FourCc};
use eyelet_harness::wire::v1::FrameHeader;
use eyelet_harness::wire::websocket::Message;
use eyelet_harness::{DEADLINE, Eyelet, WsClient, wait_until};

use crate::machine::Machine;
use crate::stage::{executable, set_own_limits};

const WIDTH: u32 = 160;
const HEIGHT: u32 = 120;
/// A rate at which twenty-one readers in one process keep up also on a slow machine.
const FPS: u32 = 15;
const SLOW: usize = 1000;
const HEALTHY: usize = 20;
/// How long all watch together.
const LASTS: Duration = Duration::from_secs(10);
/// Proportional memory of the whole tree, in KB: the promise.
const MOST_KB: u64 = 60_000;
/// What the worst healthy viewer must have of the full rate; the machine does other things too.
const ENOUGH: f64 = 0.95;
/// What is read of a slow viewer at a time: its kernel keeps little, so that the server feels it.
const SIP: Duration = Duration::from_micros(200);

/// Reads a little of each in turn until the end; gives how many whole frames there were.
fn sip(mut viewers: Vec<WsClient>, is_over: &AtomicBool) -> Result<u64> {
    let mut last = vec![0; viewers.len()];
    let mut frames = 0;
    while !is_over.load(Ordering::Relaxed) {
        for (viewer, last) in viewers.iter_mut().zip(&mut last) {
            let Some(message) = viewer.next_message(SIP).context("a slow viewer")? else {
                continue;
            };
            if let Message::Binary(message) = message {
                *last = check(&message, *last)?;
                frames += 1;
            }
        }
    }
    Ok(frames)
}

/// Gives a frame's sequence when it is whole and newer than the last.
fn check(message: &[u8], last: u64) -> Result<u64> {
    let layout = Layout::for_format(&Format::packed(FourCc::YUYV, WIDTH, HEIGHT));
    let layout = layout.context("no room for a stamp")?;
    let (header, start) = FrameHeader::decode(message)?;
    ensure!(layout.read_frame(&message[start..]).is_some(), "a torn frame");
    ensure!(header.sequence > last, "{} after {last}", header.sequence);
    Ok(header.sequence)
}

fn connect(eyelet: &Eyelet, keeps_little: bool) -> Result<WsClient> {
    let protocols = ["eyelet.v1"];
    let mut viewer = match keeps_little {
        true => WsClient::connect_keeping_little(eyelet.addr(), "/-/ws", &protocols)?,
        false => eyelet.websocket("/-/ws", &protocols, &[])?,
    };
    viewer.send_text("{\"t\":\"start\",\"stream\":0}")?;
    Ok(viewer)
}

/// Counts the frames of one healthy viewer.
fn watch(mut viewer: WsClient, is_over: Arc<AtomicBool>) -> JoinHandle<Result<u32>> {
    std::thread::spawn(move || {
        let (mut frames, mut last) = (0, 0);
        while !is_over.load(Ordering::Relaxed) {
            let Some(message) = viewer.next_message(DEADLINE)? else { bail!("no frame") };
            if let Message::Binary(message) = message {
                last = check(&message, last)?;
                frames += 1;
            }
        }
        Ok(frames)
    })
}

/// Lets the healthy ones watch, and gives what share of the full rate the worst one had.
fn full_rate(viewers: Vec<WsClient>, peak_kb: &mut u64, eyelet: &Eyelet) -> Result<f64> {
    let is_over = Arc::new(AtomicBool::new(false));
    let begin = Instant::now();
    let watching: Vec<_> =
        viewers.into_iter().map(|viewer| watch(viewer, Arc::clone(&is_over))).collect();
    while begin.elapsed() < LASTS {
        *peak_kb = eyelet.pss_kb()?.max(*peak_kb);
        std::thread::sleep(Duration::from_millis(250));
    }
    is_over.store(true, Ordering::Relaxed);
    let wanted = begin.elapsed().as_secs_f64() * f64::from(FPS);
    let mut worst = f64::INFINITY;
    for viewer in watching {
        let frames = viewer.join().map_err(|_| anyhow::anyhow!("a viewer panicked"))??;
        worst = worst.min(f64::from(frames) / wanted);
    }
    Ok(worst)
}

#[test]
fn a_thousand_slow_viewers_cost_twenty_healthy_ones_nothing_and_little_memory() -> Result<()> {
    let _alone = super::alone();
    let machine = Machine::watch();
    set_own_limits()?;
    let source = format!("test:{WIDTH}x{HEIGHT}@{FPS}");
    let eyelet = Eyelet::start(&executable(), &["--listen", "127.0.0.1:0", "--source", &source])?;
    let healthy = |count| (0..count).map(|_| connect(&eyelet, false)).collect::<Result<Vec<_>>>();
    let mut peak_kb = 0;
    let alone = full_rate(healthy(HEALTHY)?, &mut peak_kb, &eyelet)?;
    ensure!(alone >= ENOUGH, "machine too slow: {alone:.3} of the full rate without slow viewers");

    let slow = (0..SLOW).map(|_| connect(&eyelet, true)).collect::<Result<Vec<_>>>()?;
    let is_over = Arc::new(AtomicBool::new(false));
    let sipping = {
        let is_over = Arc::clone(&is_over);
        std::thread::spawn(move || sip(slow, &is_over))
    };
    wait_until("all viewers", || {
        eyelet.status().is_ok_and(|status| status["viewers"].as_u64() >= Some(SLOW as u64))
    })?;
    let among = full_rate(healthy(HEALTHY)?, &mut peak_kb, &eyelet)?;
    is_over.store(true, Ordering::Relaxed);
    let sipped = sipping.join().map_err(|_| anyhow::anyhow!("the slow viewers panicked"))??;
    println!(
        "healthy viewers alone {alone:.3} of the full rate, among {SLOW} slow ones {among:.3}; these took {sipped} \
         frames; at most {peak_kb} KB"
    );
    let possible = LASTS.as_secs() * u64::from(FPS) * SLOW as u64;
    ensure!((1..possible / 2).contains(&sipped), "slow viewers took {sipped} of {possible} frames");
    if let (true, Some(slow)) = (among < ENOUGH, machine.is_too_slow()) {
        bail!("{slow}");
    }
    ensure!(among >= ENOUGH, "the healthy viewers had {among:.3} of the full rate");
    ensure!(peak_kb < MOST_KB, "{peak_kb} KB with {SLOW} slow viewers");
    Ok(())
}
