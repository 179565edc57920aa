//! The guest's root file system: busybox, modules, `v4l2-ctl`, our own executables, the examples in shell and the scripts of
//! `tests/vm/guest`.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

use super::cpio::Archive;
use super::kernel::Kernel;
use super::tools::Tools;

/// Apps that scenarios run, as others get them.
const EXAMPLES: &str = "examples/sh";
/// Empty folders: where the start script mounts things.
const FOLDERS: &[&str] = &["proc", "sys", "dev", "tmp", "run", "etc", "root"];
/// Where the guest's loader looks for libraries.
const LIBRARIES: &str = "lib/x86_64-linux-gnu";

/// Makes the file system, with the static executables `names` of a folder.
///
/// # Errors
/// If a file cannot be read.
pub(crate) fn build(
    tools: &Tools,
    kernel: &Kernel,
    executables: &Path,
    names: &BTreeSet<&str>,
) -> Result<Vec<u8>> {
    let mut archive = Archive::default();
    for folder in FOLDERS {
        archive.folder(folder);
    }
    add(&mut archive, "bin/busybox", &tools.path("bin/busybox"))?;
    archive.symlink("bin/sh", "busybox");
    let scripts = crate::workspace_root().join("tests/vm/guest");
    add(&mut archive, "init", &scripts.join("init"))?;
    add(&mut archive, "agent", &scripts.join("agent"))?;
    for name in names {
        add(&mut archive, &format!("usr/bin/{name}"), &executables.join(name))?;
    }
    add_tree(&mut archive, EXAMPLES, &crate::workspace_root().join(EXAMPLES))?;
    add_viewer(&mut archive, tools)?;
    let modules = kernel.modules();
    add_tree(&mut archive, &format!("lib/modules/{}", kernel.release), &modules)?;
    Ok(archive.finish())
}

/// `v4l2-ctl` with its libraries: what the kernel's own developers look at a camera with.
fn add_viewer(archive: &mut Archive, tools: &Tools) -> Result<()> {
    let program = tools.path("usr/bin/v4l2-ctl");
    for library in tools.libraries_of(&program)? {
        let name = library.file_name().context("a library has a name")?.to_string_lossy();
        // The program names its loader by an absolute path.
        let folder = if name.starts_with("ld-linux") { "lib64" } else { LIBRARIES };
        add(archive, &format!("{folder}/{name}"), &library)?;
    }
    add(archive, "usr/bin/v4l2-ctl", &program)
}

fn add(archive: &mut Archive, path: &str, from: &Path) -> Result<()> {
    let data = fs::read(from)
        .with_context(|| format!("failed to read `{}` for the guest", from.display()))?;
    archive.file(path, &data);
    Ok(())
}

fn add_tree(archive: &mut Archive, path: &str, from: &Path) -> Result<()> {
    let entries = fs::read_dir(from)
        .with_context(|| format!("failed to read `{}` for the guest", from.display()))?;
    for entry in entries {
        let entry = entry?;
        let inside = format!("{path}/{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() {
            add_tree(archive, &inside, &entry.path())?;
        } else {
            add(archive, &inside, &entry.path())?;
        }
    }
    Ok(())
}
