//! One file per source.
