//! `jpeg`, `small=jpeg:front?quality=60&width=320`, `rgba`, `h264?bitrate=500k`: streams that are made from a camera's,
//! in words.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

use eyelet_area::{Format, FourCc};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// Quality of a JPEG that nobody chose one for: what people take for the original at a tenth of its bytes.
pub const DEFAULT_QUALITY: u8 = 80;

/// Smallest width of a rendition, in pixels: one block of a JPEG with halved chroma. ITU-T T.81 A.2.
pub const MIN_WIDTH: u32 = 16;

/// A stream that is made from a camera's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Derived {
    /// What viewers and the status call it; no camera and no other stream has the name.
    pub name: String,
    /// The id of the area that it is made from: a camera's, or one that a mule owns.
    pub of: usize,
    /// What is made of its frames.
    pub kind: Kind,
}

/// What is made of a camera's frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// One JPEG picture for each frame. Frames that are one already pass as they are, unless a width is asked for.
    Jpeg {
        /// From 1, small, to 100, large; 80 by default.
        quality: u8,
        /// Pixels in a row, the height in proportion; never more than the camera's. As the camera by default.
        width: Option<u32>,
    },
    /// Red, green, blue and 255, 8 bits each: what a canvas takes.
    Rgba,
    /// H.264, for where the bandwidth is small. Only in a program that was built with the feature `h264`.
    H264(H264),
}

/// How H.264 is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct H264 {
    /// Bits in a second, in the mean.
    pub bitrate: u32,
    /// As that of a JPEG.
    pub width: Option<u32>,
    /// Frames from one key frame to the next, unless one is wanted before.
    pub gop: u32,
}

impl Default for H264 {
    fn default() -> Self {
        Self { bitrate: 1_000_000, width: None, gop: 60 }
    }
}

impl Kind {
    /// JPEG as it is made when nobody says how.
    pub const JPEG: Self = Self::Jpeg { quality: DEFAULT_QUALITY, width: None };

    fn is_full_size_jpeg(self) -> bool {
        matches!(self, Self::Jpeg { width: None, .. })
    }

    /// Names it as the status does, without its size.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Jpeg { .. } => "jpeg",
            Self::Rgba => "rgba",
            Self::H264(_) => "h264",
        }
    }

    /// The pixel format of what is made.
    #[must_use]
    pub fn fourcc(self) -> FourCc {
        match self {
            Self::Jpeg { .. } => FourCc::MJPEG,
            Self::Rgba => FourCc::RGBA32,
            Self::H264(_) => FourCc::H264,
        }
    }

    /// The quality of its JPEG pictures.
    #[must_use]
    pub fn quality(self) -> Option<u8> {
        match self {
            Self::Jpeg { quality, .. } => Some(quality),
            Self::Rgba | Self::H264(_) => None,
        }
    }

    /// The width of a rendition; none where the picture keeps its size.
    #[must_use]
    pub fn width(self) -> Option<u32> {
        match self {
            Self::Jpeg { width, .. } | Self::H264(H264 { width, .. }) => width,
            Self::Rgba => None,
        }
    }

    /// Width and height of what is made of a picture: in proportion, and never larger than the original. Those of H.264
    /// are even.
    #[must_use]
    pub fn size_of(self, whole: (u32, u32)) -> (u32, u32) {
        let (width, height) = self.proportional(whole);
        match self {
            Self::H264(_) => (width & !1, height & !1),
            Self::Jpeg { .. } | Self::Rgba => (width, height),
        }
    }

    fn proportional(self, (width, height): (u32, u32)) -> (u32, u32) {
        match self.width().filter(|wanted| *wanted < width) {
            None => (width, height),
            Some(wanted) => {
                let (w, h) = (u64::from(width), u64::from(height));
                let scaled = (h * u64::from(wanted) + w / 2) / w;
                (wanted, u32::try_from(scaled).unwrap_or(height).max(1))
            }
        }
    }

    /// What a frame is that is made of a picture of this size.
    #[must_use]
    pub fn format_of(self, size: (u32, u32)) -> Format {
        let (width, height) = self.size_of(size);
        Format::packed(self.fourcc(), width, height)
    }
}

/// Says the kind as it ends a name: `jpeg`, `jpeg-320`, `rgba`, `h264`.
impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Jpeg { width: None, .. } => f.write_str("jpeg"),
            Self::Jpeg { width: Some(width), .. } => write!(f, "jpeg-{width}"),
            Self::Rgba => f.write_str("rgba"),
            Self::H264(H264 { width: None, .. }) => f.write_str("h264"),
            Self::H264(H264 { width: Some(width), .. }) => write!(f, "h264-{width}"),
        }
    }
}

/// One `--stream`, as it was written: its camera is a name still.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    name: Option<String>,
    camera: Option<String>,
    kind: Kind,
}

const FORM: &str = "write [NAME=]KIND[:CAMERA], KIND being jpeg, rgba or h264, as `jpeg`, `small=jpeg:camera?quality=60&width=320`, `h264?bitrate=500k`";

/// What to do where H.264 is asked for and cannot be made.
#[cfg(not(feature = "h264"))]
pub(crate) const NOT_BUILT: &str = "this program was built without an encoder for H.264; build it with `cargo build --release --features h264`, which needs a C++ compiler, and see docs/guide/h264.md about patents";

/// Bits in a second of the least and the most H.264 that is worth making.
const BITRATES: RangeInclusive<u32> = 50_000..=50_000_000;

/// Most frames from one key frame to the next.
const MAX_GOP: u32 = 3000;

impl FromStr for Wish {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (place, options) = text.split_once('?').unwrap_or((text, ""));
        let (name, place) = match place.split_once('=') {
            Some((name, place)) => (Some(name.to_owned()), place),
            None => (None, place),
        };
        let (kind, camera) = match place.split_once(':') {
            Some((kind, camera)) => (kind, Some(camera.to_owned())),
            None => (place, None),
        };
        let mut kind = match kind {
            "jpeg" => Kind::JPEG,
            "rgba" => Kind::Rgba,
            #[cfg(feature = "h264")]
            "h264" => Kind::H264(H264::default()),
            #[cfg(not(feature = "h264"))]
            "h264" => return Err(Error::usage(format!("`{text}`: {NOT_BUILT}"))),
            _ => return Err(Error::usage(format!("`{text}` is no stream: {FORM}"))),
        };
        for option in options.split('&').filter(|option| !option.is_empty()) {
            set(&mut kind, option, text)?;
        }
        Ok(Self { name, camera, kind })
    }
}

fn set(kind: &mut Kind, option: &str, text: &str) -> Result<()> {
    let (key, value) = option.split_once('=').unwrap_or((option, ""));
    let known = match (kind, key) {
        (Kind::Jpeg { width, .. } | Kind::H264(H264 { width, .. }), "width") => {
            *width = Some(pixels(value, text)?);
            return Ok(());
        }
        (Kind::Jpeg { quality, .. }, "quality") => {
            *quality = number(value, 1..=100)
                .and_then(|quality| u8::try_from(quality).ok())
                .ok_or_else(|| wrong("quality", text, "1 to 100", value))?;
            return Ok(());
        }
        (Kind::H264(h264), "bitrate") => {
            h264.bitrate = bits(value).ok_or_else(|| {
                wrong("bitrate", text, "50k to 50M bits in a second, as `800k` or `1M`", value)
            })?;
            return Ok(());
        }
        (Kind::H264(h264), "gop") => {
            let range = format!("1 to {MAX_GOP} frames from key frame to key frame");
            h264.gop =
                number(value, 1..=MAX_GOP).ok_or_else(|| wrong("gop", text, &range, value))?;
            return Ok(());
        }
        (Kind::Jpeg { .. }, _) => "there are quality and width",
        (Kind::H264(_), _) => "there are bitrate, width and gop",
        (Kind::Rgba, _) => "a stream of rgba has no options",
    };
    Err(Error::usage(format!("`{key}` in `{text}` is no option of a stream: {known}")))
}

fn wrong(key: &str, text: &str, range: &str, value: &str) -> Error {
    Error::usage(format!("{key} in `{text}` takes {range}, not `{value}`"))
}

fn number(value: &str, range: RangeInclusive<u32>) -> Option<u32> {
    value.parse().ok().filter(|number| range.contains(number))
}

fn pixels(value: &str, text: &str) -> Result<u32> {
    let range = format!("{MIN_WIDTH} to {} pixels", Format::MAX_SIDE_PX);
    number(value, MIN_WIDTH..=Format::MAX_SIDE_PX)
        .ok_or_else(|| wrong("width", text, &range, value))
}

/// Reads `800000`, `800k`, `1M`.
fn bits(value: &str) -> Option<u32> {
    let (digits, unit) = match value.split_at_checked(value.len().checked_sub(1)?)? {
        (digits, "k") => (digits, 1000),
        (digits, "M") => (digits, 1_000_000),
        _ => (value, 1),
    };
    let bits = digits.parse::<u32>().ok()?.checked_mul(unit)?;
    BITRATES.contains(&bits).then_some(bits)
}

impl Wish {
    /// Checks that what it is made from is there: a camera, or what a mule shows.
    ///
    /// # Errors
    /// A usage error that names what is there.
    pub fn check_camera(&self, cameras: &[&str], mules: &[&str]) -> Result<()> {
        let Some(camera) = &self.camera else { return Ok(()) };
        if cameras.iter().chain(mules).any(|known| known == camera) {
            return Ok(());
        }
        let names = cameras.iter().chain(mules).map(|name| format!("`{name}`"));
        let names = names.collect::<Vec<_>>().join(", ");
        Err(Error::usage(format!("names a camera `{camera}` that is not there: there is {names}")))
    }
}

/// Finds the cameras of what was asked for, by which [`Wish::check_camera`] has been passed, and adds a JPEG in full size
/// for each camera that has none; what a mule shows in an area of its own counts as a camera.
///
/// The order is that of the area ids, which go on behind the cameras'; behind them come the mules' areas.
#[must_use]
pub fn derive<'a>(
    wishes: impl Iterator<Item = &'a Wish>,
    cameras: &[&str],
    mules: &[&str],
) -> Vec<Derived> {
    let names: Vec<&str> = cameras.iter().chain(mules).copied().collect();
    let mut streams = Vec::new();
    for Wish { name, camera, kind } in wishes {
        let named = camera.as_ref().and_then(|camera| names.iter().position(|n| n == camera));
        let (of, kind) = (named.unwrap_or(0), *kind);
        let name = name.clone().unwrap_or_else(|| default_name(&names, of, kind));
        streams.push(Derived { name, of, kind });
    }
    for of in 0..names.len() {
        let is_it = |stream: &Derived| stream.of == of && stream.kind.is_full_size_jpeg();
        if !streams.iter().any(is_it) {
            let kind = Kind::JPEG;
            streams.push(Derived { name: default_name(&names, of, kind), of, kind });
        }
    }
    // Until here they count among those that are shown; a mule's area comes behind all of these streams.
    let before_mules = streams.len();
    for stream in streams.iter_mut().filter(|stream| stream.of >= cameras.len()) {
        stream.of += before_mules;
    }
    streams
}

fn default_name(names: &[&str], of: usize, kind: Kind) -> String {
    let camera = names.get(of).copied().unwrap_or_default();
    format!("{camera}-{kind}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn derived(wishes: &[&str], cameras: &[&str]) -> Vec<(String, usize, Kind)> {
        derived_with(wishes, cameras, &[])
    }

    fn derived_with(
        wishes: &[&str],
        cameras: &[&str],
        mules: &[&str],
    ) -> Vec<(String, usize, Kind)> {
        let wishes: Vec<Wish> = wishes.iter().map(|text| text.parse().unwrap()).collect();
        let streams = derive(wishes.iter(), cameras, mules);
        streams.into_iter().map(|s| (s.name, s.of, s.kind)).collect()
    }

    #[test]
    fn what_a_mule_shows_is_derived_from_by_the_id_behind_all_streams() {
        let jpeg = |name: &str, of| (name.to_owned(), of, Kind::JPEG);
        let rgba = ("m-rgba".to_owned(), 4, Kind::Rgba);
        let all = [rgba, jpeg("a-jpeg", 0), jpeg("m-jpeg", 4)];
        assert_eq!(derived_with(&["rgba:m"], &["a"], &["m"]), all);
    }

    #[test]
    fn each_camera_has_a_jpeg_behind_what_was_named() {
        let jpeg = |name: &str, source| (name.to_owned(), source, Kind::JPEG);
        assert_eq!(derived(&[], &["a", "b"]), [jpeg("a-jpeg", 0), jpeg("b-jpeg", 1)]);
        let rgba = ("a-rgba".to_owned(), 0, Kind::Rgba);
        assert_eq!(derived(&["rgba"], &["a"]), [rgba, jpeg("a-jpeg", 0)]);
    }

    #[test]
    fn a_jpeg_that_was_named_is_the_jpeg_and_a_rendition_is_not() {
        let small = Kind::Jpeg { quality: 60, width: Some(320) };
        let good = Kind::Jpeg { quality: 95, width: None };
        assert_eq!(
            derived(&["jpeg:b?width=320&quality=60", "good=jpeg:b?quality=95"], &["a", "b"]),
            [
                ("b-jpeg-320".to_owned(), 1, small),
                ("good".to_owned(), 1, good),
                ("a-jpeg".to_owned(), 0, Kind::JPEG),
            ]
        );
    }

    #[cfg(feature = "h264")]
    #[test]
    fn h264_has_a_rate_a_width_and_a_distance_of_key_frames() {
        let made = |bitrate, width, gop| Kind::H264(H264 { bitrate, width, gop });
        let text = "low=h264?bitrate=250k&width=321&gop=30";
        let kinds: Vec<_> = derived(&["h264", text, "x=h264?bitrate=2M"], &["a"]);
        let low = made(250_000, Some(321), 30);
        assert_eq!(kinds[0], ("a-h264".to_owned(), 0, made(1_000_000, None, 60)));
        assert_eq!(kinds[1], ("low".to_owned(), 0, low));
        assert_eq!(kinds[2].2, made(2_000_000, None, 60));
        assert_eq!(low.size_of((640, 480)), (320, 240));
        assert_eq!(made(1, None, 1).size_of((641, 481)), (640, 480));
    }

    #[test]
    fn mistakes_say_what_to_write() {
        for (text, needle) in [
            ("", "is no stream"),
            ("h265", "KIND being jpeg, rgba or h264"),
            #[cfg(not(feature = "h264"))]
            ("h264", "`cargo build --release --features h264`"),
            #[cfg(feature = "h264")]
            ("h264?bitrate=10k", "takes 50k to 50M bits"),
            #[cfg(feature = "h264")]
            ("h264?bitrate=1G", "takes 50k to 50M bits"),
            #[cfg(feature = "h264")]
            ("h264?gop=0", "takes 1 to 3000 frames"),
            #[cfg(feature = "h264")]
            ("h264?quality=5", "there are bitrate, width and gop"),
            ("jpeg?quality=0", "takes 1 to 100, not `0`"),
            ("jpeg?quality=101", "takes 1 to 100, not `101`"),
            ("jpeg?quality", "takes 1 to 100, not ``"),
            ("jpeg?width=15", "takes 16 to 65535 pixels"),
            ("jpeg?width=65536", "takes 16 to 65535 pixels"),
            ("jpeg?height=5", "there are quality and width"),
            ("rgba?width=320", "a stream of rgba has no options"),
        ] {
            let error = text.parse::<Wish>().unwrap_err().to_string();
            assert!(error.contains(needle), "{text}: {error}");
        }
        let error = "jpeg:c".parse::<Wish>().unwrap().check_camera(&["a", "b"], &[]).unwrap_err();
        assert!(error.to_string().contains("there is `a`, `b`"), "{error}");
    }
}
