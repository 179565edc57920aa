//! Which address is answered by what.

use std::net::SocketAddr;
use std::rc::Rc;

use hyper::body::Incoming;
use hyper::header::{self, HeaderValue};
use hyper::{Method, Request, StatusCode};

use crate::app;
use crate::serve::answer::{Answer, plain};
use crate::serve::http::{Slot, Takeover, never};
use crate::serve::{Server, api, count, site, snapshot, websocket};

/// Answers a request, or hands the socket over.
///
/// Everything below `/-/` is Eyelet's own, always. The rest belongs to the app where there is one, else to the built-in site.
pub(crate) async fn answer(
    server: &Rc<Server>,
    request: Request<Incoming>,
    peer: Option<SocketAddr>,
    slot: &Slot,
) -> Answer {
    let answer = route(server, request, peer, slot).await;
    if answer.status().is_client_error() || answer.status().is_server_error() {
        count(&server.counters.refused, 1);
    }
    answer
}

async fn route(
    server: &Rc<Server>,
    request: Request<Incoming>,
    peer: Option<SocketAddr>,
    slot: &Slot,
) -> Answer {
    let path = request.uri().path().to_owned();
    if let Some(own) = path.strip_prefix("/-/") {
        return match own {
            "ws" => watch(server, request, slot).await,
            _ => get(server, own, &request).await,
        };
    }
    if server.app.is_some() {
        return match app::Request::read(request, peer, &server.limits).await {
            Ok(request) => hand_over(slot, Takeover::App(Box::new(request))).await,
            Err(answer) => *answer,
        };
    }
    match only_get(&request) {
        Ok(()) => {
            let known = request.headers().get(header::IF_NONE_MATCH);
            site::page(&path, known).unwrap_or_else(not_found)
        }
        Err(answer) => *answer,
    }
}

async fn watch(server: &Server, request: Request<Incoming>, slot: &Slot) -> Answer {
    let (head, _) = request.into_parts();
    let Some(bare_stream) = wanted_stream(server, head.uri.query()) else { return no_stream() };
    match websocket::check(&head) {
        Ok(upgrade) => hand_over(slot, Takeover::Viewer { upgrade, bare_stream }).await,
        Err(answer) => *answer,
    }
}

async fn hand_over(slot: &Slot, takeover: Takeover) -> Answer {
    *slot.borrow_mut() = Some(takeover);
    never().await
}

async fn get(server: &Rc<Server>, own: &str, request: &Request<Incoming>) -> Answer {
    if let Err(answer) = only_get(request) {
        return *answer;
    }
    match own {
        "healthz" => plain(StatusCode::OK, "ok"),
        "api/status" => api::status(server).await,
        "snapshot.png" => snapshot::png(server, request.uri().query()).await,
        own => {
            site::file(own, request.headers().get(header::IF_NONE_MATCH)).unwrap_or_else(not_found)
        }
    }
}

fn only_get(request: &Request<Incoming>) -> Result<(), Box<Answer>> {
    if matches!(*request.method(), Method::GET | Method::HEAD) {
        return Ok(());
    }
    let mut answer = plain(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD are answered here");
    answer.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
    Err(Box::new(answer))
}

/// Reads `?stream=ID`, by default the first; `None` if there is no such stream.
pub(crate) fn wanted_stream(server: &Server, query: Option<&str>) -> Option<u32> {
    let mut parts = query.unwrap_or("").split('&');
    let wanted = parts.find_map(|part| part.strip_prefix("stream=")).unwrap_or("0");
    wanted.parse().ok().filter(|id| server.feed(*id).is_some())
}

/// Answers whoever asks for a stream that is not there.
pub(crate) fn no_stream() -> Answer {
    plain(StatusCode::NOT_FOUND, "there is no such stream")
}

fn not_found() -> Answer {
    plain(StatusCode::NOT_FOUND, "there is nothing at this address")
}
