//! Doors for the fuzz targets in `fuzz/` to what is private otherwise; there is no such module in a usual build.

use std::rc::Rc;

use bytes::BytesMut;
use eyelet_area::{MAX_FRAME_LEN, MonotonicNs};
use hyper::body::Incoming;
use hyper::{Request, StatusCode};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::capture::sources::content::{Cutter, Recognised};
use crate::config::Limits;
use crate::config::source::SourceSpec;
use crate::mistakes::Mistakes;
use crate::serve::answer::plain;
use crate::serve::query::Query;
use crate::serve::{body, controls, exchange, websocket};
use crate::settings::Settings;
use crate::watch::{multipart, parser};

/// What came of a connection.
#[derive(Debug, PartialEq, Eq)]
pub struct Talk {
    /// Requests that were answered, and the length of each one's body, if it was read.
    pub asked: Vec<(String, Option<usize>)>,
    /// What the new owner of the socket would read, if it was taken over.
    pub handed_over: Option<Vec<u8>>,
}

/// Says all of it on a connection, in writes of so many bytes, and then no more. A WebSocket's handshake is taken over;
/// other requests have their body read.
#[must_use]
pub fn talk(said: &[u8], write_len: usize) -> Talk {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    runtime.expect("a runtime").block_on(async {
        let (mut client, server) = tokio::io::duplex(64 << 10);
        let (slot, asked) = (exchange::Slot::default(), Rc::default());
        let answer = |request| answer(request, Rc::clone(&slot), Rc::clone(&asked));
        let limits = Limits::default();
        let serving =
            exchange::until_taken(server, &limits, &slot, answer, |_| {}, std::future::pending());
        let (mut hear, mut say) = tokio::io::split(&mut client);
        let saying = async {
            for part in said.chunks(write_len.max(1)) {
                if say.write_all(part).await.is_err() {
                    break;
                }
                tokio::task::yield_now().await;
            }
            say.shutdown().await.ok();
        };
        let hearing = async {
            // Nobody looks at the answers, but they must not fill the pipe.
            tokio::io::copy(&mut hear, &mut tokio::io::sink()).await.ok();
        };
        let serving = async {
            let taken = serving.await?;
            let (mut stream, mut rest) = (taken.stream, taken.read_ahead.to_vec());
            stream.read_to_end(&mut rest).await.ok();
            Some(rest)
        };
        let (handed_over, ..) = tokio::join!(serving, saying, hearing);
        Talk { asked: Rc::unwrap_or_clone(asked).into_inner(), handed_over }
    })
}

type Asked = Rc<std::cell::RefCell<Vec<(String, Option<usize>)>>>;

async fn answer(
    request: Request<Incoming>,
    slot: exchange::Slot<()>,
    asked: Asked,
) -> crate::serve::answer::Answer {
    let (head, body) = request.into_parts();
    let name = format!("{} {}", head.method, head.uri);
    if websocket::is_asked_for(&head) && websocket::check(&head, &[]).is_ok() {
        asked.borrow_mut().push((name, None));
        *slot.borrow_mut() = Some(());
        return std::future::pending().await;
    }
    match body::read(body, 4096, &Limits::default()).await {
        Ok(body) => {
            asked.borrow_mut().push((name, Some(body.len())));
            plain(StatusCode::OK, "ok")
        }
        Err(refusal) => {
            asked.borrow_mut().push((name, None));
            *refusal
        }
    }
}

/// Asks everything that can be asked of what stands behind a `?`.
pub fn query(text: &str) {
    let query = Query::new(Some(text));
    for name in ["stream", "format", "width", "fps", "max_age", "advance", "add", ""] {
        let (_value, _is_on) = (query.get(name), query.is_on(name));
    }
    if let Ok(Some(least)) = query.least_interval() {
        assert!(!least.is_zero());
    }
    if let Ok(Some(number)) = query.number("width", 1.0..=8192.0) {
        assert!((1.0..=8192.0).contains(&number));
    }
}

/// Says these fields as a request; tells whether it is let in where only `ann` may watch, and whether the name that it asks for
/// is answered.
#[must_use]
pub fn credentials(host: &[u8], authorization: &[u8], cookie: &[u8], query: &str) -> (bool, bool) {
    let field = |bytes: &[u8]| hyper::header::HeaderValue::from_bytes(bytes).ok();
    let uri: hyper::Uri = format!("/?{query}").parse().unwrap_or_default();
    let mut head = Request::builder().uri(uri).body(()).expect("a request").into_parts().0;
    for (name, value) in [("host", host), ("authorization", authorization), ("cookie", cookie)] {
        if let Some(value) = field(value).filter(|value| !value.is_empty()) {
            head.headers.insert(name, value);
        }
    }
    let (is_in, is_ours) = crate::serve::access::fuzzing(&head);
    // A host that cannot stand in a field was not asked for.
    (is_in, is_ours && head.headers.contains_key("host"))
}

/// Reads the body of a request that sets controls; gives how many it names.
#[must_use]
pub fn settings(body: &[u8]) -> Option<usize> {
    let mut unread = serde_json::Map::new();
    let settings = controls::settings(body, &mut unread).ok()?;
    Some(settings.len() + unread.len())
}

/// Takes what a file or a command gives apart into frames, read in parts of so many bytes; gives the length of each frame,
/// and why it went no further. `options` is what stands behind the `?` of a source.
#[must_use]
pub fn frames(options: &str, stream: &[u8], read_len: usize) -> (Vec<u64>, Option<String>) {
    let Ok(spec) = format!("file:x?{options}").parse::<SourceSpec>() else {
        return (Vec::new(), None);
    };
    let (mut input, mut cutter, mut lens) = (BytesMut::new(), None, Vec::new());
    for part in stream.chunks(read_len.max(1)) {
        input.extend_from_slice(part);
        if cutter.is_none() {
            match Cutter::recognise(&input, &spec.wish) {
                Ok(Recognised::As(found)) => cutter = Some(found),
                Ok(Recognised::Unfinished) => continue,
                Ok(Recognised::Unknown) => return (lens, Some("unknown".to_owned())),
                Err(e) => return (lens, Some(e.to_string())),
            }
        }
        let Some(cutter) = &mut cutter else { continue };
        loop {
            match cutter.next(&mut input) {
                Ok(None) => break,
                Ok(Some(picture)) => match cutter.publish(&picture, MonotonicNs(1)) {
                    Ok(frame) => {
                        assert!(frame.info().len <= MAX_FRAME_LEN);
                        lens.push(frame.info().len);
                    }
                    Err(e) => return (lens, Some(e.to_string())),
                },
                Err(why) => return (lens, Some(why)),
            }
        }
    }
    (lens, None)
}

/// Takes what a server sends apart as a headless viewer does, read in parts of so many bytes: the body of a multipart
/// answer, or WebSocket frames. Gives the bytes of each part or message, and whether a rule was broken.
#[must_use]
pub fn watch(is_multipart: bool, stream: &[u8], read_len: usize) -> (Vec<Vec<u8>>, bool) {
    let (mut body, mut frames) = (multipart::Multipart::new(), parser::Parser::new());
    let (mut whole, mut open) = (Vec::new(), Vec::new());
    for mut part in stream.chunks(read_len.max(1)) {
        loop {
            let event = if is_multipart { body.next(&mut part) } else { frames.next(&mut part) };
            match event {
                Ok(None) => break,
                Ok(Some(parser::Event::Part(bytes))) => open.extend_from_slice(bytes),
                Ok(Some(parser::Event::Kept(bytes))) => open.extend_from_slice(&bytes),
                Ok(Some(parser::Event::End)) => whole.push(std::mem::take(&mut open)),
                Ok(Some(parser::Event::Text(text))) => whole.push(text.into_bytes()),
                Ok(Some(parser::Event::Close(_))) => return (whole, false),
                Ok(Some(parser::Event::Begin(_) | parser::Event::Ping(_))) => {}
                Err(_) => return (whole, true),
            }
        }
    }
    (whole, false)
}

/// Reads a configuration file of the name `eyelet.toml`, and gives its mistakes. What it says of sources is the same after
/// the way to a child.
#[must_use]
pub fn mistakes(text: &str) -> Vec<String> {
    let (mut settings, mut mistakes) = (Settings::default(), Mistakes::default());
    settings.add_text("eyelet.toml", text, &mut mistakes);
    for said in &settings.sources {
        let source = &said.value.source;
        assert_eq!(source.to_string().parse().as_ref(), Ok(source));
    }
    let error = mistakes.finish(()).err();
    error.map_or_else(Vec::new, |e| e.to_string().lines().map(str::to_owned).collect())
}
