//! What the world outside the chip does: buttons and cables.

use std::str::FromStr;

use crate::chip::LINES;

/// One line of the FIFO.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// Puts a level on a line.
    Level {
        /// Which, from 0.
        line: u8,
        /// The level.
        is_high: bool,
    },
    /// Pulls the cable.
    Unplug,
    /// Puts it back.
    Plug,
}

impl FromStr for Command {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let level = |line: &str, is_high| {
            let line = line.parse().ok().filter(|line| *line < LINES)?;
            Some(Self::Level { line, is_high })
        };
        let command = match text.split_once(' ') {
            Some(("high", line)) => level(line, true),
            Some(("low", line)) => level(line, false),
            None if text == "unplug" => Some(Self::Unplug),
            None if text == "plug" => Some(Self::Plug),
            _ => None,
        };
        command.ok_or_else(|| format!("`{text}` is none of: high N, low N, unplug, plug"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_understood_or_named() {
        assert_eq!("high 7".parse(), Ok(Command::Level { line: 7, is_high: true }));
        assert_eq!("low 0".parse(), Ok(Command::Level { line: 0, is_high: false }));
        assert_eq!("unplug".parse(), Ok(Command::Unplug));
        assert_eq!("plug".parse(), Ok(Command::Plug));
        for wrong in ["high 8", "low", "high x", "", "plug 1"] {
            let problem = wrong.parse::<Command>().unwrap_err();
            assert!(problem.contains(&format!("`{wrong}`")), "{problem}");
        }
    }
}
