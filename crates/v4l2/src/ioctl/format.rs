//! `VIDIOC_G_FMT`, `VIDIOC_S_FMT`, `VIDIOC_TRY_FMT`: the format of the next buffers.
//!
//! `struct v4l2_format` is a type word and a union of 200 bytes that holds pointers, so it is aligned as one. Two
//! structures of that shape, one per capture interface, spare the union.
//!
//! Source: `struct v4l2_format`, `struct v4l2_pix_format`, `struct v4l2_pix_format_mplane`.
#![allow(unsafe_code, reason = "the calls themselves")]

use std::os::fd::BorrowedFd;

use rustix::io::Errno;
use rustix::ioctl::{Opcode, opcode};

use super::{BufType, GROUP, assert_layout, call, plain, zeroed};

/// `VIDEO_MAX_PLANES`.
pub(crate) const MAX_PLANES: usize = 8;

/// `V4L2_PIX_FMT_PRIV_MAGIC`: the fields after `priv` are meant; without it the kernel clears them.
pub(crate) const EXTENDED_FIELDS_ARE_VALID: u32 = 0xfeed_cafe;

/// `struct v4l2_pix_format`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub(crate) struct PixFormat {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) pixelformat: u32,
    pub(crate) field: u32,
    pub(crate) bytesperline: u32,
    pub(crate) sizeimage: u32,
    pub(crate) colorspace: u32,
    pub(crate) priv_: u32,
    pub(crate) flags: u32,
    pub(crate) ycbcr_enc: u32,
    pub(crate) quantization: u32,
    pub(crate) xfer_func: u32,
}

/// `struct v4l2_plane_pix_format`, packed: its 16-bit words would not change the layout.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub(crate) struct PlanePixFormat {
    pub(crate) sizeimage: u32,
    pub(crate) bytesperline: u32,
    pub(crate) reserved: [u16; 6],
}

/// `struct v4l2_pix_format_mplane`, packed: every field is naturally aligned anyway.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub(crate) struct PixFormatMplane {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) pixelformat: u32,
    pub(crate) field: u32,
    pub(crate) colorspace: u32,
    pub(crate) plane_fmt: [PlanePixFormat; MAX_PLANES],
    pub(crate) num_planes: u8,
    pub(crate) flags: u8,
    pub(crate) ycbcr_enc: u8,
    pub(crate) quantization: u8,
    pub(crate) xfer_func: u8,
    pub(crate) reserved: [u8; 7],
}

/// `struct v4l2_format` with the `pix` member of its union.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub(super) struct SingleFormat {
    pub(super) type_: u32,
    /// The union has the alignment of a pointer.
    #[cfg(target_pointer_width = "64")]
    pub(super) align: u32,
    pub(super) pix: PixFormat,
    pub(super) rest: [u32; 38],
}

/// `struct v4l2_format` with the `pix_mp` member of its union.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub(super) struct MultiFormat {
    pub(super) type_: u32,
    /// The union has the alignment of a pointer.
    #[cfg(target_pointer_width = "64")]
    pub(super) align: u32,
    pub(super) pix_mp: PixFormatMplane,
    pub(super) rest: [u32; 2],
}
plain!(PixFormat, PlanePixFormat, PixFormatMplane, SingleFormat, MultiFormat);
assert_layout!(PixFormat, 48, 48, priv_: 28, 28, xfer_func: 44, 44);
assert_layout!(PlanePixFormat, 20, 20, reserved: 8, 8);
assert_layout!(PixFormatMplane, 192, 192, plane_fmt: 20, 20, num_planes: 180, 180, reserved: 185, 185);
assert_layout!(SingleFormat, 208, 204, pix: 8, 4);
assert_layout!(MultiFormat, 208, 204, pix_mp: 8, 4);

pub(super) const G_FMT: Opcode = opcode::read_write::<SingleFormat>(GROUP, 4);
pub(super) const S_FMT: Opcode = opcode::read_write::<SingleFormat>(GROUP, 5);
pub(super) const TRY_FMT: Opcode = opcode::read_write::<SingleFormat>(GROUP, 64);

/// The three things to do with a format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    /// `VIDIOC_G_FMT`: ask for the one in force.
    Read,
    /// `VIDIOC_S_FMT`: make it the one in force; `EBUSY` while buffers exist.
    Set,
    /// `VIDIOC_TRY_FMT`: ask what setting it would give, and change nothing.
    Try,
}

/// Reads, sets or tries the format of a single-planar node; `pix` becomes the driver's answer.
pub(crate) fn single(fd: BorrowedFd<'_>, verb: Verb, pix: &mut PixFormat) -> Result<(), Errno> {
    let mut raw = SingleFormat { type_: BufType::Single.raw(), pix: *pix, ..zeroed() };
    match verb {
        // SAFETY: `VIDIOC_G_FMT` takes a `struct v4l2_format`, which `SingleFormat` is with the union at `pix`; the kernel uses
        // that member because `type_` names it, and writes only within the 200 bytes of the union.
        Verb::Read => unsafe { call::<G_FMT, SingleFormat>(fd, &mut raw) },
        // SAFETY: the same argument as `VIDIOC_G_FMT`.
        Verb::Set => unsafe { call::<S_FMT, SingleFormat>(fd, &mut raw) },
        // SAFETY: the same argument as `VIDIOC_G_FMT`.
        Verb::Try => unsafe { call::<TRY_FMT, SingleFormat>(fd, &mut raw) },
    }?;
    *pix = raw.pix;
    Ok(())
}

/// Reads, sets or tries the format of a multi-planar node; `pix` becomes the driver's answer.
pub(crate) fn multi(
    fd: BorrowedFd<'_>,
    verb: Verb,
    pix: &mut PixFormatMplane,
) -> Result<(), Errno> {
    let mut raw = MultiFormat { type_: BufType::Multi.raw(), pix_mp: *pix, ..zeroed() };
    match verb {
        // SAFETY: `VIDIOC_G_FMT` takes a `struct v4l2_format`, which `MultiFormat` is with the union at `pix_mp`; the kernel uses
        // that member because `type_` names it, and writes only within the 200 bytes of the union.
        Verb::Read => unsafe { call::<G_FMT, MultiFormat>(fd, &mut raw) },
        // SAFETY: the same argument as `VIDIOC_G_FMT`.
        Verb::Set => unsafe { call::<S_FMT, MultiFormat>(fd, &mut raw) },
        // SAFETY: the same argument as `VIDIOC_G_FMT`.
        Verb::Try => unsafe { call::<TRY_FMT, MultiFormat>(fd, &mut raw) },
    }?;
    *pix = raw.pix_mp;
    Ok(())
}

/// An empty single-planar format.
pub(crate) fn empty_single() -> PixFormat {
    zeroed()
}

/// An empty multi-planar format.
pub(crate) fn empty_multi() -> PixFormatMplane {
    zeroed()
}
