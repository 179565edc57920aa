//! Which stream is meant: by id or name, a camera's picture in another format, a rendition by its width.

use std::rc::Rc;
use std::time::Duration;

use eyelet_area::{Format, FourCc, Matrix, Range};
use eyelet_wire::v1::{self, FormatInfo};

use crate::serve::{Feed, Server};

/// Finds a stream by its name or its id.
pub(crate) fn by_word(server: &Server, word: &str) -> Option<Rc<Feed>> {
    server.feed_named(word).or_else(|| server.feed(word.parse().ok()?))
}

/// Finds the first camera, or what is shown as one.
pub(crate) fn first(server: &Server) -> Option<Rc<Feed>> {
    server.feeds().iter().find(|feed| feed.place().origin.is_shown_first()).cloned()
}

/// Finds the stream that has a stream's picture in the format that is wanted most.
///
/// With nothing wanted it is the stream itself; so it is while nobody knows what a camera gives.
pub(crate) fn in_format(server: &Server, feed: &Rc<Feed>, wanted: &[String]) -> Option<Rc<Feed>> {
    if wanted.is_empty() {
        return Some(Rc::clone(feed));
    }
    let own = own_format(feed);
    let derived = derived(server, feed);
    let found = wanted.iter().find_map(|wanted| {
        if own.as_ref() == Some(wanted) {
            return Some(feed);
        }
        derived.iter().find(|derived| own_format(derived).as_ref() == Some(wanted))
    });
    found.or_else(|| own.is_none().then_some(feed)).cloned()
}

/// Finds the stream that has a stream's picture as JPEG: of the renditions the least that is as wide as wanted, else
/// the whole one.
pub(crate) fn as_jpeg(server: &Server, feed: &Rc<Feed>, wanted_width: Option<u32>) -> Rc<Feed> {
    let is_made =
        |feed: &Feed| feed.place().kind().is_some_and(|kind| kind.fourcc() == FourCc::MJPEG);
    if wanted_width.is_none() && is_made(feed) {
        return Rc::clone(feed);
    }
    let (camera, feeds) = (feed.place().camera(), server.feeds());
    let jpegs = || {
        feeds.iter().filter_map(|feed| {
            let made = feed.place().made().filter(|made| made.of == camera)?;
            (made.kind.fourcc() == FourCc::MJPEG).then_some((made.kind.width(), feed))
        })
    };
    let rendition = wanted_width.and_then(|wanted| {
        jpegs()
            .filter_map(|(width, feed)| Some((width.filter(|width| *width >= wanted)?, feed)))
            .min_by_key(|(width, _)| *width)
    });
    let whole = || jpegs().find(|(width, _)| width.is_none()).map(|(_, feed)| feed);
    Rc::clone(rendition.map(|(_, feed)| feed).or_else(whole).unwrap_or(feed))
}

/// Describes what a stream can be had in: its own format, then those that are made of it.
pub(crate) fn formats(server: &Server, feed: &Rc<Feed>) -> Vec<FormatInfo> {
    let own = feed.shape().map(|(format, interval)| describe(&format, interval));
    let mut all: Vec<FormatInfo> = own.into_iter().collect();
    let camera = server.feed_of(feed.place().camera());
    let Some((camera, interval)) = camera.and_then(|camera| camera.shape()) else {
        return all;
    };
    // Nobody looks at what is made only to describe it: that would set its encoder to work.
    let derived = derived(server, feed);
    for kind in derived.iter().chain([feed]).filter_map(|feed| feed.place().kind()) {
        let made = describe(&kind.format_of((camera.width, camera.height)), interval);
        // A camera that gives JPEG is had in JPEG once.
        if all.iter().all(|known| known.format != made.format) {
            all.push(made);
        }
    }
    all
}

/// Says what an area is in one line, as an app's `areas` is answered.
pub(crate) fn line(feed: &Feed) -> String {
    let newest = feed.newest();
    let shape = feed.shape().map(|(format, _)| format);
    let known = |number: Option<u64>| number.map_or("-".to_owned(), |number| number.to_string());
    let side = |of: fn(&Format) -> u32| known(shape.as_ref().map(|format| of(format).into()));
    let info = newest.frame.as_ref().map(|frame| *frame.info());
    let fourcc = shape.filter(|format| format.fourcc != FourCc::default());
    let words = [
        feed.place().id.to_string(),
        feed.place().name.clone(),
        feed.place().origin.name().to_owned(),
        if newest.state.is_live() { "live" } else { "no-signal" }.to_owned(),
        known(info.map(|info| info.len)),
        fourcc.map_or("-".to_owned(), |format| format.fourcc.to_string()),
        side(|format| format.width),
        side(|format| format.height),
        side(|format| format.stride),
        known(info.map(|info| info.sequence)),
    ];
    words.join(" ") + "\n"
}

/// The whole-size streams that are made of one.
pub(crate) fn derived(server: &Server, feed: &Feed) -> Vec<Rc<Feed>> {
    let (feeds, id) = (server.feeds(), feed.place().id);
    let is_made_of_it = |feed: &&Rc<Feed>| {
        feed.place().made().is_some_and(|made| made.of == id && made.kind.width().is_none())
    };
    feeds.iter().filter(is_made_of_it).cloned().collect()
}

/// The pixel format that a stream has or will have; none while nobody knows.
fn own_fourcc(feed: &Feed) -> Option<FourCc> {
    match feed.place().kind() {
        Some(kind) => Some(kind.fourcc()),
        None => feed.shape().map(|(format, _)| format.fourcc),
    }
}

/// Tells whether nobody here knows yet what a stream gives.
pub(crate) fn is_unknown(feed: &Feed) -> bool {
    own_fourcc(feed).is_none()
}

fn own_format(feed: &Feed) -> Option<String> {
    own_fourcc(feed).map(name)
}

/// Describes a format in the words of `eyelet.v1`.
pub(crate) fn describe(format: &Format, interval: Duration) -> FormatInfo {
    FormatInfo {
        format: name(format.fourcc),
        fourcc: format.fourcc.to_string(),
        width: format.width,
        height: format.height,
        stride: format.stride,
        fps: fps(interval),
        matrix: match format.matrix {
            Matrix::Unspecified | Matrix::Bt601 => v1::Matrix::Bt601,
            Matrix::Bt709 => v1::Matrix::Bt709,
            Matrix::Bt2020 => v1::Matrix::Bt2020,
            Matrix::Smpte240m => v1::Matrix::Unknown,
        },
        range: match format.range {
            Range::Unspecified | Range::Limited => v1::Range::Limited,
            Range::Full => v1::Range::Full,
        },
        codec: None,
    }
}

/// Rounds to a thousandth, so that 33,333,333 ns are 30 frames a second.
pub(crate) fn fps(interval: Duration) -> f64 {
    if interval.is_zero() { 0.0 } else { (1000.0 / interval.as_secs_f64()).round() / 1000.0 }
}

/// The word of `eyelet.v1` for a pixel format.
pub(crate) fn name(fourcc: FourCc) -> String {
    match fourcc {
        FourCc::RGB24 => "rgb24".to_owned(),
        FourCc::RGBA32 => "rgba".to_owned(),
        FourCc::MJPEG => "jpeg".to_owned(),
        other => other.to_string().to_ascii_lowercase(),
    }
}
