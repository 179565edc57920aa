//! Signals as bytes on a socket that the supervisor polls.

use std::io::Read;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::process::Signal;
use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGTERM};

use crate::error::{Error, Result};

/// The signals that the supervisor hears. SIGCHLD only wakes it: it looks for ended children at every turn.
#[derive(Debug)]
pub(super) struct Signals {
    wake: UnixStream,
    flags: [(Signal, Arc<AtomicBool>); 3],
}

impl Signals {
    pub(super) fn new() -> Result<Self> {
        let failed = |e: std::io::Error| Error::failed(format!("failed to hear signals: {e}"));
        let (wake, woken_by) = UnixStream::pair().map_err(failed)?;
        wake.set_nonblocking(true).map_err(failed)?;
        let flags = [(Signal::TERM, SIGTERM), (Signal::INT, SIGINT), (Signal::HUP, SIGHUP)];
        let flags =
            flags.map(|(signal, number)| (signal, number, Arc::new(AtomicBool::new(false))));
        for (_, number, flag) in &flags {
            signal_hook::flag::register(*number, flag.clone()).map_err(failed)?;
        }
        // After the flags, so that a flag is up when its byte arrives.
        for number in [SIGTERM, SIGINT, SIGHUP, SIGCHLD] {
            let woken_by = woken_by.try_clone().map_err(failed)?;
            signal_hook::low_level::pipe::register(number, woken_by).map_err(failed)?;
        }
        Ok(Self { wake, flags: flags.map(|(signal, _, flag)| (signal, flag)) })
    }

    /// Gives each signal that came since the last call, once.
    pub(super) fn pending(&mut self) -> Vec<Signal> {
        let mut bytes = [0; 64];
        while matches!(self.wake.read(&mut bytes), Ok(n) if n > 0) {}
        let came = self.flags.iter().filter(|(_, flag)| flag.swap(false, Ordering::Relaxed));
        came.map(|(signal, _)| *signal).collect()
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.wake.as_fd()
    }
}
