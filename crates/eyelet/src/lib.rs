//! Eyelet: one camera, one copy, any number of viewers.
//!
//! One executable, several roles: the [`supervisor`] owns the sockets and every child; [`capture`] puts frames into an
//! area; [`encode`] makes other streams of them; [`serve`] sends them to viewers; [`app`] lets a few lines of the user's
//! language decide what a viewer gets; [`keep`] holds small data that they share; [`mule`] runs what else they have. ARCHITECTURE.md follows one frame through them.

mod accounts;
pub mod app;
mod backoff;
pub mod capture;
mod certificate;
pub mod cli;
pub mod cmd;
pub mod config;
pub mod confine;
pub mod control;
mod due;
pub mod encode;
pub mod error;
#[cfg(fuzzing)]
pub mod fuzzing;
mod h264;
mod inherit;
pub mod keep;
pub mod log;
pub mod mistakes;
pub mod mule;
pub mod panel;
pub mod picture;
pub mod plugin;
mod program;
mod qr;
pub mod role;
pub mod serve;
pub mod settings;
pub mod stamp;
pub mod supervisor;
pub mod users;
pub mod watch;
