//! Frames between processes: written once, sealed, and handed on by descriptor.
//!
//! A **frame** is a memfd whose maker wrote it once and then sealed it, so that nobody, its maker included, can
//! change, shorten or tear it. An **area** is a `SOCK_SEQPACKET` Unix socket with a name; its **owner** publishes
//! frames to it, and each **subscriber** receives the newest one whenever it has granted **credit**. No memory is
//! shared for writing: there are no locks, no atomics, and a process that dies, stops or lies leaves nothing to repair.
//!
//! ```
//! use eyelet_area::{Event, Format, FourCc, FrameBuilder, MonotonicNs, Owner, Subscriber};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let folder = tempfile::tempdir()?;
//! let path = folder.path().join("0-camera");
//! let mut owner = Owner::new(eyelet_area::listen(&path, 0o600)?, 0)?;
//!
//! // In the other process:
//! let mut subscriber = Subscriber::connect(&path)?;
//! subscriber.grant(1)?;
//!
//! owner.turn()?; // lets it in, reads its credit
//! let mut builder = FrameBuilder::new()?;
//! builder.write(&[128; 8])?;
//! let frame = builder.seal(Format::packed(FourCc::GREY, 4, 2), MonotonicNs::now())?;
//! owner.publish(frame);
//!
//! while let Some(event) = subscriber.try_receive()? {
//!     if let Event::Frame { frame, missed } = event {
//!         assert_eq!((frame.info().sequence, missed), (1, 0));
//!         assert_eq!(frame.bytes()?, [128; 8]);
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Nothing here logs, starts threads or needs an async runtime: [`Owner`] and [`Subscriber`] give one descriptor each
//! ([`AsFd`](std::os::fd::AsFd)) that polls readable when there is something to do. The layout of the messages is
//! normative in `docs/ref/area.md`.
//!
//! Belongs here: what two processes must agree on to pass frames. Does not belong here: where frames come from, and
//! what is done with them.

mod clock;
mod credit;
mod error;
mod format;
mod frame;
mod keep;
mod mapping;
pub mod message;
mod owner;
mod requester;
mod socket;
mod subscriber;
mod subscription;

pub use clock::MonotonicNs;
pub use credit::{Credit, Overdrawn};
pub use error::{Error, ErrorKind, Result};
pub use format::{Format, FourCc, Matrix, Range};
pub use frame::{Frame, FrameBuilder, FrameFlags, FrameInfo, GENERATION_SHIFT, MAX_FRAME_LEN};
pub use keep::{Keep, MAX_KEEP_LEN};
pub use message::{Answer, Bits, MAX_CREDIT, Op, Outcome, Request, State};
pub use owner::{Asked, Limits, Owner, Peer, Turn};
pub use requester::Requester;
pub use socket::listen;
pub use subscriber::{Event, Subscriber};
