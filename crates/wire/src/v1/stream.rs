//! Streams and formats as control messages name them.

use serde::{Deserialize, Serialize};

/// One stream that the server offers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StreamInfo {
    /// The source's number, by which `start` asks for it.
    pub id: u32,
    /// For people.
    pub name: String,
    /// The stream that it is made of; none for a camera's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<u32>,
    /// Whether frames come now.
    pub state: StreamState,
    /// What it can be had in; the server's preference first.
    pub formats: Vec<FormatInfo>,
}

/// Whether a stream has a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum StreamState {
    /// Frames come.
    Live,
    /// The source gives none; it comes back by itself.
    NoSignal,
    /// From a newer server.
    #[serde(other)]
    Unknown,
}

/// The shape of a stream's frames. Pixel formats: top row first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FormatInfo {
    /// The common name in lower case: `yuyv`, `uyvy`, `nv12`, `grey`, `rgb24`, `rgba`, `jpeg`, `h264`.
    pub format: String,
    /// The V4L2 code of four characters: `YUYV`, `MJPG`, …
    pub fourcc: String,
    /// Pixels in a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Bytes from one row to the next (of the first plane); 0 where rows have no fixed length (JPEG, H.264).
    pub stride: u32,
    /// Frames in a second; 0 if not known.
    pub fps: f64,
    /// How Y'CbCr becomes RGB.
    pub matrix: Matrix,
    /// Which values mean black and white.
    pub range: Range,
    /// What a decoder must be able to, as browsers name it: `avc1.42E01F`. Only of H.264, once a frame has told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub codec: Option<String>,
}

/// The matrix between Y'CbCr and RGB.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Matrix {
    /// ITU-R BT.601: what webcams send unless they say otherwise, and every JPEG.
    Bt601,
    /// ITU-R BT.709.
    Bt709,
    /// ITU-R BT.2020, non-constant luminance.
    Bt2020,
    /// Not known, or the pixels are RGB.
    #[default]
    #[serde(other)]
    Unknown,
}

/// The range of the samples.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Range {
    /// Black is 16, white is 235.
    Limited,
    /// Black is 0, white is 255.
    Full,
    /// Not known.
    #[default]
    #[serde(other)]
    Unknown,
}
