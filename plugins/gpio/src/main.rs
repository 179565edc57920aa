//! `eyelet-gpio`: GPIO lines as a small area, one byte a line, for apps, pages and other programs.
//!
//! A mule: it owns an area that Eyelet gave it, publishes a frame for each edge of an input, and sets outputs as it is
//! asked. What may be written is said on its command line and nowhere else. Normative: `docs/ref/plugins.md`.
#![allow(clippy::print_stderr, reason = "a mule's standard error is Eyelet's log")]

mod chip;
mod content;
mod error;
mod list;
mod mule;
mod options;
mod whereabouts;

use std::ffi::OsString;
use std::io::Write as _;
use std::process::ExitCode;

use options::{Options, Task};

/// What `--describe` prints.
const DESCRIPTION: &str =
    r#"{"about":"GPIO lines as an area: buttons, lamps","functions":["gpio"]}"#;
/// The first word, where Eyelet runs the function of that name.
const FUNCTION: &str = "gpio";

fn main() -> ExitCode {
    let task = match Options::parse(arguments()) {
        Ok(task) => task,
        Err(problem) => {
            eprintln!("eyelet-gpio: {problem}\n{}", options::USAGE);
            return ExitCode::from(2);
        }
    };
    let done = match task {
        Task::Describe => print(DESCRIPTION),
        Task::Help => print(options::USAGE),
        Task::List => print(&list::chips()),
        Task::Run(options) => mule::run(options).map_err(|e| e.to_string()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("eyelet-gpio: {problem}");
            ExitCode::FAILURE
        }
    }
}

fn arguments() -> Vec<OsString> {
    let mut given = std::env::args_os().skip(1).peekable();
    given.next_if(|word| word == FUNCTION);
    given.collect()
}

fn print(text: &str) -> Result<(), String> {
    writeln!(std::io::stdout(), "{text}").map_err(|e| format!("failed to print: {e}"))
}
