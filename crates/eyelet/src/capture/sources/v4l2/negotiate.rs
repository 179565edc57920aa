//! What a camera is asked for, and what it says to that.

use std::time::Duration;

use eyelet_area::{Format, FourCc, Matrix, Range};
use eyelet_v4l2::format::Request;
use eyelet_v4l2::interval::{Interval, Intervals};
use eyelet_v4l2::size::Sizes;
use eyelet_v4l2::{Device, ErrorKind, colour};

use super::super::shape;
use super::{place, unavailable};
use crate::config::source::{Fps, Size, Wish};
use crate::error::{Error, Result};

/// What is wanted where the user does not say.
const WANTED_SIZE: Size = Size { width: 640, height: 480 };
const WANTED_FPS: Fps = Fps { frames: 30, seconds: 1 };

/// The driver's codes that can be carried, best first: raw is cheapest for a small picture, and MJPG comes where raw is
/// not offered, or not in that size and rate.
const CARRIED: [[u8; 4]; 9] =
    [*b"YUYV", *b"MJPG", *b"UYVY", *b"NV12", *b"NM12", *b"GREY", *b"RGB3", *b"JPEG", *b"H264"];

/// What was agreed on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Agreed {
    pub(super) format: Format,
    pub(super) interval: Duration,
}

/// How well a pixel format of the camera fits; greater is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fit {
    OtherSize,
    OtherRate,
    All,
}

/// Asks for what is wished, and takes the driver's answer.
pub(super) fn negotiate(camera: &mut Device, wish: &Wish) -> Result<Agreed> {
    let path = camera.path().to_owned();
    let offered: Vec<_> =
        camera.formats().map_err(|e| unavailable(&e))?.iter().map(|f| f.fourcc).collect();
    let fourcc = choose(wish.fourcc, &offered, |fourcc| fit(camera, fourcc, wish))
        .map_err(|why| Error::refused(format!("`{}` {why}", path.display())))?;
    let size = wish.size.unwrap_or(WANTED_SIZE);
    let request = Request { width: size.width, height: size.height, fourcc };
    let answer = match camera.set_format(request) {
        // A loopback whose writer has fixed the format says so.
        Err(e) if e.kind() == ErrorKind::Busy => {
            camera.format().map_err(|_| place::explain(&path, &e))?
        }
        other => other.map_err(|e| unavailable(&e))?,
    };
    let Some(carried) =
        carried(answer.fourcc).filter(|c| wish.fourcc.is_none_or(|wished| wished == *c))
    else {
        let text = format!("was asked for {request} and gives {answer}, which cannot be used");
        return Err(Error::refused(format!("`{}` {text}", path.display())));
    };
    if wish.size.is_some_and(|size| (size.width, size.height) != (answer.width, answer.height)) {
        log::warn!("source={} asked for {request}, the camera gives {answer}", path.display());
    }
    let interval = set_interval(camera, wish)?;
    let format =
        described(carried, (answer.width, answer.height), (answer.matrix(), answer.range()));
    Ok(Agreed { format: shape(format, wish), interval })
}

/// Sets the rate; gives the interval, zero where the driver has none.
fn set_interval(camera: &mut Device, wish: &Wish) -> Result<Duration> {
    let fps = wish.fps.unwrap_or(WANTED_FPS);
    let wanted = Interval { numerator: fps.seconds, denominator: fps.frames };
    let answer = match camera.set_frame_interval(wanted) {
        Err(e) if e.kind() == ErrorKind::Gone => return Err(unavailable(&e)),
        // It streams at the rate that it has.
        Err(e) => {
            log::warn!("source={} keeps its rate: {e}", camera.path().display());
            camera.frame_interval().unwrap_or(None)
        }
        Ok(answer) => answer,
    };
    let interval = answer.and_then(Interval::duration).unwrap_or(Duration::ZERO);
    if wish.fps.is_some_and(|fps| fps.interval().as_micros().abs_diff(interval.as_micros()) > 1) {
        let rate =
            answer.map_or_else(|| "a rate of its own".to_owned(), |i| format!("{:.2}", i.fps()));
        log::warn!(
            "source={} asked for {fps} frames per second, the camera gives {rate}",
            camera.path().display()
        );
    }
    Ok(interval)
}

/// What frames of a driver's format are called here.
pub(super) fn carried(fourcc: [u8; 4]) -> Option<FourCc> {
    CARRIED.contains(&fourcc).then_some(match &fourcc {
        b"NM12" => FourCc::NV12,
        b"JPEG" => FourCc::MJPEG,
        _ => FourCc(fourcc),
    })
}

/// Chooses a pixel format of those that the camera offers.
///
/// # Errors
/// A text that says what there is.
pub(super) fn choose(
    wished: Option<FourCc>,
    offered: &[[u8; 4]],
    fit: impl Fn([u8; 4]) -> Fit,
) -> std::result::Result<[u8; 4], String> {
    let is_wished = |fourcc: &[u8; 4]| wished.is_none_or(|wished| carried(*fourcc) == Some(wished));
    let candidates =
        CARRIED.into_iter().filter(|fourcc| offered.contains(fourcc)).filter(is_wished);
    let fits: Vec<_> = candidates.map(|fourcc| (fit(fourcc), fourcc)).collect();
    let best = fits.iter().map(|(fit, _)| *fit).max();
    if let Some((_, fourcc)) = fits.into_iter().find(|(fit, _)| Some(*fit) == best) {
        return Ok(fourcc);
    }
    let names = |codes: &mut dyn Iterator<Item = [u8; 4]>| {
        let names: Vec<_> = codes.map(|c| FourCc(c).to_string()).collect();
        names.join(", ")
    };
    let offered = names(&mut offered.iter().copied());
    let known = names(&mut CARRIED.into_iter());
    Err(match wished {
        Some(fourcc) if carried(fourcc.0).is_none() => {
            format!("was asked for {fourcc}, which is not carried; there are {known}")
        }
        Some(fourcc) => format!("does not offer {fourcc}; it offers {offered}"),
        None => format!("offers only {offered}, and what is carried is {known}"),
    })
}

/// How well a format fits, by the camera's lists; a list that it does not have is no reason against.
fn fit(camera: &Device, fourcc: [u8; 4], wish: &Wish) -> Fit {
    let Size { width, height } = wish.size.unwrap_or(WANTED_SIZE);
    let sizes = camera.frame_sizes(fourcc).unwrap_or_default();
    if !offers_size(&sizes, (width, height)) {
        return Fit::OtherSize;
    }
    let intervals = camera.frame_intervals(fourcc, width, height).unwrap_or_default();
    match offers_rate(&intervals, wish.fps.unwrap_or(WANTED_FPS)) {
        true => Fit::All,
        false => Fit::OtherRate,
    }
}

pub(super) fn offers_size(sizes: &[Sizes], (width, height): (u32, u32)) -> bool {
    sizes.is_empty() || sizes.iter().any(|size| size.nearest(width, height) == (width, height))
}

/// Whether frames can come at least as often as wanted, within a thousandth.
pub(super) fn offers_rate(intervals: &[Intervals], wanted: Fps) -> bool {
    let enough = wanted.interval().as_nanos() * 1001 / 1000;
    let shortest = |interval: &Intervals| shortest(interval).and_then(Interval::duration);
    intervals.is_empty()
        || intervals.iter().filter_map(shortest).any(|shortest| shortest.as_nanos() <= enough)
}

fn shortest(intervals: &Intervals) -> Option<Interval> {
    Some(match intervals {
        Intervals::Discrete(interval) => *interval,
        Intervals::Stepwise { min, .. } => *min,
    })
}

/// The format of frames, with the colour that the driver states.
pub(super) fn described(
    fourcc: FourCc,
    (width, height): (u32, u32),
    (matrix, range): (colour::Matrix, colour::Range),
) -> Format {
    let mut format = Format::packed(fourcc, width, height);
    if fourcc != FourCc::RGB24 {
        format.matrix = match matrix {
            colour::Matrix::Bt601 => Matrix::Bt601,
            colour::Matrix::Bt709 => Matrix::Bt709,
            colour::Matrix::Bt2020 => Matrix::Bt2020,
            colour::Matrix::Smpte240m => Matrix::Smpte240m,
        };
    }
    format.range = match range {
        colour::Range::Limited => Range::Limited,
        colour::Range::Full => Range::Full,
    };
    format
}
