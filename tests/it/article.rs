//! The old experiment's commands, line by line, with its script or with ours that is written to the same calls.
//!
//! `EYELET_ARTICLE` names the folder with the article's own `eyetoy.pl` and `mjpeg.pl`, which are not ours to publish;
//! without it they are not run, and that is said.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use eyelet_area::{Format, FourCc};
use eyelet_harness::{Eyelet, Refused};

use crate::support::{BIN, VGA_LEN, stamp};

/// The words that all the commands have.
const CAPTURE: [&str; 4] = ["--plugin", "capture", "--v4l-capture", "test:640x480@30"];
const VIEWERS: usize = 10;
const FRAMES: usize = 60;
/// Frames that a viewer may miss in that: the machine does other things as well.
const SLACK: u64 = 6;

/// The folders whose scripts are run.
fn folders() -> Result<Vec<PathBuf>> {
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/perl")];
    match std::env::var_os("EYELET_ARTICLE") {
        Some(article) => folders.push(article.into()),
        None => println!("skipped: the article's own scripts; EYELET_ARTICLE names their folder"),
    }
    for folder in &folders {
        ensure!(folder.join("eyetoy.pl").is_file(), "no eyetoy.pl in {}", folder.display());
    }
    Ok(folders)
}

fn start(script: &Path, more: &[&str]) -> Result<Eyelet> {
    let script = script.to_str().context("the script's name")?;
    let words = [&CAPTURE[..], &["--http-socket", "127.0.0.1:0", "--psgi", script], more].concat();
    Eyelet::start(Path::new(BIN), &words)
}

/// Counts the processes of the app host, those included that only look after the others.
fn workers(eyelet: &Eyelet) -> usize {
    eyelet.children().iter().filter(|process| process.role.ends_with("eyetoy.pl")).count()
}

/// Ten viewers at once, each at full rate, an eleventh that is told why not, and the page all the same.
fn ten_watch(script: &Path, words: &[&str]) -> Result<Eyelet> {
    let more = [&["--mule", "captureloop()", "--app-wait", "0.2"], words].concat();
    let eyelet = start(script, &more)?;
    let page = eyelet.get("/")?;
    ensure!(page.status == 200 && page.text().contains("canvas"), "{page:?}");
    let viewers: Vec<_> = (0..VIEWERS)
        .map(|_| eyelet.websocket("/eyetoy", &[], &[("Origin", &eyelet.url(""))]))
        .collect::<Result<_>>()?;
    let watching = viewers.into_iter().map(|mut viewer| {
        std::thread::spawn(move || -> Result<_> {
            let format = Format::packed(FourCc::YUYV, 640, 480);
            let mut stamps = Vec::with_capacity(FRAMES);
            for _ in 0..FRAMES {
                let frame = viewer.next_binary()?;
                ensure!(frame.len() == VGA_LEN, "a message of {} bytes", frame.len());
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
        assert_eq!(next.next_binary()?.len(), VGA_LEN);
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
        assert_eq!(next.next_binary()?.len(), VGA_LEN);
    }
    Ok(())
}

/// Reads parts of the endless answer that `mjpeg.pl` makes, and gives their bodies.
fn parts(eyelet: &Eyelet, count: usize) -> Result<Vec<Vec<u8>>> {
    use std::io::{BufRead as _, BufReader, Read as _, Write as _};
    let mut stream = eyelet.raw()?;
    write!(stream, "GET /pictures HTTP/1.1\r\nHost: {}\r\n\r\n", eyelet.addr())?;
    let mut reader = BufReader::new(stream);
    let mut parts = Vec::new();
    let mut line = String::new();
    while parts.len() < count {
        line.clear();
        ensure!(reader.read_line(&mut line)? > 0, "the answer has ended");
        let Some(len) = line.strip_prefix("Content-Length: ") else { continue };
        let mut part = vec![0; len.trim().parse()?];
        reader.read_line(&mut line)?;
        reader.read_exact(&mut part)?;
        parts.push(part);
    }
    Ok(parts)
}

#[test]
fn the_mjpeg_script_sends_what_area_1_has() -> Result<()> {
    for folder in folders()? {
        let script = folder.join("mjpeg.pl");
        let eyelet = start(&script, &[])?;
        for picture in parts(&eyelet, 5)? {
            assert!(picture.starts_with(&[0xFF, 0xD8]) && picture.ends_with(&[0xFF, 0xD9]));
        }
        let eyelet = start(&script, &["--stream", "rgba"])?;
        for pixels in parts(&eyelet, 3)? {
            assert_eq!(pixels.len(), 640 * 480 * 4);
            assert!(pixels.chunks_exact(4).all(|pixel| pixel[3] == 255));
        }
    }
    Ok(())
}

#[test]
fn the_old_words_start_a_capture_process_and_a_serving_one() -> Result<()> {
    let words = [&CAPTURE[..], &["--mule=captureloop()", "--http-socket", "127.0.0.1:0"]].concat();
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
