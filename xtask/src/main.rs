//! The developer's commands: `cargo xtask NAME`, the same here and in CI.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line tool: results go to standard output, progress to standard error"
)]

mod bench;
mod check;
mod clients;
mod command;
mod conformance;
mod fuzz;
mod packages;
mod provenance;
mod soak;
mod supply;
mod tidy;
mod vm;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;

/// One command: its name, a line for the help, and what it does with the arguments after the name.
struct Task {
    name: &'static str,
    about: &'static str,
    run: fn(&[String]) -> Result<ExitCode>,
}

const TASKS: &[Task] = &[
    Task {
        name: "check",
        about: "everything that must be right before a change is in; --fast for the quick loop",
        run: check::run,
    },
    Task {
        name: "tidy",
        about: "rules of this repository that no other tool knows",
        run: tidy::run,
    },
    Task { name: "readme", about: "the commands of README.md", run: check::run_readme },
    Task {
        name: "bench",
        about: "cost, latency and memory beside bare loops and other servers, in turn; --list tells what",
        run: bench::run,
    },
    Task {
        name: "clients",
        about: "ffmpeg, curl, mpv, OpenCV and others on the released executable; names choose tests",
        run: clients::run,
    },
    Task {
        name: "conformance",
        about: "Autobahn's WebSocket test suite on an app that echoes; patterns choose cases",
        run: conformance::run,
    },
    Task {
        name: "faults",
        about: "random faults, --steps of them from a --seed; after each every promise must hold",
        run: soak::run_faults,
    },
    Task {
        name: "fuzz",
        about: "the fuzz targets, four seconds each; --seconds and names for more",
        run: fuzz::run,
    },
    Task {
        name: "soak",
        about: "random faults for --minutes; memory, descriptors and latency as a table and a plot",
        run: soak::run,
    },
    Task {
        name: "supply",
        about: "others' crates: licences, sources, duplicates, number; the executable's size",
        run: supply::run,
    },
    Task {
        name: "vm",
        about: "scenarios with the kernel's own V4L2 drivers in a virtual machine",
        run: vm::run,
    },
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (name, rest) = match arguments.split_first() {
        Some((name, rest)) => (name.as_str(), rest),
        None => ("", arguments.as_slice()),
    };
    let Some(task) = TASKS.iter().find(|task| task.name == name) else {
        eprintln!("usage: cargo xtask NAME [argument...]");
        for task in TASKS {
            eprintln!("  {:<11} {}", task.name, task.about);
        }
        return ExitCode::from(2);
    };
    (task.run)(rest).unwrap_or_else(|problem| {
        eprintln!("xtask {name}: {problem:#}");
        ExitCode::FAILURE
    })
}

/// The workspace's folder.
fn workspace_root() -> PathBuf {
    // cargo sets the variable for whatever it runs; a copied executable falls back to where it was built.
    let manifest = std::env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    manifest.parent().map_or_else(|| manifest.clone(), Path::to_path_buf)
}

/// Where cargo puts what it builds, and these commands what they fetch.
fn target_folder() -> PathBuf {
    let root = workspace_root();
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |dir| root.join(dir))
}
