//! One connection: HTTP by hyper, until something takes the socket over.
//!
//! hyper answers requests until a route says "this one is mine" ([`Slot`]). Its answer then stays pending, hyper is
//! stopped without touching the socket, and what it read ahead goes to the new owner first.

use std::cell::RefCell;
use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;

use bytes::BytesMut;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;

use crate::app;
use crate::serve::accept::Weight;
use crate::serve::answer::{self, Answer, plain};
use crate::serve::routes;
use crate::serve::websocket::Upgrade;
use crate::serve::{Server, tcp, viewer};

/// Who takes a socket over, and what it needs.
#[derive(Debug)]
pub(crate) enum Takeover {
    /// A viewer's WebSocket.
    Viewer {
        /// Its handshake.
        upgrade: Upgrade,
        /// The stream that it gets if it speaks no subprotocol.
        bare_stream: u32,
    },
    /// A request for the user's app.
    App(Box<app::Request>),
}

/// Where a route puts a takeover.
pub(crate) type Slot = Rc<RefCell<Option<Takeover>>>;

type Answering = Pin<Box<dyn Future<Output = Result<Answer, Infallible>>>>;

/// Counts a connection while it lives.
struct Counted(Rc<Server>);

impl Counted {
    fn new(server: Rc<Server>) -> Self {
        server.counters.connections.set(server.counters.connections.get() + 1);
        Self(server)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let connections = &self.0.counters.connections;
        connections.set(connections.get().saturating_sub(1));
    }
}

/// Serves one connection to its end. It has its weight from the moment that it was accepted.
pub(crate) async fn connection(server: Rc<Server>, stream: TcpStream, weight: Weight) {
    let _counted = Counted::new(Rc::clone(&server));
    let weight = Rc::new(weight);
    tcp::prepare(&stream);
    let slot = Slot::default();
    let peer = stream.peer_addr().ok();
    let service = {
        let (server, slot, weight) = (Rc::clone(&server), Rc::clone(&slot), Rc::clone(&weight));
        service_fn(move |request: Request<Incoming>| -> Answering {
            let (server, slot, weight) = (Rc::clone(&server), Rc::clone(&slot), Rc::clone(&weight));
            Box::pin(async move {
                let answer = routes::answer(&server, request, peer, &slot).await;
                // A socket that is taken over gets no answer here.
                weight.lighten();
                Ok(answer)
            })
        })
    };
    let limits = &server.limits;
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_timeout)
        .max_buf_size(limits.head_bytes.max(8192))
        .serve_connection(TokioIo::new(stream), service);
    let taken = {
        let until_taken = poll_fn(|cx| match connection.poll_without_shutdown(cx) {
            _ if slot.borrow().is_some() => Poll::Ready(slot.borrow_mut().take()),
            Poll::Ready(_) => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        });
        tokio::select! {
            taken = until_taken => taken,
            () = server.stopped() => None,
        }
    };
    let Some(takeover) = taken else {
        return finish(connection).await;
    };
    weight.burden();
    let parts = connection.into_parts();
    let (stream, read_ahead) = (parts.io.into_inner(), BytesMut::from(&parts.read_buf[..]));
    match takeover {
        Takeover::Viewer { upgrade, bare_stream } => {
            viewer::run(server, stream, read_ahead, &upgrade, bare_stream).await;
        }
        Takeover::App(request) => app::run(server, stream, read_ahead, *request).await,
    }
}

/// Lets an answer that is under way end, and takes no further request.
async fn finish<S>(connection: http1::Connection<TokioIo<TcpStream>, S>)
where
    S: hyper::service::HttpService<Incoming, ResBody = answer::Body> + Unpin,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    S::Future: Unpin,
{
    let mut connection = std::pin::pin!(connection);
    connection.as_mut().graceful_shutdown();
    if let Err(e) = connection.await {
        log::debug!("a connection ended: {e}");
    }
}

/// Tells a client that there are too many; it never waits for one.
pub(crate) async fn refuse(stream: TcpStream) {
    let answer = answer::plain_bytes(
        StatusCode::SERVICE_UNAVAILABLE,
        "too many connections; try again later",
    );
    if stream.writable().await.is_ok() {
        // Whoever does not take these few bytes at once does not get them.
        stream.try_write(&answer).ok();
    }
}

/// Keeps a route's answer pending after it has filled the slot: nobody reads it any more.
pub(crate) async fn never() -> Answer {
    std::future::pending::<()>().await;
    plain(StatusCode::INTERNAL_SERVER_ERROR, "")
}
