//! H.264 made of frames, by the library OpenH264.
//!
//! Constrained baseline profile, no B frames, one slice on one thread: nothing is held back, and each picture is out when
//! its frame is done. All pictures have limited range, as decoders handle no other so well, and the matrix of the camera.

mod source;
#[cfg(test)]
mod tests;

use std::time::Duration;

use eyelet_area::{Format, FourCc, Frame, Range};
use openh264::encoder::{
    BitRate, Complexity, Encoder, EncoderConfig, FrameRate, FrameType, IntraFramePeriod, Profile,
    RateControlMode, SpsPpsStrategy, UsageType,
};
use openh264::{OpenH264API, Timestamp};

use super::jpeg::decode;
use super::planes::Planes;
use super::scale::Scaler;
use crate::config::stream::{H264, Kind};
use crate::error::{Error, Result};
use crate::h264::{Assumed, FrameMaker};
use source::Source;

/// What the encoder is told where the source's rate is not known.
const DEFAULT_INTERVAL: Duration = Duration::from_millis(33);

/// The smallest and the largest side that the encoder takes, in pixels.
const MIN_SIDE_PX: u32 = 16;
const MAX_SIDE_PX: u32 = 3840;

/// Makes frames of H.264. What it took for one is used again for the next.
pub struct H264Maker {
    wish: H264,
    planes: Planes,
    scaled: Planes,
    scaler: Scaler,
    source: Source,
    /// Of a frame that is a JPEG.
    pixels: Vec<u8>,
    encoder: Option<(Settings, Encoder)>,
    bits: Vec<u8>,
    frames: FrameMaker,
}

/// What an encoder was made for; with anything else there is a new one, and a key frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Settings {
    format: Format,
    interval: Duration,
}

impl H264Maker {
    /// Makes frames as it is wished. The first is a key frame.
    #[must_use]
    pub fn new(wish: H264) -> Self {
        Self {
            wish,
            planes: Planes::default(),
            scaled: Planes::default(),
            scaler: Scaler::default(),
            source: Source::default(),
            pixels: Vec::new(),
            encoder: None,
            bits: Vec::new(),
            frames: FrameMaker::new(Assumed::default()),
        }
    }

    /// Makes a frame with the times of the one that it is made from; a key frame where that is wanted, or due. None where
    /// it would exceed the bit rate; the one after it is made without.
    ///
    /// # Errors
    /// [`Refused`](crate::error::ErrorKind::Refused) if no frame of that format or size can be taken; any other if this
    /// one is damaged, or the encoder fails.
    pub fn make(&mut self, frame: &Frame, wants_key: bool) -> Result<Option<Frame>> {
        let format = self.take_apart(frame)?;
        let interval = Some(frame.info().interval).filter(|interval| !interval.is_zero());
        let settings = Settings { format, interval: interval.unwrap_or(DEFAULT_INTERVAL) };
        if self.encoder.as_ref().is_none_or(|(known, _)| *known != settings) {
            self.encoder = Some((settings, self.open(settings)?));
            let assumed = Assumed { matrix: Some(format.matrix), range: Some(format.range) };
            self.frames = FrameMaker::new(assumed);
        } else if let Some((_, encoder)) = self.encoder.as_mut().filter(|_| wants_key) {
            encoder.force_intra_frame();
        }
        let failed = |e: &dyn std::fmt::Display| Error::failed(format!("failed to encode: {e}"));
        let Some((_, encoder)) = &mut self.encoder else { return Err(failed(&"no encoder")) };
        let at = Timestamp::from_millis(frame.info().captured_at.as_micros() / 1000);
        let encoded = encoder.encode_at(&self.source, at).map_err(|e| failed(&e))?;
        if encoded.frame_type() == FrameType::Skip {
            return Ok(None);
        }
        self.bits.clear();
        encoded.write_vec(&mut self.bits);
        let unit = self.frames.complete(&self.bits).map_err(|e| failed(&e))?;
        let unit = unit.ok_or_else(|| failed(&"the encoder gave no picture"))?;
        let made = unit.seal(frame.info().captured_at)?;
        Ok(Some(made.with_interval(frame.info().interval)))
    }

    /// Makes a source for the encoder of a frame and says what it shows.
    fn take_apart(&mut self, frame: &Frame) -> Result<Format> {
        let Format { fourcc, matrix, range, .. } = frame.info().format;
        let is_rgb = fourcc.is_rgb() || fourcc == FourCc::MJPEG;
        let whole = self.take_planes(frame)?;
        let format = Kind::H264(self.wish).format_of(whole);
        let (least, most) = (format.width.min(format.height), format.width.max(format.height));
        if least < MIN_SIDE_PX || most > MAX_SIDE_PX {
            return Err(Error::refused(format!(
                "H.264 is made of pictures from {MIN_SIDE_PX} to {MAX_SIDE_PX} pixels high and wide, not of {}x{}: add `width=`",
                format.width, format.height
            )));
        }
        let size = (format.width as usize, format.height as usize);
        let is_scaled = self.wish.width.is_some_and(|width| width < whole.0);
        let planes = if is_scaled {
            self.scaler.scale(&self.planes, &mut self.scaled, size)?;
            &mut self.scaled
        } else {
            &mut self.planes
        };
        // What was R'G'B' is as JPEG has it: BT.601 in full range.
        self.source.fill(planes, size, is_rgb || range == Range::Full);
        let matrix = if is_rgb { format.matrix } else { matrix };
        Ok(Format { matrix, range: Range::Limited, ..format })
    }

    /// Takes a frame apart, with the values that it has, and gives its size.
    fn take_planes(&mut self, frame: &Frame) -> Result<(u32, u32)> {
        let format = frame.info().format;
        if format.fourcc == FourCc::H264 {
            let text = "the camera gives H.264 itself: watch its own stream";
            return Err(Error::refused(text));
        }
        if format.fourcc != FourCc::MJPEG {
            self.planes.take_apart_as_is(&format, frame.bytes()?)?;
            return Ok((format.width, format.height));
        }
        let wanted = |whole: (u32, u32)| self.wish.width.unwrap_or(whole.0);
        let decoded = decode(frame.bytes()?, wanted, &mut self.pixels)?;
        let (width, height) = decoded.size;
        let format = Format::packed(FourCc::RGBA32, width, height);
        self.planes.take_apart(&format, &self.pixels)?;
        Ok(decoded.whole)
    }

    fn open(&self, settings: Settings) -> Result<Encoder> {
        #[expect(clippy::cast_possible_truncation, reason = "a rate has few digits")]
        let rate = FrameRate::from_hz((1.0 / settings.interval.as_secs_f64()) as f32);
        let config = EncoderConfig::new()
            .bitrate(BitRate::from_bps(self.wish.bitrate))
            .max_frame_rate(rate)
            .rate_control_mode(RateControlMode::Bitrate)
            // Without, the rate has no bound: a picture that changes all at once takes what it takes.
            .skip_frames(true)
            .usage_type(UsageType::CameraVideoRealTime)
            .complexity(Complexity::Low)
            .profile(Profile::Baseline)
            .sps_pps_strategy(SpsPpsStrategy::ConstantId)
            .intra_frame_period(IntraFramePeriod::from_num_frames(self.wish.gop))
            // Key frames come when they are due or wanted: others cost bits at the worst moment.
            .scene_change_detect(false)
            .num_threads(1);
        Encoder::with_api_config(OpenH264API::from_source(), config)
            .map_err(|e| Error::failed(format!("failed to make an encoder: {e}")))
    }
}

impl std::fmt::Debug for H264Maker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let settings = self.encoder.as_ref().map(|(settings, _)| settings);
        f.debug_struct("H264Maker")
            .field("wish", &self.wish)
            .field("settings", &settings)
            .finish_non_exhaustive()
    }
}
