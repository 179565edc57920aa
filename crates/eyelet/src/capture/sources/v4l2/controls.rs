//! A device's controls in the words of panels.

use eyelet_v4l2::Device;
use eyelet_v4l2::control::{Control, Kind, Numbers, Value};
use eyelet_wire::v1::{ControlChoice, ControlInfo, ControlKind, ControlValue};

use crate::error::Result;
use crate::panel::Controls;

/// The controls of an open device. Each call can take as long as the device needs to answer.
#[derive(Debug)]
pub(super) struct DeviceControls<'a> {
    device: &'a Device,
    /// As they were listed last.
    listed: Vec<(String, Control)>,
}

impl<'a> DeviceControls<'a> {
    pub(super) fn of(device: &'a Device) -> Self {
        Self { device, listed: Vec::new() }
    }

    /// The numbers by which the driver knows them.
    pub(super) fn numbers(&self) -> impl Iterator<Item = u32> {
        self.listed.iter().map(|(_, control)| control.id)
    }
}

impl Controls for DeviceControls<'_> {
    fn list(&mut self) -> Result<Vec<ControlInfo>> {
        let all = self.device.controls().map_err(|e| super::unavailable(&e))?;
        self.listed.clear();
        let mut described = Vec::new();
        for control in all.into_iter().filter(|control| !control.flags.is_disabled()) {
            let id = free_id(&control.key(), &self.listed);
            let value = match control.flags.is_write_only() {
                true => None,
                false => self.device.control_value(&control).ok().and_then(|v| to_wire(&v)),
            };
            described.push(describe(&control, id.clone(), value));
            self.listed.push((id, control));
        }
        Ok(described)
    }

    fn set(
        &mut self,
        control: &ControlInfo,
        value: &ControlValue,
    ) -> std::result::Result<(), String> {
        let listed = self.listed.iter().find(|(id, _)| *id == control.id);
        let (_, listed) = listed.ok_or("is not there any more")?;
        let value = to_device(&listed.kind, value).ok_or("takes another kind of value")?;
        self.device.set_control(listed, &value).map(drop).map_err(|e| e.to_string())
    }
}

/// A driver may give two controls one name; the second is then `name_2`.
fn free_id(key: &str, taken: &[(String, Control)]) -> String {
    let is_free = |id: &str| taken.iter().all(|(other, _)| other != id);
    let numbered = (2..).map(|n: u32| format!("{key}_{n}"));
    std::iter::once(key.to_owned()).chain(numbered).find(|id| is_free(id)).unwrap_or_default()
}

fn describe(control: &Control, id: String, value: Option<ControlValue>) -> ControlInfo {
    let mut info = ControlInfo {
        id,
        name: control.name.clone(),
        kind: ControlKind::Other,
        min: None,
        max: None,
        step: None,
        default: None,
        value,
        menu: None,
        inactive: control.flags.is_inactive(),
        readonly: control.flags.is_read_only() || control.flags.is_grabbed(),
        group: one_word(&control.group),
    };
    let integer = |n: i64| Some(ControlValue::Integer(n));
    match &control.kind {
        Kind::Integer(numbers) => set_numbers(&mut info, ControlKind::Integer, *numbers),
        Kind::Integer64(numbers) => set_numbers(&mut info, ControlKind::Integer64, *numbers),
        Kind::Boolean { default } => {
            (info.kind, info.default) =
                (ControlKind::Boolean, Some(ControlValue::Boolean(*default)));
        }
        Kind::Menu { items, default } => {
            let choices = items.iter().map(|item| (item.index, item.name.clone()));
            set_menu(&mut info, choices, *default);
        }
        Kind::IntegerMenu { items, default } => {
            let choices = items.iter().map(|(index, number)| (*index, number.to_string()));
            set_menu(&mut info, choices, *default);
        }
        Kind::Button => info.kind = ControlKind::Button,
        Kind::Text { min_len, max_len } => {
            info.kind = ControlKind::String;
            (info.min, info.max) = (Some((*min_len).into()), Some((*max_len).into()));
        }
        Kind::Bitmask { mask, default } => {
            info.kind = ControlKind::Bitmask;
            (info.max, info.default) = (Some((*mask).into()), integer((*default).into()));
        }
        _ => {}
    }
    info
}

fn set_numbers(info: &mut ControlInfo, kind: ControlKind, numbers: Numbers) {
    let Numbers { min, max, step, default } = numbers;
    (info.kind, info.min, info.max, info.step) = (kind, Some(min), Some(max), Some(step));
    info.default = Some(ControlValue::Integer(default));
}

fn set_menu(info: &mut ControlInfo, items: impl Iterator<Item = (u32, String)>, default: u32) {
    let choice = |(index, name): (u32, String)| ControlChoice { value: index.into(), name };
    info.kind = ControlKind::Menu;
    info.menu = Some(items.map(choice).collect());
    info.default = Some(ControlValue::Integer(default.into()));
}

/// `User Controls` is `user`.
fn one_word(heading: &str) -> String {
    let heading = heading.strip_suffix("Controls").unwrap_or(heading);
    let words = heading.split(|c: char| !c.is_ascii_alphanumeric()).filter(|w| !w.is_empty());
    words.map(str::to_ascii_lowercase).collect::<Vec<_>>().join("_")
}

fn to_wire(value: &Value) -> Option<ControlValue> {
    Some(match value {
        Value::Integer(number) => ControlValue::Integer(*number),
        Value::Boolean(is_on) => ControlValue::Boolean(*is_on),
        Value::Menu(bits) | Value::Bitmask(bits) => ControlValue::Integer((*bits).into()),
        Value::Text(text) => ControlValue::Text(text.clone()),
        _ => return None,
    })
}

fn to_device(kind: &Kind, value: &ControlValue) -> Option<Value> {
    Some(match (kind, value) {
        (Kind::Integer(_) | Kind::Integer64(_), ControlValue::Integer(n)) => Value::Integer(*n),
        (Kind::Boolean { .. }, ControlValue::Boolean(is_on)) => Value::Boolean(*is_on),
        (Kind::Menu { .. } | Kind::IntegerMenu { .. }, ControlValue::Integer(at)) => {
            Value::Menu(u32::try_from(*at).ok()?)
        }
        (Kind::Bitmask { .. }, ControlValue::Integer(bits)) => {
            Value::Bitmask(u32::try_from(*bits).ok()?)
        }
        (Kind::Text { .. }, ControlValue::Text(text)) => Value::Text(text.clone()),
        (Kind::Button, _) => Value::Press,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headings_become_one_word() {
        assert_eq!(one_word("User Controls"), "user");
        assert_eq!(one_word("Test Pattern Controls"), "test_pattern");
        assert_eq!(one_word("JPEG Compression Controls"), "jpeg_compression");
        assert_eq!(one_word(""), "");
    }

    #[test]
    fn values_of_each_kind_reach_the_device() {
        let numbers = Kind::Integer(Numbers { min: -64, max: 64, step: 1, default: 0 });
        let menu = Kind::IntegerMenu { items: vec![(2, 1000)], default: 2 };
        let mask = Kind::Bitmask { mask: u32::MAX, default: 0 };
        let integer = ControlValue::Integer;
        assert_eq!(to_device(&numbers, &integer(-17)), Some(Value::Integer(-17)));
        assert_eq!(to_device(&menu, &integer(2)), Some(Value::Menu(2)));
        assert_eq!(to_device(&menu, &integer(-1)), None);
        assert_eq!(to_device(&mask, &integer(0xffff_ffff)), Some(Value::Bitmask(u32::MAX)));
        assert_eq!(to_device(&Kind::Button, &ControlValue::Boolean(true)), Some(Value::Press));
        assert_eq!(to_device(&numbers, &ControlValue::Text("7".into())), None);
    }
}
