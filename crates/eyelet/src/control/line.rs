//! One end of the line, whatever is said on it.

use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg, sendmsg,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Error, Result};

/// Longest message, in bytes; a report has a few hundred.
const MAX_MESSAGE_LEN: usize = 64 << 10;

/// Most descriptors with one message: `SCM_MAX_FD` of the kernel, unix(7).
pub const MAX_SOCKETS: usize = 253;
/// Room for them and the head of their message.
const ANCILLARY_LEN: usize = rustix::cmsg_space!(ScmRights(MAX_SOCKETS));

/// One end of the line. Never waits.
#[derive(Debug)]
pub struct Control {
    socket: OwnedFd,
}

impl Control {
    /// Takes one end.
    ///
    /// # Errors
    /// If the kernel refuses to make it non-blocking.
    pub fn new(socket: OwnedFd) -> Result<Self> {
        rustix::io::ioctl_fionbio(&socket, true).map_err(|e| failed("set up", e))?;
        Ok(Self { socket })
    }

    /// Makes both ends.
    ///
    /// # Errors
    /// If the kernel has no descriptors left.
    pub fn pair() -> Result<(OwnedFd, OwnedFd)> {
        rustix::net::socketpair(
            AddressFamily::UNIX,
            SocketType::SEQPACKET,
            SocketFlags::CLOEXEC,
            None,
        )
        .map_err(|e| failed("make", e))
    }

    /// Sends a message; one that finds the line full or closed is lost, and the other side asks again.
    pub fn send(&self, message: &impl Serialize) {
        match serde_json::to_vec(message) {
            Ok(bytes) => {
                let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
                if let Err(e) = rustix::net::send(&self.socket, &bytes, flags) {
                    log::debug!("a control message was lost: {e}");
                }
            }
            Err(e) => log::error!("a control message cannot be written: {e}"),
        }
    }

    /// Sends a message with descriptors.
    ///
    /// # Errors
    /// If the line is full or closed, or there are more than [`MAX_SOCKETS`]: nothing was sent.
    pub fn send_with_sockets(
        &self,
        message: &impl Serialize,
        sockets: &[BorrowedFd<'_>],
    ) -> Result<()> {
        let bytes = serde_json::to_vec(message)
            .map_err(|e| Error::failed(format!("a control message cannot be written: {e}")))?;
        let mut space = vec![MaybeUninit::uninit(); ANCILLARY_LEN];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        if !ancillary.push(SendAncillaryMessage::ScmRights(sockets)) {
            let text = format!("{} descriptors are too many for a control line", sockets.len());
            return Err(Error::failed(text));
        }
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        sendmsg(&self.socket, &[IoSlice::new(&bytes)], &mut ancillary, flags)
            .map(drop)
            .map_err(|e| failed("write to", e))
    }

    /// Receives a message, if there is one, and the descriptors that came with it.
    ///
    /// # Errors
    /// As [`Self::try_receive`].
    pub fn try_receive_with_sockets<T: DeserializeOwned>(
        &self,
    ) -> Result<(Option<T>, Vec<OwnedFd>)> {
        let mut bytes = vec![0; MAX_MESSAGE_LEN];
        let mut space = vec![MaybeUninit::uninit(); ANCILLARY_LEN];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let flags = RecvFlags::DONTWAIT | RecvFlags::CMSG_CLOEXEC;
        let received =
            recvmsg(&self.socket, &mut [IoSliceMut::new(&mut bytes)], &mut ancillary, flags);
        let message = read(received.map(|received| received.bytes), &bytes)?;
        let sockets = ancillary.drain().flat_map(|message| match message {
            RecvAncillaryMessage::ScmRights(sockets) => sockets.collect(),
            _ => Vec::new(),
        });
        Ok((message, sockets.collect()))
    }

    /// Receives a message if there is one.
    ///
    /// # Errors
    /// When the other side has ended, or speaks nonsense.
    pub fn try_receive<T: DeserializeOwned>(&self) -> Result<Option<T>> {
        let mut bytes = vec![0; MAX_MESSAGE_LEN];
        let received = rustix::net::recv(&self.socket, &mut bytes[..], RecvFlags::DONTWAIT);
        read(received.map(|(len, _)| len), &bytes)
    }
}

/// Reads what was received, if anything was.
fn read<T: DeserializeOwned>(len: rustix::io::Result<usize>, bytes: &[u8]) -> Result<Option<T>> {
    match len {
        Ok(0) | Err(Errno::CONNRESET) => Err(Error::failed("the control line has ended")),
        Ok(len) => serde_json::from_slice(&bytes[..len])
            .map(Some)
            .map_err(|e| Error::failed(format!("a control message makes no sense: {e}"))),
        Err(Errno::AGAIN | Errno::INTR) => Ok(None),
        Err(e) => Err(failed("read", e)),
    }
}

fn failed(what: &str, e: Errno) -> Error {
    Error::failed(format!("failed to {what} a control line: {e}"))
}

impl AsFd for Control {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
