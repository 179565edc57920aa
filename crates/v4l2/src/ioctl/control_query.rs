//! `VIDIOC_QUERY_EXT_CTRL`, `VIDIOC_QUERYCTRL`, `VIDIOC_QUERYMENU`: which controls there are.
//!
//! Source: `struct v4l2_query_ext_ctrl`, `struct v4l2_queryctrl`, `struct v4l2_querymenu`.
#![allow(unsafe_code, reason = "the calls themselves")]

use std::os::fd::BorrowedFd;

use rustix::io::Errno;
use rustix::ioctl::{Opcode, opcode};

use super::{GROUP, assert_layout, call, plain, zeroed};

/// `V4L2_CTRL_FLAG_NEXT_CTRL`: the first control whose id is greater than the one given.
const NEXT: u32 = 0x8000_0000;

/// `struct v4l2_query_ext_ctrl`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub(crate) struct QueryExtCtrl {
    pub(crate) id: u32,
    pub(crate) type_: u32,
    pub(crate) name: [u8; 32],
    pub(crate) minimum: i64,
    pub(crate) maximum: i64,
    pub(crate) step: u64,
    pub(crate) default_value: i64,
    pub(crate) flags: u32,
    pub(super) elem_size: u32,
    pub(super) elems: u32,
    pub(crate) nr_of_dims: u32,
    pub(super) dims: [u32; 4],
    pub(super) reserved: [u32; 32],
}

/// `struct v4l2_queryctrl`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub(super) struct QueryCtrl {
    pub(super) id: u32,
    pub(super) type_: u32,
    pub(super) name: [u8; 32],
    pub(super) minimum: i32,
    pub(super) maximum: i32,
    pub(super) step: i32,
    pub(super) default_value: i32,
    pub(super) flags: u32,
    pub(super) reserved: [u32; 2],
}

/// `struct v4l2_querymenu`, packed; `item` is its union of a name and a 64-bit value.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub(super) struct QueryMenu {
    pub(super) id: u32,
    pub(super) index: u32,
    pub(super) item: [u8; 32],
    pub(super) reserved: u32,
}
plain!(QueryExtCtrl, QueryCtrl, QueryMenu);
assert_layout!(QueryExtCtrl, 232, 232, minimum: 40, 40, flags: 72, 72, dims: 88, 88);
assert_layout!(QueryCtrl, 68, 68, minimum: 40, 40, flags: 56, 56);
assert_layout!(QueryMenu, 44, 44, item: 8, 8, reserved: 40, 40);

pub(super) const QUERYCTRL: Opcode = opcode::read_write::<QueryCtrl>(GROUP, 36);
pub(super) const QUERYMENU: Opcode = opcode::read_write::<QueryMenu>(GROUP, 37);
pub(super) const QUERY_EXT_CTRL: Opcode = opcode::read_write::<QueryExtCtrl>(GROUP, 103);

/// The first control after `id` (0 for the first of all); `None` after the last, or where there is none.
pub(crate) fn next(fd: BorrowedFd<'_>, id: u32) -> Result<Option<QueryExtCtrl>, Errno> {
    let mut raw = QueryExtCtrl { id: id | NEXT, ..zeroed() };
    // SAFETY: `VIDIOC_QUERY_EXT_CTRL` takes a `struct v4l2_query_ext_ctrl`, which `QueryExtCtrl` is.
    match unsafe { call::<QUERY_EXT_CTRL, QueryExtCtrl>(fd, &mut raw) } {
        Ok(()) => Ok(Some(raw)),
        Err(Errno::INVAL) => Ok(None),
        Err(Errno::NOTTY) => next_plain(fd, id),
        Err(errno) => Err(errno),
    }
}

/// The same by `VIDIOC_QUERYCTRL`, for kernels before 3.17 and drivers without the extended form.
fn next_plain(fd: BorrowedFd<'_>, id: u32) -> Result<Option<QueryExtCtrl>, Errno> {
    let mut raw = QueryCtrl { id: id | NEXT, ..zeroed() };
    // SAFETY: `VIDIOC_QUERYCTRL` takes a `struct v4l2_queryctrl`, which `QueryCtrl` is.
    match unsafe { call::<QUERYCTRL, QueryCtrl>(fd, &mut raw) } {
        Ok(()) => Ok(Some(widen(&raw))),
        Err(Errno::INVAL | Errno::NOTTY) => Ok(None),
        Err(errno) => Err(errno),
    }
}

/// What the plain answer says, in the extended structure.
///
/// `V4L2_CTRL_TYPE_BITMASK` has its maximum as an unsigned number in the signed field.
fn widen(raw: &QueryCtrl) -> QueryExtCtrl {
    const BITMASK: u32 = 8;
    let number = |value: i32| match raw.type_ {
        BITMASK => i64::from(value.cast_unsigned()),
        _ => i64::from(value),
    };
    QueryExtCtrl {
        id: raw.id,
        type_: raw.type_,
        name: raw.name,
        minimum: number(raw.minimum),
        maximum: number(raw.maximum),
        step: u64::from(raw.step.unsigned_abs()),
        default_value: number(raw.default_value),
        flags: raw.flags,
        ..zeroed()
    }
}

/// The menu item at a position: 32 bytes that hold its name, or its value for an integer menu; `None` for a gap.
pub(crate) fn menu_item(
    fd: BorrowedFd<'_>,
    id: u32,
    index: u32,
) -> Result<Option<[u8; 32]>, Errno> {
    let mut raw = QueryMenu { id, index, ..zeroed() };
    // SAFETY: `VIDIOC_QUERYMENU` takes a `struct v4l2_querymenu`, which `QueryMenu` is.
    match unsafe { call::<QUERYMENU, QueryMenu>(fd, &mut raw) } {
        Ok(()) => Ok(Some(raw.item)),
        Err(Errno::INVAL) => Ok(None),
        Err(errno) => Err(errno),
    }
}

#[cfg(test)]
impl QueryExtCtrl {
    /// An answer made up for a test.
    pub(crate) fn sample(id: u32, type_: u32, name: &str, range: (i64, i64, u64, i64)) -> Self {
        let mut raw: Self = zeroed();
        raw.name[..name.len()].copy_from_slice(name.as_bytes());
        let (minimum, maximum, step, default_value) = range;
        Self { id, type_, minimum, maximum, step, default_value, ..raw }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_answer_widens_bitmasks_as_unsigned() {
        let raw = QueryCtrl { type_: 8, maximum: -1, ..zeroed() };
        assert_eq!(widen(&raw).maximum, 0xffff_ffff);
        let raw = QueryCtrl { type_: 1, minimum: -64, maximum: 64, step: 1, ..zeroed() };
        assert_eq!((widen(&raw).minimum, widen(&raw).maximum, widen(&raw).step), (-64, 64, 1));
    }
}
