//! How many system calls a server makes.

use std::process::Command;

use super::tree;
use crate::command::output;

/// How long they are counted.
const SECONDS: f64 = 1.0;

/// Counts the calls of the whole tree for a while; `None`, said on standard error, where `perf` cannot.
pub(super) fn per_second(pid: u32) -> Option<f64> {
    let processes: Vec<String> = tree::members(pid).iter().map(ToString::to_string).collect();
    let counted = tempfile::NamedTempFile::new().ok()?;
    let mut perf = Command::new("perf");
    perf.args(["stat", "-x", ",", "-e", "raw_syscalls:sys_enter", "-p", &processes.join(",")]);
    perf.arg("-o").arg(counted.path()).args(["--", "sleep", &SECONDS.to_string()]);
    if let Err(problem) = output(&mut perf) {
        eprintln!("system calls are not counted: {problem:#}");
        return None;
    }
    let text = std::fs::read_to_string(counted.path()).ok()?;
    Some(parse(&text)? / SECONDS)
}

/// Reads `COUNT,,EVENT,…`. Source: `perf-stat(1)`, "CSV format".
fn parse(text: &str) -> Option<f64> {
    let line = text.lines().find(|line| line.contains("sys_enter"))?;
    line.split(',').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_count_is_the_first_field() {
        let text = "# started on …\n\n1234,,raw_syscalls:sys_enter,100,100.00,,\n";
        assert_eq!(parse(text), Some(1234.0));
        assert_eq!(parse("<not supported>,,raw_syscalls:sys_enter"), None);
    }
}
