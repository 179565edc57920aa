//! H.264 without decoding: access units cut out of a byte stream, and made so that every decoder can begin with them.
//!
//! A payload of H.264 is one access unit, which is one picture, as a byte stream with start codes (annex B). What comes
//! from a camera may lack what browsers need: parameter sets before each key picture, what its colours mean, and that
//! pictures are shown in the order in which they come. [`Mender`] adds that.
//!
//! A crate that reads parameter sets would not do: here bits are put between others that stay as they are, and no such
//! crate tells at which bit a field begins.
//!
//! Source: ITU-T H.264, sections 7.3, 7.4.1.2.3, annexes B and E.

mod bits;
mod mender;
mod splitter;
mod sps;
#[cfg(test)]
mod tests;
mod units;

pub use mender::{Mended, Mender, Reordered};
pub use splitter::Splitter;
pub use sps::{Colour, Sps};
pub use units::{codec, is_key, units};
