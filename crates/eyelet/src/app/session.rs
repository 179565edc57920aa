//! One request of the app: obeys its verbs until it ends.
//!
//! The client is always listened to: pings are answered, its messages wait, and its leaving ends what the app waits for
//! at once. Normative: `docs/ref/app.md`.

use std::collections::BTreeMap;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use eyelet_wire::verbs::{self, Kind, Op, Verb};
use eyelet_wire::websocket::{Message, Opcode};
use hyper::StatusCode;

use super::client::Client;
use super::followed::Followed;
use super::link::AppLink;
use super::messages::Messages;
use super::outcome::{GONE, Outcome, Reply, deadline, done, gone, interrupted, until};
use super::request::Request;
use crate::serve::Server;
use crate::serve::counters::count;
use crate::serve::socket::Socket;

/// How long the app may leave the client without a word before the first answer.
const FIRST_ANSWER_PATIENCE: Duration = Duration::from_secs(60);

/// Serves a request by the app to its end.
pub(crate) async fn run(
    server: Rc<Server>,
    stream: Socket,
    read_ahead: BytesMut,
    request: Request,
) {
    let limits = server.limits();
    let mut client = Client::new(&server, stream, read_ahead, request.is_head);
    let Some(gate) = server.app() else { return };
    let entering = gate.enter(request.upgrade.is_some(), limits.app_wait);
    let admitted = match Box::pin(entering).await {
        Ok(admitted) => admitted,
        Err(text) => {
            let status = StatusCode::SERVICE_UNAVAILABLE;
            server.counters.refused.count(status);
            return Box::pin(client.fail(status, &text)).await;
        }
    };
    count(&server.counters.app_requests, 1);
    let app = AppLink::new(admitted.app);
    let mut session = Session {
        server: &server,
        app,
        client: Some(client),
        request,
        areas: BTreeMap::new(),
        is_gone: false,
    };
    let end = tokio::select! {
        end = session.obey() => end,
        () = server.stopped() => End::Stopped,
    };
    Box::pin(session.finish(end)).await;
}

/// How a request came to its end.
#[derive(Debug)]
enum End {
    /// The app said `end`.
    Done,
    /// The app hung up or spoke nonsense.
    Failed(StatusCode, String),
    /// The client left, and the app was told or has hung up.
    ClientGone,
    /// The process stops.
    Stopped,
}

pub(super) struct Session<'a> {
    pub(super) server: &'a Rc<Server>,
    pub(super) app: AppLink,
    /// Always there, but for the moments in which it becomes something else.
    pub(super) client: Option<Client>,
    pub(super) request: Request,
    pub(super) areas: BTreeMap<usize, Followed>,
    is_gone: bool,
}

impl Session<'_> {
    /// Passes the request on and obeys until the end.
    async fn obey(&mut self) -> End {
        if let Err(e) = self.pass_on().await {
            let text = format!("the app did not take the request: {e}");
            return End::Failed(StatusCode::BAD_GATEWAY, text);
        }
        let mut answers = Vec::new();
        loop {
            let line = match self.next_line().await {
                Ok(line) => line,
                Err(end) => return end,
            };
            let mut is_send_area = false;
            let outcome = match verbs::parse(&line) {
                Ok(Verb::End) => return End::Done,
                // Too late: what it was to stop has been answered.
                Ok(Verb::Stop) => continue,
                Ok(verb) => match self.app.payload(verb.payload_len()).await {
                    Ok(payload) => {
                        is_send_area = matches!(verb, Verb::SendArea { .. });
                        self.perform(verb, &payload).await
                    }
                    Err(e) => {
                        let text = format!("the app hung up inside a verb: {e}");
                        return End::Failed(StatusCode::BAD_GATEWAY, text);
                    }
                },
                Err(e) if e.ends_request() => {
                    return End::Failed(StatusCode::BAD_GATEWAY, e.to_string());
                }
                Err(e) => Err((e.kind(), e.to_string())),
            };
            match outcome {
                Ok(reply) => {
                    answers.extend(reply.to_bytes());
                    // An app that waits already has no use for this answer alone.
                    if is_send_area && self.app.waits_next() {
                        continue;
                    }
                }
                Err((kind, text)) => {
                    self.is_gone |= kind == Kind::Gone;
                    answers.extend(verbs::err(kind, text));
                }
            }
            if let Err(e) = self.app.send(&answers).await {
                return self.hung_up(&e);
            }
            answers = Vec::new();
        }
    }

    /// Gives the app the request, and keeps nothing of it.
    async fn pass_on(&mut self) -> io::Result<()> {
        let head = std::mem::take(&mut self.request.head);
        self.app.send(&head).await?;
        let body = std::mem::take(&mut self.request.body);
        self.app.send(&body).await
    }

    /// Waits for the app's next verb, listening to the client meanwhile.
    async fn next_line(&mut self) -> Result<Bytes, End> {
        let patience = tokio::time::sleep(FIRST_ANSWER_PATIENCE);
        let mut patience = std::pin::pin!(patience);
        loop {
            let is_silent = !self.client().has_answer();
            let Some(client) = &mut self.client else { return Err(End::ClientGone) };
            tokio::select! {
                line = self.app.line() => return match line {
                    Ok(Some(line)) => Ok(line),
                    Ok(None) => Err(self.hung_up(&io::ErrorKind::UnexpectedEof.into())),
                    Err(e) => Err(End::Failed(StatusCode::BAD_GATEWAY, format!("the app speaks nonsense: {e}"))),
                },
                () = client.gone(), if !self.is_gone => self.is_gone = true,
                () = &mut patience, if is_silent => {
                    return Err(End::Failed(StatusCode::GATEWAY_TIMEOUT, "the app does not answer".to_owned()));
                }
            }
        }
    }

    fn hung_up(&self, e: &io::Error) -> End {
        if self.is_gone {
            return End::ClientGone;
        }
        let text = format!("the app has ended inside a request: {e}");
        End::Failed(StatusCode::BAD_GATEWAY, text)
    }

    async fn perform(&mut self, verb: Verb, payload: &[u8]) -> Outcome {
        // What the client has said before it left can still be had.
        let has_message =
            matches!(&self.client, Some(Client::WebSocket(messages)) if messages.has_message());
        let is_recv = matches!(verb, Verb::Recv { .. } | Verb::RecvNow);
        if self.is_gone && !(is_recv && has_message) {
            return Err(self.farewell());
        }
        let outcome = match verb {
            Verb::Handshake { protocol } => self.handshake(protocol.as_deref()),
            Verb::Send { .. } | Verb::Recv { .. } | Verb::RecvNow | Verb::Close { .. } => {
                self.talk(verb, payload).await
            }
            // In boxes of their own, so that an app that only listens does not keep the room that these need.
            Verb::Head { .. } => Box::pin(self.head(payload)).await,
            Verb::Body { .. } => Box::pin(self.body(payload)).await,
            _ => Box::pin(self.use_areas(verb, payload)).await,
        };
        match outcome {
            // How the client left is known only now.
            Err((Kind::Gone, text)) if text == GONE => Err(self.farewell()),
            outcome => outcome,
        }
    }

    /// Verbs about messages.
    async fn talk(&mut self, verb: Verb, payload: &[u8]) -> Outcome {
        let limit = self.server.limits().send_timeout;
        match verb {
            Verb::Send { op, .. } => {
                if op == Op::Text && std::str::from_utf8(payload).is_err() {
                    return Err((Kind::BadRequest, "a text message must be UTF-8".to_owned()));
                }
                let messages = self.messages()?;
                let send = async { done(messages.send(opcode(op), payload).await) };
                Box::pin(within(limit, send)).await
            }
            Verb::Recv { timeout } => self.receive(timeout).await,
            Verb::Close { code, .. } => {
                let reason = std::str::from_utf8(payload)
                    .map_err(|_| (Kind::BadRequest, "the reason must be UTF-8".to_owned()))?;
                self.messages()?.close(code, reason);
                Ok(Reply::default())
            }
            _ => match self.messages()?.try_receive().await {
                Some(message) => message_reply(message),
                None => Ok(Reply::default()),
            },
        }
    }

    /// Verbs about areas.
    async fn use_areas(&mut self, verb: Verb, payload: &[u8]) -> Outcome {
        let limit = self.server.limits().send_timeout;
        match verb {
            Verb::Wait { area, timeout, .. } => self.wait(&area, timeout).await,
            Verb::WaitAny { timeout, recv, areas } => self.wait_any(timeout, recv, &areas).await,
            Verb::SendArea { area, pos, len, op } => {
                within(limit, self.send_area(&area, pos, len, opcode(op))).await
            }
            Verb::Follow { area, op } => self.follow(&area, opcode(op)).await,
            Verb::Read { area, pos, len } => self.read(&area, pos, len).await,
            Verb::Write { area, pos, .. } => self.write(&area, pos, payload).await,
            Verb::Inc { area, pos, bits, amount } => self.inc(&area, pos, bits, amount).await,
            Verb::Areas => Ok(self.list()),
            _ => Err((Kind::UnknownVerb, "this server does not know that verb".to_owned())),
        }
    }

    fn handshake(&mut self, protocol: Option<&str>) -> Outcome {
        let Some(upgrade) = self.request.upgrade.clone() else {
            let text = "the request does not ask for a WebSocket: no Sec-WebSocket-Key";
            return Err((Kind::BadState, text.to_owned()));
        };
        if self.client().has_answer() {
            return Err((Kind::BadState, "the request was answered already".to_owned()));
        }
        self.client = self.client.take().map(|client| client.upgrade(&upgrade, protocol));
        Ok(Reply::default())
    }

    async fn receive(&mut self, timeout: Option<Duration>) -> Outcome {
        let deadline = deadline(timeout);
        let message = async {
            match &mut self.client {
                Some(Client::WebSocket(messages)) => messages.receive().await,
                Some(client) => {
                    client.gone().await;
                    None
                }
                None => None,
            }
        };
        tokio::select! {
            biased;
            message = message => message.map_or_else(|| Err(gone()), message_reply),
            interruption = self.app.interrupted() => Err(interrupted(interruption)),
            () = until(deadline) => Err((Kind::Timeout, "no message came in time".to_owned())),
        }
    }

    async fn body(&mut self, payload: &[u8]) -> Outcome {
        if !self.client().has_answer() {
            return Err((Kind::BadState, "a body before its head".to_owned()));
        }
        let limit = self.server.limits().send_timeout;
        within(limit, async { done(self.client().body(payload).await) }).await
    }

    fn farewell(&self) -> (Kind, String) {
        let text = self.client.as_ref().map_or(GONE.to_owned(), Client::farewell);
        (Kind::Gone, text)
    }

    async fn head(&mut self, payload: &[u8]) -> Outcome {
        if self.client().has_answer() {
            return Err((Kind::BadState, "the request was answered already".to_owned()));
        }
        let head =
            eyelet_wire::head::parse(payload).map_err(|e| (Kind::BadRequest, e.to_string()))?;
        let limit = self.server.limits().send_timeout;
        within(limit, async { done(self.client().head(&head).await) }).await
    }

    /// The WebSocket.
    pub(super) fn messages(&mut self) -> Result<&mut Messages, (Kind, String)> {
        match &mut self.client {
            Some(Client::WebSocket(messages)) => Ok(messages),
            _ => Err((Kind::BadState, "there is no WebSocket: shake hands first".to_owned())),
        }
    }

    pub(super) fn client(&mut self) -> &mut Client {
        self.client.as_mut().expect("the client is only taken in moments that do not wait")
    }

    async fn finish(&mut self, end: End) {
        let Some(client) = &mut self.client else { return };
        match end {
            End::Done if client.has_answer() => client.end(1000, "").await,
            End::Done => {
                let status = StatusCode::BAD_GATEWAY;
                self.server.counters.app_failures.count(status);
                client.fail(status, "the app ended without an answer").await
            }
            End::Failed(status, text) => {
                log::warn!("app request failed: {text}");
                self.server.counters.app_failures.count(status);
                client.fail(status, &text).await;
            }
            End::ClientGone => {}
            End::Stopped => client.end(1001, "the server is stopping").await,
        }
    }
}

fn opcode(op: Op) -> Opcode {
    match op {
        Op::Text => Opcode::Text,
        Op::Binary => Opcode::Binary,
    }
}

fn message_reply(message: Message) -> Outcome {
    match message {
        Message::Text(text) => Ok(Reply::payload("1 ", text)),
        Message::Binary(bytes) => Ok(Reply::payload("2 ", bytes)),
        // The link answers these itself.
        Message::Ping(_) | Message::Pong(_) | Message::Close(_) => Ok(Reply::default()),
    }
}

async fn within(limit: Duration, work: impl Future<Output = Outcome>) -> Outcome {
    let too_slow =
        |_| Err((Kind::Gone, format!("the client took nothing for {} s", limit.as_secs())));
    tokio::time::timeout(limit, work).await.unwrap_or_else(too_slow)
}
