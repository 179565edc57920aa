//! `VIDIOC_STREAMON`, `VIDIOC_STREAMOFF`.
//!
//! Source: Linux Media Userspace API, "ioctl VIDIOC_STREAMON, VIDIOC_STREAMOFF".
#![allow(unsafe_code, reason = "the calls themselves")]

use std::os::fd::BorrowedFd;

use rustix::io::Errno;
use rustix::ioctl::{Opcode, opcode};

use super::{BufType, GROUP, assert_layout, call, plain};

/// The `int` of both calls: `enum v4l2_buf_type`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub(super) struct Type {
    pub(super) value: u32,
}
plain!(Type);
assert_layout!(Type, 4, 4);

pub(super) const STREAMON: Opcode = opcode::write::<Type>(GROUP, 18);
pub(super) const STREAMOFF: Opcode = opcode::write::<Type>(GROUP, 19);

/// Starts the flow of frames into the queued buffers.
pub(crate) fn on(fd: BorrowedFd<'_>, buf_type: BufType) -> Result<(), Errno> {
    let mut raw = Type { value: buf_type.raw() };
    // SAFETY: `VIDIOC_STREAMON` takes an `int`, which `Type` is.
    unsafe { call::<STREAMON, Type>(fd, &mut raw) }
}

/// Stops the flow; on success no buffer is the driver's any more, queued or filled.
pub(crate) fn off(fd: BorrowedFd<'_>, buf_type: BufType) -> Result<(), Errno> {
    let mut raw = Type { value: buf_type.raw() };
    // SAFETY: `VIDIOC_STREAMOFF` takes an `int`, which `Type` is.
    unsafe { call::<STREAMOFF, Type>(fd, &mut raw) }
}
