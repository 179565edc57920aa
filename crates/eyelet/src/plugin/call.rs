//! `NAME()`, `AREA=NAME(WORDS)`: a plugin's function as a mule.

use crate::error::{Error, Result};

/// A function that is to run, with what it is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The name of the area that it owns, if it owns one.
    pub area: Option<String>,
    /// Its name.
    pub function: String,
    /// Words for it.
    pub words: Vec<String>,
}

impl Call {
    /// Reads a call; nothing from what is none, as a command.
    ///
    /// # Errors
    /// A usage error if the words cannot be read.
    pub fn parse(text: &str) -> Result<Option<Self>> {
        let is_name = |name: &str| {
            let is_word = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
            !name.is_empty() && name.chars().all(is_word)
        };
        let (area, call) = match text.split_once('=') {
            Some((area, call)) if is_name(area) => (Some(area.to_owned()), call),
            _ => (None, text),
        };
        let parts = call.strip_suffix(')').and_then(|call| call.split_once('('));
        let Some((function, words)) = parts.filter(|(function, _)| is_name(function)) else {
            return Ok(None);
        };
        let words = shlex::split(words)
            .ok_or_else(|| Error::usage(format!("`{text}` has words that cannot be read")))?;
        Ok(Some(Self { area, function: function.to_owned(), words }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_has_a_name_and_words_and_perhaps_an_area() {
        let call = |text: &str| Call::parse(text).unwrap();
        let parts = |text: &str| {
            call(text).map(|call| (call.area.unwrap_or_default(), call.function, call.words))
        };
        let made = |area: &str, function: &str, words: &[&str]| {
            let words = words.iter().map(|word| (*word).to_owned()).collect();
            Some((area.to_owned(), function.to_owned(), words))
        };
        assert_eq!(parts("tick()"), made("", "tick", &[]));
        assert_eq!(parts("tick(in=1)"), made("", "tick", &["in=1"]));
        let text = "door=gpio(gpiochip0 in=1?bias=off 'a (b)')";
        assert_eq!(parts(text), made("door", "gpio", &["gpiochip0", "in=1?bias=off", "a (b)"]));
        for command in
            ["tick", "python3 -c 'f()'", "a=python3 m.py()", "()", "a=", "./x(1)", "f() x"]
        {
            assert_eq!(call(command), None, "{command}");
        }
        assert!(Call::parse("f('a)").is_err());
    }
}
