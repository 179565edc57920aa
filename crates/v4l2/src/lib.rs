//! The capture half of V4L2: find a camera, set it up, take its frames.
//!
//! # Model
//! A [`Device`] is an open camera: ask what it can, set format and interval. [`allocate`](Device::allocate) makes it an
//! [`Allocated`](queue::Allocated), whose buffers are mapped and whose format is fixed; [`start`](queue::Allocated::start)
//! makes that a [`Streaming`](queue::Streaming), which gives a [`Buffer`](buffer::Buffer) at a time. A buffer is the
//! driver's own memory: readable while it is held, back with the driver when it is dropped. Each step consumes the one
//! before, so what V4L2 demands in order cannot be done out of order; dropping any of them undoes all.
//!
//! # Guarantees
//! - Nothing waits except [`Device::open`] (a device that wakes up), [`wait`](queue::Streaming::wait) and what USB itself
//!   takes to answer about formats and controls. Nothing starts threads, logs, or keeps state outside of its values.
//! - What is expected is a value: nothing there yet, the end of the stream, no signal, no such list. What is not is an
//!   [`Error`], which names the step, the device and the cause, and has a [kind](ErrorKind) to act on.
//! - A driver's answer is checked before it is believed. Unknown numbers (pixel formats, controls, events) are kept as
//!   they are and never a reason to panic.
//! - 32-bit programs need Linux 5.6, for its 64-bit time stamps; 64-bit ones have no such need.
//!
//! # Example
//! ```no_run
//! use std::time::Duration;
//!
//! use eyelet_v4l2::format::Request;
//! use eyelet_v4l2::queue::Dequeued;
//! use eyelet_v4l2::sequence::Sequence;
//! use eyelet_v4l2::{Device, Result};
//!
//! fn main() -> Result<()> {
//!     let mut camera = Device::open("/dev/video0")?;
//!     let format = camera.set_format(Request { width: 640, height: 480, fourcc: *b"YUYV" })?;
//!     let mut stream = camera.allocate(4)?.start()?;
//!     let mut sequence = Sequence::new();
//!     loop {
//!         stream.wait(Duration::from_secs(1))?;
//!         match stream.dequeue()? {
//!             Dequeued::Buffer(buffer) if !buffer.is_corrupt() => {
//!                 let step = sequence.advance(buffer.sequence());
//!                 println!("{format} {}: {} bytes", step.sequence, buffer.len());
//!             }
//!             Dequeued::Buffer(_) | Dequeued::NotReady => {}
//!             Dequeued::EndOfStream => return Ok(()),
//!         }
//!     }
//! }
//! ```
//!
//! # Where `unsafe` is
//! In `ioctl` (the calls and their structures) and `mapping` (the driver's memory), which are private; everything above is
//! safe code.

pub mod buffer;
pub mod capability;
pub mod colour;
pub mod control;
pub mod device;
pub mod error;
pub mod event;
pub mod format;
pub mod holder;
pub mod identity;
pub mod input;
pub mod interval;
pub mod list;
pub mod queue;
pub mod sequence;
pub mod size;
pub mod timestamp;
pub mod timings;

mod ioctl;
mod mapping;

pub use device::Device;
pub use error::{Error, ErrorKind, Result};
