//! The ioctls of a capture device, one or one closely tied family per file.
//!
//! Belongs here: the structures as the kernel lays them out, the request numbers, the call, and nothing that decides.
//! Each function takes and gives plain values or [`Errno`], so that every caller above is safe code. Does not belong
//! here: meaning, defaults, retries on busy, error texts.
//!
//! # Layout
//! A V4L2 request number contains the size of its argument, so a structure of the wrong size is not a subtle bug but
//! `ENOTTY`. Sizes differ between 64-bit and 32-bit programs only where a structure holds a pointer, a C `long`, or a
//! time stamp:
//!
//! | structure | x86-64, aarch64 | armv7, armv6 | armv7, armv6, 32-bit time |
//! | --- | --- | --- | --- |
//! | `v4l2_format` | 208 | 204 | 204 |
//! | `v4l2_plane` | 64 | 60 | 60 |
//! | `v4l2_ext_controls` | 32 | 24 | 24 |
//! | `v4l2_buffer` | 88 | **80** | 68 |
//! | `v4l2_event` | 136 | **136** | 128 |
//!
//! The last column is the structure of a C program whose `time_t` has 32 bits. Linux before 5.6 knows nothing else on a
//! 32-bit machine, and nothing else from a 32-bit program on a 64-bit one. Since 5.6 the kernel's own structure has a
//! 64-bit time; the old size is translated (`VIDIOC_QBUF_TIME32` and its kin) only where the kernel was built with
//! `CONFIG_COMPAT_32BIT_TIME`, and a 64-bit kernel translates both for its 32-bit programs. This crate uses the 64-bit
//! time everywhere: right on each kernel since 5.6 (March 2020) however built, and the same code on all machines. An
//! older 32-bit kernel answers `ENOTTY` to `VIDIOC_QUERYBUF`, which surfaces as `Unsupported`.
//!
//! 32-bit ARM aligns 64-bit integers to 8 bytes (EABI), as Rust's `repr(C)` does there; constant assertions check the
//! compiled target, and `tests.rs` proves the other one field by field.
//!
//! Source: `include/uapi/linux/videodev2.h`; `include/media/v4l2-ioctl.h` (`struct v4l2_buffer_time32`,
//! `struct v4l2_event_time32`); `drivers/media/v4l2-core/v4l2-ioctl.c` (`video_translate_cmd`);
//! `drivers/media/v4l2-core/v4l2-compat-ioctl32.c`; Procedure Call Standard for the Arm Architecture, "Fundamental Data
//! Types".
#![allow(unsafe_code, reason = "an ioctl is a contract between a number and a structure")]

use std::os::fd::BorrowedFd;

use rustix::io::{Errno, retry_on_intr};
use rustix::ioctl::{Opcode, Updater, ioctl};

pub(crate) mod buffer;
pub(crate) mod capability;
pub(crate) mod control_query;
pub(crate) mod control_value;
pub(crate) mod enumerate;
pub(crate) mod event;
pub(crate) mod format;
pub(crate) mod input;
pub(crate) mod parameters;
pub(crate) mod stream;
pub(crate) mod timings;

#[cfg(test)]
mod tests;

/// The letter of all V4L2 request numbers.
const GROUP: u8 = b'V';

/// Which of the two capture interfaces a node speaks.
///
/// Source: `enum v4l2_buf_type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BufType {
    /// `V4L2_BUF_TYPE_VIDEO_CAPTURE`: one memory area per image.
    Single,
    /// `V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE`: one or more memory areas per image.
    Multi,
}

impl BufType {
    /// The number that the kernel knows it by.
    pub(crate) const fn raw(self) -> u32 {
        match self {
            Self::Single => 1,
            Self::Multi => 9,
        }
    }
}

/// A structure for which every bit pattern, all zero included, is a valid value.
///
/// # Safety
/// The type is `repr(C)` and made of integers, raw pointers, arrays, unions and structures of such only.
unsafe trait Plain: Copy {}

/// Marks structures as [`Plain`]; each use is in the file that declares the structure, beside its fields.
macro_rules! plain {
    ($($type:ty),+ $(,)?) => {$(
        // SAFETY: the structure is `repr(C)` and declared in this file with integer, raw pointer and array fields only.
        unsafe impl $crate::ioctl::Plain for $type {}
    )+};
}
use plain;

/// Checks size and offsets on the compiled target: first number 64-bit, second 32-bit ARM.
macro_rules! assert_layout {
    ($type:ty, $size64:literal, $size32:literal $(, $field:ident: $at64:literal, $at32:literal)* $(,)?) => {
        #[cfg(target_pointer_width = "64")]
        const _: () = {
            assert!(size_of::<$type>() == $size64);
            $(assert!(std::mem::offset_of!($type, $field) == $at64);)*
        };
        #[cfg(target_arch = "arm")]
        const _: () = {
            assert!(size_of::<$type>() == $size32);
            $(assert!(std::mem::offset_of!($type, $field) == $at32);)*
        };
    };
}
use assert_layout;

/// A structure as an application has to hand it in: all zero.
fn zeroed<T: Plain>() -> T {
    // SAFETY: `T: Plain` promises that all zero is a value of `T`.
    unsafe { std::mem::zeroed() }
}

/// Makes one call, again when a signal interrupts it.
///
/// # Safety
/// `OPCODE` is the V4L2 request whose argument is exactly `T`, so that the kernel reads and writes nothing beyond
/// `value`; and what `value` points to, if it has pointers, is valid for what that request does with it.
unsafe fn call<const OPCODE: Opcode, T: Plain>(
    fd: BorrowedFd<'_>,
    value: &mut T,
) -> Result<(), Errno> {
    retry_on_intr(|| {
        // SAFETY: the caller promises that `OPCODE` takes a `T`; whatever the kernel writes there is valid (`Plain`).
        let request = unsafe { Updater::<OPCODE, T>::new(value) };
        // SAFETY: as above; `fd` is open, and a device that is not V4L2 refuses the number.
        unsafe { ioctl(fd, request) }
    })
}

/// Reads a C string field: up to the first NUL, what is not UTF-8 or printable replaced.
///
/// Names come from the camera's own firmware; control characters would reach terminals and logs.
pub(crate) fn text(field: &[u8]) -> String {
    let len = field.iter().position(|&byte| byte == 0).unwrap_or(field.len());
    printable(&String::from_utf8_lossy(&field[..len]))
}

/// The text without surrounding white space, each control character replaced.
pub(crate) fn printable(text: &str) -> String {
    text.trim()
        .chars()
        .map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c })
        .collect()
}
