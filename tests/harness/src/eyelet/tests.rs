//! The harness tried on shell scripts that behave as the program does.

use super::*;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;

/// Runs `script` in a shell; in it `$PORT` is the port of `listener`.
fn start(script: &str, listener: &TcpListener) -> Result<Eyelet> {
    let port = listener.local_addr().unwrap().port();
    Eyelet::start(
        Path::new("/bin/sh"),
        &["-c", &format!("PORT={port}\n{script}"), "eyelet: supervisor"],
    )
}

fn listener() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").unwrap()
}

const LISTENING: &str = "echo one; echo two >&2; echo listening on http://127.0.0.1:$PORT/";

#[test]
fn starts_speaks_and_stops() {
    let listener = listener();
    let script = format!("{LISTENING}; trap 'kill $!; exit 3' TERM; sleep 1000 & wait");
    let eyelet = start(&script, &listener).unwrap();
    assert_eq!(eyelet.addr(), listener.local_addr().unwrap());
    assert_eq!(eyelet.url("/x"), format!("http://{}/x", eyelet.addr()));
    eyelet.wait_line(|line| line == "two").unwrap();
    eyelet.wait_until("child", || eyelet.role("sleep").len() == 1).unwrap();
    assert_eq!(eyelet.exit_status().unwrap(), None);
    assert!(eyelet.pss_kb().unwrap() > 0);

    let answering = std::thread::spawn(move || {
        let mut stream = listener.accept().unwrap().0;
        let mut request = [0; 18];
        stream.read_exact(&mut request).unwrap();
        assert_eq!(&request, b"GET /-/api/status ");
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{\"id\": 17}";
        stream.write_all(answer).unwrap();
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).ok();
    });
    assert_eq!(eyelet.status().unwrap()["id"], 17);
    answering.join().unwrap();

    let folder = eyelet.folder().to_owned();
    assert!(folder.is_dir());
    assert_eq!(eyelet.stop().unwrap().code(), Some(3));
    assert!(!folder.exists());
}

#[test]
fn a_role_is_killed_and_its_end_is_seen() {
    let listener = listener();
    let script = format!("{LISTENING}; sleep 1000; echo killed; sleep 1000");
    let eyelet = start(&script, &listener).unwrap();
    eyelet.kill_role("capture").unwrap_err();
    eyelet.wait_until("child", || eyelet.role("sleep").len() == 1).unwrap();
    let count = eyelet.lines().len();
    let killed = eyelet.kill_role("sleep").unwrap();
    eyelet.wait_line_after(count, |line| line == "killed").unwrap();
    assert!(!killed[0].is_alive());
}

#[test]
fn all_of_the_tree_is_killed_when_dropped() {
    let listener = listener();
    // The second shell's child has no parent in the tree when the second shell has ended.
    let script = format!("{LISTENING}; sh -c 'sleep 1000 &'; trap '' TERM; sleep 1000; sleep 1000");
    let eyelet = start(&script, &listener).unwrap();
    let mark = eyelet.mark.clone();
    wait_until("all processes", || process::marked(&mark).len() == 3).unwrap();
    drop(eyelet);
    assert_eq!(process::marked(&mark), []);
}

#[test]
fn failure_to_start_tells_what_was_printed() {
    let error = start("echo no camera >&2; exit 2", &listener()).unwrap_err();
    assert!(format!("{error:#}").contains("no camera"), "{error:#}");
    let error = Eyelet::start(Path::new("/nowhere/eyelet"), &[]).unwrap_err();
    assert!(format!("{error:#}").contains("/nowhere/eyelet"), "{error:#}");
}

#[test]
fn addresses_are_read_from_the_line() {
    let read = |line: &str| address(line).map(|addr| addr.to_string());
    assert_eq!(read("listening on http://127.0.0.1:9090/"), Some("127.0.0.1:9090".into()));
    assert_eq!(read("info listening on http://[::1]:9090, x"), Some("[::1]:9090".into()));
    assert_eq!(read("listening on http://0.0.0.0:80"), Some("127.0.0.1:80".into()));
    assert_eq!(read("listening on http://[::]:80"), Some("[::1]:80".into()));
    assert_eq!(read("listening on /run/x"), None);
}
