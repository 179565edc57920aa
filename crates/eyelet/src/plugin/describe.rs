//! What a plugin says of itself.

use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// A plugin that says nothing for so long is none: printing a line needs no camera and no network.
const PATIENCE: Duration = Duration::from_secs(5);
/// Longest description, in bytes.
const MAX_LEN: u64 = 64 << 10;

/// The object that `--describe` prints.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Description {
    /// One line for a person.
    #[serde(default)]
    pub about: String,
    /// What `--plugin NAME` makes of it; nothing for one that only offers functions.
    #[serde(default)]
    pub kind: Option<Kind>,
    /// Of a source: what it writes, as the options of `exec:` say it, `format=YUYV&size=320x240&fps=10`; nothing where
    /// that can be seen, as with MJPEG and Y4M.
    #[serde(default)]
    pub options: String,
    /// Of a mule: the area that it owns.
    #[serde(default)]
    pub area: Option<String>,
    /// What `--mule "NAME(WORDS)"` can run: `eyelet-PLUGIN NAME WORDS`.
    #[serde(default)]
    pub functions: Vec<String>,
}

/// What a plugin is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// It writes pictures to its standard output.
    Source,
    /// It runs beside the streams.
    Mule,
    /// It answers requests, as `docs/ref/app.md` says.
    App,
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Source => "source",
            Self::Mule => "mule",
            Self::App => "app",
        })
    }
}

/// Runs a plugin with `--describe`.
///
/// # Errors
/// A usage error if it cannot be run, takes too long, or prints something else.
pub(super) fn ask(path: &Path) -> Result<Description> {
    let wrong = |why: &dyn std::fmt::Display| {
        Error::usage(format!("`{} --describe` does not describe a plugin: {why}", path.display()))
    };
    let mut child = Command::new(path)
        .arg("--describe")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|e| wrong(&e))?;
    let (told, hear) = mpsc::channel();
    let stdout = child.stdout.take();
    std::thread::spawn(move || {
        let mut text = String::new();
        let read = stdout.map(|stdout| stdout.take(MAX_LEN).read_to_string(&mut text));
        // Nobody may wait any more.
        told.send(read.transpose().map(|_| text)).ok();
    });
    let text = hear.recv_timeout(PATIENCE);
    // Whether it has ended or not.
    child.kill().ok();
    child.wait().ok();
    let text = text.map_err(|_| wrong(&format!("nothing came in {} s", PATIENCE.as_secs())))?;
    let text = text.map_err(|e| wrong(&e))?;
    let description: Description = serde_json::from_str(&text).map_err(|e| wrong(&e))?;
    let is_name = |name: &String| {
        !name.is_empty()
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
    };
    let names = description.functions.iter().chain(&description.area);
    match names.clone().find(|name| !is_name(name)) {
        Some(name) => Err(wrong(&format!("`{name}` is no name"))),
        None => Ok(description),
    }
}
