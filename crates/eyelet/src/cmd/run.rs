//! `eyelet run`, and `eyelet` alone.

use std::path::PathBuf;

use eyelet_v4l2::list::{Node, State};

use crate::cli::RunArgs;
use crate::cmd::plugins;
use crate::config::SourceSpec;
use crate::error::Result;
use crate::{certificate, log, supervisor};

/// Captures and serves until stopped.
///
/// # Errors
/// Wrong options, a port that cannot be had, a source that can never work.
pub fn run(args: RunArgs) -> Result<()> {
    log::start("supervisor");
    if let Some(from) = &args.build_plugin {
        return plugins::install(from);
    }
    let mut found = None;
    let mut read = move || {
        // Who named no source keeps the one that was found, whatever is plugged in meanwhile.
        let source = || match &found {
            Some(source) => Ok(SourceSpec::clone(source)),
            None => Ok(found.insert(default_source()?).clone()),
        };
        args.to_config(std::env::vars_os(), source).and_then(certificate::have_own)
    };
    supervisor::run(read()?, Box::new(read))
}

/// The first real camera, else the test picture; says why other devices are passed over.
fn default_source() -> Result<SourceSpec> {
    let nodes = eyelet_v4l2::list::list().unwrap_or_default();
    for node in &nodes {
        if let State::Skipped { reason, .. } = &node.state {
            ::log::info!("`{}` is no camera: {reason}", node.path.display());
        }
    }
    match first_camera(&nodes) {
        Some(device) => format!("v4l2:{}", device.display()).parse(),
        None => {
            ::log::info!(
                "no camera found; showing the test picture (choose with --source, see `eyelet devices`)"
            );
            "test:640x480@30".parse()
        }
    }
}

fn first_camera(nodes: &[Node]) -> Option<PathBuf> {
    nodes
        .iter()
        .find(|node| matches!(node.state, State::Camera { .. }))
        .map(|node| node.path.clone())
}
