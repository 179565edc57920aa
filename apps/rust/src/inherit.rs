//! Taking over the listening socket that the server gives: descriptor 3.
#![allow(unsafe_code, reason = "a descriptor's number becomes its owner, once")]

use std::env::VarError;
use std::fs;
use std::os::fd::{FromRawFd, OwnedFd};
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::UnixListener;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::{Error, Result};

/// The first descriptor that is passed on. Source: `sd_listen_fds(3)`.
const FIRST: i32 = 3;

static IS_TAKEN: AtomicBool = AtomicBool::new(false);

/// Takes the socket that this process was given to listen at; works once.
///
/// What this process starts does not get it.
///
/// # Errors
/// [`Error::Start`] if there is none, it is for another process, or it was taken before.
pub(crate) fn listener() -> Result<UnixListener> {
    let variable = |name| std::env::var(name);
    check(&variable("LISTEN_FDS"), &variable("LISTEN_PID"), std::process::id())?;
    let is_socket = fs::metadata(format!("/proc/self/fd/{FIRST}"))
        .is_ok_and(|metadata| metadata.file_type().is_socket());
    if !is_socket || IS_TAKEN.swap(true, Ordering::Relaxed) {
        return Err(Error::Start(format!("descriptor {FIRST} is no socket, or is taken")));
    }
    // SAFETY: it is open (see above) and was when this process began, for this process, as the variables say: so nobody
    // here has opened it, and by the flag above nobody took it over before.
    let inherited = unsafe { OwnedFd::from_raw_fd(FIRST) };
    // The copy has FD_CLOEXEC, which the original lacks.
    let failed = |e| Error::Start(format!("failed to take the socket over: {e}"));
    let listener = UnixListener::from(inherited.try_clone().map_err(failed)?);
    listener.set_nonblocking(false).map_err(failed)?;
    Ok(listener)
}

fn check(
    count: &Result<String, VarError>,
    owner: &Result<String, VarError>,
    own: u32,
) -> Result<()> {
    let is_own = owner.as_ref().is_ok_and(|pid| pid.parse() == Ok(own));
    if count.as_deref() == Ok("1") && is_own {
        return Ok(());
    }
    let text = "there is no socket to serve (LISTEN_FDS, LISTEN_PID): start this by eyelet --app";
    Err(Error::Start(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_for_another_process_is_not_taken() {
        let said = |text: &str| Ok(text.to_owned());
        assert!(check(&said("1"), &said("7"), 7).is_ok());
        for (count, owner) in [("1", "8"), ("2", "7"), ("1", "x"), ("", "7")] {
            assert!(check(&said(count), &said(owner), 7).is_err(), "{count} {owner}");
        }
        assert!(check(&Err(VarError::NotPresent), &Err(VarError::NotPresent), 7).is_err());
    }

    #[test]
    fn without_a_socket_there_is_an_error_and_no_panic() {
        assert!(matches!(listener(), Err(Error::Start(_))));
    }
}
