//! The host's side of the guest's command agent, over the guest's second serial port.
//!
//! The serial port needs no driver module and works from the guest's first moment; it is slow, so not for bulk data. The
//! protocol is in `tests/vm/guest/agent`.

use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use super::lines::Lines;

/// How much longer than the guest the host waits for a command's end: the guest's clock may be the slower one.
const GRACE: Duration = Duration::from_secs(60);

/// What a command in the guest did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Output {
    /// Its exit status; 128 and the signal if it was killed, so 143 if its time was up.
    pub(crate) status: i32,
    /// What it printed, on both outputs.
    pub(crate) text: String,
}

/// The connection to the agent.
#[derive(Debug)]
pub(crate) struct Agent {
    lines: Lines,
    /// The number of the newest command.
    command: u64,
}

impl Agent {
    /// Speaks over the socket that is the guest's serial port.
    pub(crate) fn new(socket: UnixStream) -> Self {
        Self { lines: Lines::new(socket), command: 0 }
    }

    /// Waits until the agent of a booting guest takes commands.
    ///
    /// # Errors
    /// If it does not within the time, or the emulator ends.
    pub(crate) fn wait_until_ready(&mut self, within: Duration) -> Result<()> {
        self.skip_to("AGENT READY", Instant::now() + within).context("the guest did not get ready")
    }

    /// Runs one line of shell in the guest and waits for its end; when its time is up, the guest ends it.
    ///
    /// # Errors
    /// If the guest does not answer, or the emulator ends.
    pub(crate) fn run(&mut self, line: &str, within: Duration) -> Result<Output> {
        ensure!(!line.contains('\n'), "a command is one line");
        self.command += 1;
        let id = self.command;
        self.exchange(line, within).with_context(|| format!("in the guest, command {id}: `{line}`"))
    }

    fn exchange(&mut self, line: &str, within: Duration) -> Result<Output> {
        let id = self.command;
        let deadline = Instant::now() + within + GRACE;
        self.lines.send(&format!("{id} {} {line}", within.as_secs().max(1)))?;
        self.skip_to(&format!("BEGIN {id}"), deadline)?;
        let end = format!("END {id} ");
        let mut text = String::new();
        loop {
            let line = self.lines.next(deadline)?;
            if let Some(status) = line.strip_prefix(&end) {
                let status = status.parse().context("the agent sent no exit status")?;
                text.truncate(text.trim_end_matches('\n').len());
                return Ok(Output { status, text });
            }
            text.push_str(&line);
            text.push('\n');
        }
    }

    fn skip_to(&mut self, wanted: &str, deadline: Instant) -> Result<()> {
        while self.lines.next(deadline)? != wanted {}
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader, Write as _};
    use std::thread;

    use super::*;

    const SOON: Duration = Duration::from_secs(10);

    #[test]
    fn output_and_status_come_back() {
        let (near, far) = UnixStream::pair().unwrap();
        let guest = thread::spawn(move || {
            let mut to = far.try_clone().unwrap();
            to.write_all(b"noise\nAGENT READY\n").unwrap();
            let mut line = String::new();
            BufReader::new(far).read_line(&mut line).unwrap();
            to.write_all(b"late\nBEGIN 1\nEND 9 9\nb\n\nEND 1 4\n").unwrap();
            line
        });
        let mut agent = Agent::new(near);
        agent.wait_until_ready(SOON).unwrap();
        let output = agent.run("cat x; false", SOON).unwrap();
        assert_eq!(output, Output { status: 4, text: "END 9 9\nb".into() });
        assert_eq!(guest.join().unwrap(), "1 10 cat x; false\n");
    }

    #[test]
    fn ended_emulator_is_an_error_that_names_the_command() {
        let (near, far) = UnixStream::pair().unwrap();
        let mut agent = Agent::new(near);
        drop(far);
        let problem = format!("{:#}", agent.run("true", SOON).unwrap_err());
        assert!(problem.contains("`true`") && problem.contains("gone"), "{problem}");
    }
}
