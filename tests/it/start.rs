//! How a run begins, and what it says when it cannot.

use std::net::TcpListener;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};

use anyhow::{Result, ensure};
use eyelet_harness::Signal;

use crate::support::{SMALL, V1, VGA, run, start};

#[test]
fn the_five_old_lines_come_first_and_then_the_address() -> Result<()> {
    let eyelet = start(VGA, &[])?;
    let area = eyelet.folder().join("run/0-camera");
    let jpeg = eyelet.folder().join("run/1-camera-jpeg");
    // The log goes to standard error and may lie between them.
    let lines: Vec<String> =
        eyelet.lines().into_iter().filter(|line| !line.contains(" INFO ")).collect();
    let expected = [
        "test detected width = 640".to_owned(),
        "test detected height = 480".to_owned(),
        "test detected format = YUYV".to_owned(),
        format!("sharedarea 0 created at {} (150 pages, 614400 bytes a frame)", area.display()),
        "test started streaming frames to sharedarea 0".to_owned(),
        format!(
            "sharedarea 1 is camera-jpeg at {}, made of sharedarea 0 while somebody watches",
            jpeg.display()
        ),
        format!("listening on http://{}", eyelet.addr()),
    ];
    assert_eq!(lines, expected);
    Ok(())
}

#[test]
fn every_process_of_the_tree_says_in_its_name_what_it_does() -> Result<()> {
    let eyelet = start(SMALL, &["--serve-processes", "3"])?;
    let children = eyelet.children();
    let roles: Vec<&str> = children.iter().map(|child| child.role.as_str()).collect();
    assert_eq!(roles, ["capture 0", "encode 1", "serve 0", "serve 1", "serve 2"]);
    assert!(children.iter().all(|child| child.parent == eyelet.pid()), "{children:?}");
    for child in children {
        let named = || {
            let name = std::fs::read_to_string(format!("/proc/{}/comm", child.pid));
            name.is_ok_and(|name| name.starts_with("eyelet "))
        };
        eyelet.wait_until("thread with the role's name", named)?;
    }
    assert!(eyelet.stop()?.success());
    Ok(())
}

#[test]
fn each_camera_has_a_process_and_an_area_of_its_own() -> Result<()> {
    let eyelet = start("front=test:64x48@30", &["--source", "test:128x64@10"])?;
    eyelet.wait_line(|line| line == "test detected width = 128")?;
    assert_eq!(eyelet.role("capture").len(), 2);
    for name in ["0-front", "1-camera1", "2-front-jpeg", "3-camera1-jpeg"] {
        let socket = eyelet.folder().join("run").join(name);
        assert!(std::fs::symlink_metadata(&socket)?.file_type().is_socket(), "{name}");
    }
    Ok(())
}

#[test]
fn the_runtime_folder_is_ours_alone_and_goes_with_the_program() -> Result<()> {
    let eyelet = start(SMALL, &[])?;
    let folder = eyelet.folder().join("run");
    assert_eq!(std::fs::metadata(&folder)?.permissions().mode() & 0o777, 0o700);
    assert_eq!(std::fs::metadata(folder.join("0-camera"))?.permissions().mode() & 0o777, 0o600);
    eyelet.signal(Signal::TERM)?;
    assert!(eyelet.wait_end()?.success());
    assert!(!folder.exists());
    Ok(())
}

#[test]
fn help_names_the_jobs_and_goes_to_standard_output() -> Result<()> {
    let ended = run(&["--help"])?;
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    for word in ["run", "devices", "watch", "snapshot", "--source", "http://127.0.0.1:9090"] {
        assert!(ended.stdout.contains(word), "no {word} in {}", ended.stdout);
    }
    Ok(())
}

#[test]
fn a_mistake_is_one_line_and_a_status() -> Result<()> {
    let listen = ["--listen", "127.0.0.1:0"];
    for (code, words, needle) in [
        (2, &["--nonsense"][..], "--nonsense"),
        (2, &["dance"], "dance"),
        (2, &["--source", "webcam"], "`webcam` is no source"),
        (2, &["--source", "test:641x480"], "even width"),
        (2, &["--source", "test:?format=ABCD"], "ABCD"),
        (2, &["--source", "test:64x48@0"], "no frame rate"),
        (2, &["--psgi", "/nowhere/app.pl"], "failed to read the app `/nowhere/app.pl`"),
        (2, &["--serve-processes", "0"], "takes 1 to 256"),
        (1, &["--source", "file:/nowhere/clip.y4m"], "/nowhere/clip.y4m"),
        (1, &["--source", "exec:/nowhere/camera"], "/nowhere/camera"),
        (1, &["--source", "file:/"], "`/`"),
        (2, &["--source", "exec:cat?format=YUYV"], "size"),
    ] {
        let ended = run(&[&listen, words].concat())?;
        let said: Vec<&str> =
            ended.stderr.lines().filter(|line| line.starts_with("eyelet: ")).collect();
        assert_eq!(ended.code, Some(code), "{words:?}: {ended:?}");
        assert_eq!(said.len(), 1, "{words:?}: {ended:?}");
        assert!(said[0].contains(needle), "{words:?}: {ended:?}");
        assert!(!ended.stdout.contains("listening"), "{words:?}: {ended:?}");
    }
    Ok(())
}

#[test]
fn a_port_that_another_program_has_is_refused_with_a_hint() -> Result<()> {
    let other = TcpListener::bind("127.0.0.1:0")?;
    let address = other.local_addr()?.to_string();
    let ended = run(&["--source", SMALL, "--listen", &address])?;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains(&address) && ended.stderr.contains("--listen"), "{ended:?}");
    Ok(())
}

#[test]
fn a_camera_that_is_not_there_is_waited_for() -> Result<()> {
    let eyelet = start("v4l2:/dev/video99", &[])?;
    let line = eyelet.wait_line(|line| line.starts_with("sharedarea 0 waits: "))?;
    assert!(line.contains("/dev/video99"), "{line}");
    let status = eyelet.status()?;
    let source = &status["sources"][0];
    assert_eq!(source["state"], "no_signal", "{status}");
    let why = source["why"].as_str().unwrap_or("");
    assert!(why.contains("/dev/video99"), "{status}");
    // Viewers are welcome meanwhile, and told the same.
    let mut viewer = V1::connect(&eyelet)?;
    assert_eq!(viewer.hello["streams"][0]["state"], "no_signal");
    viewer.start(serde_json::json!({}))?;
    let state = viewer.text("state")?;
    assert_eq!((&state["state"], state["why"].as_str()), (&"no_signal".into(), Some(why)));
    ensure!(eyelet.get("/-/snapshot.png")?.status == 503);
    Ok(())
}
