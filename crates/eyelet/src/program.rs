//! Roles that become a program of the user's: app hosts and mules.
//!
//! They are roles like the others up to that moment, so the program too ends with the supervisor. It finds the areas in
//! its environment, and its own socket as systemd gives one: descriptor 3, `LISTEN_FDS=1`.

use std::ffi::OsString;
use std::fmt::Display;
use std::io::ErrorKind;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::Command;

use command_fds::{CommandFdExt, FdMapping};

use crate::error::{Error, Result};
use crate::role::{BOOT_VARIABLE, Boot};

/// Where the program finds its socket.
const SOCKET_FD: i32 = 3;
/// A variable of the environment.
pub(crate) type Variable = (OsString, OsString);

/// What every program of the user's finds in its environment: where the areas are, and the Python package.
pub(crate) fn environment(boot: &Boot) -> Vec<Variable> {
    let areas = boot.areas.iter();
    let mut variables: Vec<Variable> = areas
        .map(|area| (format!("EYELET_AREA_{}", area.id).into(), area.path.clone().into()))
        .collect();
    if let Some(packages) = &boot.packages {
        // So that `import eyelet` works; whatever the user has there comes first.
        let own = std::env::var_os("PYTHONPATH");
        let folders = own.iter().flat_map(std::env::split_paths).chain([packages.join("python")]);
        variables.extend(std::env::join_paths(folders).map(|path| ("PYTHONPATH".into(), path)));
    }
    variables
}

/// A program that this process is to become.
#[derive(Debug)]
pub(crate) struct Program<'a> {
    boot: &'a Boot,
    command: Command,
    files: Vec<FdMapping>,
    /// For messages.
    what: String,
}

impl<'a> Program<'a> {
    /// Prepares to run `words`; `what` names it in messages.
    ///
    /// # Errors
    /// If there is no word.
    pub(crate) fn new(boot: &'a Boot, words: &[String], what: String) -> Result<Self> {
        let (program, arguments) =
            words.split_first().ok_or_else(|| Error::failed(format!("{what} has no command")))?;
        let mut command = Command::new(program);
        command.args(arguments).env_remove(BOOT_VARIABLE);
        for variable in ["LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"] {
            command.env_remove(variable);
        }
        command.envs(environment(boot));
        Ok(Self { boot, command, files: Vec::new(), what })
    }

    /// Gives it a listening socket.
    pub(crate) fn listen(&mut self, socket: OwnedFd, name: &str) {
        self.command
            .env("LISTEN_FDS", "1")
            .env("LISTEN_PID", std::process::id().to_string())
            .env("LISTEN_FDNAMES", name)
            .env("EYELET_GENERATION", self.boot.generation.to_string());
        self.files.push(FdMapping { parent_fd: socket, child_fd: SOCKET_FD });
    }

    /// Sets a variable of its environment.
    pub(crate) fn env(&mut self, name: &str, value: &str) {
        self.command.env(name, value);
    }

    /// Adds arguments.
    pub(crate) fn args<S: AsRef<std::ffi::OsStr>>(&mut self, args: impl IntoIterator<Item = S>) {
        self.command.args(args);
    }

    /// Becomes the program; returns only if that fails.
    pub(crate) fn become_it(mut self) -> Error {
        let files = std::mem::take(&mut self.files);
        if let Err(e) = self.command.fd_mappings(files) {
            return failed(&self.what, &e);
        }
        let error = self.command.exec();
        let program = self.command.get_program().to_string_lossy();
        let hint = if error.kind() == ErrorKind::NotFound {
            format!("; install `{program}`, or write where it lies")
        } else {
            String::new()
        };
        failed(&self.what, &format!("`{program}`: {error}{hint}"))
    }
}

fn failed(what: &str, e: &dyn Display) -> Error {
    Error::failed(format!("failed to start {what}: {e}"))
}
