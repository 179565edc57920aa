//! `/-/snapshot.png`: the newest frame as a picture file.

use std::time::Duration;

use bytes::Bytes;
use hyper::StatusCode;
use hyper::header::{self, HeaderValue};
use tokio::sync::Semaphore;

use crate::picture;
use crate::serve::Server;
use crate::serve::answer::{Answer, plain, whole};
use crate::serve::routes::{no_stream, wanted_stream};

/// How long a snapshot waits for a picture to come.
const PATIENCE: Duration = Duration::from_secs(3);

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

/// `GET /-/snapshot.png?stream=ID`.
pub(super) async fn png(server: &Server, query: Option<&str>) -> Answer {
    let Some(feed) = wanted_stream(server, query).and_then(|id| server.feed(id)) else {
        return no_stream();
    };
    let newest = feed.watch().first(PATIENCE).await;
    let Some(frame) = newest.frame else {
        let why = newest.state.why();
        let why = if why.is_empty() { "no frame has come yet" } else { why };
        let mut answer = plain(StatusCode::SERVICE_UNAVAILABLE, &format!("no signal: {why}"));
        answer.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        return answer;
    };
    let Ok(_turn) = server.snapshots.one_at_a_time.acquire().await else {
        return plain(StatusCode::INTERNAL_SERVER_ERROR, "snapshots have ended");
    };
    match tokio::task::spawn_blocking(move || picture::to_png(&frame)).await {
        Ok(Ok(bytes)) => whole(StatusCode::OK, "image/png", Bytes::from(bytes)),
        Ok(Err(e)) => plain(StatusCode::NOT_IMPLEMENTED, &e.to_string()),
        Err(_) => plain(StatusCode::INTERNAL_SERVER_ERROR, "the snapshot failed"),
    }
}
