//! An open capture device.

use std::borrow::Cow;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use crate::capability::Capability;
use crate::error::{Error, ErrorKind, Result};
use crate::ioctl::{self, BufType};

/// An open capture device, without buffers yet.
///
/// Everything that changes what frames will be takes `&mut self`, and a device that has buffers is only lent out shared,
/// so the order that V4L2 demands (format, then buffers, then stream) is the only one that compiles. Controls and events
/// take `&self` and work at any time.
///
/// The descriptor is non-blocking and not inherited by programs that are started. It can be polled ([`AsFd`]), without
/// buffers for `POLLPRI` only: to poll for `POLLIN` then makes many drivers start capturing for `read`, after which
/// [`allocate`](Self::allocate) finds them busy. Queueing, dequeueing or mapping buffers by other means than this crate
/// breaks what it relies on.
#[derive(Debug)]
pub struct Device {
    fd: Arc<OwnedFd>,
    path: PathBuf,
    capability: Capability,
    buf_type: BufType,
}

impl Device {
    /// Opens a node that captures video.
    ///
    /// Can block for as long as the device takes to wake up (USB: tens of milliseconds).
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`], [`PermissionDenied`](ErrorKind::PermissionDenied), [`Busy`](ErrorKind::Busy) (also right
    /// after a USB camera was plugged in: try again), [`Gone`](ErrorKind::Gone), and
    /// [`NotACaptureDevice`](ErrorKind::NotACaptureDevice) for everything that is no V4L2 node or captures no video into
    /// mapped buffers.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let (fd, capability) = open_node(path)?;
        let refused =
            |reason: String| Error::stated(ErrorKind::NotACaptureDevice, "open", path, reason);
        if let Some(reason) = capability.no_capture() {
            return Err(refused(format!("not a capture device: {reason}")));
        }
        let buf_type = capability.buf_type().ok_or_else(|| refused("no capture".to_owned()))?;
        Ok(Self { fd: Arc::new(fd), path: path.to_owned(), capability, buf_type })
    }

    /// The path it was opened by.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Who the driver is and what the node can do.
    #[must_use]
    pub fn capability(&self) -> &Capability {
        &self.capability
    }

    pub(crate) fn buf_type(&self) -> BufType {
        self.buf_type
    }

    /// A share of the descriptor for what must outlive a borrow of the device.
    pub(crate) fn shared_fd(&self) -> Arc<OwnedFd> {
        Arc::clone(&self.fd)
    }

    /// An error of a call on this device.
    pub(crate) fn failed(&self, doing: impl Into<Cow<'static, str>>, errno: Errno) -> Error {
        Error::os(doing, &self.path, errno)
    }
}

impl AsFd for Device {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// Opens any V4L2 node and asks what it is.
pub(crate) fn open_node(path: &Path) -> Result<(OwnedFd, Capability)> {
    let flags = OFlags::RDWR | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
    let fd = rustix::fs::open(path, flags, Mode::empty()).map_err(|errno| {
        let error = Error::os("open", path, errno);
        if errno == Errno::ISDIR { error.with_kind(ErrorKind::NotACaptureDevice) } else { error }
    })?;
    match ioctl::capability::query(fd.as_fd()) {
        Ok(raw) => Ok((fd, Capability::new(&raw))),
        // What is no V4L2 node does not know the number, or takes it for something else of its own.
        Err(Errno::NOTTY | Errno::INVAL) => {
            let cause = "not a video device";
            Err(Error::stated(ErrorKind::NotACaptureDevice, "open", path, cause))
        }
        Err(errno) => Err(Error::os("query the capabilities of", path, errno)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_node_is_not_found() {
        let folder = tempfile::tempdir().expect("a folder");
        let error = Device::open(folder.path().join("video0")).expect_err("nothing there");
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert!(error.to_string().ends_with("video0`: no such file or directory"), "{error}");
    }

    #[test]
    fn files_and_folders_are_no_capture_devices() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("file");
        std::fs::write(&file, "no camera").expect("a file");
        for path in [folder.path(), &file, Path::new("/dev/null")] {
            let error = Device::open(path).expect_err("no camera");
            assert_eq!(error.kind(), ErrorKind::NotACaptureDevice, "{error}");
        }
    }

    #[test]
    fn folder_that_is_none_says_so() {
        let error = Device::open("/dev/null/video0").expect_err("nothing there");
        assert_eq!(error.kind(), ErrorKind::Io);
        assert!(error.to_string().ends_with(": not a directory"), "{error}");
    }
}
