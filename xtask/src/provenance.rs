//! What a reader must know to understand figures: the machine, its load, the date, and what was measured.

use std::fs;
use std::process::Command;

use crate::command::text;
use crate::workspace_root;

/// The date, the processors and their load; the kernel and the system.
pub(crate) fn machine() -> [String; 2] {
    let after = |file: &str, key: &str| {
        let text = fs::read_to_string(file).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix(key)?.split_once([':', '=']));
        line.map_or_else(String::new, |(_, value)| value.trim().trim_matches('"').to_owned())
    };
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let processor = after("/proc/cpuinfo", "model name");
    let system = after("/etc/os-release", "PRETTY_NAME");
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or("?").to_owned();
    [
        format!(
            "{}, {cores} processors ({processor}), load {load} before",
            said("date", &["-u", "+%F"])
        ),
        format!("Linux {}, {system}", said("uname", &["-r"])),
    ]
}

/// The commit, and the compiler.
pub(crate) fn version() -> String {
    format!(
        "eyelet {}, {}",
        said("git", &["describe", "--always", "--dirty"]),
        said("rustc", &["--version"])
    )
}

fn said(program: &str, words: &[&str]) -> String {
    text(Command::new(program).args(words).current_dir(workspace_root()))
        .map_or_else(|_| "unknown".to_owned(), |text| text.trim().to_owned())
}
