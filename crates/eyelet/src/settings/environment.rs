//! Variables: every key that stands once is one as well, `limits.head-timeout` as `EYELET_LIMITS_HEAD_TIMEOUT`.

use std::ffi::OsString;

use super::Settings;
use super::keys;
use super::layer::{Layer, nearest};
use crate::mistakes::Mistakes;

/// What all of them begin with.
const PREFIX: &str = "EYELET_";
/// What others of ours begin with: they are for the user's programs, or for tests.
const NO_SETTINGS: [&str; 8] = [
    "EYELET_AREA_",
    "EYELET_ROLE_",
    "EYELET_PLUGINS",
    "EYELET_PLACES",
    "EYELET_GENERATION",
    "EYELET_BIN",
    "EYELET_PYTHON",
    "EYELET_ARTICLE",
];

impl Settings {
    /// Lays variables over what was said before.
    pub fn add_environment(
        &mut self,
        variables: impl Iterator<Item = (OsString, OsString)>,
        mistakes: &mut Mistakes,
    ) {
        let keys = variables_and_keys();
        for (name, value) in variables {
            let Some(name) = name.to_str().filter(|name| name.starts_with(PREFIX)) else {
                continue;
            };
            if NO_SETTINGS.iter().any(|other| name.starts_with(other)) {
                continue;
            }
            match (keys.iter().find(|(variable, _)| variable == name), value.to_str()) {
                (Some((_, key)), Some(value)) => self.add(Layer::word(key, value, name), mistakes),
                (Some(_), None) => mistakes.add(name, "is not UTF-8"),
                (None, _) => {
                    if let Some(meant) = nearest(name, keys.iter().map(|(name, _)| name.as_str())) {
                        log::warn!("the variable {name} is no setting; {meant} may be meant");
                    }
                }
            }
        }
    }
}

/// Every setting's variable and key.
pub(super) fn variables_and_keys() -> Vec<(String, String)> {
    // What is asked for where nothing is there is all that there is.
    let layer = Layer::file("", "");
    keys::lay_over(&mut Settings::default(), &layer);
    let keys = layer.known().into_iter().filter(|key| !key.is_in_item);
    let variable = |key: &str| format!("{PREFIX}{}", key.replace(['.', '-'], "_").to_uppercase());
    keys.map(|key| (variable(&key.path), key.path)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Listen;

    fn said(variables: &[(&str, &str)]) -> (Settings, Mistakes) {
        let (mut settings, mut mistakes) = (Settings::default(), Mistakes::default());
        let variables = variables.iter().map(|(name, value)| (name.into(), value.into()));
        settings.add_environment(variables, &mut mistakes);
        (settings, mistakes)
    }

    #[test]
    fn every_key_has_a_variable_and_other_variables_are_left_alone() {
        let (settings, mistakes) = said(&[
            ("EYELET_LISTEN", ":1, :2"),
            ("EYELET_LIMITS_HEAD_TIMEOUT", "3"),
            ("EYELET_SOURCE", "front=test:,back=test:"),
            ("EYELET_AREA_0", "/run/x"),
            ("EYELET_LISTN", ":3"),
            ("PATH", "/bin"),
        ]);
        let config = settings.resolve(mistakes, || panic!("there is a source")).unwrap();
        assert_eq!(config.listen, [Listen::Everywhere(1), Listen::Everywhere(2)]);
        assert_eq!(config.limits.head_timeout.as_secs(), 3);
        assert_eq!((config.sources.len(), config.sources[1].name.as_str()), (2, "back"));
    }

    #[test]
    fn a_mistake_names_the_variable() {
        let (settings, mistakes) = said(&[("EYELET_SERVE_PROCESSES", "many")]);
        let error = settings.resolve(mistakes, || "test:".parse()).unwrap_err().to_string();
        assert!(error.starts_with("EYELET_SERVE_PROCESSES: takes 1 to 256"), "{error}");
    }
}
