//! `eyelet devices`: the cameras of this machine, what they offer, and why other nodes are no cameras.

use std::io::Write;

use eyelet_v4l2::control::Control;
use eyelet_v4l2::list::{Node, State};
use eyelet_v4l2::size::Sizes;
use eyelet_v4l2::{Device, list};

use crate::error::{Error, Result};

/// What devices is told.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// List each camera's controls as well.
    #[arg(long)]
    controls: bool,
}

/// Prints every video device.
///
/// # Errors
/// If the list cannot be read or printed.
pub fn run(args: &Args) -> Result<()> {
    let nodes = list::list().map_err(Error::failed)?;
    let mut text = String::new();
    if nodes.is_empty() {
        text.push_str("no video device found: plug a camera in, or use --source test:640x480@30\n");
    }
    for node in &nodes {
        describe(node, args, &mut text);
    }
    std::io::stdout()
        .write_all(text.as_bytes())
        .map_err(|e| Error::failed(format!("failed to print: {e}")))
}

fn describe(node: &Node, args: &Args, text: &mut String) {
    let path = node.path.display();
    match &node.state {
        State::Camera { capability, formats } => {
            text.push_str(&format!(
                "{path}  {} ({}, {})\n",
                capability.card, capability.driver, capability.bus
            ));
            let device = Device::open(&node.path).ok();
            for format in formats {
                let sizes = device
                    .as_ref()
                    .and_then(|d| d.frame_sizes(format.fourcc).ok())
                    .unwrap_or_default();
                let sizes: Vec<String> = sizes.iter().map(size).collect();
                text.push_str(&format!(
                    "    {}  {}\n",
                    format.fourcc.escape_ascii(),
                    sizes.join(" ")
                ));
            }
            text.push_str(&format!("    use it: eyelet run --source v4l2:{path}\n"));
            if args.controls
                && let Some(device) = device
            {
                for control in device.controls().unwrap_or_default() {
                    text.push_str(&describe_control(&device, &control));
                }
            }
        }
        State::Skipped { capability, reason } => {
            text.push_str(&format!("{path}  {}: no camera, {reason}\n", capability.card));
        }
        State::Unknown(error) => text.push_str(&format!("{path}  {error}\n")),
    }
}

fn size(sizes: &Sizes) -> String {
    match sizes {
        Sizes::Discrete { width, height } => format!("{width}x{height}"),
        Sizes::Stepwise { width, height } => {
            format!("{}x{}…{}x{}", width.min, height.min, width.max, height.max)
        }
    }
}

fn describe_control(device: &Device, control: &Control) -> String {
    let value =
        device.control_value(control).map_or_else(|_| "-".to_owned(), |value| format!("{value:?}"));
    format!("    {} = {value}  ({:?})\n", control.key(), control.kind)
}
