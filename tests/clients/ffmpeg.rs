//! ffmpeg and ffprobe, and whatever else reads by its library.

use anyhow::{Context as _, Result, ensure};
use eyelet_area::{Format, FourCc};
use eyelet_harness::Eyelet;
use serde_json::Value;

use crate::picture::{Picture, verify, verify_all_came};
use crate::program::{self, read};
use crate::{HEIGHT, PICTURES, STREAMS, WIDTH, start, start_from, start_with};

/// Runs one that has nothing to complain of, not even a warning unless `words` say otherwise.
fn run(eyelet: &Eyelet, name: &str, words: &[&str]) -> Result<Vec<u8>> {
    let words = [&["-v", "warning"], words].concat();
    let printed = program::start(eyelet, name, "ffmpeg", &words)?.finish()?;
    ensure!(printed.stderr.is_empty(), "`{name}` complains: {}", printed.stderr);
    Ok(printed.stdout)
}

#[test]
fn ffmpeg_decodes_each_address_at_the_rate_of_the_source() -> Result<()> {
    let eyelet = start()?;
    // Chromium's form has no lengths: the boundary alone ends a picture.
    for path in STREAMS.into_iter().chain(["/-/stream.mjpg?advance=1"]) {
        let (url, count) = (eyelet.url(path), PICTURES.to_string());
        // Each picture as it came, none twice and none left out; a conversion of colours would be warned of.
        let pictures = ["-fps_mode", "passthrough", "-vf", "extractplanes=y", "-frames:v", &count];
        let out = ["-f", "rawvideo", "-y", "luma"];
        run(&eyelet, "ffmpeg", &[&["-nostdin", "-i", &url][..], &pictures, &out].concat())
            .with_context(|| path.to_owned())?;
        let luma = read(&eyelet.folder().join("luma"))?;
        let frames = luma.chunks((WIDTH * HEIGHT) as usize);
        let pictures: Vec<Picture> = frames
            .map(|frame| Picture::of(frame, FourCc::GREY, (WIDTH, HEIGHT)))
            .collect::<Result<_>>()?;
        verify_all_came(&pictures).with_context(|| path.to_owned())?;
    }
    Ok(())
}

/// Reads an endless stream of H.264 by ffmpeg in two ways: the luma for the numbers, the colours for the bars.
fn verify_h264(eyelet: &Eyelet, path: &str) -> Result<()> {
    let (url, count) = (eyelet.url(path), PICTURES.to_string());
    for (filter, fourcc) in [("extractplanes=y", FourCc::GREY), ("format=rgb24", FourCc::RGB24)] {
        let from = ["-nostdin", "-f", "h264", "-i", &url, "-fps_mode", "passthrough"];
        let to = ["-vf", filter, "-frames:v", &count, "-f", "rawvideo", "-y", "pictures"];
        run(eyelet, "ffmpeg", &[&from[..], &to].concat())?;
        let bytes = read(&eyelet.folder().join("pictures"))?;
        let len = Format::packed(fourcc, WIDTH, HEIGHT).packed_len().unwrap_or(1);
        let pictures = bytes.chunks(usize::try_from(len)?);
        let pictures: Vec<Picture> = pictures
            .map(|picture| Picture::of(picture, fourcc, (WIDTH, HEIGHT)))
            .collect::<Result<_>>()?;
        verify(&pictures)?;
    }
    Ok(())
}

#[test]
fn ffmpeg_decodes_h264_that_was_made_here() -> Result<()> {
    let eyelet = start_with(&["--stream", "h264"])
        .context("an executable with the encoder is wanted: `cargo xtask check build`")?;
    let url = eyelet.url("/-/stream.h264");
    let said =
        run(&eyelet, "ffprobe", &["-of", "json", "-show_streams", "-f", "h264", "-i", &url])?;
    let said: Value = serde_json::from_slice(&said)?;
    let stream = &said["streams"][0];
    assert_eq!(stream["profile"], "Constrained Baseline", "{said}");
    assert_eq!(
        (&stream["color_space"], &stream["color_range"]),
        (&"smpte170m".into(), &"tv".into())
    );
    assert_eq!((&stream["has_b_frames"], &stream["width"]), (&0.into(), &WIDTH.into()), "{said}");
    verify_h264(&eyelet, "/-/stream.h264")
}

#[test]
fn ffmpeg_decodes_h264_that_ffmpeg_has_made() -> Result<()> {
    let camera = start()?;
    let (from, gop) = (camera.url("/-/stream.mjpg"), "10");
    let command = format!(
        "exec:ffmpeg -nostdin -v error -i {from} -c:v libx264 -preset ultrafast -tune zerolatency \
         -pix_fmt yuv420p -color_range tv -g {gop} -f h264 -?format=h264"
    );
    let eyelet = start_from(&command, &[], &[])?;
    verify_h264(&eyelet, "/-/stream.h264")
}

#[test]
fn ffprobe_knows_what_it_is() -> Result<()> {
    let eyelet = start()?;
    for path in STREAMS {
        let url = eyelet.url(path);
        let said = run(&eyelet, "ffprobe", &["-of", "json", "-show_streams", "-i", &url])?;
        let said: Value = serde_json::from_slice(&said)?;
        let stream = &said["streams"][0];
        let known = (&stream["codec_name"], &stream["width"], &stream["height"]);
        assert_eq!(known, (&"mjpeg".into(), &WIDTH.into(), &HEIGHT.into()), "{path}: {said}");
    }
    Ok(())
}

#[test]
fn ffmpeg_reads_a_raw_frame() -> Result<()> {
    let eyelet = start()?;
    let (url, size) = (eyelet.url("/-/frame"), format!("{WIDTH}x{HEIGHT}"));
    let from = ["-f", "rawvideo", "-pixel_format", "yuyv422", "-video_size", &size, "-i", &url];
    // It always warns that it can only guess how long raw frames last.
    run(
        &eyelet,
        "ffmpeg",
        &[&["-nostdin", "-v", "error"], &from[..], &["-f", "rawvideo", "-y", "raw"]].concat(),
    )?;
    let frame = read(&eyelet.folder().join("raw"))?;
    let picture = Picture::of(&frame, FourCc::YUYV, (WIDTH, HEIGHT))?;
    ensure!(picture.sequence.is_some(), "a torn frame");
    Ok(())
}
