//! Everything that scenarios need, made once: the image and the state of a booted guest.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, Result};

use super::guest::{Guest, Image};
use super::kernel::Kernel;
use super::tools::Tools;
use super::{executables, initrd};
use crate::packages::remove_folder;

/// The image, and a booted guest's state to start each scenario from.
#[derive(Debug)]
pub(crate) struct Lab {
    image: Image,
    state: PathBuf,
    runs: PathBuf,
}

impl Lab {
    /// Fetches, builds and boots; `packages` are those of the workspace whose executables the guest has.
    ///
    /// The state depends on the emulator and the image: it is made for each run, which is not slower than checking.
    ///
    /// # Errors
    /// If something cannot be had, built or booted.
    pub(crate) fn prepare(folder: &Path, packages: &BTreeSet<&str>) -> Result<Self> {
        let start = Instant::now();
        let executables = executables::build(folder, packages)?;
        eprintln!("executables after {:.1} s", start.elapsed().as_secs_f64());
        let tools = Tools::prepare(folder)?;
        let kernel = Kernel::prepare(folder, &tools)?;
        let runs = folder.join("runs");
        remove_folder(&runs)?;
        fs::create_dir_all(&runs)?;
        let path = runs.join("initrd");
        fs::write(&path, initrd::build(&tools, &kernel, &executables, packages)?)
            .with_context(|| format!("failed to write `{}`", path.display()))?;
        let image = Image { tools, vmlinux: kernel.vmlinux(), initrd: path, executables };
        eprintln!("image after {:.1} s", start.elapsed().as_secs_f64());
        let state = Guest::boot(&image, runs.join("boot"))?.save()?;
        eprintln!("guest after {:.1} s", start.elapsed().as_secs_f64());
        Ok(Self { image, state, runs })
    }

    /// A fresh guest; its logs go into a folder of this name.
    ///
    /// # Errors
    /// If it does not run.
    pub(crate) fn guest(&self, name: &str) -> Result<Guest> {
        Guest::restore(&self.image, self.runs.join(name.replace('/', "-")), &self.state)
    }

    /// Removes what only this run needed; logs of failed scenarios stay until the next.
    ///
    /// # Errors
    /// If a file stays.
    pub(crate) fn tear_down(self) -> Result<()> {
        remove_folder(&self.runs.join("boot"))?;
        fs::remove_file(&self.image.initrd)?;
        Ok(())
    }
}
