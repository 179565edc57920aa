//! How a run ends, in order and otherwise.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use eyelet_harness::{Process, Signal, wait_until};

use crate::support::{BIN, SMALL, V1, VGA, start};

fn ends_in_order_on(signal: Signal) -> Result<()> {
    let eyelet = start(SMALL, &["--serve-processes", "2"])?;
    let mut viewers = vec![V1::watch(&eyelet)?.ws, eyelet.websocket("/-/ws", &[], &[])?];
    viewers.push(V1::connect(&eyelet)?.ws);
    for viewer in &mut viewers[..2] {
        viewer.next_binary()?;
    }
    eyelet.signal(signal)?;
    for viewer in &mut viewers {
        assert_eq!(viewer.next_close()?, Some(1001));
        viewer.send_close(1001, "")?;
    }
    assert_eq!(eyelet.wait_end()?.code(), Some(0));
    Ok(())
}

#[test]
fn sigterm_tells_every_viewer_to_come_again_and_leaves_nothing() -> Result<()> {
    ends_in_order_on(Signal::TERM)
}

#[test]
fn sigint_does_the_same() -> Result<()> {
    ends_in_order_on(Signal::INT)
}

#[test]
fn a_viewer_that_does_not_read_cannot_keep_the_program() -> Result<()> {
    let eyelet = start(VGA, &[])?;
    let _silent = eyelet.websocket("/-/ws", &[], &[])?;
    let mut viewer = V1::watch(&eyelet)?;
    viewer.frame()?;
    assert_eq!(eyelet.stop()?.code(), Some(0));
    Ok(())
}

#[test]
fn the_second_sigterm_ends_at_once_what_the_first_waits_for() -> Result<()> {
    let eyelet = start(VGA, &[])?;
    let mut silent = eyelet.websocket("/-/ws", &[], &[])?;
    silent.next_binary()?;
    // Frames wait for it now, and the close behind them.
    let mut viewer = V1::watch(&eyelet)?;
    for _ in 0..10 {
        viewer.frame()?;
    }
    eyelet.signal(Signal::TERM)?;
    eyelet.wait_line(|line| line.ends_with(": stopping"))?;
    eyelet.signal(Signal::TERM)?;
    eyelet.wait_line(|line| line.ends_with(": stopping at once"))?;
    assert_eq!(eyelet.wait_end()?.code(), Some(0));
    Ok(())
}

#[test]
fn children_end_with_a_supervisor_that_is_killed() -> Result<()> {
    let eyelet = start(SMALL, &["--serve-processes", "2", "--source", "back=test:64x48@5"])?;
    let children = eyelet.children();
    assert_eq!(children.len(), 6);
    eyelet.signal(Signal::KILL)?;
    eyelet.wait_end()?;
    // The kernel ends them after it; each needs a moment on a core for that.
    eyelet.wait_until("end of the children", || children.iter().all(|child| !child.is_alive()))
}

/// A run in the place where the system keeps runtime folders; killed when dropped.
struct Plain(Child);

impl Plain {
    /// Starts it and waits until it listens.
    fn start(base: &Path) -> Result<Self> {
        let child = Command::new(BIN)
            .args(["--listen", "127.0.0.1:0", "--source", SMALL])
            .env("XDG_RUNTIME_DIR", base)
            .env_remove("RUNTIME_DIRECTORY")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let mut plain = Self(child);
        let stdout = plain.0.stdout.as_mut().context("no standard output")?;
        let is_listening = |line: &str| line.starts_with("listening on ");
        let mut lines = BufReader::new(stdout).lines().map_while(Result::ok);
        ensure!(lines.any(|line| is_listening(&line)), "it ended");
        Ok(plain)
    }

    fn folder(&self, base: &Path) -> PathBuf {
        base.join("eyelet").join(self.0.id().to_string())
    }
}

impl Drop for Plain {
    fn drop(&mut self) {
        drop((self.0.kill(), self.0.wait()));
    }
}

#[test]
fn what_a_killed_run_leaves_is_swept_by_the_next() -> Result<()> {
    let base = tempfile::tempdir()?;
    let living = Plain::start(base.path())?;
    let mut killed = Plain::start(base.path())?;
    let left = killed.folder(base.path());
    killed.0.kill()?;
    killed.0.wait()?;
    assert!(left.join("0-camera").exists());
    let mut next = Plain::start(base.path())?;
    assert!(!left.exists());
    assert!(living.folder(base.path()).join("0-camera").exists());
    let folder = next.folder(base.path());
    Process::of(next.0.id()).context("it ended")?.signal(Signal::TERM)?;
    wait_until("end of the program", || !matches!(next.0.try_wait(), Ok(None)))?;
    assert!(!folder.exists());
    Ok(())
}
