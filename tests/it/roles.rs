//! A role that ends or stands still troubles nobody but those who cannot do without it.

use std::time::Duration;

use anyhow::{Context as _, Result};
use eyelet_area::GENERATION_SHIFT;
use eyelet_harness::{DEADLINE, Eyelet, Process, Signal, wait_until};

use crate::support::{Got, SMALL, V1, Witness, process, read_answer, start};

/// Silence that tells that frames have stopped: many times their interval.
const SILENCE: Duration = Duration::from_millis(500);

#[test]
fn viewers_stay_when_the_capture_process_is_killed() -> Result<()> {
    let eyelet = start(SMALL, &[])?;
    let mut viewer = V1::watch(&eyelet)?;
    let mut bare = eyelet.websocket("/-/ws", &[], &[])?;
    assert_eq!(viewer.frame()?.header.sequence >> GENERATION_SHIFT, 0);
    bare.next_binary()?;
    let killed = eyelet.kill_role("capture")?;

    let away = viewer.text("state")?;
    assert_eq!(away["state"], "no_signal");
    assert!(away["why"].as_str().is_some_and(|why| !why.is_empty()), "{away}");
    let back = viewer.text("state")?;
    assert_eq!((&back["state"], back.get("why")), (&"live".into(), None));
    // The viewer itself checks that the sequence has grown.
    let frame = viewer.frame()?;
    assert_eq!(frame.header.sequence >> GENERATION_SHIFT, 1, "{frame:?}");
    for _ in 0..30 {
        bare.next_binary()?;
    }

    let status = eyelet.status()?;
    let capture = process(&status, "capture 0")?;
    assert_eq!(capture["restarts"], 1, "{status}");
    assert!(capture["last_end"].as_str().is_some_and(|how| how.contains("signal 9")), "{status}");
    assert_ne!(capture["pid"], killed[0].pid);
    assert_eq!(status["sources"][0]["viewers"], 2, "{status}");
    assert_eq!(process(&status, "serve 0")?["restarts"], 0, "{status}");
    Ok(())
}

/// Two viewers, each on a serve process that is known.
fn one_viewer_each(eyelet: &Eyelet) -> Result<[(Process, V1); 2]> {
    let roles = ["serve 0", "serve 1"].map(|role| eyelet.role(role).pop());
    let [Some(first), Some(second)] = roles else { anyhow::bail!("{:?}", eyelet.children()) };
    // Whoever is stopped accepts nothing.
    second.signal(Signal::STOP)?;
    let mut on_first = V1::watch(eyelet)?;
    on_first.frame()?;
    second.signal(Signal::CONT)?;
    first.signal(Signal::STOP)?;
    let mut on_second = V1::watch(eyelet)?;
    on_second.frame()?;
    first.signal(Signal::CONT)?;
    Ok([(first, on_first), (second, on_second)])
}

/// Counts what is missing between the next frames.
fn missing_of(viewer: &mut V1, frames: usize) -> Result<u64> {
    let mut last = viewer.frame()?.header.sequence;
    let mut missing = 0;
    for _ in 0..frames {
        let sequence = viewer.frame()?.header.sequence;
        missing += sequence - last - 1;
        last = sequence;
    }
    Ok(missing)
}

#[test]
fn a_serve_process_that_is_killed_takes_only_its_own_viewers_along() -> Result<()> {
    let eyelet = start(SMALL, &["--serve-processes", "2"])?;
    let [(first, mut on_first), (_, mut on_second)] = one_viewer_each(&eyelet)?;
    on_second.frame()?;
    first.signal(Signal::KILL)?;
    assert!(missing_of(&mut on_second, 60)? <= 3);
    wait_until("end of the killed process's connection", || on_first.frame().is_err())?;
    // Who comes again is served.
    V1::watch(&eyelet)?.frame()?;
    let is_back = || eyelet.role("serve 0").pop().is_some_and(|now| now.pid != first.pid);
    eyelet.wait_until("new serve process", is_back)?;
    on_second.frame()?;
    Ok(())
}

#[test]
fn a_serve_process_that_stands_still_holds_up_nobody_else() -> Result<()> {
    let eyelet = start(SMALL, &["--serve-processes", "2"])?;
    let [(first, mut on_first), (_, mut on_second)] = one_viewer_each(&eyelet)?;
    first.signal(Signal::STOP)?;
    on_second.frame()?;
    assert!(missing_of(&mut on_second, 60)? <= 3);
    // The status comes without it, by the process that still runs.
    let status = eyelet.status()?;
    assert_eq!(status["processes"].as_array().map(Vec::len), Some(4), "{status}");
    first.signal(Signal::CONT)?;
    for _ in 0..10 {
        on_first.frame()?;
    }
    Ok(())
}

#[test]
fn connections_wait_in_the_listener_while_no_serve_process_is_there() -> Result<()> {
    use std::io::Write as _;
    let eyelet = start(SMALL, &[])?;
    let supervisor = Process::of(eyelet.pid()).context("it ended")?;
    // It starts nothing as long as it stands still.
    supervisor.signal(Signal::STOP)?;
    let killed = eyelet.kill_role("serve")?;
    wait_until("end of the serve process", || !killed[0].is_alive())?;
    let mut waiting = eyelet.raw()?;
    waiting.write_all(b"GET /-/healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
    supervisor.signal(Signal::CONT)?;
    assert_eq!(read_answer(&mut waiting)?.status, 200);
    Ok(())
}

#[test]
fn a_capture_process_that_stands_still_goes_on_where_it_was() -> Result<()> {
    let eyelet = start(SMALL, &[])?;
    let mut viewer = V1::watch(&eyelet)?;
    viewer.frame()?;
    let capture = eyelet.role("capture").pop().context("no capture")?;
    capture.signal(Signal::STOP)?;
    while viewer.next(SILENCE)?.is_some() {}
    // The others answer, and say what they know.
    let status = eyelet.status()?;
    assert_eq!(status["sources"][0]["state"], "no_signal", "{status}");
    capture.signal(Signal::CONT)?;
    let frame = viewer.frame()?;
    assert_eq!(frame.header.sequence >> GENERATION_SHIFT, 0, "{frame:?}");
    for _ in 0..10 {
        viewer.frame()?;
    }
    Ok(())
}

#[test]
fn one_camera_that_ends_does_not_disturb_the_other() -> Result<()> {
    let eyelet = start(SMALL, &["--source", "second=test:64x48@30"])?;
    let witness = Witness::start(&eyelet)?;
    let mut second = V1::connect(&eyelet)?;
    second.start(serde_json::json!({"stream": 1}))?;
    second.frame()?;
    eyelet.kill_role("capture 1")?;
    second.frame_that(|frame| frame.header.sequence >> GENERATION_SHIFT == 1)?;
    while let Some(got) = second.next(DEADLINE)? {
        if matches!(got, Got::Frame(frame) if frame.stamp > 30) {
            break;
        }
    }
    witness.finish()?;
    Ok(())
}
