//! Starts what the command line asks for.
fn main() {}
