//! `VIDIOC_G_PARM`, `VIDIOC_S_PARM`: the time per frame.
//!
//! Source: `struct v4l2_streamparm`, `struct v4l2_captureparm`.
#![allow(unsafe_code, reason = "the calls themselves")]

use std::os::fd::BorrowedFd;

use rustix::io::Errno;
use rustix::ioctl::{Opcode, opcode};

use super::{BufType, GROUP, assert_layout, call, plain, zeroed};

/// `V4L2_CAP_TIMEPERFRAME`: the driver honours `timeperframe`.
const HAS_TIME_PER_FRAME: u32 = 0x1000;

/// `struct v4l2_captureparm`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub(super) struct CaptureParm {
    pub(super) capability: u32,
    pub(super) capturemode: u32,
    pub(super) numerator: u32,
    pub(super) denominator: u32,
    pub(super) extendedmode: u32,
    pub(super) readbuffers: u32,
    pub(super) reserved: [u32; 4],
}

/// `struct v4l2_streamparm` with the `capture` member of its union of 200 bytes.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub(super) struct StreamParm {
    pub(super) type_: u32,
    pub(super) capture: CaptureParm,
    pub(super) rest: [u32; 40],
}
plain!(CaptureParm, StreamParm);
assert_layout!(CaptureParm, 40, 40, numerator: 8, 8);
assert_layout!(StreamParm, 204, 204, capture: 4, 4);

pub(super) const G_PARM: Opcode = opcode::read_write::<StreamParm>(GROUP, 21);
pub(super) const S_PARM: Opcode = opcode::read_write::<StreamParm>(GROUP, 22);

/// Asks for the time per frame as numerator and denominator of a second; `None` if this driver has none.
pub(crate) fn time_per_frame(
    fd: BorrowedFd<'_>,
    buf_type: BufType,
) -> Result<Option<(u32, u32)>, Errno> {
    let mut raw = StreamParm { type_: buf_type.raw(), ..zeroed() };
    // SAFETY: `VIDIOC_G_PARM` takes a `struct v4l2_streamparm`, which `StreamParm` is.
    let answer = unsafe { call::<G_PARM, StreamParm>(fd, &mut raw) };
    meant(answer, &raw)
}

/// Sets the time per frame and answers what the driver made of it; `None` if this driver has none.
pub(crate) fn set_time_per_frame(
    fd: BorrowedFd<'_>,
    buf_type: BufType,
    (numerator, denominator): (u32, u32),
) -> Result<Option<(u32, u32)>, Errno> {
    let capture = CaptureParm { numerator, denominator, ..zeroed() };
    let mut raw = StreamParm { type_: buf_type.raw(), capture, ..zeroed() };
    // SAFETY: `VIDIOC_S_PARM` takes a `struct v4l2_streamparm`, which `StreamParm` is.
    let answer = unsafe { call::<S_PARM, StreamParm>(fd, &mut raw) };
    meant(answer, &raw)
}

/// The fraction in an answer that has one.
fn meant(answer: Result<(), Errno>, raw: &StreamParm) -> Result<Option<(u32, u32)>, Errno> {
    match answer {
        // Some drivers answer the time without the flag; zero means that it is not one.
        Ok(()) => {
            let CaptureParm { capability, numerator, denominator, .. } = raw.capture;
            let is_meant = capability & HAS_TIME_PER_FRAME != 0 || numerator != 0;
            Ok((is_meant && numerator != 0 && denominator != 0).then_some((numerator, denominator)))
        }
        Err(Errno::NOTTY) => Ok(None),
        Err(errno) => Err(errno),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn driver_without_frame_rate_is_no_error() {
        let mut raw: StreamParm = zeroed();
        assert_eq!(meant(Err(Errno::NOTTY), &raw), Ok(None));
        assert_eq!(meant(Ok(()), &raw), Ok(None));
        raw.capture.capability = HAS_TIME_PER_FRAME;
        assert_eq!(meant(Ok(()), &raw), Ok(None), "a flag with 0/0 behind it");
        (raw.capture.numerator, raw.capture.denominator) = (1, 25);
        assert_eq!(meant(Ok(()), &raw), Ok(Some((1, 25))));
        assert_eq!(meant(Err(Errno::BUSY), &raw), Err(Errno::BUSY));
    }
}
