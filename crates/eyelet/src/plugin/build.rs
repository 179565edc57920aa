//! `--build-plugin DIR`: from a cargo package or a script to an executable in the plugins' folder.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Plugin, describe, folder, is_executable, name_of};
use crate::error::{Error, Result};

/// Builds and installs what lies in a folder, or a single script, and gives what came of it.
///
/// # Errors
/// A usage error if nothing there is a plugin; another if building fails.
pub fn build(from: &Path) -> Result<Vec<Plugin>> {
    let bin = folder().join("bin");
    std::fs::create_dir_all(&bin).map_err(|e| failed(&bin, &e))?;
    let paths = if from.join("Cargo.toml").is_file() {
        cargo_install(from)?
    } else {
        scripts(from)?
            .into_iter()
            .map(|script| {
                let to = bin.join(script.file_name().unwrap_or_default());
                // Beside it first, so that one that runs is replaced at once and whole.
                let new = to.with_extension("new");
                std::fs::copy(&script, &new)
                    .and_then(|_| {
                        std::fs::set_permissions(&new, std::fs::Permissions::from_mode(0o755))
                    })
                    .and_then(|()| std::fs::rename(&new, &to))
                    .map_err(|e| failed(&to, &e))?;
                Ok(to)
            })
            .collect::<Result<Vec<_>>>()?
    };
    if paths.is_empty() {
        return Err(Error::usage(format!(
            "`{}` has no plugin: neither a cargo package with an executable `eyelet-NAME`, nor a script of that name",
            from.display()
        )));
    }
    let plugins = paths.into_iter().filter_map(|path| Some((name_of(&path)?, path)));
    plugins
        .map(|(name, path)| {
            let description = describe::ask(&path)?;
            Ok(Plugin { name, path, description })
        })
        .collect()
}

/// The scripts: the file itself, or those in the folder that are called like plugins.
fn scripts(from: &Path) -> Result<Vec<PathBuf>> {
    let meta = from.metadata().map_err(|e| {
        Error::usage(format!("failed to read the plugin `{}`: {e}", from.display()))
    })?;
    if meta.is_file() {
        let is_plugin = name_of(from).is_some();
        return Ok(is_plugin.then(|| from.to_owned()).into_iter().collect());
    }
    let entries = std::fs::read_dir(from).map_err(|e| failed(from, &e))?;
    let paths = entries.flatten().map(|entry| entry.path());
    Ok(paths.filter(|path| name_of(path).is_some() && is_executable(path)).collect())
}

/// Has cargo build the package, and finds what it has installed.
fn cargo_install(package: &Path) -> Result<Vec<PathBuf>> {
    let root = folder();
    // A root of its own first: what is in it afterwards is what this package has.
    let fresh = root.join(format!("build-{}", std::process::id()));
    let status = Command::new("cargo")
        .args(["install", "--force", "--no-track", "--quiet", "--path"])
        .arg(package)
        .arg("--root")
        .arg(&fresh)
        .status()
        .map_err(|e| Error::failed(format!("failed to run `cargo`: {e}; install Rust")))?;
    let built = std::fs::read_dir(fresh.join("bin")).into_iter().flatten().flatten();
    let built: Vec<PathBuf> =
        built.map(|entry| entry.path()).filter(|path| name_of(path).is_some()).collect();
    let moved = built.iter().map(|path| {
        let to = root.join("bin").join(path.file_name().unwrap_or_default());
        std::fs::rename(path, &to).map_err(|e| failed(&to, &e))?;
        Ok(to)
    });
    let moved = moved.collect::<Result<Vec<_>>>();
    std::fs::remove_dir_all(&fresh).ok();
    if !status.success() {
        return Err(Error::failed(format!(
            "`cargo` could not build the plugin `{}`: {status}",
            package.display()
        )));
    }
    moved
}

fn failed(path: &Path, e: &std::io::Error) -> Error {
    Error::failed(format!("failed to install `{}`: {e}", path.display()))
}
