//! The package `eyelet` with what people use beside it: OpenCV in a mule, Starlette as an app.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use eyelet_harness::wire::websocket::Message;
use eyelet_harness::{DEADLINE, Eyelet};

use crate::{HEIGHT, WIDTH, start_in};

/// Frames in which none may be missing.
const FRAMES: u64 = 90;

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/python")
}

/// A PATH whose `python3` is the one with the packages.
fn path() -> Result<OsString> {
    let python = std::env::var_os("EYELET_PYTHON");
    let python = python.context("EYELET_PYTHON is not set: run this by `cargo xtask clients`")?;
    let bin = Path::new(&python).parent().context("a Python without a folder")?.to_owned();
    let path = std::env::var_os("PATH").unwrap_or_default();
    Ok(std::env::join_paths(std::iter::once(bin).chain(std::env::split_paths(&path)))?)
}

fn start(words: &[&str]) -> Result<Eyelet> {
    start_in(words, &[("PATH", path()?.as_os_str()), ("PYTHONDONTWRITEBYTECODE", OsStr::new("1"))])
}

#[test]
fn the_packages_own_tests_pass_where_numpy_and_starlette_are() -> Result<()> {
    let python = std::env::var_os("EYELET_PYTHON").context("EYELET_PYTHON is not set")?;
    let package = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../apps/python");
    let ended = std::process::Command::new(python)
        .args(["-B", "-m", "unittest", "discover", "-s", "tests"])
        .current_dir(&package)
        .env("PYTHONPATH", ".")
        .output()?;
    ensure!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    Ok(())
}

#[test]
fn opencv_in_a_mule_makes_a_stream_that_loses_no_frame() -> Result<()> {
    let mule = format!("motion=python3 {}", examples().join("opencv_mule.py").display());
    let eyelet = start(&["--mule", &mule])?;
    let mut viewer = eyelet.websocket("/-/ws?stream=motion", &[], &[])?;
    let len = (WIDTH * HEIGHT * 3) as usize;
    ensure!(viewer.next_binary()?.len() == len, "no RGB frame");
    let sequences = || -> Result<(u64, u64)> {
        let status = eyelet.status()?;
        let mule = status["mules"][0]["sequence"].as_u64().context("the mule has no frame")?;
        Ok((mule, status["sources"][0]["sequence"].as_u64().context("no frame")?))
    };
    let before = sequences()?;
    for _ in 0..FRAMES {
        ensure!(viewer.next_binary()?.len() == len, "another length");
    }
    let after = sequences()?;
    let (made, seen) = (after.0 - before.0, after.1 - before.1);
    // One or two may be on their way at each look.
    ensure!(made + 3 >= seen && made >= FRAMES - 3, "{made} frames of {seen}");
    // The bars are the bars still, but for what is drawn.
    let picture = eyelet.get("/-/snapshot.jpg?stream=motion")?;
    ensure!(picture.status == 200 && picture.body.starts_with(&[0xFF, 0xD8]), "{}", picture.status);
    Ok(())
}

#[test]
fn a_starlette_app_runs_as_it_is() -> Result<()> {
    let app = format!("{}:app", examples().join("starlette_app.py").display());
    let eyelet = start(&["--asgi", &app, "--coroutines", "5", "--area", "counters=64"])?;
    for visit in 1..=2 {
        let page = eyelet.get("/")?.text();
        ensure!(page.contains(&format!("Visit {visit}")), "{page}");
    }
    let areas: serde_json::Value = serde_json::from_str(&eyelet.get("/areas")?.text())?;
    ensure!(areas[0]["name"] == "camera" && areas[2]["name"] == "counters", "{areas}");
    ensure!(eyelet.get("/nothing")?.status == 404, "something at /nothing");
    let mut viewer = eyelet.websocket("/picture", &[], &[])?;
    // It sends pictures and listens at the same time.
    for word in ["go", "pause"] {
        for _ in 0..15 {
            ensure!(viewer.next_binary()?.starts_with(&[0xFF, 0xD8]), "no JPEG");
        }
        viewer.send_text(word)?;
        let said = loop {
            match viewer.next_message(DEADLINE)?.context("nothing came")? {
                Message::Binary(_) => {}
                Message::Text(text) => break text,
                other => anyhow::bail!("came {other:?}"),
            }
        };
        ensure!(said == format!("you said {word}"), "{said}");
    }
    viewer.send_close(1000, "")?;
    viewer.next_close()?;
    Ok(())
}
