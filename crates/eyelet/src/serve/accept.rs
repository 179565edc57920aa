//! Who takes the next connection, where several serve processes share a listener.
//!
//! Each tells the supervisor its load: the connections that watch, or may be about to. The supervisor tells all of them
//! the smallest. Who has no more than that accepts at once, one connection at a time; the others only what is left
//! waiting, so that a process that stands still or has just died holds up nobody. Alone, it all comes down to accepting.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::time::Duration;

use hyper::StatusCode;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tokio::io::unix::AsyncFd;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use crate::error::{Error, Result};
use crate::serve::encryption::Encryption;
use crate::serve::http::{self, Connection};
use crate::serve::kernel::Kernel;
use crate::serve::listener::ListenerSocket;
use crate::serve::load::{Load, Weight};
use crate::serve::readiness::{self, Registered};
use crate::serve::socket::Socket;
use crate::serve::{Server, refusal};

/// How long a connection is left to others: so many looks must all find one waiting.
///
/// Looks and not a time, as time also passes while this process has no core: then one look would mean nothing.
#[derive(Clone, Copy, Debug)]
struct Patience {
    looks: u32,
    every: Duration,
}

/// After 20 ms a connection is anybody's: some sibling that should have taken it does not.
///
/// Longer than a process is busy with other things; shorter than a person sees.
const PATIENCE: Patience = Patience { looks: 4, every: Duration::from_millis(5) };

/// Those in the queue behind it do not wait so long again; in this time others who are not the least loaded have theirs.
const NEXT_PATIENCE: Patience = Patience { looks: 1, every: Duration::from_millis(1) };

/// Pause after an error that others may get through: out of descriptors, mostly.
const PAUSE_AFTER_ERROR: Duration = Duration::from_millis(100);

/// A listener that the event loop watches.
type Listener = AsyncFd<Registered<ListenerSocket>>;

/// The listeners that this process accepts from, by their numbers.
#[derive(Debug, Default)]
pub(super) struct Listening(RefCell<BTreeMap<u64, AbortHandle>>);

impl Listening {
    /// Accepts from the listeners of these numbers, and from no others any more. Connections go on.
    ///
    /// # Errors
    /// If the kernel refuses to watch one; the others are accepted from.
    pub(super) fn renew(
        &self,
        server: &Rc<Server>,
        numbers: &[u64],
        sockets: Vec<OwnedFd>,
    ) -> Result<()> {
        let mut tasks = self.0.borrow_mut();
        tasks.retain(|number, task| {
            let is_wanted = numbers.contains(number);
            if !is_wanted {
                task.abort();
            }
            is_wanted
        });
        let mut result = Ok(());
        for (&number, socket) in numbers.iter().zip(sockets) {
            if let Entry::Vacant(vacant) = tasks.entry(number) {
                match listener(socket) {
                    Ok(listener) => {
                        let task = accept(Rc::clone(server), listener);
                        vacant.insert(tokio::task::spawn_local(task).abort_handle());
                    }
                    Err(e) => result = Err(e),
                }
            }
        }
        result
    }
}

/// Takes an inherited listener.
///
/// # Errors
/// If the kernel refuses to watch it.
fn listener(socket: OwnedFd) -> Result<Listener> {
    let failed = |e: io::Error| Error::failed(format!("failed to take a listener: {e}"));
    let listener = ListenerSocket::take(socket).map_err(failed)?;
    listener.set_nonblocking().map_err(failed)?;
    readiness::register(listener)
}

/// Accepts until the process is to stop.
async fn accept(server: Rc<Server>, listener: Listener) {
    let mut patience = PATIENCE;
    loop {
        let accepted = tokio::select! {
            accepted = next(&server.load, &listener, &mut patience) => accepted,
            () = server.stopped() => return,
        };
        match accepted {
            Ok(stream) => receive(&server, stream),
            Err(e) => {
                // Out of descriptors, or the peer gave up: others may succeed, but do not spin.
                log::warn!("failed to accept a connection: {e}");
                tokio::time::sleep(PAUSE_AFTER_ERROR).await;
            }
        }
    }
}

/// Serves a connection, or refuses it where there is no place for it.
fn receive(server: &Rc<Server>, kernel: Kernel) {
    // What is on this machine alone needs no TLS.
    let config = server.encryption().filter(|_| matches!(kernel, Kernel::Tcp(_)));
    let encryption = match config.map(Encryption::begin).transpose() {
        Ok(encryption) => encryption,
        Err(e) => return log::error!("failed to begin TLS: {e}"),
    };
    let stream = Socket::new(kernel, encryption);
    match server.crowd.enter(stream.peer().ip(), &server.limits()) {
        Ok(place) => {
            let (server, weight) = (Rc::clone(server), Weight::new(Rc::clone(server)));
            let connection = Connection { server, stream, weight, place };
            tokio::task::spawn_local(http::connection(connection));
        }
        Err(text) => {
            server.counters.refused.count(StatusCode::SERVICE_UNAVAILABLE);
            let refusals = Rc::clone(&server.refusals);
            tokio::task::spawn_local(refusal::refuse(refusals, stream, text));
        }
    }
}

/// Waits for the next connection that is this process's. Nothing is lost if that is given up.
async fn next(load: &Load, listener: &Listener, patience: &mut Patience) -> io::Result<Kernel> {
    loop {
        let mut ready = listener.readable().await?;
        if !load.is_the_least() && !is_left_waiting(load, &listener.get_ref().0, *patience).await {
            *patience = PATIENCE;
            ready.clear_ready();
            continue;
        }
        match ready.try_io(|listener| listener.get_ref().0.accept()) {
            Ok(accepted) => {
                let is_queue = !load.is_the_least() && has_waiting(&listener.get_ref().0);
                *patience = if is_queue { NEXT_PATIENCE } else { PATIENCE };
                return accepted?.watched();
            }
            // Another process was faster.
            Err(_) => *patience = PATIENCE,
        }
    }
}

/// Tells whether somebody waits until the patience is over, or until this process is one of the least loaded.
async fn is_left_waiting(load: &Load, listener: &ListenerSocket, patience: Patience) -> bool {
    for _ in 0..patience.looks {
        let look_at = Instant::now() + patience.every;
        while !load.is_the_least() && Instant::now() < look_at {
            tokio::select! {
                () = tokio::time::sleep_until(look_at) => {}
                () = load.changed.notified() => {}
            }
        }
        if load.is_the_least() || !has_waiting(listener) {
            return load.is_the_least();
        }
    }
    true
}

fn has_waiting(listener: &ListenerSocket) -> bool {
    let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
    let looked = poll(&mut [PollFd::new(listener, PollFlags::IN)], Some(&at_once));
    // If it cannot be told, accepting will tell.
    looked != Ok(0)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::os::fd::AsFd as _;

    use super::*;

    fn loaded(own: usize, least: usize) -> Load {
        let load = Load::default();
        load.set_shared(4);
        load.set_own(own);
        load.set_least(least);
        load
    }

    /// Accepts one connection with that load, and tells how long that took; none in a second.
    async fn accept_one(load: &Load, listener: &Listener) -> Option<Duration> {
        let began = Instant::now();
        let mut patience = PATIENCE;
        let next = next(load, listener, &mut patience);
        let accepted = tokio::time::timeout(Duration::from_secs(1), next).await;
        accepted.ok().map(|stream| stream.map(|_| began.elapsed()).unwrap())
    }

    fn run(test: impl Future<Output = ()>) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(test);
    }

    fn listening() -> (Listener, std::net::SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        (super::listener(listener.into()).unwrap(), address)
    }

    #[test]
    fn alone_or_the_least_loaded_is_the_next() {
        assert!(loaded(3, 3).is_the_least() && loaded(2, 3).is_the_least());
        assert!(!loaded(4, 3).is_the_least());
        let alone = Load::default();
        alone.set_own(7);
        assert!(alone.is_the_least());
        assert_eq!((alone.to_tell(), loaded(4, 3).to_tell()), (None, Some(4)));
    }

    #[test]
    fn who_has_more_than_the_least_takes_what_is_left_waiting() {
        run(async {
            let (listener, address) = listening();
            let _client = std::net::TcpStream::connect(address).unwrap();
            let waited = accept_one(&loaded(1, 0), &listener).await;
            assert!(
                waited.is_some_and(|waited| waited >= PATIENCE.every * PATIENCE.looks),
                "{waited:?}"
            );
        });
    }

    #[test]
    fn what_a_sibling_took_is_not_waited_for() {
        run(async {
            let (listener, address) = listening();
            let _client = std::net::TcpStream::connect(address).unwrap();
            let sibling =
                TcpListener::from(listener.get_ref().0.as_fd().try_clone_to_owned().unwrap());
            let taking = async {
                tokio::time::sleep(PATIENCE.every).await;
                sibling.accept().unwrap();
            };
            let load = loaded(1, 0);
            let (accepted, ()) = tokio::join!(accept_one(&load, &listener), taking);
            assert_eq!(accepted, None);
        });
    }

    #[test]
    fn a_change_of_the_least_is_heard_at_once() {
        run(async {
            let (listener, address) = listening();
            let _client = std::net::TcpStream::connect(address).unwrap();
            let load = loaded(1, 0);
            let hearing = async { load.set_least(1) };
            let mut patience = Patience { every: Duration::from_secs(3600), ..PATIENCE };
            let (accepted, ()) = tokio::join!(next(&load, &listener, &mut patience), hearing);
            accepted.unwrap();
        });
    }
}
