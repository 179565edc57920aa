use eyelet_area::{FrameBuilder, Matrix, MonotonicNs, Range};

use super::*;
use crate::picture::to_rgba;

const RAW: [FourCc; 5] = [FourCc::YUYV, FourCc::UYVY, FourCc::NV12, FourCc::GREY, FourCc::RGB24];
const MATRICES: [Matrix; 5] =
    [Matrix::Unspecified, Matrix::Bt601, Matrix::Bt709, Matrix::Bt2020, Matrix::Smpte240m];

fn frame(format: Format, bytes: &[u8]) -> Frame {
    let mut builder = FrameBuilder::new().unwrap();
    builder.write(bytes).unwrap();
    builder.seal(format, MonotonicNs(1)).unwrap()
}

fn made(frame: &Frame, width: Option<u32>) -> Jpeg {
    JpegMaker::new(100, width).make(frame).unwrap()
}

fn pixels_of(jpeg: &[u8]) -> ((u32, u32), Vec<u8>) {
    let mut pixels = Vec::new();
    let decoded = decode(jpeg, |(width, _)| width, &mut pixels).unwrap();
    assert_eq!(decoded.size, decoded.whole);
    (decoded.size, pixels)
}

/// A colour as a camera codes it, in floating point.
fn coded([red, green, blue]: [f64; 3], matrix: Matrix, range: Range) -> [u8; 3] {
    let (kr, kb) = match matrix {
        Matrix::Unspecified | Matrix::Bt601 => (0.299, 0.114),
        Matrix::Bt709 => (0.2126, 0.0722),
        Matrix::Bt2020 => (0.2627, 0.0593),
        Matrix::Smpte240m => (0.212, 0.087),
    };
    let luma = kr * red + (1.0 - kr - kb) * green + kb * blue;
    let chroma = [(blue - luma) / (2.0 - 2.0 * kb), (red - luma) / (2.0 - 2.0 * kr)];
    let (black, luma_codes, chroma_codes) =
        if range == Range::Full { (0.0, 255.0, 255.0) } else { (16.0, 219.0, 224.0) };
    let [cb, cr] = chroma.map(|chroma| 128.0 + chroma / 255.0 * chroma_codes);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "`as` saturates")]
    [black + luma / 255.0 * luma_codes, cb, cr].map(|code| code.round() as u8)
}

/// A picture of 16 by 16 pixels, all of one colour.
fn patch(fourcc: FourCc, colour: [f64; 3], matrix: Matrix, range: Range) -> Frame {
    let [y, cb, cr] = coded(colour, matrix, range);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "`as` saturates")]
    let bytes = match fourcc {
        FourCc::YUYV => [y, cb, y, cr].repeat(128),
        FourCc::UYVY => [cb, y, cr, y].repeat(128),
        FourCc::NV12 => [vec![y; 256], [cb, cr].repeat(64)].concat(),
        FourCc::GREY => vec![y; 256],
        _ => colour.map(|value| value as u8).repeat(256),
    };
    frame(Format { matrix, range, ..Format::packed(fourcc, 16, 16) }, &bytes)
}

#[test]
fn colours_are_those_of_the_scene_whatever_the_camera_makes_of_them() {
    let levels = [0.0, 40.0, 128.0, 200.0, 255.0];
    for fourcc in RAW {
        for (matrix, range) in MATRICES
            .into_iter()
            .flat_map(|m| [Range::Unspecified, Range::Limited, Range::Full].map(|r| (m, r)))
        {
            for colour in
                levels.iter().flat_map(|r| levels.iter().map(move |b| [*r, (r + b) / 2.0, *b]))
            {
                let frame = patch(fourcc, colour, matrix, range);
                #[expect(clippy::cast_possible_truncation, reason = "all are codes")]
                #[expect(clippy::cast_sign_loss, reason = "all are codes")]
                let shall = match fourcc {
                    FourCc::GREY => [coded(colour, matrix, Range::Full)[0]; 3],
                    _ => colour.map(|value| value as u8),
                };
                let mut rgba = Vec::new();
                to_rgba(&frame, &mut rgba).unwrap();
                let (_, is) = pixels_of(&made(&frame, None).bytes);
                // Crate `yuv` takes another matrix than that of SMPTE 240M for NV12.
                let is_known = fourcc == FourCc::NV12 && matrix == Matrix::Smpte240m;
                let rgba = if is_known { is.clone() } else { rgba };
                for (what, pixels) in [("JPEG", is), ("RGBA", rgba)] {
                    let is_near = |at: usize| pixels[at].abs_diff(shall[at % 4]) <= 3;
                    let all = (0..3).chain(1020..1023).all(is_near);
                    let has = &pixels[..3];
                    assert!(all, "{what} of {fourcc} {matrix:?} {range:?}: {has:?}, not {shall:?}");
                }
            }
        }
    }
}

/// A picture that changes slowly from place to place, so that chroma for several pixels is near that of each.
fn slope(fourcc: FourCc, width: u32, height: u32) -> (Format, Vec<u8>) {
    let format = Format { range: Range::Full, ..Format::packed(fourcc, width, height) };
    let at = |x: u32, y: u32| {
        let low = |value: u32| value.min(255).to_le_bytes()[0];
        [low(60 + x % 640 / 8 + y % 640 / 8), low(110 + x % 640 / 32), low(140 - y % 640 / 32)]
    };
    let rows = 0..height;
    let packed = |order: [usize; 4]| {
        rows.clone()
            .flat_map(|y| (0..width.div_ceil(2)).map(move |x| (2 * x, y)))
            .flat_map(|(x, y)| {
                let all = [at(x, y)[0], at(x, y)[1], at(x + 1, y)[0], at(x, y)[2]];
                order.map(|place| all[place])
            })
            .collect()
    };
    let luma = || rows.clone().flat_map(|y| (0..width).map(move |x| at(x, y)[0]));
    let bytes = match fourcc {
        FourCc::YUYV => packed([0, 1, 2, 3]),
        FourCc::UYVY => packed([1, 0, 3, 2]),
        FourCc::NV12 => {
            let chroma = (0..height.div_ceil(2))
                .flat_map(|y| (0..width.div_ceil(2)).map(move |x| (2 * x, 2 * y)))
                .flat_map(|(x, y)| [at(x, y)[1], at(x, y)[2]]);
            luma().chain(chroma).collect()
        }
        FourCc::GREY => luma().collect(),
        _ => rows.flat_map(|y| (0..width).flat_map(move |x| at(x, y))).collect(),
    };
    (format, bytes)
}

#[test]
fn any_size_is_encoded_whole() {
    let sizes = [
        (1, 1),
        (2, 1),
        (1, 2),
        (3, 5),
        (7, 8),
        (8, 7),
        (15, 16),
        (17, 9),
        (33, 31),
        (50, 48),
        (641, 7),
        (65_535, 1),
        (1, 65_535),
    ];
    for (fourcc, size) in RAW.into_iter().flat_map(|f| sizes.map(|size| (f, size))) {
        let (format, bytes) = slope(fourcc, size.0, size.1);
        let frame = frame(format, &bytes);
        let mut shall = Vec::new();
        to_rgba(&frame, &mut shall).unwrap();
        let jpeg = made(&frame, None);
        assert_eq!(jpeg.size, size, "{fourcc}");
        assert_eq!(eyelet_wire::jpeg::picture_len(&jpeg.bytes), Some(jpeg.bytes.len()));
        if size.0.max(size.1) > 65_500 {
            // More than the decoder takes, and less than JPEG allows.
            continue;
        }
        let (is_size, is) = pixels_of(&jpeg.bytes);
        assert_eq!(is_size, size, "{fourcc}");
        let worst = is.iter().zip(&shall).map(|(is, shall)| is.abs_diff(*shall)).max();
        assert!(worst.unwrap() <= 12, "{fourcc} {size:?}: {worst:?}");
    }
}

#[test]
fn what_is_behind_a_row_is_no_part_of_the_picture() {
    for fourcc in RAW {
        let (format, bytes) = slope(fourcc, 31, 6);
        let whole = made(&frame(format, &bytes), None).bytes;
        let stride = format.stride as usize;
        // Chroma of NV12 has one byte more in a row, as its width is odd.
        let (luma, chroma) = bytes.split_at(stride * 6);
        let pad = |row: &[u8]| [row, &vec![0xEE; stride + 9 - row.len()]].concat();
        let chroma_row = stride.next_multiple_of(2);
        let padded: Vec<u8> =
            luma.chunks(stride).chain(chroma.chunks(chroma_row)).flat_map(pad).collect();
        let format = Format { stride: format.stride + 9, ..format };
        assert_eq!(made(&frame(format, &padded), None).bytes, whole, "{fourcc}");
    }
}

#[test]
fn a_format_that_cannot_be_is_one_error() {
    let mut planes = Planes::default();
    for fourcc in RAW.into_iter().chain([FourCc::RGBA32, FourCc::H264]) {
        for (width, height, stride) in [
            (0, 0, 0),
            (0, 4, 8),
            (4, 0, 8),
            (4, 4, 0),
            (4, 4, 1),
            (4, 4, u32::MAX),
            (u32::MAX, u32::MAX, u32::MAX),
            (u32::MAX, 1, 0),
            (1, u32::MAX, 1),
            (5, 5, 20),
        ] {
            let format = Format { width, height, stride, ..Format::packed(fourcc, 4, 4) };
            assert!(planes.take_apart(&format, &[7; 40]).is_err(), "{format} {stride}");
        }
    }
    let mut too_wide = Planes::default();
    too_wide.reshape((65_536, 1), Sampling::Grey);
    assert!(encode(&too_wide, 80).is_err() && encode(&Planes::default(), 80).is_err());
}

#[test]
fn a_smaller_picture_has_the_mean_of_what_was_there() {
    // Columns of black and white: a pixel that is taken as it is would be one or the other.
    let bytes: Vec<u8> = [0, 255].repeat(64 * 24);
    let format = Format { range: Range::Full, ..Format::packed(FourCc::GREY, 64, 48) };
    let raw = frame(format, &bytes);
    let whole = made(&raw, None);
    let jpeg = frame(Format::packed(FourCc::MJPEG, 64, 48), &whole.bytes);
    for (frame, width) in
        [(&raw, 32), (&raw, 21), (&raw, 16), (&jpeg, 32), (&jpeg, 21), (&jpeg, 16)]
    {
        let (size, pixels) = pixels_of(&made(frame, Some(width)).bytes);
        assert_eq!(size, (width, (width * 3).div_ceil(4)));
        let inner = pixels.chunks(4).skip(width as usize * 4).take(40);
        assert!(inner.clone().all(|pixel| pixel[0].abs_diff(128) < 30), "{width}: {pixels:?}");
        let mean = inner.map(|pixel| u32::from(pixel[0])).sum::<u32>() / 40;
        assert!(mean.abs_diff(128) < 8, "{width}: {mean}");
    }
    assert_eq!(made(&raw, Some(65)).size, (64, 48));
    assert_eq!(made(&jpeg, Some(65)).size, (64, 48));
}

#[test]
fn a_jpeg_of_any_kind_is_decoded() {
    let rgb: Vec<u8> = (0..48 * 32).flat_map(|_| [200, 40, 90]).collect();
    for sampling in [Subsampling::S444, Subsampling::S422, Subsampling::S420, Subsampling::S440] {
        let encoder =
            || libjpeg_turbo_rs::Encoder::new(&rgb, 48, 32, PixelFormat::Rgb).subsampling(sampling);
        for jpeg in [encoder(), encoder().progressive(true), encoder().restart_blocks(2)] {
            let (size, pixels) = pixels_of(&jpeg.encode().unwrap());
            assert_eq!((size, pixels.len()), ((48, 32), 48 * 32 * 4));
            let is_near = |(is, shall): (&u8, &u8)| is.abs_diff(*shall) < 6;
            assert!(pixels[4000..].iter().zip(&[200, 40, 90, 255]).all(is_near), "{sampling:?}");
        }
    }
    let (_, grey) =
        pixels_of(&made(&patch(FourCc::GREY, [99.0; 3], Matrix::Bt601, Range::Full), None).bytes);
    assert_eq!(grey[..4], [99, 99, 99, 255]);
}

#[test]
fn a_damaged_jpeg_is_an_error_or_a_picture_and_never_the_end() {
    let (format, bytes) = slope(FourCc::YUYV, 65, 33);
    let colour = made(&frame(format, &bytes), None).bytes;
    let rgb = vec![90; 40 * 24 * 3];
    let progressive = libjpeg_turbo_rs::Encoder::new(&rgb, 40, 24, PixelFormat::Rgb)
        .progressive(true)
        .encode()
        .unwrap();
    // Xorshift by Marsaglia: the same damage in every run.
    let mut state = 0x1234_5678_9abc_def1_u64;
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % below.max(1) as u64).unwrap()
    };
    let (mut pixels, mut maker, mut errors) = (Vec::new(), JpegMaker::new(80, Some(20)), 0);
    for round in 0..4000 {
        let mut jpeg = if round % 2 == 0 { colour.clone() } else { progressive.clone() };
        for _ in 0..=random(6) {
            let at = random(jpeg.len());
            if jpeg.len() < 4 {
                break;
            }
            match random(5) {
                0 => jpeg.truncate(at.max(2)),
                1 => jpeg[at] ^= 1 << random(8),
                2 => jpeg[at] = 0xff,
                3 => jpeg.insert(at, 0),
                _ => drop(jpeg.remove(at)),
            }
        }
        errors += usize::from(decode(&jpeg, |(width, _)| width, &mut pixels).is_err());
        let frame = frame(Format::packed(FourCc::MJPEG, 65, 33), &jpeg);
        maker.make(&frame).map(drop).unwrap_or_default();
    }
    assert!((400..4000).contains(&errors), "{errors} errors");
    let lies =
        [&[0xff, 0xd8, 0xff, 0xc0, 0, 17, 8, 0xff, 0xff, 0xff, 0xff][..], &colour[23..]].concat();
    assert!(decode(&lies, |(width, _)| width, &mut pixels).is_err());
}
