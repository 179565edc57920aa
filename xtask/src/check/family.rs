//! Processes that come from us, however deep: none outlives its step.
//!
//! Browsers and servers leave their process group on purpose, so a group is not enough. As a "child subreaper" we inherit
//! every orphan below us, and the table of processes then tells who is ours.

use std::fs;
use std::time::Duration;

use anyhow::{Context as _, Result};
#[cfg(test)]
use rustix::process::waitpid;
use rustix::process::{
    Pid, Signal, WaitOptions, WaitStatus, getpid, kill_process, set_child_subreaper, wait,
};

/// Which processes count as ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// All below this one, orphans included: for a program that runs one thing at a time.
    All,
    /// Those below the one that was started: where others run beside it, as in a test.
    #[cfg(test)]
    Below,
}

/// A process that is still there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Member {
    pub(super) pid: Pid,
    pub(super) name: String,
}

impl Reach {
    /// Makes this process the parent of every orphan below it, and reaches all.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub(super) fn adopt_orphans() -> Result<Self> {
        set_child_subreaper(Some(getpid())).context("failed to become the parent of orphans")?;
        Ok(Self::All)
    }

    /// Takes note of processes that have ended: orphans too, or they stay as zombies, which tests would take for alive.
    /// Gives the status of the one that was started, once.
    pub(super) fn reap(self, started: Pid) -> Option<WaitStatus> {
        let mut status = None;
        loop {
            let ended = match self {
                Self::All => wait(WaitOptions::NOHANG),
                #[cfg(test)]
                Self::Below => waitpid(Some(started), WaitOptions::NOHANG),
            };
            match ended {
                Ok(Some((pid, how))) if pid == started => status = Some(how),
                Ok(Some(_)) => {}
                Ok(None) | Err(_) => return status,
            }
        }
    }

    /// Every process that is ours and still runs; `started` is the one that the step began with.
    pub(super) fn members(self, started: Pid) -> Vec<Member> {
        let mut ours = match self {
            Self::All => vec![getpid(), started],
            #[cfg(test)]
            Self::Below => vec![started],
        };
        let table = read_table();
        // Each round finds one more generation.
        loop {
            let is_new = |row: &&Row| ours.contains(&row.parent) && !ours.contains(&row.pid);
            let found: Vec<Pid> = table.iter().filter(is_new).map(|row| row.pid).collect();
            if found.is_empty() {
                break;
            }
            ours.extend(found);
        }
        let is_member =
            |row: &Row| ours.contains(&row.pid) && row.pid != getpid() && !row.is_zombie;
        table
            .into_iter()
            .filter(is_member)
            .map(|row| Member { pid: row.pid, name: row.name })
            .collect()
    }

    /// Kills every process that is ours, also those that appear meanwhile; [`reap`](Self::reap) follows.
    pub(super) fn kill(self, started: Pid) {
        // A process that makes another between two looks is found in the next; it cannot outrun all of them.
        for _ in 0..50 {
            let members = self.members(started);
            if members.is_empty() {
                return;
            }
            for member in members {
                // It may have ended by itself.
                kill_process(member.pid, Signal::KILL).ok();
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

struct Row {
    pid: Pid,
    parent: Pid,
    name: String,
    is_zombie: bool,
}

fn read_table() -> Vec<Row> {
    let folders = fs::read_dir("/proc").into_iter().flatten().flatten();
    // Processes end while the table is read.
    folders
        .filter_map(|folder| {
            folder.file_name().to_str()?.parse::<i32>().ok()?;
            parse(&fs::read_to_string(folder.path().join("stat")).ok()?)
        })
        .collect()
}

/// Reads `PID (NAME) STATE PARENT …`; a name may have spaces and parentheses.
///
/// Source: proc_pid_stat(5).
fn parse(stat: &str) -> Option<Row> {
    let (pid, rest) = stat.split_once(" (")?;
    let (name, rest) = rest.rsplit_once(") ")?;
    let mut words = rest.split(' ');
    let state = words.next()?;
    Some(Row {
        pid: Pid::from_raw(pid.parse().ok()?)?,
        parent: Pid::from_raw(words.next()?.parse().ok()?)?,
        name: name.into(),
        is_zombie: matches!(state, "Z" | "X"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_may_have_anything_in_them() {
        let row = parse("42 (a) b (c) S 7 42 42 0").unwrap();
        assert_eq!((row.name.as_str(), row.is_zombie), ("a) b (c", false));
        assert_eq!((row.pid, row.parent), (Pid::from_raw(42).unwrap(), Pid::from_raw(7).unwrap()));
        assert!(parse("42 (x) Z 7 1").unwrap().is_zombie);
        assert!(parse("nonsense").is_none());
    }

    #[test]
    fn this_process_is_in_the_table() {
        assert!(read_table().iter().any(|row| row.pid == getpid()));
    }
}
