//! One connection: requests, until something takes the socket over, which then has it to its end.

use std::cell::RefCell;
use std::rc::Rc;

use crate::app;
use crate::serve::access::Pass;
use crate::serve::crowd::Place;
use crate::serve::exchange::{self, Taken};
use crate::serve::load::Weight;
use crate::serve::routes;
use crate::serve::socket::Socket;
use crate::serve::takeover::{Slot, Takeover};
use crate::serve::{Server, tcp, trimming, viewer};

/// One connection: it has its place and its weight from the moment that it was accepted.
pub(crate) struct Connection {
    pub(crate) server: Rc<Server>,
    pub(crate) stream: Socket,
    pub(crate) weight: Weight,
    pub(crate) place: Place,
}

/// Tells that it has gone.
struct Leaving(Rc<Server>);

impl Drop for Leaving {
    fn drop(&mut self) {
        trimming::note(&self.0);
    }
}

/// Serves one connection to its end.
pub(crate) async fn connection(connection: Connection) {
    let Connection { server, stream, weight, place } = connection;
    // Dropped last to first: it is counted no more, then that is noted.
    let (_leaving, _place) = (Leaving(Rc::clone(&server)), place);
    tcp::prepare(&stream);
    // Each part has its own box, so that a viewer does not keep the room that HTTP needed.
    let taken = Box::pin(until_taken(&server, stream, &weight)).await;
    let Some((taken, pass)) = taken else { return };
    trimming::note(&server);
    tokio::select! {
        () = stay(&server, taken) => {}
        () = Box::pin(pass.ended(&server)) => log::debug!("a client may not stay any longer"),
    }
}

/// Serves who has taken the socket over to its end.
async fn stay(server: &Rc<Server>, taken: Taken<Takeover, Socket>) {
    let Taken { by, stream, read_ahead } = taken;
    let server = Rc::clone(server);
    match by {
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

/// Answers requests until one takes the socket over; none when the connection has ended.
async fn until_taken(
    server: &Rc<Server>,
    stream: Socket,
    weight: &Weight,
) -> Option<(Taken<Takeover, Socket>, Pass)> {
    let (slot, pass) = (Slot::default(), Rc::<RefCell<Option<Pass>>>::default());
    let peer = stream.peer();
    let answer = |request| {
        let (slot, pass) = (Rc::clone(&slot), Rc::clone(&pass));
        async move {
            let answer = routes::answer(server, request, peer, &pass, &slot).await;
            // A socket that is taken over gets no answer here.
            weight.lighten();
            answer
        }
    };
    let failed = |error: &hyper::Error| server.counters.refused_by_hyper(error);
    let taken =
        exchange::until_taken(stream, &server.limits(), &slot, answer, failed, server.stopped())
            .await?;
    weight.burden();
    let pass = pass.take()?;
    Some((taken, pass))
}
