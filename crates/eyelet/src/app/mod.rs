//! The user's app: a program beside us that decides, request by request, what a viewer gets.
//!
//! The app host holds a listening socket. For each request that is the app's, serve connects to it, sends the request as
//! one SCGI netstring and its body, and then obeys one-line verbs (`session`). No pixel enters the app.

mod areas;
mod client;
mod followed;
mod gate;
mod host;
mod link;
mod messages;
mod outcome;
mod request;
mod script;
mod session;

pub use host::run as run_host;

pub(crate) use gate::Gate;
pub(crate) use request::Request;
pub(crate) use session::run;
