//! Starts what the command line, or the supervisor, asks for.

use std::process::ExitCode;

use clap::Parser;
use eyelet::cli::{Cli, Command};
use eyelet::cmd;
use eyelet::error::Result;
use eyelet::role::{self, Role};
use eyelet::{app, capture, cli, confine, encode, keep, log, mule, serve};

fn main() -> ExitCode {
    let result = match std::env::var(role::BOOT_VARIABLE) {
        Ok(supervisor) => be_a_role(&supervisor),
        Err(_) => match Cli::try_parse() {
            Ok(cli) => obey(cli),
            Err(e) if e.use_stderr() => Err(cli::mistake(&e)),
            // Help and version, which were asked for.
            Err(e) => return print(&e),
        },
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            #[expect(clippy::print_stderr, reason = "the one place where a run ends with an error")]
            {
                error.to_string().lines().for_each(|line| eprintln!("eyelet: {line}"));
            }
            ExitCode::from(error.exit_status())
        }
    }
}

fn print(asked_for: &clap::Error) -> ExitCode {
    match asked_for.print() {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn obey(cli: Cli) -> Result<()> {
    match cli.command {
        None => cmd::run::run(*cli.run),
        Some(Command::Run(args)) => cmd::run::run(*args),
        Some(Command::Check(args)) => cmd::check::run(&args),
        Some(Command::Plugins(args)) => cmd::plugins::run(&args),
        Some(Command::User(args)) => cmd::user::run(&args),
        Some(Command::Devices(args)) => cmd::devices::run(&args),
        Some(Command::Controls(args)) => cmd::controls::run(&args),
        Some(Command::Snapshot(args)) => cmd::snapshot::run(&args),
        Some(Command::Watch(args)) => cmd::watch::run(args),
    }
}

fn be_a_role(supervisor: &str) -> Result<()> {
    let born = role::be_born(supervisor)?;
    log::start(&born.boot.role.to_string());
    // What `ps` and `top` show as the command's name; it cannot fail with a text that short.
    rustix::thread::set_name(
        &std::ffi::CString::new(format!("eyelet {}", born.boot.role)).unwrap_or_default(),
    )
    .ok();
    confine::confine(&born.boot)?;
    match born.boot.role {
        Role::Capture { area } => capture::run(area, born),
        Role::Encode { area } => encode::run(area, born),
        Role::Serve { .. } => serve::run(born),
        Role::App => app::run_host(born),
        Role::Keep => keep::run(born),
        Role::Mule { index } => mule::run(index, born),
    }
}
