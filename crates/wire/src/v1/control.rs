//! A camera's controls as control messages and the HTTP interface name them.

use serde::{Deserialize, Serialize};

/// One control of a camera: brightness, exposure, a menu, a button …
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ControlInfo {
    /// Its name for programs, which stays the same: `white_balance_automatic`.
    pub id: String,
    /// Its name for people, in the driver's words.
    pub name: String,
    /// What values it takes.
    #[serde(rename = "type")]
    pub kind: ControlKind,
    /// The least value, of numbers; the least length in bytes, of texts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<i64>,
    /// The greatest value or length; of a bit mask all bits that there are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<i64>,
    /// From one number to the next; at least 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<u64>,
    /// What it goes back to; none where it has no value, or no default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<ControlValue>,
    /// What it is now; none where it has no value, or it cannot be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<ControlValue>,
    /// All choices of a menu.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub menu: Option<Vec<ControlChoice>>,
    /// It has no effect until another control is set otherwise, and is not set meanwhile.
    pub inactive: bool,
    /// It can only be read.
    pub readonly: bool,
    /// The heading that it stands under, in one word: `user`, `camera`; may be empty.
    pub group: String,
}

/// What values a control takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ControlKind {
    /// A whole number.
    Integer,
    /// `true` or `false`.
    Boolean,
    /// One of `menu`, by its `value`.
    Menu,
    /// Something that happens when it is set; it has no value.
    Button,
    /// A whole number that may need 64 bits, more than a double holds.
    Integer64,
    /// A text.
    String,
    /// A whole number whose bits mean something each.
    Bitmask,
    /// From a newer server, or something that cannot be set here.
    #[serde(other)]
    Other,
}

/// The value of a control.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ControlValue {
    /// Of a boolean.
    Boolean(bool),
    /// Of numbers, menus and bit masks.
    Integer(i64),
    /// Of a text.
    Text(String),
}

/// One choice of a menu.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ControlChoice {
    /// What the control's value is when it is chosen.
    pub value: i64,
    /// For people.
    pub name: String,
}
