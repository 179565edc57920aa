//! The guest's kernel: Debian's newest, unpacked, and the modules that scenarios load.
//!
//! The kernel is unpacked because under emulation it would spend eight seconds of each boot on doing that itself.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, Result, ensure};

use super::tools::Tools;
use crate::command::output;
use crate::packages;

/// The modules that a guest can load; what they need comes along.
const MODULES: &[&str] = &[
    "virtio_pci",
    "virtio_net",
    "vivid",
    "vhci_hcd",
    "uvcvideo",
    "sch_netem",
    "uhid",
    "hid_cp2112",
];

/// The kernel as the guest needs it.
#[derive(Debug)]
pub(crate) struct Kernel {
    folder: PathBuf,
    /// What `uname -r` says in the guest.
    pub(crate) release: String,
}

impl Kernel {
    /// Fetches the kernel unless the newest is there.
    ///
    /// # Errors
    /// If it cannot be had, is packed in an unknown way or lacks a module.
    pub(crate) fn prepare(folder: &Path, tools: &Tools) -> Result<Self> {
        let package = packages::stood_for_by("linux-image-amd64")?;
        let key = format!("{}\n{}\n", package.file, MODULES.join(" "));
        let folder = packages::cached(&folder.join("kernel"), &key, |kernel| {
            eprintln!("fetching the guest's kernel: {}", package.file);
            let whole = kernel.with_extension("whole");
            packages::unpack(&[package], &whole)?;
            packages::remove_folder(kernel)?;
            fs::create_dir_all(kernel)?;
            let release = only_name_in(&whole.join("lib/modules"))?;
            let image = fs::read(whole.join("boot").join(format!("vmlinuz-{release}")))?;
            unpack_image(&image, &kernel.join("vmlinux"), tools)?;
            output(tools.depmod().arg("-b").arg(&whole).arg(&release))?;
            keep_modules(&whole.join("lib/modules").join(&release), kernel)?;
            fs::write(kernel.join("release"), &release)?;
            packages::remove_folder(&whole)
        })?;
        let release = fs::read_to_string(folder.join("release"))?;
        Ok(Self { folder, release })
    }

    /// The uncompressed kernel.
    pub(crate) fn vmlinux(&self) -> PathBuf {
        self.folder.join("vmlinux")
    }

    /// The folder of the modules, with their index.
    pub(crate) fn modules(&self) -> PathBuf {
        self.folder.join("modules")
    }
}

fn only_name_in(folder: &Path) -> Result<String> {
    let names: Vec<String> = fs::read_dir(folder)
        .with_context(|| format!("failed to read `{}`", folder.display()))?
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect::<Result<_>>()?;
    ensure!(names.len() == 1, "one kernel expected in `{}`: {names:?}", folder.display());
    Ok(names.concat())
}

/// Unpacks the payload of a bzImage, an xz stream, into an ELF file.
fn unpack_image(image: &[u8], into: &Path, tools: &Tools) -> Result<()> {
    let payload = payload(image)?;
    ensure!(
        payload.starts_with(b"\xfd7zXZ\0"),
        "the kernel is not packed with xz (it starts with {:02x?})",
        &payload[..payload.len().min(6)]
    );
    let packed = into.with_extension("xz");
    fs::write(&packed, payload)?;
    // A single stream: the kernel's makefile appends the unpacked size to it.
    let arguments = ["--decompress", "--stdout", "--single-stream"];
    let mut xz = tools.xz();
    xz.args(arguments).stdin(File::open(&packed)?).stdout(File::create(into)?);
    let child = xz.stderr(Stdio::piped()).spawn().context("failed to start xz")?;
    let end = child.wait_with_output()?;
    ensure!(end.status.success(), "xz: {}", String::from_utf8_lossy(&end.stderr).trim());
    fs::remove_file(&packed)?;
    let mut magic = [0; 4];
    std::io::Read::read_exact(&mut File::open(into)?, &mut magic)?;
    ensure!(&magic == b"\x7fELF", "the unpacked kernel is not an ELF file");
    Ok(())
}

/// The packed kernel in a bzImage.
///
/// Source: Documentation/arch/x86/boot.rst: `setup_sects` at 0x1f1, `payload_offset` and `payload_length` at 0x248, counted
/// from the end of the setup sectors.
fn payload(image: &[u8]) -> Result<&[u8]> {
    let word = |at: usize| -> Option<usize> {
        let bytes = image.get(at..at + 4)?.try_into().ok()?;
        usize::try_from(u32::from_le_bytes(bytes)).ok()
    };
    let setup = match image.get(0x1f1) {
        Some(0) => Some(4), // what old loaders meant
        Some(&sectors) => Some(usize::from(sectors)),
        None => None,
    };
    let find = || {
        let start = (setup? + 1) * 512 + word(0x248)?;
        image.get(start..start + word(0x24c)?)
    };
    find().context("the kernel is not a bzImage")
}

/// Copies the modules and what they need, with the part of the index that names them.
fn keep_modules(from: &Path, kernel: &Path) -> Result<()> {
    let index = fs::read_to_string(from.join("modules.dep"))?;
    let index = parse_index(&index);
    let to = kernel.join("modules");
    let mut lines = String::new();
    for module in with_dependencies(&index, MODULES)? {
        let target = to.join(module);
        fs::create_dir_all(target.parent().context("a module lies in a folder")?)?;
        fs::copy(from.join(module), target)?;
        lines += &format!("{module}: {}\n", index[module].join(" "));
    }
    fs::write(to.join("modules.dep"), lines)?;
    fs::copy(from.join("modules.builtin"), to.join("modules.builtin"))?;
    Ok(())
}

/// Reads `modules.dep`: a file and the files it needs.
fn parse_index(text: &str) -> BTreeMap<&str, Vec<&str>> {
    text.lines()
        .filter_map(|line| line.split_once(':'))
        .map(|(module, needs)| (module, needs.split_whitespace().collect()))
        .collect()
}

/// The files of the modules with these names, and of all that they need.
fn with_dependencies<'a>(
    index: &BTreeMap<&'a str, Vec<&'a str>>,
    names: &[&str],
) -> Result<BTreeSet<&'a str>> {
    let mut chosen = BTreeSet::new();
    for name in names {
        let file = index.keys().find(|file| module_name(file) == *name);
        let file = *file.with_context(|| {
            format!("the kernel has no module `{name}` (plain `.ko` files are expected)")
        })?;
        // depmod lists all dependencies, the indirect ones too.
        chosen.insert(file);
        chosen.extend(&index[file]);
    }
    Ok(chosen)
}

/// A module's name: that of its file, where `-` and `_` are the same.
fn module_name(file: &str) -> String {
    let base = file.rsplit('/').next().unwrap_or(file);
    base.strip_suffix(".ko").unwrap_or(base).replace('-', "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payload_is_found_behind_the_setup_sectors() {
        let mut image = vec![0_u8; 4096];
        image[0x1f1] = 2; // and the boot sector: 1536 bytes
        image[0x248] = 16;
        image[0x24c] = 5;
        image[1552..1557].copy_from_slice(b"hello");
        assert_eq!(payload(&image).unwrap(), b"hello");
        assert!(payload(&image[..1555]).is_err());
        assert!(payload(&[]).is_err());
    }

    #[test]
    fn modules_come_with_what_they_need() {
        let text = "kernel/a/uvcvideo.ko: kernel/b/vb2-core.ko kernel/c/usbcore.ko\n\
                    kernel/b/vb2-core.ko:\nkernel/c/usbcore.ko:\nkernel/d/vhci-hcd.ko: kernel/c/usbcore.ko\n\
                    kernel/e/other.ko:\n";
        let index = parse_index(text);
        let chosen = with_dependencies(&index, &["uvcvideo", "vhci_hcd"]).unwrap();
        assert_eq!(chosen.len(), 4);
        assert!(!chosen.contains("kernel/e/other.ko"));
        assert!(with_dependencies(&index, &["vivid"]).is_err());
    }
}
