//! One picture: as PNG, as JPEG, or the frame as it is.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use eyelet_area::{Format, FourCc, Frame, MonotonicNs};
use hyper::StatusCode;
use hyper::header::{self, HeaderName, HeaderValue};
use tokio::sync::Semaphore;

use crate::picture;
use crate::serve::answer::{Answer, plain, whole};
use crate::serve::multipart::captured_since_epoch;
use crate::serve::query::Query;
use crate::serve::{Feed, Server, streams};

/// How long a snapshot waits for a picture to come.
const PATIENCE: Duration = Duration::from_secs(3);
/// The longest `max_age=` in seconds; more is no limit at all.
const MAX_AGE: f64 = 86_400.0;
/// The widest `width=`, that of the widest JPEG.
pub(crate) const MAX_WIDTH: f64 = Format::MAX_SIDE_PX as f64;

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
    make(server, "image/png", move || picture::to_png(&frame)).await
}

/// `GET /-/snapshot.jpg?stream=&width=&max_age=` and `GET /-/frame?stream=&format=&max_age=`: the frame as it is.
///
/// The picture is as wide as the narrowest rendition that is wide enough: nothing is made for one who asks once.
pub(super) async fn raw(feed: &Rc<Feed>, query: Query<'_>) -> Result<Answer, Box<Answer>> {
    let max_age = query.number("max_age", 0.0..=MAX_AGE)?.map(Duration::from_secs_f64);
    Ok(as_it_is(newest(feed, max_age).await?))
}

/// Gives a stream's newest frame, of no more than this age when the request came.
async fn newest(feed: &Rc<Feed>, max_age: Option<Duration>) -> Result<Arc<Frame>, Box<Answer>> {
    let age = max_age.map(|age| u64::try_from(age.as_nanos()).unwrap_or(u64::MAX));
    let not_before = age.map_or(0, |age| MonotonicNs::now().0.saturating_sub(age));
    let is_young = |frame: &Frame| frame.info().captured_at.0 >= not_before;
    let newest = feed.watch().first_that(PATIENCE, is_young).await;
    newest.frame.ok_or_else(|| {
        let why = newest.state.why();
        let why = if why.is_empty() { "no frame has come in time" } else { why };
        let mut answer = plain(StatusCode::SERVICE_UNAVAILABLE, &format!("no signal: {why}"));
        answer.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        Box::new(answer)
    })
}

/// Answers with a frame's own bytes, and says in fields what they are.
fn as_it_is(frame: Arc<Frame>) -> Answer {
    let info = *frame.info();
    let format = streams::describe(&info.format, info.interval);
    let content_type = match info.format.fourcc {
        FourCc::MJPEG => "image/jpeg",
        _ => "application/octet-stream",
    };
    if let Err(e) = frame.bytes() {
        return plain(StatusCode::INTERNAL_SERVER_ERROR, &e.to_string());
    }
    let mut answer = whole(StatusCode::OK, content_type, Bytes::from_owner(Pages(frame)));
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
async fn make(
    server: &Server,
    content_type: &'static str,
    work: impl FnOnce() -> crate::error::Result<Vec<u8>> + Send + 'static,
) -> Result<Answer, Box<Answer>> {
    let failed = |text: &str| Box::new(plain(StatusCode::INTERNAL_SERVER_ERROR, text));
    let turn = server.snapshots.one_at_a_time.acquire().await;
    let _turn = turn.map_err(|_| failed("snapshots have ended"))?;
    match tokio::task::spawn_blocking(work).await {
        Ok(Ok(bytes)) => Ok(whole(StatusCode::OK, content_type, Bytes::from(bytes))),
        Ok(Err(e)) => Err(Box::new(plain(StatusCode::NOT_IMPLEMENTED, &e.to_string()))),
        Err(_) => Err(failed("the snapshot failed")),
    }
}
