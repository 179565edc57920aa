//! `jpeg`, `small=jpeg:front?quality=60&width=320`, `rgba`: streams that are made from a camera's, in words.

use std::fmt;
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
        }
    }

    /// The pixel format of what is made.
    #[must_use]
    pub fn fourcc(self) -> FourCc {
        match self {
            Self::Jpeg { .. } => FourCc::MJPEG,
            Self::Rgba => FourCc::RGBA32,
        }
    }

    /// The quality of its JPEG pictures.
    #[must_use]
    pub fn quality(self) -> Option<u8> {
        match self {
            Self::Jpeg { quality, .. } => Some(quality),
            Self::Rgba => None,
        }
    }

    /// The width of a rendition; none where the picture keeps its size.
    #[must_use]
    pub fn width(self) -> Option<u32> {
        match self {
            Self::Jpeg { width, .. } => width,
            Self::Rgba => None,
        }
    }

    /// Width and height of what is made of a picture: in proportion, and never larger than the original.
    #[must_use]
    pub fn size_of(self, (width, height): (u32, u32)) -> (u32, u32) {
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

/// Says the kind as it ends a name: `jpeg`, `jpeg-320`, `rgba`.
impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Jpeg { width: None, .. } => f.write_str("jpeg"),
            Self::Jpeg { width: Some(width), .. } => write!(f, "jpeg-{width}"),
            Self::Rgba => f.write_str("rgba"),
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

const FORM: &str = "write [NAME=]KIND[:CAMERA], KIND being jpeg or rgba, as `jpeg`, `small=jpeg:camera?quality=60&width=320`";

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
    let Kind::Jpeg { quality, width } = kind else {
        return Err(Error::usage(format!("`{key}` in `{text}`: a stream of rgba has no options")));
    };
    match key {
        "quality" => {
            *quality = value.parse().ok().filter(|q| (1..=100).contains(q)).ok_or_else(|| {
                Error::usage(format!("quality in `{text}` takes 1 to 100, not `{value}`"))
            })?;
        }
        "width" => {
            let range = MIN_WIDTH..=Format::MAX_SIDE_PX;
            let fits = value.parse().ok().filter(|px| range.contains(px));
            *width = Some(fits.ok_or_else(|| {
                let (least, most) = (range.start(), range.end());
                Error::usage(format!(
                    "width in `{text}` takes {least} to {most} pixels, not `{value}`"
                ))
            })?);
        }
        _ => {
            return Err(Error::usage(format!(
                "`{key}` in `{text}` is no option of a stream: there are quality and width"
            )));
        }
    }
    Ok(())
}

/// Finds the cameras of what was asked for, and adds a JPEG in full size for each camera that has none; what a mule
/// shows in an area of its own counts as a camera.
///
/// The order is that of the area ids, which go on behind the cameras'; behind them come the mules' areas.
///
/// # Errors
/// A usage error if there is no such camera.
pub fn derive(wishes: Vec<Wish>, cameras: &[&str], mules: &[&str]) -> Result<Vec<Derived>> {
    let names: Vec<&str> = cameras.iter().chain(mules).copied().collect();
    let mut streams = Vec::with_capacity(wishes.len() + names.len());
    for Wish { name, camera, kind } in wishes {
        let of = match camera {
            None => 0,
            Some(camera) => find(&names, &camera)?,
        };
        let name = name.unwrap_or_else(|| default_name(&names, of, kind));
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
    Ok(streams)
}

fn find(names: &[&str], name: &str) -> Result<usize> {
    names.iter().position(|known| *known == name).ok_or_else(|| {
        let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
        let names = names.join(", ");
        Error::usage(format!(
            "--stream names a camera `{name}` that is not there: there is {names}"
        ))
    })
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
        let wishes = wishes.iter().map(|text| text.parse().unwrap()).collect();
        let streams = derive(wishes, cameras, mules).unwrap();
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

    #[test]
    fn mistakes_say_what_to_write() {
        for (text, needle) in [
            ("", "is no stream"),
            ("h264", "KIND being jpeg or rgba"),
            ("jpeg?quality=0", "takes 1 to 100, not `0`"),
            ("jpeg?quality=101", "takes 1 to 100, not `101`"),
            ("jpeg?quality", "takes 1 to 100, not ``"),
            ("jpeg?width=15", "takes 16 to 65535 pixels"),
            ("jpeg?width=65536", "takes 16 to 65535 pixels"),
            ("jpeg?height=5", "there are quality and width"),
            ("rgba?width=320", "rgba has no options"),
        ] {
            let error = text.parse::<Wish>().unwrap_err().to_string();
            assert!(error.contains(needle), "{text}: {error}");
        }
        let error = derive(vec!["jpeg:c".parse().unwrap()], &["a", "b"], &[]).unwrap_err();
        assert!(error.to_string().contains("there is `a`, `b`"), "{error}");
    }
}
