//! The host: so many places, each a thread that handles one request after the other.

use std::any::Any;
use std::cell::RefCell;
use std::io::{self, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind};
use std::sync::{Arc, Once};
use std::thread;
use std::time::Duration;

use crate::error::{Error, Result};
use crate::request::Request;

/// Where the server says how many requests it sends at a time.
const PLACES_VARIABLE: &str = "EYELET_PLACES";
/// The server never sends more at a time.
const MAX_PLACES: usize = 4096;
/// Of a thread; enough for handlers that keep what is large on the heap, and 4,096 of them are half a gigabyte of
/// address space, of which only what is touched is memory.
const STACK_BYTES: usize = 128 << 10;
/// Pause after the kernel refused a connection, as while there are no descriptors left.
const PAUSE: Duration = Duration::from_millis(100);

/// How an app is hosted, for those who want it otherwise than [`serve`](crate::serve) has it.
///
/// ```no_run
/// fn main() -> eyelet_app::Result<()> {
///     let host = eyelet_app::Host::new().stack_bytes(1 << 20);
///     host.serve(|request| request.respond(200, "text/plain", "Hello\n"))
/// }
/// ```
#[derive(Clone, Debug)]
pub struct Host {
    places: Option<usize>,
    stack_bytes: usize,
}

impl Default for Host {
    fn default() -> Self {
        Self::new()
    }
}

impl Host {
    /// As many places as the server says, threads with stacks of 128 KiB.
    #[must_use]
    pub const fn new() -> Self {
        Self { places: None, stack_bytes: STACK_BYTES }
    }

    /// Takes so many places, 1 to 4,096, whatever `EYELET_PLACES` says; there is a thread more than places, for what is
    /// no WebSocket. More than `eyelet --app … --processes N` says are never used, fewer make requests wait.
    #[must_use]
    pub const fn places(mut self, places: usize) -> Self {
        self.places = Some(places);
        self
    }

    /// Gives each thread a stack of so many bytes.
    #[must_use]
    pub const fn stack_bytes(mut self, bytes: usize) -> Self {
        self.stack_bytes = bytes;
        self
    }

    /// Serves the socket that the server gives; ends only with the process.
    ///
    /// # Errors
    /// [`Error::Start`] if there is no such socket, the number of places is wrong, or the kernel refuses a thread.
    pub fn serve<F>(&self, handler: F) -> Result<()>
    where
        F: Fn(&mut Request) -> Result<()> + Send + Sync + 'static,
    {
        self.serve_on(crate::inherit::listener()?, handler)
    }

    /// The same on a socket of your own, as a test has one.
    ///
    /// # Errors
    /// As [`serve`](Self::serve).
    pub fn serve_on<F>(&self, listener: UnixListener, handler: F) -> Result<()>
    where
        F: Fn(&mut Request) -> Result<()> + Send + Sync + 'static,
    {
        let said =
            std::env::var_os(PLACES_VARIABLE).map(|said| said.to_string_lossy().into_owned());
        let places = places(self.places, said.as_deref())?;
        say_panics_in_one_line();
        let shared = Arc::new((listener, handler));
        let start = |place: usize| {
            let shared = Arc::clone(&shared);
            let thread =
                thread::Builder::new().name(format!("place {place}")).stack_size(self.stack_bytes);
            thread.spawn(move || fill_place(&shared.0, &shared.1))
        };
        let threads: Vec<_> = (0..=places)
            .map(start)
            .collect::<io::Result<_>>()
            .map_err(|e| Error::Start(format!("failed to start a thread for each place: {e}")))?;
        for thread in threads {
            // It has no end.
            thread.join().ok();
        }
        Ok(())
    }
}

/// How many places there are: as the app says, as the server says, or one.
fn places(own: Option<usize>, said: Option<&str>) -> Result<usize> {
    let wrong = |said: &str| {
        Error::Start(format!("{PLACES_VARIABLE}: 1 to {MAX_PLACES} places, not `{said}`"))
    };
    let places = match (own, said) {
        (Some(own), _) => own,
        (None, Some(said)) => said.parse().map_err(|_| wrong(said))?,
        (None, None) => 1,
    };
    if (1..=MAX_PLACES).contains(&places) { Ok(places) } else { Err(wrong(&places.to_string())) }
}

/// Handles one request after the other.
fn fill_place(listener: &UnixListener, handler: &impl Fn(&mut Request) -> Result<()>) {
    let mut was_refused = false;
    loop {
        match listener.accept() {
            Ok((stream, _)) => {
                was_refused = false;
                if let Err(fault) = attend(stream, handler) {
                    complain(&fault);
                }
            }
            Err(e) => {
                if !was_refused {
                    complain(&format!("failed to take a request: {e}"));
                }
                was_refused = true;
                thread::sleep(PAUSE);
            }
        }
    }
}

thread_local! {
    /// The request that this thread handles, for messages.
    static HANDLED: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Handles one request to its end, however the handler ends.
///
/// # Errors
/// What to tell the user; not that the client has left, nor a panic, which has told already.
pub(crate) fn attend(
    stream: UnixStream,
    handler: &impl Fn(&mut Request) -> Result<()>,
) -> Result<(), String> {
    let mut request = match Request::receive(stream) {
        Ok(request) => request,
        Err(error) if error.is_gone() => return Ok(()),
        Err(error) => return Err(format!("failed to receive a request: {error}")),
    };
    let what = format!("{} {}", request.method(), request.path());
    HANDLED.replace(Some(what.clone()));
    // Nobody sees the request after a panic but this function.
    let outcome = catch_unwind(AssertUnwindSafe(|| handler(&mut request)));
    HANDLED.replace(None);
    let fault = match outcome {
        Ok(Err(error)) if error.is_gone() => None,
        Ok(Err(error)) => Some(Err(format!("{what} failed: {error}"))),
        Ok(Ok(())) if request.link.is_answered || request.link.is_gone => None,
        Ok(Ok(())) => Some(Err(format!("{what} failed: the handler has not answered"))),
        Err(_) => Some(Ok(())),
    };
    let Some(told) = fault else {
        request.link.end();
        return Ok(());
    };
    let is_unanswered = !request.link.is_answered && !request.link.is_gone;
    // Without an answer the server gives one of its own.
    if is_unanswered && request.respond(500, "text/plain", "Internal Server Error\n").is_ok() {
        request.link.end();
    } else {
        request.link.hang_up();
    }
    told
}

/// A panic of a handler becomes a line, as other faults are; with `RUST_BACKTRACE` it says all, as elsewhere.
fn say_panics_in_one_line() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic: &PanicHookInfo<'_>| {
            let what = HANDLED.try_with(|handled| handled.borrow().clone()).ok().flatten();
            match what.filter(|_| std::env::var_os("RUST_BACKTRACE").is_none()) {
                Some(what) => {
                    let place = panic.location().map(ToString::to_string).unwrap_or_default();
                    let text = message(panic.payload());
                    complain(&format!("{what} failed: panicked at {place}: {text}"));
                }
                None => usual(panic),
            }
        }));
    });
}

fn message(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("no text")
}

/// Writes a line to standard error.
fn complain(text: &str) {
    // Nobody else is there to be told.
    writeln!(io::stderr(), "eyelet-app: {}", one_line(text)).ok();
}

/// Errors hold what strangers sent; a line of the log must stay one.
fn one_line(text: &str) -> String {
    const KEPT: usize = 2000;
    text.chars().take(KEPT).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_the_apps_or_the_servers_or_one() {
        assert_eq!(places(None, None).unwrap(), 1);
        assert_eq!(places(None, Some("10")).unwrap(), 10);
        assert_eq!(places(Some(3), Some("10")).unwrap(), 3);
        for said in ["0", "4097", "", "-1", "ten", "99999999999999999999"] {
            let error = places(None, Some(said)).unwrap_err().to_string();
            assert!(error.ends_with(&format!("not `{said}`")), "{error}");
        }
        assert!(places(Some(0), None).is_err());
    }

    #[test]
    fn a_line_of_the_log_stays_one() {
        assert_eq!(one_line("a\nb\r\tc\u{7f}ä"), "a b  c ä");
        assert_eq!(one_line(&"x".repeat(5000)).len(), 2000);
    }
}
