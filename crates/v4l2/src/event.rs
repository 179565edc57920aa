//! What happens to a device beside frames: another signal, a control that changed, the end.
//!
//! Subscribe to what matters, poll for `POLLPRI`, then take events until there are none.

use std::os::fd::AsFd;

use rustix::io::Errno;

use crate::control::Flags;
use crate::device::Device;
use crate::error::{ErrorKind, Result};
use crate::ioctl::event as raw;

/// What to be told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Topic {
    /// The signal at the input changed: another resolution, or it is lost or found.
    SourceChange,
    /// A control changed, by another program or by the device; its [`id`](crate::control::Control::id).
    Control(u32),
    /// No frames will follow.
    EndOfStream,
}

/// Something that happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Event {
    /// What.
    pub kind: Kind,
    /// A count over all events of the device; a gap means that some were lost because nobody took them in time.
    pub sequence: u32,
    /// When, in nanoseconds of `CLOCK_MONOTONIC`.
    pub at_ns: u64,
}

/// What happened.
///
/// Source: `struct v4l2_event` and the structures of its union.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// The signal changed. If its resolution did, streaming has to be stopped, the timings detected and set, and buffers
    /// allocated anew.
    SourceChange {
        /// The resolution is another one.
        is_resolution: bool,
    },
    /// A control changed.
    Control {
        /// Which.
        id: u32,
        /// Its value as the driver's number; for texts meaningless.
        value: i64,
        /// What can be done with it now.
        flags: Flags,
        /// The value is another one.
        is_value: bool,
        /// The flags are others: it became active, or inactive.
        is_flags: bool,
        /// The range is another one: list the controls again.
        is_range: bool,
    },
    /// No frames will follow.
    EndOfStream,
    /// Something else, by its `V4L2_EVENT_*`.
    Other(u32),
}

impl Topic {
    fn raw(self) -> (u32, u32) {
        match self {
            Self::SourceChange => (raw::SOURCE_CHANGE, 0),
            Self::Control(id) => (raw::CTRL, id),
            Self::EndOfStream => (raw::EOS, 0),
        }
    }
}

impl Event {
    fn new(raw: &raw::Event) -> Self {
        let data = raw.data();
        let word =
            |at: usize| u32::from_ne_bytes([data[at], data[at + 1], data[at + 2], data[at + 3]]);
        let kind = match raw.type_ {
            // `struct v4l2_event_src_change`: the changes.
            raw::SOURCE_CHANGE => Kind::SourceChange { is_resolution: word(0) & 1 != 0 },
            // `struct v4l2_event_ctrl`: changes, type, a value of 32 or 64 bits, flags …
            raw::CTRL => Kind::Control {
                id: raw.id,
                value: control_value(word(4), [word(8), word(12)]),
                flags: Flags::new(word(16)),
                is_value: word(0) & 1 != 0,
                is_flags: word(0) & 2 != 0,
                is_range: word(0) & 4 != 0,
            },
            raw::EOS => Kind::EndOfStream,
            other => Kind::Other(other),
        };
        let [seconds, nanoseconds] = raw.timestamp.map(|part| u64::try_from(part).unwrap_or(0));
        let at_ns = seconds.saturating_mul(1_000_000_000).saturating_add(nanoseconds);
        Self { kind, sequence: raw.sequence, at_ns }
    }
}

/// The value in a control's event: all 64 bits for `V4L2_CTRL_TYPE_INTEGER64`, else the first 32.
fn control_value(type_: u32, [first, second]: [u32; 2]) -> i64 {
    const INTEGER64: u32 = 5;
    if type_ != INTEGER64 {
        return i64::from(first.cast_signed());
    }
    let mut bytes = [0; 8];
    bytes[..4].copy_from_slice(&first.to_ne_bytes());
    bytes[4..].copy_from_slice(&second.to_ne_bytes());
    i64::from_ne_bytes(bytes)
}

impl Device {
    /// Asks to be told of something.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] if the driver never tells of that, which most do of most.
    pub fn subscribe(&self, topic: Topic) -> Result<()> {
        let (type_, id) = topic.raw();
        raw::subscribe(self.as_fd(), type_, id).map_err(|errno| {
            let error = self.failed("subscribe to events of", errno);
            if errno == Errno::INVAL { error.with_kind(ErrorKind::Unsupported) } else { error }
        })
    }

    /// Asks to be told of it no more.
    ///
    /// # Errors
    /// [`ErrorKind::Gone`] if the device was unplugged.
    pub fn unsubscribe(&self, topic: Topic) -> Result<()> {
        let (type_, id) = topic.raw();
        raw::unsubscribe(self.as_fd(), type_, id)
            .map_err(|errno| self.failed("unsubscribe from events of", errno))
    }

    /// Takes the oldest event; `None` if there is none. Never waits.
    ///
    /// # Errors
    /// [`ErrorKind::Gone`] if the device was unplugged, [`ErrorKind::Unsupported`] if the driver has no events.
    pub fn dequeue_event(&self) -> Result<Option<Event>> {
        let event = raw::dequeue(self.as_fd())
            .map_err(|errno| self.failed("dequeue an event of", errno))?;
        Ok(event.map(|event| Event::new(&event)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[u32]) -> Vec<u8> {
        words.iter().flat_map(|word| word.to_ne_bytes()).collect()
    }

    #[test]
    fn source_change_is_read() {
        let event = Event::new(&raw::Event::sample(5, 0, &words(&[1])));
        assert_eq!(event.kind, Kind::SourceChange { is_resolution: true });
        let event = Event::new(&raw::Event::sample(5, 0, &words(&[0])));
        assert_eq!(event.kind, Kind::SourceChange { is_resolution: false });
    }

    #[test]
    fn control_change_is_read() {
        let bytes = words(&[1 | 2, 1, (-5i32).cast_unsigned(), 0xdead_beef, 0x10]);
        let kind = Event::new(&raw::Event::sample(3, 42, &bytes)).kind;
        let expected = Kind::Control {
            id: 42,
            value: -5,
            flags: Flags::new(0x10),
            is_value: true,
            is_flags: true,
            is_range: false,
        };
        assert_eq!(kind, expected);
    }

    #[test]
    fn control_of_64_bits_keeps_them() {
        let mut bytes = words(&[1, 5]);
        bytes.extend((-5_000_000_000i64).to_ne_bytes());
        let Kind::Control { value, .. } = Event::new(&raw::Event::sample(3, 1, &bytes)).kind else {
            panic!("a control's event");
        };
        assert_eq!(value, -5_000_000_000);
    }

    #[test]
    fn time_and_unknown_types_are_kept() {
        let mut event = raw::Event::sample(1234, 0, &[]);
        (event.timestamp, event.sequence) = ([2, 5], 9);
        let expected = Event { kind: Kind::Other(1234), sequence: 9, at_ns: 2_000_000_005 };
        assert_eq!(Event::new(&event), expected);
        event.timestamp = [-1, i64::MAX];
        assert_eq!(Event::new(&event).at_ns, i64::MAX.cast_unsigned());
        event.timestamp = [i64::MAX, i64::MAX];
        assert_eq!(Event::new(&event).at_ns, u64::MAX);
    }

    #[test]
    fn topics_have_the_kernels_numbers() {
        assert_eq!(Topic::EndOfStream.raw(), (2, 0));
        assert_eq!(Topic::Control(7).raw(), (3, 7));
        assert_eq!(Topic::SourceChange.raw(), (5, 0));
    }
}
