//! Frames from commands and files, whole and otherwise.

use std::time::Duration;

use anyhow::{Context as _, Result};
use eyelet::stamp::Layout;
use eyelet_area::{Format, FourCc};
use eyelet_harness::{DEADLINE, Eyelet, wait_until};

use crate::support::{V1, run, start};

const RAW: &str = "format=YUYV&size=64x48&fps=30";
const RAW_LEN: usize = 64 * 48 * 2;

/// Stamped frames, one after the other, as a file or a command gives them.
fn frames(stamps: std::ops::RangeInclusive<u64>) -> Result<Vec<u8>> {
    let format = Format::packed(FourCc::YUYV, 64, 48);
    let layout = Layout::for_format(&format).context("no room for a stamp")?;
    let mut all = Vec::new();
    for stamp in stamps {
        let mut frame = vec![128; RAW_LEN];
        layout.write_frame(&mut frame, stamp);
        all.extend(frame);
    }
    Ok(all)
}

#[test]
fn a_command_that_writes_raw_frames_is_a_camera() -> Result<()> {
    let command =
        format!("sh -c \"while :; do head -c {RAW_LEN} /dev/zero | tr '\\0' x; sleep 0.1; done\"");
    let eyelet = start(&format!("exec:{command}?format=YUYV&size=64x48&fps=10"), &[])?;
    let mut viewer = eyelet.websocket("/-/ws", &[], &[])?;
    for _ in 0..5 {
        let frame = viewer.next_binary()?;
        assert_eq!(frame.len(), RAW_LEN);
        assert!(frame.iter().all(|byte| *byte == b'x'));
    }
    // Its first frame introduces it.
    eyelet.wait_line(|line| line == "sh detected width = 64")?;
    let status = eyelet.status()?;
    assert_eq!(status["sources"][0]["format"]["fps"], 10.0, "{status}");
    let commands = eyelet.role("sh");
    assert_eq!(commands.len(), 1, "{:?}", eyelet.children());
    eyelet.signal(eyelet_harness::Signal::TERM)?;
    // Nothing that it started is left either.
    assert!(eyelet.wait_end()?.success());
    Ok(())
}

#[test]
fn a_command_that_ends_is_told_and_started_again() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let clip = folder.path().join("clip");
    std::fs::write(&clip, frames(1..=3)?)?;
    let source = format!("exec:sh -c 'cat {}; sleep 0.2; exit 3'?{RAW}", clip.display());
    let eyelet = start(&source, &["--restart-cap", "0.2"])?;
    let mut viewer = V1::watch(&eyelet)?;
    for _ in 0..2 {
        viewer.frame()?;
        let state = viewer.text("state")?;
        assert_eq!(state["state"], "no_signal");
        let why = state["why"].as_str().unwrap_or("");
        assert!(why.contains("ended with status 3") && why.contains("started again"), "{state}");
        assert_eq!(viewer.text("state")?["state"], "live");
    }
    // The same process goes on counting, whatever the command's own numbers are.
    let frame = viewer.frame_that(|frame| frame.header.sequence > 3)?;
    assert!(frame.stamp <= 3, "{frame:?}");
    Ok(())
}

/// Waits until a command that says so in the file `runs` was started so often.
fn wait_runs(eyelet: &Eyelet, count: usize) -> Result<()> {
    let runs = eyelet.folder().join("runs");
    eyelet.wait_until("further start of the command", || {
        std::fs::read(&runs).is_ok_and(|runs| runs.len() >= count)
    })
}

#[test]
fn a_command_that_prints_nonsense_is_told_in_one_clear_line() -> Result<()> {
    let source = "exec:sh -c 'printf x >> runs; echo no such camera, sorry'";
    let eyelet = start(source, &["--restart-cap", "0.1"])?;
    wait_runs(&eyelet, 4)?;
    let told: Vec<String> =
        eyelet.lines().into_iter().filter(|line| line.contains("no signal")).collect();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("no such camera, sorry") && told[0].contains("format="), "{told:?}");
    let status = eyelet.status()?;
    assert_eq!(status["sources"][0]["state"], "no_signal");
    Ok(())
}

#[test]
fn a_command_that_prints_half_a_frame_shows_none() -> Result<()> {
    let source = format!("exec:sh -c 'printf x >> runs; head -c 6000 /dev/zero'?{RAW}");
    let eyelet = start(&source, &["--restart-cap", "0.1"])?;
    wait_runs(&eyelet, 3)?;
    let status = eyelet.status()?;
    let source = &status["sources"][0];
    assert_eq!(
        (&source["state"], &source["published"]),
        (&"no_signal".into(), &0.into()),
        "{status}"
    );
    assert!(source["corrupt"].as_u64() >= Some(1), "{status}");
    Ok(())
}

#[test]
fn frames_that_nobody_follows_are_counted_and_not_made() -> Result<()> {
    let eyelet = start("test:64x48@30", &[])?;
    let source = || eyelet.status().unwrap_or_default()["sources"][0].clone();
    let count = |source: &serde_json::Value, name: &str| source[name].as_u64().unwrap_or(0);
    wait_until("frames", || count(&source(), "captured") >= 5)?;
    let alone = source();
    assert_eq!((&alone["state"], count(&alone, "published")), (&"live".into(), 0), "{alone}");
    let mut viewer = eyelet.websocket("/-/ws", &[], &[])?;
    viewer.next_message(DEADLINE)?.context("no frame")?;
    assert!(count(&source(), "published") > 0);
    drop(viewer);
    // Until the serve role has noticed, some more are made.
    wait_until("rest", || {
        let before = source();
        std::thread::sleep(Duration::from_millis(200));
        let after = source();
        let is_going_on = count(&after, "captured") >= count(&before, "captured") + 3;
        is_going_on && count(&after, "published") == count(&before, "published")
    })
}

#[test]
fn a_raw_file_is_played_over_and_over() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let clip = folder.path().join("clip");
    std::fs::write(&clip, frames(1..=3)?)?;
    let eyelet = start(&format!("file:{}?{RAW}", clip.display()), &[])?;
    let mut viewer = V1::watch(&eyelet)?;
    for _ in 0..10 {
        let frame = viewer.frame()?;
        assert_eq!((frame.header.sequence - 1) % 3 + 1, frame.stamp, "{frame:?}");
    }
    Ok(())
}

#[test]
fn the_rest_of_a_file_that_is_no_whole_frame_is_left_out() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let clip = folder.path().join("clip");
    std::fs::write(&clip, [&frames(1..=2)?[..], &[0; 100]].concat())?;
    let eyelet = start(&format!("file:{}?{RAW}", clip.display()), &[])?;
    let mut viewer = V1::watch(&eyelet)?;
    for _ in 0..6 {
        let frame = viewer.frame()?;
        assert_eq!((frame.header.sequence - 1) % 2 + 1, frame.stamp, "{frame:?}");
    }
    let told = eyelet.lines().into_iter().filter(|line| line.contains("cut off")).count();
    assert_eq!(told, 1);
    Ok(())
}

#[test]
fn a_file_that_is_replaced_is_told_and_followed() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let clip = folder.path().join("clip");
    std::fs::write(&clip, frames(1..=3)?)?;
    let eyelet = start(&format!("file:{}?{RAW}", clip.display()), &[])?;
    let mut viewer = V1::watch(&eyelet)?;
    viewer.frame()?;
    let next = folder.path().join("next");
    std::fs::write(&next, frames(100..=102)?)?;
    std::fs::rename(&next, &clip)?;
    viewer.frame_that(|frame| frame.stamp >= 100)?;
    Ok(())
}

#[test]
fn a_file_without_a_whole_frame_is_refused() -> Result<()> {
    let folder = tempfile::tempdir()?;
    for (content, options, needle) in [
        (&b""[..], "", "clip"),
        (b"neither this nor that", "", "clip"),
        (b"too short", RAW, "6144"),
    ] {
        let clip = folder.path().join("clip");
        std::fs::write(&clip, content)?;
        let source = format!("file:{}?{options}", clip.display());
        let ended = run(&["--listen", "127.0.0.1:0", "--source", &source])?;
        assert_eq!(ended.code, Some(1), "{ended:?}");
        let said = ended.stderr.lines().find(|line| line.starts_with("eyelet: ")).unwrap_or("");
        assert!(said.contains(needle), "{ended:?}");
    }
    Ok(())
}

#[test]
fn the_command_ends_with_the_capture_process_that_started_it() -> Result<()> {
    let source =
        format!("exec:sh -c 'while :; do head -c {RAW_LEN} /dev/zero; sleep 0.05; done'?{RAW}");
    let eyelet = start(&source, &[])?;
    let mut viewer = eyelet.websocket("/-/ws", &[], &[])?;
    viewer.next_binary()?;
    let commands = eyelet.role("sh");
    eyelet.kill_role("capture")?;
    eyelet.wait_until("end of the command", || {
        !commands.iter().any(eyelet_harness::Process::is_alive)
    })?;
    viewer.next_binary()?;
    Ok(())
}
