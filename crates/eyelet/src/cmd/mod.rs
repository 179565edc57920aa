//! One file per subcommand; each owns its `Args` and `run`.

pub mod check;
pub mod controls;
pub mod devices;
pub mod plugins;
mod request;
pub mod run;
pub mod snapshot;
pub mod user;
pub mod watch;
