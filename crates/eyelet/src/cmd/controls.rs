//! `eyelet controls`: a camera's controls, of a running Eyelet.

use std::io::Write;

use eyelet_wire::v1::{ControlInfo, ControlValue};
use serde_json::{Map, Value};

use super::request;
use crate::error::{Error, Result};
use crate::panel;

const PATH: &str = "/-/api/controls";

/// What controls is told.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where Eyelet runs.
    #[arg(long, default_value = "http://127.0.0.1:9090")]
    url: String,
    /// Which stream shows the camera, by its name or id.
    #[arg(long, value_name = "STREAM", default_value = "0")]
    stream: String,
    /// Set all to their defaults.
    #[arg(long, conflicts_with = "settings")]
    reset: bool,
    /// What to set, as brightness=12 or 'auto_exposure=Manual Mode'; a name alone presses a button, and NAME= sets it to its
    /// default. Without any all are listed.
    #[arg(value_name = "NAME=VALUE")]
    settings: Vec<String>,
}

/// Sets what is named, or lists all.
///
/// # Errors
/// If nothing answers there, or something could not be set.
pub fn run(args: &Args) -> Result<()> {
    let (method, body) = match (args.reset, args.settings.is_empty()) {
        (true, _) => ("DELETE", String::new()),
        (false, true) => ("GET", String::new()),
        (false, false) => ("PUT", settings(&args.settings).to_string()),
    };
    let stream: String = form_urlencoded::byte_serialize(args.stream.as_bytes()).collect();
    let answer = request::send(&args.url, method, &format!("{PATH}?stream={stream}"), &body)?;
    let refused =
        || Error::failed(format!("`{}` answers {}: {}", args.url, answer.status, answer.text()));
    let told: Value = serde_json::from_slice(&answer.body).map_err(|_| refused())?;
    if let Some(errors) = told["errors"].as_object() {
        let each = errors.iter().map(|(id, why)| format!("`{id}` {}", why.as_str().unwrap_or("")));
        let each: Vec<String> = each.collect();
        return Err(Error::failed(format!("failed to set {}", each.join("; "))));
    }
    let controls: Vec<ControlInfo> =
        serde_json::from_value(told["controls"].clone()).map_err(|_| refused())?;
    let text: String = controls.iter().map(line).collect();
    std::io::stdout()
        .write_all(text.as_bytes())
        .map_err(|e| Error::failed(format!("failed to print: {e}")))
}

/// Texts, as people write them: the server reads them by the control's type.
fn settings(words: &[String]) -> Value {
    let settings = words.iter().map(|word| match word.split_once('=') {
        Some((id, "")) => (id.to_owned(), Value::Null),
        Some((id, value)) => (id.to_owned(), value.into()),
        None => (word.clone(), true.into()),
    });
    Value::Object(settings.collect::<Map<_, _>>())
}

fn line(control: &ControlInfo) -> String {
    let value = match &control.value {
        Some(ControlValue::Boolean(is_on)) => if *is_on { "on" } else { "off" }.to_owned(),
        Some(ControlValue::Integer(number)) => number.to_string(),
        Some(ControlValue::Text(text)) => text.clone(),
        None => "-".to_owned(),
    };
    let now = match (control.readonly, control.inactive) {
        (true, _) => ", can only be read",
        (false, true) => ", inactive now",
        (false, false) => "",
    };
    format!("{} = {value}  ({}{now})\n", control.id, panel::takes(control))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_become_settings() {
        let words = ["brightness=-12", "auto=Manual = yes", "gain=", "press"].map(str::to_owned);
        let expected = r#"{"auto":"Manual = yes","brightness":"-12","gain":null,"press":true}"#;
        assert_eq!(settings(&words).to_string(), expected);
    }
}
