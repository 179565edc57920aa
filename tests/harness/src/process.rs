//! What the kernel tells about processes.
//!
//! Source: `proc_pid_stat(5)`, `proc_pid_cmdline(5)`, `proc_pid_environ(5)`, `proc_pid_fd(5)`; `smaps_rollup` in
//! "The /proc Filesystem", Linux kernel documentation.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use rustix::process::{Pid, Signal, kill_process};

/// A process as it was when it was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// Its number.
    pub pid: u32,
    /// Its parent's number.
    pub parent: u32,
    /// What it does: what follows `eyelet: ` in the name that `ps` shows (`capture 0`), or else its program's name.
    pub role: String,
    /// When it started, in clock ticks since boot: tells it from a later process of the same number.
    pub started: u64,
}

impl Process {
    /// Looks at a process; `None` when it has ended, also while its parent has not asked for its status (a zombie).
    #[must_use]
    pub fn of(pid: u32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let (parent, started) = parse_stat(&stat)?;
        let command_line = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        Some(Self { pid, parent, role: role(&command_line), started })
    }

    /// Tells whether it still runs.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        Self::of(self.pid).is_some_and(|now| now.started == self.started)
    }

    /// Tells whether it does `role`: `capture` and `capture 0` both match a process that shows `capture 0`.
    #[must_use]
    pub fn does(&self, role: &str) -> bool {
        self.role.strip_prefix(role).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
    }

    /// Sends it a signal.
    ///
    /// # Errors
    /// It has ended, or may not be signalled.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        anyhow::ensure!(self.is_alive(), "process {} ({}) has ended", self.pid, self.role);
        let pid =
            i32::try_from(self.pid).ok().and_then(Pid::from_raw).context("no such process")?;
        kill_process(pid, signal)
            .with_context(|| format!("failed to signal process {} ({})", self.pid, self.role))
    }
}

/// The parent and the start; `None` for a zombie.
fn parse_stat(stat: &str) -> Option<(u32, u64)> {
    const START: usize = 19; // field 22, counted from the state, which is field 3
    let (_, rest) = stat.rsplit_once(')')?; // the name may hold anything, also `)`
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    let state = *fields.first()?;
    if state == "Z" || state == "X" {
        return None;
    }
    Some((fields.get(1)?.parse().ok()?, fields.get(START)?.parse().ok()?))
}

fn role(command_line: &[u8]) -> String {
    let name = command_line.split(|byte| *byte == 0).next().unwrap_or_default();
    let name = String::from_utf8_lossy(name);
    match name.strip_prefix("eyelet: ") {
        Some(role) => role.trim_end().to_owned(),
        None => name.rsplit('/').next().unwrap_or_default().to_owned(),
    }
}

/// All processes of the machine.
pub(crate) fn all() -> Vec<Process> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| Process::of(entry.file_name().to_str()?.parse().ok()?)).collect()
}

/// Gives the children of `pid`, their children, and so on, by number.
#[must_use]
pub fn descendants(pid: u32) -> Vec<Process> {
    let (mut others, mut found) = (all(), Vec::<Process>::new());
    loop {
        let is_ours = |other: &Process| {
            other.parent == pid || found.iter().any(|process| process.pid == other.parent)
        };
        let (more, rest): (Vec<_>, Vec<_>) = others.into_iter().partition(is_ours);
        if more.is_empty() {
            found.sort_by_key(|process| process.pid);
            return found;
        }
        found.extend(more);
        others = rest;
    }
}

/// Gives the processes whose environment has this entry (`NAME=value`), whoever their parent is by now.
pub(crate) fn marked(entry: &str) -> Vec<Process> {
    let is_marked = |process: &Process| {
        fs::read(format!("/proc/{}/environ", process.pid))
            .is_ok_and(|all| all.split(|byte| *byte == 0).any(|one| one == entry.as_bytes()))
    };
    all().into_iter().filter(is_marked).collect()
}

/// A process's share of memory: pages that several processes map are divided among them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// All of it, in KiB.
    pub pss_kb: u64,
    /// Of that, heap and stack.
    pub anonymous_kb: u64,
    /// Of that, mapped files: the program and its libraries.
    pub file_kb: u64,
    /// Of that, shared memory: mapped frames.
    pub shmem_kb: u64,
}

/// Tells how much memory a process takes.
///
/// # Errors
/// The process has ended or may not be looked at.
pub fn memory(pid: u32) -> Result<Memory> {
    let path = format!("/proc/{pid}/smaps_rollup");
    let text = fs::read_to_string(&path).with_context(|| format!("failed to read `{path}`"))?;
    let kb = |key: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
        line.and_then(|rest| rest.split_ascii_whitespace().next()?.parse().ok()).unwrap_or(0)
    };
    Ok(Memory {
        pss_kb: kb("Pss"),
        anonymous_kb: kb("Pss_Anon"),
        file_kb: kb("Pss_File"),
        shmem_kb: kb("Pss_Shmem"),
    })
}

/// Tells a process's proportional memory in KiB.
///
/// # Errors
/// As [`memory`].
pub fn pss_kb(pid: u32) -> Result<u64> {
    Ok(memory(pid)?.pss_kb)
}

/// Gives a process's open descriptors: number, and what it is (`/dev/video0`, `socket:[123]`, `/memfd:frame (deleted)`).
///
/// # Errors
/// The process has ended or may not be looked at.
pub fn descriptors(pid: u32) -> Result<Vec<(u32, PathBuf)>> {
    let path = format!("/proc/{pid}/fd");
    let entries = fs::read_dir(&path).with_context(|| format!("failed to read `{path}`"))?;
    let one = |entry: fs::DirEntry| {
        Some((entry.file_name().to_str()?.parse().ok()?, fs::read_link(entry.path()).ok()?))
    };
    let mut found: Vec<_> = entries.flatten().filter_map(one).collect();
    found.sort();
    Ok(found)
}

/// Tells how much shared memory the whole machine holds, in KiB: mapped or not, frames in flight included.
///
/// # Errors
/// `/proc/meminfo` cannot be read.
pub fn machine_shmem_kb() -> Result<u64> {
    let text = fs::read_to_string("/proc/meminfo").context("failed to read `/proc/meminfo`")?;
    let line = text.lines().find_map(|line| line.strip_prefix("Shmem:"));
    line.and_then(|rest| rest.split_ascii_whitespace().next()?.parse().ok())
        .context("`/proc/meminfo` has no `Shmem`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_do_not_confuse_the_parser() {
        let rest = "S 7 3 3 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 4711 0 0";
        assert_eq!(parse_stat(&format!("9 (a) b (c)) {rest}")), Some((7, 4711)));
        assert_eq!(parse_stat(&format!("9 (a) {}", rest.replacen('S', "Z", 1))), None);
        assert_eq!(parse_stat("9"), None);
    }

    #[test]
    fn roles_are_what_ps_shows() {
        assert_eq!(role(b"eyelet: capture 0\0run\0"), "capture 0");
        assert_eq!(role(b"eyelet: serve\0"), "serve");
        assert_eq!(role(b"/usr/bin/perl\0app.pl\0"), "perl");
        assert_eq!(role(b""), "");
        let process = Process { pid: 1, parent: 0, role: String::from("capture 0"), started: 1 };
        assert!(process.does("capture") && process.does("capture 0"));
        assert!(!process.does("cap") && !process.does("capture 1") && !process.does("serve"));
    }

    #[test]
    fn this_process_is_seen() {
        let me = Process::of(std::process::id()).unwrap();
        assert!(me.is_alive());
        assert!(!Process { started: me.started + 1, ..me.clone() }.is_alive());
        let memory = memory(me.pid).unwrap();
        assert!(memory.pss_kb >= memory.file_kb && memory.file_kb > 0, "{memory:?}");
        assert!(descriptors(me.pid).unwrap().len() >= 3);
        assert!(machine_shmem_kb().is_ok());
    }
}
