//! mpv, which plays.

use std::fs::File;
use std::io::BufReader;

use anyhow::{Context as _, Result, ensure};
use eyelet_area::FourCc;

use crate::picture::{Picture, verify_all_came};
use crate::{PICTURES, STREAMS, program, start};

#[test]
fn mpv_plays_each_address() -> Result<()> {
    let eyelet = start()?;
    for (number, path) in STREAMS.into_iter().enumerate() {
        let (url, folder) = (eyelet.url(path), eyelet.folder().join(number.to_string()));
        let (count, outdir) =
            (format!("--frames={PICTURES}"), format!("--vo-image-outdir={}", folder.display()));
        // No screen and no sound: each picture goes into a file.
        let to = ["--ao=null", "--vo=image", "--vo-image-format=png", &outdir];
        // It takes a picture of this size for one of old television, whose primary colours were others.
        let as_it_is = ["--vf=format:primaries=bt.709", "--vo-image-png-compression=0"];
        let only = ["--no-config", "--no-terminal", &count, &url];
        program::start(&eyelet, "mpv", "mpv", &[&to[..], &as_it_is, &only].concat())?.finish()?;
        let files = (1..=PICTURES).map(|number| folder.join(format!("{number:08}.png")));
        let pictures: Vec<Picture> = files
            .map(|file| {
                decode(File::open(&file).with_context(|| format!("no `{}`", file.display()))?)
            })
            .collect::<Result<_>>()?;
        verify_all_came(&pictures).with_context(|| path.to_owned())?;
    }
    Ok(())
}

fn decode(file: File) -> Result<Picture> {
    let mut reader = png::Decoder::new(BufReader::new(file)).read_info()?;
    let mut pixels = vec![0; reader.output_buffer_size().context("a picture without a size")?];
    let info = reader.next_frame(&mut pixels)?;
    ensure!((info.color_type, info.bit_depth) == (png::ColorType::Rgb, png::BitDepth::Eight));
    Picture::of(&pixels, FourCc::RGB24, (info.width, info.height))
}
