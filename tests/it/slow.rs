//! Viewers that cannot follow cost nobody else anything, and get the newest when they can.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Result, ensure};
use bytes::BytesMut;
use eyelet_area::{Format, FourCc};
use eyelet_harness::wire::websocket::{Decoder, Message, Role};

use crate::support::{UPGRADE, V1, Witness, read_answer, stamp, start};

const SOURCE: &str = "test:160x120@30";
const WIDTH: u32 = 160;
const HEIGHT: u32 = 120;
/// Bytes that the slow viewer reads in a tenth of a second: about a frame a second.
const SIP: usize = 5000;
/// Frames that the others get meanwhile.
const FRAMES: u64 = 150;

/// Reads a little now and then, and gives the stamps of what was whole by the end.
fn sip(mut stream: TcpStream, stop: &AtomicBool) -> Result<Vec<u64>> {
    let format = Format::packed(FourCc::YUYV, WIDTH, HEIGHT);
    let mut decoder = Decoder::new(Role::Client, 1 << 20);
    let (mut input, mut stamps) = (BytesMut::new(), Vec::new());
    let mut part = [0; SIP];
    while !stop.load(Ordering::Relaxed) {
        let count = stream.read(&mut part)?;
        ensure!(count > 0, "the slow viewer was thrown out");
        input.extend_from_slice(&part[..count]);
        while let Some(message) = decoder.decode(&mut input)? {
            let Message::Binary(frame) = message else { anyhow::bail!("came {message:?}") };
            stamps.push(stamp(&frame, &format)?);
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    Ok(stamps)
}

#[test]
fn slow_viewers_cost_the_others_no_frame_and_get_the_newest_in_the_end() -> Result<()> {
    let eyelet = start(SOURCE, &[])?;
    let mut silent = V1::watch(&eyelet)?;
    let first = silent.frame()?.header;
    let mut slow = eyelet.raw()?;
    slow.write_all(UPGRADE.as_bytes())?;
    assert_eq!(read_answer(&mut slow)?.status, 101);
    let stop = Arc::new(AtomicBool::new(false));
    let sipping = {
        let stop = Arc::clone(&stop);
        std::thread::spawn(move || sip(slow, &stop))
    };
    let witness = Witness::start(&eyelet)?;
    let mut prompt = V1::watch(&eyelet)?;
    let begin = prompt.frame()?.header.sequence;
    let now = prompt.frame_that(|frame| frame.header.sequence >= begin + FRAMES)?.header;
    let seen = witness.finish()?;
    ensure!(seen.frames >= FRAMES * 9 / 10, "{seen:?}");
    stop.store(true, Ordering::Relaxed);
    let sipped = sipping.join().map_err(|_| anyhow::anyhow!("the slow viewer panicked"))??;
    assert!(sipped.is_sorted(), "{sipped:?}");

    // First comes what was on its way, one after the other; then a jump to the newest. All of them are whole.
    let mut last = first;
    let mut queued = 0;
    let jump = loop {
        let header = silent.frame()?.header;
        if header.sequence >= now.sequence {
            break header;
        }
        queued += 1;
        last = header;
    };
    assert!(queued < FRAMES / 2, "{queued} old frames were kept for it");
    let gap = jump.sequence - last.sequence - 1;
    assert!(gap > 0 && jump.flags.discontinuity, "{jump:?} after {last:?}");
    assert_eq!(u64::from(jump.dropped - last.dropped), gap, "{jump:?} after {last:?}");
    Ok(())
}

#[test]
fn a_viewer_that_never_reads_costs_a_bounded_amount() -> Result<()> {
    let eyelet = start("test:640x480@30", &[])?;
    let silent: Vec<_> =
        (0..10).map(|_| eyelet.websocket("/-/ws", &[], &[])).collect::<Result<_>>()?;
    let mut prompt = V1::watch(&eyelet)?;
    let begin = prompt.frame()?.header.sequence;
    prompt.frame_that(|frame| frame.header.sequence >= begin + 30)?;
    let before = eyelet.status()?["frames_sent"].as_u64().unwrap_or(0);
    let begin = prompt.frame()?.header.sequence;
    let end = prompt.frame_that(|frame| frame.header.sequence >= begin + 60)?.header.sequence;
    let sent = eyelet.status()?["frames_sent"].as_u64().unwrap_or(0) - before;
    // Only the one that reads got any.
    assert!(
        sent <= end - begin + 5,
        "{sent} frames were begun while one viewer took {}",
        end - begin
    );
    drop(silent);
    Ok(())
}
