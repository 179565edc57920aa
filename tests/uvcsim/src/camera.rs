//! The camera's answers to control requests: descriptors, stream settings, brightness and contrast.
//!
//! Source: USB 2.0 specification, 9.4; USB Device Class Definition for Video Devices 1.0, 4.2 and 4.3.

use std::time::{Duration, Instant};

use crate::descriptors::{
    self, CONTROL_INTERFACE, FORMAT_H264, FORMAT_MJPEG, FORMAT_YUYV, INTERVALS, ISOCHRONOUS_BYTES,
    PROCESSING_UNIT, SIZES, STREAMING_INTERFACE,
};
use crate::options::{Options, Transfer};
use crate::payload::Stream;
use crate::picture::{Album, Kind};
use crate::usbip::{STALL, Setup};

/// Bytes of picture data that one bulk payload carries at most.
pub(crate) const BULK_BYTES: u16 = 16 * 1024;

const SET_CUR: u8 = 0x01;
const GET_CUR: u8 = 0x81;
const GET_MIN: u8 = 0x82;
const GET_MAX: u8 = 0x83;
const GET_RES: u8 = 0x84;
const GET_LEN: u8 = 0x85;
const GET_INFO: u8 = 0x86;
const GET_DEF: u8 = 0x87;
/// What `GET_INFO` says of every control here: it can be read and set.
const READ_WRITE: u8 = 3;
/// The control that makes the probed settings the real ones.
const COMMIT: u8 = 2;
/// The ranges of brightness and contrast; the driver reads contrast as an unsigned number.
const LEVELS: [(i16, i16); 2] = [(-64, 64), (0, 64)];

/// The stream settings that host and camera agree upon (`VS_PROBE_CONTROL`, UVC 1.0: 26 bytes).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Settings {
    format: u8,
    frame: u8,
    interval: u32,
}

impl Settings {
    const BYTES: u8 = 26;
    const DEFAULT: Self = Self { format: FORMAT_YUYV, frame: 1, interval: INTERVALS[0] };

    /// The nearest settings that the camera has to what the host asks for. Missing bytes keep their value.
    fn nearest(self, asked: &[u8]) -> Self {
        let interval = match asked.get(4..8) {
            Some(&[a, b, c, d]) => u32::from_le_bytes([a, b, c, d]),
            _ => self.interval,
        };
        let format = asked.get(2).copied().unwrap_or(self.format);
        let frame = asked.get(3).copied().unwrap_or(self.frame);
        let last = u8::try_from(SIZES.len()).expect("a handful of sizes");
        Self {
            format: format.clamp(FORMAT_YUYV, FORMAT_H264),
            frame: frame.clamp(1, last),
            interval: *INTERVALS
                .iter()
                .min_by_key(|offered| offered.abs_diff(interval))
                .expect("there are intervals"),
        }
    }

    fn size(self) -> descriptors::Size {
        SIZES[usize::from(self.frame) - 1]
    }

    fn to_bytes(self, transfer: Transfer) -> Vec<u8> {
        let payload = match transfer {
            Transfer::Isochronous => ISOCHRONOUS_BYTES,
            Transfer::Bulk => BULK_BYTES,
        };
        let mut out = vec![0, 0, self.format, self.frame];
        out.extend(self.interval.to_le_bytes());
        out.resize(18, 0);
        out.extend(descriptors::frame_bytes(self.size()).to_le_bytes());
        out.extend(u32::from(payload).to_le_bytes());
        out
    }
}

/// The camera's state.
#[derive(Debug)]
pub(crate) struct Camera {
    options: Options,
    probed: Settings,
    committed: Settings,
    /// Brightness and contrast.
    levels: [i16; LEVELS.len()],
    stream: Option<Stream>,
    /// The pictures of the last stream.
    album: Option<Album>,
}

impl Camera {
    /// A camera as it is after power on.
    pub(crate) fn new(options: Options) -> Self {
        let settings = Settings::DEFAULT;
        Self {
            options,
            probed: settings,
            committed: settings,
            levels: [0; LEVELS.len()],
            stream: None,
            album: None,
        }
    }

    /// Appends one payload that is due at `now`; returns its length, 0 if nothing is due or no stream is started.
    pub(crate) fn put_payload(&mut self, out: &mut Vec<u8>, capacity: usize, now: Instant) -> u32 {
        self.stream.as_mut().map_or(0, |stream| stream.put_payload(out, capacity, now))
    }

    /// Answers a control request; the error is a status for the host.
    pub(crate) fn control(&mut self, setup: Setup, data: &[u8]) -> Result<Vec<u8>, i32> {
        let [low, high] = setup.index.to_le_bytes();
        let mut answer = match (setup.kind, setup.request) {
            (0xa1, request) if low == STREAMING_INTERFACE => self.read_settings(setup, request),
            (0x21, SET_CUR) if low == STREAMING_INTERFACE => {
                self.write_settings(setup, data);
                Ok(vec![])
            }
            (0xa1, request) if (low, high) == (CONTROL_INTERFACE, PROCESSING_UNIT) => {
                self.read_level(setup, request)
            }
            (0x21, SET_CUR) if (low, high) == (CONTROL_INTERFACE, PROCESSING_UNIT) => {
                self.write_level(setup, data)
            }
            // The cause of the last refused request: "invalid control", as nothing else is refused.
            (0xa1, GET_CUR) if (low, high) == (CONTROL_INTERFACE, 0) => Ok(vec![6]),
            _ => self.standard(setup),
        }?;
        answer.truncate(setup.len.into());
        Ok(answer)
    }

    /// The requests that every USB device knows.
    fn standard(&mut self, setup: Setup) -> Result<Vec<u8>, i32> {
        let [index, kind] = setup.value.to_le_bytes();
        match (setup.kind, setup.request) {
            (0x80, 6) => match kind {
                1 => Ok(descriptors::device()),
                2 => Ok(descriptors::configuration(self.options.transfer)),
                3 => descriptors::string(index, &self.options.serial).ok_or(STALL),
                _ => Err(STALL),
            },
            (0x80..=0x82, 0) => Ok(vec![0, 0]), // status: nothing special
            (0x80, 8) => Ok(vec![1]),           // the current configuration
            (0x81, 10) => Ok(vec![0]),          // the current alternate setting
            (0x00, 9) => Ok(vec![]),            // set the configuration
            (0x01, 11) => {
                // Alternate setting: how an isochronous stream is started and stopped.
                if setup.index == u16::from(STREAMING_INTERFACE) {
                    self.stop();
                    if setup.value == 1 {
                        self.start();
                    }
                }
                Ok(vec![])
            }
            (0x02, 1) => {
                // The endpoint's halt is cleared: how the driver ends a bulk stream.
                self.stop();
                Ok(vec![])
            }
            _ => Err(STALL),
        }
    }

    fn read_settings(&self, setup: Setup, request: u8) -> Result<Vec<u8>, i32> {
        let is_commit = setup.value.to_be_bytes()[0] == COMMIT;
        let settings = match request {
            GET_LEN => return Ok(vec![Settings::BYTES, 0]),
            GET_INFO => return Ok(vec![READ_WRITE]),
            GET_CUR if is_commit => self.committed,
            GET_CUR | GET_MIN | GET_MAX => self.probed,
            GET_DEF => Settings::DEFAULT,
            _ => return Err(STALL),
        };
        Ok(settings.to_bytes(self.options.transfer))
    }

    fn write_settings(&mut self, setup: Setup, data: &[u8]) {
        self.probed = self.probed.nearest(data);
        if setup.value.to_be_bytes()[0] == COMMIT {
            self.committed = self.probed;
            if self.options.transfer == Transfer::Bulk {
                self.stop();
                self.start(); // a bulk camera has no alternate setting to wait for
            }
        }
    }

    fn read_level(&self, setup: Setup, request: u8) -> Result<Vec<u8>, i32> {
        let index = level_index(setup)?;
        let (least, most) = LEVELS[index];
        let value: i16 = match request {
            GET_LEN => return Ok(vec![2, 0]),
            GET_INFO => return Ok(vec![READ_WRITE]),
            GET_CUR => self.levels[index],
            GET_MIN => least,
            GET_MAX => most,
            GET_RES => 1,
            GET_DEF => 0,
            _ => return Err(STALL),
        };
        Ok(value.to_le_bytes().to_vec())
    }

    fn write_level(&mut self, setup: Setup, data: &[u8]) -> Result<Vec<u8>, i32> {
        let index = level_index(setup)?;
        let &[low, high, ..] = data else { return Err(STALL) };
        let (least, most) = LEVELS[index];
        self.levels[index] = i16::from_le_bytes([low, high]).clamp(least, most);
        Ok(vec![])
    }

    fn start(&mut self) {
        let Settings { format, interval, .. } = self.committed;
        let size = self.committed.size();
        let name = match format {
            FORMAT_MJPEG => "MJPEG",
            FORMAT_H264 => "H.264",
            _ => "YUYV",
        };
        eprintln!("uvcsim: stream of {name} {}x{} starts", size.0, size.1);
        let kind = Kind { format, size, huffman: self.options.huffman };
        let interval = Duration::from_nanos(u64::from(interval) * 100);
        self.stream = Some(Stream::start(kind, interval, &self.options, self.album.take()));
    }

    fn stop(&mut self) {
        if let Some(stream) = self.stream.take() {
            let (frames, album) = stream.stop();
            self.album = album;
            eprintln!("uvcsim: stream stops after {frames} frames");
        }
    }
}

/// Which of [`LEVELS`] a request means: brightness has the selector 2, contrast 3.
fn level_index(setup: Setup) -> Result<usize, i32> {
    match setup.value.to_be_bytes()[0] {
        2 => Ok(0),
        3 => Ok(1),
        _ => Err(STALL),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setup(kind: u8, request: u8, value: u16, index: u16, len: u16) -> Setup {
        Setup { kind, request, value, index, len }
    }

    fn camera(transfer: Transfer) -> Camera {
        Camera::new(Options { transfer, ..Options::default() })
    }

    #[test]
    fn descriptors_are_cut_to_what_the_host_takes() {
        let mut camera = camera(Transfer::Isochronous);
        let head = camera.control(setup(0x80, 6, 0x200, 0, 9), &[]).unwrap();
        let whole = camera.control(setup(0x80, 6, 0x200, 0, 4096), &[]).unwrap();
        assert_eq!((head.len(), &whole[..9]), (9, &head[..]));
        assert_eq!(camera.control(setup(0x80, 6, 0x600, 0, 10), &[]), Err(STALL));
    }

    #[test]
    fn probe_answers_the_nearest_settings() {
        let mut camera = camera(Transfer::Isochronous);
        let mut asked = vec![0, 0, 9, 3];
        asked.extend(600_000_u32.to_le_bytes());
        asked.resize(26, 0);
        camera.control(setup(0x21, SET_CUR, 0x100, 1, 26), &asked).unwrap();
        let answer = camera.control(setup(0xa1, GET_CUR, 0x100, 1, 26), &[]).unwrap();
        assert_eq!((answer.len(), answer[2], answer[3]), (26, FORMAT_H264, 3));
        assert_eq!(answer[4..8], 666_666_u32.to_le_bytes());
        assert_eq!(answer[18..22], (1280 * 720 * 2_u32).to_le_bytes());
        assert_eq!(answer[22..26], 3072_u32.to_le_bytes());
        // Nothing is committed yet.
        let committed = camera.control(setup(0xa1, GET_CUR, 0x200, 1, 26), &[]).unwrap();
        assert_eq!((committed[2], committed[3]), (FORMAT_YUYV, 1));
    }

    #[test]
    fn isochronous_stream_follows_the_alternate_setting() {
        let mut camera = camera(Transfer::Isochronous);
        camera.control(setup(0x21, SET_CUR, 0x200, 1, 26), &[]).unwrap();
        assert!(camera.stream.is_none());
        camera.control(setup(0x01, 11, 1, 1, 0), &[]).unwrap();
        assert!(camera.stream.is_some());
        camera.control(setup(0x01, 11, 0, 1, 0), &[]).unwrap();
        assert!(camera.stream.is_none());
    }

    #[test]
    fn bulk_stream_lasts_from_commit_to_clear_halt() {
        let mut camera = camera(Transfer::Bulk);
        camera.control(setup(0x21, SET_CUR, 0x200, 1, 26), &[]).unwrap();
        assert!(camera.stream.is_some());
        camera.control(setup(0x02, 1, 0, 0x81, 0), &[]).unwrap();
        assert!(camera.stream.is_none());
    }

    #[test]
    fn levels_are_kept_apart_and_in_range() {
        let mut camera = camera(Transfer::Isochronous);
        camera.control(setup(0x21, SET_CUR, 0x200, 0x200, 2), &12_i16.to_le_bytes()).unwrap();
        camera.control(setup(0x21, SET_CUR, 0x300, 0x200, 2), &(-999_i16).to_le_bytes()).unwrap();
        let mut level = |selector| camera.control(setup(0xa1, GET_CUR, selector, 0x200, 2), &[]);
        assert_eq!(level(0x200).unwrap(), 12_i16.to_le_bytes());
        assert_eq!(level(0x300).unwrap(), [0, 0]);
        assert_eq!(level(0x400), Err(STALL));
        assert_eq!(level(0x100), Err(STALL));
    }
}
