//! What a process and its descendants use.
//!
//! Source: `proc_pid_schedstat(5)`, `proc_pid_stat(5)`, `proc_pid_net(5)`; `smaps_rollup` in "The /proc Filesystem",
//! Linux kernel documentation.

use std::fs;

use anyhow::{Context as _, Result};

/// A process and all that it started, as far as they live.
pub(super) fn members(pid: u32) -> Vec<u32> {
    let mut found = vec![pid];
    let mut at = 0;
    while let Some(&pid) = found.get(at) {
        at += 1;
        for task in fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten() {
            let children = fs::read_to_string(task.path().join("children")).unwrap_or_default();
            found.extend(children.split_whitespace().filter_map(|child| child.parse::<u32>().ok()));
        }
    }
    found
}

/// Processor seconds of the whole tree, those of children that have ended included.
///
/// # Errors
/// The process has ended.
pub(super) fn processor_seconds(pid: u32) -> Result<f64> {
    fs::metadata(format!("/proc/{pid}")).context("the server has ended")?;
    Ok(members(pid).into_iter().map(|pid| living(pid) + ended(pid)).sum())
}

fn living(pid: u32) -> f64 {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let nanos = tasks.filter_map(|task| {
        let stat = fs::read_to_string(task.path().join("schedstat")).ok()?;
        stat.split(' ').next()?.parse::<f64>().ok()
    });
    nanos.sum::<f64>() / 1e9
}

/// The time of children that were waited for; to a hundredth, which is all that the kernel tells.
fn ended(pid: u32) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    children_ticks(&stat).unwrap_or(0.0) / TICKS_PER_SECOND
}

/// Source: `USER_HZ`, which is 100 wherever Eyelet runs.
const TICKS_PER_SECOND: f64 = 100.0;

fn children_ticks(stat: &str) -> Option<f64> {
    const CUTIME: usize = 13; // field 16, counted from the state, which is field 3
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace().skip(CUTIME);
    Some(fields.next()?.parse::<f64>().ok()? + fields.next()?.parse::<f64>().ok()?)
}

/// Proportional memory of the whole tree, in MB.
pub(super) fn memory_mb(pid: u32) -> f64 {
    let kb = |pid| {
        let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
        number_after(&text, "Pss:")
    };
    members(pid).into_iter().filter_map(kb).sum::<f64>() * 1024.0 / 1e6
}

/// Memory that the kernel has for TCP on the whole machine, and for shared memory, in MB.
pub(super) fn kernel_mb() -> (f64, f64) {
    const PAGE: f64 = 4096.0;
    let sockets = fs::read_to_string("/proc/net/sockstat").unwrap_or_default();
    let tcp = sockets.lines().find(|line| line.starts_with("TCP:")).unwrap_or_default();
    let pages = number_after(tcp, "mem ").unwrap_or(0.0);
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let shared = number_after(&memory, "Shmem:").unwrap_or(0.0);
    (pages * PAGE / 1e6, shared * 1024.0 / 1e6)
}

/// Whether the process, in its own network, listens at a port.
pub(super) fn listens(pid: u32, port: u16) -> bool {
    let table = fs::read_to_string(format!("/proc/{pid}/net/tcp")).unwrap_or_default();
    has_listener(&table, port)
}

/// Source: `proc_pid_net(5)`; state 0A is `TCP_LISTEN`, `include/net/tcp_states.h`.
fn has_listener(table: &str, port: u16) -> bool {
    let local = format!(":{port:04X}");
    table.lines().any(|line| {
        let mut fields = line.split_ascii_whitespace().skip(1);
        fields.next().is_some_and(|address| address.ends_with(&local))
            && fields.nth(1) == Some("0A")
    })
}

fn number_after(text: &str, key: &str) -> Option<f64> {
    text.split_once(key)?.1.split_ascii_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn children_that_have_ended_are_added() {
        let stat = "9 (a) b) S 7 3 3 0 -1 0 0 0 0 0 1 2 30 4 20 0 1 0 4711";
        assert_eq!(children_ticks(stat), Some(34.0));
        assert_eq!(children_ticks("9"), None);
    }

    #[test]
    fn listeners_are_found() {
        let table = "  sl  local_address rem_address   st\n   0: 0100007F:2512 00000000:0000 0A 0\n   1: 0100007F:2513 0100007F:1 01 0\n";
        assert!(has_listener(table, 0x2512) && !has_listener(table, 0x2513));
        assert!(!has_listener(table, 0x12));
    }

    #[test]
    fn this_process_is_seen() {
        let me = std::process::id();
        assert!(members(me).contains(&me) && memory_mb(me) > 0.0);
        assert!(processor_seconds(me).unwrap() > 0.0 && processor_seconds(u32::MAX).is_err());
        assert!(kernel_mb().1 >= 0.0);
    }
}
