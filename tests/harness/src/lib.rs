//! Real processes for tests.
