//! Requests and answers on one connection, by hyper, until one of them takes the socket over.
//!
//! hyper answers requests until a route puts something into the slot ([`Slot`]): then its answer stays pending, hyper is
//! stopped without touching the socket, and what it read ahead goes to the new owner first. What the routes are and whose
//! connection it is does not matter here.

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::BytesMut;
use hyper::Request;
use hyper::body::Incoming;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::config::Limits;
use crate::serve::answer::Answer;

/// Where a route puts what is to have the socket. The route's answer is never read then.
pub(crate) type Slot<T> = Rc<RefCell<Option<T>>>;

/// A socket that is no longer hyper's.
#[derive(Debug)]
pub(crate) struct Taken<T, S> {
    /// Who is to have it.
    pub(crate) by: T,
    pub(crate) stream: S,
    /// What was read beyond the request.
    pub(crate) read_ahead: BytesMut,
}

/// Answers requests until one takes the socket over; none when the connection has ended, or has come to its end because
/// all is to stop: then what is being answered is answered, and nobody waits for a request that is half there. `failed`
/// is told what ended it otherwise.
pub(crate) async fn until_taken<T, S, A>(
    stream: S,
    limits: &Limits,
    slot: &Slot<T>,
    answer: impl Fn(Request<Incoming>) -> A,
    failed: impl Fn(&hyper::Error),
    stopped: impl Future<Output = ()>,
) -> Option<Taken<T, S>>
where
    S: AsyncRead + AsyncWrite + Unpin,
    A: Future<Output = Answer>,
{
    let under_way = Cell::new(0_u32);
    let service = service_fn(|request| {
        under_way.set(under_way.get() + 1);
        let answer = answer(request);
        let under_way = &under_way;
        Box::pin(async move {
            let answer = answer.await;
            under_way.set(under_way.get() - 1);
            Ok::<_, Infallible>(answer)
        })
    });
    let is_full = Rc::new(Cell::new(false));
    let socket = Socket { inner: TokioIo::new(stream), is_full: Rc::clone(&is_full) };
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        // A client that has said all it has to say is answered all the same.
        .half_close(true)
        .header_read_timeout(limits.head_timeout)
        .max_buf_size(limits.head_bytes.max(8192))
        .serve_connection(socket, service);
    let until_taken = poll_fn(|cx| match connection.poll_without_shutdown(cx) {
        _ if slot.borrow().is_some() => Poll::Ready(slot.borrow_mut().take()),
        Poll::Ready(ended) => {
            if let Err(error) = ended {
                failed(&error);
            }
            Poll::Ready(None)
        }
        Poll::Pending => Poll::Pending,
    });
    tokio::select! {
        taken = until_taken => {
            // Without an owner it has ended, and hyper is not to be asked again: it may never answer.
            let by = taken?;
            let parts = connection.into_parts();
            let read_ahead = BytesMut::from(&parts.read_buf[..]);
            return Some(Taken { by, stream: parts.io.inner.into_inner(), read_ahead });
        }
        () = stopped => {}
    }
    let mut connection = std::pin::pin!(connection);
    connection.as_mut().graceful_shutdown();
    poll_fn(|cx| match connection.as_mut().poll(cx) {
        Poll::Ready(Ok(())) => Poll::Ready(()),
        Poll::Ready(Err(e)) => {
            log::debug!("a connection ended: {e}");
            Poll::Ready(())
        }
        // hyper waits for more of a request.
        Poll::Pending if under_way.get() == 0 && !is_full.get() => Poll::Ready(()),
        Poll::Pending => Poll::Pending,
    })
    .await;
    None
}

/// A socket that remembers whether it has taken all that hyper gave it.
#[derive(Debug)]
struct Socket<S> {
    inner: TokioIo<S>,
    is_full: Rc<Cell<bool>>,
}

impl<S> Socket<S> {
    fn note(&self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        self.is_full.set(written.is_pending());
        written
    }
}

impl<S: AsyncRead + Unpin> Read for Socket<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> Write for Socket<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write(cx, bytes);
        self.note(written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write_vectored(cx, parts);
        self.note(written)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::serve::answer::plain;
    use hyper::StatusCode;
    use std::time::Duration;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    type Taking = Option<Taken<String, tokio::io::DuplexStream>>;

    /// Serves one side of a pipe: `/take…` takes it over, all else is answered with its own path.
    async fn serve(stream: tokio::io::DuplexStream, stopped: impl Future<Output = ()>) -> Taking {
        let slot = Slot::default();
        let answer = |request: Request<Incoming>| {
            let (path, slot) = (request.uri().path().to_owned(), Rc::clone(&slot));
            async move {
                if !path.starts_with("/take") {
                    return plain(StatusCode::OK, &path);
                }
                *slot.borrow_mut() = Some(path);
                std::future::pending().await
            }
        };
        // A head may take as long as it likes: nothing here is ended by that.
        let limits = Limits { head_timeout: Duration::from_secs(3600), ..Limits::default() };
        until_taken(stream, &limits, &slot, answer, |_| {}, stopped).await
    }

    fn run<T>(test: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let hangs = Duration::from_secs(30);
        runtime.block_on(async { tokio::time::timeout(hangs, test).await }).expect("it hangs")
    }

    #[test]
    fn what_follows_the_request_goes_to_the_new_owner_wherever_it_is_cut() {
        let said =
            b"GET /a HTTP/1.1\r\nHost: a\r\n\r\nGET /take HTTP/1.1\r\nHost: a\r\n\r\nand more";
        for cut in 0..=said.len() {
            let (mut client, server) = tokio::io::duplex(4096);
            let taken = run(async {
                let talk = async {
                    client.write_all(&said[..cut]).await.unwrap();
                    tokio::task::yield_now().await;
                    client.write_all(&said[cut..]).await.unwrap();
                    client.shutdown().await.unwrap();
                };
                tokio::join!(serve(server, std::future::pending()), talk).0
            });
            let mut taken = taken.unwrap_or_else(|| panic!("cut at {cut}"));
            assert_eq!(taken.by, "/take");
            let mut rest = taken.read_ahead.to_vec();
            run(taken.stream.read_to_end(&mut rest)).unwrap();
            assert_eq!(rest, b"and more", "cut at {cut}");
        }
    }

    #[test]
    fn who_asks_and_says_no_more_is_answered_and_the_connection_ends() {
        let said =
            b"GET /a HTTP/1.1\r\nHost: a\r\n\r\nGET /b HTTP/1.1\r\nHost: a\r\n\r\nGET /c HTTP";
        let (mut client, server) = tokio::io::duplex(4096);
        let answers = run(async {
            client.write_all(said).await.unwrap();
            client.shutdown().await.unwrap();
            assert!(serve(server, std::future::pending()).await.is_none());
            let mut answers = String::new();
            client.read_to_string(&mut answers).await.unwrap();
            answers
        });
        assert!(answers.contains("/a\n") && answers.contains("/b\n"), "{answers}");
    }

    #[test]
    fn a_stop_waits_for_answers_and_not_for_half_a_request() {
        for (said, heard) in
            [("", ""), ("GET /half HTT", ""), ("GET /a HTTP/1.1\r\nHost: a\r\n\r\nGET /b", "/a\n")]
        {
            let (mut client, server) = tokio::io::duplex(4096);
            let answers = run(async {
                client.write_all(said.as_bytes()).await.unwrap();
                let stop = async { tokio::task::yield_now().await };
                assert!(serve(server, stop).await.is_none());
                let mut answers = String::new();
                client.read_to_string(&mut answers).await.unwrap();
                answers
            });
            assert!(
                answers.ends_with(heard) && answers.is_empty() == heard.is_empty(),
                "{answers}"
            );
        }
    }
}
