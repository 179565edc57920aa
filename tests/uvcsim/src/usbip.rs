//! The USB/IP protocol between the kernel's `vhci_hcd` and a device: requests in, answers out.
//!
//! Source: Documentation/usb/usbip_protocol.rst in the Linux kernel. All numbers are big-endian. A message starts with a
//! header of 48 bytes; data and the table of isochronous packets follow.

use std::io::{self, Read};

/// The length of every message's header.
const HEADER_BYTES: usize = 48;
/// The length of one entry in the table of isochronous packets.
const PACKET_BYTES: usize = 16;
/// More than any request of a video driver carries; above it the stream of requests is out of step.
const REQUEST_LIMIT: u32 = 16 << 20;

/// `EPIPE`: how a device refuses a request ("stall").
pub(crate) const STALL: i32 = -32;
/// `ECONNRESET`: a request that was taken back before it was answered.
const TAKEN_BACK: i32 = -104;

const SUBMIT: u32 = 1;
const UNLINK: u32 = 2;
const SUBMIT_ANSWER: u32 = 3;
const UNLINK_ANSWER: u32 = 4;

/// The eight bytes that open a control request (USB 2.0, 9.3); its numbers are little-endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Setup {
    /// Direction, type and recipient.
    pub(crate) kind: u8,
    /// What is asked.
    pub(crate) request: u8,
    /// Depends on the request.
    pub(crate) value: u16,
    /// Mostly the interface, or the unit and the interface.
    pub(crate) index: u16,
    /// How many bytes the host sends, or takes at most.
    pub(crate) len: u16,
}

impl Setup {
    fn parse(bytes: [u8; 8]) -> Self {
        let [kind, request, v0, v1, i0, i1, l0, l1] = bytes;
        let [value, index, len] = [[v0, v1], [i0, i1], [l0, l1]].map(u16::from_le_bytes);
        Self { kind, request, value, index, len }
    }
}

/// One isochronous packet: where its data may go in the host's buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Packet {
    /// The offset in the host's buffer.
    pub(crate) offset: u32,
    /// The bytes that fit.
    pub(crate) len: u32,
}

/// What the kernel wants from the device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Request {
    /// A control request on endpoint 0.
    Control {
        /// The number to answer with.
        sequence: u32,
        /// What is asked.
        setup: Setup,
        /// What the host sent along; empty if it asks.
        data: Vec<u8>,
    },
    /// A wish for picture data.
    Data(Wish),
    /// The wish with the number `victim` is not wanted any more.
    Unlink {
        /// The number to answer with.
        sequence: u32,
        /// The number of the wish.
        victim: u32,
    },
}

/// A buffer of the host's, waiting for picture data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wish {
    /// The number to answer with.
    pub(crate) sequence: u32,
    /// The bytes that fit.
    pub(crate) len: usize,
    /// The packets of an isochronous buffer; empty for bulk.
    pub(crate) packets: Vec<Packet>,
}

impl Request {
    /// Reads one request; waits until it is complete.
    pub(crate) fn read(from: &mut impl Read) -> io::Result<Self> {
        let mut header = [0; HEADER_BYTES];
        from.read_exact(&mut header)?;
        let (words, setup) = header.split_at(40);
        let word = |at: usize| be32(&words[4 * at..]);
        let (command, sequence) = (word(0), word(1));
        match command {
            SUBMIT => {
                let is_out = word(3) == 0;
                let packets = if word(8) == u32::MAX { 0 } else { word(8) }; // -1: not isochronous
                let len = limited(word(6))?;
                let data = read_vec(from, if is_out { len } else { 0 })?;
                let table = read_vec(from, limited(packets)? * PACKET_BYTES)?;
                if word(4) == 0 {
                    let setup = Setup::parse(setup.try_into().expect("a header ends with 8 bytes"));
                    return Ok(Self::Control { sequence, setup, data });
                }
                let packet = |entry: &[u8]| Packet { offset: be32(entry), len: be32(&entry[4..]) };
                let packets = table.chunks_exact(PACKET_BYTES).map(packet).collect();
                Ok(Self::Data(Wish { sequence, len, packets }))
            }
            UNLINK => Ok(Self::Unlink { sequence, victim: word(5) }),
            _ => Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!("unknown USB/IP command {command}"),
            )),
        }
    }
}

/// Appends the answer to a control request; `sent` is what the host sent, `answer` what it gets.
pub(crate) fn put_control_answer(
    out: &mut Vec<u8>,
    sequence: u32,
    sent: usize,
    answer: Result<&[u8], i32>,
) {
    match answer {
        Ok(data) => {
            put_answer(out, SUBMIT_ANSWER, sequence, 0, sent.max(data.len()), 0);
            out.extend(data);
        }
        Err(status) => put_answer(out, SUBMIT_ANSWER, sequence, status, 0, 0),
    }
}

/// Appends the answer to a wish: the packets' data without gaps, and how many bytes each packet got.
pub(crate) fn put_data_answer(out: &mut Vec<u8>, wish: &Wish, data: &[u8], filled: &[u32]) {
    put_answer(out, SUBMIT_ANSWER, wish.sequence, 0, data.len(), wish.packets.len());
    out.extend(data);
    for (packet, &bytes) in wish.packets.iter().zip(filled) {
        put32s(out, [packet.offset, packet.len, bytes, 0]);
    }
}

/// Says whether a wish was still there to be taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unlinked {
    /// It was; it gets no other answer.
    InTime,
    /// It was answered before.
    TooLate,
}

/// Appends the answer to an unlink request.
pub(crate) fn put_unlink_answer(out: &mut Vec<u8>, sequence: u32, unlinked: Unlinked) {
    let status = if unlinked == Unlinked::InTime { TAKEN_BACK } else { 0 };
    put_answer(out, UNLINK_ANSWER, sequence, status, 0, 0);
}

fn put_answer(
    out: &mut Vec<u8>,
    command: u32,
    sequence: u32,
    status: i32,
    len: usize,
    packets: usize,
) {
    // Device, direction and endpoint are zero in answers; so is the start frame, nothing uses it.
    let [len, packets] = [len, packets]
        .map(|count| u32::try_from(count).expect("an answer is no longer than its request"));
    put32s(out, [command, sequence, 0, 0, 0]);
    out.extend(status.to_be_bytes());
    put32s(out, [len, 0, packets, 0, 0, 0]);
}

fn put32s<const N: usize>(out: &mut Vec<u8>, values: [u32; N]) {
    out.extend(values.iter().flat_map(|value| value.to_be_bytes()));
}

fn be32(bytes: &[u8]) -> u32 {
    u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
}

fn limited(len: u32) -> io::Result<usize> {
    match usize::try_from(len) {
        Ok(size) if len <= REQUEST_LIMIT => Ok(size),
        _ => Err(io::Error::new(io::ErrorKind::InvalidData, format!("a request of {len}"))),
    }
}

fn read_vec(from: &mut impl Read, len: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; len];
    from.read_exact(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A request's header: command, sequence, direction (1 is in), endpoint, and words 5 to 9.
    fn header(start: [u32; 4], rest: [u32; 5], setup: [u8; 8]) -> Vec<u8> {
        let mut out = Vec::new();
        let [command, sequence, direction, endpoint] = start;
        put32s(&mut out, [command, sequence, 65538, direction, endpoint]);
        put32s(&mut out, rest);
        out.extend(setup);
        out
    }

    fn read(bytes: &[u8]) -> io::Result<Request> {
        let mut rest = bytes;
        let request = Request::read(&mut rest)?;
        assert!(rest.is_empty(), "{} bytes were not read", rest.len());
        Ok(request)
    }

    #[test]
    fn control_request_towards_the_host() {
        let bytes = header([1, 7, 1, 0], [0, 18, 0, u32::MAX, 0], [0x80, 6, 0, 1, 0, 0, 18, 0]);
        let setup = Setup { kind: 0x80, request: 6, value: 0x100, index: 0, len: 18 };
        let expected = Request::Control { sequence: 7, setup, data: vec![] };
        assert_eq!(read(&bytes).unwrap(), expected);
    }

    #[test]
    fn control_request_with_data() {
        let mut bytes = header([1, 8, 0, 0], [0, 3, 0, 0, 0], [0x21, 1, 0, 2, 1, 0, 3, 0]);
        bytes.extend([1, 2, 3]);
        let Request::Control { data, setup, .. } = read(&bytes).unwrap() else { panic!("control") };
        assert_eq!((data, setup.value, setup.index), (vec![1, 2, 3], 0x200, 1));
    }

    #[test]
    fn isochronous_wish_lists_its_packets() {
        let mut bytes = header([1, 9, 1, 1], [0, 6144, 0, 2, 1], [0; 8]);
        put32s(&mut bytes, [0, 3072, 0, 0, 3072, 3072, 0, 0]);
        let Request::Data(wish) = read(&bytes).unwrap() else { panic!("data") };
        assert_eq!((wish.sequence, wish.len), (9, 6144));
        let packets = [Packet { offset: 0, len: 3072 }, Packet { offset: 3072, len: 3072 }];
        assert_eq!(wish.packets, packets);
    }

    #[test]
    fn unlink_names_its_victim() {
        let bytes = header([2, 11, 0, 0], [9, 0, 0, 0, 0], [0; 8]);
        assert_eq!(read(&bytes).unwrap(), Request::Unlink { sequence: 11, victim: 9 });
    }

    #[test]
    fn nonsense_is_refused() {
        let odd = header([5, 1, 0, 0], [0; 5], [0; 8]);
        assert_eq!(read(&odd).unwrap_err().kind(), io::ErrorKind::InvalidData);
        let huge = header([1, 1, 1, 1], [0, u32::MAX, 0, 0, 0], [0; 8]);
        assert_eq!(read(&huge).unwrap_err().kind(), io::ErrorKind::InvalidData);
        let short = &header([1, 1, 1, 0], [0; 5], [0; 8])[..47];
        assert_eq!(read(short).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }

    #[test]
    fn data_answer_has_the_data_then_the_table() {
        let packets = vec![Packet { offset: 0, len: 8 }, Packet { offset: 8, len: 8 }];
        let wish = Wish { sequence: 5, len: 16, packets };
        let mut out = Vec::new();
        put_data_answer(&mut out, &wish, b"abc", &[3, 0]);
        assert_eq!(out.len(), HEADER_BYTES + 3 + 2 * PACKET_BYTES);
        assert_eq!([be32(&out), be32(&out[4..]), be32(&out[24..]), be32(&out[32..])], [3, 5, 3, 2]);
        assert_eq!(&out[48..51], b"abc");
        assert_eq!([be32(&out[59..]), be32(&out[75..])], [3, 0]);
    }

    #[test]
    fn refusals_and_unlinks_carry_their_status() {
        let mut out = Vec::new();
        put_control_answer(&mut out, 1, 0, Err(STALL));
        put_unlink_answer(&mut out, 2, Unlinked::InTime);
        put_unlink_answer(&mut out, 3, Unlinked::TooLate);
        let status = |at: usize| i32::from_be_bytes(out[at + 20..at + 24].try_into().unwrap());
        assert_eq!([status(0), status(48), status(96)], [STALL, TAKEN_BACK, 0]);
        assert_eq!(out.len(), 3 * HEADER_BYTES);
    }
}
