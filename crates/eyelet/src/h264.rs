//! Frames of H.264: one access unit each, so that every decoder can begin with any key frame.
//!
//! Belongs here: what both those that come from a source and those that are made have in common. Does not belong here:
//! the syntax, which is `eyelet_wire::h264`'s.

use eyelet_area::{Format, FourCc, Frame, FrameBuilder, FrameFlags, Matrix, MonotonicNs, Range};
use eyelet_wire::h264::{Colour, Mended, Mender, Reordered, Sps, units};

use crate::error::Result;

/// From so many rows on, a stream that does not say its matrix is taken for BT.709, as players do.
const HD_ROWS: u32 = 720;

/// What a stream's colours mean where it does not say so itself.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Assumed {
    /// The matrix; none for that of its size.
    pub(crate) matrix: Option<Matrix>,
    /// The range; none for limited.
    pub(crate) range: Option<Range>,
}

/// Makes frames of the access units of one stream.
#[derive(Debug)]
pub(crate) struct FrameMaker {
    assumed: Assumed,
    /// None before the first parameter sets.
    mender: Option<Mender>,
    mended: Vec<u8>,
}

/// An access unit that every decoder can take.
#[derive(Debug)]
pub(crate) struct AccessUnit<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) format: Format,
    pub(crate) is_key: bool,
}

impl FrameMaker {
    pub(crate) fn new(assumed: Assumed) -> Self {
        Self { assumed, mender: None, mended: Vec::new() }
    }

    /// Says that pictures were lost: there are none up to the next key picture.
    pub(crate) fn lose(&mut self) {
        if let Some(mender) = &mut self.mender {
            mender.lose();
        }
    }

    /// Completes an access unit; none where it has no picture, or one that needs what was lost.
    ///
    /// # Errors
    /// If the stream cannot be shown in the order in which it comes.
    pub(crate) fn complete(
        &mut self,
        access_unit: &[u8],
    ) -> std::result::Result<Option<AccessUnit<'_>>, Reordered> {
        let first_sps = || units(access_unit).find_map(Sps::parse);
        let mender = match &mut self.mender {
            Some(mender) => mender,
            none => {
                let Some(sps) = first_sps() else { return Ok(None) };
                none.insert(Mender::new(self.assumed.colour(sps.height)))
            }
        };
        let Mended::Picture { is_key } = mender.mend(access_unit, &mut self.mended)? else {
            return Ok(None);
        };
        let Some(sps) = mender.sps() else { return Ok(None) };
        let (matrix, range) = meaning(mender.colour());
        let format =
            Format { matrix, range, ..Format::packed(FourCc::H264, sps.width, sps.height) };
        Ok(Some(AccessUnit { bytes: &self.mended, format, is_key }))
    }
}

impl AccessUnit<'_> {
    /// Makes it a frame.
    pub(crate) fn seal(&self, captured_at: MonotonicNs) -> Result<Frame> {
        let mut builder = FrameBuilder::new()?;
        builder.write(self.bytes)?;
        let frame = builder.seal(self.format, captured_at)?;
        Ok(frame.with_flags(FrameFlags { is_key: self.is_key }))
    }
}

impl Assumed {
    fn colour(self, rows: u32) -> Colour {
        let by_size = if rows >= HD_ROWS { Matrix::Bt709 } else { Matrix::Bt601 };
        let matrix = self.matrix.filter(|matrix| *matrix != Matrix::Unspecified);
        // BT.601 with the primaries and the curve of every webcam, sRGB's.
        let (primaries, transfer, matrix) = match matrix.unwrap_or(by_size) {
            Matrix::Unspecified | Matrix::Bt601 => (1, 13, 6),
            Matrix::Bt709 => (1, 1, 1),
            Matrix::Bt2020 => (9, 14, 9),
            Matrix::Smpte240m => (7, 7, 7),
        };
        let is_full_range = self.range == Some(Range::Full);
        Colour { primaries, transfer, matrix, is_full_range }
    }
}

/// Source: ITU-T H.264, table E-5.
fn meaning(colour: Colour) -> (Matrix, Range) {
    let matrix = match colour.matrix {
        1 => Matrix::Bt709,
        5 | 6 => Matrix::Bt601,
        7 => Matrix::Smpte240m,
        9 => Matrix::Bt2020,
        _ => Matrix::Unspecified,
    };
    (matrix, if colour.is_full_range { Range::Full } else { Range::Limited })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_assumed_is_what_is_understood() {
        for matrix in [Matrix::Bt601, Matrix::Bt709, Matrix::Bt2020, Matrix::Smpte240m] {
            for range in [Range::Limited, Range::Full] {
                let assumed = Assumed { matrix: Some(matrix), range: Some(range) };
                assert_eq!(meaning(assumed.colour(480)), (matrix, range));
            }
        }
        assert_eq!(meaning(Assumed::default().colour(480)), (Matrix::Bt601, Range::Limited));
        assert_eq!(meaning(Assumed::default().colour(720)).0, Matrix::Bt709);
    }
}
