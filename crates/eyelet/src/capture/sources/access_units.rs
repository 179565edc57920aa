//! Pictures of H.264 in what a file or a command gives.

use bytes::{Bytes, BytesMut};
use eyelet_area::{Format, MonotonicNs};
use eyelet_wire::h264::Splitter;

use super::content::MAX_PICTURE_LEN;
use crate::config::source::Wish;
use crate::h264::{Assumed, FrameMaker};

/// Takes a stream apart.
#[derive(Debug)]
pub(super) struct AccessUnits {
    splitter: Splitter,
    frames: FrameMaker,
    /// When the first bytes of the next one came.
    begun_at: MonotonicNs,
    /// Access units that are no pictures, or need others that were lost.
    unusable: u64,
    damaged: u64,
}

/// One of them, complete.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) bytes: Bytes,
    pub(super) format: Format,
    pub(super) is_key: bool,
    pub(super) begun_at: MonotonicNs,
}

impl AccessUnits {
    pub(super) fn new(wish: &Wish) -> Self {
        Self {
            splitter: Splitter::new(MAX_PICTURE_LEN),
            frames: FrameMaker::new(Assumed { matrix: wish.matrix, range: wish.range }),
            begun_at: MonotonicNs::now(),
            unusable: 0,
            damaged: 0,
        }
    }

    /// Splits the next picture off the front of `input`; `None` when more bytes are needed.
    ///
    /// # Errors
    /// A text that says why the stream cannot be used.
    pub(super) fn next(&mut self, input: &mut BytesMut) -> Result<Option<Found>, String> {
        loop {
            let Some(bytes) = self.splitter.next_access_unit(input) else { return Ok(None) };
            if let Some(found) = self.complete(&bytes)? {
                return Ok(Some(found));
            }
        }
    }

    /// Gives the last picture, whose end only the end of the stream tells.
    ///
    /// # Errors
    /// As [`next`](Self::next).
    pub(super) fn last(&mut self, input: &mut BytesMut) -> Result<Option<Found>, String> {
        match self.splitter.finish(input) {
            Some(bytes) => self.complete(&bytes),
            None => Ok(None),
        }
    }

    /// Pictures that were too long, or came before the first key picture, or behind one that was lost.
    pub(super) fn damaged(&self) -> u64 {
        self.unusable + self.splitter.damaged()
    }

    /// Bytes that were no pictures.
    pub(super) fn skipped(&self) -> u64 {
        self.splitter.skipped()
    }

    fn complete(&mut self, bytes: &[u8]) -> Result<Option<Found>, String> {
        let begun_at = std::mem::replace(&mut self.begun_at, MonotonicNs::now());
        if self.splitter.damaged() > self.damaged {
            self.damaged = self.splitter.damaged();
            self.frames.lose();
        }
        let Some(unit) = self.frames.complete(bytes).map_err(|e| e.to_string())? else {
            self.unusable += 1;
            return Ok(None);
        };
        let bytes = Bytes::copy_from_slice(unit.bytes);
        Ok(Some(Found { bytes, format: unit.format, is_key: unit.is_key, begun_at }))
    }
}
