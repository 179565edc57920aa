//! Why there are no lines: one sentence for a person, which is also the area's reason for "no signal".

use std::path::{Path, PathBuf};

use rustix::io::Errno;

/// What is wrong with a chip or its lines.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Error {
    /// Nothing there has that path, name or label.
    #[error("there is no chip `{wanted}`: {known}")]
    NoChip {
        /// As it was named.
        wanted: String,
        /// Those that there are.
        known: String,
    },
    /// The file's mode does not let this process open it.
    #[error("no permission to open `{path}`: {whose}", path = path.display())]
    NoPermission {
        /// The chip's file.
        path: PathBuf,
        /// Who may, and what to do.
        whose: String,
    },
    /// It is some other file.
    #[error("`{path}` is no GPIO chip", path = .0.display())]
    NotAChip(PathBuf),
    /// Which one is meant cannot be known.
    #[error(
        "several chips are called `{0}`, and none is where it was: name one by --chip, by its path"
    )]
    SameLabel(String),
    /// The chip has no such line.
    #[error("{chip} has no line `{line}`: {known}")]
    NoLine {
        /// The chip.
        chip: String,
        /// As it was named.
        line: String,
        /// Those that there are.
        known: String,
    },
    /// Two of the command line's lines are the same one.
    #[error("`{0}` and `{1}` are the same line")]
    SameLine(String, String),
    /// Somebody else has the line.
    #[error("the line `{line}` ({offset}) of {chip} is in use by `{consumer}`")]
    Busy {
        /// As the command line calls it.
        line: String,
        /// Its number.
        offset: u32,
        /// The chip.
        chip: String,
        /// What the other one calls itself.
        consumer: String,
    },
    /// The kernel debounces by interrupts, where neither chip nor driver can; those of a USB or I2C chip are threads.
    #[error(
        "failed to request {0}: perhaps this chip takes no --debounce, as those on USB and I2C"
    )]
    Debounce(String),
    /// It was there.
    #[error("{0} is not plugged in any more")]
    Gone(String),
    /// It can only be read and set.
    #[error(
        "{0} has no interrupts for its inputs, so that nobody would be told of an edge: take another chip for them"
    )]
    NoEdges(String),
    /// Whatever else the kernel has against it.
    #[error("failed to {doing} {chip}: {why}")]
    Kernel {
        /// What was being done.
        doing: &'static str,
        /// The chip.
        chip: String,
        /// The kernel's answer.
        why: String,
    },
}

/// The crate's result.
pub(crate) type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// What the kernel answered while something was being done to a chip.
    pub(crate) fn kernel(doing: &'static str, chip: &str, error: &gpiocdev::Error) -> Self {
        match errno(error) {
            Some(Errno::NODEV | Errno::NXIO) if doing != "request" => Self::Gone(chip.to_owned()),
            // Source: `edge_detector_setup`, drivers/gpio/gpiolib-cdev.c: a line without an interrupt.
            Some(Errno::NXIO) => Self::NoEdges(chip.to_owned()),
            _ => Self::Kernel { doing, chip: chip.to_owned(), why: error.to_string() },
        }
    }

    /// Why a chip's file could not be opened.
    pub(crate) fn opening(path: &Path, error: &gpiocdev::Error) -> Self {
        let path = path.to_owned();
        match errno(error) {
            Some(Errno::ACCESS | Errno::PERM) => Self::NoPermission { whose: whose(&path), path },
            Some(Errno::NOENT | Errno::NODEV | Errno::NXIO) => {
                Self::NoChip { wanted: path.display().to_string(), known: crate::list::known() }
            }
            None if matches!(error, gpiocdev::Error::GpioChip(..)) => Self::NotAChip(path),
            _ => {
                let chip = format!("`{}`", path.display());
                Self::Kernel { doing: "open", chip, why: error.to_string() }
            }
        }
    }
}

/// The number of the kernel's answer, if it gave one.
pub(crate) fn errno(error: &gpiocdev::Error) -> Option<Errno> {
    match error {
        gpiocdev::Error::Os(errno) | gpiocdev::Error::Uapi(_, gpiocdev_uapi::Error::Os(errno)) => {
            Some(Errno::from_raw_os_error(errno.0))
        }
        _ => None,
    }
}

/// Who may open a file, and what to do for it.
fn whose(path: &Path) -> String {
    use std::os::unix::fs::MetadataExt as _;
    let groups = std::fs::read_to_string("/etc/group").unwrap_or_default();
    path.metadata().map_or_else(
        |e| format!("this is all that is known: {e}"),
        |metadata| way_in(metadata.mode(), metadata.gid(), &groups),
    )
}

/// What to do for a file of this mode and this group; `groups` is the text of `/etc/group`.
fn way_in(mode: u32, group: u32, groups: &str) -> String {
    /// What the group may; to open it for reading is enough, also for its outputs.
    const GROUP_READ: u32 = 0o040;
    let number = group.to_string();
    let name = group_named(groups, &number).unwrap_or(&number);
    // Nobody is to be told to join root's group; and what the group may not, joining it does not give.
    if group == 0 || mode & GROUP_READ == 0 {
        let mode = mode & 0o777;
        return format!(
            "only root may (mode {mode:o}, group `{name}`); let a udev rule give it to a group, as SUBSYSTEM==\"gpio\", GROUP=\"gpio\", MODE=\"0660\""
        );
    }
    format!("it is for the group `{name}`; add Eyelet's user to that")
}

/// The name of a group in the text of `/etc/group`. Source: `group(5)`.
fn group_named<'a>(groups: &'a str, number: &str) -> Option<&'a str> {
    groups.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == number).then_some(name)
    })
}

#[cfg(test)]
mod tests {
    use gpiocdev::UapiCall;

    use super::*;

    fn answer(errno: Errno) -> gpiocdev::Error {
        let errno = gpiocdev_uapi::Errno(errno.raw_os_error());
        gpiocdev::Error::Uapi(UapiCall::GetLineValues, gpiocdev_uapi::Error::Os(errno))
    }

    #[test]
    fn groups_are_named() {
        let text = "root:x:0:\ngpio:x:997:pi,eyelet\nbroken\n";
        assert_eq!(group_named(text, "997"), Some("gpio"));
        assert_eq!(group_named(text, "998"), None);
    }

    #[test]
    fn nobody_is_sent_into_a_group_that_does_not_help() {
        let groups = "root:x:0:\ngpio:x:997:pi\n";
        assert_eq!(
            way_in(0o20660, 997, groups),
            "it is for the group `gpio`; add Eyelet's user to that"
        );
        assert!(way_in(0o20660, 998, groups).contains("the group `998`"));
        // The first is as the kernel makes it where no rule says otherwise.
        for (mode, group) in [(0o20600, 0), (0o20660, 0), (0o20600, 997)] {
            let text = way_in(mode, group, groups);
            assert!(text.starts_with("only root may") && text.contains("udev rule"), "{text}");
        }
        assert!(way_in(0o20600, 0, groups).contains("mode 600, group `root`"));
    }

    #[test]
    fn the_kernels_answers_have_their_meaning() {
        let gone = Error::kernel("read", "chip", &answer(Errno::NODEV));
        assert_eq!(gone, Error::Gone("chip".to_owned()));
        let edges = Error::kernel("request", "chip", &answer(Errno::NXIO)).to_string();
        assert!(edges.starts_with("chip has no interrupts"), "{edges}");
        let other = Error::kernel("read", "chip", &answer(Errno::IO)).to_string();
        assert!(other.starts_with("failed to read chip: "), "{other}");
    }

    #[test]
    fn what_is_no_chip_is_said_to_be_none() {
        let folder = tempfile::tempdir().unwrap();
        let open = |path: &Path| {
            let error = gpiocdev::Chip::from_path(path).unwrap_err();
            Error::opening(path, &error).to_string()
        };
        let missing = open(&folder.path().join("gpiochip9"));
        assert!(missing.contains("gpiochip9`: there "), "{missing}");
        assert!(open(Path::new("/dev/null")).contains("`/dev/null` is no GPIO chip"));
        assert!(open(Path::new("/proc/version")).contains("is no GPIO chip"));
    }
}
