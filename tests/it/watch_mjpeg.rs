//! `eyelet watch --mjpeg` against a small server of pictures in a multipart answer.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use anyhow::{Context as _, Result};
use eyelet::stamp::jpeg::Stamp;
use eyelet_area::MonotonicNs;
use serde_json::Value;

use crate::support::run;

/// Bytes of a picture; its middle has line breaks and hyphens, as a boundary has.
const LEN: usize = 5000;
/// Between pictures.
const INTERVAL: Duration = Duration::from_millis(5);

/// How the server parts its pictures.
#[derive(Clone, Copy, PartialEq)]
enum Parting {
    Counted,
    BoundaryOnly,
}

fn picture(sequence: u64) -> Vec<u8> {
    let mut picture: Vec<u8> = b"\r\n--frame\r\r\n".iter().copied().cycle().take(LEN).collect();
    // The boundary itself may not be in it.
    picture.retain(|byte| *byte != b'f');
    picture.resize(LEN, 0);
    Stamp { sequence, captured_at: MonotonicNs::now() }.write(&mut picture);
    picture
}

/// Answers one viewer with what `step` makes of 1, 2, 3, … until it has gone.
fn serve(parting: Parting, step: impl Fn(u64) -> Vec<u8> + Send + 'static) -> Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("http://{}", listener.local_addr()?);
    std::thread::spawn(move || -> Result<()> {
        let (mut stream, _) = listener.accept()?;
        let head = read_head(&mut stream)?;
        anyhow::ensure!(head.starts_with("GET /-/stream.mjpg HTTP/1.1\r\n"), "asked {head}");
        stream.write_all(
            b"HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=frame\r\n\r\n--frame\r\n",
        )?;
        for number in 1.. {
            let picture = step(number);
            stream.write_all(b"Content-Type: image/jpeg\r\n")?;
            if parting == Parting::Counted {
                write!(stream, "Content-Length: {}\r\n", picture.len())?;
            }
            stream.write_all(b"\r\n")?;
            stream.write_all(&picture)?;
            stream.write_all(b"\r\n--frame\r\n")?;
            std::thread::sleep(INTERVAL);
        }
        Ok(())
    });
    Ok(url)
}

fn read_head(stream: &mut TcpStream) -> Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        head.extend(byte);
    }
    Ok(String::from_utf8(head)?)
}

fn watch(url: &str) -> Result<Value> {
    let ended = run(&["watch", url, "--mjpeg", "--json", "--seconds", "0.5"])?;
    serde_json::from_str(&ended.stdout).with_context(|| format!("{ended:?}"))
}

#[test]
fn pictures_are_counted_and_verified_however_they_are_parted() -> Result<()> {
    for parting in [Parting::Counted, Parting::BoundaryOnly] {
        let report = watch(&serve(parting, picture)?)?;
        let frames = report["frames"].as_u64().context("no frames")?;
        assert!(frames > 0, "{report}");
        assert_eq!(report["bytes"], frames * LEN as u64, "{report}");
        assert_eq!(report["verified"], frames, "{report}");
        assert_eq!((&report["torn"], &report["missed"]), (&0.into(), &0.into()), "{report}");
        assert_eq!((&report["mode"], &report["verdict"]), (&"mjpeg".into(), &"full_rate".into()));
        assert!(report["captured_to_received_ms"]["p99"].is_number(), "{report}");
    }
    Ok(())
}

#[test]
fn torn_and_missing_pictures_are_found() -> Result<()> {
    let url = serve(Parting::Counted, |number| {
        let number = number + number / 8;
        let mut torn = picture(number);
        if number % 4 == 0 {
            torn[LEN / 2..].copy_from_slice(&picture(number - 1)[LEN / 2..]);
        }
        torn
    })?;
    let report = watch(&url)?;
    for key in ["torn", "gaps"] {
        assert!(report[key].as_u64().is_some_and(|count| count > 0), "{report}");
    }
    Ok(())
}

#[test]
fn an_answer_without_pictures_is_told_clearly() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("http://{}", listener.local_addr()?);
    let server = std::thread::spawn(move || -> Result<()> {
        let (mut stream, _) = listener.accept()?;
        read_head(&mut stream)?;
        Ok(stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<html>")?)
    });
    let ended = run(&["watch", &url, "--mjpeg"])?;
    server.join().map_err(|_| anyhow::anyhow!("the server panicked"))??;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("text/html") && ended.stderr.contains("MJPEG"), "{ended:?}");
    Ok(())
}
