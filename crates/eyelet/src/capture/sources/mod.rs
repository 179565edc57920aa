//! One file per kind of source, and how each is opened.
//!
//! Belongs here: from what the user asked for to frames of one shape. Does not belong here: what is done when a source
//! goes away, and who gets the frames.

mod access_units;
mod command;
pub(crate) mod content;
mod exec;
mod file;
mod pace;
mod planar;
mod test_picture;
mod v4l2;

use eyelet_area::{Format, FourCc};

use crate::capture::source::Source;
use crate::config::source::{Kind, SourceSpec, Wish};
use crate::error::Result;

/// Opens one source, again and again, and keeps what has to be known across that: which camera it was.
#[derive(Debug)]
pub struct Opener {
    spec: SourceSpec,
    camera: v4l2::Memory,
}

impl Opener {
    /// Makes an opener; nothing is opened yet.
    #[must_use]
    pub fn new(spec: SourceSpec) -> Self {
        Self { spec, camera: v4l2::Memory::default() }
    }

    /// Tells what it opens.
    #[must_use]
    pub fn spec(&self) -> &SourceSpec {
        &self.spec
    }

    /// Opens the source. Drop the one before first: a camera is not shared.
    ///
    /// A camera that was open before is found by its identity, under whatever number it has now. Can take as long as a
    /// USB camera needs to wake up and answer.
    ///
    /// # Errors
    /// [`Usage`](crate::error::ErrorKind::Usage) for options that this kind does not have,
    /// [`Refused`](crate::error::ErrorKind::Refused) when trying again cannot help, and
    /// [`Unavailable`](crate::error::ErrorKind::Unavailable) when it can.
    pub fn open(&mut self) -> Result<Box<dyn Source>> {
        let wish = &self.spec.wish;
        Ok(match &self.spec.kind {
            Kind::Test => Box::new(test_picture::TestPicture::open(wish, &self.spec.settings)?),
            Kind::V4l2 { device } => {
                Box::new(v4l2::Camera::open(device, &self.spec, &mut self.camera)?)
            }
            Kind::File { path } => Box::new(file::File::open(path, wish)?),
            Kind::Exec { command } => Box::new(exec::Exec::open(command, wish)?),
        })
    }
}

/// Opens a source once; who may have to open it again keeps an [`Opener`].
///
/// # Errors
/// As [`Opener::open`].
pub fn open(spec: &SourceSpec) -> Result<Box<dyn Source>> {
    Opener::new(spec.clone()).open()
}

/// Overrides the colour of a format with what the user says.
fn shape(mut format: Format, wish: &Wish) -> Format {
    if let Some(matrix) = wish.matrix.filter(|_| format.fourcc != FourCc::RGB24) {
        format.matrix = matrix;
    }
    format.range = wish.range.unwrap_or(format.range);
    format
}
