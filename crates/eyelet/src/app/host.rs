//! The app role: becomes the interpreter that runs the user's script.
//!
//! It is a role like the others up to that moment, so the interpreter too ends with the supervisor. It finds the socket
//! as systemd gives one: descriptor 3, `LISTEN_FDS=1`.

use std::fs::File;
use std::io::Write;
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::process::Command;

use command_fds::{CommandFdExt, FdMapping};
use rustix::fs::{MemfdFlags, memfd_create};

use crate::error::{Error, Result};
use crate::role::{BOOT_VARIABLE, Born};

/// The Perl host, embedded so that one executable is all one needs to install.
const PSGI_HOST: &[u8] = include_bytes!("../../../../apps/perl/eyelet-psgi");

/// Where the interpreter finds the host's text.
const HOST_FD: i32 = 4;

/// Becomes the interpreter; returns only if that fails.
///
/// # Errors
/// If there is no Perl, or the kernel refuses.
pub fn run(mut born: Born) -> Result<()> {
    let app = born.boot.config.app.take().ok_or_else(|| Error::failed("there is no app to run"))?;
    let listener = born.sockets.pop().ok_or_else(|| Error::failed("the app host got no socket"))?;
    let failed = |e: &dyn std::fmt::Display| {
        Error::failed(format!("failed to start the app `{}`: {e}", app.psgi.display()))
    };
    let host = memfd_create(c"eyelet-psgi", MemfdFlags::CLOEXEC).map_err(|e| failed(&e))?;
    File::from(host.as_fd().try_clone_to_owned().map_err(|e| failed(&e))?)
        .write_all(PSGI_HOST)
        .map_err(|e| failed(&e))?;
    let mut perl = Command::new("perl");
    perl.arg(format!("/proc/self/fd/{HOST_FD}"))
        .arg("--places")
        .arg(app.places.to_string())
        .arg(&app.psgi)
        .env_remove(BOOT_VARIABLE)
        .env("LISTEN_FDS", "1")
        .env("LISTEN_PID", std::process::id().to_string())
        .fd_mappings(vec![
            FdMapping { parent_fd: listener, child_fd: 3 },
            FdMapping { parent_fd: host, child_fd: HOST_FD },
        ])
        .map_err(|e| failed(&e))?;
    let error = perl.exec();
    let hint = if error.kind() == std::io::ErrorKind::NotFound { "; install perl" } else { "" };
    Err(failed(&format!("`perl`: {error}{hint}")))
}
