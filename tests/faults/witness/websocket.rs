//! A witness on a WebSocket: `eyelet.v1`, or bare frames that come from the app.

use eyelet_harness::wire::v1::FrameHeader;
use eyelet_harness::wire::websocket::Message;
use eyelet_harness::{Refused, WsClient};
use serde_json::Value;

use super::{End, LOOK_EVERY, Number, Post, Sighting, Way};

/// One connection, from its handshake to its end.
pub(super) fn watch(post: &Post) -> End {
    let opened = match post.way {
        Way::App => WsClient::connect(post.addr, "/stream", &[], &[]),
        _ => WsClient::connect(post.addr, "/-/ws", &["eyelet.v1"], &[]),
    };
    let mut ws = match opened {
        Ok(ws) => ws,
        Err(error) => return not_let_in(post, &error),
    };
    post.connected(ws.socket().local_addr().ok());
    if post.way == Way::V1 {
        let start = format!("{{\"t\":\"start\",\"stream\":{}}}", post.camera.id());
        if ws.send_text(&start).is_err() {
            return End::Lost;
        }
    }
    let mut config_id = None;
    while !post.is_leaving() {
        let taken = match ws.next_message(LOOK_EVERY) {
            Ok(None) => continue,
            Ok(Some(Message::Binary(bytes))) => on_frame(post, &bytes, config_id),
            Ok(Some(Message::Text(text))) => on_text(&text, &mut config_id),
            Ok(Some(Message::Close(_))) => Err(End::Lost),
            Ok(Some(_)) => Ok(()),
            Err(error) if error.is::<std::io::Error>() => Err(End::Lost),
            Err(error) if error.to_string() == "connection ended" => Err(End::Lost),
            Err(error) => Err(End::Wrong(format!("{}: against RFC 6455: {error:#}", post.name))),
        };
        if let Err(end) = taken {
            return end;
        }
    }
    End::Wanted
}

/// A refusal is only for the app's viewers, while there is no app; the listener itself never refuses.
fn not_let_in(post: &Post, error: &anyhow::Error) -> End {
    let io = error.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
    let is_refused = io == Some(std::io::ErrorKind::ConnectionRefused);
    match error.downcast_ref::<Refused>() {
        Some(Refused(answer)) if post.way == Way::App && answer.status >= 500 => End::Lost,
        None if !is_refused => End::Lost,
        _ => End::Wrong(format!("{}: not let in: {error:#}", post.name)),
    }
}

fn on_text(text: &str, config_id: &mut Option<u64>) -> Result<(), End> {
    let text: Value = serde_json::from_str(text)
        .map_err(|error| End::Wrong(format!("a text that is no JSON: {error}: {text}")))?;
    if text["t"] == "config" {
        *config_id = text["id"].as_u64();
    }
    Ok(())
}

fn on_frame(post: &Post, message: &[u8], config_id: Option<u64>) -> Result<(), End> {
    let wrong = |what: String| End::Wrong(format!("{}: {what}", post.name));
    if post.way == Way::App {
        let stamped = post.kind.check(message).map_err(wrong)?;
        let number = Number::Stamp(stamped.number);
        return post.saw(Sighting { number, captured_us: stamped.captured_us });
    }
    let (header, start) =
        FrameHeader::decode(message).map_err(|error| wrong(format!("no header: {error}")))?;
    if config_id != Some(header.config_id.into()) {
        return Err(wrong(format!("{header:?} where the config is {config_id:?}")));
    }
    post.kind.check(&message[start..]).map_err(wrong)?;
    let number = Number::Sequence(header.sequence);
    post.saw(Sighting { number, captured_us: header.captured_us })
}
