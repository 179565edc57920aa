//! What a program prints, kept line by line.

use std::io::{BufRead as _, BufReader, Read};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

use crate::deadline::{DEADLINE, left};

/// Lines of standard output and standard error, in the order in which they were read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Output(Arc<(Mutex<Lines>, Condvar)>);

#[derive(Debug, Default)]
struct Lines {
    lines: Vec<String>,
    /// Streams that may still give lines.
    open: usize,
}

impl Output {
    /// Reads `stream` to its end in a thread of its own.
    pub(crate) fn collect(&self, stream: impl Read + Send + 'static) -> JoinHandle<()> {
        self.lock().open += 1;
        let this = self.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(stream).split(b'\n').map_while(Result::ok) {
                let line = String::from_utf8_lossy(&line);
                this.change(|all| all.lines.push(line.trim_end_matches('\r').to_owned()));
            }
            this.change(|all| all.open -= 1);
        })
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.lock().lines.clone()
    }

    pub(crate) fn count(&self) -> usize {
        self.lock().lines.len()
    }

    /// The lines from number `first` on.
    pub(crate) fn lines_after(&self, first: usize) -> Vec<String> {
        self.lock().lines.get(first..).unwrap_or_default().to_vec()
    }

    /// Waits for something that `found` makes of a line from number `first` on.
    pub(crate) fn wait<T>(
        &self,
        what: &str,
        first: usize,
        mut found: impl FnMut(&str) -> Option<T>,
    ) -> anyhow::Result<T> {
        let begin = Instant::now();
        let mut next = first;
        let mut all = self.lock();
        loop {
            for line in all.lines.iter().skip(next) {
                if let Some(found) = found(line) {
                    return Ok(found);
                }
            }
            next = next.max(all.lines.len());
            let output = || all.lines.join("\n");
            anyhow::ensure!(
                all.open > 0,
                "program ended without {what}; it printed:\n{}",
                output()
            );
            let Some(left) = left(begin, DEADLINE) else {
                let seconds = DEADLINE.as_secs();
                anyhow::bail!("no {what} in {seconds} seconds; it printed:\n{}", output());
            };
            all = self.0.1.wait_timeout(all, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn change(&self, change: impl FnOnce(&mut Lines)) {
        change(&mut self.lock());
        self.0.1.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Lines> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
