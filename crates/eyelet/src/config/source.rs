//! `test:640x480@30?format=NV12`, `v4l2:/dev/video0`, `file:clip.y4m`, `exec:CMD`: where frames come from, in words.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use eyelet_area::{Format, FourCc, Matrix, Range};

use crate::error::{Error, Result};

/// Frames in a second, as a fraction, so that 29.97 stays what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fps {
    /// Frames.
    pub frames: u32,
    /// In so many seconds.
    pub seconds: u32,
}

impl Fps {
    /// Gives the time from frame to frame.
    #[must_use]
    pub fn interval(self) -> Duration {
        Duration::from_secs(1) * self.seconds / self.frames
    }
}

impl FromStr for Fps {
    type Err = Error;

    /// Reads `30`, `29.97` or `30000/1001`: from one frame in 1000 s to 1000 in one.
    fn from_str(text: &str) -> Result<Self> {
        let wrong = || {
            let why = "a rate is a number as `30`, `29.97` or `30000/1001`, from 0.001 to 1000 per second";
            Error::usage(format!("`{text}` is no frame rate: {why}"))
        };
        let (frames, seconds) = if let Some((frames, seconds)) = text.split_once('/') {
            (frames.parse().map_err(|_| wrong())?, seconds.parse().map_err(|_| wrong())?)
        } else if let Some((whole, part)) = text.split_once('.') {
            let digits =
                u32::try_from(part.len()).ok().filter(|n| (1..=3).contains(n)).ok_or_else(wrong)?;
            let seconds = 10u32.pow(digits);
            let part: u32 = part.parse().map_err(|_| wrong())?;
            let whole: u32 = whole.parse().map_err(|_| wrong())?;
            (
                whole.checked_mul(seconds).and_then(|n| n.checked_add(part)).ok_or_else(wrong)?,
                seconds,
            )
        } else {
            (text.parse().map_err(|_| wrong())?, 1)
        };
        let fits =
            frames > 0 && seconds > 0 && frames / seconds <= 1000 && seconds / frames <= 1000;
        fits.then_some(Self { frames, seconds }).ok_or_else(wrong)
    }
}

impl fmt::Display for Fps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.seconds {
            1 => write!(f, "{}", self.frames),
            seconds => write!(f, "{}/{seconds}", self.frames),
        }
    }
}

/// Width and height in pixels, both from 1 to [`Format::MAX_SIDE_PX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Pixels in a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
}

impl FromStr for Size {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let side = |s: &str| s.parse().ok().filter(|px| (1..=Format::MAX_SIDE_PX).contains(px));
        text.split_once('x')
            .and_then(|(w, h)| Some(Self { width: side(w)?, height: side(h)? }))
            .ok_or_else(|| {
                Error::usage(format!("`{text}` is no size: write WIDTHxHEIGHT, as `640x480`"))
            })
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.width, self.height)
    }
}

/// What a source is asked for. What is not said, the source decides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wish {
    /// `format=`: a four-character code, `MJPEG` and `RGB24` by their usual names.
    pub fourcc: Option<FourCc>,
    /// `size=`.
    pub size: Option<Size>,
    /// `fps=`.
    pub fps: Option<Fps>,
    /// `matrix=`: `bt601`, `bt709`, `bt2020`, `smpte240m`; for cameras that lie.
    pub matrix: Option<Matrix>,
    /// `range=`: `limited`, `full`; for cameras that lie.
    pub range: Option<Range>,
}

/// A control of a camera, as the user wants it: `control.brightness=12`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Its name, as `eyelet devices --controls` prints it.
    pub control: String,
    /// A number, `on` or `off`, a menu's position or its words.
    pub value: String,
}

/// Where frames come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The test picture.
    Test,
    /// A V4L2 capture device.
    V4l2 {
        /// Its node.
        device: PathBuf,
    },
    /// A file of frames, played for ever at its own rate.
    File {
        /// Its path.
        path: PathBuf,
    },
    /// A command that writes frames to its standard output.
    Exec {
        /// The command's words, at least one.
        command: Vec<String>,
    },
}

/// One source, as the user wrote it and as it was understood. Serialized as it was written.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SourceSpec {
    /// As it was written.
    text: String,
    /// Where frames come from.
    pub kind: Kind,
    /// What is asked for.
    pub wish: Wish,
    /// Controls to set whenever it is opened, in this order; only cameras and the test picture have some.
    pub settings: Vec<Setting>,
}

const KINDS: &str = "test:WIDTHxHEIGHT@FPS, v4l2:/dev/videoN, file:PATH or exec:COMMAND";

impl FromStr for SourceSpec {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let text = if text == "test" { "test:" } else { text };
        let (scheme, rest) = match text.split_once(':') {
            // The old command line names a device by its path alone, which may have colons.
            _ if text.starts_with("/dev/") => ("v4l2", text),
            Some(parts) => parts,
            None => return Err(Error::usage(format!("`{text}` is no source: write {KINDS}"))),
        };
        // Options stand after the last `?`: a command or a path may contain others.
        let (place, options) = rest.rsplit_once('?').unwrap_or((rest, ""));
        let mut wish = Wish::default();
        if scheme == "test" {
            parse_test_place(place, &mut wish)?;
        }
        let settings = parse_options(text, options, &mut wish)?;
        let needs_place = |what: &str| match place {
            "" => Err(Error::usage(format!("`{text}` names no {what}: write {KINDS}"))),
            place => Ok(place),
        };
        let kind = match scheme {
            "test" => Kind::Test,
            "v4l2" => Kind::V4l2 { device: needs_place("device")?.into() },
            "file" => Kind::File { path: needs_place("file")?.into() },
            "exec" => {
                let words = shlex::split(needs_place("command")?).filter(|words| !words.is_empty());
                let unsplit = || Error::usage(format!("`{place}` has an open quote or no command"));
                Kind::Exec { command: words.ok_or_else(unsplit)? }
            }
            other => {
                return Err(Error::usage(format!(
                    "`{other}:` is no kind of source: write {KINDS}"
                )));
            }
        };
        let spec = Self { text: text.to_owned(), kind, wish, settings };
        spec.check_settings()?;
        Ok(spec)
    }
}

impl SourceSpec {
    /// Sets an option as if it stood behind all others in the text.
    ///
    /// # Errors
    /// A usage error that says what the option takes; then nothing has changed.
    pub fn set(&mut self, key: &str, value: &str) -> Result<()> {
        for (word, separators) in [(key, "?&="), (value, "?&")] {
            if let Some(separator) = word.chars().find(|c| separators.contains(*c)) {
                let why = "which separates options and cannot stand in one";
                return Err(Error::usage(format!("`{word}` has a `{separator}`, {why}")));
            }
        }
        let mut next = self.clone();
        set_option(&mut next.wish, &mut next.settings, key, value)
            .map_err(|e| e.unwrap_or_else(|| Error::usage(format!("`{key}` {NO_OPTION}"))))?;
        next.check_settings()?;
        let separator = if self.text.contains('?') { '&' } else { '?' };
        next.text = format!("{}{separator}{key}={value}", self.text);
        *self = next;
        Ok(())
    }

    fn check_settings(&self) -> Result<()> {
        if self.settings.is_empty() || matches!(self.kind, Kind::V4l2 { .. } | Kind::Test) {
            return Ok(());
        }
        Err(Error::usage(format!("`{}` is no camera and has no controls", self.text)))
    }
}

impl TryFrom<String> for SourceSpec {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<SourceSpec> for String {
    fn from(spec: SourceSpec) -> Self {
        spec.text
    }
}

impl fmt::Display for SourceSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Reads `640x480@30`, each part optional.
fn parse_test_place(place: &str, wish: &mut Wish) -> Result<()> {
    let (size, fps) = match place.split_once('@') {
        Some((size, fps)) => (size, Some(fps)),
        None => (place, None),
    };
    if !size.is_empty() {
        wish.size = Some(size.parse()?);
    }
    if let Some(fps) = fps {
        wish.fps = Some(fps.parse()?);
    }
    Ok(())
}

fn parse_options(text: &str, options: &str, wish: &mut Wish) -> Result<Vec<Setting>> {
    let mut settings = Vec::new();
    for option in options.split('&').filter(|o| !o.is_empty()) {
        let (key, value) = option.split_once('=').unwrap_or((option, ""));
        set_option(wish, &mut settings, key, value).map_err(|e| {
            e.unwrap_or_else(|| Error::usage(format!("`{key}` in `{text}` {NO_OPTION}")))
        })?;
    }
    Ok(settings)
}

const NO_OPTION: &str =
    "is no option of a source: there are format, size, fps, matrix, range and control.NAME";

/// Sets one option; the error is nothing if there is none of that name.
fn set_option(
    wish: &mut Wish,
    settings: &mut Vec<Setting>,
    key: &str,
    value: &str,
) -> std::result::Result<(), Option<Error>> {
    match key {
        "format" => wish.fourcc = Some(parse_fourcc(value)?),
        "size" => wish.size = Some(value.parse()?),
        "fps" => wish.fps = Some(value.parse()?),
        "matrix" => wish.matrix = Some(parse_matrix(value)?),
        "range" => wish.range = Some(parse_range(value)?),
        _ => {
            let control = key.strip_prefix("control.").ok_or(None)?.to_owned();
            settings.push(Setting { control, value: value.to_owned() });
        }
    }
    Ok(())
}

fn parse_fourcc(value: &str) -> Result<FourCc> {
    let upper = value.to_ascii_uppercase();
    match upper.as_str() {
        "MJPEG" | "JPEG" | "MJPG" => Ok(FourCc::MJPEG),
        "RGB24" | "RGB" | "RGB3" => Ok(FourCc::RGB24),
        "YUY2" => Ok(FourCc::YUYV),
        _ => <[u8; 4]>::try_from(upper.as_bytes())
            .ok()
            .filter(|code| code.iter().all(u8::is_ascii_graphic))
            .map(FourCc)
            .ok_or_else(|| {
                Error::usage(format!(
                    "`{value}` is no pixel format: write a four-character code, as YUYV or MJPG"
                ))
            }),
    }
}

fn parse_matrix(value: &str) -> Result<Matrix> {
    [Matrix::Bt601, Matrix::Bt709, Matrix::Bt2020, Matrix::Smpte240m]
        .into_iter()
        .find(|m| m.name() == value)
        .ok_or_else(|| {
            Error::usage(format!(
                "`{value}` is no matrix: there are bt601, bt709, bt2020 and smpte240m"
            ))
        })
}

fn parse_range(value: &str) -> Result<Range> {
    [Range::Limited, Range::Full]
        .into_iter()
        .find(|r| r.name() == value)
        .ok_or_else(|| Error::usage(format!("`{value}` is no range: there are limited and full")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> SourceSpec {
        text.parse().unwrap()
    }

    #[test]
    fn the_test_picture_takes_size_rate_and_format() {
        let spec = parse("test:320x240@29.97?format=nv12&matrix=bt709");
        assert_eq!(spec.kind, Kind::Test);
        assert_eq!(spec.wish.size, Some(Size { width: 320, height: 240 }));
        assert_eq!(spec.wish.fps, Some(Fps { frames: 2997, seconds: 100 }));
        assert_eq!(spec.wish.fourcc, Some(FourCc::NV12));
        assert_eq!(spec.wish.matrix, Some(Matrix::Bt709));
        assert_eq!(parse("test:").wish, Wish::default());
        assert_eq!(parse("test").kind, Kind::Test);
    }

    #[test]
    fn a_command_is_split_as_a_shell_splits_and_options_follow_the_last_question_mark() {
        let spec = parse("exec:cam --name 'what? now'?format=YUYV&size=64x48&fps=30000/1001");
        assert_eq!(
            spec.kind,
            Kind::Exec { command: vec!["cam".into(), "--name".into(), "what? now".into()] }
        );
        assert_eq!(spec.wish.fps.map(|f| f.to_string()).as_deref(), Some("30000/1001"));
    }

    #[test]
    fn a_bare_device_path_is_a_camera() {
        assert_eq!(parse("/dev/video0").kind, Kind::V4l2 { device: "/dev/video0".into() });
    }

    #[test]
    fn an_option_that_is_set_later_is_written_into_the_text() {
        for (text, whole) in [
            ("test", "test:?fps=5"),
            ("test:64x48@30?matrix=bt709", "test:64x48@30?matrix=bt709&fps=5"),
            ("/dev/v4l/by-path/pci-0000:00:14.0", "/dev/v4l/by-path/pci-0000:00:14.0?fps=5"),
        ] {
            let mut spec = parse(text);
            spec.set("fps", "5").unwrap();
            assert_eq!((spec.to_string().as_str(), &spec), (whole, &parse(whole)));
        }
        let mut spec = parse("file:clip.y4m");
        for (key, value, needle) in [
            ("fps", "fast", "no frame rate"),
            ("control.gain", "1", "has no controls"),
            ("range", "full&size=1x1", "separates options"),
            ("control.a=b", "1", "separates options"),
            ("colour", "red", "no option of a source"),
        ] {
            let error = spec.set(key, value).unwrap_err().to_string();
            assert!(error.contains(needle), "{key}: {error}");
            assert_eq!(spec, parse("file:clip.y4m"), "what is refused changes nothing");
        }
        spec.set("range", "full").unwrap();
    }

    #[test]
    fn controls_are_set_in_their_order() {
        let spec = parse("v4l2:/dev/video0?control.exposure=manual mode&size=64x48&control.gain=3");
        let setting =
            |control: &str, value: &str| Setting { control: control.into(), value: value.into() };
        assert_eq!(spec.settings, [setting("exposure", "manual mode"), setting("gain", "3")]);
    }

    #[test]
    fn mistakes_say_what_to_write() {
        for (text, needle) in [
            ("webcam", "write test:"),
            ("rtsp://x", "`rtsp:` is no kind"),
            ("v4l2:", "names no device"),
            ("test:640", "write WIDTHxHEIGHT"),
            ("test:0x480", "write WIDTHxHEIGHT"),
            ("test:640x480@0", "no frame rate"),
            ("test:640x480@1e9", "no frame rate"),
            ("test:?colour=red", "no option of a source"),
            ("file:x.y4m?control.gain=1", "has no controls"),
            ("test:?format=TOOLONG", "four-character"),
            ("exec:'open", "open quote"),
        ] {
            let error = text.parse::<SourceSpec>().unwrap_err().to_string();
            assert!(error.contains(needle), "{text}: {error}");
        }
    }
}
