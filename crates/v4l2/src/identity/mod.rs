//! Which camera this is, whatever number it has today.
//!
//! The kernel numbers nodes as they appear. A camera that was unplugged while somebody still had it open comes back under
//! another number, and after a restart two cameras may have changed places. What stays is in sysfs: the name, the position
//! among the nodes of one device, where it is plugged in, and with luck a serial number.

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::{Error, ErrorKind, Result};
use crate::ioctl::printable;

/// Where sysfs has the video nodes, below its root.
pub(crate) const CLASS: &str = "class/video4linux";

/// What can be known of a camera without opening it.
///
/// Source: the attributes of `drivers/media/v4l2-core/v4l2-dev.c` and `drivers/usb/core/sysfs.c`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Identity {
    /// The driver's words for the node, which for a USB camera are its own.
    pub name: String,
    /// The position among the nodes of one device: the picture usually 0, its metadata 1.
    pub index: u32,
    /// Where the device is connected: the path below sysfs's `devices`, as in `platform/vivid.0`. None for nodes that no
    /// device stands behind.
    pub place: Option<String>,
    /// What USB tells.
    pub usb: Option<Usb>,
}

/// What a USB device says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Usb {
    /// `idVendor`, four hexadecimal digits.
    pub vendor: String,
    /// `idProduct`, four hexadecimal digits.
    pub product: String,
    /// The serial number. Cheap cameras have none, or all the same.
    pub serial: Option<String>,
}

/// How much speaks for two identities being of the same camera; greater is more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Likeness {
    /// Another camera, or another node.
    Different,
    /// The same model elsewhere, and no serial number that says more.
    Model,
    /// The same serial number elsewhere: it was plugged in at another place.
    Serial,
    /// The same model at the same place.
    Place,
    /// The same in everything.
    Same,
}

impl Identity {
    /// Reads the identity of a node, `/dev/video0` or a link to it.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if there is no such node, or sysfs does not know it.
    pub fn of(device: impl AsRef<Path>) -> Result<Self> {
        let device = device.as_ref();
        let node = fs::canonicalize(device).map_err(|e| Error::io("identify", device, e))?;
        let name = node.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        Self::read(Path::new("/sys"), name)
    }

    /// Reads the identity of the node with this name (`video0`) from a sysfs at `sysfs`.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if there is none.
    pub fn read(sysfs: &Path, node: &str) -> Result<Self> {
        let folder = sysfs.join(CLASS).join(node);
        let name = fs::read(folder.join("name"))
            .map_err(|error| Error::io("identify", &folder.join("name"), error))?;
        let name = printable(&String::from_utf8_lossy(&name));
        let index = attribute(&folder, "index").and_then(|text| text.parse().ok()).unwrap_or(0);
        let parent = fs::canonicalize(folder.join("device")).ok();
        let root = fs::canonicalize(sysfs).unwrap_or_else(|_| sysfs.to_owned()).join("devices");
        let place = parent.as_deref().map(|parent| parent.strip_prefix(&root).unwrap_or(parent));
        let place = place.map(|place| place.to_string_lossy().into_owned());
        let usb = parent.as_deref().and_then(|parent| Usb::of(parent, &root));
        Ok(Self { name, index, place, usb })
    }

    /// How much speaks for the other one being the same camera.
    #[must_use]
    pub fn likeness(&self, other: &Self) -> Likeness {
        let model =
            |identity: &Self| identity.usb.as_ref().map(|u| (u.vendor.clone(), u.product.clone()));
        if self.index != other.index || self.name != other.name || model(self) != model(other) {
            return Likeness::Different;
        }
        let serial = |identity: &Self| identity.usb.as_ref().and_then(|usb| usb.serial.clone());
        let is_same_place = self.place.is_some() && self.place == other.place;
        match (serial(self), serial(other)) {
            (Some(one), Some(two)) if one != two => Likeness::Different,
            (Some(_), Some(_)) if is_same_place => Likeness::Same,
            (Some(_), Some(_)) => Likeness::Serial,
            _ if is_same_place => Likeness::Place,
            _ => Likeness::Model,
        }
    }
}

impl Usb {
    /// The nearest USB device at or above a folder of sysfs; the node hangs on one of its interfaces.
    fn of(parent: &Path, root: &Path) -> Option<Self> {
        let device = parent
            .ancestors()
            .take_while(|folder| folder.starts_with(root))
            .find(|folder| folder.join("idVendor").exists())?;
        Some(Self {
            vendor: attribute(device, "idVendor")?,
            product: attribute(device, "idProduct")?,
            serial: attribute(device, "serial").filter(|serial| !serial.is_empty()),
        })
    }
}

/// Finds the node that a camera has now: the one that is most like it.
///
/// `None` if there is none, and also if two are equally like it and nothing tells them apart.
///
/// # Errors
/// [`ErrorKind::PermissionDenied`] and the like if sysfs cannot be read.
pub fn find(identity: &Identity) -> Result<Option<PathBuf>> {
    Ok(find_in(Path::new("/sys"), identity)?.map(|node| Path::new("/dev").join(node)))
}

/// The same from a sysfs elsewhere; answers the node's name.
///
/// # Errors
/// As [`find`].
pub fn find_in(sysfs: &Path, identity: &Identity) -> Result<Option<String>> {
    let mut found: Vec<(Likeness, String)> = Vec::new();
    for node in nodes(&sysfs.join(CLASS))? {
        // A node that vanishes meanwhile is none.
        let Ok(other) = Identity::read(sysfs, &node) else { continue };
        found.push((identity.likeness(&other), node));
    }
    let best = found.iter().map(|(likeness, _)| *likeness).max().unwrap_or(Likeness::Different);
    if best == Likeness::Different {
        return Ok(None);
    }
    let mut of_best = found.into_iter().filter(|(likeness, _)| *likeness == best);
    let first = of_best.next().map(|(_, node)| node);
    Ok(first.filter(|_| of_best.next().is_none()))
}

/// The names `videoN` in a folder, by number; empty if there is no such folder, as without any driver.
pub(crate) fn nodes(folder: &Path) -> Result<Vec<String>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) => {
            let error = Error::io("list", folder, error);
            return if error.kind() == ErrorKind::NotFound { Ok(Vec::new()) } else { Err(error) };
        }
    };
    let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    let mut nodes: Vec<_> = names
        .filter_map(|name| Some((name.strip_prefix("video")?.parse::<u32>().ok()?, name)))
        .collect();
    nodes.sort();
    Ok(nodes.into_iter().map(|(_, name)| name).collect())
}

fn attribute(folder: &Path, name: &str) -> Option<String> {
    let text = fs::read(folder.join(name)).ok()?;
    Some(printable(&String::from_utf8_lossy(&text)))
}

#[cfg(test)]
mod tests;
