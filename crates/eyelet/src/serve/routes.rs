//! Which address is answered by what.

use std::cell::RefCell;
use std::rc::Rc;

use bytes::Bytes;
use hyper::body::Incoming;
use hyper::header::{self, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Request, StatusCode};

use crate::app;
use crate::serve::access::{self, Asker, Pass, login};
use crate::serve::answer::{Answer, not_found, plain, whole};
use crate::serve::cors::{self, Reader};
use crate::serve::multipart::Style;
use crate::serve::query::Query;
use crate::serve::socket::Peer;
use crate::serve::takeover::{self, Slot, Takeover, hand_over};
use crate::serve::{
    Feed, Server, api, areas, controls, familiar, metrics, site, snapshot, streams, viewer,
    websocket,
};

/// What answers an address below `/-/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Own {
    Told(Told),
    Login,
    Logout,
    Enter,
    Session,
    Areas,
    Area,
    Controls,
}

/// What takes no body, and is told to everybody who may watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    WebSocket,
    Stream,
    StreamH264,
    SnapshotJpeg,
    SnapshotPng,
    Frame,
    Health,
    Metrics,
    Status,
    OpenApi,
}

impl Own {
    /// Whether it is there for those who are still to show who they are.
    fn is_public(self) -> bool {
        matches!(self, Self::Told(Told::Health) | Self::Login | Self::Logout | Self::Enter)
    }
}

/// Reading alone.
const READ: &str = "GET, HEAD";

/// Every address below `/-/` but those of the player's files: what answers it, and which methods.
///
/// `docs/ref/openapi.json` describes each; a test compares them.
const OWN: [(&str, &str, Own); 17] = [
    ("ws", "GET", Own::Told(Told::WebSocket)),
    ("stream.mjpg", READ, Own::Told(Told::Stream)),
    ("stream.h264", READ, Own::Told(Told::StreamH264)),
    ("snapshot.jpg", READ, Own::Told(Told::SnapshotJpeg)),
    ("snapshot.png", READ, Own::Told(Told::SnapshotPng)),
    ("frame", READ, Own::Told(Told::Frame)),
    ("healthz", READ, Own::Told(Told::Health)),
    ("login", "GET, HEAD, POST", Own::Login),
    ("logout", "POST", Own::Logout),
    ("enter", "GET, HEAD, POST", Own::Enter),
    ("api/session", READ, Own::Session),
    ("metrics", READ, Own::Told(Told::Metrics)),
    ("api/status", READ, Own::Told(Told::Status)),
    ("api/areas", READ, Own::Areas),
    ("api/areas/{name}", "GET, HEAD, PUT, POST", Own::Area),
    ("api/controls", "GET, HEAD, PUT, DELETE", Own::Controls),
    ("api/openapi.json", READ, Own::Told(Told::OpenApi)),
];

/// The description of the addresses below `/-/`, OpenAPI 3.1.
const OPENAPI: &str = include_str!("../../../../docs/ref/openapi.json");

/// Gives every address below `/-/` but those of the player's files, with its methods: `/-/api/status`, `GET, HEAD`. A part
/// in braces stands for any name.
pub fn addresses() -> impl Iterator<Item = (String, &'static str)> {
    OWN.into_iter().map(|(path, methods, _)| (format!("/-/{path}"), methods))
}

/// Finds what answers an address, which methods it has, and the name at the end of the address, if it has one.
fn find(own: &str) -> Option<(Own, &'static str, &str)> {
    OWN.into_iter().find_map(|(path, methods, to)| {
        let name = match path.strip_suffix("{name}") {
            Some(before) => own.strip_prefix(before).filter(|name| !name.is_empty())?,
            None if path == own => "",
            None => return None,
        };
        Some((to, methods, name))
    })
}

/// Answers a request, or hands the socket over; `pass` is then what its client was let in by.
///
/// Everything below `/-/` is Eyelet's own, always. The rest belongs to the app where there is one, else to the built-in
/// site and to the addresses that clients of other servers know.
pub(crate) async fn answer(
    server: &Rc<Server>,
    request: Request<Incoming>,
    peer: Peer,
    pass: &RefCell<Option<Pass>>,
    slot: &Slot,
) -> Answer {
    let reader = Reader::of(request.headers(), &server.config().allowed_origins);
    let answer = route(server, request, peer, &reader, pass, slot).await;
    let mut answer = answer.unwrap_or_else(|answer| *answer);
    cors::finish(&mut answer, &reader);
    if answer.status().is_client_error() || answer.status().is_server_error() {
        server.counters.refused.count(answer.status());
    }
    answer
}

async fn route(
    server: &Rc<Server>,
    request: Request<Incoming>,
    peer: Peer,
    reader: &Reader,
    pass: &RefCell<Option<Pass>>,
    slot: &Slot,
) -> Result<Answer, Box<Answer>> {
    let (head, body) = request.into_parts();
    access::check_host(server, &head)?;
    let own = head.uri.path().strip_prefix("/-/");
    let found = own.and_then(find);
    let is_apps = own.is_none() && server.app().is_some();
    if let Some(answer) = cors::preflight(&head, reader).filter(|_| !is_apps) {
        return Ok(answer);
    }
    // The player's files are no secret.
    let is_public = found.map_or(own.is_some(), |(to, ..)| to.is_public());
    let asker =
        if is_public { Asker::Nameless } else { access::admit(server, &head, peer).await? };
    pass.replace(Some(Pass::new(asker.clone(), &server.config().access)));
    if is_apps {
        let config = server.config();
        let origins = &config.allowed_origins;
        let request = app::Request::read(head, body, &asker, peer, &config.limits, origins).await?;
        return Ok(hand_over(slot, Takeover::App(Box::new(request))).await);
    }
    let Some(own) = own else {
        only(READ, &head)?;
        if let Some(answer) = familiar::answer(server, &head, reader, slot).await {
            return answer;
        }
        return Ok(site::page(head.uri.path(), &head.headers).unwrap_or_else(not_found));
    };
    let Some((to, methods, name)) = found else {
        only(READ, &head)?;
        return Ok(site::file(own, &head.headers).unwrap_or_else(not_found));
    };
    only(methods, &head)?;
    match to {
        Own::Login => login::login(server, &head, body, peer).await,
        Own::Logout => login::logout(&head, peer),
        Own::Enter => login::enter(server, &head, body, peer).await,
        Own::Session => Ok(login::session(server, &asker)),
        Own::Areas => Ok(areas::list(server)),
        Own::Area => areas::answer(server, name, &head, body, &asker).await,
        Own::Controls => {
            let feed = wanted_stream(server, Query::new(head.uri.query()))?;
            controls::answer(server, &feed, &head, body, &asker, peer).await
        }
        Own::Told(to) => tell(server, to, &head, reader, slot).await,
    }
}

/// Answers everybody who may watch.
async fn tell(
    server: &Rc<Server>,
    to: Told,
    head: &Parts,
    reader: &Reader,
    slot: &Slot,
) -> Result<Answer, Box<Answer>> {
    let query = Query::new(head.uri.query());
    match to {
        Told::WebSocket => watch(server, head, slot).await,
        Told::Stream => {
            let style = Style { reader: reader.clone(), ..Style::default() };
            let style = Style { is_advanced: query.is_on("advance"), ..style };
            let feed = wanted_jpeg(server, query)?;
            takeover::pictures(&feed, query, style, None, head, slot).await
        }
        Told::StreamH264 => {
            let style = Style { is_bare: true, reader: reader.clone(), ..Style::default() };
            let feed = in_format(server, query, "h264")?;
            if streams::is_unknown(&feed) {
                snapshot::first(&wanted_stream(server, query)?).await?;
            }
            let feed = in_format(server, query, "h264")?;
            takeover::pictures(&feed, query, style, None, head, slot).await
        }
        Told::SnapshotJpeg => snapshot::jpeg(server, &wanted_stream(server, query)?, query).await,
        Told::SnapshotPng => snapshot::png(&wanted_stream(server, query)?, server).await,
        Told::Frame => snapshot::raw(&in_wanted_format(server, query)?, query).await,
        Told::Health => Ok(plain(StatusCode::OK, "ok")),
        Told::Metrics => Ok(metrics::answer(server).await),
        Told::Status => Ok(api::status(server).await),
        Told::OpenApi => {
            let text = Bytes::from_static(OPENAPI.as_bytes());
            Ok(whole(StatusCode::OK, "application/json", text))
        }
    }
}

/// A WebSocket: bare frames of the stream that the address names, or `eyelet.v1`.
async fn watch(server: &Server, head: &Parts, slot: &Slot) -> Result<Answer, Box<Answer>> {
    let query = Query::new(head.uri.query());
    let feed = in_wanted_format(server, query)?;
    let least = query.least_interval()?;
    let upgrade = websocket::check(head, &server.config().allowed_origins)?;
    let wanted = viewer::WantedFrames { feed, least };
    Ok(hand_over(slot, Takeover::WebSocket { upgrade, wanted }).await)
}

/// Refuses methods that an address does not have.
fn only(methods: &'static str, head: &Parts) -> Result<(), Box<Answer>> {
    if methods.split(", ").any(|method| method == head.method.as_str()) {
        return Ok(());
    }
    let text = format!("{} is not answered here: there is {methods}", head.method);
    let mut answer = plain(StatusCode::METHOD_NOT_ALLOWED, &text);
    answer.headers_mut().insert(header::ALLOW, HeaderValue::from_static(methods));
    Err(Box::new(answer))
}

/// Finds the stream of `?stream=`, a name or an id; by default the first camera.
fn wanted_stream(server: &Server, query: Query<'_>) -> Result<Rc<Feed>, Box<Answer>> {
    let found = match query.get("stream") {
        Some(word) => streams::by_word(server, &word),
        None => streams::first(server),
    };
    found.ok_or_else(|| {
        let feeds = server.feeds();
        let names: Vec<String> = feeds.iter().map(|feed| feed.place().name.clone()).collect();
        let text = format!("there is no such stream; there is {}", names.join(", "));
        Box::new(plain(StatusCode::NOT_FOUND, &text))
    })
}

/// The same in the format of `?format=`.
fn in_wanted_format(server: &Server, query: Query<'_>) -> Result<Rc<Feed>, Box<Answer>> {
    match query.get("format") {
        Some(format) => in_format(server, query, &format),
        None => wanted_stream(server, query),
    }
}

/// The same in a format.
fn in_format(server: &Server, query: Query<'_>, format: &str) -> Result<Rc<Feed>, Box<Answer>> {
    let feed = wanted_stream(server, query)?;
    streams::in_format(server, &feed, &[format.to_owned()]).ok_or_else(|| {
        let text = "the stream cannot be had in that format";
        Box::new(plain(StatusCode::NOT_FOUND, text))
    })
}

/// The same as JPEG, about as wide as `?width=`.
fn wanted_jpeg(server: &Server, query: Query<'_>) -> Result<Rc<Feed>, Box<Answer>> {
    let width = snapshot::width(query)?;
    Ok(streams::as_jpeg(server, &wanted_stream(server, query)?, width))
}
