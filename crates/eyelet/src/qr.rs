//! A QR code as text, for a telephone's camera.

use qrcode::{Color, EcLevel, QrCode};

/// Light modules around the code.
///
/// Source: ISO/IEC 18004, 5.3.8 "quiet zone".
const QUIET: usize = 4;

/// Black on white, whatever the terminal's own colours are: numbers of the palette that themes leave alone.
const COLOURS: &str = "\x1b[38;5;16;48;5;231m";
const PLAIN: &str = "\x1b[0m";

/// Draws a text as half blocks: each character is two modules, one above the other. None if it is too long.
#[must_use]
pub(crate) fn draw(text: &str) -> Option<Vec<String>> {
    // On a screen nothing gets dirty: the least correction makes the smallest code.
    let code = QrCode::with_error_correction_level(text, EcLevel::L).ok()?;
    let side = code.width() + 2 * QUIET;
    let is_dark = |x: usize, y: usize| {
        let inside = QUIET..side - QUIET;
        inside.contains(&x) && inside.contains(&y) && code[(x - QUIET, y - QUIET)] == Color::Dark
    };
    let row = |y: usize| {
        let blocks = (0..side).map(|x| match (is_dark(x, y), is_dark(x, y + 1)) {
            (true, true) => '█',
            (true, false) => '▀',
            (false, true) => '▄',
            (false, false) => ' ',
        });
        format!("{COLOURS}{}{PLAIN}", blocks.collect::<String>())
    };
    Some((0..side).step_by(2).map(row).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_long_has_no_code() {
        assert!(draw("http://192.0.2.7:9090").is_some_and(|lines| lines.len() <= 20));
        assert_eq!(draw(&"x".repeat(5000)), None);
    }

    #[test]
    fn the_code_is_surrounded_by_light() {
        let lines = draw("http://192.0.2.7:9090").unwrap();
        let light = |line: &str| line.chars().filter(|c| "█▀▄".contains(*c)).count() == 0;
        assert!(light(&lines[0]) && light(&lines[1]) && !light(&lines[2]));
        for line in &lines {
            let blocks = line.strip_prefix(COLOURS).and_then(|line| line.strip_suffix(PLAIN));
            let blocks = blocks.unwrap();
            assert!(blocks.starts_with("    ") && blocks.ends_with("    "), "{blocks}");
        }
    }
}
