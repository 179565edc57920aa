//! Where the runs take place: a network namespace with stock TCP settings, one processor for each side.
//!
//! Without it the figures say little: another congestion control, other buffers and other programs change them more than
//! what is compared. It needs root, `ip`, `taskset` and `nice`; without them runs take place in the open, with a warning.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Result, ensure};

use crate::command::{find, output};

/// Linux's own settings. Source: `tcp(7)`; `Documentation/networking/ip-sysctl.rst`.
const SETTINGS: &[(&str, &str)] = &[
    ("ipv4/tcp_congestion_control", "cubic"),
    ("ipv4/tcp_rmem", "4096 131072 6291456"),
    ("ipv4/tcp_wmem", "4096 16384 4194304"),
    ("core/somaxconn", "4096"),
];
/// A namespace may only choose from these.
const ALLOWED: &str = "/proc/sys/net/ipv4/tcp_allowed_congestion_control";
const NICE: &str = "-15";
/// The same for the group that the scheduler puts a session into. Source: `sched(7)`, "The autogroup feature".
const GROUP_NICE: &str = "-18";

/// Who gets which processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Server,
    Viewers,
}

/// The place of the runs; the namespace goes when it is dropped.
#[derive(Debug)]
pub(super) struct Lab {
    namespace: Option<String>,
    /// What was allowed before.
    allowed: Option<String>,
}

impl Lab {
    /// Makes the namespace, or says why there is none.
    pub(super) fn new() -> Self {
        let mut lab = Self { namespace: None, allowed: None };
        if let Err(problem) = lab.set_up() {
            eprintln!(
                "warning: {problem:#}: the runs take place in the open and unpinned, so the figures say little"
            );
            lab.tear_down();
        }
        lab
    }

    fn set_up(&mut self) -> Result<()> {
        ensure!(rustix::process::geteuid().is_root(), "a network namespace needs root");
        for program in ["ip", "taskset", "nice", "setsid"] {
            ensure!(find(program).is_some(), "`{program}` is missing");
        }
        ensure!(std::thread::available_parallelism()?.get() > 1, "there is one processor only");
        let allowed = fs::read_to_string(ALLOWED)?;
        if !allowed.split_whitespace().any(|name| name == "cubic") {
            fs::write(ALLOWED, format!("{} cubic", allowed.trim()))?;
            self.allowed = Some(allowed);
        }
        let name = format!("eyelet-bench-{}", std::process::id());
        output(Command::new("ip").args(["netns", "add", &name]))?;
        self.namespace = Some(name.clone());
        output(Command::new("ip").args(["-n", &name, "link", "set", "lo", "up"]))?;
        for (key, value) in SETTINGS {
            let line = format!("echo '{value}' > /proc/sys/net/{key}");
            output(Command::new("ip").args(["netns", "exec", &name, "sh", "-c", &line]))?;
        }
        Ok(())
    }

    fn tear_down(&mut self) {
        if let Some(name) = self.namespace.take()
            && let Err(problem) = output(Command::new("ip").args(["netns", "del", &name]))
        {
            eprintln!("warning: {problem:#}");
        }
        if let Some(allowed) = self.allowed.take()
            && let Err(problem) = fs::write(ALLOWED, allowed)
        {
            eprintln!("warning: `{ALLOWED}` stays changed: {problem}");
        }
    }

    /// Whether nobody else is on this network.
    pub(super) fn is_alone(&self) -> bool {
        self.namespace.is_some()
    }

    /// One line about the place.
    pub(super) fn about(&self) -> &'static str {
        if self.is_alone() {
            "network namespace, cubic, stock buffers; server on processor 0, viewers on processor 1, both raised"
        } else {
            "in the open, unpinned: the figures say little"
        }
    }

    /// Begins a command that runs `program` in its place; the process has its number, and is a group of its own.
    pub(super) fn command(&self, side: Side, program: &Path) -> Command {
        let Some(name) = &self.namespace else {
            let mut command = Command::new("setsid");
            command.arg(program);
            return command;
        };
        let processor = if side == Side::Server { "0" } else { "1" };
        let mut command = Command::new("ip");
        command.args(["netns", "exec", name, "taskset", "-c", processor, "nice", "-n", NICE]);
        command.arg("setsid").arg(program);
        command
    }

    /// Raises a process that has started, with its group.
    pub(super) fn raise(&self, pid: u32) {
        if self.is_alone() {
            // Kernels without groups have nothing to raise.
            fs::write(format!("/proc/{pid}/autogroup"), GROUP_NICE).ok();
        }
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        self.tear_down();
    }
}
