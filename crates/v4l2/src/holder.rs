//! Who holds a device open: the answer to "busy".

use std::fs;
use std::path::Path;

use crate::error::{Error, Result};

/// A process that has a device open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Its number.
    pub pid: u32,
    /// Its command's name, at most 15 bytes.
    pub name: String,
}

/// Lists the processes that have a device open, this one included, in order of their numbers.
///
/// Only root sees those of other users, so an empty list does not mean that nobody has. Reads every link in `/proc/*/fd`:
/// milliseconds on a small machine, for an error message and not for a loop.
///
/// # Errors
/// [`ErrorKind::NotFound`](crate::ErrorKind::NotFound) if there is no such device, or no `/proc`.
///
/// Source: `proc_pid_fd(5)`, `proc_pid_comm(5)`.
pub fn holders(device: impl AsRef<Path>) -> Result<Vec<Holder>> {
    holders_in(Path::new("/proc"), device.as_ref())
}

/// The same from another root than `/proc`.
///
/// # Errors
/// As [`holders`].
pub fn holders_in(proc: &Path, device: &Path) -> Result<Vec<Holder>> {
    // Descriptors show the node itself, not the link (`/dev/v4l/by-id/…`) that it was opened by.
    let failed = |error| Error::io("find who holds", device, error);
    let node = fs::canonicalize(device).map_err(failed)?;
    let entries = fs::read_dir(proc).map_err(|error| Error::io("list", proc, error))?;
    let mut holders: Vec<_> = entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|pid: &u32| holds(&proc.join(pid.to_string()), &node))
        .map(|pid| Holder { pid, name: command(&proc.join(pid.to_string())) })
        .collect();
    holders.sort_by_key(|holder| holder.pid);
    Ok(holders)
}

/// Whether one of a process's descriptors is the node. A process that ended meanwhile, or that we may not look at, is none.
///
/// Links are read and not followed: following one into a dead network mount would hang.
fn holds(process: &Path, node: &Path) -> bool {
    let Ok(descriptors) = fs::read_dir(process.join("fd")) else { return false };
    descriptors.flatten().any(|fd| fs::read_link(fd.path()).is_ok_and(|target| target == node))
}

fn command(process: &Path) -> String {
    let name = fs::read(process.join("comm")).unwrap_or_default();
    crate::ioctl::printable(&String::from_utf8_lossy(&name))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::path::PathBuf;

    use tempfile::TempDir;

    use super::*;
    use crate::ErrorKind;

    /// A folder with a `dev` and a `proc`.
    fn machine() -> (TempDir, PathBuf, PathBuf) {
        let root = tempfile::tempdir().expect("a folder");
        let path = fs::canonicalize(root.path()).expect("its true name");
        let (proc, device) = (path.join("proc"), path.join("dev/video0"));
        fs::create_dir_all(&proc).expect("a folder");
        fs::create_dir_all(path.join("dev")).expect("a folder");
        fs::write(&device, "").expect("a node");
        (root, proc, device)
    }

    fn process(proc: &Path, pid: &str, name: &str, open: &[&Path]) {
        let folder = proc.join(pid);
        fs::create_dir_all(folder.join("fd")).expect("a folder");
        fs::write(folder.join("comm"), format!("{name}\n")).expect("a name");
        for (number, target) in open.iter().enumerate() {
            symlink(target, folder.join(format!("fd/{number}"))).expect("a descriptor");
        }
    }

    #[test]
    fn holders_are_found_by_their_descriptors() {
        let (_root, proc, device) = machine();
        process(&proc, "1", "init", &[Path::new("/dev/null")]);
        process(&proc, "312", "cheese", &[Path::new("/dev/null"), &device]);
        process(&proc, "40", "motion", &[&device, &device]);
        let found = holders_in(&proc, &device).expect("a list");
        let expected = [(40, "motion"), (312, "cheese")];
        assert_eq!(found, expected.map(|(pid, name)| Holder { pid, name: name.to_owned() }));
    }

    #[test]
    fn device_named_by_a_link_is_the_same_device() {
        let (root, proc, device) = machine();
        let link = root.path().join("front-door");
        symlink(&device, &link).expect("a link");
        process(&proc, "7", "vlc", &[&device]);
        assert_eq!(holders_in(&proc, &link).expect("a list").len(), 1);
    }

    #[test]
    fn other_entries_and_ended_processes_are_passed_over() {
        let (_root, proc, device) = machine();
        process(&proc, "self", "liar", &[&device]);
        process(&proc, "12x", "liar", &[&device]);
        fs::create_dir_all(proc.join("99")).expect("a process without descriptors");
        fs::write(proc.join("uptime"), "1 2").expect("a file");
        assert_eq!(holders_in(&proc, &device).expect("a list"), []);
    }

    #[test]
    fn names_cannot_write_to_the_terminal() {
        let (_root, proc, device) = machine();
        process(&proc, "7", "\x1b[31mevil", &[&device]);
        assert_eq!(holders_in(&proc, &device).expect("a list")[0].name, "\u{fffd}[31mevil");
    }

    #[test]
    fn missing_device_is_not_found() {
        let (root, proc, _device) = machine();
        let error = holders_in(&proc, &root.path().join("video9")).expect_err("no such device");
        assert_eq!(error.kind(), ErrorKind::NotFound);
    }

    #[test]
    fn own_process_is_seen_in_the_real_proc() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let found = holders(file.path()).expect("a list");
        assert!(found.iter().any(|holder| holder.pid == std::process::id()));
    }
}
