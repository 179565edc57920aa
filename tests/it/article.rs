//! The old experiment's commands, line by line, with its script or with ours that is written to the same calls.
//!
//! `EYELET_ARTICLE` names the folder with the article's own `eyetoy.pl` and `mjpeg.pl`, which are not ours to publish;
//! without it they are not run, which the browser's test of the article says aloud.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use eyelet_area::{Format, FourCc};
use eyelet_harness::{Eyelet, Refused};

use crate::support::{BIN, stamp};

/// The picture of the article.
const WHOLE: &str = "test:640x480@30";
/// A smaller one for ten viewers at once, so that this tests the app and not how fast a debug build reads; the bench has
/// ten of the whole ones.
const SMALLER: &str = "test:160x120@30";
const SMALLER_LEN: usize = 160 * 120 * 2;
const VIEWERS: usize = 10;
const FRAMES: usize = 60;
/// Frames that a viewer may miss in that, as the machine does other things as well; the old server lost 21.
const SLACK: u64 = 12;

/// The folders whose scripts are run.
fn folders() -> Result<Vec<PathBuf>> {
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/perl")];
    folders.extend(std::env::var_os("EYELET_ARTICLE").map(PathBuf::from));
    for folder in &folders {
        ensure!(folder.join("eyetoy.pl").is_file(), "no eyetoy.pl in {}", folder.display());
    }
    Ok(folders)
}

/// The words that all the commands have.
fn capture(source: &str) -> [&str; 6] {
    ["--plugin", "capture", "--v4l-capture", source, "--http-socket", "127.0.0.1:0"]
}

fn start(source: &str, script: &Path, more: &[&str]) -> Result<Eyelet> {
    let script = script.to_str().context("the script's name")?;
    let words = [&capture(source)[..], &["--psgi", script], more].concat();
    Eyelet::start(Path::new(BIN), &words)
}

/// Counts the processes of the app host, those included that only look after the others.
fn workers(eyelet: &Eyelet) -> usize {
    eyelet.children().iter().filter(|process| process.role.ends_with("eyetoy.pl")).count()
}

/// Ten viewers at once, each at full rate, an eleventh that is told why not, and the page all the same.
fn ten_watch(script: &Path, words: &[&str]) -> Result<Eyelet> {
    let more = [&["--mule", "captureloop()", "--app-wait", "0.2"], words].concat();
    let eyelet = start(SMALLER, script, &more)?;
    let page = eyelet.get("/")?;
    ensure!(page.status == 200 && page.text().contains("canvas"), "{page:?}");
    let viewers: Vec<_> = (0..VIEWERS)
        .map(|_| eyelet.websocket("/eyetoy", &[], &[("Origin", &eyelet.url(""))]))
        .collect::<Result<_>>()?;
    let watching = viewers.into_iter().map(|mut viewer| {
        std::thread::spawn(move || -> Result<_> {
            let format = Format::packed(FourCc::YUYV, 160, 120);
            let mut stamps = Vec::with_capacity(FRAMES);
            for _ in 0..FRAMES {
                let frame = viewer.next_binary()?;
                ensure!(frame.len() == SMALLER_LEN, "a message of {} bytes", frame.len());
                stamps.push(stamp(&frame, &format)?);
            }
            // They stay until all have what they wanted.
            Ok((viewer, stamps))
        })
    });
    let watching: Vec<_> = watching.collect();
    let eleventh = eyelet.websocket("/eyetoy", &[], &[]).err().context("an eleventh is let in")?;
    let refused = &eleventh.downcast_ref::<Refused>().context("no answer")?.0;
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("1")));
    assert!(refused.text().contains("--processes or --coroutines"), "{}", refused.text());
    assert_eq!(eyelet.get("/")?.status, 200);
    for viewer in watching {
        let (_viewer, stamps) =
            viewer.join().map_err(|_| anyhow::anyhow!("a viewer's thread failed"))??;
        assert!(stamps.is_sorted_by(|a, b| a < b), "{stamps:?}");
        let missing = stamps[FRAMES - 1] - stamps[0] + 1 - FRAMES as u64;
        assert!(missing <= SLACK, "{missing} frames are missing");
    }
    Ok(eyelet)
}

#[test]
fn ten_watch_in_ten_processes() -> Result<()> {
    for folder in folders()? {
        let eyelet = ten_watch(&folder.join("eyetoy.pl"), &["--processes", "10"])?;
        let workers = workers(&eyelet);
        assert!(workers >= VIEWERS, "{workers} processes run the script");
        // Whoever leaves makes room at once.
        let mut next = eyelet.websocket("/eyetoy", &[], &[])?;
        assert_eq!(next.next_binary()?.len(), SMALLER_LEN);
    }
    Ok(())
}

#[test]
fn ten_watch_in_one_process() -> Result<()> {
    let has_coroutines =
        std::process::Command::new("perl").args(["-MCoro", "-MEV", "-e1"]).output()?;
    if !has_coroutines.status.success() {
        println!("skipped: perl has no Coro and EV: apt-get install libcoro-perl libev-perl");
        return Ok(());
    }
    for folder in folders()? {
        let eyelet = ten_watch(&folder.join("eyetoy.pl"), &["--coroae", "10"])?;
        let workers = workers(&eyelet);
        assert!(workers <= 3, "{workers} processes run the script");
        let mut next = eyelet.websocket("/eyetoy", &[], &[])?;
        assert_eq!(next.next_binary()?.len(), SMALLER_LEN);
    }
    Ok(())
}

/// Reads parts of the endless answer that `mjpeg.pl` makes, and gives their bodies.
fn parts(eyelet: &Eyelet, count: usize) -> Result<Vec<Vec<u8>>> {
    use std::io::{Read as _, Write as _};
    let mut stream = eyelet.raw()?;
    write!(stream, "GET /pictures HTTP/1.1\r\nHost: {}\r\n\r\n", eyelet.addr())?;
    let (mut answer, mut buffer) = (Vec::new(), vec![0; 1 << 20]);
    loop {
        let read = stream.read(&mut buffer)?;
        ensure!(read > 0, "the answer has ended");
        answer.extend_from_slice(&buffer[..read]);
        let head = String::from_utf8_lossy(&answer[..answer.len().min(1000)]).into_owned();
        let Some((_, boundary)) = head.split_once("boundary=") else { continue };
        let boundary = boundary.split("\r\n").next().unwrap_or_default();
        let found = split(&answer, format!("--{boundary}\r\n").as_bytes());
        // The head lies before the first boundary, and what follows the last one is not whole.
        if found.len() >= count + 2 {
            return found[1..=count].iter().map(|part| body(part)).collect();
        }
    }
}

fn split<'a>(bytes: &'a [u8], by: &[u8]) -> Vec<&'a [u8]> {
    let mut parts = Vec::new();
    let (mut begin, mut at) = (0, 0);
    while at + by.len() <= bytes.len() {
        if bytes[at..].starts_with(by) {
            parts.push(&bytes[begin..at]);
            at += by.len();
            begin = at;
        } else {
            at += 1;
        }
    }
    parts.push(&bytes[begin..]);
    parts
}

/// A part without its head, and without the line end that belongs to the next boundary.
fn body(part: &[u8]) -> Result<Vec<u8>> {
    let end = part.windows(4).position(|w| w == b"\r\n\r\n").context("a part has no head")?;
    let body = part[end + 4..].strip_suffix(b"\r\n").context("a part has no line end")?;
    Ok(body.to_vec())
}

#[test]
fn the_mjpeg_script_sends_what_area_1_has() -> Result<()> {
    for folder in folders()? {
        let script = folder.join("mjpeg.pl");
        let eyelet = start(WHOLE, &script, &[])?;
        for picture in parts(&eyelet, 5)? {
            assert!(picture.starts_with(&[0xFF, 0xD8]) && picture.ends_with(&[0xFF, 0xD9]));
        }
        let eyelet = start(WHOLE, &script, &["--stream", "rgba"])?;
        for pixels in parts(&eyelet, 3)? {
            assert_eq!(pixels.len(), 640 * 480 * 4);
            assert!(pixels.chunks_exact(4).all(|pixel| pixel[3] == 255));
        }
    }
    Ok(())
}

#[test]
fn the_old_words_start_a_capture_process_and_a_serving_one() -> Result<()> {
    let words = [&capture(WHOLE)[..], &["--mule=captureloop()"]].concat();
    let eyelet = Eyelet::start(Path::new(BIN), &words)?;
    for line in [
        "test detected width = 640",
        "test detected height = 480",
        "test detected format = YUYV",
        "test started streaming frames to sharedarea 0",
    ] {
        eyelet.wait_line(|printed| printed == line)?;
    }
    eyelet.wait_line(|l| l.starts_with("sharedarea 0 created ") && l.contains("(150 pages, "))?;
    for role in ["capture 0", "serve 0"] {
        assert_eq!(eyelet.role(role).len(), 1, "{role}: {:?}", eyelet.children());
    }
    Ok(())
}
