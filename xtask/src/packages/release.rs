//! Packages of another Debian release than the machine's, for what has gone since.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};

use super::{remove_folder, unpack_archives};
use crate::command::output;

/// The key that signs Debian's lists; of the package `debian-archive-keyring`, which every Debian has.
const KEYS: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// Fetches packages of a release and unpacks them into `folder`, which is made anew. The machine's own lists stay as they
/// are, and nothing is fetched but what is named.
///
/// # Errors
/// If this is no Debian, or a package cannot be fetched or unpacked.
pub(crate) fn unpack_from(release: &str, names: &[&str], folder: &Path) -> Result<()> {
    // Absolute, as apt takes relative ones as below its own folders.
    let apt = std::path::absolute(folder.with_extension("apt"))?;
    for made in [folder, &apt] {
        remove_folder(made)?;
    }
    let archives = apt.join("debs");
    for made in [folder, &archives, &apt.join("lists/partial"), &apt.join("cache/archives/partial")]
    {
        fs::create_dir_all(made).with_context(|| format!("failed to make `{}`", made.display()))?;
    }
    let sources = apt.join("sources.list");
    let line = format!("deb [signed-by={KEYS}] http://deb.debian.org/debian {release} main\n");
    fs::write(&sources, line)?;
    let options = [
        format!("Dir::Etc::sourcelist={}", sources.display()),
        "Dir::Etc::sourceparts=/dev/null".to_owned(),
        format!("Dir::State::lists={}", apt.join("lists").display()),
        format!("Dir::Cache={}", apt.join("cache").display()),
        // As root apt becomes another user for the download, who may not write here.
        "APT::Sandbox::User=root".to_owned(),
    ];
    for words in [&["update"][..], &[&["download"][..], names].concat()] {
        let mut command = Command::new("apt-get");
        command.arg("-qq").args(options.iter().flat_map(|option| ["-o", option]));
        output(command.args(words).current_dir(&archives))?;
    }
    unpack_archives(&archives, folder)?;
    remove_folder(&apt)
}
