//! `VIDIOC_G_EXT_CTRLS`, `VIDIOC_S_EXT_CTRLS`, `VIDIOC_G_CTRL`, `VIDIOC_S_CTRL`: the value of one control.
//!
//! Source: `struct v4l2_ext_controls`, `struct v4l2_ext_control`, `struct v4l2_control`.
#![allow(unsafe_code, reason = "the calls themselves")]

use std::os::fd::BorrowedFd;

use rustix::io::Errno;
use rustix::ioctl::{Opcode, opcode};

use super::{GROUP, assert_layout, call, plain, zeroed};

/// The union of `struct v4l2_ext_control`, packed as the structure around it is.
#[repr(C, packed(4))]
#[derive(Clone, Copy)]
pub(super) union ExtValue {
    pub(super) value: i32,
    pub(super) value64: i64,
    pub(super) string: *mut u8,
}

/// `struct v4l2_ext_control`, packed: 20 bytes everywhere.
#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct ExtControl {
    pub(super) id: u32,
    pub(super) size: u32,
    pub(super) reserved2: u32,
    pub(super) value: ExtValue,
}

/// `struct v4l2_ext_controls`.
#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct ExtControls {
    /// 0, `V4L2_CTRL_WHICH_CUR_VAL`: current values of controls of any class.
    pub(super) which: u32,
    pub(super) count: u32,
    pub(super) error_idx: u32,
    pub(super) request_fd: i32,
    pub(super) reserved: u32,
    pub(super) controls: *mut ExtControl,
}

/// `struct v4l2_control`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub(super) struct Control {
    pub(super) id: u32,
    pub(super) value: i32,
}
plain!(ExtValue, ExtControl, ExtControls, Control);
assert_layout!(ExtControl, 20, 20, value: 12, 12);
assert_layout!(ExtControls, 32, 24, request_fd: 12, 12, controls: 24, 20);
assert_layout!(Control, 8, 8, value: 4, 4);

pub(super) const G_CTRL: Opcode = opcode::read_write::<Control>(GROUP, 27);
pub(super) const S_CTRL: Opcode = opcode::read_write::<Control>(GROUP, 28);
pub(super) const G_EXT_CTRLS: Opcode = opcode::read_write::<ExtControls>(GROUP, 71);
pub(super) const S_EXT_CTRLS: Opcode = opcode::read_write::<ExtControls>(GROUP, 72);

/// Which direction a value goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verb {
    Read,
    Set,
}

/// One control through the extended call.
///
/// # Safety
/// If the control is a string, `item.value` holds a pointer to at least `item.size` writable bytes, used by nobody else
/// during the call. Otherwise `item.size` is 0: the kernel takes every control with a payload to be a pointer, and
/// answers `ENOSPC` before it follows one whose size is too small.
unsafe fn extended(fd: BorrowedFd<'_>, verb: Verb, item: &mut ExtControl) -> Result<(), Errno> {
    let mut raw = ExtControls { count: 1, controls: item, ..zeroed() };
    match verb {
        // SAFETY: the request takes a `struct v4l2_ext_controls`, which `ExtControls` is; `controls` points to `count`
        // items that live through the call; what the item points to is the caller's promise.
        Verb::Read => unsafe { call::<G_EXT_CTRLS, ExtControls>(fd, &mut raw) },
        // SAFETY: the same argument as the one above.
        Verb::Set => unsafe { call::<S_EXT_CTRLS, ExtControls>(fd, &mut raw) },
    }
}

/// Reads a number of 32 bits.
pub(crate) fn read(fd: BorrowedFd<'_>, id: u32) -> Result<i32, Errno> {
    number(fd, Verb::Read, id, 0)
}

/// Sets a number of 32 bits and answers what the driver made of it.
pub(crate) fn set(fd: BorrowedFd<'_>, id: u32, value: i32) -> Result<i32, Errno> {
    number(fd, Verb::Set, id, value)
}

/// Reads a number of 64 bits.
pub(crate) fn read64(fd: BorrowedFd<'_>, id: u32) -> Result<i64, Errno> {
    number64(fd, Verb::Read, id, 0)
}

/// Sets a number of 64 bits and answers what the driver made of it.
pub(crate) fn set64(fd: BorrowedFd<'_>, id: u32, value: i64) -> Result<i64, Errno> {
    number64(fd, Verb::Set, id, value)
}

fn number(fd: BorrowedFd<'_>, verb: Verb, id: u32, value: i32) -> Result<i32, Errno> {
    // The kernel reads and writes the first four bytes only; the others stay zero.
    let mut item = ExtControl { id, ..zeroed() };
    item.value.value = value;
    // SAFETY: `size` is 0, so no pointer is followed.
    match unsafe { extended(fd, verb, &mut item) } {
        // SAFETY: all bytes of the union are initialised, and every pattern is an `i32`.
        Ok(()) => Ok(unsafe { item.value.value }),
        Err(Errno::NOTTY) => number_plain(fd, verb, id, value),
        Err(errno) => Err(errno),
    }
}

/// The same by the plain calls, for drivers without the extended ones.
fn number_plain(fd: BorrowedFd<'_>, verb: Verb, id: u32, value: i32) -> Result<i32, Errno> {
    let mut raw = Control { id, value };
    match verb {
        // SAFETY: `VIDIOC_G_CTRL` takes a `struct v4l2_control`, which `Control` is.
        Verb::Read => unsafe { call::<G_CTRL, Control>(fd, &mut raw) },
        // SAFETY: `VIDIOC_S_CTRL` takes a `struct v4l2_control`, which `Control` is.
        Verb::Set => unsafe { call::<S_CTRL, Control>(fd, &mut raw) },
    }?;
    Ok(raw.value)
}

fn number64(fd: BorrowedFd<'_>, verb: Verb, id: u32, value: i64) -> Result<i64, Errno> {
    let mut item = ExtControl { id, ..zeroed() };
    item.value.value64 = value;
    // SAFETY: `size` is 0, so no pointer is followed.
    unsafe { extended(fd, verb, &mut item)? };
    // SAFETY: all bytes of the union are initialised, and every pattern is an `i64`.
    Ok(unsafe { item.value.value64 })
}

/// Reads a string control of at most `max_len` bytes; the answer has no NUL.
pub(crate) fn read_text(fd: BorrowedFd<'_>, id: u32, max_len: u16) -> Result<Vec<u8>, Errno> {
    let mut bytes = vec![0; usize::from(max_len) + 1];
    let mut item = ExtControl { id, size: u32::from(max_len) + 1, ..zeroed() };
    item.value.string = bytes.as_mut_ptr();
    // SAFETY: `string` points to `size` bytes of `bytes`, which nothing else touches during the call.
    unsafe { extended(fd, Verb::Read, &mut item)? };
    let len = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
    bytes.truncate(len);
    Ok(bytes)
}

/// Sets a string control; `text` has no NUL.
pub(crate) fn set_text(fd: BorrowedFd<'_>, id: u32, text: &str) -> Result<(), Errno> {
    let mut bytes = Vec::with_capacity(text.len() + 1);
    bytes.extend_from_slice(text.as_bytes());
    bytes.push(0);
    let size = u32::try_from(bytes.len()).map_err(|_| Errno::RANGE)?;
    let mut item = ExtControl { id, size, ..zeroed() };
    item.value.string = bytes.as_mut_ptr();
    // SAFETY: `string` points to `size` bytes of `bytes`, which nothing else touches during the call.
    unsafe { extended(fd, Verb::Set, &mut item) }
}
