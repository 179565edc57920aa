//! Real Eyelet processes for tests: started, talked to, looked at from outside, killed, and gone afterwards.
//!
//! Belongs here: what every integration test needs, what only the operating system can tell about a process, and what the
//! test picture shows. Does not belong here: what a test expects of Eyelet. Nothing here asserts how long something takes: it waits on conditions, all
//! with one deadline ([`DEADLINE`]), and the error says what was waited for and what the program printed.
//!
//! ```no_run
//! # fn main() -> anyhow::Result<()> {
//! use std::path::Path;
//! let eyelet = eyelet_harness::Eyelet::start(Path::new("target/debug/eyelet"), &["--listen", "127.0.0.1:0"])?;
//! assert_eq!(eyelet.get("/-/healthz")?.status, 200);
//! let mut viewer = eyelet.websocket("/-/ws", &["eyelet.v1"], &[])?;
//! assert!(viewer.next_text()?.contains("hello"));
//! assert!(eyelet.stop()?.success());
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]

mod bridge;
mod deadline;
mod eyelet;
mod http;
mod output;
mod picture;
pub mod process;
mod random;
mod websocket;

pub use bridge::Bridge;
pub use deadline::{DEADLINE, wait_until};
pub use eyelet::Eyelet;
pub use http::{Response, exchange};
pub use picture::BARS;
pub use process::Process;
pub use random::Random;
pub use rustix::process::Signal;
pub use websocket::{Refused, WsClient};

pub use eyelet_wire as wire;
