//! The crate `eyelet-app`: its example as an app.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};

use crate::{HEIGHT, WIDTH, start_with};

#[test]
fn the_example_in_rust_answers_and_streams() -> Result<()> {
    let bin = std::env::var_os("EYELET_BIN").context("EYELET_BIN is not set")?;
    let example = Path::new(&bin).with_file_name("examples").join("eyetoy");
    let missing = "`cargo build --release --package eyelet-app --examples` makes it";
    ensure!(example.is_file(), "no `{}`: {missing}", example.display());
    let command = example.display().to_string();
    let eyelet = start_with(&["--app", &command, "--processes", "3"])?;
    ensure!(eyelet.get("/")?.text().contains("canvas"), "no page");
    ensure!(eyelet.get("/nothing")?.status == 404, "something at /nothing");
    // Frames by message, each whole; whoever leaves makes room.
    for _ in 0..5 {
        let mut viewer = eyelet.websocket("/eyetoy", &[], &[])?;
        for _ in 0..10 {
            ensure!(viewer.next_binary()?.len() == (WIDTH * HEIGHT * 2) as usize, "half a frame");
        }
    }
    Ok(())
}
