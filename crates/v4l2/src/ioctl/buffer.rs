//! `VIDIOC_REQBUFS`, `VIDIOC_QUERYBUF`, `VIDIOC_QBUF`, `VIDIOC_DQBUF`: the driver's buffers.
//!
//! Who may touch a buffer's memory when is not decided here but in [`crate::mapping`].
//!
//! Source: `struct v4l2_requestbuffers`, `struct v4l2_buffer`, `struct v4l2_plane`; for the time stamp's size the
//! documentation of [`crate::ioctl`].
#![allow(unsafe_code, reason = "the calls themselves")]

use std::os::fd::BorrowedFd;

use rustix::io::Errno;
use rustix::ioctl::{Opcode, opcode};

use super::format::MAX_PLANES;
use super::{BufType, GROUP, assert_layout, call, plain, zeroed};

/// `V4L2_MEMORY_MMAP`.
const MEMORY_MMAP: u32 = 1;

/// `struct v4l2_requestbuffers`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub(super) struct RequestBuffers {
    pub(super) count: u32,
    pub(super) type_: u32,
    pub(super) memory: u32,
    pub(super) capabilities: u32,
    pub(super) flags: u8,
    pub(super) reserved: [u8; 3],
}

/// `struct v4l2_timecode`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub(super) struct Timecode {
    pub(super) type_: u32,
    pub(super) flags: u32,
    pub(super) frames: u8,
    pub(super) seconds: u8,
    pub(super) minutes: u8,
    pub(super) hours: u8,
    pub(super) userbits: [u8; 4],
}

/// `struct v4l2_plane`; its union is as wide as a C `long`, and for mapped memory only its first word is used.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub(super) struct Plane {
    pub(super) bytesused: u32,
    pub(super) length: u32,
    pub(super) mem_offset: u32,
    /// The rest of the union.
    #[cfg(target_pointer_width = "64")]
    pub(super) rest: u32,
    pub(super) data_offset: u32,
    pub(super) reserved: [u32; 11],
}

/// The union of `struct v4l2_buffer`.
#[repr(C)]
#[derive(Clone, Copy)]
pub(super) union Memory {
    pub(super) offset: u32,
    pub(super) planes: *mut Plane,
}

/// `struct v4l2_buffer`.
#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct Buffer {
    pub(super) index: u32,
    pub(super) type_: u32,
    pub(super) bytesused: u32,
    pub(super) flags: u32,
    pub(super) field: u32,
    /// `struct timeval` with a 64-bit time on all machines: seconds, microseconds.
    pub(super) timestamp: [i64; 2],
    pub(super) timecode: Timecode,
    pub(super) sequence: u32,
    pub(super) memory: u32,
    pub(super) m: Memory,
    pub(super) length: u32,
    pub(super) reserved2: u32,
    pub(super) request_fd: i32,
}
plain!(RequestBuffers, Timecode, Plane, Memory, Buffer);
assert_layout!(RequestBuffers, 20, 20, flags: 16, 16);
assert_layout!(Timecode, 16, 16, userbits: 12, 12);
assert_layout!(Plane, 64, 60, mem_offset: 8, 8, data_offset: 16, 12, reserved: 20, 16);
assert_layout!(Buffer, 88, 80, timestamp: 24, 24, sequence: 56, 56, m: 64, 64, length: 72, 68, request_fd: 80, 76);

pub(super) const REQBUFS: Opcode = opcode::read_write::<RequestBuffers>(GROUP, 8);
pub(super) const QUERYBUF: Opcode = opcode::read_write::<Buffer>(GROUP, 9);
pub(super) const QBUF: Opcode = opcode::read_write::<Buffer>(GROUP, 15);
pub(super) const DQBUF: Opcode = opcode::read_write::<Buffer>(GROUP, 17);

/// Where one plane of a buffer is: what to give to `mmap`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) offset: u32,
    pub(crate) length: u32,
}

/// How much of one plane is payload: `data_offset..bytesused`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Filled {
    pub(crate) bytesused: u32,
    pub(crate) data_offset: u32,
}

/// A buffer that the driver gave back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Dequeued {
    pub(crate) index: u32,
    pub(crate) flags: u32,
    pub(crate) field: u32,
    pub(crate) sequence: u32,
    /// Seconds, microseconds.
    pub(crate) timestamp: [i64; 2],
    pub(crate) planes: [Filled; MAX_PLANES],
}

/// Asks for `count` buffers in place of those there are, and answers how many the driver made; 0 frees them.
pub(crate) fn request(fd: BorrowedFd<'_>, buf_type: BufType, count: u32) -> Result<u32, Errno> {
    let mut raw = RequestBuffers { count, type_: buf_type.raw(), memory: MEMORY_MMAP, ..zeroed() };
    // SAFETY: `VIDIOC_REQBUFS` takes a `struct v4l2_requestbuffers`, which `RequestBuffers` is. Pages of freed buffers
    // stay with the mappings that still show them.
    unsafe { call::<REQBUFS, RequestBuffers>(fd, &mut raw)? };
    Ok(raw.count)
}

/// Asks where a buffer's planes are.
pub(crate) fn places(
    fd: BorrowedFd<'_>,
    buf_type: BufType,
    index: u32,
) -> Result<Vec<Place>, Errno> {
    let mut planes = [zeroed::<Plane>(); MAX_PLANES];
    let mut raw = argument(buf_type, index, &mut planes);
    // SAFETY: `VIDIOC_QUERYBUF` takes a `struct v4l2_buffer`, which `Buffer` is; `argument` made `m` valid.
    unsafe { call::<QUERYBUF, Buffer>(fd, &mut raw)? };
    if buf_type == BufType::Single {
        // SAFETY: the union was zeroed whole, and every pattern is a `u32`; the kernel answers an offset here.
        let offset = unsafe { raw.m.offset };
        return Ok(vec![Place { offset, length: raw.length }]);
    }
    let used = usize::try_from(raw.length).map_or(MAX_PLANES, |count| count.min(MAX_PLANES));
    Ok(planes[..used].iter().map(|p| Place { offset: p.mem_offset, length: p.length }).collect())
}

/// Gives a buffer to the driver, which may write to it from then on.
pub(crate) fn queue(fd: BorrowedFd<'_>, buf_type: BufType, index: u32) -> Result<(), Errno> {
    let mut planes = [zeroed::<Plane>(); MAX_PLANES];
    let mut raw = argument(buf_type, index, &mut planes);
    // SAFETY: `VIDIOC_QBUF` takes a `struct v4l2_buffer`, which `Buffer` is; `argument` made `m` valid. With
    // `V4L2_MEMORY_MMAP` the driver writes only to its own memory.
    unsafe { call::<QBUF, Buffer>(fd, &mut raw) }
}

/// Takes the oldest filled buffer. `EAGAIN`: none yet; `EPIPE`: the last one was taken.
pub(crate) fn dequeue(fd: BorrowedFd<'_>, buf_type: BufType) -> Result<Dequeued, Errno> {
    let mut planes = [zeroed::<Plane>(); MAX_PLANES];
    let mut raw = argument(buf_type, 0, &mut planes);
    // SAFETY: `VIDIOC_DQBUF` takes a `struct v4l2_buffer`, which `Buffer` is; `argument` made `m` valid.
    unsafe { call::<DQBUF, Buffer>(fd, &mut raw)? };
    let mut filled = planes.map(|p| Filled { bytesused: p.bytesused, data_offset: p.data_offset });
    if buf_type == BufType::Single {
        filled[0] = Filled { bytesused: raw.bytesused, data_offset: 0 };
    }
    Ok(Dequeued {
        index: raw.index,
        flags: raw.flags,
        field: raw.field,
        sequence: raw.sequence,
        timestamp: raw.timestamp,
        planes: filled,
    })
}

/// The argument of the three calls; for a multi-planar node it points to `planes`, which must outlive it.
fn argument(buf_type: BufType, index: u32, planes: &mut [Plane; MAX_PLANES]) -> Buffer {
    let mut raw = Buffer { index, type_: buf_type.raw(), memory: MEMORY_MMAP, ..zeroed() };
    if buf_type == BufType::Multi {
        raw.m.planes = planes.as_mut_ptr();
        raw.length = 8; // MAX_PLANES: how many the kernel may fill in
    }
    raw
}

#[cfg(test)]
impl Dequeued {
    /// A buffer made up for a test.
    pub(crate) fn sample(index: u32, flags: u32, planes: &[Filled]) -> Self {
        let mut all = [Filled::default(); MAX_PLANES];
        all[..planes.len()].copy_from_slice(planes);
        Self { index, flags, field: 1, sequence: 0, timestamp: [0; 2], planes: all }
    }
}
