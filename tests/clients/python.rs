//! Programs in Python: what they read with, in a script each that says in JSON what it saw.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use eyelet::stamp::sequence_of;
use eyelet_harness::Eyelet;
use serde_json::Value;

use crate::picture::{Picture, verify, verify_all_came};
use crate::{PICTURES, STREAMS, program, start};

/// Runs a script of this folder; gives the pictures that it saw.
fn run(eyelet: &Eyelet, script: &str, words: &[&str]) -> Result<Vec<Picture>> {
    let python = std::env::var_os("EYELET_PYTHON").context(
        "EYELET_PYTHON is not set: `cargo xtask clients` makes a Python with `opencv-python-headless`, `aiohttp` and \
         `requests`, and Debian's `python3-venv` is for that",
    )?;
    let mut command = Command::new(python);
    // Nothing is written beside the scripts.
    command.arg("-B").arg(Path::new(env!("CARGO_MANIFEST_DIR")).join(script)).args(words);
    let printed = program::spawn(eyelet, command)?.finish()?;
    let said: Value = serde_json::from_slice(&printed.stdout).context(printed.stderr)?;
    let pictures = said.as_array().with_context(|| format!("{script} said {said}"))?;
    pictures.iter().map(|said| picture(said).with_context(|| format!("{said}"))).collect()
}

fn picture(said: &Value) -> Result<Picture> {
    let bars = serde_json::from_value(said["bars"].clone())?;
    let word = said["word"].as_str().map(|word| u64::from_str_radix(word, 16)).transpose()?;
    let size = serde_json::from_value(said["size"].clone())?;
    Ok(Picture { size, sequence: word.and_then(sequence_of), bars: Some(bars) })
}

#[test]
fn opencv_reads_each_address() -> Result<()> {
    let eyelet = start()?;
    for path in STREAMS {
        let pictures = run(&eyelet, "opencv.py", &[&eyelet.url(path), &PICTURES.to_string()])?;
        verify_all_came(&pictures).with_context(|| path.to_owned())?;
    }
    Ok(())
}

#[test]
fn home_assistant_finds_pictures_by_their_parts_and_by_their_markers() -> Result<()> {
    let eyelet = start()?;
    let still = eyelet.url("/-/snapshot.jpg");
    for path in STREAMS {
        let words = [eyelet.url(path), PICTURES.to_string()];
        let mut pictures = run(&eyelet, "home_assistant.py", &[&words[0], &still, &words[1]])?;
        ensure!(pictures.len() == PICTURES + 2, "{} pictures", pictures.len());
        for still in pictures.drain(..2).collect::<Vec<_>>() {
            // The stream may begin with the same picture.
            let is_before = still.sequence.is_some() && still.sequence <= pictures[0].sequence;
            ensure!(is_before, "{still:?} was before {:?}", pictures[0]);
        }
        verify_all_came(&pictures).with_context(|| path.to_owned())?;
    }
    Ok(())
}

#[test]
fn octoprint_takes_its_snapshots() -> Result<()> {
    let eyelet = start()?;
    for path in ["/-/snapshot.jpg?max_age=0", "/snapshot?max_age=0", "/?action=snapshot&max_age=0"]
    {
        let words = [eyelet.url(path), PICTURES.to_string()];
        let pictures = run(&eyelet, "octoprint.py", &[&words[0], &words[1]])?;
        verify(&pictures).with_context(|| path.to_owned())?;
    }
    Ok(())
}
