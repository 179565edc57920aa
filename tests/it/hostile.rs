//! Clients that mean harm: each is answered or cut off within its limit, and a viewer beside them misses nothing.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use eyelet_harness::Eyelet;

use crate::support::{SMALL, UPGRADE, V1, Witness, read_answer, read_to_end, start};

/// An area that takes bodies.
const WRITABLE: [&str; 4] = ["--area", "data=64", "--api-write", "data"];
const PUT: &str = "PUT /-/api/areas/data HTTP/1.1\r\nHost: localhost\r\n";
const HEALTH: &str = "GET /-/healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
/// Places where they are few, the witness's own included.
const PLACES: usize = 5;

/// Sends a byte now and then until the server ends the connection, and gives what it said.
fn drip(mut stream: TcpStream, bytes: &[u8]) -> Result<String> {
    stream.set_read_timeout(Some(Duration::from_millis(50)))?;
    let mut heard = Vec::new();
    for byte in bytes {
        if stream.write_all(&[*byte]).is_err() {
            break;
        }
        match stream.read_to_end(&mut heard) {
            Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => {}
            _ => break,
        }
    }
    Ok(String::from_utf8_lossy(&heard).into_owned())
}

#[test]
fn heads_and_bodies_that_drip_are_cut_off() -> Result<()> {
    let eyelet = start(SMALL, &WRITABLE)?;
    let witness = Witness::start(&eyelet)?;
    let head = format!("GET / HTTP/1.1\r\nX: {}", "x".repeat(5000));
    let body = format!("{PUT}Content-Length: 64\r\n\r\n");
    let mut dripping = Vec::new();
    for _ in 0..10 {
        let (stream, head) = (eyelet.raw()?, head.clone());
        dripping.push(("", std::thread::spawn(move || drip(stream, head.as_bytes()))));
        // All of the head at once, and then a body that never comes.
        let mut stream = eyelet.raw()?;
        stream.write_all(body.as_bytes())?;
        let waits = std::thread::spawn(move || {
            let heard = read_to_end(&mut stream)?;
            Ok(String::from_utf8_lossy(&heard).into_owned())
        });
        dripping.push(("HTTP/1.1 408", waits));
    }
    for (answer, thread) in dripping {
        let heard = thread.join().map_err(|_| anyhow::anyhow!("a thread panicked"))??;
        ensure!(heard.starts_with(answer), "not {answer} but {heard}");
    }
    witness.finish()?;
    Ok(())
}

#[test]
fn a_viewer_that_closes_its_half_is_counted_no_more() -> Result<()> {
    let eyelet = start(SMALL, &[])?;
    let witness = Witness::start(&eyelet)?;
    let mut half_open = Vec::new();
    for request in
        [UPGRADE, "GET /-/stream.mjpg HTTP/1.1\r\nHost: localhost\r\n\r\n", HEALTH, "GET / HT"]
    {
        let mut stream = eyelet.raw()?;
        stream.write_all(request.as_bytes())?;
        stream.shutdown(Shutdown::Write)?;
        half_open.push(stream);
    }
    eyelet.wait_until("end of the half-open connections", || {
        // The witness, and the question itself.
        eyelet.status().is_ok_and(|status| status["connections"] == 2)
    })?;
    witness.finish()?;
    Ok(())
}

/// Sends bytes and a request behind them, and gives the status of each answer until the server ends the connection.
fn statuses(eyelet: &Eyelet, bytes: &str) -> Result<Vec<u16>> {
    let mut stream = eyelet.raw()?;
    stream.write_all([bytes, HEALTH].concat().as_bytes())?;
    // Nothing follows: a server that waits for more finds the end.
    stream.shutdown(Shutdown::Write)?;
    let heard = String::from_utf8_lossy(&read_to_end(&mut stream)?).into_owned();
    let lines = heard.split("HTTP/1.1 ").skip(1);
    lines.map(|line| line.get(..3).unwrap_or("").parse().context("no status")).collect()
}

#[test]
fn a_request_is_never_smuggled_in_another_ones_body() -> Result<()> {
    let eyelet = start(SMALL, &WRITABLE)?;
    let witness = Witness::start(&eyelet)?;
    let chunked = "Transfer-Encoding: chunked\r\n";
    for (what, head, body) in [
        ("both lengths", format!("Content-Length: 4\r\n{chunked}"), "0\r\n\r\n"),
        ("both lengths, the other way", format!("{chunked}Content-Length: 5\r\n"), "0\r\n\r\n"),
        ("two lengths", "Content-Length: 4\r\nContent-Length: 5\r\n".into(), "abcd"),
        ("a list of lengths", "Content-Length: 4, 5\r\n".into(), "abcd"),
        ("a length with a sign", "Content-Length: +4\r\n".into(), "abcd"),
        ("a length with a space before", "Content-Length : 4\r\n".into(), "abcd"),
        ("a folded line", "X: a\r\n Content-Length: 4\r\n".into(), "abcd"),
        ("a line end inside", "X: a\rContent-Length: 4\r\n".into(), "abcd"),
        ("another coding", "Transfer-Encoding: xchunked\r\n".into(), "0\r\n\r\n"),
        ("a coding behind", "Transfer-Encoding: chunked, identity\r\n".into(), "0\r\n\r\n"),
        ("two codings", format!("{chunked}Transfer-Encoding: identity\r\n"), "0\r\n\r\n"),
        ("a chunk that is no number", chunked.into(), "zz\r\nabcd\r\n0\r\n\r\n"),
        ("a chunk beyond all numbers", chunked.into(), "FFFFFFFFFFFFFFFFF\r\nabcd\r\n"),
        ("a chunk with a sign", chunked.into(), "-4\r\nabcd\r\n0\r\n\r\n"),
        ("a chunk longer than it says", chunked.into(), "2\r\nabcd\r\n0\r\n\r\n"),
        ("a chunk without its end", chunked.into(), "4\r\nabcd0\r\n\r\n"),
    ] {
        let answers = statuses(&eyelet, &format!("{PUT}{head}\r\n{body}"))?;
        // RFC 9112, section 6.1: with both, the coding counts, and the connection ends.
        let expected = if what.starts_with("both") { 200 } else { 400 };
        assert_eq!(answers, [expected], "{what}");
    }
    // What is right is not refused, and what follows it is a request of its own.
    for (head, body) in [("Content-Length: 4\r\n", "abcd"), (chunked, "4\r\nabcd\r\n0\r\n\r\n")] {
        assert_eq!(statuses(&eyelet, &format!("{PUT}{head}\r\n{body}"))?, [200, 200], "{head}");
    }
    witness.finish()?;
    Ok(())
}

#[test]
fn who_is_too_many_gets_503_and_when_to_come_again() -> Result<()> {
    let places = PLACES.to_string();
    for (option, why) in [
        ("--max-connections", "too many connections;"),
        ("--max-connections-per-address", "too many connections from your address;"),
    ] {
        let eyelet = start(SMALL, &[option, &places])?;
        let witness = Witness::start(&eyelet)?;
        let mut taking: Vec<TcpStream> =
            (1..PLACES).map(|_| eyelet.raw()).collect::<Result<_>>()?;
        for _ in 0..30 {
            let mut stream = eyelet.raw()?;
            stream.write_all(HEALTH.as_bytes())?;
            let answer = read_answer(&mut stream).context(option)?;
            assert_eq!(answer.status, 503, "{option}");
            assert!(answer.header("retry-after").is_some(), "{option}: {answer:?}");
            assert!(answer.text().starts_with(why), "{option}: {}", answer.text());
        }
        // A place that somebody gives back is free.
        taking.pop();
        eyelet.wait_until("place", || {
            eyelet.get("/-/healthz").is_ok_and(|answer| answer.status == 200)
        })?;
        assert!(eyelet.status()?["refused"].as_u64() >= Some(30), "{option}");
        witness.finish()?;
    }
    Ok(())
}

#[test]
fn answers_that_nobody_reads_are_not_piled_up() -> Result<()> {
    let eyelet = start(SMALL, &[])?;
    let mut viewer = V1::watch(&eyelet)?;
    let first = viewer.frame()?.header.sequence;
    let before = eyelet.pss_kb()?;
    let ask = "GET /-/api/openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(2000);
    let asking: Vec<_> = (0..10)
        .map(|_| {
            let mut stream = eyelet.raw()?;
            stream.set_write_timeout(Some(Duration::from_millis(200)))?;
            // As much as the server takes: it stops reading when its answers are not read.
            stream.write_all(ask.as_bytes()).ok();
            Ok(stream)
        })
        .collect::<Result<_>>()?;
    viewer.frame_that(|frame| frame.header.sequence > first + 60)?;
    let more = eyelet.pss_kb()?.saturating_sub(before);
    // All the answers would be some hundreds of megabytes.
    ensure!(more < 16 << 10, "{more} KiB for {} clients", asking.len());
    Ok(())
}
