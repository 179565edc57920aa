//! What the program shall do: filled once, validated whole, immutable after.

pub mod source;
