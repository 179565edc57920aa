//! `VIDIOC_ENUM_FMT`, `VIDIOC_ENUM_FRAMESIZES`, `VIDIOC_ENUM_FRAMEINTERVALS`: what a node can deliver, item by item.
//!
//! Each function answers `None` after the last item (`EINVAL`), and where the driver has no such list (`ENOTTY`).
//!
//! Source: `struct v4l2_fmtdesc`, `struct v4l2_frmsizeenum`, `struct v4l2_frmivalenum`.
#![allow(unsafe_code, reason = "the calls themselves")]

use std::os::fd::BorrowedFd;

use rustix::io::Errno;
use rustix::ioctl::{Opcode, opcode};

use super::{BufType, GROUP, assert_layout, call, plain, zeroed};

/// `struct v4l2_fmtdesc`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub(crate) struct FmtDesc {
    pub(super) index: u32,
    pub(super) type_: u32,
    pub(crate) flags: u32,
    pub(crate) description: [u8; 32],
    pub(crate) pixelformat: u32,
    pub(super) mbus_code: u32,
    pub(super) reserved: [u32; 3],
}

/// `struct v4l2_frmsizeenum`; `size` is its union: two words if discrete, all six (min, max, step of the width, then of
/// the height) otherwise.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub(crate) struct FrmSizeEnum {
    pub(super) index: u32,
    pub(super) pixel_format: u32,
    pub(crate) type_: u32,
    pub(crate) size: [u32; 6],
    pub(super) reserved: [u32; 2],
}

/// `struct v4l2_frmivalenum`; `interval` is its union: one fraction if discrete, three (min, max, step) otherwise.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub(crate) struct FrmIvalEnum {
    pub(super) index: u32,
    pub(super) pixel_format: u32,
    pub(super) width: u32,
    pub(super) height: u32,
    pub(crate) type_: u32,
    pub(crate) interval: [u32; 6],
    pub(super) reserved: [u32; 2],
}
plain!(FmtDesc, FrmSizeEnum, FrmIvalEnum);
assert_layout!(FmtDesc, 64, 64, description: 12, 12, pixelformat: 44, 44);
assert_layout!(FrmSizeEnum, 44, 44, size: 12, 12, reserved: 36, 36);
assert_layout!(FrmIvalEnum, 52, 52, interval: 20, 20, reserved: 44, 44);

pub(super) const ENUM_FMT: Opcode = opcode::read_write::<FmtDesc>(GROUP, 2);
pub(super) const ENUM_FRAMESIZES: Opcode = opcode::read_write::<FrmSizeEnum>(GROUP, 74);
pub(super) const ENUM_FRAMEINTERVALS: Opcode = opcode::read_write::<FrmIvalEnum>(GROUP, 75);

/// `V4L2_FRMSIZE_TYPE_*` and `V4L2_FRMIVAL_TYPE_*`, which agree; 1 is "discrete". Any value between two ends.
pub(crate) const CONTINUOUS: u32 = 2;
/// Any value between two ends that a step reaches.
pub(crate) const STEPWISE: u32 = 3;

/// The pixel format at a position.
pub(crate) fn format(
    fd: BorrowedFd<'_>,
    buf_type: BufType,
    index: u32,
) -> Result<Option<FmtDesc>, Errno> {
    let mut raw = FmtDesc { index, type_: buf_type.raw(), ..zeroed() };
    // SAFETY: `VIDIOC_ENUM_FMT` takes a `struct v4l2_fmtdesc`, which `FmtDesc` is.
    let answer = unsafe { call::<ENUM_FMT, FmtDesc>(fd, &mut raw) };
    end_is_none(answer, raw)
}

/// The frame size at a position.
pub(crate) fn frame_size(
    fd: BorrowedFd<'_>,
    fourcc: u32,
    index: u32,
) -> Result<Option<FrmSizeEnum>, Errno> {
    let mut raw = FrmSizeEnum { index, pixel_format: fourcc, ..zeroed() };
    // SAFETY: `VIDIOC_ENUM_FRAMESIZES` takes a `struct v4l2_frmsizeenum`, which `FrmSizeEnum` is.
    let answer = unsafe { call::<ENUM_FRAMESIZES, FrmSizeEnum>(fd, &mut raw) };
    end_is_none(answer, raw)
}

/// The frame interval at a position, for one format and size.
pub(crate) fn frame_interval(
    fd: BorrowedFd<'_>,
    fourcc: u32,
    (width, height): (u32, u32),
    index: u32,
) -> Result<Option<FrmIvalEnum>, Errno> {
    let mut raw = FrmIvalEnum { index, pixel_format: fourcc, width, height, ..zeroed() };
    // SAFETY: `VIDIOC_ENUM_FRAMEINTERVALS` takes a `struct v4l2_frmivalenum`, which `FrmIvalEnum` is.
    let answer = unsafe { call::<ENUM_FRAMEINTERVALS, FrmIvalEnum>(fd, &mut raw) };
    end_is_none(answer, raw)
}

/// Turns the two errors that end a list into `None`.
fn end_is_none<T>(answer: Result<(), Errno>, item: T) -> Result<Option<T>, Errno> {
    match answer {
        Ok(()) => Ok(Some(item)),
        Err(Errno::INVAL | Errno::NOTTY) => Ok(None),
        Err(errno) => Err(errno),
    }
}

#[cfg(test)]
impl FrmSizeEnum {
    /// An answer made up for a test.
    pub(crate) fn sample(type_: u32, size: [u32; 6]) -> Self {
        Self { type_, size, ..zeroed() }
    }
}

#[cfg(test)]
impl FrmIvalEnum {
    /// An answer made up for a test.
    pub(crate) fn sample(type_: u32, interval: [u32; 6]) -> Self {
        Self { type_, interval, ..zeroed() }
    }
}
