//! A picture as JPEG encodes it: full-range BT.601, with a plane of luma and, but for grey pictures, two of chroma.

use eyelet_area::{Format, FourCc, Range};
use yuv::{BufferStoreMut, YuvConversionMode, YuvPlanarImageMut, YuvRange, YuvStandardMatrix};

use super::colour::{Conversion, expand_chroma, expand_luma};
use crate::error::{Error, Result};

/// How many pixels share a sample of chroma.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Sampling {
    /// There is no chroma.
    #[default]
    Grey,
    /// Two beside each other: 4:2:2.
    Two,
    /// Two by two: 4:2:0.
    Four,
}

/// Planes without padding. What was taken for one picture is used again for the next.
#[derive(Debug, Default)]
pub(super) struct Planes {
    pub(super) size: (usize, usize),
    pub(super) sampling: Sampling,
    pub(super) luma: Vec<u8>,
    pub(super) blue: Vec<u8>,
    pub(super) red: Vec<u8>,
    /// Chroma of one row before it is split.
    row: Vec<u8>,
    /// What chroma of one row adds to luma.
    added: Vec<i16>,
}

impl Planes {
    /// Takes a raw picture apart.
    ///
    /// # Errors
    /// [`Refused`](crate::error::ErrorKind::Refused) if pixels of that kind are not known; any other if `bytes` do not
    /// have what `format` says.
    pub(super) fn take_apart(&mut self, format: &Format, bytes: &[u8]) -> Result<()> {
        self.take(format, bytes, Conversion::of(format), format.range != Range::Full)
    }

    /// The same with the values that are there, for whoever can say what they mean; R'G'B' becomes what JPEG has.
    ///
    /// # Errors
    /// As [`take_apart`](Self::take_apart).
    #[cfg(feature = "h264")]
    pub(super) fn take_apart_as_is(&mut self, format: &Format, bytes: &[u8]) -> Result<()> {
        self.take(format, bytes, Conversion::None, false)
    }

    fn take(
        &mut self,
        format: &Format,
        bytes: &[u8],
        conversion: Conversion,
        expands_grey: bool,
    ) -> Result<()> {
        match format.fourcc {
            FourCc::YUYV => self.packed::<0>(format, bytes, conversion)?,
            FourCc::UYVY => self.packed::<1>(format, bytes, conversion)?,
            FourCc::NV12 => self.biplanar(format, bytes, conversion)?,
            FourCc::GREY => return self.grey(format, bytes, expands_grey),
            FourCc::RGB24 | FourCc::RGBA32 => return self.coloured(format, bytes),
            other => {
                return Err(Error::refused(format!("nothing can be made of {other} frames yet")));
            }
        }
        if let Conversion::Turn(turn) = conversion {
            let (width, rows) = (self.size.0, if self.sampling == Sampling::Four { 2 } else { 1 });
            let across = width.div_ceil(2);
            let chroma = self.blue.chunks_mut(across).zip(self.red.chunks_mut(across));
            for ((blue, red), luma) in chroma.zip(self.luma.chunks_mut(rows * width)) {
                turn.chroma(blue, red, &mut self.added);
                luma.chunks_mut(width).for_each(|row| turn.luma(row, &self.added));
            }
        }
        Ok(())
    }

    /// The size of each plane of chroma.
    pub(super) fn chroma_size(&self) -> (usize, usize) {
        let (width, height) = self.size;
        match self.sampling {
            Sampling::Grey => (0, 0),
            Sampling::Two => (width.div_ceil(2), height),
            Sampling::Four => (width.div_ceil(2), height.div_ceil(2)),
        }
    }

    /// Has planes of that size; what is in them is of any picture before.
    pub(super) fn reshape(&mut self, size: (usize, usize), sampling: Sampling) {
        (self.size, self.sampling) = (size, sampling);
        let (width, height) = self.chroma_size();
        self.luma.resize(size.0 * size.1, 0);
        self.blue.resize(width * height, 0);
        self.red.resize(width * height, 0);
    }

    /// `Y0 Cb Y1 Cr`, or with chroma before luma.
    fn packed<const LUMA: usize>(
        &mut self,
        format: &Format,
        bytes: &[u8],
        conversion: Conversion,
    ) -> Result<()> {
        let (width, height) = size_of(format)?;
        let rows = rows(format, bytes, width.div_ceil(2) * 4, height)?;
        self.reshape((width, height), Sampling::Two);
        let across = width.div_ceil(2);
        self.row.resize(across * 2, 0);
        let luma = self.luma.chunks_exact_mut(width);
        let chroma = self.blue.chunks_exact_mut(across).zip(self.red.chunks_exact_mut(across));
        let is_expanded = conversion == Conversion::Expand;
        for ((row, luma), (blue, red)) in rows.zip(luma).zip(chroma) {
            let (even, odd) = luma.split_at_mut(width & !1);
            let (pairs, last) = row.split_at(width / 2 * 4);
            let both = &mut self.row[..];
            match (LUMA, is_expanded) {
                (0, false) => split(pairs, even, both, same, same),
                (0, true) => split(pairs, even, both, expand_luma, same),
                (_, false) => split(pairs, both, even, same, same),
                (_, true) => split(pairs, both, even, same, expand_luma),
            }
            // An odd row ends with a luma that is no pixel.
            if let ([luma], [a, b, c, d]) = (odd, last) {
                let (y, chroma) = if LUMA == 0 { (*a, [*b, *d]) } else { (*b, [*a, *c]) };
                *luma = if is_expanded { low(expand_luma(y.into())) } else { y };
                both[width - 1..].copy_from_slice(&chroma);
            }
            if is_expanded {
                split(both, blue, red, expand_chroma, expand_chroma);
            } else {
                split(both, blue, red, same, same);
            }
        }
        Ok(())
    }

    /// Luma, then `Cb Cr` of half the size.
    fn biplanar(&mut self, format: &Format, bytes: &[u8], conversion: Conversion) -> Result<()> {
        let (width, height) = size_of(format)?;
        let (across, down) = (width.div_ceil(2), height.div_ceil(2));
        let luma = rows(format, bytes, width, height)?;
        let behind = bytes.get(format.stride as usize * height..).unwrap_or_default();
        let stride = format.stride.next_multiple_of(2);
        let chroma = rows(&Format { stride, ..*format }, behind, across * 2, down)?;
        self.reshape((width, height), Sampling::Four);
        let is_expanded = conversion == Conversion::Expand;
        self.fill_luma(luma, is_expanded);
        let planes = self.blue.chunks_exact_mut(across).zip(self.red.chunks_exact_mut(across));
        for (row, (blue, red)) in chroma.zip(planes) {
            if is_expanded {
                split(row, blue, red, expand_chroma, expand_chroma);
            } else {
                split(row, blue, red, same, same);
            }
        }
        Ok(())
    }

    /// Luma and nothing else, so that a matrix has no part in it.
    fn grey(&mut self, format: &Format, bytes: &[u8], is_expanded: bool) -> Result<()> {
        let (width, height) = size_of(format)?;
        let rows = rows(format, bytes, width, height)?;
        self.reshape((width, height), Sampling::Grey);
        self.fill_luma(rows, is_expanded);
        Ok(())
    }

    fn fill_luma<'a>(&mut self, rows: impl Iterator<Item = &'a [u8]>, is_expanded: bool) {
        for (row, luma) in rows.zip(self.luma.chunks_exact_mut(self.size.0)) {
            if is_expanded {
                for (luma, code) in luma.iter_mut().zip(row) {
                    *luma = low(expand_luma((*code).into()));
                }
            } else {
                luma.copy_from_slice(row);
            }
        }
    }

    /// R'G'B' with or without a fourth byte.
    fn coloured(&mut self, format: &Format, bytes: &[u8]) -> Result<()> {
        let (width, height) = size_of(format)?;
        let per_pixel = if format.fourcc == FourCc::RGB24 { 3 } else { 4 };
        rows(format, bytes, width * per_pixel, height).map(drop)?;
        self.reshape((width, height), Sampling::Two);
        let chroma_stride = format.width.div_ceil(2);
        let mut planes = YuvPlanarImageMut {
            y_plane: BufferStoreMut::Borrowed(&mut self.luma),
            y_stride: format.width,
            u_plane: BufferStoreMut::Borrowed(&mut self.blue),
            u_stride: chroma_stride,
            v_plane: BufferStoreMut::Borrowed(&mut self.red),
            v_stride: chroma_stride,
            width: format.width,
            height: format.height,
        };
        let convert = if per_pixel == 3 { yuv::rgb_to_yuv422 } else { yuv::rgba_to_yuv422 };
        let (range, matrix) = (YuvRange::Full, YuvStandardMatrix::Bt601);
        let mode = YuvConversionMode::Balanced;
        convert(&mut planes, bytes, format.stride, range, matrix, mode)
            .map_err(|e| Error::failed(format!("failed to convert a {format} frame: {e}")))
    }
}

fn size_of(format: &Format) -> Result<(usize, usize)> {
    match (format.width, format.height) {
        (0, _) | (_, 0) => Err(Error::failed(format!("a {format} frame has no pixels"))),
        (width, height) => Ok((width as usize, height as usize)),
    }
}

/// The rows of a plane without what is behind them.
fn rows<'a>(
    format: &Format,
    bytes: &'a [u8],
    len: usize,
    count: usize,
) -> Result<impl Iterator<Item = &'a [u8]> + use<'a>> {
    let stride = format.stride as usize;
    let needed = stride.checked_mul(count - 1).and_then(|before| before.checked_add(len));
    if stride < len || needed.is_none_or(|needed| needed > bytes.len()) {
        let had = bytes.len();
        let text = format!("{had} bytes, {stride} from row to row, are no {format} frame");
        return Err(Error::failed(text));
    }
    Ok(bytes.chunks(stride).take(count).map(move |row| &row[..len]))
}

/// Splits bytes that alternate.
///
/// Read as one number of 16 bits for both: compilers find the best instructions for that, and for nothing else.
#[inline]
fn split(
    from: &[u8],
    first: &mut [u8],
    second: &mut [u8],
    convert_first: impl Fn(u16) -> u16,
    convert_second: impl Fn(u16) -> u16,
) {
    let (pairs, _) = from.as_chunks::<2>();
    for ((pair, first), second) in pairs.iter().zip(first).zip(second) {
        let both = u16::from_le_bytes(*pair);
        *first = low(convert_first(both & 0xff));
        *second = low(convert_second(both >> 8));
    }
}

fn same(code: u16) -> u16 {
    code
}

#[inline]
fn low(code: u16) -> u8 {
    code.to_le_bytes()[0]
}
