//! From the planes of a Y4M frame to the formats that frames have here.

use eyelet_area::{Format, FourCc, Matrix, Range};
use eyelet_wire::y4m::{self, Layout, StreamHeader};

/// The format that frames of a Y4M stream are published in: 4:2:0 as NV12, 4:2:2 as YUYV, grey as GREY.
///
/// The stream does not say its matrix, so it is BT.601 unless the user says otherwise.
///
/// # Errors
/// A text for a layout that has no counterpart.
pub(super) fn format_of(header: &StreamHeader) -> Result<Format, String> {
    let fourcc = match header.layout {
        Layout::Yuv420 => FourCc::NV12,
        Layout::Yuv422 => FourCc::YUYV,
        Layout::Mono => FourCc::GREY,
        _ => {
            return Err(
                "frames of this chroma layout are not carried: use 4:2:0, 4:2:2 or mono".to_owned()
            );
        }
    };
    let range = match header.range {
        Some(y4m::Range::Full) => Range::Full,
        _ => Range::Limited,
    };
    let format = Format::packed(fourcc, header.width, header.height);
    Ok(Format { matrix: Matrix::Bt601, range, ..format })
}

/// Packs the planes of one frame into `packed`, which then has the bytes of a frame of the format above.
///
/// O(pixels); `planes` has [`StreamHeader::frame_len`] bytes.
pub(super) fn pack(header: &StreamHeader, planes: &[u8], packed: &mut Vec<u8>) {
    let to_usize = |n: u32| usize::try_from(n).unwrap_or(usize::MAX);
    let (width, height) = (to_usize(header.width), to_usize(header.height));
    let (luma, chroma) = planes.split_at(width * height);
    let (cb, cr) = chroma.split_at(chroma.len() / 2);
    packed.clear();
    match header.layout {
        Layout::Yuv420 => {
            packed.extend_from_slice(luma);
            packed.resize(luma.len() + chroma.len(), 0);
            let pairs = packed[luma.len()..].chunks_exact_mut(2);
            for (pair, (cb, cr)) in pairs.zip(cb.iter().zip(cr)) {
                (pair[0], pair[1]) = (*cb, *cr);
            }
        }
        Layout::Yuv422 => {
            let across = width.div_ceil(2);
            packed.resize(across * 4 * height, 0);
            let chroma = cb.chunks_exact(across).zip(cr.chunks_exact(across));
            let rows = packed.chunks_exact_mut(across * 4).zip(luma.chunks_exact(width));
            for ((row, luma), (cb, cr)) in rows.zip(chroma) {
                let pairs = row.chunks_exact_mut(4).zip(luma.chunks(2));
                for ((pair, luma), (cb, cr)) in pairs.zip(cb.iter().zip(cr)) {
                    // An odd last pixel stands for the one beside it that is not there.
                    let second = luma.get(1).unwrap_or(&luma[0]);
                    pair.copy_from_slice(&[luma[0], *cb, *second, *cr]);
                }
            }
        }
        _ => packed.extend_from_slice(luma),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packed(head: &str, planes: &[u8]) -> (Format, Vec<u8>) {
        let line = format!("YUV4MPEG2 {head}\n");
        let (header, _) = y4m::parse_stream_header(line.as_bytes()).unwrap().unwrap();
        assert_eq!(header.frame_len(), planes.len());
        let mut bytes = Vec::new();
        pack(&header, planes, &mut bytes);
        let format = format_of(&header).unwrap();
        assert_eq!(format.packed_len(), Some(bytes.len() as u64));
        (format, bytes)
    }

    #[test]
    fn planes_of_420_become_nv12() {
        let (format, bytes) = packed("W2 H2 C420jpeg", &[1, 2, 3, 4, 5, 6]);
        assert_eq!((format.fourcc, bytes), (FourCc::NV12, vec![1, 2, 3, 4, 5, 6]));
        let (_, odd) = packed("W3 H1", &[1, 2, 3, 10, 11, 20, 21]);
        assert_eq!(odd, [1, 2, 3, 10, 20, 11, 21]);
    }

    #[test]
    fn planes_of_422_become_yuyv() {
        let (format, bytes) = packed("W2 H2 C422", &[1, 2, 3, 4, 10, 11, 20, 21]);
        assert_eq!((format.fourcc, bytes), (FourCc::YUYV, vec![1, 10, 2, 20, 3, 11, 4, 21]));
        let (_, odd) = packed("W3 H1 C422", &[1, 2, 3, 10, 11, 20, 21]);
        assert_eq!(odd, [1, 10, 2, 20, 3, 11, 3, 21]);
    }

    #[test]
    fn grey_stays_grey_and_range_is_what_the_stream_says() {
        let (format, bytes) = packed("W2 H1 Cmono XCOLORRANGE=FULL", &[1, 2]);
        assert_eq!((format.fourcc, format.range, bytes), (FourCc::GREY, Range::Full, vec![1, 2]));
    }

    #[test]
    fn what_is_not_carried_says_what_to_use() {
        let (header, _) = y4m::parse_stream_header(b"YUV4MPEG2 W2 H2 C444\n").unwrap().unwrap();
        assert!(format_of(&header).unwrap_err().contains("use 4:2:0"));
    }
}
