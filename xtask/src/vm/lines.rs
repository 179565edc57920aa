//! Lines over a socket, with a deadline for each.

use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::time::Instant;

use anyhow::{Context as _, Result, bail};

/// One end of a socket that speaks in lines.
#[derive(Debug)]
pub(crate) struct Lines {
    socket: UnixStream,
    /// What was read and not yet returned.
    buffer: Vec<u8>,
}

impl Lines {
    /// Speaks over a connected socket.
    pub(crate) fn new(socket: UnixStream) -> Self {
        Self { socket, buffer: Vec::new() }
    }

    /// Sends a line.
    ///
    /// # Errors
    /// If the other side is gone.
    pub(crate) fn send(&mut self, line: &str) -> Result<()> {
        self.socket.write_all(format!("{line}\n").as_bytes()).context("the other side is gone")
    }

    /// The next line, without its end.
    ///
    /// # Errors
    /// If none is complete by the deadline, or the other side is gone.
    pub(crate) fn next(&mut self, deadline: Instant) -> Result<String> {
        loop {
            if let Some(end) = self.buffer.iter().position(|&byte| byte == b'\n') {
                let line: Vec<u8> = self.buffer.drain(..=end).collect();
                return Ok(String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n']).into());
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                bail!("nothing came within the time");
            }
            self.socket.set_read_timeout(Some(left))?;
            let mut chunk = [0; 4096];
            match self.socket.read(&mut chunk) {
                Ok(0) => bail!("the other side is gone"),
                Ok(len) => self.buffer.extend(&chunk[..len]),
                // Time is up, as said above; or a signal came.
                Err(problem)
                    if matches!(problem.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {
                }
                Err(problem) => return Err(problem).context("the other side is gone"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn lines_are_cut_and_the_deadline_holds() {
        let (near, mut far) = UnixStream::pair().unwrap();
        let mut lines = Lines::new(near);
        far.write_all(b"one\r\ntwo\nthr").unwrap();
        let soon = || Instant::now() + Duration::from_millis(20);
        assert_eq!(lines.next(soon()).unwrap(), "one");
        assert_eq!(lines.next(soon()).unwrap(), "two");
        assert!(lines.next(soon()).unwrap_err().to_string().contains("within the time"));
        far.write_all(b"ee\n").unwrap();
        assert_eq!(lines.next(soon()).unwrap(), "three");
        drop(far);
        assert!(lines.next(soon()).unwrap_err().to_string().contains("gone"));
    }
}
