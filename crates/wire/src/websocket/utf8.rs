//! UTF-8 that arrives in pieces, refused at the first byte that can no longer become right.

/// How much of a growing buffer has been found to be UTF-8.
#[derive(Debug, Default)]
pub(super) struct Utf8Progress {
    /// Invariant: the buffer's first `valid` bytes are whole characters; at most three bytes lie beyond.
    valid: usize,
}

impl Utf8Progress {
    /// Looks at what was appended; false if no continuation can make it UTF-8. Each byte is looked at at most twice.
    pub(super) fn accepts(&mut self, buffer: &[u8]) -> bool {
        match str::from_utf8(&buffer[self.valid..]) {
            Ok(_) => self.valid = buffer.len(),
            Err(error) if error.error_len().is_none() => self.valid += error.valid_up_to(),
            Err(_) => return false,
        }
        true
    }
}
