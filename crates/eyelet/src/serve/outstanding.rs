//! How much a socket was given that its peer has not acknowledged.
#![allow(unsafe_code, reason = "one ioctl that no library wraps")]

use std::os::fd::AsFd;

use rustix::ioctl::{Getter, ioctl};

/// `SIOCOUTQ`, the same number as `TIOCOUTQ` on the architectures that Eyelet is built for.
///
/// Source: `linux/sockios.h`; `asm-generic/ioctls.h`.
const SIOCOUTQ: rustix::ioctl::Opcode = 0x5411;

/// Gives the bytes that were sent and not acknowledged, those not yet sent included; 0 if the kernel does not tell.
///
/// Source: `tcp(7)`, `SIOCOUTQ`.
pub(crate) fn bytes(socket: impl AsFd) -> u64 {
    // SAFETY: SIOCOUTQ on a TCP socket writes one `int` to the address it is given, which is what `Getter` passes.
    let getter = unsafe { Getter::<SIOCOUTQ, i32>::new() };
    // SAFETY: the request number and the type belong together, as above; other descriptors answer ENOTTY or EINVAL.
    let answer = unsafe { ioctl(socket, getter) };
    answer.ok().and_then(|n| u64::try_from(n).ok()).unwrap_or(0)
}
