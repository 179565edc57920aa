//! The addresses that clients of ustreamer and mjpg-streamer know, at `/` where there is no app.
//!
//! Source: what these servers answer, and the clients that ask them: OctoPrint, Home Assistant, crowsnest.

use std::rc::Rc;

use bytes::Bytes;
use hyper::StatusCode;
use hyper::header::HeaderValue;
use hyper::http::request::Parts;
use serde_json::{Map, Value, json};

use crate::config::stream::Kind;
use crate::serve::answer::{Answer, not_found, whole};
use crate::serve::cors::Reader;
use crate::serve::multipart::Style;
use crate::serve::query::Query;
use crate::serve::takeover::{self, Slot};
use crate::serve::{Feed, Server, api, snapshot, streams};

/// Answers an address that such a client knows; none for any other.
pub(crate) async fn answer(
    server: &Rc<Server>,
    head: &Parts,
    reader: &Reader,
    slot: &Slot,
) -> Option<Result<Answer, Box<Answer>>> {
    let query = Query::new(head.uri.query());
    let (word, feed) = match head.uri.path() {
        "/stream" | "/snapshot" | "/state" => (&head.uri.path()[1..], streams::first(server)?),
        "/" => {
            let action = query.get("action")?;
            let (word, number) = action.split_once('_').unwrap_or((&action, "0"));
            let feeds = server.feeds();
            let camera = feeds.iter().filter(|feed| feed.place().origin.is_shown_first());
            let camera = number.parse().ok().and_then(|number| camera.clone().nth(number));
            let known = ["stream", "snapshot"].into_iter().find(|known| *known == word);
            match (known, camera) {
                (Some(word), Some(camera)) => (word, Rc::clone(camera)),
                _ => return Some(Ok(not_found())),
            }
        }
        _ => return None,
    };
    let jpeg = streams::as_jpeg(server, &feed, None);
    Some(match word {
        "state" => Ok(state(server, &jpeg).await),
        "snapshot" => snapshot::jpeg(server, &jpeg, query).await.map(with_fields),
        _ => {
            let style = Style {
                is_advanced: query.is_on("advance_headers") || query.is_on("advance"),
                has_extra: query.is_on("extra_headers"),
                is_empty: query.is_on("zero_data"),
                reader: reader.clone(),
                ..Style::default()
            };
            let client = (head.uri.path() == "/stream").then(|| server.clients.add(query));
            let cookie = client.as_ref().map(|c| format!("stream_client={}/{}", c.key, c.id));
            takeover::pictures(&jpeg, query, Style { cookie, ..style }, client, head, slot).await
        }
    })
}

/// A picture's time and size are in fields of the answer.
fn with_fields(mut answer: Answer) -> Answer {
    let headers = answer.headers_mut();
    if let Some(stamp) = headers.get("x-eyelet-timestamp").cloned() {
        headers.insert("x-timestamp", stamp);
        headers.insert("x-ustreamer-online", HeaderValue::from_static("true"));
    }
    for (ours, theirs) in
        [("x-eyelet-width", "x-ustreamer-width"), ("x-eyelet-height", "x-ustreamer-height")]
    {
        if let Some(value) = headers.get(ours).cloned() {
            headers.insert(theirs, value);
        }
    }
    answer
}

/// `/state`: encoder, source and clients in ustreamer's words. The clients are those of this process.
async fn state(server: &Server, jpeg: &Feed) -> Answer {
    let camera = jpeg.place().camera();
    let status = server.line.status().await;
    let report = status.as_ref().and_then(|status| api::capture(status, camera));
    let opened = report.and_then(|report| report.opened.as_ref());
    let fps = |millifps: u64| (millifps + 500) / 1000;
    let captured = report.map_or(0, |report| fps(report.millifps));
    let clients = server.clients.living();
    let stat: Map<String, Value> = clients
        .iter()
        .map(|client| {
            let mut stat = json!({"fps": client.fps.get(), "key": client.key});
            for (name, is_on) in client.query {
                stat[name] = is_on.into();
            }
            (client.id.clone(), stat)
        })
        .collect();
    let state = json!({"ok": true, "result": {
        "instance_id": "",
        "encoder": {"type": "CPU", "quality": jpeg.place().kind().and_then(Kind::quality).unwrap_or(0)},
        "source": {
            "resolution": {
                "width": opened.map_or(0, |opened| opened.width),
                "height": opened.map_or(0, |opened| opened.height),
            },
            "online": report.is_some_and(|report| report.is_live()),
            "desired_fps": opened.map_or(0, |opened| fps(opened.millifps)),
            "captured_fps": captured,
        },
        "stream": {
            "queued_fps": clients.iter().map(|client| client.fps.get()).max().unwrap_or(0),
            "clients": clients.len(),
            "clients_stat": stat,
        },
    }});
    whole(StatusCode::OK, "application/json", Bytes::from(format!("{state}\n")))
}
