//! `python3 mule.py`, `annotated=python3 mule.py`: the user's programs beside the streams.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// A program that runs beside the streams as long as Eyelet does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mule {
    /// The name of the area that it owns, if it owns one.
    pub area: Option<String>,
    /// The program and its arguments.
    pub command: Vec<String>,
}

impl FromStr for Mule {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        let (area, command) = match text.split_once('=') {
            Some((name, command)) if !name.is_empty() && name.chars().all(is_name) => {
                (Some(name.to_owned()), command)
            }
            _ => (None, text),
        };
        let command = shlex::split(command).filter(|words| !words.is_empty());
        let command = command.ok_or_else(|| {
            let form = "write [AREA=]COMMAND, as 'annotated=python3 mule.py'";
            Error::usage(format!("`{text}` names no command that could be read: {form}"))
        })?;
        Ok(Self { area, command })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mule_is_a_command_with_an_area_or_without() {
        let mule = |text: &str| text.parse::<Mule>().unwrap();
        assert_eq!(mule("python3 'my mule.py' --x=1").command, ["python3", "my mule.py", "--x=1"]);
        assert_eq!(mule("python3 --x=1").area, None);
        let owner = mule("annotated=python3 mule.py");
        assert_eq!((owner.area.as_deref(), owner.command.len()), (Some("annotated"), 2));
        for wrong in ["", "annotated=", "'open"] {
            assert!(wrong.parse::<Mule>().is_err(), "{wrong}");
        }
    }
}
