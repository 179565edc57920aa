//! Debian packages, unpacked into a folder of our own: nothing is installed, changed or removed on the machine.
//!
//! That is the one way for every machine, because the obvious one, `apt-get install`, is not harmless: where a package from
//! another release conflicts, it silently removes that. A library that is installed in a version that serves is used from
//! where it is; the others are unpacked beside the program and found by `LD_LIBRARY_PATH`.

mod closure;
mod release;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};

use crate::command::{output, text};
use closure::{Index, Installed};
pub(crate) use release::unpack_from;

/// A package in the version that would be fetched now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Package {
    name: String,
    /// The archive's file name; it contains the version.
    pub(crate) file: String,
}

/// Packages and everything they need that the machine lacks, in the newest versions that the machine's sources have.
///
/// The packages named are always part of it, installed or not: their files are looked for in the folder.
///
/// # Errors
/// If the machine has no `apt-get`, or its lists lack a package even after an update.
pub(crate) fn with_dependencies(names: &[&str]) -> Result<Vec<Package>> {
    let index = match read_index(names) {
        Ok(index) => index,
        Err(problem) => {
            update_lists(&problem)?;
            read_index(names)?
        }
    };
    let installed = Installed::read()?;
    let chosen = index.closure(names, &installed)?;
    // The loader and the C library belong together; one from a folder under the other from the system crashes.
    ensure!(
        !chosen.iter().any(|name| name == "libc6"),
        "the installed libc6 is older than the packages need: run `apt-get update && apt-get upgrade`"
    );
    versions(&chosen)
}

/// The package that the empty package `name` stands for, as `linux-image-amd64` does for the newest kernel.
///
/// # Errors
/// As [`with_dependencies`], or if it stands for nothing.
pub(crate) fn stood_for_by(name: &str) -> Result<Package> {
    let index = match read_index(&[name]) {
        Ok(index) => index,
        Err(problem) => {
            update_lists(&problem)?;
            read_index(&[name])?
        }
    };
    let first = index.first_dependency(name).with_context(|| format!("`{name}` needs nothing"))?;
    let package = versions(&[first])?.pop();
    package.with_context(|| format!("no package behind `{name}`"))
}

/// Fetches packages and unpacks them all into `folder`, which is made anew.
///
/// # Errors
/// If one cannot be fetched, also not after an update of the lists, or cannot be unpacked.
pub(crate) fn unpack(packages: &[Package], folder: &Path) -> Result<()> {
    let archives = folder.with_extension("debs");
    for made in [folder, &archives] {
        remove_folder(made)?;
        fs::create_dir_all(made).with_context(|| format!("failed to make `{}`", made.display()))?;
    }
    if let Err(problem) = download(packages, &archives) {
        // Lists that are some days old name versions that are gone from the servers.
        update_lists(&problem)?;
        download(packages, &archives)?;
    }
    unpack_archives(&archives, folder)?;
    remove_folder(&archives)
}

/// Unpacks and removes all archives of a folder.
fn unpack_archives(archives: &Path, folder: &Path) -> Result<()> {
    for entry in fs::read_dir(archives)? {
        let archive = entry?.path();
        output(Command::new("dpkg").arg("-x").arg(&archive).arg(folder))?;
        fs::remove_file(&archive)?; // at once: the biggest is 70 MB, unpacked 400
    }
    Ok(())
}

/// Removes a folder that may not be there.
///
/// # Errors
/// If it is there and stays.
pub(crate) fn remove_folder(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(problem) if problem.kind() != std::io::ErrorKind::NotFound => {
            Err(problem).with_context(|| format!("failed to remove `{}`", folder.display()))
        }
        _ => Ok(()),
    }
}

/// Makes a folder's content unless it was made from the same things before; `key` names them.
///
/// # Errors
/// Those of `make`; the folder is then made again next time.
pub(crate) fn cached(
    folder: &Path,
    key: &str,
    make: impl FnOnce(&Path) -> Result<()>,
) -> Result<PathBuf> {
    let stamp = folder.with_extension("made-from");
    if fs::read_to_string(&stamp).is_ok_and(|made_from| made_from == key) {
        return Ok(folder.to_path_buf());
    }
    if stamp.exists() {
        fs::remove_file(&stamp)?;
    }
    make(folder)?;
    fs::write(&stamp, key).with_context(|| format!("failed to write `{}`", stamp.display()))?;
    Ok(folder.to_path_buf())
}

fn read_index(names: &[&str]) -> Result<Index> {
    let mut command = Command::new("apt-cache");
    command.args(["depends", "--recurse", "-o", "APT::Cache::ShowVersion=true"]);
    command.args(["--no-recommends", "--no-suggests", "--no-conflicts", "--no-breaks"]);
    command.args(["--no-replaces", "--no-enhances"]).args(names);
    let listing = text(&mut command)
        .context("Debian's package lists are needed (Debian 12 or newer, `apt-get update`)")?;
    let index = Index::parse(&listing);
    for name in names {
        ensure!(index.knows(name), "the package lists have no `{name}`");
    }
    Ok(index)
}

fn update_lists(why: &anyhow::Error) -> Result<()> {
    eprintln!("updating the package lists: {why:#}");
    if let Err(problem) = output(Command::new("apt-get").args(["update", "-qq"])) {
        bail!("{why:#}; `apt-get update` failed, run it as root: {problem:#}");
    }
    Ok(())
}

/// Adds the version that would be fetched to each name.
fn versions(names: &[String]) -> Result<Vec<Package>> {
    let mut command = Command::new("apt-get");
    let listing = text(command.args(["download", "--print-uris", "-qq"]).args(names))?;
    // 'URI' FILE SIZE HASH
    let mut files: Vec<&str> = listing.lines().filter_map(|l| l.split(' ').nth(1)).collect();
    files.sort_unstable();
    let package = |file: &str| {
        let name = file.split('_').next().unwrap_or(file);
        Package { name: name.into(), file: file.into() }
    };
    let packages: Vec<Package> = files.into_iter().map(package).collect();
    for name in names {
        ensure!(packages.iter().any(|p| p.name == *name), "`{name}` cannot be downloaded");
    }
    Ok(packages)
}

fn download(packages: &[Package], into: &Path) -> Result<()> {
    // As root apt becomes another user for the download, who may not write here.
    let mut command = Command::new("apt-get");
    command.args(["download", "-qq", "-o", "APT::Sandbox::User=root"]).current_dir(into);
    output(command.args(packages.iter().map(|package| &package.name))).map(drop)
}
