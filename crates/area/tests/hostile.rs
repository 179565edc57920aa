//! Peers that do what docs/ref/area.md does not allow: refused with the right kind, and nobody else is disturbed.
//!
//! The tests count this process's descriptors, so that one runs at a time.
#![allow(clippy::unwrap_used, reason = "a failed step of a helper is a failed test")]

use std::fs::File;
use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use eyelet_area::message::{self, offset};
use eyelet_area::{
    Answer, Bits, ErrorKind, Event, Format, FourCc, Frame, FrameBuilder, FrameInfo, Keep, Limits,
    MAX_FRAME_LEN, MonotonicNs, Op, Outcome, Owner, Request, State, Subscriber, listen,
};
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, ftruncate, memfd_create};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, SocketAddrUnix, SocketFlags, SocketType,
};

static ALONE: Mutex<()> = Mutex::new(());

/// Lets one test run, and holds at its end that as many descriptors are open as at its start.
struct Alone {
    before: usize,
    _lock: MutexGuard<'static, ()>,
}

impl Alone {
    fn new() -> Self {
        let lock = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        Self { before: open_descriptors(), _lock: lock }
    }

    fn end(self) {
        assert_eq!(open_descriptors(), self.before, "no descriptor is left open");
    }
}

fn open_descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

struct Area {
    owner: Owner,
    path: PathBuf,
    published: u64,
    _folder: tempfile::TempDir,
}

impl Area {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("area");
        let owner = Owner::new(listen(&path, 0o600).unwrap(), 0).unwrap();
        Self { owner, path, published: 0, _folder: folder }
    }

    fn publish(&mut self) {
        self.published += 1;
        assert_eq!(self.owner.publish(sealed(&[7; 64])), self.published);
    }

    /// A subscriber that has heard the state and has credit.
    fn subscriber(&mut self) -> Subscriber {
        let mut subscriber = Subscriber::connect(&self.path).unwrap();
        subscriber.grant(1).unwrap();
        self.owner.turn().unwrap();
        assert!(matches!(subscriber.try_receive(), Ok(Some(Event::State(_)))));
        subscriber
    }

    /// A frame goes to this subscriber at once, and nothing was missed.
    fn check(&mut self, subscriber: &mut Subscriber) {
        self.publish();
        let event = subscriber.try_receive().unwrap();
        let Some(Event::Frame { frame, missed }) = event else { panic!("{event:?}") };
        assert_eq!((frame.info().sequence, missed), (self.published, 0));
        assert_eq!(frame.bytes().unwrap(), [7; 64]);
        subscriber.grant(1).unwrap();
        self.owner.turn().unwrap();
    }
}

fn sealed(bytes: &[u8]) -> Frame {
    let mut builder = FrameBuilder::new().unwrap();
    builder.write(bytes).unwrap();
    builder.seal(Format::packed(FourCc::GREY, 8, 8), MonotonicNs::now()).unwrap()
}

fn connect(path: &Path) -> OwnedFd {
    connect_or_none(path).expect("the area is there")
}

fn send(socket: &OwnedFd, bytes: &[u8], descriptors: &[BorrowedFd<'_>]) -> Result<usize, Errno> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(128))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !descriptors.is_empty() {
        assert!(ancillary.push(SendAncillaryMessage::ScmRights(descriptors)));
    }
    let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
    rustix::net::sendmsg(socket, &[IoSlice::new(bytes)], &mut ancillary, flags)
}

/// Reads to the end of the connection and tells whether it is there. Descriptors that come are discarded.
fn is_closed(socket: &OwnedFd) -> bool {
    loop {
        let mut buffer = [0; 512];
        let mut ancillary = RecvAncillaryBuffer::default();
        let into = &mut [IoSliceMut::new(&mut buffer)];
        match rustix::net::recvmsg(socket, into, &mut ancillary, RecvFlags::DONTWAIT) {
            Ok(received) if received.bytes == 0 => return true,
            Ok(_) => {}
            Err(Errno::CONNRESET) => return true,
            Err(Errno::AGAIN) => return false,
            Err(e) => panic!("{e}"),
        }
    }
}

// ---- towards the owner ----

#[test]
fn a_subscriber_that_sends_nonsense_is_sent_away_and_the_others_go_on() {
    let alone = Alone::new();
    let mut area = Area::new();
    let mut good = area.subscriber();
    let credit = |frames| message::encode_credit(frames, false);
    let with = |at: usize, bytes: &[u8]| {
        let mut message = credit(1);
        message[at..at + bytes.len()].copy_from_slice(bytes);
        message.to_vec()
    };
    let state = message::encode_state(&State::Live).to_vec();
    let frame = message::encode_frame(sealed(&[1; 64]).info(), 0).to_vec();
    let too_long = [&credit(1)[..], &[0; 16]].concat();
    let cases: [(&str, ErrorKind, Vec<Vec<u8>>); 16] = [
        ("nonsense", ErrorKind::InvalidMessage, vec![b"GET / HTTP/1.1\r\n\r\n".to_vec()]),
        ("one byte", ErrorKind::InvalidMessage, vec![vec![0]]),
        ("half a credit", ErrorKind::InvalidMessage, vec![credit(1)[..12].to_vec()]),
        ("over-long", ErrorKind::InvalidMessage, vec![too_long]),
        ("far over-long", ErrorKind::InvalidMessage, vec![credit(1).repeat(2000)]),
        ("version 0", ErrorKind::WrongVersion, vec![with(offset::VERSION, &[0, 0])]),
        ("version 2", ErrorKind::WrongVersion, vec![with(offset::VERSION, &[2, 0])]),
        ("half a request", ErrorKind::InvalidMessage, vec![with(offset::KIND, &[4, 0])]),
        ("kind 6", ErrorKind::InvalidMessage, vec![with(offset::KIND, &[6, 0])]),
        ("a state", ErrorKind::InvalidMessage, vec![state]),
        ("a frame", ErrorKind::InvalidMessage, vec![frame]),
        ("credit 0", ErrorKind::InvalidMessage, vec![credit(0).to_vec()]),
        ("credit 3", ErrorKind::TooMuchCredit, vec![credit(3).to_vec()]),
        ("most credit", ErrorKind::TooMuchCredit, vec![credit(u32::MAX).to_vec()]),
        ("credit 2 + 1", ErrorKind::TooMuchCredit, vec![credit(2).to_vec(), credit(1).to_vec()]),
        (
            "credit that overflows",
            ErrorKind::TooMuchCredit,
            vec![credit(1).to_vec(), credit(u32::MAX).to_vec()],
        ),
    ];
    for (name, kind, messages) in cases {
        let peer = connect(&area.path);
        for bytes in messages {
            send(&peer, &bytes, &[]).unwrap();
        }
        let turn = area.owner.turn().unwrap();
        let kinds: Vec<_> = turn.refused.iter().map(eyelet_area::Error::kind).collect();
        assert_eq!((turn.joined, turn.left, kinds), (1, 0, vec![kind]), "{name}");
        assert_eq!(area.owner.subscribers(), 1, "{name}");
        area.check(&mut good);
        assert!(is_closed(&peer), "{name}");
    }
    drop((area, good));
    alone.end();
}

#[test]
fn an_empty_datagram_is_the_end() {
    let alone = Alone::new();
    let mut area = Area::new();
    let mut good = area.subscriber();
    let peer = connect(&area.path);
    send(&peer, b"", &[]).unwrap();
    let turn = area.owner.turn().unwrap();
    assert_eq!((turn.joined, turn.left, turn.refused.len()), (1, 1, 0));
    area.check(&mut good);
    assert!(is_closed(&peer));
    drop((area, good, peer));
    alone.end();
}

#[test]
fn a_subscriber_that_sends_descriptors_is_sent_away() {
    let alone = Alone::new();
    let mut area = Area::new();
    let mut good = area.subscriber();
    let null = File::open("/dev/null").unwrap();
    for (bytes, count) in
        [(&message::encode_credit(1, false)[..], 1), (b"x", 1), (b"", 1), (b"x", 100)]
    {
        let peer = connect(&area.path);
        send(&peer, bytes, &vec![null.as_fd(); count]).unwrap();
        let open = open_descriptors();
        let turn = area.owner.turn().unwrap();
        assert_eq!(turn.refused.len(), 1, "{count}");
        assert_eq!(turn.refused[0].kind(), ErrorKind::WrongDescriptors);
        assert_eq!(open_descriptors(), open, "neither the connection nor {count} descriptors");
        area.check(&mut good);
        assert!(is_closed(&peer));
    }
    drop((area, good, null));
    alone.end();
}

#[test]
fn a_crowd_of_connections_does_not_keep_a_turn_busy() {
    let alone = Alone::new();
    let mut area = Area::new();
    area.owner = area.owner.with_limits(Limits { subscribers: 1000 });
    let crowd: Vec<_> = (0..100).map(|_| connect(&area.path)).collect();
    let first = area.owner.turn().unwrap().joined;
    assert!((1..=64).contains(&first), "{first} were let in");
    // What is left makes it poll readable, so that nobody is forgotten.
    for _ in 0..100 {
        if area.owner.subscribers() < 100 {
            let mut fds = [rustix::event::PollFd::new(&area.owner, rustix::event::PollFlags::IN)];
            let now = rustix::event::Timespec { tv_sec: 0, tv_nsec: 0 };
            assert_eq!(rustix::event::poll(&mut fds, Some(&now)), Ok(1));
            area.owner.turn().unwrap();
        }
    }
    assert_eq!(area.owner.subscribers(), 100);
    drop((area, crowd));
    alone.end();
}

#[test]
fn a_flood_does_not_keep_a_turn_busy() {
    let alone = Alone::new();
    let mut area = Area::new();
    let mut good = area.subscriber();
    let (path, stop) = (area.path.clone(), AtomicBool::new(false));
    let messages =
        [message::encode_credit(1, false).to_vec(), b"nonsense".to_vec(), vec![], vec![0; 4000]];
    std::thread::scope(|scope| {
        let _stop = StopAtEnd(&stop);
        for message in &messages {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    // The queue may be full.
                    let Some(peer) = connect_or_none(&path) else { continue };
                    while send(&peer, message, &[]).is_ok() && !stop.load(Ordering::Relaxed) {}
                }
            });
        }
        for _ in 0..40 {
            assert!(area.owner.turn().unwrap().joined <= 64);
            area.check(&mut good);
        }
    });
    drop((area, good));
    alone.end();
}

/// Ends the flood also when the test fails.
struct StopAtEnd<'a>(&'a AtomicBool);

impl Drop for StopAtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn connect_or_none(path: &Path) -> Option<OwnedFd> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket =
        rustix::net::socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None).ok()?;
    rustix::net::connect(&socket, &SocketAddrUnix::new(path).unwrap()).ok()?;
    Some(socket)
}

#[test]
fn one_subscriber_too_many_is_closed_at_once() {
    let alone = Alone::new();
    let mut area = Area::new();
    area.owner = area.owner.with_limits(Limits { subscribers: 1 });
    let mut good = area.subscriber();
    let peer = connect(&area.path);
    let turn = area.owner.turn().unwrap();
    assert_eq!((turn.joined, turn.refused[0].kind()), (0, ErrorKind::TooLarge));
    assert!(is_closed(&peer));
    area.check(&mut good);
    drop(good);
    area.owner.turn().unwrap();
    let mut next = area.subscriber();
    assert!(matches!(next.try_receive(), Ok(Some(Event::Frame { missed: 0, .. }))));
    next.grant(1).unwrap();
    area.owner.turn().unwrap();
    area.check(&mut next);
    drop((area, next, peer));
    alone.end();
}

#[test]
fn a_subscriber_that_does_not_read_holds_two_frames_and_learns_the_last_state() {
    let alone = Alone::new();
    let mut area = Area::new();
    let mut good = area.subscriber();
    let mut lazy = Subscriber::connect(&area.path).unwrap();
    lazy.grant(2).unwrap();
    area.owner.turn().unwrap();
    let last = State::NoSignal { why: "number 1999".into() };
    for n in 0..2000 {
        area.owner.set_state(State::NoSignal { why: format!("number {n}") });
        area.owner.turn().unwrap();
        while let Some(event) = good.try_receive().unwrap() {
            assert!(matches!(event, Event::State(_)));
        }
        if n % 100 == 0 {
            area.check(&mut good);
        }
    }
    let mut frames = Vec::new();
    let mut state = State::default();
    loop {
        match lazy.try_receive().unwrap() {
            Some(Event::Frame { frame, missed }) => frames.push((frame, missed)),
            Some(Event::State(newer)) => state = newer,
            Some(event @ (Event::Closed | Event::Answer(_))) => panic!("{event:?}"),
            // It polls writable for the owner only now that it has read.
            None if state != last => assert_eq!(area.owner.turn().unwrap().refused.len(), 0),
            None => break,
        }
    }
    assert_eq!(frames.len(), 2);
    area.check(&mut good);
    lazy.grant(2).unwrap();
    area.owner.turn().unwrap();
    let Some(Event::Frame { frame, missed }) = lazy.try_receive().unwrap() else { panic!() };
    assert_eq!(frame.info().sequence, area.published);
    assert_eq!(frames.last().unwrap().0.info().sequence + missed + 1, area.published);
    drop((area, good, lazy, frames, frame));
    alone.end();
}

// ---- requests ----

/// An area of application data, and somebody who does nothing wrong.
struct Kept {
    keep: Keep,
    path: PathBuf,
    good: Subscriber,
    sum: i64,
    _folder: tempfile::TempDir,
}

impl Kept {
    fn new() -> Self {
        let Area { owner, path, _folder, .. } = Area::new();
        let mut keep = Keep::new(owner, 64).unwrap();
        let mut good = Subscriber::connect(&path).unwrap();
        keep.turn().unwrap();
        assert!(matches!(good.try_receive(), Ok(Some(Event::State(State::Live)))));
        Self { keep, path, good, sum: 0, _folder }
    }

    /// A request of the good one is answered in this turn, and nothing but its own changes was made.
    fn check(&mut self) {
        let op = Op::Add { pos: 0, bits: Bits::B64, amount: 3 };
        self.good.request(&Request { tag: 1, op }).unwrap();
        self.keep.turn().unwrap();
        self.sum += 3;
        let event = self.good.try_receive().unwrap();
        let Some(Event::Answer(answer)) = event else { panic!("{event:?}") };
        assert_eq!((answer.outcome, answer.value), (Outcome::Done, self.sum));
        assert_eq!(self.keep.content()[8..], [0; 56]);
    }
}

fn bad_requests() -> Vec<(&'static str, Vec<u8>)> {
    let encode = |op| message::encode_request(&Request { tag: 0, op });
    let read = encode(Op::Read { pos: 9, len: 1 });
    let write = encode(Op::Write { pos: 9, payload: vec![9; 5] });
    let add = encode(Op::Add { pos: 9, bits: Bits::B8, amount: 1 });
    let with = |message: &[u8], at: usize, bytes: &[u8]| {
        let mut message = message.to_vec();
        message[at..at + bytes.len()].copy_from_slice(bytes);
        message
    };
    vec![
        ("op 0", with(&add, offset::REQUEST_OP, &[0])),
        ("op 9", with(&add, offset::REQUEST_OP, &[9])),
        ("7 bits", with(&add, offset::REQUEST_BITS, &[7])),
        ("a long add", with(&add, offset::REQUEST_LEN, &[1])),
        ("an add with a payload", [&add[..], &[1]].concat()),
        ("a read with a payload", [&read[..], &[1]].concat()),
        ("a write of less than it says", write[..write.len() - 1].to_vec()),
        ("a write of more than it says", [&write[..], &[9]].concat()),
        ("a write that says it is giant", with(&write, offset::REQUEST_LEN, &[0xff; 8])),
        ("a giant write", encode(Op::Write { pos: 9, payload: vec![9; 65_537] })),
        ("a far larger one", encode(Op::Write { pos: 9, payload: vec![9; 150_000] })),
        ("half a head", add[..20].to_vec()),
        ("an answer", message::encode_answer(&Answer::new(0, Outcome::Done))),
    ]
}

#[test]
fn requests_that_are_none_cost_their_sender_its_connection_and_change_nothing() {
    let alone = Alone::new();
    let mut kept = Kept::new();
    for (name, bytes) in bad_requests() {
        let peer = connect(&kept.path);
        send(&peer, &bytes, &[]).unwrap();
        let turn = kept.keep.turn().unwrap();
        let kinds: Vec<_> = turn.refused.iter().map(eyelet_area::Error::kind).collect();
        assert_eq!(kinds, [ErrorKind::InvalidMessage], "{name}");
        assert!(is_closed(&peer), "{name}");
        kept.check();
    }
    let request = message::encode_request(&Request { tag: 0, op: Op::Read { pos: 0, len: 0 } });
    let peer = connect(&kept.path);
    send(&peer, &request, &[File::open("/dev/null").unwrap().as_fd()]).unwrap();
    let turn = kept.keep.turn().unwrap();
    assert_eq!(turn.refused[0].kind(), ErrorKind::WrongDescriptors);
    assert!(is_closed(&peer));
    kept.check();
    drop((kept, peer));
    alone.end();
}

#[test]
fn who_reads_no_answers_is_sent_away() {
    let alone = Alone::new();
    let ops = [
        Op::Read { pos: 0, len: 0 },
        Op::Read { pos: 1, len: 0 },
        Op::Write { pos: 100, payload: vec![1; 65_536] },
        Op::Add { pos: u64::MAX, bits: Bits::B64, amount: 1 },
    ];
    for op in ops {
        for is_kept in [true, false] {
            let mut kept = Kept::new();
            let mut area = Area::new();
            let peer = connect(if is_kept { &kept.path } else { &area.path });
            let bytes = message::encode_request(&Request { tag: 0, op: op.clone() });
            let mut refused = Vec::new();
            for _ in 0..2000 {
                send(&peer, &bytes, &[]).ok();
                // The second one tells what became of the answers.
                for _ in 0..2 {
                    let turn = if is_kept { kept.keep.turn() } else { area.owner.turn() };
                    refused.extend(turn.unwrap().refused);
                }
                kept.check();
                if !refused.is_empty() {
                    break;
                }
            }
            let kinds: Vec<_> = refused.iter().map(eyelet_area::Error::kind).collect();
            assert_eq!(kinds, [ErrorKind::Full], "{op:?}");
            assert!(is_closed(&peer));
            drop((kept, area, peer));
        }
    }
    alone.end();
}

#[test]
fn who_reads_no_answers_and_does_wrong_as_well_is_sent_away_once() {
    let alone = Alone::new();
    let mut area = Area::new();
    let bytes = message::encode_request(&Request { tag: 0, op: Op::Read { pos: 0, len: 0 } });
    let mut fits = None;
    for last in [&b""[..], b"nonsense"] {
        let peer = connect(&area.path);
        let mut asked = 0;
        let refused = loop {
            if fits == Some(asked) {
                send(&peer, &bytes, &[]).unwrap();
                send(&peer, last, &[]).unwrap();
                break area.owner.turn().unwrap().refused;
            }
            send(&peer, &bytes, &[]).unwrap();
            let refused = area.owner.turn().unwrap().refused;
            if !refused.is_empty() {
                break refused;
            }
            asked += 1;
        };
        assert_eq!(refused.len(), 1, "{refused:?}");
        assert_eq!(refused[0].kind(), ErrorKind::Full);
        assert!(is_closed(&peer) && area.owner.subscribers() == 0);
        fits = Some(asked);
    }
    drop(area);
    alone.end();
}

#[test]
fn a_flood_of_requests_does_not_keep_a_turn_busy() {
    let alone = Alone::new();
    let mut kept = Kept::new();
    let (path, stop) = (kept.path.clone(), AtomicBool::new(false));
    let encode = |op| message::encode_request(&Request { tag: 0, op });
    let messages = [
        encode(Op::Read { pos: 0, len: 0 }),
        encode(Op::Write { pos: 60, payload: vec![1; 65_000] }),
        encode(Op::Add { pos: 60, bits: Bits::B64, amount: 1 }),
        encode(Op::Add { pos: 60, bits: Bits::B64, amount: 1 })[..39].to_vec(),
    ];
    std::thread::scope(|scope| {
        let _stop = StopAtEnd(&stop);
        for message in &messages {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let Some(peer) = connect_or_none(&path) else { continue };
                    // Some read their answers, so that they are not sent away.
                    while !is_closed(&peer) && !stop.load(Ordering::Relaxed) {
                        send(&peer, message, &[]).ok();
                    }
                }
            });
        }
        let op = Op::Add { pos: 0, bits: Bits::B64, amount: 1 };
        for n in 1..=40 {
            kept.good.request(&Request { tag: n, op: op.clone() }).unwrap();
            let answer = loop {
                kept.keep.turn().unwrap();
                match kept.good.try_receive().unwrap() {
                    Some(Event::Answer(answer)) => break answer,
                    None => {}
                    other => panic!("{other:?}"),
                }
            };
            assert_eq!((answer.tag, answer.value), (n, i64::from(n)));
        }
    });
    drop(kept);
    alone.end();
}

// ---- towards a subscriber ----

/// A listener that sends whatever a test wants, and a subscriber of it.
struct Liar {
    listener: OwnedFd,
    path: PathBuf,
    _folder: tempfile::TempDir,
}

impl Liar {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("area");
        Self { listener: listen(&path, 0o600).unwrap(), path, _folder: folder }
    }

    fn meet(&self) -> (OwnedFd, Subscriber) {
        let subscriber = Subscriber::connect(&self.path).unwrap();
        (rustix::net::accept(&self.listener).unwrap(), subscriber)
    }

    /// Sends it, and gives the kind of the refusal after holding that nothing of it is left.
    fn refusal(&self, name: &str, bytes: &[u8], descriptors: &[BorrowedFd<'_>]) -> ErrorKind {
        let open = open_descriptors();
        let (liar, mut subscriber) = self.meet();
        send(&liar, bytes, descriptors).unwrap();
        let refused = match subscriber.receive(Duration::from_secs(10)) {
            Err(refused) => refused.kind(),
            Ok(event) => panic!("{name} was believed: {event:?}"),
        };
        assert!(!is_closed(&liar), "{name}: the connection is the subscriber's to close");
        assert_eq!(open_descriptors(), open + 2, "{name}: what came is closed");
        drop(subscriber);
        assert!(is_closed(&liar), "{name}");
        drop(liar);
        assert_eq!(open_descriptors(), open, "{name}");
        refused
    }
}

fn info() -> FrameInfo {
    let info = *sealed(&[7; 64]).info();
    FrameInfo { sequence: 1, ..info }
}

fn memfd(len: u64, seals: SealFlags) -> OwnedFd {
    let memfd = memfd_create(c"liar", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING).unwrap();
    ftruncate(&memfd, len).unwrap();
    fcntl_add_seals(&memfd, seals).unwrap();
    memfd
}

fn all_seals() -> SealFlags {
    SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL
}

#[test]
fn messages_that_are_none_are_refused() {
    let alone = Alone::new();
    let liar = Liar::new();
    let frame = sealed(&[7; 64]);
    let one = [frame.as_fd()];
    let with = |at: usize, bytes: &[u8]| {
        let mut message = message::encode_frame(&info(), 0);
        message[at..at + bytes.len()].copy_from_slice(bytes);
        message.to_vec()
    };
    let longer = [&with(0, b"EYEA")[..], &[0; 300]].concat();
    let invalid = [
        ("nonsense", b"nonsense of some length".to_vec()),
        ("a longer one", longer),
        ("a shorter one", with(0, b"EYEA")[..95].to_vec()),
        ("a credit", message::encode_credit(1, false).to_vec()),
        ("magic", with(offset::MAGIC, b"EYEB")),
        ("kind 0", with(offset::KIND, &[0, 0])),
        ("matrix 5", with(offset::FRAME_MATRIX, &[5])),
        ("range 3", with(offset::FRAME_RANGE, &[3])),
        ("width", with(offset::FRAME_WIDTH, &[0xff; 4])),
        ("rows without bytes", with(offset::FRAME_HEIGHT, &[9])),
        ("sequence 0", with(offset::FRAME_SEQUENCE, &[0; 8])),
    ];
    for (name, bytes) in invalid {
        assert_eq!(liar.refusal(name, &bytes, &one), ErrorKind::InvalidMessage, "{name}");
    }
    let newer = with(offset::VERSION, &[2, 0]);
    assert_eq!(liar.refusal("version 2", &newer, &one), ErrorKind::WrongVersion);
    let mut state = message::encode_state(&State::Live);
    assert_eq!(liar.refusal("a state with one", &state, &one), ErrorKind::WrongDescriptors);
    state[offset::STATE_STATE] = 9;
    assert_eq!(liar.refusal("state 9", &state, &[]), ErrorKind::InvalidMessage);
    let mut answer = message::encode_answer(&Answer::new(1, Outcome::Done));
    assert_eq!(liar.refusal("an answer with one", &answer, &one), ErrorKind::WrongDescriptors);
    answer[offset::ANSWER_OUTCOME] = 4;
    assert_eq!(liar.refusal("outcome 4", &answer, &[]), ErrorKind::InvalidMessage);
    answer[offset::ANSWER_OUTCOME] = 0;
    let unasked = [&answer[..], &[0; 300]].concat();
    assert_eq!(liar.refusal("a long one", &unasked, &[]), ErrorKind::InvalidMessage);
    drop((liar, frame));
    alone.end();
}

#[test]
fn frames_without_exactly_one_descriptor_are_refused() {
    let alone = Alone::new();
    let liar = Liar::new();
    let frame = sealed(&[7; 64]);
    let message = message::encode_frame(&info(), 0);
    for count in [0, 2, 3, 4, 5, 6, 100] {
        let refused =
            liar.refusal(&format!("{count} descriptors"), &message, &vec![frame.as_fd(); count]);
        assert_eq!(refused, ErrorKind::WrongDescriptors, "{count}");
    }
    drop((liar, frame));
    alone.end();
}

#[test]
fn frames_that_somebody_could_still_change_are_refused() {
    let alone = Alone::new();
    let liar = Liar::new();
    let message = message::encode_frame(&info(), 0);
    let refusal = |name: &str, fd: BorrowedFd<'_>| {
        assert_eq!(liar.refusal(name, &message, &[fd]), ErrorKind::NotSealed, "{name}");
    };
    refusal("unsealed", memfd(64, SealFlags::empty()).as_fd());
    for lacking in all_seals() {
        refusal(&format!("without {lacking:?}"), memfd(64, all_seals() - lacking).as_fd());
    }
    let future = SealFlags::FUTURE_WRITE | (all_seals() - SealFlags::WRITE);
    refusal("written through an old mapping", memfd(64, future).as_fd());
    let unsealable = memfd_create(c"liar", MemfdFlags::CLOEXEC).unwrap();
    ftruncate(&unsealable, 64).unwrap();
    refusal("never to be sealed", unsealable.as_fd());
    let file = tempfile::tempfile().unwrap();
    ftruncate(&file, 64).unwrap();
    refusal("a file", file.as_fd());
    refusal("a device", File::open("/dev/null").unwrap().as_fd());
    refusal("a folder", File::open("/").unwrap().as_fd());
    refusal("a pipe", std::io::pipe().unwrap().0.as_fd());
    refusal("a socket", liar.listener.as_fd());
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING | MemfdFlags::HUGETLB;
    match memfd_create(c"liar", flags) {
        Ok(huge) => {
            fcntl_add_seals(&huge, all_seals()).unwrap();
            refusal("huge pages", huge.as_fd());
        }
        // Without CONFIG_HUGETLBFS nobody can send one either.
        Err(e) => println!("this kernel has no memfd of huge pages: {e}"),
    }
    drop((unsealable, file, liar));
    alone.end();
}

#[test]
fn frames_of_another_length_than_stated_are_refused() {
    let alone = Alone::new();
    let liar = Liar::new();
    let stating = |len: u64| {
        let format = Format { fourcc: FourCc::MJPEG, ..Format::default() };
        message::encode_frame(&FrameInfo { len, format, ..info() }, 0)
    };
    let short = memfd(63, all_seals());
    assert_eq!(liar.refusal("short", &stating(64), &[short.as_fd()]), ErrorKind::TooShort);
    let empty = memfd(0, all_seals());
    assert_eq!(liar.refusal("empty", &stating(1), &[empty.as_fd()]), ErrorKind::TooShort);
    assert_eq!(liar.refusal("no length", &stating(0), &[short.as_fd()]), ErrorKind::TooLarge);
    // Pages that were never touched cost nothing, so that a lie about the length is cheap.
    let large = memfd(MAX_FRAME_LEN + 1, all_seals());
    let refused = liar.refusal("large", &stating(MAX_FRAME_LEN + 1), &[large.as_fd()]);
    assert_eq!(refused, ErrorKind::TooLarge);
    assert_eq!(liar.refusal("largest", &stating(u64::MAX), &[large.as_fd()]), ErrorKind::TooLarge);
    drop((short, empty, large, liar));
    alone.end();
}

#[test]
fn a_sequence_that_does_not_grow_is_refused() {
    let alone = Alone::new();
    let liar = Liar::new();
    let frame = sealed(&[7; 64]);
    for (first, second) in [(5, 4), (5, 5), ((1 << 40) | 1, 900), (u64::MAX, 1)] {
        let (socket, mut subscriber) = liar.meet();
        for sequence in [first, second] {
            let bytes = message::encode_frame(&FrameInfo { sequence, ..info() }, 0);
            send(&socket, &bytes, &[frame.as_fd()]).unwrap();
        }
        assert!(matches!(subscriber.try_receive(), Ok(Some(Event::Frame { .. }))));
        let open = open_descriptors();
        let refused = subscriber.try_receive().unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::InvalidMessage, "{first}, {second}");
        assert_eq!(open_descriptors(), open);
    }
    drop((liar, frame));
    alone.end();
}

#[test]
fn an_empty_datagram_of_an_owner_is_its_end() {
    let alone = Alone::new();
    let liar = Liar::new();
    let (socket, mut subscriber) = liar.meet();
    send(&socket, b"", &[]).unwrap();
    assert!(matches!(subscriber.try_receive(), Ok(Some(Event::Closed))));
    drop((liar, socket, subscriber));
    alone.end();
}

// ---- no descriptors left ----

/// All descriptors of this process but `spare`.
fn take_descriptors(spare: usize) -> (Vec<File>, rustix::process::Rlimit) {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let before = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: Some(256), ..before }).unwrap();
    let mut taken = Vec::new();
    while let Ok(file) = File::open("/dev/null") {
        taken.push(file);
    }
    taken.truncate(taken.len() - spare);
    (taken, before)
}

fn give_back(taken: (Vec<File>, rustix::process::Rlimit)) {
    rustix::process::setrlimit(rustix::process::Resource::Nofile, taken.1).unwrap();
}

#[test]
fn an_owner_without_descriptors_lets_others_wait_and_in_later() {
    let alone = Alone::new();
    let mut area = Area::new();
    let mut good = area.subscriber();
    let taken = take_descriptors(1);
    let waiting = connect(&area.path);
    let turn = area.owner.turn().unwrap();
    assert_eq!((turn.joined, turn.refused.len()), (0, 1));
    assert_eq!(turn.refused[0].kind(), ErrorKind::Io);
    assert!(area.owner.turn().unwrap().refused.is_empty(), "it does not spin on it");
    // No frame comes, but somebody leaves: that is enough.
    while let Ok(Some(_)) = good.try_receive() {}
    drop(good);
    let turn = area.owner.turn().unwrap();
    assert_eq!((turn.left, turn.joined, turn.refused.len()), (1, 1, 0));
    assert!(!is_closed(&waiting));
    give_back(taken);
    drop((area, waiting));
    alone.end();
}

#[test]
fn an_owner_without_descriptors_says_so_once_and_needs_no_frame_to_go_on() {
    let alone = Alone::new();
    let mut area = Area::new();
    let frame = sealed(&[7; 64]);
    let taken = take_descriptors(1);
    let waiting = connect(&area.path);
    assert_eq!(area.owner.turn().unwrap().refused.len(), 1);
    area.owner.publish(frame);
    assert!(area.owner.turn().unwrap().refused.is_empty(), "a line for each frame helps nobody");
    give_back(taken);
    assert_eq!(area.owner.turn().unwrap().joined, 1);
    drop((area, waiting));
    alone.end();
}

#[test]
fn a_subscriber_without_descriptors_is_told_so() {
    let alone = Alone::new();
    let mut area = Area::new();
    let mut good = area.subscriber();
    let frame = sealed(&[7; 64]);
    let taken = take_descriptors(0);
    area.owner.publish(frame);
    let refused = good.try_receive().unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Io, "{refused}");
    give_back(taken);
    drop((area, good));
    alone.end();
}
