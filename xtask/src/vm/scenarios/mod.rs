//! The scenarios, a file for each group.
//!
//! To add one: write `fn name(guest: &mut Guest) -> Result<String>` in a file here, list it in that file's `SCENARIOS`, and
//! the file in [`all`]. A scenario gets a guest of its own that just booted: no camera yet, [`camera::Camera`] plugs one in. It
//! returns what is worth noting in its line of the report. Programs in the guest: [`Guest::run`], [`Guest::background`]; the same
//! executables on this side of the network: [`Guest::executable`], with [`Guest::address`].

mod access;
mod camera;
mod controls;
mod faults;
mod infra;
mod lines;
mod loss;
mod random;
mod server;
mod streams;
mod viewer;
mod web;

use anyhow::Result;

use super::guest::Guest;

/// One scenario.
#[derive(Debug)]
pub(crate) struct Scenario {
    /// `GROUP/NAME`.
    pub(crate) name: &'static str,
    /// One line: what it shows.
    pub(crate) about: &'static str,
    /// The workspace's packages whose executables the guest needs.
    pub(crate) executables: &'static [&'static str],
    /// The scenario itself; the error says what was not as it should be.
    pub(crate) run: fn(&mut Guest) -> Result<String>,
}

impl Scenario {
    const fn new(
        executables: &'static [&'static str],
        name: &'static str,
        about: &'static str,
        run: fn(&mut Guest) -> Result<String>,
    ) -> Self {
        Self { name, about, executables, run }
    }
}

/// What the guest needs for scenarios of Eyelet itself.
const EYELET: &[&str] = &["eyelet", "uvcsim"];

/// All scenarios, in the order in which they run.
pub(crate) fn all() -> impl Iterator<Item = &'static Scenario> {
    [
        infra::SCENARIOS,
        streams::SCENARIOS,
        loss::SCENARIOS,
        faults::SCENARIOS,
        random::SCENARIOS,
        access::SCENARIOS,
        controls::SCENARIOS,
        lines::SCENARIOS,
    ]
    .into_iter()
    .flatten()
}
