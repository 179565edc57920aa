//! One connection: HTTP by hyper, until something takes the socket over.
//!
//! hyper answers requests until a route says "this one is mine" ([`Slot`]). Its answer then stays pending, hyper is
//! stopped without touching the socket, and what it read ahead goes to the new owner first.

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
use crate::serve::answer::{self, Answer};
use crate::serve::load::Weight;
use crate::serve::routes;
use crate::serve::takeover::{Slot, Takeover};
use crate::serve::{Server, tcp, trimming, viewer};

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
        trimming::note(&self.0);
    }
}

/// Serves one connection to its end. It has its weight from the moment that it was accepted.
pub(crate) async fn connection(server: Rc<Server>, stream: TcpStream, weight: Weight) {
    let _counted = Counted::new(Rc::clone(&server));
    let weight = Rc::new(weight);
    tcp::prepare(&stream);
    // Each part has its own box, so that a viewer does not keep the room that HTTP needed.
    let taken = Box::pin(until_taken(&server, stream, &weight)).await;
    let Some(taken) = taken else { return };
    trimming::note(&server);
    let Taken { takeover, stream, read_ahead } = taken;
    match takeover {
        Takeover::WebSocket { upgrade, wanted } => {
            Box::pin(viewer::run_websocket(server, stream, read_ahead, upgrade, wanted)).await;
        }
        Takeover::Multipart { wanted, is_head } => {
            Box::pin(viewer::run_multipart(server, stream, *wanted, is_head)).await;
        }
        Takeover::App(request) => {
            Box::pin(app::run(server, stream, read_ahead, *request)).await;
        }
    }
}

/// A socket that is no longer hyper's.
struct Taken {
    takeover: Takeover,
    stream: TcpStream,
    read_ahead: BytesMut,
}

/// Answers requests until one takes the socket over; none when the connection has ended.
async fn until_taken(server: &Rc<Server>, stream: TcpStream, weight: &Rc<Weight>) -> Option<Taken> {
    let slot = Slot::default();
    let peer = stream.peer_addr().ok();
    let service = {
        let (server, slot, weight) = (Rc::clone(server), Rc::clone(&slot), Rc::clone(weight));
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
        finish(connection).await;
        return None;
    };
    weight.burden();
    let parts = connection.into_parts();
    let (stream, read_ahead) = (parts.io.into_inner(), BytesMut::from(&parts.read_buf[..]));
    Some(Taken { takeover, stream, read_ahead })
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
