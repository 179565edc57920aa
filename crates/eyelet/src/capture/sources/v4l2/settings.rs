//! The camera's controls as the user wants them, set each time that it is opened.

use eyelet_v4l2::Device;
use eyelet_v4l2::control::{Control, Kind, Value};

use crate::config::source::Setting;
use crate::error::{Error, Result};

/// Sets every control that the user named, in the order that they were named: some wake others.
///
/// # Errors
/// [`Refused`](crate::error::ErrorKind::Refused) for a control that is not there or a value that it does not take.
pub(super) fn apply(camera: &Device, settings: &[Setting]) -> Result<()> {
    if settings.is_empty() {
        return Ok(());
    }
    let path = camera.path().display();
    let controls = camera.controls().map_err(|e| super::unavailable(&e))?;
    for Setting { control: key, value } in settings {
        let control = controls.iter().find(|control| control.key() == *key).ok_or_else(|| {
            let known: Vec<String> = controls.iter().map(Control::key).collect();
            Error::refused(format!("`{path}` has no control `{key}`: it has {}", known.join(", ")))
        })?;
        let wanted = read(&control.kind, value).filter(|wanted| control.check(wanted).is_ok());
        let wanted = wanted.ok_or_else(|| {
            let (key, takes) = (control.key(), &control.kind);
            Error::refused(format!("control `{key}` of `{path}` takes {takes}, not `{value}`"))
        })?;
        let set = camera.set_control(control, &wanted);
        set.map_err(|e| Error::unavailable(format!("failed to set control `{key}`: {e}")))?;
    }
    Ok(())
}

/// Reads a value as a person writes it: a number, `on` or `off`, a menu's position or its words.
fn read(kind: &Kind, text: &str) -> Option<Value> {
    Some(match kind {
        Kind::Integer(_) | Kind::Integer64(_) => Value::Integer(text.parse().ok()?),
        Kind::Boolean { .. } => Value::Boolean(match text {
            "1" | "on" | "true" => true,
            "0" | "off" | "false" => false,
            _ => return None,
        }),
        Kind::Menu { items, .. } => {
            let named = items.iter().find(|item| item.name.eq_ignore_ascii_case(text));
            Value::Menu(named.map(|item| item.index).or_else(|| text.parse().ok())?)
        }
        Kind::IntegerMenu { .. } => Value::Menu(text.parse().ok()?),
        Kind::Text { .. } => Value::Text(text.to_owned()),
        Kind::Bitmask { .. } => Value::Bitmask(text.parse().ok()?),
        Kind::Button => Value::Press,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use eyelet_v4l2::control::{MenuItem, Numbers};

    #[test]
    fn values_are_read_as_people_write_them() {
        let numbers = Kind::Integer(Numbers { min: -64, max: 64, step: 1, default: 0 });
        assert_eq!(read(&numbers, "-17"), Some(Value::Integer(-17)));
        assert_eq!(read(&numbers, "much"), None);
        let switch = Kind::Boolean { default: false };
        assert_eq!(read(&switch, "on"), Some(Value::Boolean(true)));
        assert_eq!(read(&switch, "2"), None);
        let items = vec![MenuItem { index: 1, name: "50 Hz".into() }];
        let menu = Kind::Menu { items, default: 1 };
        assert_eq!(read(&menu, "50 hz"), Some(Value::Menu(1)));
        assert_eq!(read(&menu, "1"), Some(Value::Menu(1)));
    }
}
