//! What Eyelet may weigh. A change that raises a number here says why in its commit; one that makes it less lowers it.

/// Crates of others in the executable or needed to build it, its default features, on Linux.
pub(super) const DEPENDENCIES: usize = 113;

/// Bytes of the released executable that are loaded: code and data, without what debuggers read. Of x86-64; elsewhere it
/// is not looked at.
pub(super) const LOADED_BYTES: u64 = 7_650_000;
/// By how much it may be less before the number is to be lowered: compilers differ.
pub(super) const LOADED_BYTES_SLACK: u64 = 200_000;
