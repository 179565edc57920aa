//! What a client shows, and whether that is the test picture.

use anyhow::{Context as _, Result, ensure};
use eyelet::stamp::Layout;
use eyelet_area::{Format, FourCc};
use eyelet_harness::BARS;

use crate::{HEIGHT, PICTURES, WIDTH};

/// Levels of 255 by which JPEG and two conversions move a colour; a wrong matrix moves some by more than twenty.
const TOLERANCE: u8 = 8;
/// Where a bar is looked at, as shares of its width and of the picture's height: no block of a JPEG that has this pixel
/// has a part of a stamp, nor of the next bar.
const LOOK_AT: (f64, f64) = (0.9, 0.345);

/// One picture as a client decoded it.
#[derive(Clone, Debug)]
pub(crate) struct Picture {
    pub(crate) size: (u32, u32),
    /// The number in its pixels; none if its rows do not all say the same.
    pub(crate) sequence: Option<u64>,
    /// The colours of the bars; none where only the luma was read.
    pub(crate) bars: Option<Vec<[u8; 3]>>,
}

impl Picture {
    /// Looks at the bytes of a frame in this format.
    pub(crate) fn of(bytes: &[u8], fourcc: FourCc, size: (u32, u32)) -> Result<Self> {
        let format = Format::packed(fourcc, size.0, size.1);
        let layout = Layout::for_format(&format).context("no room for a stamp")?;
        ensure!(format.packed_len() == Some(bytes.len() as u64), "{} bytes", bytes.len());
        let bars = (fourcc == FourCc::RGB24).then(|| bars(bytes, size)).transpose()?;
        Ok(Self { size, sequence: layout.read_frame(bytes), bars })
    }
}

fn bars(rgb: &[u8], (width, height): (u32, u32)) -> Result<Vec<[u8; 3]>> {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is in range")]
    let colour = |bar: f64| {
        let column = (f64::from(width) / 8.0 * (bar + LOOK_AT.0)) as usize;
        let row = (f64::from(height) * LOOK_AT.1) as usize;
        rgb.get((row * width as usize + column) * 3..)?.first_chunk().copied()
    };
    (0..8).map(|bar| colour(bar.into()).context("a picture too small")).collect()
}

/// Checks that these are the test picture, one frame after the other; gives their numbers.
pub(crate) fn verify(pictures: &[Picture]) -> Result<Vec<u64>> {
    ensure!(pictures.len() == PICTURES, "{} pictures", pictures.len());
    for picture in pictures {
        ensure!(picture.size == (WIDTH, HEIGHT), "not of the right size: {picture:?}");
        if let Some(bars) = &picture.bars {
            let is_near = |got: &[u8; 3], want: &[u8; 3]| {
                got.iter().zip(want).all(|(got, want)| got.abs_diff(*want) <= TOLERANCE)
            };
            let are_right = bars.len() == BARS.len()
                && bars.iter().zip(&BARS).all(|(got, want)| is_near(got, want));
            ensure!(are_right, "other colours than {BARS:?}: {picture:?}");
        }
    }
    let sequence = |picture: &Picture| picture.sequence.context("a torn picture, or none of ours");
    let sequences: Vec<u64> = pictures.iter().map(sequence).collect::<Result<_>>()?;
    let grow = sequences.windows(2).all(|pair| pair[0] < pair[1]);
    ensure!(grow, "not one after the other: {sequences:?}");
    Ok(sequences)
}

/// As [`verify`], and that they came at about the source's rate.
pub(crate) fn verify_all_came(pictures: &[Picture]) -> Result<()> {
    let sequences = verify(pictures)?;
    // A busy machine may lose some; a client that is held up, or shown half the rate, loses as many as it gets.
    let missing = sequences[PICTURES - 1] - sequences[0] + 1 - PICTURES as u64;
    ensure!(missing <= PICTURES as u64 / 3, "{missing} are missing: {sequences:?}");
    Ok(())
}
