//! The emulator's monitor: saving a guest's state, and questions about it.
//!
//! Source: QEMU Machine Protocol: a greeting, then one JSON object per line and direction; events may come between.

use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

use super::lines::Lines;

/// How long the emulator may take for one answer: generous, the machine may be busy.
const ANSWER_WITHIN: Duration = Duration::from_secs(180);
/// Between two looks at something that takes time.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// The connection to the monitor.
#[derive(Debug)]
pub(crate) struct Monitor {
    lines: Lines,
}

impl Monitor {
    /// Opens the conversation.
    ///
    /// # Errors
    /// If the emulator ends or says something else.
    pub(crate) fn open(socket: UnixStream) -> Result<Self> {
        let mut lines = Lines::new(socket);
        lines.next(Instant::now() + ANSWER_WITHIN)?; // the greeting
        let mut monitor = Self { lines };
        monitor.execute("qmp_capabilities", json!({}))?;
        Ok(monitor)
    }

    /// Writes the running guest's state to the file `name` in the emulator's folder.
    ///
    /// # Errors
    /// If it cannot be written.
    pub(crate) fn save(&mut self, name: &str) -> Result<()> {
        // The default limit is meant for networks.
        self.execute("migrate-set-parameters", json!({"max-bandwidth": 4_000_000_000_u64}))?;
        self.execute("migrate", json!({"uri": format!("exec:cat > {name}")}))?;
        self.wait_for("query-migrate", "completed", &["failed", "cancelled"])
    }

    /// Waits until a guest that was loaded from a state runs. What is sent to its serial port before that is lost.
    ///
    /// # Errors
    /// If the state does not fit.
    pub(crate) fn wait_until_running(&mut self) -> Result<()> {
        self.wait_for("query-status", "running", &["internal-error", "shutdown"])
    }

    /// The port on this host that leads to the guest's.
    ///
    /// # Errors
    /// If there is none.
    pub(crate) fn forwarded_port(&mut self) -> Result<u16> {
        let question = json!({"command-line": "info usernet"});
        let answer = self.execute("human-monitor-command", question)?;
        parse_forwarded_port(answer.as_str().unwrap_or_default())
            .with_context(|| format!("no forwarded port in `{answer}`"))
    }

    fn wait_for(&mut self, question: &str, wanted: &str, hopeless: &[&str]) -> Result<()> {
        let deadline = Instant::now() + ANSWER_WITHIN;
        loop {
            let answer = self.execute(question, json!({}))?;
            let status = answer["status"].as_str().unwrap_or_default();
            if status == wanted {
                return Ok(());
            }
            if hopeless.contains(&status) || Instant::now() > deadline {
                bail!("the emulator answers `{answer}` to {question}, not {wanted}");
            }
            std::thread::sleep(LOOK_AGAIN);
        }
    }

    fn execute(&mut self, command: &str, arguments: Value) -> Result<Value> {
        let ask = json!({"execute": command, "arguments": arguments});
        self.lines.send(&ask.to_string())?;
        let deadline = Instant::now() + ANSWER_WITHIN;
        loop {
            let line = self.lines.next(deadline).with_context(|| format!("after {command}"))?;
            let mut answer: Value = serde_json::from_str(&line)
                .with_context(|| format!("the emulator said `{line}`"))?;
            if answer.get("error").is_some() {
                bail!("the emulator refuses {command}: {}", answer["error"]["desc"]);
            }
            if let Some(value) = answer.get_mut("return") {
                return Ok(value.take());
            }
        }
    }
}

/// Finds the port in a line like `TCP[HOST_FORWARD]  12  127.0.0.1 40961  10.0.2.15  8080  0  0`.
fn parse_forwarded_port(text: &str) -> Option<u16> {
    let line = text.lines().find(|line| line.contains("HOST_FORWARD"))?;
    line.split_whitespace().nth(3)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn events_are_skipped_and_refusals_are_errors() {
        let (near, mut far) = UnixStream::pair().unwrap();
        let script = "{\"QMP\": {}}\r\n{\"return\": {}}\r\n{\"event\": \"STOP\"}\r\n\
                      {\"return\": {\"status\": \"running\"}}\r\n{\"error\": {\"desc\": \"no\"}}\r\n";
        far.write_all(script.as_bytes()).unwrap();
        let mut monitor = Monitor::open(near).unwrap();
        monitor.wait_until_running().unwrap();
        let problem = format!("{:#}", monitor.save("state").unwrap_err());
        assert!(problem.contains("refuses"), "{problem}");
    }

    #[test]
    fn forwarded_port_is_found() {
        let text = "Hub -1 (n0):\r\n  Protocol[State]    FD  Source Address  Port   Dest.\r\n  \
                    TCP[HOST_FORWARD]  12       127.0.0.1 40961       10.0.2.15  8080     0     0\r\n";
        assert_eq!(parse_forwarded_port(text), Some(40961));
        assert_eq!(parse_forwarded_port("nothing"), None);
    }
}
