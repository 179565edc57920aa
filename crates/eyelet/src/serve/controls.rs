//! `/-/api/controls`: a camera's brightness, exposure …: how they are, and setting them where that is allowed.

use bytes::Bytes;
use eyelet_wire::v1::ControlValue;
use hyper::body::Incoming;
use hyper::http::request::Parts;
use hyper::{Method, StatusCode};
use serde_json::{Map, Value, json};

use crate::config::Origin;
use crate::panel::{Done, Job, MAX_SETTINGS, Settings};
use crate::role::AreaPlace;
use crate::serve::access::{self, Asker};
use crate::serve::answer::{Answer, plain, whole};
use crate::serve::socket::Peer;
use crate::serve::{Feed, Server, body};

/// Longest body, in bytes: every control of a camera at once is one of 2000.
const MAX_BODY_LEN: usize = 4096;

/// Answers `/-/api/controls` for the camera that a stream shows.
///
/// # Errors
/// The answer: 400 for what is no JSON object, 403 where changing is not allowed, 404 for a stream without a camera, 408, 413, 503 while the camera is away, 504 for a camera that does not answer.
pub(super) async fn answer(
    server: &Server,
    feed: &Feed,
    head: &Parts,
    body: Incoming,
    asker: &Asker,
    peer: Peer,
) -> Result<Answer, Box<Answer>> {
    let camera = server.feed_of(feed.place().camera()).map(|feed| feed.place());
    let camera = camera.filter(|place| place.origin == Origin::Camera).ok_or_else(|| {
        let text = format!("`{}` shows no camera, so it has no controls", feed.place().name);
        refusal(StatusCode::NOT_FOUND, &text)
    })?;
    let access = access::may_control(server, asker, head, peer);
    let is_writable = access.is_ok();
    let mut unread = Map::new();
    let job = match head.method {
        Method::PUT => {
            access?;
            let body = body::read(body, MAX_BODY_LEN, &server.limits()).await?;
            Job::Set(settings(&body, &mut unread)?)
        }
        Method::DELETE => {
            access?;
            Job::Reset
        }
        _ => Job::List,
    };
    match server.line.panel(camera.id, job).await {
        Some(Ok(done)) => Ok(tell(&camera, done, unread, is_writable)),
        Some(Err(away)) => {
            let text = format!("the camera `{}` is away: {away}", camera.name);
            Err(refusal(StatusCode::SERVICE_UNAVAILABLE, &text))
        }
        None => {
            let text = format!(
                "the camera `{}` does not answer; what was asked may be done later",
                camera.name
            );
            Err(refusal(StatusCode::GATEWAY_TIMEOUT, &text))
        }
    }
}

/// 400 only where something was wanted and nothing could be set.
fn tell(camera: &AreaPlace, done: Done, unread: Map<String, Value>, is_writable: bool) -> Answer {
    let mut errors = unread;
    errors.extend(done.errors.into_iter().map(|(id, why)| (id, Value::String(why))));
    let is_refused = done.count == 0 && !errors.is_empty();
    let status = if is_refused { StatusCode::BAD_REQUEST } else { StatusCode::OK };
    let mut told = json!({
        "stream": camera.id,
        "name": camera.name,
        "writable": is_writable,
        "controls": done.controls,
    });
    if !errors.is_empty() {
        told["errors"] = Value::Object(errors);
    }
    whole(status, "application/json", Bytes::from(format!("{told}\n")))
}

/// Reads what each control is to be; what is no value of any is put to `unread`, with the reason.
pub(crate) fn settings(
    body: &[u8],
    unread: &mut Map<String, Value>,
) -> Result<Settings, Box<Answer>> {
    let object: Map<String, Value> = serde_json::from_slice(body).map_err(|e| {
        let text = format!("the body is no JSON object as {{\"brightness\":12}}: {e}");
        refusal(StatusCode::BAD_REQUEST, &text)
    })?;
    if object.len() > MAX_SETTINGS {
        let text = format!("the body names {} controls, more than {MAX_SETTINGS}", object.len());
        return Err(refusal(StatusCode::BAD_REQUEST, &text));
    }
    let mut settings = Settings::new();
    for (id, value) in object {
        match control_value(value) {
            Ok(value) => drop(settings.insert(id, value)),
            Err(why) => drop(unread.insert(id, Value::String(why.to_owned()))),
        }
    }
    Ok(settings)
}

fn control_value(value: Value) -> Result<Option<ControlValue>, &'static str> {
    match value {
        Value::Null => Ok(None),
        Value::Bool(is_on) => Ok(Some(ControlValue::Boolean(is_on))),
        Value::String(text) => Ok(Some(ControlValue::Text(text))),
        Value::Number(number) => {
            let number = number.as_i64().or_else(|| whole_number(number.as_f64()?));
            let number = number.ok_or("takes whole numbers only")?;
            Ok(Some(ControlValue::Integer(number)))
        }
        Value::Array(_) | Value::Object(_) => {
            Err("takes a number, true, false, a text, or null for its default")
        }
    }
}

/// Some programs write 12 as `12.0`.
#[expect(clippy::cast_possible_truncation, reason = "whole, and within what both hold exactly")]
fn whole_number(number: f64) -> Option<i64> {
    const MAX_EXACT: f64 = 9_007_199_254_740_992.0;
    (number.fract() == 0.0 && number.abs() <= MAX_EXACT).then_some(number as i64)
}

fn refusal(status: StatusCode, text: &str) -> Box<Answer> {
    Box::new(plain(status, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_every_json_type_are_read_or_refused_one_by_one() {
        let mut unread = Map::new();
        let body = r#"{"a":1,"b":2.0,"c":null,"d":true,"e":"x","f":[1],"g":1.5,"h":1e300}"#;
        let read = settings(body.as_bytes(), &mut unread).unwrap();
        assert_eq!(read["a"], Some(ControlValue::Integer(1)));
        assert_eq!(read["b"], Some(ControlValue::Integer(2)));
        assert_eq!(read["c"], None);
        assert_eq!(read["d"], Some(ControlValue::Boolean(true)));
        assert_eq!(unread.keys().collect::<Vec<_>>(), ["f", "g", "h"]);
        for wrong in ["", "[]", "7", "{\"a\":}", "{\"a\":1}{}"] {
            let refused = settings(wrong.as_bytes(), &mut unread).unwrap_err();
            assert_eq!(refused.status(), StatusCode::BAD_REQUEST, "{wrong}");
        }
    }
}
