//! The few characters that the test picture writes, drawn for it: 5 by 7 dots.

/// Dots from one character to the next: five, and one that stays empty.
pub(super) const ADVANCE: usize = 6;

/// Dots of a character from top to bottom.
pub(super) const HEIGHT: usize = 7;

/// Gives the rows of a character from top to bottom, the leftmost dot in bit 5; what is not known is empty.
#[rustfmt::skip]
pub(super) fn rows(glyph: u8) -> [u8; HEIGHT] {
    let five = match glyph {
        b'0' => [0b01110, 0b10001, 0b10001, 0b10101, 0b10001, 0b10001, 0b01110],
        b'1' => [0b00100, 0b01100, 0b10100, 0b00100, 0b00100, 0b00100, 0b11111],
        b'2' => [0b01110, 0b10001, 0b00001, 0b00110, 0b01000, 0b10000, 0b11111],
        b'3' => [0b11110, 0b00001, 0b00001, 0b01110, 0b00001, 0b00001, 0b11110],
        b'4' => [0b10010, 0b10010, 0b10010, 0b11111, 0b00010, 0b00010, 0b00010],
        b'5' => [0b11111, 0b10000, 0b10000, 0b11110, 0b00001, 0b00001, 0b11110],
        b'6' => [0b01111, 0b10000, 0b10000, 0b11110, 0b10001, 0b10001, 0b01110],
        b'7' => [0b11111, 0b00001, 0b00010, 0b00100, 0b00100, 0b01000, 0b01000],
        b'8' => [0b01110, 0b10001, 0b10001, 0b01110, 0b10001, 0b10001, 0b01110],
        b'9' => [0b01110, 0b10001, 0b10001, 0b01111, 0b00001, 0b00001, 0b11110],
        b':' => [0b00000, 0b00100, 0b00100, 0b00000, 0b00100, 0b00100, 0b00000],
        b'.' => [0b00000, 0b00000, 0b00000, 0b00000, 0b00000, 0b01100, 0b01100],
        b'A' => [0b00100, 0b01010, 0b10001, 0b10001, 0b11111, 0b10001, 0b10001],
        b'E' => [0b11111, 0b10000, 0b10000, 0b11110, 0b10000, 0b10000, 0b11111],
        b'F' => [0b11111, 0b10000, 0b10000, 0b11110, 0b10000, 0b10000, 0b10000],
        b'M' => [0b10001, 0b11011, 0b10101, 0b10101, 0b10001, 0b10001, 0b10001],
        b'R' => [0b11110, 0b10001, 0b10001, 0b11110, 0b10100, 0b10010, 0b10001],
        _ => [0; HEIGHT],
    };
    five.map(|row: u8| row << 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_that_are_written_differ() {
        let known = b"0123456789:.AEFMR ";
        for (at, one) in known.iter().enumerate() {
            assert!(known[at + 1..].iter().all(|other| rows(*one) != rows(*other)), "{one}");
        }
    }

    #[test]
    fn characters_do_not_touch() {
        assert!((0..=255).all(|glyph| rows(glyph).iter().all(|row| row & 1 == 0 && row >> 6 == 0)));
    }
}
