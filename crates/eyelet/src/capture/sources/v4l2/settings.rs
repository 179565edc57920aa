//! The camera's controls as the command line wants them, set each time that it is opened.

use eyelet_v4l2::Device;
use eyelet_wire::v1::ControlValue;

use super::controls::DeviceControls;
use crate::config::source::Setting;
use crate::error::{Error, Result};
use crate::panel::{self, Controls as _};

/// Sets every control that the user named, in the order that they were named: some wake others.
///
/// # Errors
/// [`Refused`](crate::error::ErrorKind::Refused) for a control that is not there or a value that it does not take.
pub(super) fn apply(camera: &Device, settings: &[Setting]) -> Result<()> {
    if settings.is_empty() {
        return Ok(());
    }
    let path = camera.path().display();
    let mut controls = DeviceControls::of(camera);
    let all = controls.list()?;
    for Setting { control: key, value } in settings {
        let control = all.iter().find(|control| control.id == *key).ok_or_else(|| {
            let known: Vec<&str> = all.iter().map(|control| control.id.as_str()).collect();
            Error::refused(format!("`{path}` has no control `{key}`: it has {}", known.join(", ")))
        })?;
        let wanted = panel::read(control, &ControlValue::Text(value.clone()));
        let wanted =
            wanted.map_err(|why| Error::refused(format!("control `{key}` of `{path}` {why}")))?;
        controls
            .set(control, &wanted)
            .map_err(|e| Error::unavailable(format!("failed to set control `{key}`: {e}")))?;
    }
    Ok(())
}
