//! One request of the app: obeys its verbs until it ends.
//!
//! The client is always listened to: pings are answered, and its leaving ends what the app waits for at once.

use std::collections::BTreeMap;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use bytes::BytesMut;
use eyelet_wire::verbs::{self, Kind, Op, Verb, VerbError};
use eyelet_wire::websocket::Opcode;
use hyper::StatusCode;
use tokio::net::TcpStream;

use super::client::{Client, sent};
use super::link::AppLink;
use super::request::Request;
use crate::serve::{Server, Watching, count, tcp};

/// How long the app may leave the client without a word before the first answer.
const FIRST_ANSWER_PATIENCE: Duration = Duration::from_secs(60);

/// What a verb is answered with: a value, or a kind and a text.
type Outcome = Result<String, (Kind, String)>;

/// Serves a request by the app to its end.
pub(crate) async fn run(
    server: Rc<Server>,
    stream: TcpStream,
    read_ahead: BytesMut,
    request: Request,
) {
    let limits = server.limits;
    let mut client = Client::new(stream, read_ahead, limits.message_bytes, request.is_head);
    let Some(gate) = &server.app else { return };
    let admitted = match gate.enter(request.upgrade.is_some(), limits.app_wait).await {
        Ok(admitted) => admitted,
        Err(text) => {
            count(&server.counters.refused, 1);
            return client.fail(StatusCode::SERVICE_UNAVAILABLE, &text).await;
        }
    };
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
    session.finish(end).await;
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

struct Session<'a> {
    server: &'a Server,
    app: AppLink,
    /// Always there, but for the moment of the handshake.
    client: Option<Client>,
    request: Request,
    areas: BTreeMap<u32, Followed>,
    is_gone: bool,
}

/// An area that this request waits for or sends from.
struct Followed {
    watching: Watching,
    /// Sequence of the last frame that was waited for or sent.
    last: u64,
}

impl Session<'_> {
    /// Passes the request on and obeys until the end.
    async fn obey(&mut self) -> End {
        let head = std::mem::take(&mut self.request.head);
        let body = std::mem::take(&mut self.request.body);
        for part in [&head[..], &body[..]] {
            if let Err(e) = self.app.send(part).await {
                return End::Failed(
                    StatusCode::BAD_GATEWAY,
                    format!("the app did not take the request: {e}"),
                );
            }
        }
        loop {
            let line = match self.next_line().await {
                Ok(line) => line,
                Err(end) => return end,
            };
            let outcome = match verbs::parse(&line) {
                Ok(Verb::End) => return End::Done,
                Ok(verb) => match self.payload(&verb).await {
                    Ok(payload) => self.perform(verb, &payload).await,
                    Err(e) => {
                        return End::Failed(
                            StatusCode::BAD_GATEWAY,
                            format!("the app hung up inside a verb: {e}"),
                        );
                    }
                },
                Err(e) if e.ends_request() => {
                    return End::Failed(StatusCode::BAD_GATEWAY, e.to_string());
                }
                Err(e) => Err((kind(&e), e.to_string())),
            };
            let answer = match outcome {
                Ok(value) => verbs::ok(value),
                Err((kind, text)) => {
                    self.is_gone |= kind == Kind::Gone;
                    verbs::err(kind, text)
                }
            };
            if let Err(e) = self.app.send(&answer).await {
                return self.hung_up(&e);
            }
        }
    }

    /// Waits for the app's next verb, listening to the client meanwhile.
    async fn next_line(&mut self) -> Result<bytes::Bytes, End> {
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
        End::Failed(StatusCode::BAD_GATEWAY, format!("the app has ended inside a request: {e}"))
    }

    async fn payload(&mut self, verb: &Verb) -> io::Result<bytes::Bytes> {
        self.app.payload(verb.payload_len()).await
    }

    async fn perform(&mut self, verb: Verb, payload: &[u8]) -> Outcome {
        if self.is_gone {
            return Err(gone());
        }
        let limit = self.server.limits.send_timeout;
        match verb {
            Verb::Handshake { protocol } => self.handshake(protocol.as_deref()),
            Verb::Wait { area, timeout, .. } => self.wait(area, timeout).await,
            Verb::SendArea { area, pos, len, op } => {
                within(limit, self.send_area(area, pos, len, op)).await
            }
            Verb::Send { op, .. } => {
                if op == Op::Text && std::str::from_utf8(payload).is_err() {
                    return Err((Kind::BadRequest, "a text message must be UTF-8".to_owned()));
                }
                self.needs_websocket()?;
                within(limit, async { done(self.client().send(opcode(op), payload).await) }).await
            }
            Verb::Head { .. } => self.head(payload).await,
            Verb::Body { .. } => {
                if !self.client().has_answer() {
                    return Err((Kind::BadState, "a body before its head".to_owned()));
                }
                within(limit, async { done(self.client().body(payload).await) }).await
            }
            _ => Err((Kind::UnknownVerb, "this server does not know that verb".to_owned())),
        }
    }

    fn handshake(&mut self, protocol: Option<&str>) -> Outcome {
        let Some(upgrade) = self.request.upgrade.clone() else {
            return Err((
                Kind::BadState,
                "the request does not ask for a WebSocket: no Sec-WebSocket-Key".to_owned(),
            ));
        };
        if self.client().has_answer() {
            return Err((Kind::BadState, "the request was answered already".to_owned()));
        }
        self.client = self.client.take().map(|client| client.upgrade(&upgrade, protocol));
        Ok(String::new())
    }

    async fn head(&mut self, payload: &[u8]) -> Outcome {
        if self.client().has_answer() {
            return Err((Kind::BadState, "the request was answered already".to_owned()));
        }
        let head =
            eyelet_wire::head::parse(payload).map_err(|e| (Kind::BadRequest, e.to_string()))?;
        let limit = self.server.limits.send_timeout;
        within(limit, async { done(self.client().head(&head).await) }).await
    }

    /// Waits for a frame that is newer than the last one waited for or sent.
    async fn wait(&mut self, area: u32, timeout: Option<Duration>) -> Outcome {
        self.follow(area)?;
        let deadline = timeout.map(|timeout| tokio::time::Instant::now() + timeout);
        loop {
            let (Some(followed), Some(client)) = (self.areas.get_mut(&area), &mut self.client)
            else {
                return Err(gone());
            };
            let newest = followed.watching.newest_seen();
            if let Some(sequence) =
                newest.frame.map(|f| f.info().sequence).filter(|s| *s > followed.last)
            {
                followed.last = sequence;
                return Ok(sequence.to_string());
            }
            tokio::select! {
                () = followed.watching.changed() => {}
                () = client.gone() => return Err(gone()),
                // Not "gone": the client is still there, and is to be told.
                e = self.app.hung_up() => return Err((Kind::Internal, format!("the app has left: {e}"))),
                () = until(deadline) => return Err((Kind::Timeout, "no newer frame came in time".to_owned())),
            }
        }
    }

    /// Sends a part of the newest frame; waits for the first one if none has come yet.
    async fn send_area(&mut self, area: u32, pos: u64, len: Option<u64>, op: Op) -> Outcome {
        self.needs_websocket()?;
        self.follow(area)?;
        let patience = self.server.limits.send_timeout;
        let (Some(followed), Some(client)) = (self.areas.get_mut(&area), &mut self.client) else {
            return Err(gone());
        };
        let newest = tokio::select! {
            newest = followed.watching.first(patience) => newest,
            () = client.gone() => return Err(gone()),
        };
        let Some(frame) = newest.frame else {
            return Err((Kind::OutOfRange, format!("there is no frame: {}", newest.state.why())));
        };
        let (sequence, whole) = (frame.info().sequence, frame.info().len);
        let end = len
            .map_or(Some(whole), |len| pos.checked_add(len))
            .filter(|end| *end <= whole && pos <= *end);
        let Some(end) = end else {
            return Err((
                Kind::OutOfRange,
                format!("the frame has {whole} bytes; that part lies beyond"),
            ));
        };
        let link = client.idle_link().await.map_err(|_| gone())?;
        tcp::bound_unsent(link.stream(), end - pos);
        link.send_frame(opcode(op), &[], frame, pos..end);
        sent(link).await.map_err(|_| gone())?;
        followed.last = followed.last.max(sequence);
        self.server.count_frame(end - pos, 0);
        Ok(sequence.to_string())
    }

    fn follow(&mut self, area: u32) -> Result<(), (Kind, String)> {
        if self.areas.contains_key(&area) {
            return Ok(());
        }
        let no_area = || (Kind::NoArea, format!("there is no area {area}"));
        let watching = self.server.feed(area).ok_or_else(no_area)?.watch();
        self.areas.insert(area, Followed { watching, last: 0 });
        Ok(())
    }

    fn needs_websocket(&self) -> Result<(), (Kind, String)> {
        match self.client {
            Some(Client::WebSocket(_)) => Ok(()),
            _ => Err((Kind::BadState, "there is no WebSocket: shake hands first".to_owned())),
        }
    }

    fn client(&mut self) -> &mut Client {
        self.client
            .as_mut()
            .expect("the client is only taken inside the handshake, which does not wait")
    }

    async fn finish(&mut self, end: End) {
        let Some(client) = &mut self.client else { return };
        match end {
            End::Done if client.has_answer() => client.end(1000, "").await,
            End::Done => {
                client.fail(StatusCode::BAD_GATEWAY, "the app ended without an answer").await
            }
            End::Failed(status, text) => {
                log::warn!("app request failed: {text}");
                client.fail(status, &text).await;
            }
            End::ClientGone => {}
            End::Stopped => client.end(1001, "the server is stopping").await,
        }
    }
}

fn gone() -> (Kind, String) {
    (Kind::Gone, "the client has left".to_owned())
}

fn kind(error: &VerbError) -> Kind {
    error.kind()
}

fn opcode(op: Op) -> Opcode {
    match op {
        Op::Text => Opcode::Text,
        Op::Binary => Opcode::Binary,
    }
}

fn done(result: io::Result<()>) -> Outcome {
    result.map(|()| String::new()).map_err(|_| gone())
}

async fn within(limit: Duration, work: impl Future<Output = Outcome>) -> Outcome {
    let too_slow =
        |_| Err((Kind::Gone, format!("the client took nothing for {} s", limit.as_secs())));
    tokio::time::timeout(limit, work).await.unwrap_or_else(too_slow)
}

async fn until(deadline: Option<tokio::time::Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
