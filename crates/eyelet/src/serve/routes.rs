//! Which address is answered by what.

use std::net::SocketAddr;
use std::rc::Rc;

use hyper::body::Incoming;
use hyper::header::{self, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Method, Request, StatusCode};

use crate::app;
use crate::serve::answer::{Answer, not_found, plain};
use crate::serve::multipart::Style;
use crate::serve::query::Query;
use crate::serve::takeover::{self, Slot, Takeover, hand_over};
use crate::serve::{
    Feed, Server, api, areas, count, familiar, site, snapshot, streams, viewer, websocket,
};

/// Answers a request, or hands the socket over.
///
/// Everything below `/-/` is Eyelet's own, always. The rest belongs to the app where there is one, else to the built-in
/// site and to the addresses that clients of other servers know.
pub(crate) async fn answer(
    server: &Rc<Server>,
    request: Request<Incoming>,
    peer: Option<SocketAddr>,
    slot: &Slot,
) -> Answer {
    let answer = route(server, request, peer, slot).await.unwrap_or_else(|answer| *answer);
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
) -> Result<Answer, Box<Answer>> {
    let is_own = request.uri().path().starts_with("/-/");
    if !is_own && server.app.is_some() {
        let request = app::Request::read(request, peer, &server.limits).await?;
        return Ok(hand_over(slot, Takeover::App(Box::new(request))).await);
    }
    let (head, body) = request.into_parts();
    let Some(own) = head.uri.path().strip_prefix("/-/") else {
        only_get(&head)?;
        if let Some(answer) = familiar::answer(server, &head, slot).await {
            return answer;
        }
        let known = head.headers.get(header::IF_NONE_MATCH);
        return Ok(site::page(head.uri.path(), known).unwrap_or_else(not_found));
    };
    if own == "ws" {
        return watch(server, &head, slot).await;
    }
    if let Some(rest) = own.strip_prefix("api/areas") {
        let name = rest.strip_prefix('/').filter(|name| !name.is_empty());
        if rest.is_empty() || name.is_some() {
            return areas::answer(server, name, &head, body).await;
        }
    }
    only_get(&head)?;
    let query = Query::new(head.uri.query());
    match own {
        "healthz" => Ok(plain(StatusCode::OK, "ok")),
        "api/status" => Ok(api::status(server).await),
        "snapshot.png" => snapshot::png(wanted_stream(server, query)?, server).await,
        "snapshot.jpg" => snapshot::jpeg(server, wanted_stream(server, query)?, query).await,
        "frame" => snapshot::raw(in_wanted_format(server, query)?, query).await,
        "stream.mjpg" => {
            let style = Style { is_advanced: query.is_on("advance"), ..Style::default() };
            let feed = wanted_jpeg(server, query)?;
            takeover::pictures(feed, query, style, None, &head, slot).await
        }
        own => {
            let known = head.headers.get(header::IF_NONE_MATCH);
            Ok(site::file(own, known).unwrap_or_else(not_found))
        }
    }
}

/// A WebSocket: bare frames of the stream that the address names, or `eyelet.v1`.
async fn watch(server: &Server, head: &Parts, slot: &Slot) -> Result<Answer, Box<Answer>> {
    let query = Query::new(head.uri.query());
    let feed = Rc::clone(in_wanted_format(server, query)?);
    let least = query.least_interval()?;
    let upgrade = websocket::check(head)?;
    let wanted = viewer::WantedFrames { feed, least };
    Ok(hand_over(slot, Takeover::WebSocket { upgrade, wanted }).await)
}

fn only_get(head: &Parts) -> Result<(), Box<Answer>> {
    if matches!(head.method, Method::GET | Method::HEAD) {
        return Ok(());
    }
    let mut answer = plain(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD are answered here");
    answer.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
    Err(Box::new(answer))
}

/// Finds the stream of `?stream=`, a name or an id; by default the first.
fn wanted_stream<'a>(server: &'a Server, query: Query<'_>) -> Result<&'a Rc<Feed>, Box<Answer>> {
    let word = query.get("stream").unwrap_or("0".into());
    streams::by_word(server, &word).ok_or_else(|| {
        let names: Vec<&str> = server.feeds.iter().map(|feed| feed.place.name.as_str()).collect();
        let text = format!("there is no such stream; there is {}", names.join(", "));
        Box::new(plain(StatusCode::NOT_FOUND, &text))
    })
}

/// The same in the format of `?format=`.
fn in_wanted_format<'a>(server: &'a Server, query: Query<'_>) -> Result<&'a Rc<Feed>, Box<Answer>> {
    let feed = wanted_stream(server, query)?;
    let wanted: Vec<String> = query.get("format").into_iter().map(String::from).collect();
    streams::in_format(server, feed, &wanted).ok_or_else(|| {
        let text = "the stream cannot be had in that format";
        Box::new(plain(StatusCode::NOT_FOUND, text))
    })
}

/// The same as JPEG, about as wide as `?width=`.
fn wanted_jpeg<'a>(server: &'a Server, query: Query<'_>) -> Result<&'a Rc<Feed>, Box<Answer>> {
    let width = snapshot::width(query)?;
    Ok(streams::as_jpeg(server, wanted_stream(server, query)?, width))
}
