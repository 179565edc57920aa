//! Where a camera is, and why it cannot be opened.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::{fmt::Write as _, fs};

use eyelet_v4l2::identity::{self, Identity, Likeness};
use eyelet_v4l2::list::{self, State};
use eyelet_v4l2::{Device, ErrorKind, holder};

use crate::error::{Error, Result};

/// What is known of a camera across opening it again.
#[derive(Debug, Default)]
pub(in super::super) struct Memory {
    /// Of the camera that was open first.
    identity: Option<Identity>,
    /// The other cameras of this machine, once they were asked for: to ask wakes them up.
    others: Option<String>,
}

impl Memory {
    /// Opens the device, or the camera that was open before, under whatever number it has now.
    pub(super) fn open(&mut self, device: &Path) -> Result<Device> {
        let node = self.node(device)?;
        Device::open(&node).map_err(|e| self.refuse(&node, &e))
    }

    /// The camera at `node` is open: this is the one from now on.
    pub(super) fn remember(&mut self, node: &Path) {
        if self.identity.is_none() {
            self.identity = Identity::of(node).ok();
        }
    }

    fn node(&self, device: &Path) -> Result<PathBuf> {
        let Some(wanted) = &self.identity else { return Ok(device.to_owned()) };
        if Identity::of(device).is_ok_and(|found| wanted.likeness(&found) >= Likeness::Serial) {
            return Ok(device.to_owned());
        }
        match identity::find(wanted) {
            Ok(Some(node)) => {
                log::info!(
                    "source={} the camera `{}` is now `{}`",
                    device.display(),
                    wanted.name,
                    node.display()
                );
                Ok(node)
            }
            Ok(None) => {
                let (name, device) = (&wanted.name, device.display());
                Err(Error::unavailable(format!(
                    "the camera `{name}` (`{device}`) is not plugged in"
                )))
            }
            Err(_) => Ok(device.to_owned()),
        }
    }

    /// Says why the node could not be opened and what to do.
    fn refuse(&mut self, node: &Path, error: &eyelet_v4l2::Error) -> Error {
        match error.kind() {
            ErrorKind::NotFound => {
                let others = self.others();
                Error::unavailable(format!("there is no device `{}`; {others}", node.display()))
            }
            ErrorKind::NotACaptureDevice => Error::refused(format!("{error}; {}", self.others())),
            // After plugging in, the node is there a moment before its group is.
            ErrorKind::PermissionDenied if self.identity.is_some() => {
                Error::unavailable(format!("{error}; {}", permission_hint(node)))
            }
            ErrorKind::PermissionDenied => {
                Error::refused(format!("{error}; {}", permission_hint(node)))
            }
            _ => explain(node, error),
        }
    }

    fn others(&mut self) -> &str {
        self.others.get_or_insert_with(cameras)
    }
}

/// Says why a camera cannot be set up; one that is busy, with who has it.
pub(super) fn explain(node: &Path, error: &eyelet_v4l2::Error) -> Error {
    match error.kind() {
        ErrorKind::Busy => {
            let own = std::process::id();
            let holders = holder::holders(node).unwrap_or_default();
            let holders: Vec<_> = holders.iter().filter(|holder| holder.pid != own).collect();
            Error::unavailable(format!("{error}; {}", holder_hint(&holders)))
        }
        _ => super::unavailable(error),
    }
}

fn holder_hint(holders: &[&holder::Holder]) -> String {
    let named: Vec<_> =
        holders.iter().map(|h| format!("`{}` (process {})", h.name, h.pid)).collect();
    match named.is_empty() {
        true => "a program of another user may have it, or it is waking up".to_owned(),
        false => format!("it is held by {}", named.join(", ")),
    }
}

/// The cameras of this machine, for whoever named none of them.
fn cameras() -> String {
    let mut text = String::new();
    for node in list::list().unwrap_or_default() {
        if let State::Camera { capability, .. } = node.state {
            let start = if text.is_empty() { "cameras here: " } else { ", " };
            // Writing to a string does not fail.
            let _infallible =
                write!(text, "{start}`{}` ({})", node.path.display(), capability.card);
        }
    }
    if text.is_empty() { "there is no camera on this machine".to_owned() } else { text }
}

/// What lets this user open a node.
fn permission_hint(node: &Path) -> String {
    let Ok(metadata) = fs::metadata(node) else { return "this user may not open it".to_owned() };
    let groups = fs::read_to_string("/etc/group").unwrap_or_default();
    group_hint(metadata.mode(), metadata.gid(), &groups)
}

fn group_hint(mode: u32, gid: u32, groups: &str) -> String {
    /// Read and write for the group.
    const GROUP_RW: u32 = 0o060;
    if mode & GROUP_RW != GROUP_RW || gid == 0 {
        return format!("only its owner may open it (mode {:o})", mode & 0o777);
    }
    // Source: group(5): name, password, number, members.
    let name = groups.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, _, number) = (fields.next()?, fields.next()?, fields.next()?);
        (number.parse() == Ok(gid)).then_some(name)
    });
    match name {
        Some(name) => format!("join its group: `sudo usermod -aG {name} $USER`, then log in again"),
        None => format!("join its group, number {gid}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind as Kind;

    #[test]
    fn a_missing_device_may_come_and_says_what_is_there() {
        let error = Memory::default().open(Path::new("/dev/video4000")).unwrap_err();
        assert_eq!(error.kind(), Kind::Unavailable);
        let text = error.to_string();
        assert!(text.starts_with("there is no device `/dev/video4000`; "), "{text}");
        assert!(text.contains("camera"), "{text}");
    }

    #[test]
    fn what_is_no_camera_is_refused() {
        let error = Memory::default().open(Path::new("/dev/null")).unwrap_err();
        assert_eq!(error.kind(), Kind::Refused);
        assert!(error.to_string().contains("not a video device"), "{error}");
    }

    #[test]
    fn permission_names_the_group() {
        let groups = "root:x:0:\nvideo:x:44:me\n";
        assert!(group_hint(0o20660, 44, groups).contains("usermod -aG video"));
        assert!(group_hint(0o20660, 77, groups).contains("number 77"));
        assert!(group_hint(0o20600, 44, groups).contains("mode 600"));
    }

    #[test]
    fn who_holds_it_is_named() {
        let holder = holder::Holder { pid: 12, name: "cheese".to_owned() };
        assert_eq!(holder_hint(&[&holder]), "it is held by `cheese` (process 12)");
        assert!(holder_hint(&[]).contains("another user"));
    }
}
