//! `--lan`: what is printed for other devices, and that they would be answered.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use eyelet_harness::{Eyelet, exchange};

use crate::support::{BIN, SMALL, run};

/// Starts the program on a free port of every interface; gives what it printed for other devices.
fn start(how: &str) -> Result<(Eyelet, Vec<String>)> {
    let eyelet = Eyelet::start(Path::new(BIN), &["--listen", ":0", "--source", SMALL, how])?;
    // The last line of all but the code.
    eyelet
        .wait_line(|line| line.starts_with("open http") || line.starts_with("no other device"))?;
    eyelet.get("/-/healthz")?;
    let urls = eyelet.lines().into_iter().filter_map(|line| {
        let url = line.strip_prefix("open ")?.strip_suffix(" on another device")?;
        Some(url.to_owned())
    });
    let urls = urls.collect();
    Ok((eyelet, urls))
}

/// Reads the QR code among some lines, as a camera that sees the terminal does; none if there is none.
fn read_code(lines: &[String]) -> Option<String> {
    const PIXELS: usize = 4;
    let rows: Vec<Vec<char>> = lines
        .iter()
        .filter_map(|line| line.strip_prefix("\x1b[38;5;16;48;5;231m")?.strip_suffix("\x1b[0m"))
        .map(|blocks| blocks.chars().collect())
        .collect();
    let width = rows.first()?.len();
    let is_dark = |x: usize, y: usize| match rows[y / 2][x] {
        '█' => true,
        '▀' => y.is_multiple_of(2),
        '▄' => !y.is_multiple_of(2),
        _ => false,
    };
    let (wide, high) = (width * PIXELS, rows.len() * 2 * PIXELS);
    let mut seen = rqrr::PreparedImage::prepare_from_greyscale(wide, high, |x, y| {
        if is_dark(x / PIXELS, y / PIXELS) { 0 } else { 255 }
    });
    let (_, text) = seen.detect_grids().first()?.decode().ok()?;
    Some(text)
}

#[test]
fn the_code_leads_to_the_first_address_and_all_are_answered() -> Result<()> {
    let (eyelet, urls) = start("--lan=qr")?;
    let Some(best) = urls.first() else {
        // A machine without a network: it says so, and shows no code.
        assert_eq!(read_code(&eyelet.lines()), None);
        return Ok(());
    };
    eyelet.wait_until("the code", || read_code(&eyelet.lines()).is_some())?;
    assert_eq!(read_code(&eyelet.lines()).as_ref(), Some(best));
    for url in urls.iter().filter(|url| !url.contains(".local:")) {
        let host = url.strip_prefix("http://").context("no URL")?;
        let addr: SocketAddr = host.parse()?;
        ensure!(addr.port() == eyelet.addr().port(), "{url} has another port");
        // A page from there is of the same origin.
        let headers = [("Host", host), ("Origin", url.as_str())];
        assert_eq!(exchange(addr, "GET", "/", &headers, &[])?.status, 200, "{url}");
        let ws = eyelet_harness::WsClient::connect(addr, "/-/ws", &["eyelet.v1"], &headers)?;
        assert_eq!(ws.protocol(), Some("eyelet.v1"), "{url}");
        // Who comes from there may watch and not change anything.
        let set = exchange(addr, "PUT", "/-/api/controls", &headers, br#"{"brightness":1}"#)?;
        assert_eq!(set.status, 403, "{url}");
    }
    let warned = |line: &str| line.contains("everybody who reaches this machine can watch");
    assert!(eyelet.lines().iter().any(|line| warned(line)));
    Ok(())
}

#[test]
fn without_a_terminal_there_is_no_code_unless_it_is_asked_for() -> Result<()> {
    for how in ["--lan", "--lan=plain"] {
        let (eyelet, _) = start(how)?;
        let lines = eyelet.lines();
        assert!(lines.iter().all(|line| !line.contains(['\x1b', '█'])), "{how}: {lines:?}");
    }
    Ok(())
}

#[test]
fn an_address_that_no_other_device_reaches_is_refused() -> Result<()> {
    let ended = run(&["--source", SMALL, "--listen", "127.0.0.1:0", "--lan"])?;
    assert_eq!(ended.code, Some(2));
    assert!(ended.stderr.contains("write --listen :9090"), "{}", ended.stderr);
    Ok(())
}
