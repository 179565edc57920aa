//! The cable: a HID device that the kernel believes in, by `/dev/uhid`.
//!
//! Source: include/uapi/linux/uhid.h. All structs there are packed; numbers are the machine's own.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd, BorrowedFd};

use crate::chip;

const DEVICE: &str = "/dev/uhid";

const DESTROY: u32 = 1;
const GET_REPORT: u32 = 9;
const GET_REPORT_REPLY: u32 = 10;
const CREATE2: u32 = 11;
const SET_REPORT: u32 = 13;
const SET_REPORT_REPLY: u32 = 14;

/// `name`, `phys` and `uniq` of a new device.
const TEXTS: [usize; 3] = [128, 64, 64];
const BUS_USB: u16 = 3;
/// Silicon Labs, CP2112.
const VENDOR: u32 = 0x10c4;
const PRODUCT: u32 = 0xea90;
/// What a report that the chip does not have is answered with.
const EIO: u16 = 5;
/// The longest event, `UHID_CREATE2`.
const MAX_EVENT_LEN: usize = 4 + 128 + 64 + 64 + 2 + 2 + 4 * 4 + 4096;

/// What the kernel asks of the device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Request {
    /// Give a report.
    Get {
        /// What the answer has to name.
        id: u32,
        /// The report's number.
        report: u8,
    },
    /// Take a report.
    Set {
        /// What the answer has to name.
        id: u32,
        /// The report, its number first.
        data: Vec<u8>,
    },
}

/// A device that is plugged in as long as this lives.
#[derive(Debug)]
pub(crate) struct Cable(File);

impl Cable {
    /// Plugs the chip in.
    pub(crate) fn plug() -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).open(DEVICE);
        let named = |e: io::Error| io::Error::new(e.kind(), format!("`{DEVICE}`: {e}"));
        let mut cable = Self(file.map_err(named)?);
        cable.0.write_all(&create()).map_err(named)?;
        Ok(cable)
    }

    /// Pulls the cable.
    pub(crate) fn unplug(mut self) -> io::Result<()> {
        self.0.write_all(&DESTROY.to_ne_bytes())
    }

    /// Reads what the kernel has to say; nothing where no answer is wanted.
    pub(crate) fn request(&mut self) -> io::Result<Option<Request>> {
        let mut event = [0; MAX_EVENT_LEN];
        let len = self.0.read(&mut event)?;
        Ok(parse(&event[..len]))
    }

    /// Gives a report, or says that there is none.
    pub(crate) fn give(&mut self, id: u32, report: Option<Vec<u8>>) -> io::Result<()> {
        let error = if report.is_some() { 0 } else { EIO };
        let report = report.unwrap_or_default();
        let len = u16::try_from(report.len()).unwrap_or(u16::MAX);
        let mut event = answer(GET_REPORT_REPLY, id, error);
        event.extend(len.to_ne_bytes());
        event.extend(report);
        self.0.write_all(&event)
    }

    /// Says whether a report was taken.
    pub(crate) fn took(&mut self, id: u32, is_known: bool) -> io::Result<()> {
        self.0.write_all(&answer(SET_REPORT_REPLY, id, if is_known { 0 } else { EIO }))
    }
}

impl AsFd for Cable {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// `struct uhid_create2_req`.
fn create() -> Vec<u8> {
    let descriptor = chip::descriptor();
    let mut event = CREATE2.to_ne_bytes().to_vec();
    for (text, len) in ["Simulated CP2112", "cp2112sim", ""].into_iter().zip(TEXTS) {
        event.extend(text.bytes());
        event.resize(event.len() + len - text.len(), 0);
    }
    event.extend(u16::try_from(descriptor.len()).unwrap_or(u16::MAX).to_ne_bytes());
    event.extend(BUS_USB.to_ne_bytes());
    for number in [VENDOR, PRODUCT, 1, 0] {
        event.extend(number.to_ne_bytes());
    }
    event.extend(descriptor);
    event
}

/// What both answers begin with.
fn answer(kind: u32, id: u32, error: u16) -> Vec<u8> {
    let mut event = kind.to_ne_bytes().to_vec();
    event.extend(id.to_ne_bytes());
    event.extend(error.to_ne_bytes());
    event
}

fn parse(event: &[u8]) -> Option<Request> {
    let (kind, rest) = event.split_first_chunk()?;
    let (id, rest) = rest.split_first_chunk()?;
    let id = u32::from_ne_bytes(*id);
    match (u32::from_ne_bytes(*kind), rest) {
        (GET_REPORT, [report, ..]) => Some(Request::Get { id, report: *report }),
        (SET_REPORT, [_, _, low, high, data @ ..]) => {
            let len = usize::from(u16::from_ne_bytes([*low, *high]));
            Some(Request::Set { id, data: data.get(..len)?.to_vec() })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_device_has_its_fields_where_the_kernel_looks() {
        let event = create();
        assert_eq!(event[..4], CREATE2.to_ne_bytes());
        assert_eq!(&event[4..20], b"Simulated CP2112");
        assert_eq!(event[260..262], u16::try_from(event.len() - 280).unwrap().to_ne_bytes());
        assert_eq!(event[262..264], BUS_USB.to_ne_bytes());
        assert_eq!(event[264..268], VENDOR.to_ne_bytes());
        assert_eq!(event[280..], chip::descriptor());
        assert!(event.len() < MAX_EVENT_LEN);
    }

    #[test]
    fn requests_are_read() {
        let mut event = GET_REPORT.to_ne_bytes().to_vec();
        event.extend(7_u32.to_ne_bytes());
        event.extend([5, 0]);
        assert_eq!(parse(&event), Some(Request::Get { id: 7, report: 5 }));
        let mut event = SET_REPORT.to_ne_bytes().to_vec();
        event.extend(8_u32.to_ne_bytes());
        event.extend([4, 0]);
        event.extend(3_u16.to_ne_bytes());
        event.extend([4, 0xff, 1, 0, 0]);
        assert_eq!(parse(&event), Some(Request::Set { id: 8, data: vec![4, 0xff, 1] }));
        assert_eq!(parse(&2_u32.to_ne_bytes()), None, "a start wants no answer");
        assert_eq!(parse(&[]), None);
    }
}
