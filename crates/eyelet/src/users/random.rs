//! Random numbers, and bytes as people and files have them.

use ring::rand::{SecureRandom as _, SystemRandom};

use crate::error::{Error, Result};

/// Bytes that nobody can foresee.
///
/// # Errors
/// If the system has none.
pub(crate) fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    let filled = SystemRandom::new().fill(&mut bytes);
    filled.map_err(|_| Error::failed("the system has no random numbers"))?;
    Ok(bytes)
}

/// Writes bytes as lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
