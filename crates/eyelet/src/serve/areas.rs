//! `/-/api/areas`: application areas and those of mules by HTTP: what they hold, and changing it where that is allowed.

use std::rc::Rc;

use bytes::Bytes;
use eyelet_area::message::{Answer as Answered, Bits, MAX_REQUEST_PAYLOAD_LEN, Op, Outcome};
use hyper::body::Incoming;
use hyper::http::request::Parts;
use hyper::{Method, StatusCode};
use serde_json::{Value, json};

use crate::config::Origin;
use crate::serve::access::{self, Asker};
use crate::serve::answer::{Answer, not_found, plain, whole};
use crate::serve::query::Query;
use crate::serve::{Feed, Server, body, streams};

/// The largest number that a parameter can give exactly.
const MAX_EXACT: f64 = 9_007_199_254_740_992.0;

/// Answers `/-/api/areas`: every area.
pub(super) fn list(server: &Server) -> Answer {
    let areas: Vec<Value> = server.feeds().iter().map(describe).collect();
    let text = format!("{}\n", json!({ "areas": areas }));
    whole(StatusCode::OK, "application/json", Bytes::from(text))
}

/// Answers for one area, by its name or its id.
///
/// # Errors
/// The answer: 400 for wrong parameters, 403 where changing is not allowed, 404 for no such area, 413, 416, 502.
pub(super) async fn answer(
    server: &Server,
    name: &str,
    head: &Parts,
    body: Incoming,
    asker: &Asker,
) -> Result<Answer, Box<Answer>> {
    let feed = streams::by_word(server, name).ok_or_else(|| Box::new(not_found()))?;
    if !feed.place().origin.may_take_requests() {
        let text = "this area has pictures: /-/frame and /-/snapshot.jpg give them";
        return Err(Box::new(plain(StatusCode::NOT_FOUND, text)));
    }
    let query = Query::new(head.uri.query());
    let pos = whole_number(query, "pos")?.unwrap_or(0).cast_unsigned();
    let ask = match head.method {
        Method::PUT => {
            may_change(server, &feed, head, asker)?;
            Op::Write {
                pos,
                payload: body::read(body, MAX_REQUEST_PAYLOAD_LEN, &server.limits())
                    .await?
                    .to_vec(),
            }
        }
        Method::POST => {
            may_change(server, &feed, head, asker)?;
            let bits = query.number("bits", 8.0..=64.0)?.unwrap_or(64.0);
            let bits = [8, 16, 32, 64].into_iter().find(|b| f64::from(*b) == bits);
            let bits =
                bits.and_then(Bits::from_count).ok_or_else(|| bad("`bits` is 8, 16, 32 or 64"))?;
            Op::Add { pos, bits, amount: whole_number(query, "add")?.unwrap_or(1) }
        }
        _ => Op::Read { pos, len: whole_number(query, "len")?.unwrap_or(0).cast_unsigned() },
    };
    let is_read = matches!(ask, Op::Read { .. });
    let answered = feed.requests().ask(ask).await.map_err(|e| {
        Box::new(plain(StatusCode::BAD_GATEWAY, &format!("area {}: {e}", feed.place().name)))
    })?;
    done(answered, is_read)
}

fn done(answered: Answered, is_read: bool) -> Result<Answer, Box<Answer>> {
    let refuse = |status, text: &str| Err(Box::new(plain(status, text)));
    match answered.outcome {
        Outcome::Done if is_read => {
            let payload = Bytes::from(answered.payload);
            Ok(whole(StatusCode::OK, "application/octet-stream", payload))
        }
        Outcome::Done => {
            let text = json!({ "sequence": answered.sequence, "value": answered.value });
            Ok(whole(StatusCode::OK, "application/json", Bytes::from(format!("{text}\n"))))
        }
        Outcome::OutOfRange => {
            let text = format!("the area has {} bytes; that part lies beyond", answered.value);
            refuse(StatusCode::RANGE_NOT_SATISFIABLE, &text)
        }
        Outcome::Refused => match answered.why() {
            "" => refuse(StatusCode::FORBIDDEN, "the area's owner takes no such request"),
            why => refuse(StatusCode::FORBIDDEN, &format!("the area's owner refuses: {why}")),
        },
        Outcome::TooLong => {
            let text = format!("`len` is {MAX_REQUEST_PAYLOAD_LEN} at the most");
            refuse(StatusCode::BAD_REQUEST, &text)
        }
    }
}

/// Only what was named at the start may be changed, and nobody may who may only watch.
fn may_change(
    server: &Server,
    feed: &Feed,
    head: &Parts,
    asker: &Asker,
) -> Result<(), Box<Answer>> {
    let refuse = |text: &str| Err(Box::new(plain(StatusCode::FORBIDDEN, text)));
    let name = &feed.place().name;
    if !server.config().writable.iter().any(|writable| writable == name) {
        return refuse(&format!("start with --api-write {name} to let clients change this area"));
    }
    access::may_change(asker, head)
}

#[expect(clippy::cast_possible_truncation, reason = "whole, and within what both hold exactly")]
fn whole_number(query: Query<'_>, name: &str) -> Result<Option<i64>, Box<Answer>> {
    let least = if name == "add" { -MAX_EXACT } else { 0.0 };
    let number = query.number(name, least..=MAX_EXACT)?;
    match number.filter(|number| number.fract() != 0.0) {
        Some(_) => Err(bad(&format!("`{name}` is a whole number"))),
        None => Ok(number.map(|number| number as i64)),
    }
}

fn bad(text: &str) -> Box<Answer> {
    Box::new(plain(StatusCode::BAD_REQUEST, text))
}

fn describe(feed: &Rc<Feed>) -> Value {
    let newest = feed.newest();
    let len = match feed.place().origin {
        Origin::App { len } => Some(len),
        _ => newest.frame.as_ref().map(|frame| frame.info().len),
    };
    json!({
        "id": feed.place().id,
        "name": feed.place().name,
        "kind": feed.place().origin.name(),
        "state": if newest.state.is_live() { "live" } else { "no_signal" },
        "len": len,
    })
}
