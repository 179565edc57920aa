//! A picture in a smaller size, each pixel the mean of those that it stands for.

use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::U8;
use fast_image_resize::{FilterType, ResizeAlg, ResizeOptions, Resizer};

use super::planes::Planes;
use crate::error::{Error, Result};

/// As sharp as it can be without steps at slanted edges.
const FILTER: ResizeAlg = ResizeAlg::Convolution(FilterType::Hamming);

/// Makes planes smaller; what it took for one picture is used again for the next.
#[derive(Debug, Default)]
pub(super) struct Scaler(Resizer);

impl Scaler {
    /// Fills `to`, which gets the sampling of `from`, with a picture of `size` pixels.
    ///
    /// # Errors
    /// If a plane has no pixels or does not have those that it should have.
    pub(super) fn scale(
        &mut self,
        from: &Planes,
        to: &mut Planes,
        size: (usize, usize),
    ) -> Result<()> {
        to.reshape(size, from.sampling);
        let (chroma, scaled) = (from.chroma_size(), to.chroma_size());
        self.plane(&from.luma, from.size, &mut to.luma, size)?;
        if !from.blue.is_empty() {
            self.plane(&from.blue, chroma, &mut to.blue, scaled)?;
            self.plane(&from.red, chroma, &mut to.red, scaled)?;
        }
        Ok(())
    }

    fn plane(
        &mut self,
        from: &[u8],
        from_size: (usize, usize),
        to: &mut [u8],
        to_size: (usize, usize),
    ) -> Result<()> {
        let failed = |e: &dyn std::fmt::Display| Error::failed(format!("failed to scale: {e}"));
        let side = |px: usize| u32::try_from(px).map_err(|e| failed(&e));
        let (width, height) = (side(from_size.0)?, side(from_size.1)?);
        let from = TypedImageRef::<U8>::from_buffer(width, height, from).map_err(|e| failed(&e))?;
        let (width, height) = (side(to_size.0)?, side(to_size.1)?);
        let mut to = TypedImage::<U8>::from_buffer(width, height, to).map_err(|e| failed(&e))?;
        let options = ResizeOptions::new().resize_alg(FILTER);
        self.0.resize_typed(&from, &mut to, &options).map_err(|e| failed(&e))
    }
}
