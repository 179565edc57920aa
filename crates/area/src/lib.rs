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
//! The owner of an area of application data is a [`Keep`]: it holds bytes that subscribers read and change by
//! requests, one after the other, and publishes what came of them. A counter that many processes share:
//!
//! ```
//! use eyelet_area::{Bits, Event, Keep, Op, Owner, Request, Subscriber};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("2-visits");
//! let mut keep = Keep::new(Owner::new(eyelet_area::listen(&path, 0o600)?, 0)?, 4096)?;
//!
//! // In the other process; a `Requester` does this and waits.
//! let mut subscriber = Subscriber::connect(&path)?;
//! let op = Op::Add { pos: 0, bits: Bits::B64, amount: 1 };
//! subscriber.request(&Request { tag: 7, op })?;
//!
//! keep.turn()?; // lets it in, adds, answers
//! while let Some(event) = subscriber.try_receive()? {
//!     if let Event::Answer(answer) = event {
//!         assert_eq!((answer.tag, answer.value), (7, 1));
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Nothing here logs, starts threads or needs an async runtime: [`Owner`], [`Keep`] and [`Subscriber`] give one
//! descriptor each ([`AsFd`](std::os::fd::AsFd)) that polls readable when there is something to do. The layout of the
//! messages is normative in `docs/ref/area.md`.
//!
//! Belongs here: what two processes must agree on to pass frames and application data. Does not belong here: where
//! frames come from, and what is done with them.

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
