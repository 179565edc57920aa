//! A port of its own that leads to a server by another way: through TLS, or to a Unix socket. So every client here can go it.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context as _, Result};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{AddressFamily, SocketType, socket, sockopt};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};

/// Bytes that are passed on at a time; nothing more waits here, so that who reads slowly is felt by the server.
const AT_A_TIME: usize = 16 << 10;
/// What the kernel keeps of a connection: a few frames of a small picture, so that the server feels a slow reader.
const KEPT: usize = 128 << 10;
/// After so long it looks whether it is to end.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Where a bridge leads.
#[derive(Clone, Debug)]
enum To {
    Tls(SocketAddr, Arc<ClientConfig>),
    Unix(PathBuf),
}

/// A port that leads elsewhere, until dropped.
#[derive(Debug)]
pub struct Bridge {
    addr: SocketAddr,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Bridge {
    /// Leads to a server with TLS at `127.0.0.1`, of which `certificate` vouches for itself, PEM.
    ///
    /// # Errors
    /// It is none, or there is no port.
    pub fn to_tls(server: SocketAddr, certificate: &[u8]) -> Result<Self> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(certificate)?)?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Self::start(To::Tls(server, Arc::new(config)))
    }

    /// Leads to a socket in the file system.
    ///
    /// # Errors
    /// There is no port.
    pub fn to_unix(path: &Path) -> Result<Self> {
        Self::start(To::Unix(path.to_owned()))
    }

    fn start(to: To) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        listener.set_nonblocking(true)?;
        let (addr, stop) = (listener.local_addr()?, Arc::<AtomicBool>::default());
        let is_stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            std::thread::scope(|scope| {
                while !is_stopped.load(Ordering::Relaxed) {
                    let Ok((client, _)) = listener.accept() else {
                        std::thread::sleep(Duration::from_millis(2));
                        continue;
                    };
                    let (to, is_stopped) = (to.clone(), &is_stopped);
                    // What goes wrong here its clients notice by the end of the connection.
                    scope.spawn(move || drop(carry(client, &to, is_stopped)));
                }
            });
        });
        Ok(Self { addr, stop, thread: Some(thread) })
    }

    /// The port.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().map(JoinHandle::join);
    }
}

/// What a bridge speaks to its server with.
enum Far {
    Tls(TcpStream, Box<ClientConnection>),
    Unix(UnixStream),
}

impl Far {
    fn connect(to: &To) -> Result<Self> {
        match to {
            To::Tls(server, config) => {
                let stream = socket(AddressFamily::INET, SocketType::STREAM, None)?;
                // A window that was offered once is not taken back.
                sockopt::set_socket_recv_buffer_size(&stream, KEPT)?;
                rustix::net::connect(&stream, server)?;
                let stream = TcpStream::from(stream);
                stream.set_nodelay(true)?;
                stream.set_nonblocking(true)?;
                let name = ServerName::try_from("127.0.0.1")?;
                let session = ClientConnection::new(Arc::clone(config), name)?;
                Ok(Self::Tls(stream, Box::new(session)))
            }
            To::Unix(path) => {
                let stream = UnixStream::connect(path)
                    .with_context(|| format!("failed to connect to {}", path.display()))?;
                stream.set_nonblocking(true)?;
                Ok(Self::Unix(stream))
            }
        }
    }

    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        match self {
            Self::Unix(stream) => stream.read(buffer),
            Self::Tls(stream, session) => loop {
                match session.reader().read(buffer) {
                    Err(e) if e.kind() == ErrorKind::UnexpectedEof => return Ok(0),
                    Err(e) if e.kind() == ErrorKind::WouldBlock => {}
                    other => return other,
                }
                if session.read_tls(stream)? == 0 {
                    return Ok(0);
                }
                session.process_new_packets().map_err(std::io::Error::other)?;
            },
        }
    }

    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        match self {
            Self::Unix(stream) => stream.write(bytes),
            Self::Tls(_, session) => session.writer().write(bytes),
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        if let Self::Tls(stream, session) = self {
            while session.wants_write() {
                session.write_tls(stream)?;
            }
        }
        Ok(())
    }

    fn wait(&self, client: &TcpStream, of_client: PollFlags, mut of_far: PollFlags) {
        let mut fds = match self {
            Self::Unix(stream) => [PollFd::new(client, of_client), PollFd::new(stream, of_far)],
            Self::Tls(stream, session) => {
                if session.wants_write() {
                    of_far |= PollFlags::OUT;
                }
                [PollFd::new(client, of_client), PollFd::new(stream, of_far)]
            }
        };
        let patience = Timespec::try_from(LOOK_EVERY).ok();
        poll(&mut fds, patience.as_ref()).ok();
    }
}

/// What waits to go in one direction.
#[derive(Default)]
struct Way {
    waiting: Vec<u8>,
    is_over: bool,
}

impl Way {
    /// Reads if nothing waits; tells whether anything came.
    fn fill(&mut self, read: impl FnOnce(&mut [u8]) -> std::io::Result<usize>) -> Result<bool> {
        if self.is_over || !self.waiting.is_empty() {
            return Ok(false);
        }
        let mut buffer = [0; AT_A_TIME];
        match read(&mut buffer) {
            Ok(0) => self.is_over = true,
            Ok(count) => self.waiting.extend(&buffer[..count]),
            Err(e) if e.kind() == ErrorKind::WouldBlock => return Ok(false),
            Err(e) => return Err(e.into()),
        }
        Ok(true)
    }

    /// Writes what waits; tells whether anything went.
    fn drain(&mut self, write: impl FnOnce(&[u8]) -> std::io::Result<usize>) -> Result<bool> {
        if self.waiting.is_empty() {
            return Ok(false);
        }
        match write(&self.waiting) {
            Ok(count) => drop(self.waiting.drain(..count)),
            Err(e) if e.kind() == ErrorKind::WouldBlock => return Ok(false),
            Err(e) => return Err(e.into()),
        }
        Ok(true)
    }
}

fn carry(mut client: TcpStream, to: &To, is_stopped: &AtomicBool) -> Result<()> {
    client.set_nonblocking(true)?;
    client.set_nodelay(true)?;
    sockopt::set_socket_send_buffer_size(&client, KEPT)?;
    let mut far = Far::connect(to)?;
    let (mut out, mut back) = (Way::default(), Way::default());
    while !is_stopped.load(Ordering::Relaxed) {
        let mut is_moving = out.fill(|buffer| client.read(buffer))?;
        is_moving |= out.drain(|bytes| far.write(bytes))?;
        match far.flush() {
            Err(e) if e.kind() != ErrorKind::WouldBlock => return Err(e.into()),
            _ => {}
        }
        is_moving |= back.fill(|buffer| far.read(buffer))?;
        is_moving |= back.drain(|bytes| client.write(bytes))?;
        if out.is_over || (back.is_over && back.waiting.is_empty()) {
            return Ok(());
        }
        if !is_moving {
            let when =
                |way: &Way| if way.waiting.is_empty() { PollFlags::IN } else { PollFlags::empty() };
            let full = |way: &Way| {
                if way.waiting.is_empty() { PollFlags::empty() } else { PollFlags::OUT }
            };
            far.wait(&client, when(&out) | full(&back), when(&back) | full(&out));
        }
    }
    Ok(())
}
