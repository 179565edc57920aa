//! One file per subcommand; each owns its `Args` and `run`.

pub mod devices;
pub mod plugins;
pub mod run;
pub mod snapshot;
pub mod watch;
