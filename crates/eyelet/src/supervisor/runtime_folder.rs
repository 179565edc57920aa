//! The folder of the area sockets.

use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use crate::error::{Error, Result};
use crate::supervisor::packages;

/// A folder that only this user can enter; removed at the end if it was made here.
#[derive(Debug)]
pub(super) struct RuntimeFolder {
    path: PathBuf,
    /// Held while the supervisor lives; the kernel lets go of it however it ends, and the next one sweeps.
    _lock: std::fs::File,
}

const LOCK: &str = "lock";
/// Where the packages for the user's programs lie.
const PACKAGES: &str = "packages";

impl RuntimeFolder {
    /// Makes `wanted`, or a folder of this process's own where the system keeps such things.
    pub(super) fn make(wanted: Option<&Path>) -> Result<Self> {
        let path = match wanted {
            Some(path) => path.to_owned(),
            None => {
                let base = base();
                make_folder(&base).map_err(|e| failed(&base, &e))?;
                sweep(&base);
                base.join(std::process::id().to_string())
            }
        };
        make_folder(&path).map_err(|e| failed(&path, &e))?;
        let lock = std::fs::File::create(path.join(LOCK)).map_err(|e| failed(&path, &e))?;
        if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
            let text = format!(
                "another Eyelet uses the runtime folder `{}`: give each its own",
                path.display()
            );
            return Err(Error::failed(text));
        }
        clear(&path);
        Ok(Self { path, _lock: lock })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Puts what the user's programs need there, and gives the folder.
    pub(super) fn install_packages(&self) -> Result<PathBuf> {
        let folder = self.path.join(PACKAGES);
        packages::install(&folder).map_err(|e| failed(&folder, &e))?;
        Ok(folder)
    }
}

impl Drop for RuntimeFolder {
    fn drop(&mut self) {
        clear(&self.path);
        std::fs::remove_file(self.path.join(LOCK)).ok();
        // Fails, as it should, if somebody keeps other things there.
        std::fs::remove_dir(&self.path).ok();
    }
}

/// `$RUNTIME_DIRECTORY` (systemd), else `$XDG_RUNTIME_DIR/eyelet`, else a folder in the temporary one.
fn base() -> PathBuf {
    if let Some(folder) = std::env::var_os("RUNTIME_DIRECTORY") {
        return folder.into();
    }
    let uid = rustix::process::getuid().as_raw();
    let of_user = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    // Of another user where this program became one.
    let is_ours = |folder: &PathBuf| rustix::fs::stat(folder).is_ok_and(|meta| meta.st_uid == uid);
    match of_user.filter(is_ours) {
        Some(folder) => folder.join("eyelet"),
        None => std::env::temp_dir().join(format!("eyelet-{uid}")),
    }
}

fn make_folder(path: &Path) -> io::Result<()> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    let meta = rustix::fs::stat(path)?;
    let is_ours = meta.st_uid == rustix::process::getuid().as_raw();
    let open_to_others = meta.st_mode & 0o022 != 0;
    if is_ours && !open_to_others {
        return Ok(());
    }
    Err(io::Error::new(io::ErrorKind::PermissionDenied, "others can write there"))
}

/// Removes what runs that were killed left behind.
fn sweep(base: &Path) {
    let Ok(entries) = std::fs::read_dir(base) else { return };
    for folder in entries.flatten().map(|entry| entry.path()) {
        let Ok(lock) = std::fs::File::open(folder.join(LOCK)) else { continue };
        if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_ok() {
            clear(&folder);
            std::fs::remove_file(folder.join(LOCK)).ok();
            std::fs::remove_dir(&folder).ok();
        }
    }
}

/// Removes the sockets of `folder` and the packages, and nothing else.
fn clear(folder: &Path) {
    std::fs::remove_dir_all(folder.join(PACKAGES)).ok();
    use std::os::unix::fs::FileTypeExt;
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_socket()) {
            std::fs::remove_file(entry.path()).ok();
        }
    }
}

fn failed(path: &Path, e: &io::Error) -> Error {
    let hint = "give another with --runtime-dir";
    Error::failed(format!("failed to make the runtime folder `{}`: {e}; {hint}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_run_left_is_swept_and_a_living_one_is_not() {
        let base = tempfile::tempdir().unwrap();
        let living = RuntimeFolder::make(Some(&base.path().join("1"))).unwrap();
        let dead = base.path().join("2");
        std::fs::create_dir(&dead).unwrap();
        std::fs::write(dead.join(LOCK), "").unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(dead.join("0-camera")).unwrap();
        sweep(base.path());
        assert!(living.path().exists());
        assert!(!dead.exists());
    }

    #[test]
    fn one_folder_serves_one_run() {
        let base = tempfile::tempdir().unwrap();
        let path = base.path().join("run");
        let first = RuntimeFolder::make(Some(&path)).unwrap();
        let error = RuntimeFolder::make(Some(&path)).unwrap_err().to_string();
        assert!(error.contains("another Eyelet"), "{error}");
        drop(first);
        assert!(!path.exists());
    }
}
