//! Access units that every decoder can begin with.

use thiserror::Error;

use super::bits::BitReader;
use super::sps::{Colour, Sps};
use super::units::{START, is_key, kind, kind_of, units};

/// Most picture parameter sets that are kept; cameras have one. Beyond it the oldest is forgotten.
const MAX_PPS: usize = 16;
/// The longest one that is kept, in bytes.
const MAX_PPS_LEN: usize = 1024;

/// Bytes of a slice that are looked at for its type.
const SLICE_HEAD_LEN: usize = 16;

/// What an access unit has become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mended {
    /// A picture.
    Picture {
        /// It needs none before.
        is_key: bool,
    },
    /// No picture, or one that needs others that were lost, or parameter sets that have not come.
    Unusable,
}

/// Pictures are not shown in the order in which they come: a player would have to hold each back to find out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("it has B frames, which cannot be shown as they come: encode without (ffmpeg: `-bf 0`)")]
pub struct Reordered;

/// Makes each access unit of a stream one that every decoder can begin with, if it is a key picture at all.
///
/// Before each key picture stand all parameter sets, whether the stream repeats them or not. Sequence parameter sets say
/// what the colours mean, and that pictures are shown as they come ([`Sps::complete`]). Filler is left out.
#[derive(Debug)]
pub struct Mender {
    colour: Colour,
    sps: Option<(Sps, Vec<u8>)>,
    pps: Vec<(u32, Vec<u8>)>,
    /// Every picture since the last key picture is there.
    is_whole: bool,
}

impl Mender {
    /// Begins with nothing; `colour` is written where the stream does not say one.
    #[must_use]
    pub fn new(colour: Colour) -> Self {
        Self { colour, sps: None, pps: Vec::new(), is_whole: false }
    }

    /// Says that pictures were lost: up to the next key picture all are unusable.
    pub fn lose(&mut self) {
        self.is_whole = false;
    }

    /// What the stream says about itself now.
    #[must_use]
    pub fn sps(&self) -> Option<&Sps> {
        self.sps.as_ref().map(|(sps, _)| sps)
    }

    /// What the colours mean: as the stream says, else as it was said to [`new`](Self::new).
    #[must_use]
    pub fn colour(&self) -> Colour {
        self.sps().and_then(|sps| sps.colour).unwrap_or(self.colour)
    }

    /// Writes an access unit, mended, in place of what `out` holds.
    ///
    /// # Errors
    /// [`Reordered`] if the stream cannot be shown as it comes.
    pub fn mend(&mut self, access_unit: &[u8], out: &mut Vec<u8>) -> Result<Mended, Reordered> {
        out.clear();
        let starts_anew = self.learn(access_unit)?;
        let is_key = is_key(access_unit);
        let is_slice = |unit: &&[u8]| matches!(kind_of(unit[0]), kind::SLICE..=kind::IDR_SLICE);
        let mut slices = units(access_unit).filter(is_slice).peekable();
        let has_picture = slices.peek().is_some();
        if slices.any(is_bidirectional) {
            return Err(Reordered);
        }
        self.is_whole |= is_key;
        if !has_picture || !self.is_whole || self.sps.is_none() || self.pps.is_empty() {
            return Ok(Mended::Unusable);
        }
        let mut owes_sets = is_key || starts_anew;
        for unit in units(access_unit) {
            match kind_of(unit[0]) {
                kind::SPS | kind::PPS | kind::FILLER => {}
                kind::DELIMITER => write_unit(unit, out),
                _ => {
                    if std::mem::take(&mut owes_sets) {
                        self.write_sets(out);
                    }
                    write_unit(unit, out);
                }
            }
        }
        Ok(Mended::Picture { is_key })
    }

    /// Remembers parameter sets; true if there were some.
    fn learn(&mut self, access_unit: &[u8]) -> Result<bool, Reordered> {
        let mut has_sets = false;
        for unit in units(access_unit) {
            match kind_of(unit[0]) {
                kind::SPS => {
                    let Some(sps) = Sps::parse(unit) else { continue };
                    if sps.reordered.is_some_and(|pictures| pictures > 0) {
                        return Err(Reordered);
                    }
                    let completed = sps.complete(unit, self.colour);
                    self.sps = Some((sps, completed));
                    has_sets = true;
                }
                kind::PPS if unit.len() <= MAX_PPS_LEN => {
                    let Some(id) = BitReader::new(&unit[1..], SLICE_HEAD_LEN).unsigned_to(255)
                    else {
                        continue;
                    };
                    self.pps.retain(|(known, _)| *known != id);
                    if self.pps.len() >= MAX_PPS {
                        self.pps.remove(0);
                    }
                    self.pps.push((id, unit.to_vec()));
                    has_sets = true;
                }
                _ => {}
            }
        }
        Ok(has_sets)
    }

    fn write_sets(&self, out: &mut Vec<u8>) {
        let sps = self.sps.iter().map(|(_, sps)| sps);
        for set in sps.chain(self.pps.iter().map(|(_, pps)| pps)) {
            write_unit(set, out);
        }
    }
}

fn write_unit(unit: &[u8], out: &mut Vec<u8>) {
    out.push(0);
    out.extend_from_slice(&START);
    out.extend_from_slice(unit);
}

/// Tells whether a slice may refer to pictures that are shown later. Source: ITU-T H.264, table 7-6.
fn is_bidirectional(slice: &[u8]) -> bool {
    if kind_of(slice[0]) != kind::SLICE {
        return false;
    }
    let mut bits = BitReader::new(&slice[1..], SLICE_HEAD_LEN);
    bits.unsigned().and_then(|_first_block| bits.unsigned()).is_some_and(|kind| kind % 5 == 1)
}
