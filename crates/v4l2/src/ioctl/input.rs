//! `VIDIOC_ENUMINPUT`, `VIDIOC_G_INPUT`, `VIDIOC_S_INPUT`: the connectors of a capture card.
//!
//! Source: `struct v4l2_input`.
#![allow(unsafe_code, reason = "the calls themselves")]

use std::os::fd::BorrowedFd;

use rustix::io::Errno;
use rustix::ioctl::{Opcode, opcode};

use super::{GROUP, assert_layout, call, plain, zeroed};

/// `struct v4l2_input`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub(crate) struct Input {
    pub(crate) index: u32,
    pub(crate) name: [u8; 32],
    pub(crate) type_: u32,
    pub(super) audioset: u32,
    pub(super) tuner: u32,
    pub(super) std: u64,
    pub(crate) status: u32,
    pub(crate) capabilities: u32,
    pub(super) reserved: [u32; 3],
}

/// The `int` of two of the calls.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub(super) struct Index {
    pub(super) value: u32,
}
plain!(Input, Index);
assert_layout!(Input, 80, 80, type_: 36, 36, std: 48, 48, status: 56, 56);
assert_layout!(Index, 4, 4);

pub(super) const ENUMINPUT: Opcode = opcode::read_write::<Input>(GROUP, 26);
pub(super) const G_INPUT: Opcode = opcode::read::<Index>(GROUP, 38);
pub(super) const S_INPUT: Opcode = opcode::read_write::<Index>(GROUP, 39);

/// The input at a position; `None` after the last, or where the driver has no inputs.
pub(crate) fn at(fd: BorrowedFd<'_>, index: u32) -> Result<Option<Input>, Errno> {
    let mut raw = Input { index, ..zeroed() };
    // SAFETY: `VIDIOC_ENUMINPUT` takes a `struct v4l2_input`, which `Input` is.
    match unsafe { call::<ENUMINPUT, Input>(fd, &mut raw) } {
        Ok(()) => Ok(Some(raw)),
        Err(Errno::INVAL | Errno::NOTTY) => Ok(None),
        Err(errno) => Err(errno),
    }
}

/// The position of the input in use; 0 where the driver has no inputs.
pub(crate) fn current(fd: BorrowedFd<'_>) -> Result<u32, Errno> {
    let mut raw = Index { value: 0 };
    // SAFETY: `VIDIOC_G_INPUT` fills an `int`, which `Index` is.
    match unsafe { call::<G_INPUT, Index>(fd, &mut raw) } {
        Ok(()) => Ok(raw.value),
        Err(Errno::NOTTY) => Ok(0),
        Err(errno) => Err(errno),
    }
}

/// Selects an input.
pub(crate) fn select(fd: BorrowedFd<'_>, index: u32) -> Result<(), Errno> {
    let mut raw = Index { value: index };
    // SAFETY: `VIDIOC_S_INPUT` takes an `int`, which `Index` is.
    unsafe { call::<S_INPUT, Index>(fd, &mut raw) }
}
