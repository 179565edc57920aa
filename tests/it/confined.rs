//! What the kernel says of the rights of each process.

use anyhow::{Context as _, Result};
use eyelet_harness::{Eyelet, Process};

use crate::support::{BIN, SMALL, V1, run, start};

/// The unit for systemd.
const UNIT: &str = include_str!("../../packaging/systemd/eyelet.service");

fn field(process: &Process, name: &str) -> Result<String> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.pid))?;
    let found = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    Ok(found.with_context(|| format!("no {name} in {status}"))?.trim().to_owned())
}

#[test]
fn roles_have_no_way_to_more_rights_and_a_filter() -> Result<()> {
    let words = [
        "--area",
        "data=8",
        "--source",
        "other=exec:sleep 1000?format=YUYV&size=64x48",
        "--mule",
        "sleep 1000",
    ];
    let eyelet = start(SMALL, &words)?;
    V1::watch(&eyelet)?.frame()?;
    assert_eq!(eyelet.get("/-/snapshot.jpg")?.status, 200);
    for (role, expected) in [
        ("serve 0", ["1", "2"]),
        ("capture 0", ["1", "2"]),
        // It starts a command.
        ("capture 1", ["1", "0"]),
        ("encode 2", ["1", "2"]),
        ("keep", ["1", "2"]),
    ] {
        let found = eyelet.role(role);
        let process = found.first().with_context(|| format!("no {role}"))?;
        let said = [field(process, "NoNewPrivs")?, field(process, "Seccomp")?];
        assert_eq!(said, expected, "{role}");
    }
    Ok(())
}

#[test]
fn the_unit_for_systemd_starts_what_there_is() -> Result<()> {
    let value = |key: &str| {
        UNIT.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('=').map(str::to_owned))
    };
    let command = value("ExecStart").context("no ExecStart")?;
    let mut words = command.split(' ').skip(1).map(str::to_owned).collect::<Vec<_>>();
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("eyelet.toml");
    std::fs::write(&file, include_str!("../../config/reference.toml"))?;
    let file = file.to_str().context("text")?;
    for word in words.iter_mut().filter(|word| word.starts_with("/etc/eyelet/")) {
        file.clone_into(word);
    }
    words.extend(["--listen", "127.0.0.1:0", "--source", SMALL].map(str::to_owned));
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let eyelet = Eyelet::start(std::path::Path::new(BIN), &words)?;
    V1::watch(&eyelet)?.frame()?;
    assert_eq!(run(&["check", file])?.code, Some(0));
    Ok(())
}

#[test]
fn systemd_finds_no_mistake_in_the_unit_and_little_that_it_exposes() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let unit = folder.path().join("eyelet.service");
    std::fs::write(&unit, UNIT.replace("/usr/bin/eyelet", BIN))?;
    let unit = unit.to_str().context("text")?;
    for words in [
        &["verify", "--man=no", "--recursive-errors=no", unit][..],
        // Of 100; a unit without a word has 96.
        &["security", "--offline=true", "--threshold=20", "--no-pager", unit],
    ] {
        let answer = match std::process::Command::new("systemd-analyze").args(words).output() {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                println!("skipped: there is no systemd-analyze here");
                return Ok(());
            }
            answer => answer?,
        };
        let said = String::from_utf8_lossy(&answer.stdout);
        let errors = String::from_utf8_lossy(&answer.stderr);
        assert!(answer.status.success(), "{words:?}: {said}{errors}");
        assert!(!errors.contains("eyelet.service:"), "{errors}");
    }
    Ok(())
}
