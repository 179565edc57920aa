//! One image: a sealed memfd and what it is.

use std::fmt;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::OnceLock;
use std::time::Duration;

use rustix::buffer::spare_capacity;
use rustix::fs::{
    MemfdFlags, SealFlags, fcntl_add_seals, fcntl_get_seals, fstat, fstatfs, memfd_create,
};
use rustix::io::{Errno, IoSlice, pread, pwrite, pwritev};

use crate::mapping::Mapping;
use crate::{Error, ErrorKind, Format, MonotonicNs, Result};

/// The longest payload that an area carries, in bytes.
///
/// 64 Mpx of RGB24 is 192 MiB; a length above this is a mistake or an attack.
pub const MAX_FRAME_LEN: u64 = 256 << 20;

/// Sequences carry the owner's generation above this bit, so that they grow across owners.
pub const GENERATION_SHIFT: u32 = 40;

/// Most slices that one `pwritev` takes. Source: `UIO_MAXIOV`, `linux/uio.h`.
const MAX_SLICES: usize = 1024;

/// Source: `linux/magic.h`.
const HUGETLBFS_MAGIC: rustix::fs::FsWord = 0x9584_58f6;

const SEALS: SealFlags =
    SealFlags::WRITE.union(SealFlags::GROW).union(SealFlags::SHRINK).union(SealFlags::SEAL);

/// Facts about a frame that are neither its shape nor its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct FrameFlags {
    /// It can be decoded without an earlier one; always true for formats that do not predict.
    pub is_key: bool,
}

/// What a frame is: everything but its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameInfo {
    /// Number of the frame in its stream: from 1, always growing, the owner's generation above bit 40; 0 before it is published.
    pub sequence: u64,
    /// When the camera had it; the driver's stamp where it gives one.
    pub captured_at: MonotonicNs,
    /// When its owner published it.
    pub published_at: MonotonicNs,
    /// Payload bytes, at most [`MAX_FRAME_LEN`].
    pub len: u64,
    /// Its shape.
    pub format: Format,
    /// Nominal time from frame to frame; zero where that is not known.
    pub interval: Duration,
    /// The rest.
    pub flags: FrameFlags,
}

/// A frame that nobody can change any more.
///
/// Holding one holds its pages; dropping the last one in all processes frees them. [`AsFd`] gives the memfd, so that
/// `sendfile(2)` can send the pages themselves.
pub struct Frame {
    info: FrameInfo,
    memfd: OwnedFd,
    mapping: OnceLock<Mapping>,
}

impl Frame {
    /// Believes a frame that another process sent, after checking what can be checked.
    ///
    /// # Errors
    /// [`ErrorKind::NotSealed`], [`ErrorKind::TooShort`], [`ErrorKind::TooLarge`].
    pub(crate) fn receive(info: FrameInfo, memfd: OwnedFd) -> Result<Self> {
        if info.len == 0 || info.len > MAX_FRAME_LEN {
            let text =
                format!("a frame of {} bytes; an area carries 1 to {MAX_FRAME_LEN}", info.len);
            return Err(Error::new(ErrorKind::TooLarge, text));
        }
        // Anything that is not a memfd has no seals and is refused here, too.
        let seals = fcntl_get_seals(&memfd).unwrap_or(SealFlags::empty());
        if !seals.contains(SEALS) {
            let text =
                format!("frame {} can still be changed: its seals are {seals:?}", info.sequence);
            return Err(Error::new(ErrorKind::NotSealed, text));
        }
        // Of huge pages a memfd may have the seals, but its mapping could not be undone: `munmap` refuses the length.
        let file_system = fstatfs(&memfd).map_err(|e| Error::io("failed to size a frame", e))?;
        if file_system.f_type == HUGETLBFS_MAGIC {
            let text = format!("frame {} is made of huge pages", info.sequence);
            return Err(Error::new(ErrorKind::NotSealed, text));
        }
        let size = fstat(&memfd).map_err(|e| Error::io("failed to size a frame", e))?.st_size;
        if u64::try_from(size).unwrap_or(0) < info.len {
            let text = format!("frame {} says {} bytes and has {size}", info.sequence, info.len);
            return Err(Error::new(ErrorKind::TooShort, text));
        }
        Ok(Self { info, memfd, mapping: OnceLock::new() })
    }

    /// Describes the frame.
    #[must_use]
    pub fn info(&self) -> &FrameInfo {
        &self.info
    }

    pub(crate) fn info_mut(&mut self) -> &mut FrameInfo {
        &mut self.info
    }

    /// Maps the payload (at the first call) and gives it: `info().len` bytes.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if the kernel refuses the mapping.
    pub fn bytes(&self) -> Result<&[u8]> {
        if let Some(mapping) = self.mapping.get() {
            return Ok(mapping.as_slice());
        }
        let len = usize::try_from(self.info.len).map_err(|_| {
            Error::new(ErrorKind::TooLarge, "a frame is larger than the address space")
        })?;
        let mapping = Mapping::new(self.memfd.as_fd(), len)
            .map_err(|e| Error::io(format!("failed to map frame {}", self.info.sequence), e))?;
        Ok(self.mapping.get_or_init(|| mapping).as_slice())
    }

    /// Appends a copy of the payload to `to`, without mapping it: cheaper for a frame that is looked at once.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if the kernel refuses to read it; what was appended until then stays.
    pub fn read_onto(&self, to: &mut Vec<u8>) -> Result<()> {
        let failed = |e| Error::io(format!("failed to read frame {}", self.info.sequence), e);
        let wanted = usize::try_from(self.info.len).unwrap_or(usize::MAX);
        let start = to.len();
        to.reserve(wanted);
        while to.len() - start < wanted {
            let offset = (to.len() - start) as u64;
            match pread(&self.memfd, spare_capacity(to), offset) {
                Ok(0) => return Err(failed(Errno::IO)),
                Ok(_) | Err(Errno::INTR) => {}
                Err(e) => return Err(failed(e)),
            }
        }
        // Its memfd may be longer than it.
        to.truncate(start + wanted);
        Ok(())
    }
}

impl AsFd for Frame {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.memfd.as_fd()
    }
}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Frame").field("info", &self.info).finish_non_exhaustive()
    }
}

/// A frame before its seal: fresh pages that its maker fills.
#[derive(Debug)]
pub struct FrameBuilder {
    memfd: OwnedFd,
    len: u64,
}

impl FrameBuilder {
    /// Takes fresh pages.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if the kernel has no descriptor or no memory left.
    pub fn new() -> Result<Self> {
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        // Linux 6.3 and later wants to hear that nobody will execute it; earlier ones do not know the word.
        let memfd = match memfd_create(c"eyelet-frame", flags | MemfdFlags::NOEXEC_SEAL) {
            Err(Errno::INVAL) => memfd_create(c"eyelet-frame", flags),
            other => other,
        };
        let memfd = memfd.map_err(|e| Error::io("failed to create a frame", e))?;
        Ok(Self { memfd, len: 0 })
    }

    /// Appends `bytes`: the one copy of a frame's life.
    ///
    /// Written, not mapped: `pwrite` fills fresh pages without a page fault for each.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if memory is short, [`ErrorKind::TooLarge`] beyond [`MAX_FRAME_LEN`].
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let mut rest = bytes;
        self.reserve(bytes.len())?;
        while !rest.is_empty() {
            let n = match pwrite(&self.memfd, rest, self.len) {
                Err(Errno::INTR) => continue,
                other => other.map_err(|e| Error::io("failed to write a frame", e))?,
            };
            if n == 0 {
                return Err(Error::io("failed to write a frame", Errno::NOSPC));
            }
            self.len += n as u64;
            rest = &rest[n..];
        }
        Ok(())
    }

    /// Appends rows of `row_len` bytes that lie `stride` bytes apart in `bytes`: padding is left out.
    ///
    /// # Errors
    /// As [`write`](Self::write); [`ErrorKind::TooShort`] if `bytes` has fewer than `rows` rows.
    pub fn write_rows(
        &mut self,
        bytes: &[u8],
        stride: usize,
        row_len: usize,
        rows: usize,
    ) -> Result<()> {
        let needed = stride.saturating_mul(rows.saturating_sub(1)).saturating_add(row_len);
        if rows == 0 || row_len == 0 {
            return Ok(());
        }
        if stride < row_len || bytes.len() < needed {
            let text =
                format!("{} bytes hold no {rows} rows of {row_len}, {stride} apart", bytes.len());
            return Err(Error::new(ErrorKind::TooShort, text));
        }
        if stride == row_len {
            return self.write(&bytes[..needed]);
        }
        self.reserve(row_len * rows)?;
        let rows: Vec<&[u8]> = bytes.chunks(stride).take(rows).map(|row| &row[..row_len]).collect();
        for batch in rows.chunks(MAX_SLICES) {
            let slices: Vec<IoSlice<'_>> = batch.iter().map(|row| IoSlice::new(row)).collect();
            let n = pwritev(&self.memfd, &slices, self.len)
                .map_err(|e| Error::io("failed to write a frame", e))?;
            if n != batch.len() * row_len {
                return Err(Error::io("failed to write a frame", Errno::NOSPC));
            }
            self.len += n as u64;
        }
        Ok(())
    }

    fn reserve(&self, more: usize) -> Result<()> {
        if self.len.saturating_add(more as u64) > MAX_FRAME_LEN {
            let text = format!("a frame of more than {MAX_FRAME_LEN} bytes");
            return Err(Error::new(ErrorKind::TooLarge, text));
        }
        Ok(())
    }

    /// Ends the writing: from here on nobody can change the frame.
    ///
    /// What a subscriber would not believe is refused here, where the mistake was made: published, it would cost the
    /// area all its subscribers.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if the kernel refuses the seals (some other process maps it for writing: impossible before
    /// it was passed on); [`ErrorKind::TooShort`] if nothing was written, or less than `format` needs;
    /// [`ErrorKind::TooLarge`] if a side is longer than [`Format::MAX_SIDE_PX`].
    pub fn seal(self, format: Format, captured_at: MonotonicNs) -> Result<Frame> {
        if self.len == 0 {
            return Err(Error::new(ErrorKind::TooShort, "a frame without a payload"));
        }
        if format.width.max(format.height) > Format::MAX_SIDE_PX {
            return Err(Error::new(ErrorKind::TooLarge, format!("a frame of {format}")));
        }
        if let Some(needed) = format.packed_len().filter(|needed| *needed > self.len) {
            let text = format!("a {format} frame of {} bytes; it needs {needed}", self.len);
            return Err(Error::new(ErrorKind::TooShort, text));
        }
        fcntl_add_seals(&self.memfd, SEALS).map_err(|e| Error::io("failed to seal a frame", e))?;
        let info = FrameInfo {
            sequence: 0,
            captured_at,
            published_at: MonotonicNs::default(),
            len: self.len,
            format,
            interval: Duration::ZERO,
            flags: FrameFlags { is_key: true },
        };
        Ok(Frame { info, memfd: self.memfd, mapping: OnceLock::new() })
    }
}

impl Frame {
    /// Says how long it nominally is until the next frame.
    #[must_use]
    pub fn with_interval(mut self, interval: Duration) -> Self {
        self.info.interval = interval;
        self
    }

    /// Says what else is known of the frame.
    #[must_use]
    pub fn with_flags(mut self, flags: FrameFlags) -> Self {
        self.info.flags = flags;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FourCc;

    fn sealed(bytes: &[u8]) -> Frame {
        let mut builder = FrameBuilder::new().unwrap();
        builder.write(bytes).unwrap();
        builder.seal(Format::default(), MonotonicNs(1)).unwrap()
    }

    #[test]
    fn a_sealed_frame_cannot_be_changed_by_its_maker() {
        let frame = sealed(b"abcd");
        assert_eq!(pwrite(&frame, b"x", 0), Err(Errno::PERM));
        assert_eq!(rustix::fs::ftruncate(&frame, 1), Err(Errno::PERM));
        assert_eq!(frame.bytes().unwrap(), b"abcd");
    }

    #[test]
    fn a_payload_is_read_behind_what_is_there_and_no_more_of_it() {
        let frame = sealed(b"abcd");
        let info = FrameInfo { len: 3, ..*frame.info() };
        let shorter = Frame::receive(info, frame.memfd).unwrap();
        let mut bytes = b"head ".to_vec();
        shorter.read_onto(&mut bytes).unwrap();
        assert_eq!(bytes, b"head abc");
    }

    #[test]
    fn padding_of_rows_is_left_out() {
        let mut builder = FrameBuilder::new().unwrap();
        builder.write_rows(b"abXXcdXXef", 4, 2, 3).unwrap();
        let frame = builder.seal(Format::packed(FourCc::GREY, 2, 3), MonotonicNs(1)).unwrap();
        assert_eq!(frame.bytes().unwrap(), b"abcdef");
    }

    #[test]
    fn more_rows_than_one_call_takes_are_written() {
        let bytes: Vec<u8> = (0..2500u16)
            .flat_map(|y| {
                let [low, high] = y.to_le_bytes();
                [low, high, 0xee]
            })
            .collect();
        let mut builder = FrameBuilder::new().unwrap();
        builder.write_rows(&bytes, 3, 2, 2500).unwrap();
        let frame = builder.seal(Format::default(), MonotonicNs(1)).unwrap();
        assert_eq!(&frame.bytes().unwrap()[2 * 2499..], [0xc3, 0x09]);
    }

    #[test]
    fn short_rows_are_refused() {
        let mut builder = FrameBuilder::new().unwrap();
        let refused = builder.write_rows(b"abcdef", 4, 2, 3).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::TooShort);
    }

    #[test]
    fn what_no_subscriber_would_believe_is_not_sealed() {
        let seal = |format| {
            let mut builder = FrameBuilder::new().unwrap();
            builder.write(b"abc").unwrap();
            builder.seal(format, MonotonicNs(1)).map(drop).map_err(|e| e.kind())
        };
        assert_eq!(seal(Format::packed(FourCc::GREY, 3, 1)), Ok(()));
        assert_eq!(seal(Format::packed(FourCc::GREY, 2, 2)), Err(ErrorKind::TooShort));
        assert_eq!(seal(Format::packed(FourCc::MJPEG, 65_535, 1)), Ok(()));
        assert_eq!(seal(Format::packed(FourCc::MJPEG, 1, 65_536)), Err(ErrorKind::TooLarge));
    }

    #[test]
    fn an_unsealed_memfd_is_refused() {
        let memfd = memfd_create(c"t", MemfdFlags::ALLOW_SEALING).unwrap();
        pwrite(&memfd, b"abcd", 0).unwrap();
        fcntl_add_seals(&memfd, SealFlags::SHRINK | SealFlags::GROW).unwrap();
        let info = FrameInfo { len: 4, ..*sealed(b"x").info() };
        assert_eq!(Frame::receive(info, memfd).unwrap_err().kind(), ErrorKind::NotSealed);
    }

    #[test]
    fn a_short_memfd_is_refused() {
        let frame = sealed(b"abcd");
        let info = FrameInfo { len: 5, ..*frame.info() };
        assert_eq!(Frame::receive(info, frame.memfd).unwrap_err().kind(), ErrorKind::TooShort);
    }

    #[test]
    fn a_file_that_is_no_memfd_is_refused() {
        let file = OwnedFd::from(tempfile::tempfile().unwrap());
        let info = FrameInfo { len: 4, ..*sealed(b"x").info() };
        assert_eq!(Frame::receive(info, file).unwrap_err().kind(), ErrorKind::NotSealed);
    }
}
