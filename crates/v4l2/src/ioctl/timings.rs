//! `VIDIOC_QUERY_DV_TIMINGS`, `VIDIOC_G_DV_TIMINGS`, `VIDIOC_S_DV_TIMINGS`: what an HDMI-like input carries.
//!
//! Source: `struct v4l2_dv_timings`, `struct v4l2_bt_timings`.
#![allow(unsafe_code, reason = "the calls themselves")]

use std::os::fd::BorrowedFd;

use rustix::io::Errno;
use rustix::ioctl::{Opcode, opcode};

use super::{GROUP, assert_layout, call, plain, zeroed};

/// `struct v4l2_dv_timings` with the `bt` member of its union of 128 bytes.
///
/// The kernel packs it, which puts the 64-bit pixel clock at offset 20, so it is two words here.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DvTimings {
    /// 0, `V4L2_DV_BT_656_1120`: the only type there is.
    pub(crate) type_: u32,
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) interlaced: u32,
    pub(super) polarities: u32,
    pub(super) pixelclock: [u32; 2],
    pub(crate) hfrontporch: u32,
    pub(crate) hsync: u32,
    pub(crate) hbackporch: u32,
    pub(crate) vfrontporch: u32,
    pub(crate) vsync: u32,
    pub(crate) vbackporch: u32,
    pub(crate) il_vfrontporch: u32,
    pub(crate) il_vsync: u32,
    pub(crate) il_vbackporch: u32,
    pub(super) standards: u32,
    pub(crate) flags: u32,
    pub(super) picture_aspect: [u32; 2],
    pub(super) cea861_vic: u8,
    pub(super) hdmi_vic: u8,
    pub(super) reserved: [u8; 46],
    /// The union is 4 bytes longer than its `bt` member.
    pub(super) rest: u32,
}
plain!(DvTimings);
assert_layout!(DvTimings, 132, 132, pixelclock: 20, 20, flags: 68, 68, reserved: 82, 82, rest: 128, 128);

pub(super) const S_DV_TIMINGS: Opcode = opcode::read_write::<DvTimings>(GROUP, 87);
pub(super) const G_DV_TIMINGS: Opcode = opcode::read_write::<DvTimings>(GROUP, 88);
pub(super) const QUERY_DV_TIMINGS: Opcode = opcode::read::<DvTimings>(GROUP, 99);

impl DvTimings {
    /// The pixel clock in Hz: a 64-bit integer in the machine's own byte order.
    pub(crate) fn pixel_clock_hz(&self) -> u64 {
        let [first, second] = self.pixelclock.map(u32::to_ne_bytes);
        let mut bytes = [0; 8];
        bytes[..4].copy_from_slice(&first);
        bytes[4..].copy_from_slice(&second);
        u64::from_ne_bytes(bytes)
    }
}

/// Measures the signal at the input. `ENOLINK`: none; `ENOLCK`: unstable; `ERANGE`: beyond the hardware.
pub(crate) fn detect(fd: BorrowedFd<'_>) -> Result<DvTimings, Errno> {
    let mut raw = zeroed();
    // SAFETY: `VIDIOC_QUERY_DV_TIMINGS` fills a `struct v4l2_dv_timings`, which `DvTimings` is.
    unsafe { call::<QUERY_DV_TIMINGS, DvTimings>(fd, &mut raw)? };
    Ok(raw)
}

/// Reads the timings that the receiver is set to.
pub(crate) fn read(fd: BorrowedFd<'_>) -> Result<DvTimings, Errno> {
    let mut raw = zeroed();
    // SAFETY: `VIDIOC_G_DV_TIMINGS` takes a `struct v4l2_dv_timings`, which `DvTimings` is.
    unsafe { call::<G_DV_TIMINGS, DvTimings>(fd, &mut raw)? };
    Ok(raw)
}

/// Sets the receiver to timings, and with them the format. `EBUSY` while streaming.
pub(crate) fn set(fd: BorrowedFd<'_>, timings: &DvTimings) -> Result<DvTimings, Errno> {
    let mut raw = *timings;
    // SAFETY: `VIDIOC_S_DV_TIMINGS` takes a `struct v4l2_dv_timings`, which `DvTimings` is.
    unsafe { call::<S_DV_TIMINGS, DvTimings>(fd, &mut raw)? };
    Ok(raw)
}

#[cfg(test)]
impl DvTimings {
    /// Timings made up for a test: active size, total blanking, pixel clock.
    pub(crate) fn sample(size: (u32, u32), blanking: (u32, u32), pixel_clock_hz: u64) -> Self {
        let bytes = pixel_clock_hz.to_ne_bytes();
        let word = |at: usize| {
            u32::from_ne_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
        };
        Self {
            width: size.0,
            height: size.1,
            hsync: blanking.0,
            vsync: blanking.1,
            pixelclock: [word(0), word(4)],
            ..zeroed()
        }
    }
}
