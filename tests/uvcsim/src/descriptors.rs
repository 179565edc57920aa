//! What the camera says about itself: USB and USB Video Class descriptors.
//!
//! Source: USB 2.0 specification, chapter 9.6; USB Device Class Definition for Video Devices 1.0, chapter 3, and its Frame Based
//! Payload Specification 1.1. All numbers are little-endian.

use crate::options::Transfer;

/// A picture's width and height in pixels.
pub(crate) type Size = (u16, u16);

/// The picture sizes offered; a frame index is a position here plus one.
pub(crate) const SIZES: [Size; 3] = [(640, 480), (320, 240), (1280, 720)];
/// The frame intervals offered, in units of 100 ns: 30, 15 and 10 frames per second.
pub(crate) const INTERVALS: [u32; 3] = [333_333, 666_666, 1_000_000];
/// The format index of YUYV.
pub(crate) const FORMAT_YUYV: u8 = 1;
/// The format index of MJPEG.
pub(crate) const FORMAT_MJPEG: u8 = 2;
/// The format index of H.264, as a "frame based" format of class version 1.1.
pub(crate) const FORMAT_H264: u8 = 3;

/// The number of the interface with the camera's controls.
pub(crate) const CONTROL_INTERFACE: u8 = 0;
/// The number of the interface with the pictures.
pub(crate) const STREAMING_INTERFACE: u8 = 1;
/// The unit with brightness and contrast.
pub(crate) const PROCESSING_UNIT: u8 = 2;
/// Bytes that one isochronous slot of 125 µs carries: three transactions of 1024, the most that high speed has.
pub(crate) const ISOCHRONOUS_BYTES: u16 = 3 * 1024;

const CAMERA_TERMINAL: u8 = 1;
const OUTPUT_TERMINAL: u8 = 3;
/// Endpoint 1, towards the host.
const ENDPOINT: u8 = 0x81;
/// The kind of a class-specific descriptor of an interface.
const CS_INTERFACE: u8 = 0x24;
const VIDEO_CLASS: u8 = 0x0e;
/// The format's identifier: "YUY2" and the tail that all such identifiers share.
const YUY2_GUID: [u8; 16] = *b"YUY2\x00\x00\x10\x00\x80\x00\x00\xaa\x00\x38\x9b\x71";
const H264_GUID: [u8; 16] = *b"H264\x00\x00\x10\x00\x80\x00\x00\xaa\x00\x38\x9b\x71";
/// The kind of the descriptor of a frame in a frame based format, in which two fields stand elsewhere.
const FRAME_BASED: u8 = 0x11;

/// The device descriptor: high speed, one configuration, classes given by its interfaces.
pub(crate) fn device() -> Vec<u8> {
    let mut out = vec![18, 1];
    put16(&mut out, 0x0200); // USB 2.0
    out.extend([0xef, 2, 1, 64]); // an interface association is used; 64 bytes on endpoint 0
    put16(&mut out, 0x1d6b); // the Linux Foundation: for simulated devices
    put16(&mut out, 0x0102); // its video gadget
    put16(&mut out, 0x0100);
    out.extend([1, 2, 3, 1]); // strings: maker, product, serial; one configuration
    out
}

/// The text with number `index`; none if there is no such string.
pub(crate) fn string(index: u8, serial: &str) -> Option<Vec<u8>> {
    let text = match index {
        0 => return Some(vec![4, 3, 0x09, 0x04]), // the languages: English (US)
        1 => "Eyelet",
        2 => "UVC Simulator",
        3 => serial,
        _ => return None,
    };
    // A descriptor has at most 255 bytes: 126 UTF-16 units.
    let units: Vec<u8> = text.encode_utf16().take(126).flat_map(u16::to_le_bytes).collect();
    let mut out = vec![byte(2 + units.len()), 3];
    out.extend(units);
    Some(out)
}

/// The whole configuration: both interfaces with everything below them.
pub(crate) fn configuration(transfer: Transfer) -> Vec<u8> {
    let mut body = vec![8, 0x0b, CONTROL_INTERFACE, 2, VIDEO_CLASS, 3, 0, 2]; // both belong together
    put_interface(&mut body, CONTROL_INTERFACE, 0, 0, 1);
    body.extend(control_interface());
    match transfer {
        Transfer::Bulk => {
            put_interface(&mut body, STREAMING_INTERFACE, 0, 1, 2);
            body.extend(streaming_interface());
            put_endpoint(&mut body, 2, 512, 0);
        }
        Transfer::Isochronous => {
            // Alternate setting 0 reserves no bandwidth; setting 1 does and starts the stream.
            put_interface(&mut body, STREAMING_INTERFACE, 0, 0, 2);
            body.extend(streaming_interface());
            put_interface(&mut body, STREAMING_INTERFACE, 1, 1, 2);
            put_endpoint(&mut body, 5, 0x1400, 1); // asynchronous; 1024 bytes, three per slot; each slot
        }
    }
    let mut out = vec![9, 2];
    put16(&mut out, word(9 + body.len()));
    out.extend([2, 1, 0, 0x80, 250]); // two interfaces, configuration 1, bus powered, 500 mA
    out.extend(body);
    out
}

/// The control interface: camera, then brightness and contrast, then the way to the host.
fn control_interface() -> Vec<u8> {
    let mut units = vec![18, CS_INTERFACE, 2, CAMERA_TERMINAL];
    put16(&mut units, 0x0201); // a camera
    units.extend([0, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0]); // no zoom, no controls
    units.extend([11, CS_INTERFACE, 5, PROCESSING_UNIT, CAMERA_TERMINAL, 0, 0, 2, 0x03, 0, 0]);
    units.extend([9, CS_INTERFACE, 3, OUTPUT_TERMINAL]);
    put16(&mut units, 0x0101); // the USB stream
    units.extend([0, PROCESSING_UNIT, 0]);

    let mut out = vec![13, CS_INTERFACE, 1];
    put16(&mut out, 0x0100); // class version 1.0
    put16(&mut out, word(13 + units.len()));
    put32(&mut out, 48_000_000); // the camera's clock, in Hz
    out.extend([1, STREAMING_INTERFACE]);
    out.extend(units);
    out
}

/// The streaming interface: the formats with all their sizes and rates.
fn streaming_interface() -> Vec<u8> {
    let count = byte(SIZES.len());
    let colours = [6, CS_INTERFACE, 0x0d, 1, 1, 4]; // sRGB, transfer BT.709, matrix BT.601
    let mut formats = vec![27, CS_INTERFACE, 4, FORMAT_YUYV, count];
    formats.extend(YUY2_GUID);
    formats.extend([16, 1, 0, 0, 0, 0]); // bits per pixel; the default frame
    put_frames(&mut formats, 5);
    formats.extend(colours);
    formats.extend([11, CS_INTERFACE, 6, FORMAT_MJPEG, count, 1, 1, 0, 0, 0, 0]);
    put_frames(&mut formats, 7);
    formats.extend(colours);
    formats.extend([28, CS_INTERFACE, 0x10, FORMAT_H264, count]);
    formats.extend(H264_GUID);
    formats.extend([16, 1, 0, 0, 0, 0, 1]); // bits per pixel; the default frame; frames vary in length
    put_frames(&mut formats, FRAME_BASED);
    formats.extend(colours);

    let header = 13 + 3; // and one byte of controls for each format
    let mut out = vec![byte(header), CS_INTERFACE, 1, 3];
    put16(&mut out, word(header + formats.len()));
    out.extend([ENDPOINT, 0, OUTPUT_TERMINAL, 0, 0, 0, 1, 0, 0, 0]);
    out.extend(formats);
    out
}

/// The frame descriptors of one format; `kind` is 5 for uncompressed, 7 for MJPEG, or [`FRAME_BASED`].
fn put_frames(out: &mut Vec<u8>, kind: u8) {
    for (index, &size) in (1..).zip(&SIZES) {
        let bytes = frame_bytes(size);
        out.extend([byte(26 + 4 * INTERVALS.len()), CS_INTERFACE, kind, index, 0]);
        put16(out, size.0);
        put16(out, size.1);
        put32(out, bytes * 8 * 10); // bits per second at the lowest rate
        put32(out, bytes * 8 * 30); // and at the highest
        if kind != FRAME_BASED {
            put32(out, bytes);
        }
        put32(out, INTERVALS[0]);
        out.push(byte(INTERVALS.len()));
        if kind == FRAME_BASED {
            put32(out, 0); // bytes in a row: there are none
        }
        for interval in INTERVALS {
            put32(out, interval);
        }
    }
}

/// The most bytes one frame takes: two per pixel, in any format.
pub(crate) fn frame_bytes((width, height): Size) -> u32 {
    u32::from(width) * u32::from(height) * 2
}

fn put_interface(out: &mut Vec<u8>, number: u8, setting: u8, endpoints: u8, subclass: u8) {
    // The text of the control interface is the product's name.
    let text = if number == CONTROL_INTERFACE { 2 } else { 0 };
    out.extend([9, 4, number, setting, endpoints, VIDEO_CLASS, subclass, 0, text]);
}

fn put_endpoint(out: &mut Vec<u8>, attributes: u8, packet_size: u16, interval: u8) {
    out.extend([7, 5, ENDPOINT, attributes]);
    put16(out, packet_size);
    out.push(interval);
}

fn put16(out: &mut Vec<u8>, value: u16) {
    out.extend(value.to_le_bytes());
}

fn put32(out: &mut Vec<u8>, value: u32) {
    out.extend(value.to_le_bytes());
}

fn byte(len: usize) -> u8 {
    u8::try_from(len).expect("a descriptor is shorter than 256 bytes")
}

fn word(len: usize) -> u16 {
    u16::try_from(len).expect("a configuration is shorter than 64 KiB")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The descriptors in a row, cut by their first byte; panics if the lengths do not add up.
    fn split(mut bytes: &[u8]) -> Vec<&[u8]> {
        let mut parts = Vec::new();
        while let Some(&len) = bytes.first() {
            let (part, rest) = bytes.split_at(usize::from(len));
            parts.push(part);
            bytes = rest;
        }
        parts
    }

    fn get16(bytes: &[u8], at: usize) -> u16 {
        u16::from_le_bytes([bytes[at], bytes[at + 1]])
    }

    #[test]
    fn device_descriptor_has_its_length() {
        let bytes = device();
        assert_eq!((bytes.len(), bytes[0], bytes[1]), (18, 18, 1));
    }

    #[test]
    fn configuration_lengths_add_up() {
        for transfer in [Transfer::Isochronous, Transfer::Bulk] {
            let bytes = configuration(transfer);
            assert_eq!(usize::from(get16(&bytes, 2)), bytes.len());
            let parts = split(&bytes);
            // The two class headers announce the length of everything class-specific after them.
            for (at, part) in parts.iter().enumerate() {
                if part[1] == CS_INTERFACE && part[2] == 1 {
                    let announced = usize::from(get16(part, if part.len() == 13 { 5 } else { 4 }));
                    let follow =
                        parts[at..].iter().take_while(|p| p[1] == CS_INTERFACE).map(|p| p.len());
                    assert_eq!(announced, follow.sum::<usize>());
                }
            }
        }
    }

    #[test]
    fn each_transfer_has_one_endpoint_of_its_kind() {
        for (transfer, attributes, packet) in
            [(Transfer::Isochronous, 5, 0x1400), (Transfer::Bulk, 2, 512)]
        {
            let bytes = configuration(transfer);
            let endpoints: Vec<_> = split(&bytes).into_iter().filter(|p| p[1] == 5).collect();
            assert_eq!(endpoints.len(), 1);
            assert_eq!((endpoints[0][2], endpoints[0][3]), (ENDPOINT, attributes));
            assert_eq!(get16(endpoints[0], 4), packet);
        }
    }

    #[test]
    fn all_formats_offer_all_sizes() {
        let bytes = configuration(Transfer::Isochronous);
        for kind in [5, 7, FRAME_BASED] {
            let sizes: Vec<Size> = split(&bytes)
                .into_iter()
                .filter(|p| p.len() == 38 && p[1] == CS_INTERFACE && p[2] == kind)
                .map(|p| (get16(p, 5), get16(p, 7)))
                .collect();
            assert_eq!(sizes, SIZES);
        }
    }

    #[test]
    fn strings_are_utf16_with_their_length() {
        assert_eq!(string(3, "Aé").unwrap(), [6, 3, b'A', 0, 0xe9, 0]);
        assert_eq!(string(3, &"x".repeat(300)).unwrap().len(), 254);
        assert_eq!(string(4, ""), None);
    }
}
