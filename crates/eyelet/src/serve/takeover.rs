//! Handing the socket of a request over to who streams on it.

use std::rc::Rc;

use hyper::http::request::Parts;
use hyper::{Method, Version};

use crate::app;
use crate::serve::Feed;
use crate::serve::answer::Answer;
use crate::serve::clients::Client;
use crate::serve::exchange;
use crate::serve::multipart::Style;
use crate::serve::query::Query;
use crate::serve::viewer::{WantedFrames, WantedPictures};
use crate::serve::websocket::Upgrade;

/// Who takes a socket over, and what it needs.
#[derive(Debug)]
pub(crate) enum Takeover {
    /// A viewer's WebSocket.
    WebSocket {
        /// Its handshake.
        upgrade: Upgrade,
        /// What it gets if it speaks no subprotocol.
        wanted: WantedFrames,
    },
    /// A viewer's endless answer.
    Multipart {
        /// What it gets.
        wanted: Box<WantedPictures>,
        /// Only the answer's head is asked for.
        is_head: bool,
    },
    /// A request for the user's app.
    App(Box<app::Request>),
}

/// Where a route puts a takeover.
pub(crate) type Slot = exchange::Slot<Takeover>;

/// Has the socket taken over. The route's answer stays pending: nobody reads it any more.
pub(crate) async fn hand_over(slot: &Slot, takeover: Takeover) -> Answer {
    *slot.borrow_mut() = Some(takeover);
    std::future::pending().await
}

/// An endless answer of JPEG pictures.
pub(crate) async fn pictures(
    feed: &Rc<Feed>,
    query: Query<'_>,
    style: Style,
    client: Option<Rc<Client>>,
    head: &Parts,
    slot: &Slot,
) -> Result<Answer, Box<Answer>> {
    let least = query.least_interval()?;
    let is_http_1_1 = head.version >= Version::HTTP_11;
    let wanted = WantedPictures { feed: Rc::clone(feed), least, style, client, is_http_1_1 };
    let is_head = head.method == Method::HEAD;
    Ok(hand_over(slot, Takeover::Multipart { wanted: Box::new(wanted), is_head }).await)
}
