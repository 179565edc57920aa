//! One picture: as PNG, as JPEG, or the frame as it is.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use eyelet_area::{Format, FourCc, Frame, FrameInfo, MonotonicNs};
use hyper::StatusCode;
use hyper::header::{HeaderName, HeaderValue};
use tokio::sync::Semaphore;

use crate::config::stream::{DEFAULT_QUALITY, Kind};
use crate::error::ErrorKind;
use crate::picture::{self, Jpeg, JpegMaker};
use crate::serve::answer::{Answer, plain, retry_after, whole};
use crate::serve::multipart::captured_since_epoch;
use crate::serve::query::Query;
use crate::serve::{Feed, Newest, Server, streams};

/// How long a snapshot waits for a picture to come.
const PATIENCE: Duration = Duration::from_secs(3);
/// The longest `max_age=` in seconds; more is no limit at all.
const MAX_AGE: f64 = 86_400.0;
/// The widest `width=`, that of the widest JPEG.
const MAX_WIDTH: f64 = Format::MAX_SIDE_PX as f64;

/// Makes pictures one at a time, beside the thread that serves streams.
#[derive(Debug)]
pub(super) struct Maker {
    one_at_a_time: Semaphore,
}

impl Default for Maker {
    fn default() -> Self {
        Self { one_at_a_time: Semaphore::new(1) }
    }
}

/// `GET /-/snapshot.png?stream=`.
pub(super) async fn png(feed: &Rc<Feed>, server: &Server) -> Result<Answer, Box<Answer>> {
    let frame = newest(feed, None).await?;
    let bytes = make(server, move || picture::to_png(&frame)).await?;
    Ok(whole(StatusCode::OK, "image/png", Bytes::from(bytes)))
}

/// `GET /-/frame?stream=&format=&max_age=`: the frame as it is.
pub(super) async fn raw(feed: &Rc<Feed>, query: Query<'_>) -> Result<Answer, Box<Answer>> {
    Ok(as_it_is(newest(feed, max_age(query)?).await?))
}

/// `GET /-/snapshot.jpg?stream=&width=&max_age=`: the newest frame of a stream of JPEG, no wider than `width`.
///
/// A rendition that has the width passes as it is, and so does a picture that is narrower.
pub(super) async fn jpeg(
    server: &Server,
    feed: &Rc<Feed>,
    query: Query<'_>,
) -> Result<Answer, Box<Answer>> {
    let wanted = width(query)?;
    let feed = streams::as_jpeg(server, feed, wanted);
    let frame = newest(&feed, max_age(query)?).await?;
    let Format { fourcc, width, .. } = frame.info().format;
    let Some(wanted) = wanted.filter(|wanted| *wanted < width && fourcc == FourCc::MJPEG) else {
        return Ok(as_it_is(frame));
    };
    let quality = feed.place().kind().and_then(Kind::quality).unwrap_or(DEFAULT_QUALITY);
    let info = *frame.info();
    let work = move || JpegMaker::new(quality, Some(wanted)).make(&frame);
    let Jpeg { size: (width, height), bytes } = make(server, work).await?;
    let format = Format { width, height, ..info.format };
    let answer = whole(StatusCode::OK, "image/jpeg", Bytes::from(bytes));
    Ok(with_fields(answer, &FrameInfo { format, ..info }))
}

/// Waits until a stream has given something, so that it is known what that is.
pub(super) async fn first(feed: &Rc<Feed>) -> Result<(), Box<Answer>> {
    newest(feed, None).await.map(drop)
}

/// The `width=` of a request, in pixels.
pub(super) fn width(query: Query<'_>) -> Result<Option<u32>, Box<Answer>> {
    let width = query.number("width", 1.0..=MAX_WIDTH)?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is in range")]
    let width = width.map(|width| width as u32);
    Ok(width)
}

fn max_age(query: Query<'_>) -> Result<Option<Duration>, Box<Answer>> {
    Ok(query.number("max_age", 0.0..=MAX_AGE)?.map(Duration::from_secs_f64))
}

/// Gives a stream's newest frame, of no more than this age when the request came.
async fn newest(feed: &Rc<Feed>, max_age: Option<Duration>) -> Result<Arc<Frame>, Box<Answer>> {
    let age = max_age.map(|age| u64::try_from(age.as_nanos()).unwrap_or(u64::MAX));
    let not_before = age.map_or(0, |age| MonotonicNs::now().0.saturating_sub(age));
    let is_young = |frame: &Arc<Frame>| frame.info().captured_at.0 >= not_before;
    let pick = |newest: &Newest| newest.alone().filter(|frame| is_young(frame)).cloned();
    let mut watching = feed.watch();
    if pick(&watching.newest()).is_none() {
        feed.want_key();
    }
    let newest = watching.first_that(PATIENCE, pick).await;
    newest.frame.ok_or_else(|| {
        let why = newest.state.why();
        let why = if why.is_empty() { "no frame has come in time" } else { why };
        let answer = plain(StatusCode::SERVICE_UNAVAILABLE, &format!("no signal: {why}"));
        Box::new(retry_after(answer, 1))
    })
}

/// Answers with a frame's own bytes, and says in fields what they are.
fn as_it_is(frame: Arc<Frame>) -> Answer {
    let info = *frame.info();
    let content_type = match info.format.fourcc {
        FourCc::MJPEG => "image/jpeg",
        _ => "application/octet-stream",
    };
    if let Err(e) = frame.bytes() {
        return plain(StatusCode::INTERNAL_SERVER_ERROR, &e.to_string());
    }
    with_fields(whole(StatusCode::OK, content_type, Bytes::from_owner(Pages(frame))), &info)
}

/// Says in fields what an answer carries.
fn with_fields(mut answer: Answer, info: &FrameInfo) -> Answer {
    let format = streams::describe(&info.format, info.interval);
    let stamp = captured_since_epoch(info.captured_at);
    let fields = [
        ("x-eyelet-format", format.format),
        ("x-eyelet-fourcc", format.fourcc),
        ("x-eyelet-width", format.width.to_string()),
        ("x-eyelet-height", format.height.to_string()),
        ("x-eyelet-stride", format.stride.to_string()),
        ("x-eyelet-matrix", info.format.matrix.name().to_owned()),
        ("x-eyelet-range", info.format.range.name().to_owned()),
        ("x-eyelet-sequence", info.sequence.to_string()),
        ("x-eyelet-captured-us", info.captured_at.as_micros().to_string()),
        ("x-eyelet-timestamp", format!("{}.{:06}", stamp.as_secs(), stamp.subsec_micros())),
    ];
    let headers = answer.headers_mut();
    for (name, value) in fields {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    headers.insert(
        HeaderName::from_static("cross-origin-resource-policy"),
        HeaderValue::from_static("cross-origin"),
    );
    answer
}

/// A frame's bytes while they are being sent.
struct Pages(Arc<Frame>);

impl AsRef<[u8]> for Pages {
    fn as_ref(&self) -> &[u8] {
        // It was mapped before, and stays so.
        self.0.bytes().unwrap_or_default()
    }
}

/// Makes a picture beside the streams, one at a time.
async fn make<Made: Send + 'static>(
    server: &Server,
    work: impl FnOnce() -> crate::error::Result<Made> + Send + 'static,
) -> Result<Made, Box<Answer>> {
    let failed = |text: &str| Box::new(plain(StatusCode::INTERNAL_SERVER_ERROR, text));
    let turn = server.snapshots.one_at_a_time.acquire().await;
    let _turn = turn.map_err(|_| failed("snapshots have ended"))?;
    match tokio::task::spawn_blocking(work).await {
        Ok(Ok(made)) => Ok(made),
        Ok(Err(e)) if e.kind() != ErrorKind::Refused => Err(failed(&e.to_string())),
        Ok(Err(e)) => Err(Box::new(plain(StatusCode::NOT_IMPLEMENTED, &e.to_string()))),
        Err(_) => Err(failed("the snapshot failed")),
    }
}
