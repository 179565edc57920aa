//! The protocols that Eyelet speaks, as pure functions: bytes in, bytes out.
//!
//! Everything here is incremental where a peer decides how its bytes arrive, bounded where a peer decides how many
//! there are, and free of I/O, clocks, threads and `async`, so that each protocol can be tested and fuzzed alone.
//!
//! | module | protocol | peer |
//! |---|---|---|
//! | [`websocket`] | RFC 6455 framing and handshake key | browsers, headless viewers |
//! | [`v1`] | `eyelet.v1`: control messages and the header of a frame | browsers, headless viewers |
//! | [`scgi`] | the request as an app host gets it | app hosts |
//! | [`verbs`] | one-line verbs and answers between an app and the server | app hosts |
//! | [`head`] | the HTTP head that an app answers with | app hosts |
//! | [`y4m`] | YUV4MPEG2 streams | files, commands |
//! | [`jpeg`] | where a JPEG begins and ends, its size, its Huffman tables | cameras, files, commands |
//! | [`h264`] | where an access unit begins, its key pictures, its parameter sets, completed | cameras, files, commands |
//!
//! # Example
//! A server that decodes what a client sent, however it was cut into reads:
//! ```
//! use bytes::BytesMut;
//! use eyelet_wire::websocket::{Decoder, Message, Role};
//!
//! let mut decoder = Decoder::new(Role::Server, 65_536);
//! let mut input = BytesMut::from(&[0x81, 0x82, 1, 2, 3, 4, b'h' ^ 1][..]);
//! assert_eq!(decoder.decode(&mut input)?, None); // one byte of the message is still missing
//! input.extend_from_slice(&[b'i' ^ 2]);
//! assert_eq!(decoder.decode(&mut input)?, Some(Message::Text("hi".into())));
//! # Ok::<(), eyelet_wire::websocket::Violation>(())
//! ```
#![forbid(unsafe_code)]

pub mod h264;
pub mod head;
pub mod jpeg;
pub mod scgi;
pub mod v1;
pub mod verbs;
pub mod websocket;
pub mod y4m;
