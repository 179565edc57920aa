//! The user's application: which program runs it, and how many requests at a time.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// Most requests that an app may have at a time: a thousand idle ones cost a host with coroutines 25 MB.
pub const MAX_PLACES: usize = 4096;

/// The user's application and the processes that run it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct App {
    /// What runs it.
    pub host: Host,
    /// Processes of the host. 1 by default, as the old server.
    pub processes: usize,
    /// Requests that each of them handles at a time. 1 by default.
    pub coroutines: usize,
    /// Load the app again when one of its files has changed.
    pub reload_on_change: bool,
}

/// The program that runs an app; how it is asked stands in `docs/ref/app.md`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Host {
    /// `eyelet-psgi`, with this script: an absolute path.
    Psgi(PathBuf),
    /// The ASGI host of the Python package, with `module:app` or `file.py:app`; without `:app` that is the name.
    Asgi(String),
    /// A program of the user's own that speaks the app protocol.
    Program(Vec<String>),
    /// A command of the user's that is run for each request, and speaks verbs on its standard input and output.
    Script(Vec<String>),
}

impl App {
    /// Requests that it handles at a time.
    #[must_use]
    pub fn places(&self) -> usize {
        self.processes.saturating_mul(self.coroutines)
    }

    /// Checks that a script is there.
    ///
    /// # Errors
    /// A usage error that names it.
    pub fn check_host(&self) -> Result<()> {
        match &self.host {
            Host::Psgi(script) => std::fs::File::open(script).map(drop).map_err(|e| {
                Error::usage(format!("failed to read the app `{}`: {e}", script.display()))
            }),
            _ => Ok(()),
        }
    }
}
