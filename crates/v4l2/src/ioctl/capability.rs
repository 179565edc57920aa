//! `VIDIOC_QUERYCAP`: who the driver is and what this node can do.
//!
//! Source: `struct v4l2_capability`, Linux Media Userspace API, "ioctl VIDIOC_QUERYCAP".
#![allow(unsafe_code, reason = "the call itself")]

use std::os::fd::BorrowedFd;

use rustix::io::Errno;
use rustix::ioctl::{Opcode, opcode};

use super::{GROUP, assert_layout, call, plain, zeroed};

/// `struct v4l2_capability`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub(crate) struct Capability {
    pub(crate) driver: [u8; 16],
    pub(crate) card: [u8; 32],
    pub(crate) bus_info: [u8; 32],
    pub(crate) version: u32,
    pub(crate) capabilities: u32,
    pub(crate) device_caps: u32,
    pub(super) reserved: [u32; 3],
}
plain!(Capability);
assert_layout!(Capability, 104, 104, version: 80, 80, device_caps: 88, 88);

pub(super) const QUERYCAP: Opcode = opcode::read::<Capability>(GROUP, 0);

/// Asks for the capabilities. A descriptor that is no V4L2 node answers `ENOTTY`.
pub(crate) fn query(fd: BorrowedFd<'_>) -> Result<Capability, Errno> {
    let mut raw = zeroed();
    // SAFETY: `VIDIOC_QUERYCAP` fills a `struct v4l2_capability`, which `Capability` is, field by field.
    unsafe { call::<QUERYCAP, Capability>(fd, &mut raw)? };
    Ok(raw)
}

#[cfg(test)]
impl Capability {
    /// An answer made up for a test.
    pub(crate) fn sample(driver: &str, capabilities: u32, device_caps: u32) -> Self {
        let mut raw: Self = zeroed();
        raw.driver[..driver.len()].copy_from_slice(driver.as_bytes());
        Self { capabilities, device_caps, ..raw }
    }
}
