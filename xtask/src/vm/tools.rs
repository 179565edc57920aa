//! The programs that make and run a guest, from Debian packages in a folder of our own.

use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::packages;

/// The packages whose files are used; what else they need comes along.
const PACKAGES: &[&str] = &[
    "qemu-system-x86",    // the emulator
    "qemu-system-common", // its modules: the translator is one
    "qemu-system-data",   // its option ROMs
    "seabios",            // its firmware
    "busybox-static",     // the guest's shell and programs
    "kmod",               // depmod
    "v4l-utils",          // v4l2-ctl, in the guest
    // A program because kernels are packed with xz's x86 filter, which the pure Rust decoders lack; once per kernel version.
    "xz-utils",
];
/// Folders of the packages that nothing here reads.
const UNUSED: &[&str] = &["usr/share/doc", "usr/share/man", "usr/share/locale", "usr/libexec"];
/// Where Debian has libraries for this architecture.
const LIBRARIES: &[&str] = &["usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu"];

/// The unpacked packages.
#[derive(Debug)]
pub(crate) struct Tools {
    root: PathBuf,
}

impl Tools {
    /// Fetches the packages unless the newest are there.
    ///
    /// # Errors
    /// If the machine is not an amd64 one with Debian's package tools, or a package cannot be had.
    pub(crate) fn prepare(folder: &Path) -> Result<Self> {
        ensure!(cfg!(target_arch = "x86_64"), "the guest runs on amd64 machines only, so far");
        let packages = packages::with_dependencies(PACKAGES)?;
        let key: String = packages.iter().map(|package| format!("{}\n", package.file)).collect();
        let root = packages::cached(&folder.join("tools"), &key, |root| {
            eprintln!("fetching {} packages: qemu and what it needs", packages.len());
            packages::unpack(&packages, root)?;
            UNUSED.iter().try_for_each(|unused| packages::remove_folder(&root.join(unused)))
        })?;
        Ok(Self { root })
    }

    /// A file of the packages.
    pub(crate) fn path(&self, inside: &str) -> PathBuf {
        self.root.join(inside)
    }

    /// The emulator; it ends when this process does.
    pub(crate) fn emulator(&self) -> Command {
        // setpriv is in util-linux, which every Debian has; doing the same here would take `unsafe` code after a fork.
        let mut command = self.with_libraries("setpriv");
        command.args(["--pdeathsig", "KILL"]).arg(self.path("usr/bin/qemu-system-x86_64"));
        for data in ["usr/share/qemu", "usr/share/seabios"] {
            command.arg("-L").arg(self.path(data));
        }
        command.env("QEMU_MODULE_DIR", self.path("usr/lib/x86_64-linux-gnu/qemu"));
        command
    }

    /// `depmod`, which is `kmod` by another name.
    pub(crate) fn depmod(&self) -> Command {
        let mut command = self.with_libraries(self.path("bin/kmod"));
        command.arg0("depmod");
        command
    }

    /// `xz`.
    pub(crate) fn xz(&self) -> Command {
        self.with_libraries(self.path("usr/bin/xz"))
    }

    /// The shared libraries that a program of the packages loads, the loader among them.
    ///
    /// # Errors
    /// If one is missing.
    pub(crate) fn libraries_of(&self, program: &Path) -> Result<Vec<PathBuf>> {
        let listing = crate::command::text(self.with_libraries("ldd").arg(program))?;
        // "NAME => PATH (ADDRESS)", "PATH (ADDRESS)" or "NAME => not found"
        let mut libraries = Vec::new();
        for line in listing.lines() {
            let target = line.split("=>").last().unwrap_or(line).trim();
            ensure!(target != "not found", "`{}` lacks {}", program.display(), line.trim());
            let path = target.split(" (").next().context("ldd printed an empty line")?;
            if path.starts_with('/') {
                libraries.push(PathBuf::from(path));
            }
        }
        Ok(libraries)
    }

    fn with_libraries(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let folders: Vec<PathBuf> = LIBRARIES.iter().map(|inside| self.path(inside)).collect();
        let mut command = Command::new(program);
        if let Ok(joined) = std::env::join_paths(folders) {
            command.env("LD_LIBRARY_PATH", joined);
        }
        command
    }
}
