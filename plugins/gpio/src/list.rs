//! The chips and lines that there are: for `--list`, and for messages that name what could have been meant.

use std::path::PathBuf;

use gpiocdev::Chip;
use gpiocdev::line::{Direction, Info};

/// Lines that a message names at most; `--list` names all.
const NAMED: usize = 12;

/// All chips with all their lines, a line of text for each.
pub(crate) fn chips() -> String {
    let mut text = String::new();
    for path in paths() {
        match Chip::from_path(&path) {
            Ok(chip) => {
                text += &format!("{}\n", describe(&chip));
                for info in chip.line_info_iter().into_iter().flatten().flatten() {
                    text += &format!("  {}\n", line(&info));
                }
            }
            Err(e) => text += &format!("{}\n", crate::error::Error::opening(&path, &e)),
        }
    }
    if text.is_empty() { known() } else { text.trim_end().to_owned() }
}

/// The chips that there are, for a message.
pub(crate) fn known() -> String {
    let chips: Vec<String> = paths().iter().map(|path| path.display().to_string()).collect();
    match chips.as_slice() {
        [] => "there is none on this machine".to_owned(),
        chips => format!("there is {}", chips.join(", ")),
    }
}

/// The chips whose label this is.
pub(crate) fn labelled(label: &str) -> Vec<PathBuf> {
    let is_it = |path: &PathBuf| {
        let info = Chip::from_path(path).and_then(|chip| chip.info());
        info.is_ok_and(|info| info.label == label)
    };
    paths().into_iter().filter(is_it).collect()
}

/// The lines of a chip, for a message.
pub(crate) fn lines(infos: &[Info]) -> String {
    let named: Vec<&str> =
        infos.iter().map(|info| info.name.as_str()).filter(|name| !name.is_empty()).collect();
    let more = if named.len() > NAMED { ", …; eyelet-gpio --list names all" } else { "" };
    let numbers = format!("it has 0 to {}", infos.len().saturating_sub(1));
    match &named[..named.len().min(NAMED)] {
        [] => format!("{numbers}, without names"),
        some => format!("{numbers}, called {}{more}", some.join(", ")),
    }
}

fn paths() -> Vec<PathBuf> {
    gpiocdev::chip::chips().unwrap_or_default()
}

fn describe(chip: &Chip) -> String {
    let path = chip.path().display();
    chip.info().map_or_else(
        |e| format!("{path}: {e}"),
        |info| format!("{path}: {}, {} lines", info.label, info.num_lines),
    )
}

fn line(info: &Info) -> String {
    let name = if info.name.is_empty() { "-" } else { &info.name };
    let direction = if info.direction == Direction::Output { "output" } else { "input" };
    let user = match (info.used, info.consumer.as_str()) {
        (false, _) => String::new(),
        (true, "") => ", in use".to_owned(),
        (true, consumer) => format!(", in use by {consumer}"),
    };
    format!("{} {name} {direction}{user}", info.offset)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(offset: u32, name: &str, consumer: &str) -> Info {
        let (name, consumer) = (name.to_owned(), consumer.to_owned());
        Info { offset, name, used: !consumer.is_empty(), consumer, ..Info::default() }
    }

    #[test]
    fn messages_name_some_lines() {
        assert_eq!(lines(&[info(0, "", ""), info(1, "", "")]), "it has 0 to 1, without names");
        let named: Vec<Info> = (0..20).map(|n| info(n, &format!("GPIO{n}"), "")).collect();
        assert_eq!(lines(&named[..2]), "it has 0 to 1, called GPIO0, GPIO1");
        assert!(lines(&named).ends_with("GPIO11, …; eyelet-gpio --list names all"));
    }

    #[test]
    fn lists_say_who_has_a_line() {
        assert_eq!(line(&info(3, "", "")), "3 - input");
        assert_eq!(line(&info(4, "LED", "led0")), "4 LED input, in use by led0");
    }
}
