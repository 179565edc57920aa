//! Brightness, exposure, focus …: which controls a device has, their values, and setting them.

use std::fmt;
use std::os::fd::AsFd;

use crate::device::Device;
use crate::error::{Error, ErrorKind, Result};
use crate::format::MAX_LISTED;
use crate::ioctl::control_query::{self, QueryExtCtrl};
use crate::ioctl::{self, control_value};

mod flags;

pub use flags::Flags;

/// One control of a device.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Control {
    /// The number that V4L2 or the driver gave it.
    pub id: u32,
    /// The driver's words for it: `White Balance, Automatic`.
    pub name: String,
    /// The heading that the driver puts it under: `User Controls`; empty if it has none.
    pub group: String,
    /// What values it takes.
    pub kind: Kind,
    /// What can be done with it now.
    pub flags: Flags,
}

/// What values a control takes.
///
/// Source: `enum v4l2_ctrl_type`, `struct v4l2_query_ext_ctrl`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// A number.
    Integer(Numbers),
    /// On or off.
    Boolean {
        /// At the start.
        default: bool,
    },
    /// One of some names.
    Menu {
        /// All choices; positions may be missing.
        items: Vec<MenuItem>,
        /// The position at the start.
        default: u32,
    },
    /// One of some numbers.
    IntegerMenu {
        /// All choices, position and number; positions may be missing.
        items: Vec<(u32, i64)>,
        /// The position at the start.
        default: u32,
    },
    /// Something that happens when it is set, and has no value.
    Button,
    /// A number of 64 bits.
    Integer64(Numbers),
    /// A text of some bytes.
    Text {
        /// At least so many bytes.
        min_len: u16,
        /// At most so many bytes.
        max_len: u16,
    },
    /// Bits that can be on or off.
    Bitmask {
        /// All bits that there are.
        mask: u32,
        /// Those at the start.
        default: u32,
    },
    /// Something that this crate does not read, by its `enum v4l2_ctrl_type`.
    Other(u32),
}

/// `min`, `min + step`, … up to `max`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Numbers {
    /// The least.
    pub min: i64,
    /// The greatest.
    pub max: i64,
    /// From one to the next; at least 1.
    pub step: u64,
    /// At the start.
    pub default: i64,
}

/// One choice of a menu.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MenuItem {
    /// Its position, which is the control's value.
    pub index: u32,
    /// The driver's words for it.
    pub name: String,
}

/// The value of a control.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Value {
    /// Of [`Kind::Integer`] and [`Kind::Integer64`].
    Integer(i64),
    /// Of [`Kind::Boolean`].
    Boolean(bool),
    /// Of [`Kind::Menu`] and [`Kind::IntegerMenu`]: the position.
    Menu(u32),
    /// Of [`Kind::Text`].
    Text(String),
    /// Of [`Kind::Bitmask`].
    Bitmask(u32),
    /// Of [`Kind::Button`], to press it.
    Press,
}

impl Control {
    /// The name in the form that command lines and configurations use: `white_balance_automatic`.
    #[must_use]
    pub fn key(&self) -> String {
        let words = self.name.split(|c: char| !c.is_ascii_alphanumeric());
        let words: Vec<_> = words.filter(|w| !w.is_empty()).map(str::to_ascii_lowercase).collect();
        words.join("_")
    }

    /// Checks a value against what the control takes.
    ///
    /// # Errors
    /// The sentence that says what it takes instead.
    pub fn check(&self, value: &Value) -> Result<(), String> {
        let fits = match (&self.kind, value) {
            (Kind::Integer(numbers), Value::Integer(n)) => {
                numbers.contains(*n) && i32::try_from(*n).is_ok()
            }
            (Kind::Integer64(numbers), Value::Integer(n)) => numbers.contains(*n),
            (Kind::Boolean { .. }, Value::Boolean(_)) | (Kind::Button, Value::Press) => true,
            (Kind::Menu { items, .. }, Value::Menu(at)) => items.iter().any(|i| i.index == *at),
            (Kind::IntegerMenu { items, .. }, Value::Menu(at)) => items.iter().any(|i| i.0 == *at),
            (Kind::Text { min_len, max_len }, Value::Text(text)) => {
                let len = usize::from(*min_len)..=usize::from(*max_len);
                len.contains(&text.len()) && !text.contains('\0')
            }
            (Kind::Bitmask { mask, .. }, Value::Bitmask(bits)) => bits & !mask == 0,
            _ => false,
        };
        if fits { Ok(()) } else { Err(format!("control `{}` takes {}", self.key(), self.kind)) }
    }
}

impl Numbers {
    /// Whether a number is one of these.
    #[must_use]
    pub fn contains(&self, number: i64) -> bool {
        (self.min..=self.max).contains(&number)
            && number.abs_diff(self.min).is_multiple_of(self.step.max(1))
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Integer(Numbers { min, max, step, .. })
            | Self::Integer64(Numbers { min, max, step, .. }) => {
                write!(f, "{min} to {max} in steps of {step}")
            }
            Self::Boolean { .. } => f.write_str("on or off"),
            Self::Menu { items, .. } => {
                f.write_str("one of")?;
                items.iter().try_for_each(|item| write!(f, " {}={}", item.index, item.name))
            }
            Self::IntegerMenu { items, .. } => {
                f.write_str("one of")?;
                items.iter().try_for_each(|(index, number)| write!(f, " {index}={number}"))
            }
            Self::Button => f.write_str("a press only"),
            Self::Text { min_len, max_len } => write!(f, "{min_len} to {max_len} bytes of text"),
            Self::Bitmask { mask, .. } => write!(f, "bits of {mask:#x}"),
            Self::Other(_) => f.write_str("nothing that is known here"),
        }
    }
}

impl Device {
    /// Lists all controls, with the choices of menus. Disabled ones are in the list and say so.
    ///
    /// One call to the driver for each control and each choice: some milliseconds with a USB camera.
    ///
    /// # Errors
    /// [`ErrorKind::Gone`] if the device was unplugged.
    pub fn controls(&self) -> Result<Vec<Control>> {
        /// `V4L2_CTRL_TYPE_CTRL_CLASS`: a heading for those that follow.
        const HEADING: u32 = 6;
        let failed = |errno| self.failed("list the controls of", errno);
        let mut controls = Vec::new();
        let (mut last, mut group, mut class) = (0, String::new(), 0);
        for _ in 0..MAX_LISTED {
            let Some(raw) = control_query::next(self.as_fd(), last).map_err(failed)? else { break };
            if raw.id <= last {
                // A driver that does not move on would never end.
                break;
            }
            last = raw.id;
            if raw.type_ == HEADING {
                (group, class) = (ioctl::text(&raw.name), raw.id >> 16);
                continue;
            }
            let kind = self.kind(&raw)?;
            let group = if raw.id >> 16 == class { group.clone() } else { String::new() };
            let flags = Flags::new(raw.flags);
            controls.push(Control { id: raw.id, name: ioctl::text(&raw.name), group, kind, flags });
        }
        Ok(controls)
    }

    fn kind(&self, raw: &QueryExtCtrl) -> Result<Kind> {
        Ok(match kind_without_items(raw) {
            Kind::Menu { default, .. } => {
                let name =
                    |(index, bytes): (u32, [u8; 32])| MenuItem { index, name: ioctl::text(&bytes) };
                Kind::Menu { items: self.menu(raw)?.into_iter().map(name).collect(), default }
            }
            Kind::IntegerMenu { default, .. } => {
                let items = self.menu(raw)?.into_iter().map(|(index, b)| (index, menu_number(&b)));
                Kind::IntegerMenu { items: items.collect(), default }
            }
            kind => kind,
        })
    }

    /// The choices of a menu, each as the 32 bytes that hold it.
    fn menu(&self, raw: &QueryExtCtrl) -> Result<Vec<(u32, [u8; 32])>> {
        let mut items = Vec::new();
        for index in menu_positions(raw) {
            let item = control_query::menu_item(self.as_fd(), raw.id, index);
            let failed = |errno| self.failed("list the choices of a control of", errno);
            items.extend(item.map_err(failed)?.map(|bytes| (index, bytes)));
        }
        Ok(items)
    }

    /// Reads the value of a control.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] for buttons and for kinds that this crate does not read.
    pub fn control_value(&self, control: &Control) -> Result<Value> {
        let doing = || format!("read control `{}` of", control.key());
        let (fd, id) = (self.as_fd(), control.id);
        let value = match &control.kind {
            Kind::Integer64(_) => control_value::read64(fd, id).map(Value::Integer),
            Kind::Text { max_len, .. } => control_value::read_text(fd, id, *max_len)
                .map(|bytes| Value::Text(ioctl::printable(&String::from_utf8_lossy(&bytes)))),
            Kind::Button | Kind::Other(_) => {
                let cause = format!("it takes {}", control.kind);
                return Err(Error::stated(ErrorKind::Unsupported, doing(), self.path(), cause));
            }
            kind => control_value::read(fd, id).map(|number| decode(kind, number)),
        };
        value.map_err(|errno| self.failed(doing(), errno))
    }

    /// Sets the value of a control, and answers what the driver made of it.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] for a value that the control does not take,
    /// [`PermissionDenied`](ErrorKind::PermissionDenied) if it can only be read, [`Busy`](ErrorKind::Busy) if it cannot
    /// be set while somebody streams.
    pub fn set_control(&self, control: &Control, value: &Value) -> Result<Value> {
        let doing = || format!("set control `{}` of", control.key());
        let refused = |cause| Error::stated(ErrorKind::InvalidInput, doing(), self.path(), cause);
        control.check(value).map_err(refused)?;
        let (fd, id) = (self.as_fd(), control.id);
        let answer = match (&control.kind, value) {
            (Kind::Integer64(_), Value::Integer(n)) => {
                control_value::set64(fd, id, *n).map(Value::Integer)
            }
            (_, Value::Text(text)) => control_value::set_text(fd, id, text).map(|()| value.clone()),
            (kind, value) => {
                control_value::set(fd, id, encode(value)).map(|number| decode(kind, number))
            }
        };
        answer.map_err(|errno| self.failed(doing(), errno))
    }
}

/// The kind that a description tells, menus without their choices.
fn kind_without_items(raw: &QueryExtCtrl) -> Kind {
    let numbers = Numbers {
        min: raw.minimum,
        max: raw.maximum,
        step: raw.step.max(1),
        default: raw.default_value,
    };
    let default = u32::try_from(raw.default_value).unwrap_or(0);
    // A text is at most 64 KiB here; the longest known, of vivid, has 4 bytes.
    let len = |bytes: i64| u16::try_from(bytes.max(0)).unwrap_or(u16::MAX);
    match raw.type_ {
        // An array has one value for each of its elements, which nothing here has use for.
        other if raw.nr_of_dims > 0 => Kind::Other(other),
        1 => Kind::Integer(numbers),
        2 => Kind::Boolean { default: default != 0 },
        3 => Kind::Menu { items: Vec::new(), default },
        4 => Kind::Button,
        5 => Kind::Integer64(numbers),
        7 => Kind::Text { min_len: len(raw.minimum), max_len: len(raw.maximum) },
        8 => Kind::Bitmask { mask: low_word(raw.maximum), default: low_word(raw.default_value) },
        9 => Kind::IntegerMenu { items: Vec::new(), default },
        other => Kind::Other(other),
    }
}

/// The positions that a menu may have, no more than anybody would choose from.
fn menu_positions(raw: &QueryExtCtrl) -> impl Iterator<Item = u32> + use<> {
    let first = u32::try_from(raw.minimum).unwrap_or(0);
    let last = u32::try_from(raw.maximum).unwrap_or(0).min(first.saturating_add(MAX_LISTED - 1));
    first..=last
}

/// The number that the bytes of an integer menu's item start with.
fn menu_number(item: &[u8; 32]) -> i64 {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&item[..8]);
    i64::from_ne_bytes(bytes)
}

/// The lower 32 bits: a bit mask arrives with or without its sign extended.
fn low_word(value: i64) -> u32 {
    let [a, b, c, d, ..] = value.to_le_bytes();
    u32::from_le_bytes([a, b, c, d])
}

/// The value that a kind's 32 bits mean.
fn decode(kind: &Kind, number: i32) -> Value {
    match kind {
        Kind::Boolean { .. } => Value::Boolean(number != 0),
        Kind::Menu { .. } | Kind::IntegerMenu { .. } => Value::Menu(number.cast_unsigned()),
        Kind::Bitmask { .. } => Value::Bitmask(number.cast_unsigned()),
        Kind::Button => Value::Press,
        _ => Value::Integer(i64::from(number)),
    }
}

/// The 32 bits of a value that was checked.
fn encode(value: &Value) -> i32 {
    match value {
        Value::Integer(number) => low_word(*number).cast_signed(),
        Value::Boolean(on) => i32::from(*on),
        Value::Menu(bits) | Value::Bitmask(bits) => bits.cast_signed(),
        Value::Text(_) | Value::Press => 0,
    }
}

#[cfg(test)]
mod tests;
