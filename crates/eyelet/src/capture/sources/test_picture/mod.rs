//! `test:`, the picture for machines without a camera: colour bars, things that move, a clock, and a number to check.

mod canvas;
mod colour;
mod font;
mod look;
mod picture;

use std::time::Instant;

use eyelet_area::{Format, FourCc, FrameBuilder, MonotonicNs};
use eyelet_wire::v1::ControlValue;

use super::pace::Pace;
use super::shape;
use crate::capture::source::{Counters, Description, Next, Source, Wait};
use crate::config::source::{Fps, Setting, Size, Wish};
use crate::error::{Error, Result};
use crate::panel::{Job, Panel};
use look::{Knobs, Look};
use picture::Picture;

const DEFAULT_SIZE: Size = Size { width: 640, height: 480 };
const DEFAULT_FPS: Fps = Fps { frames: 30, seconds: 1 };

/// What the stamp and the bars need.
const LEAST: Size = Size { width: 64, height: 16 };

/// The test picture.
///
/// Each frame that is delivered has the next number, from 1 for each opened source; ticks that come too late are counted
/// as skipped and make no frame. The static part is drawn once; a frame costs what changes and one copy.
#[derive(Debug)]
pub(super) struct TestPicture {
    description: Description,
    pace: Pace,
    picture: Picture,
    knobs: Knobs,
    /// How the picture was drawn.
    drawn: Look,
    sequence: u64,
    counters: Counters,
}

impl TestPicture {
    /// Draws the static part; the first frame is due at once.
    ///
    /// # Errors
    /// [`Usage`](crate::error::ErrorKind::Usage) for a format, a size or a control that it does not have.
    pub(super) fn open(wish: &Wish, settings: &[Setting]) -> Result<Self> {
        let fps = wish.fps.unwrap_or(DEFAULT_FPS);
        let fourcc = wish.fourcc.unwrap_or(FourCc::YUYV);
        let size = wish.size.unwrap_or(DEFAULT_SIZE);
        check(fourcc, size)?;
        let format = shape(Format::packed(fourcc, size.width, size.height), wish);
        let mut knobs = Knobs::default();
        set(&mut knobs, settings)?;
        let drawn = knobs.look();
        let picture = Picture::new(&format, &drawn).ok_or_else(|| unknown(fourcc))?;
        Ok(Self {
            description: Description { name: "test".to_owned(), format, interval: fps.interval() },
            pace: Pace::new(Instant::now(), fps),
            picture,
            knobs,
            drawn,
            sequence: 0,
            counters: Counters::default(),
        })
    }
}

impl TestPicture {
    /// Tells whether it is time for a frame.
    fn tick(&mut self) -> bool {
        let late = self.pace.tick(Instant::now());
        self.counters.skipped += late.unwrap_or(0);
        late.is_some()
    }

    /// Draws anew what the controls have changed.
    fn follow_knobs(&mut self) {
        let look = self.knobs.look();
        if look != self.drawn {
            self.picture.change(&self.description.format, &look, self.sequence);
            self.drawn = look;
        }
        if self.knobs.take_motion_reset() {
            self.picture.reset_motion(self.sequence);
        }
    }
}

impl Source for TestPicture {
    fn description(&self) -> &Description {
        &self.description
    }

    fn wait(&self) -> Wait<'_> {
        Wait { due: Some(self.pace.due()), ..Wait::default() }
    }

    fn try_next(&mut self) -> Result<Next> {
        if !self.tick() {
            return Ok(Next::NotReady);
        }
        let captured_at = MonotonicNs::now();
        self.sequence += 1;
        self.follow_knobs();
        let mut builder = FrameBuilder::new()?;
        builder.write(self.picture.draw(self.sequence, captured_at))?;
        let frame = builder.seal(self.description.format, captured_at)?;
        Ok(Next::Frame(frame.with_interval(self.description.interval)))
    }

    fn leave_next(&mut self) -> Result<Next> {
        Ok(if self.tick() { Next::Unmade } else { Next::NotReady })
    }

    fn panel(&mut self) -> Option<&mut dyn Panel> {
        Some(&mut self.knobs)
    }

    fn counters(&self) -> Counters {
        self.counters
    }
}

/// Sets what the command line asks for.
fn set(knobs: &mut Knobs, settings: &[Setting]) -> Result<()> {
    for Setting { control, value } in settings {
        let value = ControlValue::Text(value.clone());
        let done = knobs.set(&Job::Set([(control.clone(), Some(value))].into()))?;
        if let Some(why) = done.errors.get(control) {
            let known: Vec<&str> = done.controls.iter().map(|known| known.id.as_str()).collect();
            let text = format!("control `{control}` of the test picture {why}; it has");
            return Err(Error::usage(format!("{text} {}", known.join(", "))));
        }
    }
    Ok(())
}

fn check(fourcc: FourCc, size: Size) -> Result<()> {
    let is_paired = match fourcc {
        FourCc::YUYV | FourCc::UYVY | FourCc::NV12 => true,
        FourCc::GREY | FourCc::RGB24 => false,
        _ => return Err(unknown(fourcc)),
    };
    let Size { width, height } = size;
    if width < LEAST.width || height < LEAST.height {
        let text = format!("a test picture of {size} is too small: write at least `test:{LEAST}`");
        return Err(Error::usage(text));
    }
    if is_paired && width % 2 == 1 {
        let text = format!(
            "a test picture in {fourcc} has an even width: write `test:{}x{height}`",
            width - 1
        );
        return Err(Error::usage(text));
    }
    let len = fourcc.packed_len(width, height).unwrap_or(0);
    if len > eyelet_area::MAX_FRAME_LEN {
        let text = format!(
            "a test picture of {size} in {fourcc} has {len} bytes, more than {}: write a smaller size",
            eyelet_area::MAX_FRAME_LEN
        );
        return Err(Error::usage(text));
    }
    Ok(())
}

fn unknown(fourcc: FourCc) -> Error {
    let known = "write format=YUYV, UYVY, NV12, GREY or RGB24";
    let hint = match fourcc {
        FourCc::MJPEG => "JPEG comes with the encoder, which is not there yet; until then ",
        _ => "",
    };
    Error::usage(format!("the test picture is not made as {fourcc}: {hint}{known}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    fn refusal(options: &str) -> String {
        let spec: crate::config::source::SourceSpec = options.parse().unwrap();
        let error = TestPicture::open(&spec.wish, &spec.settings).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage);
        error.to_string()
    }

    #[test]
    fn what_it_cannot_be_says_what_to_write() {
        assert!(refusal("test:?format=MJPEG").contains("comes with the encoder"));
        assert!(refusal("test:?format=H264").contains("write format=YUYV, UYVY"));
        assert!(refusal("test:62x48").contains("`test:64x16`"));
        assert!(refusal("test:641x480").contains("write `test:640x480`"));
        assert!(refusal("test:65535x65535?format=GREY").contains("smaller"));
        assert!(refusal("test:?control.gain=1").contains("is not there; it has brightness"));
        assert!(refusal("test:?control.contrast=201").contains("takes 0 to 200"));
    }

    #[test]
    fn it_is_vga_in_yuyv_unless_asked_otherwise() {
        let source = TestPicture::open(&Wish::default(), &[]).unwrap();
        assert_eq!(source.description.format, Format::packed(FourCc::YUYV, 640, 480));
        assert_eq!(source.description.interval.as_micros(), 33_333);
    }
}
