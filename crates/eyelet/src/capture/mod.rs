//! The capture role: one source, one area.

pub mod source;
pub mod sources;
