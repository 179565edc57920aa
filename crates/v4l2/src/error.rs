//! The one error type: what was done, to which device, why it failed, and a kind to act on.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::{error, fmt, io};

use rustix::io::Errno;

/// The result of everything here.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why something with a device failed.
///
/// Printed, it names the step, the device and the cause: ``failed to open `/dev/video0`: no such file or directory``. The
/// cause from the operating system, if there is one, is also the [`source`](error::Error::source), so print one or the
/// other.
pub struct Error(Box<Context>);

/// What an [`Error`] means for the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// No such node. A camera that is not plugged in.
    NotFound,
    /// The user may not open the node; cameras usually belong to the group `video`.
    PermissionDenied,
    /// Somebody else uses it, or it is waking up: `uvcvideo` can answer so right after plugging. Worth another try;
    /// [`holders`](crate::holder::holders) tells who.
    Busy,
    /// The node exists and captures no video: no V4L2, or metadata, a codec, an output …
    NotACaptureDevice,
    /// The device was unplugged. Nothing will work on this [`Device`](crate::Device) any more; open it again.
    Gone,
    /// This driver cannot do that.
    Unsupported,
    /// The driver, or this crate before it, refuses a value that was handed in.
    InvalidInput,
    /// The driver's answer makes no sense.
    InvalidData,
    /// Anything else from the operating system.
    Io,
}

#[derive(Debug, thiserror::Error)]
#[error("failed to {doing} `{}`: {cause}", path.display())]
struct Context {
    kind: ErrorKind,
    /// A verb and its object, to be followed by the path: "open", "queue a buffer of".
    doing: Cow<'static, str>,
    path: PathBuf,
    cause: Cause,
}

#[derive(Debug, thiserror::Error)]
enum Cause {
    #[error("{}", os_text(.0))]
    Os(io::Error),
    #[error("{0}")]
    Stated(Cow<'static, str>),
}

impl Error {
    /// What to do about it.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The node, or the file about it, that this happened to.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// A system call failed.
    pub(crate) fn os(doing: impl Into<Cow<'static, str>>, path: &Path, errno: Errno) -> Self {
        Self::io(doing, path, errno.into()).with_kind(kind_of(errno))
    }

    /// The standard library failed.
    pub(crate) fn io(doing: impl Into<Cow<'static, str>>, path: &Path, source: io::Error) -> Self {
        let kind = Errno::from_io_error(&source).map_or(ErrorKind::Io, kind_of);
        Self::new(kind, doing.into(), path, Cause::Os(source))
    }

    /// This crate refuses, and says why.
    pub(crate) fn stated(
        kind: ErrorKind,
        doing: impl Into<Cow<'static, str>>,
        path: &Path,
        cause: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self::new(kind, doing.into(), path, Cause::Stated(cause.into()))
    }

    /// The same error, meaning something else in its context.
    pub(crate) fn with_kind(mut self, kind: ErrorKind) -> Self {
        self.0.kind = kind;
        self
    }

    fn new(kind: ErrorKind, doing: Cow<'static, str>, path: &Path, cause: Cause) -> Self {
        Self(Box::new(Context { kind, doing, path: path.to_owned(), cause }))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Error").field(&self.0).finish()
    }
}

impl error::Error for Error {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match &self.0.cause {
            Cause::Os(source) => Some(source),
            Cause::Stated(_) => None,
        }
    }
}

/// The kind that an error number has unless the context says otherwise.
///
/// Source: Linux Media Userspace API, "Generic Error Codes" and the pages of the calls.
fn kind_of(errno: Errno) -> ErrorKind {
    match errno {
        Errno::NOENT => ErrorKind::NotFound,
        Errno::ACCESS | Errno::PERM => ErrorKind::PermissionDenied,
        Errno::BUSY => ErrorKind::Busy,
        Errno::NODEV | Errno::NXIO => ErrorKind::Gone,
        Errno::NOTTY | Errno::OPNOTSUPP => ErrorKind::Unsupported,
        Errno::INVAL | Errno::RANGE => ErrorKind::InvalidInput,
        _ => ErrorKind::Io,
    }
}

/// The system's text as the end of a sentence: "Device or resource busy (os error 16)" without its tail and capital.
fn os_text(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error ").next().unwrap_or_default();
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_lowercase().chain(chars).collect())
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use super::*;

    #[test]
    fn text_names_step_object_and_cause() {
        let error = Error::os("set the format of", Path::new("/dev/video0"), Errno::BUSY);
        assert_eq!(
            error.to_string(),
            "failed to set the format of `/dev/video0`: device or resource busy"
        );
        assert_eq!(error.kind(), ErrorKind::Busy);
        assert_eq!(error.path(), Path::new("/dev/video0"));
        let source = error.source().and_then(|e| e.downcast_ref::<io::Error>()).expect("a source");
        assert_eq!(source.raw_os_error(), Some(16));
    }

    #[test]
    fn unplugged_device_is_gone() {
        let path = Path::new("/dev/video0");
        assert_eq!(Error::os("dequeue a buffer of", path, Errno::NODEV).kind(), ErrorKind::Gone);
        assert_eq!(Error::os("open", path, Errno::NXIO).kind(), ErrorKind::Gone);
        assert_eq!(Error::os("dequeue a buffer of", path, Errno::IO).kind(), ErrorKind::Io);
    }

    #[test]
    fn own_refusal_has_no_source() {
        let error =
            Error::stated(ErrorKind::InvalidData, "read", Path::new("/x"), "0 buffers".to_owned());
        assert!(error.source().is_none());
        assert_eq!(error.to_string(), "failed to read `/x`: 0 buffers");
    }

    #[test]
    fn error_is_one_pointer() {
        assert_eq!(size_of::<Error>(), size_of::<usize>());
    }
}
