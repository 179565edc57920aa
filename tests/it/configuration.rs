//! Files, variables and words that say how to run, and what is said of their mistakes.

use std::fs;

use anyhow::{Result, ensure};
use eyelet_harness::Eyelet;

use crate::support::{BIN, V1, run};

const GUIDE: &str = include_str!("../../docs/guide/configuration.md");

/// The example of the guide.
fn example() -> String {
    let (_, behind) = GUIDE.split_once("```toml\n").unwrap_or_default();
    behind.split("```").next().unwrap_or_default().to_owned()
}

/// Checks a file of this text.
fn check(text: &str) -> Result<crate::support::Ended> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("eyelet.toml");
    fs::write(&file, text)?;
    let ended = run(&["check", &file.to_string_lossy()])?;
    Ok(ended)
}

#[test]
fn the_guides_example_is_fine() -> Result<()> {
    let ended = check(&example())?;
    ensure!(ended.code == Some(0), "{ended:?}");
    let expected = "fine: areas 0 = front, 1 = printer, 2 = small, 3 = front-jpeg, 4 = printer-jpeg; listens on :9090";
    ensure!(ended.stdout.contains(expected), "{ended:?}");
    Ok(())
}

#[test]
fn the_guides_mistakes_are_told_as_there() -> Result<()> {
    let example = example();
    let wrong = example
        .replace("serve-processes = 2", "serve-processes = 0")
        .replacen("from = \"v4l2:/dev/video2", "form = \"v4l2:/dev/video2", 1)
        .replace("of = \"front\"", "of = \"back\"");
    let ended = check(&wrong)?;
    ensure!(ended.code == Some(2), "{ended:?}");
    for needle in [
        "eyelet.toml:2: serve-processes: takes 1 to 256, not `0`",
        "form: there is no such key; `source.from` may be meant",
        "names a camera `back` that is not there: there is `front`",
    ] {
        ensure!(ended.stderr.contains(needle), "{needle}: {ended:?}");
    }
    ensure!(ended.stderr.lines().all(|line| line.starts_with("eyelet: ")), "{ended:?}");
    Ok(())
}

#[test]
fn a_file_that_is_not_there_is_named() -> Result<()> {
    for words in [&["check", "/nonexistent.toml"][..], &["--config", "/nonexistent.toml"]] {
        let ended = run(words)?;
        let is_named =
            ended.stderr.contains("failed to read the configuration `/nonexistent.toml`");
        ensure!(ended.code == Some(2) && is_named, "{ended:?}");
    }
    Ok(())
}

#[test]
fn a_run_is_told_by_file_variables_and_words_the_last_counting_most() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("eyelet.toml");
    let text = "
serve-processes = 3
[[source]]
name = 'left'
from = 'test:64x48@30'
[[source]]
name = 'right'
from = 'test:64x48@15'
[limits]
connections = 7
head-bytes = '16k'
";
    fs::write(&file, text)?;
    let file = file.to_string_lossy();
    let words = [
        "--listen",
        "127.0.0.1:0",
        "--config",
        &file,
        "--set",
        "limits.connections=9",
        "--serve-processes",
        "1",
    ];
    let eyelet = Eyelet::start(std::path::Path::new(BIN), &words)?;
    let status = eyelet.status()?;
    ensure!(status["sources"][1]["name"] == "right", "{status}");
    ensure!(eyelet.role("serve").len() == 1, "{status}");
    let metrics = eyelet.get("/-/metrics")?.text();
    ensure!(metrics.contains("eyelet_limit{limit=\"connections\"} 9.0"), "{metrics}");
    ensure!(metrics.contains("eyelet_limit{limit=\"head-bytes\"} 16384.0"), "{metrics}");
    V1::watch(&eyelet)?.frame()?;
    Ok(())
}
