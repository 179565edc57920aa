//! `eyelet plugins`: which plugins there are, and installing one.

use std::path::PathBuf;

use crate::error::Result;
use crate::plugin::{self, Description, build};

/// What the command is told.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Build and install the plugin in this folder (a cargo package, or scripts called eyelet-NAME), or this script.
    #[arg(long, value_name = "FOLDER")]
    build: Option<PathBuf>,
}

/// Lists the plugins, or installs one.
///
/// # Errors
/// If one is to be built, and is none or cannot be built.
pub fn run(args: &Args) -> Result<()> {
    if let Some(from) = &args.build {
        return install(from);
    }
    let all = plugin::all();
    if all.is_empty() {
        say(&format!(
            "no plugin: there is no executable `eyelet-NAME` on PATH or in `{}`",
            plugin::folder().join("bin").display()
        ));
    }
    for (name, (path, description)) in all {
        match description {
            Ok(description) => say(&line(&name, &description, &path.display())),
            Err(error) => say(&format!("{name}  is none: {error}")),
        }
    }
    Ok(())
}

/// Builds and installs a plugin, and says where.
///
/// # Errors
/// As [`build::build`].
pub fn install(from: &std::path::Path) -> Result<()> {
    for plugin in build::build(from)? {
        let line = line(&plugin.name, &plugin.description, &plugin.path.display());
        say(&format!("installed {line}"));
    }
    Ok(())
}

fn line(name: &str, description: &Description, path: &dyn std::fmt::Display) -> String {
    let mut words = vec![name.to_owned()];
    words.extend(description.kind.map(|kind| kind.to_string()));
    words.push(path.to_string());
    words.extend(description.functions.iter().map(|function| format!("{function}()")));
    if !description.about.is_empty() {
        words.push(description.about.clone());
    }
    words.join("  ")
}

#[expect(clippy::print_stdout, reason = "what was asked for")]
fn say(line: &str) {
    println!("{line}");
}
