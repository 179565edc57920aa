//! One running Eyelet: the supervisor and all that it started.

use std::ffi::OsStr;
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::{Context as _, Result, bail};
use rustix::process::Signal;
use tempfile::TempDir;

use crate::deadline::wait_until;
use crate::http::{self, Response, exchange};
use crate::output::Output;
use crate::process::{self, Process};
use crate::websocket::WsClient;

/// Marks all processes of one tree, also those whose parent has died: they inherit their environment.
const MARK: &str = "EYELET_HARNESS";
/// What the program says when it serves, before the address.
const READY: [&str; 2] = ["listening on http://", "listening on https://"];
/// Variables by which a service manager speaks to the program; those of the tests' own manager are not for it.
const FOREIGN: [&str; 4] = ["LISTEN_FDS", "LISTEN_PID", "NOTIFY_SOCKET", "WATCHDOG_USEC"];

/// A running program; dropped, it and every process it started are killed.
#[derive(Debug)]
pub struct Eyelet {
    supervisor: Process,
    /// Reaped under the lock, so that its number is not signalled when another process may have it.
    child: Mutex<Child>,
    addr: SocketAddr,
    output: Output,
    /// Invariant: `NAME=value`, unique to this tree.
    mark: String,
    folder: TempDir,
}

impl Eyelet {
    /// Starts `bin` with `args` and `--runtime-dir` in a folder of its own, and waits until it listens.
    ///
    /// Let `args` ask for port 0, so that tests can run beside each other. The folder is also the working directory.
    ///
    /// # Errors
    /// It cannot be started, ended, or did not listen within [`crate::DEADLINE`]; the error has all that it printed.
    pub fn start(bin: &Path, args: &[&str]) -> Result<Self> {
        Self::start_with(bin, args, &[])
    }

    /// As [`Self::start`], with more variables in its environment.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn start_with(bin: &Path, args: &[&str], variables: &[(&str, &OsStr)]) -> Result<Self> {
        let bin = bin.canonicalize().with_context(|| format!("no program `{}`", bin.display()))?;
        // A program that becomes another user finds its way in; what is the user's alone lies deeper.
        let permissions = std::fs::Permissions::from_mode(0o755);
        let mut builder = tempfile::Builder::new();
        let folder = builder.prefix("eyelet-test-").permissions(permissions).tempdir()?;
        let mut command = Command::new(&bin);
        command.args(args).arg("--runtime-dir").arg(folder.path().join("run"));
        command.current_dir(folder.path()).stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        for name in FOREIGN {
            command.env_remove(name);
        }
        command.envs(variables.iter().copied()).env(MARK, folder.path());
        let mark = format!("{MARK}={}", folder.path().display());
        let mut child =
            command.spawn().with_context(|| format!("failed to start `{}`", bin.display()))?;
        let output = Output::default();
        let streams = (child.stdout.take(), child.stderr.take());
        streams.0.map(|stream| output.collect(stream));
        streams.1.map(|stream| output.collect(stream));
        match ready(&mut child, &output) {
            Ok((supervisor, addr)) => {
                Ok(Self { supervisor, child: Mutex::new(child), addr, output, mark, folder })
            }
            Err(error) => {
                end(&mut child, &mark);
                Err(error.context(format!("`{}` {args:?} did not start", bin.display())))
            }
        }
    }

    /// Gives the address that it listens on; a wildcard address is answered with loopback.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Gives `http://HOST:PORT` and `path`.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addr)
    }

    /// Gives the folder made for it: the working directory, removed in the end. Its `run` is the runtime folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Gets a path.
    ///
    /// # Errors
    /// The connection or the answer is broken.
    pub fn get(&self, path: &str) -> Result<Response> {
        exchange(self.addr, "GET", path, &[], &[])
    }

    /// Gets the status.
    ///
    /// # Errors
    /// The answer is not 200 with JSON.
    pub fn status(&self) -> Result<serde_json::Value> {
        let response = self.get("/-/api/status")?;
        anyhow::ensure!(response.status == 200, "{}: {}", response.status, response.text());
        response.json()
    }

    /// Connects without saying anything; reads and writes fail after [`crate::DEADLINE`].
    ///
    /// # Errors
    /// Nobody listens.
    pub fn raw(&self) -> Result<TcpStream> {
        http::connect(self.addr)
    }

    /// Opens a WebSocket; see [`WsClient::connect`].
    ///
    /// # Errors
    /// As [`WsClient::connect`].
    pub fn websocket(
        &self,
        path: &str,
        protocols: &[&str],
        headers: &[(&str, &str)],
    ) -> Result<WsClient> {
        WsClient::connect(self.addr, path, protocols, headers)
    }

    /// Gives the supervisor's number.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.supervisor.pid
    }

    /// Gives all processes below the supervisor, by number.
    #[must_use]
    pub fn children(&self) -> Vec<Process> {
        process::descendants(self.pid())
    }

    /// Gives the processes that do `role` (`capture`, or one of several: `capture 0`).
    #[must_use]
    pub fn role(&self, role: &str) -> Vec<Process> {
        self.children().into_iter().filter(|process| process.does(role)).collect()
    }

    /// Kills (SIGKILL) every process that does `role`, and gives what was killed.
    ///
    /// # Errors
    /// There is none.
    pub fn kill_role(&self, role: &str) -> Result<Vec<Process>> {
        let found = self.role(role);
        if found.is_empty() {
            bail!("no process does `{role}`; there are {:?}", self.children());
        }
        found.iter().try_for_each(|process| process.signal(Signal::KILL))?;
        Ok(found)
    }

    /// Sends the supervisor a signal.
    ///
    /// # Errors
    /// It has ended.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        let _unreaped = self.lock();
        self.supervisor.signal(signal)
    }

    /// Tells how the supervisor ended; `None` while it runs.
    ///
    /// # Errors
    /// The kernel does not know it.
    pub fn exit_status(&self) -> Result<Option<ExitStatus>> {
        Ok(self.lock().try_wait()?)
    }

    /// Tells the proportional memory of the whole tree in KiB.
    ///
    /// # Errors
    /// The supervisor has ended. Children that end meanwhile count as nothing.
    pub fn pss_kb(&self) -> Result<u64> {
        let children = self.children();
        let sum: u64 = children.iter().filter_map(|child| process::pss_kb(child.pid).ok()).sum();
        Ok(sum + process::pss_kb(self.pid())?)
    }

    /// Gives what it printed so far, standard error included.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        self.output.lines()
    }

    /// Tells how many lines it printed so far.
    #[must_use]
    pub fn line_count(&self) -> usize {
        self.output.count()
    }

    /// Gives what it printed after the first `count` lines.
    #[must_use]
    pub fn lines_after(&self, count: usize) -> Vec<String> {
        self.output.lines_after(count)
    }

    /// Waits for a line that `is_it` accepts, among those already printed too.
    ///
    /// # Errors
    /// None came within [`crate::DEADLINE`], or it ended.
    pub fn wait_line(&self, is_it: impl FnMut(&str) -> bool) -> Result<String> {
        self.wait_line_after(0, is_it)
    }

    /// As [`Self::wait_line`], but passes over the first `count` lines: take `lines().len()` before what shall cause it.
    ///
    /// # Errors
    /// As [`Self::wait_line`].
    pub fn wait_line_after(
        &self,
        count: usize,
        mut is_it: impl FnMut(&str) -> bool,
    ) -> Result<String> {
        self.output.wait("such line", count, |line| is_it(line).then(|| line.to_owned()))
    }

    /// Waits until `condition` holds; `what` completes "no ... in 30 seconds".
    ///
    /// # Errors
    /// It did not hold within [`crate::DEADLINE`]; the error has all that was printed.
    pub fn wait_until(&self, what: &str, condition: impl FnMut() -> bool) -> Result<()> {
        wait_until(what, condition)
            .with_context(|| format!("program printed:\n{}", self.lines().join("\n")))
    }

    /// Asks it to end (SIGTERM), waits until it has, and makes sure that nothing it started is left.
    ///
    /// # Errors
    /// It or a process of its tree still runs after [`crate::DEADLINE`].
    pub fn stop(self) -> Result<ExitStatus> {
        if self.exit_status()?.is_none() {
            self.signal(Signal::TERM)?;
        }
        self.wait_end()
    }

    /// Waits until it ends by itself, and makes sure that nothing it started is left.
    ///
    /// # Errors
    /// As [`Self::stop`].
    pub fn wait_end(&self) -> Result<ExitStatus> {
        let mut status = None;
        self.wait_until("end of the program", || {
            status = self.exit_status().ok().flatten();
            status.is_some()
        })?;
        let nobody = || process::marked(&self.mark).is_empty();
        self.wait_until("end of its processes", nobody)
            .with_context(|| format!("left behind: {:?}", process::marked(&self.mark)))?;
        status.context("program has no status")
    }

    fn lock(&self) -> MutexGuard<'_, Child> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Eyelet {
    fn drop(&mut self) {
        end(&mut self.lock(), &self.mark);
    }
}

fn ready(child: &mut Child, output: &Output) -> Result<(Process, SocketAddr)> {
    let addr = output.wait("`listening on http://HOST:PORT`", 0, address)?;
    match Process::of(child.id()) {
        Some(supervisor) => Ok((supervisor, addr)),
        None => bail!("program ended; it printed:\n{}", output.lines().join("\n")),
    }
}

/// Reads the address from the line that says where the program listens.
fn address(line: &str) -> Option<SocketAddr> {
    let (_, rest) = READY.iter().find_map(|ready| line.split_once(ready))?;
    let end = |c: char| c == '/' || c == ',' || c.is_whitespace();
    let mut addr: SocketAddr = rest.split(end).next()?.parse().ok()?;
    if addr.ip().is_unspecified() {
        addr.set_ip(if addr.is_ipv4() {
            [127, 0, 0, 1].into()
        } else {
            [0, 0, 0, 0, 0, 0, 0, 1].into()
        });
    }
    Some(addr)
}

/// Kills the tree: again and again, because a process may have just been started by another.
fn end(child: &mut Child, mark: &str) {
    let killed = child.kill().and_then(|()| child.wait());
    if let Err(error) = killed {
        report(&format!("failed to end the program: {error}"));
    }
    let killed = wait_until("end of the killed processes", || {
        let left = process::marked(mark);
        // One that ended between the two looks cannot be signalled, and need not be.
        left.iter().for_each(|process| drop(process.signal(Signal::KILL)));
        left.is_empty()
    });
    if let Err(error) = killed {
        report(&error.to_string());
    }
}

#[expect(
    clippy::print_stderr,
    reason = "a test's output is where its reader looks; drop cannot return it"
)]
fn report(text: &str) {
    eprintln!("harness: {text}");
}

#[cfg(test)]
mod tests;
