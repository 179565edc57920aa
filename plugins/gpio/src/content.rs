//! What the area holds, and what requests are to do to it: without a chip, so that it can be tested.

use eyelet_area::{Bits, Op};

use crate::options::{Direction, Line};

/// The values of all lines, one byte each: 0 or 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Content {
    lines: Vec<Line>,
    values: Vec<u8>,
}

/// What a request comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    /// It is answered with these bytes.
    Read(Vec<u8>),
    /// Outputs are to be set.
    Set {
        /// Lines by their position in the area, and what they are to be.
        outputs: Vec<(usize, u8)>,
        /// Of an addition: the value afterwards.
        value: i64,
    },
}

/// Why a request is not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum No {
    /// There are not so many lines.
    OutOfRange,
    /// It is not for these lines; the text says why.
    Refused(String),
}

impl Content {
    /// All lines are 0.
    pub(crate) fn new(lines: Vec<Line>) -> Self {
        Self { values: vec![0; lines.len()], lines }
    }

    /// Gives the lines, in the order of the bytes.
    pub(crate) fn lines(&self) -> &[Line] {
        &self.lines
    }

    /// Gives the bytes.
    pub(crate) fn values(&self) -> &[u8] {
        &self.values
    }

    /// Takes over what a line is now.
    pub(crate) fn put(&mut self, at: usize, value: u8) {
        self.values[at] = value;
    }

    /// Says what a request comes to; changes nothing.
    ///
    /// # Errors
    /// If it is not to be done.
    pub(crate) fn wish(&self, op: &Op) -> Result<Wish, No> {
        match op {
            Op::Read { pos, len } => {
                let all = (self.values.len() as u64).checked_sub(*pos).ok_or(No::OutOfRange)?;
                let at = self.range(*pos, if *len == 0 { all } else { *len })?;
                Ok(Wish::Read(self.values[at].to_vec()))
            }
            Op::Write { pos, payload } => {
                let at = self.range(*pos, payload.len() as u64)?;
                let mut outputs = Vec::new();
                for (at, byte) in at.zip(payload) {
                    outputs.extend(self.output(at, value(*byte))?);
                }
                Ok(Wish::Set { outputs, value: 0 })
            }
            Op::Add { pos, bits: Bits::B8, amount } => {
                let at = self.range(*pos, 1)?.start;
                // A line has one bit, so it wraps there: adding 1 is the other value.
                let value = u8::from((i64::from(self.values[at]) ^ amount) & 1 == 1);
                let outputs = self.output(at, Some(value))?.into_iter().collect();
                Ok(Wish::Set { outputs, value: value.into() })
            }
            Op::Add { .. } => Err(No::Refused("a line is a number of 8 bits".to_owned())),
        }
    }

    /// Where so many bytes stand, if all of them are lines.
    fn range(&self, pos: u64, len: u64) -> Result<std::ops::Range<usize>, No> {
        let end = pos.checked_add(len).filter(|end| *end <= self.values.len() as u64);
        let (pos, end) = (usize::try_from(pos), end.and_then(|end| usize::try_from(end).ok()));
        pos.ok().zip(end).map(|(pos, end)| pos..end).ok_or(No::OutOfRange)
    }

    /// What is to be set for a line to have a value; nothing for an input that has it.
    fn output(&self, at: usize, value: Option<u8>) -> Result<Option<(usize, u8)>, No> {
        let Line { name, direction, .. } = &self.lines[at];
        let refuse = |text: String| Err(No::Refused(text));
        match (direction, value) {
            (_, None) => refuse(format!("the line `{name}` is 0 or 1")),
            (Direction::Out, Some(value)) => Ok(Some((at, value))),
            (Direction::In, Some(value)) if value == self.values[at] => Ok(None),
            (Direction::In, Some(_)) => {
                refuse(format!("the line `{name}` is an input: only --out makes an output"))
            }
        }
    }
}

/// What a byte of a write means. Digits do as well, as a shell can hardly send a zero.
fn value(byte: u8) -> Option<u8> {
    match byte {
        0 | b'0' => Some(0),
        1 | b'1' => Some(1),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::{Place, Wiring};

    /// An input that is 1, and two outputs that are 0.
    fn content() -> Content {
        let line = |name: &str, offset, direction| Line {
            name: name.to_owned(),
            place: Place::Offset(offset),
            direction,
            wiring: Wiring::default(),
        };
        let mut content = Content::new(vec![
            line("button", 17, Direction::In),
            line("lamp", 27, Direction::Out),
            line("horn", 22, Direction::Out),
        ]);
        content.put(0, 1);
        content
    }

    fn write(pos: u64, bytes: &[u8]) -> Result<Wish, No> {
        content().wish(&Op::Write { pos, payload: bytes.to_vec() })
    }

    fn add(pos: u64, amount: i64) -> Result<Wish, No> {
        content().wish(&Op::Add { pos, bits: Bits::B8, amount })
    }

    fn set(outputs: &[(usize, u8)], value: i64) -> Result<Wish, No> {
        Ok(Wish::Set { outputs: outputs.to_vec(), value })
    }

    fn reason(answer: Result<Wish, No>) -> String {
        match answer {
            Err(No::Refused(text)) => text,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_lies_inside_is_read() {
        let read = |pos, len| content().wish(&Op::Read { pos, len });
        assert_eq!(read(0, 0), Ok(Wish::Read(vec![1, 0, 0])));
        assert_eq!(read(0, 1), Ok(Wish::Read(vec![1])));
        assert_eq!(read(3, 0), Ok(Wish::Read(vec![])));
        for (pos, len) in [(0, 4), (4, 0), (u64::MAX, 1), (1, u64::MAX)] {
            assert_eq!(read(pos, len), Err(No::OutOfRange), "{pos} {len}");
        }
    }

    #[test]
    fn outputs_are_set_by_bytes_and_by_digits() {
        assert_eq!(write(1, &[1, 0]), set(&[(1, 1), (2, 0)], 0));
        assert_eq!(write(1, b"10"), set(&[(1, 1), (2, 0)], 0));
        assert_eq!(write(3, b""), set(&[], 0));
        assert_eq!(write(2, &[1, 1]), Err(No::OutOfRange));
        assert!(reason(write(2, &[2])).contains("`horn` is 0 or 1"));
    }

    #[test]
    fn an_input_is_refused_by_its_name_unless_it_stays_as_it_is() {
        assert!(reason(write(0, &[0])).contains("`button` is an input"));
        assert!(reason(write(0, &[0, 1, 1])).contains("`button` is an input"));
        assert_eq!(write(0, &[1, 1]), set(&[(1, 1)], 0));
        assert!(reason(add(0, 1)).contains("`button` is an input"));
    }

    #[test]
    fn adding_to_a_line_wraps_at_its_one_bit() {
        assert_eq!(add(1, 1), set(&[(1, 1)], 1));
        assert_eq!(add(1, -1), set(&[(1, 1)], 1));
        assert_eq!(add(1, 2), set(&[(1, 0)], 0));
        assert_eq!(add(3, 1), Err(No::OutOfRange));
        let wide = content().wish(&Op::Add { pos: 1, bits: Bits::B16, amount: 1 });
        assert!(reason(wide).contains("8 bits"));
    }
}
