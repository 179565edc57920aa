//! Answers with a whole body.

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{self, HeaderValue};
use hyper::{Response, StatusCode};

/// A whole body.
pub(crate) type Body = Full<Bytes>;
/// An answer with a whole body.
pub(crate) type Answer = Response<Body>;

/// Makes an answer of one line.
pub(crate) fn plain(status: StatusCode, text: &str) -> Answer {
    whole(status, "text/plain; charset=utf-8", Bytes::from(format!("{text}\n")))
}

/// Answers whoever asks for what is not there.
pub(crate) fn not_found() -> Answer {
    plain(StatusCode::NOT_FOUND, "there is nothing at this address")
}

/// Says after how many seconds it is worth asking again.
pub(crate) fn retry_after(mut answer: Answer, seconds: u64) -> Answer {
    answer.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    answer
}

/// Makes an answer that nobody keeps.
pub(crate) fn whole(status: StatusCode, content_type: &'static str, body: Bytes) -> Answer {
    let mut answer = Response::new(Full::new(body));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    answer
}

/// Makes the bytes of an answer of one line, for sockets that hyper does not have.
pub(crate) fn plain_bytes(status: StatusCode, text: &str) -> Vec<u8> {
    let retry = if status == StatusCode::SERVICE_UNAVAILABLE { "Retry-After: 1\r\n" } else { "" };
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\n{retry}\
         Cache-Control: no-store\r\nConnection: close\r\n\r\n{text}\n",
        text.len() + 1
    )
    .into_bytes()
}
