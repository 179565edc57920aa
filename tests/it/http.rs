//! Everything at an address that is no stream.

use std::io::Write as _;

use anyhow::{Result, ensure};
use eyelet_harness::{Eyelet, exchange};

use crate::support::{SMALL, UPGRADE, V1, VGA, ask, process, read_answer, read_to_end, start};

const NOT_FOUND: &str = "GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n";
const HEALTH: &str = "GET /-/healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";

#[test]
fn the_status_tells_how_everybody_is() -> Result<()> {
    let eyelet = start(VGA, &[])?;
    let mut viewer = V1::watch(&eyelet)?;
    // The rate is that of the last whole second.
    viewer.frame_that(|frame| frame.header.sequence > 45)?;
    let status = eyelet.status()?;
    assert_eq!(status["supervisor_pid"], eyelet.pid(), "{status}");
    assert_eq!((&status["viewers"], &status["version"]), (&1.into(), &"0.1.0".into()));
    for counter in
        ["uptime_s", "connections", "frames_sent", "bytes_sent", "frames_dropped", "refused"]
    {
        assert!(status[counter].is_u64(), "{counter}: {status}");
    }
    assert!(status["bytes_sent"].as_u64() >= Some(614_400), "{status}");
    describes_its_source(&status["sources"][0]);
    for role in ["capture 0", "serve 0"] {
        let process = process(&status, role)?;
        assert_eq!(process["pid"], eyelet.role(role)[0].pid);
        assert_eq!(
            (&process["restarts"], &process["last_end"]),
            (&0.into(), &serde_json::Value::Null)
        );
    }
    Ok(())
}

fn describes_its_source(source: &serde_json::Value) {
    assert_eq!((&source["name"], &source["device"]), (&"camera".into(), &"test".into()));
    assert_eq!((&source["state"], &source["viewers"]), (&"live".into(), &1.into()));
    assert!(source["sequence"].as_u64() > Some(45), "{source}");
    assert!(source["fps"].as_f64().is_some_and(|fps| fps > 1.0 && fps < 31.0), "{source}");
    for counter in ["captured", "published", "dropped", "skipped", "corrupt", "subscribers"] {
        assert!(source[counter].is_u64(), "{counter}: {source}");
    }
    let format = serde_json::json!({
        "fourcc": "YUYV", "width": 640, "height": 480, "stride": 1280,
        "matrix": "bt601", "range": "limited", "fps": 30.0,
    });
    assert_eq!(source["format"], format);
}

#[test]
fn a_viewer_that_leaves_is_counted_no_more() -> Result<()> {
    let eyelet = start(SMALL, &[])?;
    let mut viewer = V1::watch(&eyelet)?;
    viewer.frame()?;
    assert_eq!(eyelet.status()?["viewers"], 1);
    drop(viewer);
    eyelet.wait_until("zero viewers", || {
        eyelet.status().is_ok_and(|status| status["viewers"] == 0 && status["connections"] == 1)
    })
}

#[test]
fn a_snapshot_is_the_newest_frame_as_png() -> Result<()> {
    let eyelet = start(VGA, &[])?;
    let answer = eyelet.get("/-/snapshot.png")?;
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("image/png")));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let reader = png::Decoder::new(std::io::Cursor::new(&answer.body)).read_info()?;
    let info = reader.info();
    assert_eq!((info.width, info.height), (640, 480));
    assert_eq!(eyelet.get("/-/snapshot.png?stream=0")?.status, 200);
    for unknown in ["2", "-1", "x", ""] {
        assert_eq!(
            eyelet.get(&format!("/-/snapshot.png?stream={unknown}"))?.status,
            404,
            "{unknown}"
        );
    }
    Ok(())
}

#[test]
fn addresses_are_answered_as_they_should() -> Result<()> {
    let eyelet = start(SMALL, &[])?;
    for (status, path, content_type) in [
        (200, "/", "text/html; charset=utf-8"),
        (200, "/-/app/app.js", "text/javascript; charset=utf-8"),
        (200, "/-/app/style.css", "text/css; charset=utf-8"),
        (200, "/-/healthz", "text/plain; charset=utf-8"),
        (200, "/-/api/status", "application/json"),
        (404, "/nothing", "text/plain; charset=utf-8"),
        (404, "/-/", "text/plain; charset=utf-8"),
        (404, "/-/../healthz", "text/plain; charset=utf-8"),
        (404, "/-/app/../../Cargo.toml", "text/plain; charset=utf-8"),
        (404, "/-", "text/plain; charset=utf-8"),
    ] {
        let answer = eyelet.get(path)?;
        assert_eq!(
            (answer.status, answer.header("content-type")),
            (status, Some(content_type)),
            "{path}"
        );
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
        let head = exchange(eyelet.addr(), "HEAD", path, &[], &[])?;
        assert_eq!((head.status, head.body.len()), (status, 0), "{path}");
        if path != "/-/api/status" {
            assert_eq!(head.header("content-length"), answer.header("content-length"), "{path}");
        }
        for method in ["POST", "PUT", "DELETE", "OPTIONS"] {
            let answer = exchange(eyelet.addr(), method, path, &[], b"body")?;
            assert_eq!(answer.status, 405, "{method} {path}");
            assert_eq!(answer.header("allow"), Some("GET, HEAD"), "{method} {path}");
        }
    }
    Ok(())
}

#[test]
fn the_page_lets_nothing_in_from_elsewhere() -> Result<()> {
    let eyelet = start(SMALL, &[])?;
    let page = eyelet.get("/")?;
    let policy = page.header("content-security-policy").unwrap_or("");
    let is_strict = policy.contains("default-src 'self'") && !policy.contains("'unsafe");
    assert!(is_strict, "{policy}");
    // WebAssembly that the page has with it, and no script from text.
    assert!(policy.contains("script-src 'self' 'wasm-unsafe-eval';"), "{policy}");
    assert!(page.text().to_lowercase().starts_with("<!doctype html>"));
    Ok(())
}

#[test]
fn files_that_are_known_are_not_sent_again() -> Result<()> {
    let eyelet = start(SMALL, &[])?;
    for path in ["/", "/-/app/app.js", "/-/core/view.js"] {
        let first = eyelet.get(path)?;
        let tag = first.header("etag").unwrap_or("none").to_owned();
        let again =
            |tag: &str| exchange(eyelet.addr(), "GET", path, &[("If-None-Match", tag)], &[]);
        let known = again(&tag)?;
        assert_eq!((known.status, known.body.len()), (304, 0), "{path}");
        assert_eq!(known.header("etag"), Some(tag.as_str()), "{path}");
        assert_eq!(again("\"another\"")?.body, first.body, "{path}");
    }
    Ok(())
}

/// Sends bytes on a connection of their own, and gives all that comes until the server ends it.
fn all_of(eyelet: &Eyelet, bytes: &[u8]) -> Result<String> {
    let mut stream = eyelet.raw()?;
    // The server may have ended it before all is sent.
    stream.write_all(bytes).ok();
    Ok(String::from_utf8_lossy(&read_to_end(&mut stream)?).into_owned())
}

#[test]
fn what_is_no_request_is_refused_and_ended() -> Result<()> {
    let eyelet = start(SMALL, &[])?;
    let huge = format!("GET / HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n\r\n", "x".repeat(200 << 10));
    let many = format!("GET / HTTP/1.1\r\nHost: localhost\r\n{}\r\n", "X: y\r\n".repeat(1000));
    let long = format!("GET /{} HTTP/1.1\r\nHost: localhost\r\n\r\n", "x".repeat(200 << 10));
    for (status, bytes) in [
        ("431", huge.as_bytes()),
        ("431", many.as_bytes()),
        ("4", long.as_bytes()),
        ("400", b"\x16\x03\x01\x02\x00\x01\x00\x01\xFC\x03\x03 a TLS greeting\r\n\r\n"),
        ("400", b"NONSENSE\r\n\r\n"),
        ("400", b"GET / HTTP/1.1\r\nno colon\r\n\r\n"),
        ("400", b"GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n"),
        ("400", b"GET / HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello"),
    ] {
        let answer = all_of(&eyelet, bytes)?;
        let begin: String = String::from_utf8_lossy(bytes).chars().take(60).collect();
        let line = answer.lines().next().unwrap_or("nothing");
        assert!(line.starts_with(&format!("HTTP/1.1 {status}")), "{begin}: {line}");
    }
    assert_eq!(eyelet.get("/-/healthz")?.status, 200);
    Ok(())
}

#[test]
fn a_head_that_never_ends_is_not_waited_for() -> Result<()> {
    let eyelet = start(SMALL, &[])?;
    let mut connections = Vec::new();
    for begun in ["", "GET / HTT", "GET / HTTP/1.1\r\nHost: localhost\r\n", HEALTH] {
        let mut stream = eyelet.raw()?;
        stream.write_all(begun.as_bytes())?;
        connections.push((begun, stream));
    }
    for (begun, mut stream) in connections {
        let answer = String::from_utf8_lossy(&read_to_end(&mut stream)?).into_owned();
        // A whole request is answered; then its connection is one that says nothing.
        assert_eq!(answer.starts_with("HTTP/1.1 200"), begun == HEALTH, "{begun}: {answer}");
    }
    Ok(())
}

#[test]
fn requests_sent_together_are_answered_in_order() -> Result<()> {
    let eyelet = start(SMALL, &[])?;
    let mut stream = eyelet.raw()?;
    stream.write_all([HEALTH, NOT_FOUND, HEALTH].concat().as_bytes())?;
    for status in [200, 404, 200] {
        assert_eq!(read_answer(&mut stream)?.status, status);
    }
    // The last one may become a stream.
    stream.write_all([HEALTH, UPGRADE].concat().as_bytes())?;
    assert_eq!(read_answer(&mut stream)?.status, 200);
    assert_eq!(read_answer(&mut stream)?.status, 101);
    Ok(())
}

#[test]
fn a_body_that_nobody_wants_is_never_taken_for_a_request() -> Result<()> {
    let eyelet = start(SMALL, &[])?;
    let body = "GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let with_body = format!(
        "GET /-/healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut stream = eyelet.raw()?;
    stream.write_all([&with_body, HEALTH].concat().as_bytes())?;
    assert_eq!(read_answer(&mut stream)?.status, 200);
    // Drained, or the connection is over.
    if let Ok(next) = read_answer(&mut stream) {
        assert_eq!(next.status, 200);
    }
    // One that is too long to drain must not be waited for.
    let endless =
        "POST /-/healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000000\r\n\r\n";
    let mut stream = eyelet.raw()?;
    stream.write_all(endless.as_bytes())?;
    assert_eq!(read_answer(&mut stream)?.status, 405);
    Ok(())
}

#[test]
fn http_1_0_is_answered_and_the_connection_ends() -> Result<()> {
    let eyelet = start(SMALL, &[])?;
    let answer = all_of(&eyelet, b"GET /-/healthz HTTP/1.0\r\n\r\n")?;
    assert!(answer.starts_with("HTTP/1.0 200") || answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.ends_with("\r\n\r\nok\n"), "{answer}");
    Ok(())
}

#[test]
fn refusals_are_counted() -> Result<()> {
    let eyelet = start(SMALL, &[])?;
    let before = eyelet.status()?["refused"].as_u64();
    ensure!(ask(&eyelet, NOT_FOUND)?.status == 404);
    ensure!(eyelet.websocket("/-/ws", &[], &[("Origin", "http://evil.example")]).is_err());
    assert_eq!(eyelet.status()?["refused"].as_u64(), before.map(|count| count + 2));
    Ok(())
}
