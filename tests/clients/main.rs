//! The programs that people use to watch, on a real Eyelet with the test picture, and what it takes itself.
//!
//! Belongs here: what a program that is not ours makes of our addresses: which pictures, how many, in which colours. Does
//! not belong here: the bytes on the wire, which `tests/it` reads. `cargo xtask clients` installs the programs and runs
//! this; without them each test fails and names the package.

mod curl;
mod ffmpeg;
mod memory;
mod mpv;
mod openapi;
mod own_python;
mod own_rust;
mod picture;
mod program;
mod prometheus;
mod python;

use std::ffi::OsStr;
use std::path::Path;

use anyhow::{Context as _, Result};
use eyelet_harness::Eyelet;

/// The addresses of the endless answer: our own, ustreamer's, mjpg-streamer's.
const STREAMS: [&str; 3] = ["/-/stream.mjpg", "/stream", "/?action=stream"];
/// What the source gives.
const WIDTH: u32 = 640;
const HEIGHT: u32 = 480;
/// How many pictures a client reads: enough to see that they follow one another.
const PICTURES: usize = 30;

/// Starts the released executable, on a free port.
fn start() -> Result<Eyelet> {
    start_with(&[])
}

/// The same with further words.
fn start_with(more: &[&str]) -> Result<Eyelet> {
    start_in(more, &[])
}

/// The same with variables in its environment.
fn start_in(more: &[&str], variables: &[(&str, &OsStr)]) -> Result<Eyelet> {
    start_from(&format!("test:{WIDTH}x{HEIGHT}@30"), more, variables)
}

/// The same with another source.
fn start_from(source: &str, more: &[&str], variables: &[(&str, &OsStr)]) -> Result<Eyelet> {
    let bin = std::env::var_os("EYELET_BIN");
    let bin = bin.context("EYELET_BIN is not set: run this by `cargo xtask clients`")?;
    let words = [&["--listen", "127.0.0.1:0", "--source", source], more].concat();
    Eyelet::start_with(Path::new(&bin), &words, variables)
        .context("`cargo build --release --package eyelet` makes the executable")
}
