//! The body of a request: whole, bounded in length and in time.

use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::StatusCode;
use hyper::body::{Body, Incoming};

use crate::config::Limits;
use crate::serve::answer::{Answer, plain};

/// Reads a body of at most `most` bytes.
///
/// # Errors
/// The answer: 413 for one that is longer, 408 for one that takes longer than [`Limits::body_timeout`], 400 for one that
/// ends before it should or is framed wrongly.
pub(crate) async fn read(
    body: Incoming,
    most: usize,
    limits: &Limits,
) -> Result<Bytes, Box<Answer>> {
    let refuse = |status, text: &str| Err(Box::new(plain(status, text)));
    let too_long =
        || refuse(StatusCode::PAYLOAD_TOO_LARGE, &format!("the body is longer than {most} bytes"));
    if body.size_hint().lower() > most as u64 {
        return too_long();
    }
    let reading = Limited::new(body, most).collect();
    match tokio::time::timeout(limits.body_timeout, reading).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(e)) if e.is::<http_body_util::LengthLimitError>() => too_long(),
        Ok(Err(_)) => refuse(StatusCode::BAD_REQUEST, "the body did not arrive"),
        Err(_) => {
            let seconds = limits.body_timeout.as_secs();
            let text = format!("the body did not arrive within {seconds} s");
            refuse(StatusCode::REQUEST_TIMEOUT, &text)
        }
    }
}
