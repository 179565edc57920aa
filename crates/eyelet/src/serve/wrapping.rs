//! Small frames with all that goes around them, made once for all viewers of a process.
//!
//! For a small frame the system calls cost more than the bytes. So a frame, its head and its tail go into one memfd, and
//! each viewer is sent that by one call. It is a copy in user space, once per frame and process; long frames, and those
//! of few viewers, are sent in parts instead.

use std::sync::Arc;

use eyelet_area::{Format, Frame, FrameBuilder};
use eyelet_wire::websocket::{Opcode, header};

use crate::serve::multipart;

/// The longest frame that is wrapped, in bytes: above it what the copy costs grows, and what a call costs does not
/// matter beside the bytes. Chosen, not measured.
const MAX_LEN: u64 = 128 << 10;
/// Fewest viewers that a frame is wrapped for: making a memfd takes some calls, each viewer saves one or two. Chosen,
/// not measured.
const MIN_VIEWERS: usize = 8;

/// What goes around a frame, the same for all who want it so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Envelope {
    /// A WebSocket message with nothing but the payload.
    WebSocket,
    /// A part of a multipart answer, up to the boundary behind it.
    Multipart,
}

/// The newest frame in its envelopes.
#[derive(Debug, Default)]
pub(crate) struct Wrapping {
    newest: [Option<(u64, Arc<Frame>)>; 2],
    /// All bytes of one on its way into its memfd; kept from frame to frame.
    bytes: Vec<u8>,
}

impl Wrapping {
    /// Gives a frame in its envelope; none where it is better sent in parts. `made` is told of each that is made.
    pub(crate) fn get(
        &mut self,
        frame: &Frame,
        envelope: Envelope,
        viewers: usize,
        made: impl FnOnce(&Arc<Frame>),
    ) -> Option<Arc<Frame>> {
        let info = frame.info();
        if info.len > MAX_LEN || viewers < MIN_VIEWERS {
            return None;
        }
        let newest = &mut self.newest[envelope as usize];
        if let Some((sequence, wrapped)) = newest
            && *sequence == info.sequence
        {
            return Some(Arc::clone(wrapped));
        }
        let wrapped = match wrap(frame, envelope, &mut self.bytes) {
            Ok(wrapped) => Arc::new(wrapped),
            Err(e) => {
                log::debug!("a frame is sent in parts: {e}");
                return None;
            }
        };
        made(&wrapped);
        *newest = Some((info.sequence, Arc::clone(&wrapped)));
        Some(wrapped)
    }
}

/// Reads the frame instead of mapping it: for so few bytes the mapping and its end cost more.
fn wrap(frame: &Frame, envelope: Envelope, bytes: &mut Vec<u8>) -> eyelet_area::Result<Frame> {
    bytes.clear();
    match envelope {
        Envelope::WebSocket => {
            bytes.extend_from_slice(header(Opcode::Binary, frame.info().len, None).as_ref());
            frame.read_onto(bytes)?;
        }
        Envelope::Multipart => {
            bytes.extend_from_slice(multipart::part_head(frame.info()).as_bytes());
            frame.read_onto(bytes)?;
            bytes.extend_from_slice(multipart::BOUNDARY_LINE);
        }
    }
    let mut builder = FrameBuilder::new()?;
    builder.write(bytes)?;
    builder.seal(Format::default(), frame.info().captured_at)
}
