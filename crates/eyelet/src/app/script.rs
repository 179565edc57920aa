//! The app host for a few lines of shell: runs a command for each request.
//!
//! The command finds the request's variables in its environment, as a CGI program does, and on its standard input what
//! the client sent as a body and behind it the answers to the verbs that it writes to its standard output.

use std::io::Read;
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use eyelet_wire::scgi;

use crate::config::App;
use crate::error::{Error, Result};
use crate::program;
use crate::role::Boot;

/// The server sends a request in one piece; whoever takes longer is not the server.
const HEAD_PATIENCE: Duration = Duration::from_secs(10);
/// Pause after the kernel refused a connection, as while there are no descriptors left.
const PAUSE: Duration = Duration::from_millis(100);

/// Runs commands until the process is ended.
///
/// # Errors
/// If the kernel refuses a thread.
pub(super) fn run(boot: &Boot, listener: OwnedFd, app: &App, words: &[String]) -> Result<()> {
    // Each request runs the script anew: there is nothing to load again.
    signal_hook::flag::register(signal_hook::consts::SIGHUP, Arc::default())
        .map_err(|e| Error::failed(format!("failed to hear signals: {e}")))?;
    let listener = Arc::new(UnixListener::from(listener));
    let environment = Arc::new(program::environment(boot));
    // As many as there are places, and one for what is no upgrade.
    let threads: Vec<_> = (0..=app.places())
        .map(|_| {
            let (listener, environment) = (Arc::clone(&listener), Arc::clone(&environment));
            let words = words.to_vec();
            std::thread::Builder::new().stack_size(128 << 10).spawn(move || {
                loop {
                    match listener.accept() {
                        Ok((stream, _)) => attend(stream, &words, &environment),
                        Err(e) => {
                            log::warn!("failed to take a request: {e}");
                            std::thread::sleep(PAUSE);
                        }
                    }
                }
            })
        })
        .collect::<std::io::Result<_>>()
        .map_err(|e| Error::failed(format!("failed to start the app: {e}")))?;
    for thread in threads {
        // It has no end.
        thread.join().ok();
    }
    Ok(())
}

/// Runs the command for one request, to its end.
fn attend(stream: UnixStream, words: &[String], environment: &[program::Variable]) {
    let run = || -> std::io::Result<std::process::ExitStatus> {
        let variables = read_head(&stream)?;
        let output = stream.try_clone()?;
        let (program, arguments) = words.split_first().ok_or(std::io::ErrorKind::InvalidInput)?;
        Command::new(program)
            .args(arguments)
            .env_remove(crate::role::BOOT_VARIABLE)
            .envs(environment.iter().cloned())
            .envs(variables)
            .stdin(Stdio::from(OwnedFd::from(stream)))
            .stdout(Stdio::from(OwnedFd::from(output)))
            .status()
    };
    match run() {
        Ok(status) if status.success() => {}
        // A script that is told that its client has gone often ends with what its last command said.
        Ok(status) => log::debug!("the script ended with {status}"),
        Err(e) => log::warn!("failed to run the script `{}`: {e}", words.join(" ")),
    }
}

/// Reads the variables and not one byte more: what follows is the script's.
fn read_head(mut stream: &UnixStream) -> std::io::Result<Vec<program::Variable>> {
    use std::os::unix::ffi::OsStringExt;
    let broken = || std::io::Error::from(std::io::ErrorKind::InvalidData);
    stream.set_read_timeout(Some(HEAD_PATIENCE))?;
    let mut bytes = Vec::with_capacity(2048);
    let mut byte = [0];
    while bytes.last() != Some(&b':') {
        stream.read_exact(&mut byte)?;
        bytes.push(byte[0]);
        if bytes.len() > 8 {
            return Err(broken());
        }
    }
    let digits = str::from_utf8(&bytes[..bytes.len() - 1]).map_err(|_| broken())?;
    let len: usize = digits.parse().map_err(|_| broken())?;
    if len > scgi::MAX_VARS_LEN {
        return Err(broken());
    }
    let begin = bytes.len();
    bytes.resize(begin + len + 1, 0);
    stream.read_exact(&mut bytes[begin..])?;
    stream.set_read_timeout(None)?;
    let (vars, _) = scgi::decode_request(&bytes).map_err(|_| broken())?.ok_or_else(broken)?;
    let text = std::ffi::OsString::from_vec;
    Ok(vars.into_iter().map(|(name, value)| (text(name), text(value))).collect())
}
