//! Apps for Eyelet in Rust: a function that says for each request what the client gets.
//!
//! ```no_run
//! const PAGE: &str = "<!doctype html><title>Camera</title>…";
//!
//! fn main() -> eyelet_app::Result<()> {
//!     eyelet_app::serve(|request| {
//!         if request.path() != "/stream" {
//!             return request.respond(200, "text/html", PAGE);
//!         }
//!         let mut viewer = request.handshake(None)?;
//!         loop {
//!             viewer.wait("camera")?; // ends by `Error::Gone` when the viewer leaves
//!             viewer.send_area("camera")?;
//!         }
//!     })
//! }
//! ```
//!
//! `eyelet --app target/release/my-app --processes 10` runs it, for ten viewers at a time. No frame enters the app: it
//! says which area's newest frame the client is to get, and the server sends it.
//!
//! | want | by |
//! |---|---|
//! | a page, a picture, a file | [`Request::respond`], [`Request::answer`] and [`Body`] |
//! | frames as messages | [`Request::handshake`], then [`WebSocket::send_area`] at the app's rate, or [`WebSocket::follow`] |
//! | messages to and fro | [`WebSocket::send_text`], [`WebSocket::recv`], [`Request::wait_any`] |
//! | frames in an HTTP answer | [`Request::wait`] and [`Body::send_area`] |
//! | data that outlives the app | [`Request::read`], [`Request::write`], [`Request::inc`] on an area of `--area NAME=BYTES` |
//!
//! A handler runs in a thread of its own, as many at a time as there are places; it may block as it likes. That its
//! client leaves is an error, [`Error::Gone`], which a handler passes on with `?`. Any other error and any panic end
//! that request alone: with 500 if nothing was answered, and with one line on standard error.
//!
//! Below it is the app protocol, one line for each verb, one for its answer: `docs/ref/app.md`.

mod answer;
mod areas;
mod error;
mod host;
mod inherit;
mod link;
mod request;
#[cfg(test)]
mod tests;
mod websocket;

pub use answer::Body;
pub use areas::{Area, AreaInfo, AreaKind, Ready};
pub use error::{Error, Result};
pub use eyelet_wire::verbs::{Bits, Op};
pub use host::Host;
pub use link::Stopper;
pub use request::Request;
pub use websocket::{Message, WebSocket};

/// Serves the requests that the server sends, each by a call of `handler`; ends only with the process.
///
/// There are as many places as `EYELET_PLACES` says, 1 without it; [`Host`] has other ways. Where panics abort
/// (`panic = "abort"`), one ends all requests of the app; the server starts it again.
///
/// # Errors
/// [`Error::Start`] if this process was not started by `eyelet --app`, or the kernel refuses a thread.
pub fn serve<F>(handler: F) -> Result<()>
where
    F: Fn(&mut Request) -> Result<()> + Send + Sync + 'static,
{
    Host::new().serve(handler)
}
