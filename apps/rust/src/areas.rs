//! Areas: waited for, read, written, counted in, listed. What all requests can.

use std::fmt;
use std::ops::{Bound, RangeBounds};
use std::time::Duration;

use eyelet_wire::verbs::{Bits, MAX_WAITED_FOR, MAX_WRITE_LEN};

use crate::error::{Error, Result};
use crate::link::{nonsense, number, seconds};
use crate::request::Request;

/// How an area is named: by its id or by its name. Made from both: `0.into()`, `"camera".into()`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Area<'a> {
    /// Its number: sources in order from 0, then derived streams, mules' areas, application areas.
    Id(u32),
    /// Its name; digits alone are an id.
    Name(&'a str),
}

impl Area<'_> {
    /// A name that is not one would change the verb's meaning.
    pub(crate) fn checked(self) -> Result<Self> {
        let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        match self {
            Self::Name(name)
                if name.is_empty()
                    || name.starts_with('-')
                    || name == "recv"
                    || !name.bytes().all(is_letter) =>
            {
                Err(Error::BadRequest(format!("`{}` is no area's name", name.escape_debug())))
            }
            area => Ok(area),
        }
    }
}

impl From<u32> for Area<'_> {
    fn from(id: u32) -> Self {
        Self::Id(id)
    }
}

impl<'a> From<&'a str> for Area<'a> {
    fn from(name: &'a str) -> Self {
        Self::Name(name)
    }
}

impl<'a> From<&'a String> for Area<'a> {
    fn from(name: &'a String) -> Self {
        Self::Name(name)
    }
}

impl From<&AreaInfo> for Area<'_> {
    fn from(info: &AreaInfo) -> Self {
        Self::Id(info.id)
    }
}

impl fmt::Display for Area<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => write!(f, "{id}"),
            Self::Name(name) => f.write_str(name),
        }
    }
}

/// What [`Request::wait_any`] has waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ready<'a> {
    /// A message of the client is there: [`try_recv`](crate::WebSocket::try_recv) gives it.
    Message,
    /// This area, named as it was asked for, has a newer frame, of this sequence.
    Frame(Area<'a>, u64),
}

/// An area as [`Request::areas`] lists it; `None` is what is not known, as while no frame has come.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AreaInfo {
    /// Its number.
    pub id: u32,
    /// Its name.
    pub name: String,
    /// Whose it is.
    pub kind: AreaKind,
    /// There is signal; false while its source is away.
    pub is_live: bool,
    /// Bytes of the newest frame.
    pub len: Option<u64>,
    /// The pixel format, as `YUYV`.
    pub fourcc: Option<String>,
    /// Pixels of a row.
    pub width: Option<u32>,
    /// Rows.
    pub height: Option<u32>,
    /// Bytes from one row to the next.
    pub stride: Option<u32>,
    /// Of the newest frame.
    pub sequence: Option<u64>,
}

/// Who publishes to an area.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AreaKind {
    /// A source.
    Camera,
    /// A derived stream.
    Derived,
    /// A mule.
    Mule,
    /// It holds application data.
    App,
    /// One that this version does not know.
    Other(String),
}

impl Request {
    /// Waits for a frame that is newer than the last one of this area that this request waited for, sent or read; gives
    /// its sequence.
    ///
    /// # Errors
    /// [`Error::NoArea`], [`Error::Gone`], [`Error::Stopped`].
    pub fn wait<'n>(&mut self, area: impl Into<Area<'n>>) -> Result<u64> {
        self.wait_so_long(area.into(), None)
    }

    /// The same, so long at most.
    ///
    /// # Errors
    /// As [`wait`](Self::wait), and [`Error::Timeout`].
    pub fn wait_timeout<'n>(
        &mut self,
        area: impl Into<Area<'n>>,
        timeout: Duration,
    ) -> Result<u64> {
        self.wait_so_long(area.into(), Some(timeout))
    }

    fn wait_so_long(&mut self, area: Area<'_>, timeout: Option<Duration>) -> Result<u64> {
        let area = area.checked()?;
        number(&self.link.ask(format_args!("wait {area} 0 {}", seconds(timeout)), &[])?)
    }

    /// Waits for the first of several things: a newer frame of one of these areas, and a message of the client if
    /// `message` is true; 16 at most together. Without a timeout for ever.
    ///
    /// # Errors
    /// As [`wait_timeout`](Self::wait_timeout); [`Error::BadState`] if there is no WebSocket to get a message from.
    pub fn wait_any<'n>(
        &mut self,
        areas: &[Area<'n>],
        message: bool,
        timeout: Option<Duration>,
    ) -> Result<Ready<'n>> {
        let mut what: String = if message { " recv" } else { "" }.to_owned();
        for area in areas {
            what.push(' ');
            what.push_str(&area.checked()?.to_string());
        }
        if !(1..=MAX_WAITED_FOR).contains(&(areas.len() + usize::from(message))) {
            return Err(Error::BadRequest(format!("wait for 1 to {MAX_WAITED_FOR} things")));
        }
        let words = self.link.ask(format_args!("wait-any {}{what}", seconds(timeout)), &[])?;
        let Some((name, sequence)) = words.split_once(' ') else {
            return if words == "recv" { Ok(Ready::Message) } else { Err(nonsense(&words)) };
        };
        let area = areas.iter().find(|area| area.to_string() == name);
        Ok(Ready::Frame(*area.ok_or_else(|| nonsense(&words))?, number(sequence)?))
    }

    /// Reads these bytes of an area: of the newest frame, for which it waits where there is none yet, or of application
    /// data as all changes before have made it. `..` is all.
    ///
    /// # Errors
    /// [`Error::NoArea`], [`Error::OutOfRange`]; [`Error::TooLarge`] beyond 16 MiB of a frame, 64 KiB of application
    /// data; [`Error::Gone`].
    pub fn read<'n>(
        &mut self,
        area: impl Into<Area<'n>>,
        bytes: impl RangeBounds<u64>,
    ) -> Result<Vec<u8>> {
        let (area, (pos, len)) = (area.into().checked()?, part(bytes)?);
        let len = self.link.ask(format_args!("read {area} {pos} {len}"), &[])?;
        self.link.payload(&len)
    }

    /// Writes into an application area from byte `pos` on, 64 KiB at most, all at once for whoever reads; gives the
    /// sequence of what it has become.
    ///
    /// # Errors
    /// [`Error::NoArea`], [`Error::OutOfRange`], [`Error::Refused`] where the area holds no application data,
    /// [`Error::TooLarge`], [`Error::Gone`].
    pub fn write<'n>(
        &mut self,
        area: impl Into<Area<'n>>,
        pos: u64,
        bytes: impl AsRef<[u8]>,
    ) -> Result<u64> {
        let (area, bytes) = (area.into().checked()?, bytes.as_ref());
        at_most(bytes, MAX_WRITE_LEN)?;
        number(&self.link.ask(format_args!("write {area} {pos} {}", bytes.len()), bytes)?)
    }

    /// Adds to the little-endian number at byte `pos` of an application area; gives what it has become, signed. It
    /// wraps.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub fn inc<'n>(
        &mut self,
        area: impl Into<Area<'n>>,
        pos: u64,
        bits: Bits,
        amount: i64,
    ) -> Result<i64> {
        let (area, bits) = (area.into().checked()?, bits.count());
        number(&self.link.ask(format_args!("inc {area} {pos} {bits} {amount}"), &[])?)
    }

    /// Lists the areas, in the order of their ids.
    ///
    /// # Errors
    /// [`Error::Gone`].
    pub fn areas(&mut self) -> Result<Vec<AreaInfo>> {
        let len = self.link.ask(format_args!("areas"), &[])?;
        let list = self.link.payload(&len)?;
        String::from_utf8_lossy(&list).lines().map(info).collect()
    }
}

fn info(line: &str) -> Result<AreaInfo> {
    fn known<T: std::str::FromStr>(word: &str) -> Result<Option<T>> {
        if word == "-" { Ok(None) } else { number(word).map(Some) }
    }
    let words: Vec<&str> = line.split(' ').collect();
    // More words are from a newer server.
    let &[id, name, kind, state, len, fourcc, width, height, stride, sequence, ..] = &words[..]
    else {
        return Err(nonsense(line));
    };
    Ok(AreaInfo {
        id: number(id)?,
        name: name.to_owned(),
        kind: match kind {
            "camera" => AreaKind::Camera,
            "derived" => AreaKind::Derived,
            "mule" => AreaKind::Mule,
            "app" => AreaKind::App,
            other => AreaKind::Other(other.to_owned()),
        },
        is_live: state == "live",
        len: known(len)?,
        fourcc: known(fourcc)?,
        width: known(width)?,
        height: known(height)?,
        stride: known(stride)?,
        sequence: known(sequence)?,
    })
}

/// Position and length as the protocol writes them, where a length of 0 means all.
pub(crate) fn part(bytes: impl RangeBounds<u64>) -> Result<(u64, u64)> {
    let wrong = || Error::BadRequest("the part has no bytes".to_owned());
    let pos = match bytes.start_bound() {
        Bound::Included(&pos) => pos,
        Bound::Excluded(&before) => before.checked_add(1).ok_or_else(wrong)?,
        Bound::Unbounded => 0,
    };
    let end = match bytes.end_bound() {
        Bound::Included(&last) => last.checked_add(1).ok_or_else(wrong)?,
        Bound::Excluded(&end) => end,
        Bound::Unbounded => return Ok((pos, 0)),
    };
    let len = end.checked_sub(pos).filter(|&len| len > 0);
    len.map(|len| (pos, len)).ok_or_else(wrong)
}

/// Refuses here what the server would end the request for.
pub(crate) fn at_most(bytes: &[u8], limit: usize) -> Result<()> {
    if bytes.len() <= limit {
        return Ok(());
    }
    Err(Error::TooLarge(format!("{} bytes, where {limit} are the most", bytes.len())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_positions_and_lengths() {
        assert_eq!(part(..).unwrap(), (0, 0));
        assert_eq!(part(16..).unwrap(), (16, 0));
        assert_eq!(part(16..20).unwrap(), (16, 4));
        assert_eq!(part(16..=20).unwrap(), (16, 5));
        assert_eq!(part(..8).unwrap(), (0, 8));
        // None of these may become "all".
        let backwards = (Bound::Included(5), Bound::Excluded(4));
        for (start, end) in [(5, 5), (u64::MAX, u64::MAX)] {
            assert!(part(start..end).is_err());
        }
        assert!(part(backwards).is_err() && part(0..=u64::MAX).is_err());
    }

    #[test]
    fn no_name_becomes_another_verb() {
        for name in ["", "a b", "a\nend", "recv", "-1", "ä", "a/b"] {
            assert!(Area::from(name).checked().is_err(), "{name:?}");
        }
        for area in [Area::from(0), "0".into(), "front-jpeg".into(), (&"a_b".to_owned()).into()] {
            assert_eq!(area.checked().unwrap(), area);
        }
    }

    #[test]
    fn a_line_of_the_list_is_understood_and_nonsense_refused() {
        let front = info("0 front camera live 614400 YUYV 640 480 1280 17").unwrap();
        assert_eq!((front.id, front.name.as_str(), front.kind), (0, "front", AreaKind::Camera));
        assert_eq!((front.len, front.width, front.sequence), (Some(614_400), Some(640), Some(17)));
        let data = info("2 x app no-signal - - - - - - new").unwrap();
        assert!(!data.is_live && data.kind == AreaKind::App && data.fourcc.is_none());
        for line in ["", "0", "x front camera live - - - - - -", "0 a b c -1 - - - - -"] {
            assert!(matches!(info(line), Err(Error::Protocol(_))), "{line}");
        }
    }
}
