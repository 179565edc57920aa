//! TLS around a connection: rustls does it, the socket stays ours.

use std::cell::RefCell;
use std::io::{self, Read as _, Write as _};
use std::sync::Arc;

use rustls::{ServerConfig, ServerConnection};

use crate::serve::answer;
use crate::serve::kernel::Kernel;

/// Bytes that are encrypted before the kernel is asked whether it takes them: four records. More would wait here, and get old.
const AT_A_TIME: usize = 64 << 10;

/// The first byte of everything that begins with TLS. Source: RFC 8446, section 5.1, `handshake`.
const HANDSHAKE: u8 = 22;

/// The state of TLS of one connection.
#[derive(Debug)]
pub(crate) struct Encryption(RefCell<State>);

#[derive(Debug)]
struct State {
    session: ServerConnection,
    /// Something was read.
    is_begun: bool,
    /// Bytes that are decrypted and not read yet.
    decrypted: usize,
}

impl Encryption {
    /// Begins; the client speaks first.
    ///
    /// # Errors
    /// If the configuration makes no sense, which is looked at before.
    pub(crate) fn begin(config: Arc<ServerConfig>) -> io::Result<Self> {
        let session = ServerConnection::new(config).map_err(io::Error::other)?;
        Ok(Self(RefCell::new(State { session, is_begun: false, decrypted: 0 })))
    }

    /// Encrypts as much as may wait, once nothing else waits; gives how many bytes that was.
    pub(super) fn send(&self, kernel: &Kernel, bytes: &[u8]) -> io::Result<usize> {
        let state = &mut *self.0.borrow_mut();
        state.flush(kernel)?;
        let taken = state.session.writer().write(&bytes[..bytes.len().min(AT_A_TIME)])?;
        match state.flush(kernel) {
            // What was taken is sent with the next call.
            Err(e) if e.kind() != io::ErrorKind::WouldBlock => Err(e),
            _ => Ok(taken),
        }
    }

    /// Gives the kernel what waits.
    pub(super) fn flush(&self, kernel: &Kernel) -> io::Result<()> {
        self.0.borrow_mut().flush(kernel)
    }

    /// Reads what the client said; the handshake is done on the way.
    pub(super) fn read(&self, kernel: &Kernel, buffer: &mut [u8]) -> io::Result<usize> {
        let state = &mut *self.0.borrow_mut();
        loop {
            match state.session.reader().read(buffer) {
                // It has left without saying so: that is its own affair, as whole messages are known as such.
                Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Ok(0),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                other => {
                    state.decrypted -=
                        other.as_ref().map_or(0, |count| state.decrypted.min(*count));
                    return other;
                }
            }
            let mut source = Source { kernel, first: None };
            let read = state.session.read_tls(&mut source)?;
            if !state.is_begun && read > 0 {
                state.is_begun = true;
                if source.first != Some(HANDSHAKE) {
                    return Err(refuse_plain(kernel));
                }
            }
            let processed = state.session.process_new_packets();
            // Its answers, or what it says of an error.
            let flushed = state.flush(kernel);
            let processed = processed.map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e))?;
            state.decrypted = processed.plaintext_bytes_to_read();
            match flushed {
                Err(e) if e.kind() != io::ErrorKind::WouldBlock => return Err(e),
                _ => {}
            }
            if read == 0 {
                return Ok(0);
            }
        }
    }

    /// Tells whether there is something to read that the kernel does not have any more.
    pub(super) fn has_decrypted(&self) -> bool {
        self.0.borrow().decrypted > 0
    }

    /// Says that nothing more comes; a socket that is full does not hear it.
    pub(super) fn say_end(&self, kernel: &Kernel) {
        let state = &mut *self.0.borrow_mut();
        state.session.send_close_notify();
        state.flush(kernel).ok();
    }
}

impl State {
    fn flush(&mut self, kernel: &Kernel) -> io::Result<()> {
        while self.session.wants_write() {
            self.session.write_tls(&mut Sink(kernel))?;
        }
        Ok(())
    }
}

/// A client that does not speak TLS is told in its own words.
fn refuse_plain(kernel: &Kernel) -> io::Error {
    let text = "this port speaks https: write https:// before the address";
    let answer = answer::plain_bytes(hyper::StatusCode::BAD_REQUEST, text);
    kernel.try_write_vectored(&[io::IoSlice::new(&answer)]).ok();
    io::Error::new(io::ErrorKind::InvalidData, "no TLS")
}

/// The kernel's side for reading; remembers the first byte.
struct Source<'a> {
    kernel: &'a Kernel,
    first: Option<u8>,
}

impl io::Read for Source<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.kernel.try_read(buffer)?;
        if count > 0 {
            self.first = self.first.or(buffer.first().copied());
        }
        Ok(count)
    }
}

/// The same for writing.
struct Sink<'a>(&'a Kernel);

impl io::Write for Sink<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.try_write_vectored(&[io::IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, parts: &[io::IoSlice<'_>]) -> io::Result<usize> {
        self.0.try_write_vectored(parts)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
