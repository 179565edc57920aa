//! What the kernel says of the rights of each process.

use anyhow::{Context as _, Result};
use eyelet_harness::{Eyelet, Process, Signal};

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
fn root_becomes_another_user_for_good_and_keeps_what_it_has() -> Result<()> {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt};
    let refused = run(&["--source", SMALL, "--listen", "127.0.0.1:0", "--user", "no-such-user"])?;
    assert!(
        refused.code == Some(1) && refused.stderr.contains("no user `no-such-user`"),
        "{refused:?}"
    );
    if !rustix::process::geteuid().is_root() {
        let other = run(&["--source", SMALL, "--listen", "127.0.0.1:0", "--user", "nobody"])?;
        assert!(other.stderr.contains("only root can become"), "{other:?}");
        println!("skipped: becoming another user takes root");
        return Ok(());
    }
    let folder = tempfile::tempdir()?;
    std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755))?;
    let bin = folder.path().join("eyelet");
    std::fs::copy(BIN, &bin)?;
    let socket = folder.path().join("http.sock");
    let listen = format!("unix:{}", socket.display());
    let words = [
        "--listen",
        "127.0.0.1:0",
        "--listen",
        &listen,
        "--source",
        SMALL,
        "--user",
        "nobody",
        "--area",
        "data=8",
    ];
    let eyelet = Eyelet::start(&bin, &words)?;
    V1::watch(&eyelet)?.frame()?;
    let uid = std::fs::metadata(&socket)?.uid();
    assert!(uid != 0 && std::fs::metadata(eyelet.folder().join("run"))?.uid() == uid);
    let mut looked = 0;
    for process in eyelet.children() {
        let all = format!("{uid}\t{uid}\t{uid}\t{uid}");
        assert_eq!(field(&process, "Uid")?, all, "{process:?}");
        assert_eq!(field(&process, "CapEff")?.trim_start_matches('0'), "", "{process:?}");
        looked += 1;
    }
    assert!(looked >= 4, "{looked}");
    assert_eq!(
        eyelet.get("/-/metrics")?.text().matches("eyelet_process_descriptors{").count(),
        looked + 1
    );
    // Children are tied to their supervisor as ever.
    Process::of(eyelet.pid()).context("no supervisor")?.signal(Signal::KILL)?;
    eyelet.wait_until("the children's end", || eyelet.children().is_empty())?;
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
