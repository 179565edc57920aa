use std::time::Duration;

use eyelet_area::{FrameBuilder, Matrix, MonotonicNs};
use eyelet_wire::h264::{Sps, codec, units};
use openh264::decoder::Decoder;
use openh264::formats::YUVSource as _;

use super::*;
use crate::capture::source::Next;
use crate::capture::sources::Opener;
use crate::error::ErrorKind;
use crate::stamp;

const INTERVAL: Duration = Duration::from_nanos(33_333_333);

fn frame(format: Format, bytes: &[u8], number: u64) -> Frame {
    let mut builder = FrameBuilder::new().unwrap();
    builder.write(bytes).unwrap();
    let at = MonotonicNs(1_000_000_000 + number * 33_333_333);
    builder.seal(format, at).unwrap().with_interval(INTERVAL)
}

/// The moving test picture, as if each came a thirtieth of a second after the one before.
fn moving(spec: &str, count: u64) -> impl Iterator<Item = Frame> {
    let mut source = Opener::new(spec.parse().unwrap()).open().unwrap();
    (0..count).map(move |number| {
        loop {
            if let Next::Frame(made) = source.try_next().unwrap() {
                return frame(made.info().format, made.bytes().unwrap(), number);
            }
            std::thread::yield_now();
        }
    })
}

fn luma_of(decoder: &mut Decoder, frame: &Frame) -> (Format, Vec<u8>) {
    let decoded = decoder.decode(frame.bytes().unwrap()).unwrap().expect("no picture is held back");
    let (width, height) = decoded.dimensions();
    let rows = decoded.y().chunks(decoded.strides().0).take(height);
    let luma = rows.flat_map(|row| row[..width].to_vec()).collect();
    let side = |px: usize| u32::try_from(px).unwrap();
    (Format::packed(FourCc::GREY, side(width), side(height)), luma)
}

fn stamp_of(format: &Format, bytes: &[u8]) -> Option<u64> {
    stamp::Layout::for_format(format).unwrap().read_frame(bytes)
}

#[test]
fn the_moving_test_picture_takes_little_and_each_frame_can_be_read() {
    let (mut maker, mut decoder) = (H264Maker::new(H264::default()), Decoder::new().unwrap());
    let (mut bytes, mut keys) = (0, Vec::new());
    for (number, frame) in moving("test:640x480@1000", 150).enumerate() {
        let made = maker.make(&frame, false).unwrap().expect("none is skipped");
        assert_eq!(made.info().captured_at, frame.info().captured_at);
        assert_eq!((made.info().interval, made.info().format.stride), (INTERVAL, 0));
        if made.info().flags.is_key {
            keys.push(number);
        }
        bytes += made.info().len;
        let (grey, luma) = luma_of(&mut decoder, &made);
        let shall = stamp_of(&frame.info().format, frame.bytes().unwrap());
        assert!(shall.is_some());
        assert_eq!(stamp_of(&grey, &luma), shall, "frame {number}");
    }
    assert_eq!(keys, [0, 60, 120]);
    let bits_per_second = bytes * 8 / 5;
    assert!(bits_per_second < 1_500_000, "{bits_per_second}");
}

#[test]
fn a_key_frame_comes_when_it_is_wanted_and_says_all_that_a_decoder_wants_to_know() {
    let mut maker = H264Maker::new(H264::default());
    for (number, frame) in moving("test:160x120@1000?format=NV12", 8).enumerate() {
        let made = maker.make(&frame, number == 5).unwrap().unwrap();
        assert_eq!(made.info().flags.is_key, matches!(number, 0 | 5), "{number}");
        let sps = units(made.bytes().unwrap()).find_map(Sps::parse);
        assert_eq!(sps.is_some(), made.info().flags.is_key);
        let Some(sps) = sps else { continue };
        assert_eq!((sps.width, sps.height, sps.reordered), (160, 120, Some(0)));
        let colour = sps.colour.unwrap();
        assert_eq!((colour.matrix, colour.is_full_range), (6, false));
        assert_eq!(codec(made.bytes().unwrap()).unwrap()[..9], *"avc1.42C0");
        // Whoever comes now can begin here.
        luma_of(&mut Decoder::new().unwrap(), &made);
    }
}

#[test]
fn noise_does_not_exceed_the_rate() {
    let bitrate = 400_000;
    let mut maker = H264Maker::new(H264 { bitrate, ..H264::default() });
    let (mut state, mut bytes, mut made) = (1u32, 0, 0);
    for number in 0..90 {
        let noise: Vec<u8> = std::iter::repeat_with(|| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state.to_be_bytes()[0]
        })
        .take(320 * 240 * 2)
        .collect();
        let frame = frame(Format::packed(FourCc::YUYV, 320, 240), &noise, number);
        if let Some(frame) = maker.make(&frame, false).unwrap() {
            (bytes, made) = (bytes + frame.info().len, made + 1);
        }
    }
    let bits_per_second = bytes * 8 / 3;
    assert!(made >= 3 && bits_per_second < 2 * u64::from(bitrate), "{made}, {bits_per_second}");
}

#[test]
fn colours_stay_whatever_the_camera_gives() {
    let (matrix, range) = (Matrix::Bt709, Range::Full);
    let cases = [
        (Format::packed(FourCc::YUYV, 32, 32), [60, 100, 60, 160].repeat(512), [60, 100, 160]),
        (Format::packed(FourCc::UYVY, 32, 32), [100, 60, 160, 60].repeat(512), [60, 100, 160]),
        (
            Format { matrix, range, ..Format::packed(FourCc::YUYV, 32, 32) },
            [255, 255, 255, 0].repeat(512),
            [235, 240, 16],
        ),
        (Format::packed(FourCc::GREY, 33, 32), vec![90; 33 * 32], [90, 128, 128]),
        // Red.
        (Format::packed(FourCc::RGB24, 32, 34), [255, 0, 0].repeat(32 * 34), [81, 90, 240]),
    ];
    for (format, bytes, shall) in cases {
        let made = H264Maker::new(H264::default()).make(&frame(format, &bytes, 0), false);
        let made = made.unwrap().unwrap();
        let info = made.info().format;
        let has_matrix = if format.fourcc.is_rgb() { Matrix::Bt601 } else { format.matrix };
        assert_eq!((info.width, info.height), (32, format.height));
        assert_eq!((info.matrix, info.range), (has_matrix, Range::Limited), "{format}");
        let mut decoder = Decoder::new().unwrap();
        let decoded = decoder.decode(made.bytes().unwrap()).unwrap().unwrap();
        let is = [decoded.y()[400], decoded.u()[90], decoded.v()[90]];
        let is_near = is.iter().zip(shall).all(|(is, shall)| is.abs_diff(shall) <= 3);
        assert!(is_near, "{format}: {is:?}, not {shall:?}");
    }
}

#[test]
fn a_jpeg_is_decoded_and_a_rendition_is_smaller() {
    let mut jpeg = crate::picture::JpegMaker::new(95, None);
    let mut maker = H264Maker::new(H264 { width: Some(161), ..H264::default() });
    for frame in moving("test:640x480@1000", 2) {
        let picture = jpeg.make(&frame).unwrap();
        let format = Format::packed(FourCc::MJPEG, 640, 480);
        let made = maker.make(&self::frame(format, &picture.bytes, 0), false).unwrap().unwrap();
        assert_eq!((made.info().format.width, made.info().format.height), (160, 120));
        luma_of(&mut Decoder::new().unwrap(), &maker.make(&frame, true).unwrap().unwrap());
    }
}

#[test]
fn a_camera_that_changes_its_size_goes_on_with_a_key_frame() {
    let mut maker = H264Maker::new(H264::default());
    let mut decoder = Decoder::new().unwrap();
    for (side, is_key) in [(32, true), (32, false), (48, true), (32, true)] {
        let format = Format::packed(FourCc::GREY, side, side);
        let bytes = vec![70; (side * side) as usize];
        let made = maker.make(&frame(format, &bytes, 0), false).unwrap().unwrap();
        assert_eq!(made.info().flags.is_key, is_key);
        assert_eq!(luma_of(&mut decoder, &made).0.width, side);
    }
}

#[test]
fn what_cannot_be_encoded_says_why() {
    let mut maker = H264Maker::new(H264::default());
    let mut refusal = |fourcc, width| {
        let format = Format { width, height: 10, ..Format::packed(fourcc, 1, 1) };
        let error = maker.make(&frame(format, &[9; 100], 0), false).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Refused);
        error.to_string()
    };
    assert!(refusal(FourCc::H264, 10).contains("watch its own stream"));
    assert!(refusal(FourCc::GREY, 1).contains("from 16 to 3840 pixels"));
}
