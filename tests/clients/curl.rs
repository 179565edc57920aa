//! curl, and with it every script that fetches a picture.

use anyhow::{Context as _, Result, ensure};
use eyelet_area::FourCc;
use eyelet_harness::Eyelet;

use crate::picture::Picture;
use crate::program::{self, Running, read};
use crate::{HEIGHT, PICTURES, STREAMS, WIDTH, start};

const BOUNDARY: &[u8] = b"--boundarydonotcross\r\n";
const VERSIONS: [(&str, &str); 2] = [("--http1.0", "HTTP/1.0 200"), ("--http1.1", "HTTP/1.1 200")];

fn curl(eyelet: &Eyelet, words: &[&str]) -> Result<Running> {
    // Without the user's own settings, and an error status is an error.
    let words = [&["--disable", "--silent", "--show-error", "--fail"], words].concat();
    program::start(eyelet, "curl", "curl", &words)
}

/// What curl got: the head as it wrote it, and the body.
struct Got {
    head: String,
    body: Vec<u8>,
}

impl Got {
    fn field(&self, name: &str) -> Option<&str> {
        let fields = self.head.lines().filter_map(|line| line.split_once(": "));
        fields.filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value).next()
    }

    fn len(&self) -> Result<usize> {
        Ok(self.field("Content-Length").context("no length")?.parse()?)
    }
}

fn fetch(eyelet: &Eyelet, words: &[&str], path: &str) -> Result<Got> {
    let url = eyelet.url(path);
    let to = ["--dump-header", "head", "--output", "body", &url];
    curl(eyelet, &[words, &to].concat())?.finish()?;
    let read = |name| read(&eyelet.folder().join(name));
    let got = Got { head: String::from_utf8(read("head")?)?, body: read("body")? };
    for name in ["head", "body"] {
        std::fs::remove_file(eyelet.folder().join(name))?;
    }
    Ok(got)
}

#[test]
fn curl_gets_whole_pictures_and_their_heads() -> Result<()> {
    let eyelet = start()?;
    for path in ["/-/snapshot.jpg", "/-/snapshot.png", "/-/frame", "/snapshot"] {
        for (version, status) in VERSIONS {
            let what = format!("{version} {path}");
            let got = fetch(&eyelet, &[version], path)?;
            ensure!(got.head.starts_with(status), "{what}: {}", got.head);
            ensure!(got.len()? == got.body.len(), "{what}: {} bytes", got.body.len());
            is_picture(&got).context(what.clone())?;
            let head = fetch(&eyelet, &[version, "--head"], path)?;
            ensure!(head.head.starts_with(status) && head.len()? > 0, "{what}: {}", head.head);
            let kind = "Content-Type";
            assert_eq!(head.field(kind), got.field(kind), "{what}");
        }
    }
    Ok(())
}

/// Checks that a body is what its head says.
fn is_picture(got: &Got) -> Result<()> {
    let is_whole = match got.field("Content-Type") {
        Some("image/jpeg") => is_jpeg(&got.body),
        Some("image/png") => {
            got.body.starts_with(b"\x89PNG\r\n") && got.body.ends_with(b"IEND\xaeB`\x82")
        }
        Some("application/octet-stream") => {
            let frame = Picture::of(&got.body, FourCc::YUYV, (WIDTH, HEIGHT))?;
            frame.sequence.is_some()
        }
        _ => false,
    };
    ensure!(is_whole, "no whole picture behind {}", got.head);
    Ok(())
}

fn is_jpeg(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0xff, 0xd8]) && bytes.ends_with(&[0xff, 0xd9])
}

#[test]
fn curl_asks_for_the_head_of_an_endless_answer_and_ends() -> Result<()> {
    let eyelet = start()?;
    for path in STREAMS {
        for (version, status) in VERSIONS {
            let got = fetch(&eyelet, &[version, "--head"], path)?;
            let kind = got.field("Content-Type").unwrap_or_default();
            let is_endless = kind.starts_with("multipart/x-mixed-replace");
            ensure!(got.head.starts_with(status) && is_endless, "{path}: {}", got.head);
        }
    }
    Ok(())
}

#[test]
fn what_curl_records_has_whole_parts_only_also_when_the_program_stops() -> Result<()> {
    for (version, _) in VERSIONS {
        let eyelet = start()?;
        let url = eyelet.url("/-/stream.mjpg");
        let recording = curl(&eyelet, &[version, "--no-buffer", "--output", "recorded", &url])?;
        let file = eyelet.folder().join("recorded");
        eyelet.wait_until("pictures in curl's file", || {
            read(&file).is_ok_and(|bytes| parts(&bytes).is_ok_and(|count| count >= PICTURES))
        })?;
        // The folder goes with it, so it must not be dropped before the file is read.
        eyelet.signal(eyelet_harness::Signal::TERM)?;
        recording.finish()?;
        let recorded = read(&file)?;
        ensure!(parts(&recorded)? >= PICTURES, "it became less");
        ensure!(recorded.ends_with(&[b"\r\n", BOUNDARY].concat()), "the last part is cut off");
        ensure!(eyelet.stop()?.success());
    }
    Ok(())
}

/// Counts the parts that are there whole: head with a length, a JPEG of so many bytes, and the boundary right behind it.
fn parts(mut bytes: &[u8]) -> Result<usize> {
    let mut count = 0;
    while let Some(rest) = bytes.strip_prefix(BOUNDARY) {
        let Some(end) = rest.windows(4).position(|window| window == b"\r\n\r\n") else { break };
        let got = Got { head: String::from_utf8(rest[..end].to_vec())?, body: vec![] };
        ensure!(got.field("Content-Type") == Some("image/jpeg"), "{}", got.head);
        let (picture, behind) = rest[end + 4..].split_at_checked(got.len()?).unwrap_or_default();
        // The rest of it is still on its way.
        if behind.len() < BOUNDARY.len() + 2 {
            break;
        }
        ensure!(is_jpeg(picture), "no JPEG of {} bytes", picture.len());
        bytes = behind.strip_prefix(b"\r\n").context("no end of the line behind the picture")?;
        ensure!(bytes.starts_with(BOUNDARY), "no boundary right behind the picture");
        count += 1;
    }
    Ok(count)
}
