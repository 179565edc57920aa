//! The area's socket: one datagram with at most one descriptor.

use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::Mode;
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags,
    SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketAddrUnix, SocketFlags, SocketType,
};

use crate::{Error, ErrorKind, Result};

/// Subscribers that may wait to be let in while the owner restarts.
const BACKLOG: i32 = 128;

/// Room for what was sent and not yet received, in bytes: less than the kernel gives at the least, some six messages.
///
/// It bounds what a subscriber pins that grants credit and never receives. By default that is 276 frames (Linux 6.18),
/// and a few such peers use up what a user may have in flight (`RLIMIT_NOFILE`), so that nobody is sent any more.
pub(crate) const SEND_ROOM_BYTES: usize = 2048;

/// As [`SEND_ROOM_BYTES`], while answers are sent: three of the longest, some hundreds of the shortest.
///
/// Less than a long one needs would refuse it (`EMSGSIZE`); more would only be memory for who does not read.
pub(crate) const ANSWER_ROOM_BYTES: usize = 128 << 10;

/// Room for descriptors on receipt: more than the one that is allowed, so that a second one is seen and refused.
const DESCRIPTOR_ROOM: usize = 4;

/// Makes an area: a listening socket at `path` with the given file mode.
///
/// The supervisor makes it and passes it to each owner in turn, so that it outlives them.
///
/// # Errors
/// [`ErrorKind::Io`] if the path is taken, too long for a socket address, or its folder is not there.
pub fn listen(path: &Path, mode: u32) -> Result<OwnedFd> {
    let failed = |e: Errno| Error::io(format!("failed to make the area `{}`", path.display()), e);
    let address = SocketAddrUnix::new(path).map_err(failed)?;
    let listener = socket().map_err(failed)?;
    rustix::net::bind(&listener, &address).map_err(failed)?;
    rustix::fs::chmod(path, Mode::from_raw_mode(mode)).map_err(failed)?;
    rustix::net::listen(&listener, BACKLOG).map_err(failed)?;
    Ok(listener)
}

fn socket() -> std::result::Result<OwnedFd, Errno> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    rustix::net::socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)
}

pub(crate) fn connect(path: &Path) -> Result<OwnedFd> {
    let failed = |e: Errno| {
        let error = Error::io(format!("failed to reach the area `{}`", path.display()), e);
        let nobody = matches!(e, Errno::NOENT | Errno::CONNREFUSED | Errno::AGAIN);
        if nobody { error.with_kind(ErrorKind::NoOwner) } else { error }
    };
    let address = SocketAddrUnix::new(path).map_err(failed)?;
    let stream = socket().map_err(failed)?;
    rustix::net::connect(&stream, &address).map_err(failed)?;
    Ok(stream)
}

/// Sends one message without waiting.
pub(crate) fn send(
    socket: BorrowedFd<'_>,
    message: &[u8],
    descriptor: Option<BorrowedFd<'_>>,
) -> std::result::Result<(), Errno> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    let descriptors = descriptor.map(|d| [d]);
    if let Some(descriptors) = &descriptors {
        let fits = ancillary.push(SendAncillaryMessage::ScmRights(descriptors));
        debug_assert!(fits, "the buffer is made for one descriptor");
    }
    let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
    rustix::net::sendmsg(socket, &[IoSlice::new(message)], &mut ancillary, flags)?;
    Ok(())
}

/// Lets one subscriber in without waiting.
pub(crate) fn accept(listener: BorrowedFd<'_>) -> std::result::Result<OwnedFd, Errno> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::accept_with(listener, flags)?;
    set_send_room(socket.as_fd(), SEND_ROOM_BYTES)?;
    Ok(socket)
}

/// Bounds what may have been sent and not received.
pub(crate) fn set_send_room(
    socket: BorrowedFd<'_>,
    bytes: usize,
) -> std::result::Result<(), Errno> {
    rustix::net::sockopt::set_socket_send_buffer_size(socket, bytes)
}

/// What came in one datagram: its bytes, in the buffer that was given.
#[derive(Debug)]
pub(crate) struct Received<'a> {
    pub(crate) message: &'a [u8],
    pub(crate) descriptor: Option<OwnedFd>,
}

/// Receives one message with at most one descriptor, without waiting; `None` at the end of the connection.
///
/// A message with more descriptors is refused and those that came are closed. So is one that fills `buffer`, which has
/// a byte more than the longest that may come.
pub(crate) fn receive_with_descriptor<'a>(
    socket: BorrowedFd<'_>,
    buffer: &'a mut [u8],
) -> std::result::Result<Option<Received<'a>>, ReceiveError> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTOR_ROOM))];
    receive(socket, buffer, RecvAncillaryBuffer::new(&mut space), DESCRIPTOR_ROOM)
}

/// As [`receive_with_descriptor`], for who expects none: a message with descriptors is refused.
///
/// The kernel discards them before this process has them: they need no room in its table, and closing one cannot wait
/// (the `close(2)` of a file of FUSE asks its server).
pub(crate) fn receive_without_descriptor<'a>(
    socket: BorrowedFd<'_>,
    buffer: &'a mut [u8],
) -> std::result::Result<Option<Received<'a>>, ReceiveError> {
    receive(socket, buffer, RecvAncillaryBuffer::default(), 0)
}

fn receive<'a>(
    socket: BorrowedFd<'_>,
    buffer: &'a mut [u8],
    mut ancillary: RecvAncillaryBuffer<'_>,
    room: usize,
) -> std::result::Result<Option<Received<'a>>, ReceiveError> {
    let flags = RecvFlags::DONTWAIT | RecvFlags::CMSG_CLOEXEC;
    let answer =
        rustix::net::recvmsg(socket.as_fd(), &mut [IoSliceMut::new(buffer)], &mut ancillary, flags)
            .map_err(ReceiveError::Io)?;
    let mut descriptors: Vec<OwnedFd> = Vec::new();
    for message in ancillary.drain() {
        if let RecvAncillaryMessage::ScmRights(received) = message {
            descriptors.extend(received);
        }
    }
    let is_cut = answer.flags.contains(ReturnFlags::CTRUNC);
    if is_cut && descriptors.len() < room {
        // There was room in the buffer, so there was none in this process's table.
        return Err(ReceiveError::Io(Errno::MFILE));
    }
    if is_cut || descriptors.len() > 1 {
        return Err(ReceiveError::TooManyDescriptors);
    }
    if answer.bytes == 0 && descriptors.is_empty() {
        // The end, or a datagram without a byte: they look the same, and no message is empty.
        return Ok(None);
    }
    if answer.bytes == buffer.len() {
        return Err(ReceiveError::TooLong);
    }
    Ok(Some(Received { message: &buffer[..answer.bytes], descriptor: descriptors.pop() }))
}

/// Why a datagram could not be had.
#[derive(Debug)]
pub(crate) enum ReceiveError {
    Io(Errno),
    TooManyDescriptors,
    TooLong,
}
