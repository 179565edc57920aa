//! Bits of a unit, without the bytes that keep start codes out of it.

/// Reads bits, most significant first.
#[derive(Debug)]
pub(super) struct BitReader {
    bytes: Vec<u8>,
    at: usize,
}

impl BitReader {
    /// Reads a unit's payload, of which at most `most` bytes are looked at: each 3 behind two zeros is left out.
    ///
    /// Source: ITU-T H.264, section 7.4.1, `emulation_prevention_three_byte`.
    pub(super) fn new(payload: &[u8], most: usize) -> Self {
        let mut bytes = Vec::with_capacity(payload.len().min(most));
        let mut zeros = 0;
        for &byte in payload.iter().take(most) {
            if zeros >= 2 && byte == 3 {
                zeros = 0;
                continue;
            }
            zeros = if byte == 0 { zeros + 1 } else { 0 };
            bytes.push(byte);
        }
        Self { bytes, at: 0 }
    }

    /// Counts the bits that were read.
    pub(super) fn position(&self) -> usize {
        self.at
    }

    pub(super) fn bit(&mut self) -> Option<bool> {
        let byte = self.bytes.get(self.at / 8)?;
        let bit = byte >> (7 - self.at % 8) & 1;
        self.at += 1;
        Some(bit == 1)
    }

    /// Reads a number of so many bits, at most 32.
    pub(super) fn number(&mut self, bits: u32) -> Option<u32> {
        (0..bits).try_fold(0, |number, _| Some(number << 1 | u32::from(self.bit()?)))
    }

    /// Reads a byte's worth of bits.
    pub(super) fn byte(&mut self) -> Option<u8> {
        self.number(8).and_then(|number| u8::try_from(number).ok())
    }

    /// Reads `ue(v)`, below `2^31`. Source: ITU-T H.264, section 9.1.
    pub(super) fn unsigned(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while !self.bit()? {
            zeros += 1;
            if zeros > 30 {
                return None;
            }
        }
        Some((1 << zeros) - 1 + self.number(zeros)?)
    }

    /// Reads `ue(v)` that is at most so much.
    pub(super) fn unsigned_to(&mut self, most: u32) -> Option<u32> {
        self.unsigned().filter(|number| *number <= most)
    }

    /// Reads `se(v)`. Source: ITU-T H.264, section 9.1.1.
    pub(super) fn signed(&mut self) -> Option<i64> {
        let code = i64::from(self.unsigned()?);
        Some(if code % 2 == 0 { -(code / 2) } else { code / 2 + 1 })
    }

    /// Copies the bits from one position up to another.
    pub(super) fn copy(&self, from: usize, to: usize, writer: &mut BitWriter) {
        for at in from..to {
            let byte = self.bytes.get(at / 8).copied().unwrap_or(0);
            writer.bit(byte >> (7 - at % 8) & 1 == 1);
        }
    }
}

/// Writes bits, most significant first.
#[derive(Debug, Default)]
pub(super) struct BitWriter {
    bytes: Vec<u8>,
    /// Bits of the last byte that are written; 0 where that is full.
    used: u8,
}

impl BitWriter {
    pub(super) fn bit(&mut self, bit: bool) {
        if self.used == 0 {
            self.bytes.push(0);
        }
        if let Some(last) = self.bytes.last_mut() {
            *last |= u8::from(bit) << (7 - self.used);
        }
        self.used = (self.used + 1) % 8;
    }

    pub(super) fn number(&mut self, number: u32, bits: u32) {
        for bit in (0..bits).rev() {
            self.bit(number >> bit & 1 == 1);
        }
    }

    /// Writes `ue(v)` of a number below `2^31`.
    pub(super) fn unsigned(&mut self, number: u32) {
        let code = number + 1;
        let bits = u32::BITS - code.leading_zeros();
        self.number(0, bits - 1);
        self.number(code, bits);
    }

    /// Ends the payload and writes it with the bytes that keep start codes out.
    ///
    /// Source: ITU-T H.264, sections 7.3.2.11 and 7.4.1.
    pub(super) fn finish(mut self, out: &mut Vec<u8>) {
        self.bit(true);
        let mut zeros = 0;
        for byte in self.bytes {
            if zeros >= 2 && byte <= 3 {
                out.push(3);
                zeros = 0;
            }
            zeros = if byte == 0 { zeros + 1 } else { 0 };
            out.push(byte);
        }
    }
}
