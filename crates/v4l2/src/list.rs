//! All video nodes of this machine, and why most of them are no cameras.

use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use crate::capability::{Capability, NotCamera};
use crate::device::open_node;
use crate::error::{Error, Result};
use crate::format::{Description, MAX_LISTED};
use crate::identity::{CLASS, Identity, nodes};
use crate::ioctl::enumerate;

/// One video node.
#[derive(Debug)]
#[non_exhaustive]
pub struct Node {
    /// Its path, to be opened.
    pub path: PathBuf,
    /// Which device it is; none where sysfs is not at hand.
    pub identity: Option<Identity>,
    /// What it turned out to be.
    pub state: State,
}

/// What a node turned out to be.
#[derive(Debug)]
pub enum State {
    /// A camera.
    Camera {
        /// Who and what it is.
        capability: Capability,
        /// What it offers; never empty.
        formats: Vec<Description>,
    },
    /// Something else.
    Skipped {
        /// Who and what it is.
        capability: Capability,
        /// Why it is no camera.
        reason: NotCamera,
    },
    /// Nobody knows: it could not be opened or asked.
    Unknown(Error),
}

/// Lists all video nodes by number, and asks each what it is.
///
/// Opens and closes every node, which wakes sleeping USB cameras. One that answers with
/// [`ErrorKind::Busy`](crate::ErrorKind::Busy) may be waking up: ask again a moment later.
///
/// # Errors
/// If the list itself cannot be read. Without any driver it is empty.
pub fn list() -> Result<Vec<Node>> {
    list_in(Path::new("/sys"), Path::new("/dev"))
}

/// The same with a sysfs and a folder of nodes elsewhere.
///
/// # Errors
/// As [`list`].
pub fn list_in(sysfs: &Path, dev: &Path) -> Result<Vec<Node>> {
    let mut names = nodes(&sysfs.join(CLASS))?;
    if names.is_empty() {
        // A container may have the nodes and no sysfs.
        names = nodes(dev)?;
    }
    let node = |name: String| {
        let path = dev.join(&name);
        let identity = Identity::read(sysfs, &name).ok();
        let state = inspect(&path).unwrap_or_else(State::Unknown);
        Node { path, identity, state }
    };
    Ok(names.into_iter().map(node).collect())
}

fn inspect(path: &Path) -> Result<State> {
    let (fd, capability) = open_node(path)?;
    let mut formats = Vec::new();
    if let Some(buf_type) = capability.buf_type() {
        for index in 0..MAX_LISTED {
            let found = enumerate::format(fd.as_fd(), buf_type, index);
            match found.map_err(|errno| Error::os("list the formats of", path, errno))? {
                Some(raw) => formats.push(Description::new(&raw)),
                None => break,
            }
        }
    }
    Ok(match capability.not_camera(&formats) {
        None => State::Camera { capability, formats },
        Some(reason) => State::Skipped { capability, reason },
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::ErrorKind;

    #[test]
    fn machine_without_cameras_has_an_empty_list() {
        let root = tempfile::tempdir().expect("a folder");
        let nodes = list_in(&root.path().join("sys"), &root.path().join("dev"));
        assert!(nodes.expect("an empty list").is_empty());
    }

    #[test]
    fn nodes_that_cannot_be_asked_are_listed_with_the_reason() {
        let root = tempfile::tempdir().expect("a folder");
        let (sysfs, dev) = (root.path().join("sys"), root.path().join("dev"));
        fs::create_dir_all(&dev).expect("a folder");
        let class = sysfs.join(CLASS).join("video1");
        fs::create_dir_all(&class).expect("a folder");
        fs::write(class.join("name"), "Camera\n").expect("a name");
        fs::create_dir_all(sysfs.join(CLASS).join("video0")).expect("a folder");
        fs::write(dev.join("video1"), "not a device").expect("a file");
        let nodes = list_in(&sysfs, &dev).expect("a list");
        let kind = |node: &Node| match &node.state {
            State::Unknown(error) => error.kind(),
            other => panic!("not known, but {other:?}"),
        };
        assert_eq!(
            nodes.iter().map(kind).collect::<Vec<_>>(),
            [ErrorKind::NotFound, ErrorKind::NotACaptureDevice]
        );
        assert_eq!(nodes[0].identity, None);
        assert_eq!(nodes[1].identity.as_ref().map(|i| i.name.as_str()), Some("Camera"));
    }

    #[test]
    fn nodes_are_found_without_sysfs() {
        let root = tempfile::tempdir().expect("a folder");
        fs::write(root.path().join("video0"), "not a device").expect("a file");
        assert_eq!(list_in(&root.path().join("sys"), root.path()).expect("a list").len(), 1);
    }
}
