//! A frame with its head, made once for all viewers.

use std::io::IoSlice;
use std::os::fd::OwnedFd;
use std::rc::Rc;

use anyhow::{Result, ensure};
use eyelet_wire::websocket::{Opcode, header};
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
use rustix::io::pwritev;
use rustix::pipe::{PipeFlags, SpliceFlags, fcntl_setpipe_size, pipe_with, splice};

use super::Way;

const PAGE: usize = 4096;

/// What stands around a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    WebSocket = 0,
    Multipart = 1,
}

/// Reading end, writing end.
pub(super) type Pipe = (OwnedFd, OwnedFd);

/// All bytes of a message, in the way in which they are sent.
#[derive(Debug)]
pub(super) enum Message {
    Bytes(Vec<u8>),
    Pages(OwnedFd, usize),
    /// The pages are in the pipe, from which they are not taken.
    Pipe(Pipe, usize),
}

impl Message {
    /// Puts `payload` behind its head; the bytes of an `old` message that nobody sends any more are used again.
    pub(super) fn new(
        way: Way,
        framing: Framing,
        payload: &[u8],
        old: Option<Rc<Self>>,
    ) -> Result<Self> {
        let (head, tail) = match framing {
            Framing::WebSocket => {
                (header(Opcode::Binary, payload.len() as u64, None).to_vec(), &b""[..])
            }
            Framing::Multipart => {
                let len = payload.len();
                let head =
                    format!("--bare\r\nContent-Type: image/jpeg\r\nContent-Length: {len}\r\n\r\n");
                (head.into_bytes(), &b"\r\n"[..])
            }
        };
        let parts = [&head[..], payload, tail];
        if way == Way::Write {
            let mut bytes = match old.and_then(Rc::into_inner) {
                Some(Self::Bytes(bytes)) => bytes,
                _ => Vec::new(),
            };
            bytes.clear();
            parts.iter().for_each(|part| bytes.extend_from_slice(part));
            return Ok(Self::Bytes(bytes));
        }
        let len = parts.iter().map(|part| part.len()).sum();
        let memfd = sealed(&parts, len)?;
        if way == Way::Sendfile {
            return Ok(Self::Pages(memfd, len));
        }
        let pipe = pipe_for(len)?;
        let mut offset = 0;
        while offset < len as u64 {
            let left = len - usize::try_from(offset)?;
            let flags = SpliceFlags::empty();
            let moved = splice(&memfd, Some(&mut offset), &pipe.1, None, left, flags)?;
            ensure!(moved > 0, "the pages do not fit into the pipe");
        }
        Ok(Self::Pipe(pipe, len))
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::Pages(_, len) | Self::Pipe(_, len) => *len,
        }
    }
}

fn sealed(parts: &[&[u8]], len: usize) -> Result<OwnedFd> {
    let memfd = memfd_create(c"bare-frame", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
    let slices: Vec<IoSlice<'_>> = parts.iter().map(|part| IoSlice::new(part)).collect();
    ensure!(pwritev(&memfd, &slices, 0)? == len, "memory is short");
    let seals = SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL;
    fcntl_add_seals(&memfd, seals)?;
    Ok(memfd)
}

/// Makes a pipe that holds a message of `len` bytes, wherever in its pages it begins.
pub(super) fn pipe_for(len: usize) -> Result<Pipe> {
    let pipe = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
    fcntl_setpipe_size(&pipe.1, (len / PAGE + 2) * PAGE)?;
    Ok(pipe)
}
