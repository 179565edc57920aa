//! Taking over the area that a program was given to own. Normative: `docs/ref/plugins.md`.
#![allow(unsafe_code, reason = "a descriptor by its number")]

use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::sockopt;

use super::Owner;
use crate::{Error, ErrorKind, Result};

/// The first descriptor that is passed on. Source: `sd_listen_fds(3)`.
const FIRST: i32 = 3;

impl Owner {
    /// Takes over the area that Eyelet gave this process, a mule, to own: descriptor 3, as `LISTEN_FDS` and `LISTEN_PID`
    /// say, with the generation of `EYELET_GENERATION`.
    ///
    /// # Errors
    /// [`ErrorKind::NotGiven`] if it was given none; else as [`Owner::new`].
    pub fn inherited() -> Result<Self> {
        let variable = |name| std::env::var(name).unwrap_or_default();
        let generation = generation(
            &variable("LISTEN_FDS"),
            &variable("LISTEN_PID"),
            &variable("EYELET_GENERATION"),
            std::process::id(),
        )?;
        Self::new(copy_of(FIRST)?, generation)
    }
}

/// The generation, if the variables are for this process.
fn generation(count: &str, owner: &str, generation: &str, own: u32) -> Result<u32> {
    let not_given = |what| Err(Error::new(ErrorKind::NotGiven, what));
    if count != "1" || owner.parse() != Ok(own) {
        return not_given(
            "there is no area to own (LISTEN_FDS, LISTEN_PID): start this by eyelet --mule NAME=COMMAND",
        );
    }
    match generation.parse() {
        Ok(generation) => Ok(generation),
        Err(_) if generation.is_empty() => Ok(0),
        Err(_) => not_given("EYELET_GENERATION is no number"),
    }
}

/// A copy of a listening socket, which what this process starts does not get.
fn copy_of(number: i32) -> Result<OwnedFd> {
    let no_socket = |e: Errno| {
        let what = format!("descriptor {number} is no area's socket ({e})");
        Error::new(ErrorKind::NotGiven, what)
    };
    // SAFETY: `number` is not -1; nobody in this process owns it, as it was open when that began, so nobody closes it
    // during these calls; where it is not open, they answer EBADF.
    let inherited = unsafe { BorrowedFd::borrow_raw(number) };
    if !sockopt::socket_acceptconn(inherited).map_err(no_socket)? {
        return Err(no_socket(Errno::INVAL));
    }
    rustix::io::fcntl_setfd(inherited, rustix::io::FdFlags::CLOEXEC).map_err(no_socket)?;
    rustix::io::fcntl_dupfd_cloexec(inherited, FIRST).map_err(no_socket)
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsRawFd;

    use super::*;

    #[test]
    fn an_area_for_another_process_is_not_taken() {
        assert_eq!(generation("1", "7", "", 7).unwrap(), 0);
        assert_eq!(generation("1", "7", "12", 7).unwrap(), 12);
        for (count, owner, number) in
            [("1", "8", "0"), ("2", "7", "0"), ("", "", ""), ("1", "x", "0"), ("1", "7", "x")]
        {
            let error = generation(count, owner, number, 7).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::NotGiven, "{count} {owner} {number}");
        }
    }

    #[test]
    fn only_a_listening_socket_is_an_area() {
        let folder = tempfile::tempdir().unwrap();
        let listener = crate::listen(&folder.path().join("area"), 0o600).unwrap();
        let copy = copy_of(listener.as_raw_fd()).unwrap();
        assert_ne!(copy.as_raw_fd(), listener.as_raw_fd());
        let (end, _other) = std::os::unix::net::UnixStream::pair().unwrap();
        let file = tempfile::tempfile().unwrap();
        for other in [end.as_raw_fd(), file.as_raw_fd(), 1_000_000] {
            assert_eq!(copy_of(other).unwrap_err().kind(), ErrorKind::NotGiven);
        }
    }
}
