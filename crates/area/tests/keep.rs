//! Areas of application data: changed by many at once, each state whole, and nobody disturbed by who does wrong.
#![allow(clippy::unwrap_used, reason = "a failed step of a helper is a failed test")]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use eyelet_area::message::encode_credit;
use eyelet_area::{
    Answer, Ask, Asker, Bits, Event, Format, FrameBuilder, Keep, MAX_KEEP_LEN,
    MAX_REQUEST_PAYLOAD_LEN, MonotonicNs, Outcome, Owner, Request, Subscriber, listen,
};
use proptest::prelude::*;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketAddrUnix, SocketFlags, SocketType};

const PATIENCE: Duration = Duration::from_secs(30);

/// An area whose owner works in a thread of its own, and ends when this is dropped.
struct Kept {
    path: PathBuf,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<Vec<String>>>,
    _folder: tempfile::TempDir,
}

impl Kept {
    fn start(len: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("area");
        let owner = Owner::new(listen(&path, 0o600).unwrap(), 0).unwrap();
        let mut keep = Keep::new(owner, len).unwrap();
        let is_over = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&is_over);
        let thread = std::thread::spawn(move || {
            let mut refused = Vec::new();
            while !told.load(Ordering::Relaxed) {
                let tick = Timespec { tv_sec: 0, tv_nsec: 10_000_000 };
                poll(&mut [PollFd::new(&keep, PollFlags::IN)], Some(&tick)).unwrap();
                refused.extend(keep.turn().unwrap().refused.iter().map(ToString::to_string));
            }
            refused
        });
        Self { path, is_over, thread: Some(thread), _folder: folder }
    }

    fn asker(&self) -> Asker {
        Asker::connect(&self.path).unwrap()
    }

    /// Ends it and gives what was refused.
    fn end(mut self) -> Vec<String> {
        self.is_over.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap()
    }
}

fn ask(asker: &mut Asker, ask: Ask) -> Answer {
    asker.ask(ask, PATIENCE).unwrap()
}

fn newest(path: &Path) -> Vec<u8> {
    let mut subscriber = Subscriber::connect(path).unwrap();
    subscriber.grant(1).unwrap();
    loop {
        match subscriber.receive(PATIENCE).unwrap() {
            Some(Event::Frame { frame, .. }) => {
                assert_eq!(frame.info().format, Format::default());
                return frame.bytes().unwrap().to_vec();
            }
            Some(Event::State(_)) => {}
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn what_is_written_is_read_by_asking_and_by_following() {
    let kept = Kept::start(16);
    assert_eq!(newest(&kept.path), [0; 16]);
    let mut asker = kept.asker();
    let wrote = ask(&mut asker, Ask::Write { pos: 4, payload: b"abcd".to_vec() });
    assert_eq!((wrote.outcome, wrote.sequence), (Outcome::Done, 2));
    assert_eq!(ask(&mut asker, Ask::Read { pos: 4, len: 2 }).payload, b"ab");
    assert_eq!(ask(&mut asker, Ask::Read { pos: 12, len: 0 }).payload, [0; 4]);
    assert_eq!(&newest(&kept.path)[4..8], b"abcd");
    assert_eq!(ask(&mut asker, Ask::Read { pos: 16, len: 0 }).payload, b"");
    assert!(kept.end().is_empty());
}

#[test]
fn numbers_wrap_and_have_a_sign() {
    let kept = Kept::start(8);
    let mut asker = kept.asker();
    let mut add = |bits, amount| ask(&mut asker, Ask::Add { pos: 0, bits, amount }).value;
    assert_eq!(add(Bits::B8, 127), 127);
    assert_eq!(add(Bits::B8, 1), -128);
    assert_eq!(add(Bits::B8, 128), 0);
    assert_eq!(add(Bits::B16, -1), -1);
    assert_eq!(add(Bits::B32, 1), 65_536);
    assert_eq!(add(Bits::B64, i64::MAX), i64::MIN + 65_535);
    kept.end();
}

#[test]
fn what_lies_outside_changes_nothing() {
    let kept = Kept::start(100_000);
    let mut asker = kept.asker();
    let outside = [
        Ask::Read { pos: 100_001, len: 0 },
        Ask::Read { pos: 99_999, len: 2 },
        Ask::Read { pos: u64::MAX, len: 2 },
        Ask::Write { pos: 99_999, payload: vec![1; 2] },
        Ask::Write { pos: u64::MAX, payload: vec![1; 2] },
        Ask::Add { pos: 99_993, bits: Bits::B64, amount: 1 },
    ];
    for request in outside {
        let answer = ask(&mut asker, request);
        assert_eq!((answer.outcome, answer.value), (Outcome::OutOfRange, 100_000));
    }
    assert_eq!(ask(&mut asker, Ask::Read { pos: 0, len: 0 }).outcome, Outcome::TooLong);
    let most = MAX_REQUEST_PAYLOAD_LEN as u64;
    assert_eq!(ask(&mut asker, Ask::Read { pos: 0, len: most }).payload, [0; 65_536]);
    let nothing = ask(&mut asker, Ask::Write { pos: 100_000, payload: Vec::new() });
    assert_eq!(nothing.outcome, Outcome::Done);
    asker.send(Ask::Write { pos: 0, payload: vec![0; MAX_REQUEST_PAYLOAD_LEN + 1] }).unwrap_err();
    let folder = tempfile::tempdir().unwrap();
    for len in [0, MAX_KEEP_LEN + 1] {
        let socket = listen(&folder.path().join(len.to_string()), 0o600).unwrap();
        Keep::new(Owner::new(socket, 0).unwrap(), len).unwrap_err();
    }
    kept.end();
}

#[test]
fn many_count_at_once_and_nothing_is_lost() {
    const COUNTERS: u64 = 8;
    const TIMES: u64 = 500;
    let kept = Kept::start(8);
    let counting: Vec<_> = (0..COUNTERS)
        .map(|_| {
            let mut asker = kept.asker();
            std::thread::spawn(move || {
                for _ in 0..TIMES {
                    ask(&mut asker, Ask::Add { pos: 0, bits: Bits::B64, amount: 1 });
                }
            })
        })
        .collect();
    counting.into_iter().for_each(|thread| thread.join().unwrap());
    assert_eq!(newest(&kept.path), (COUNTERS * TIMES).to_le_bytes());
    assert!(kept.end().is_empty());
}

#[test]
fn nobody_sees_half_a_change() {
    let kept = Kept::start(4096);
    let is_over = Arc::new(AtomicBool::new(false));
    let writing: Vec<_> = (1..=2u8)
        .map(|byte| {
            let (mut asker, is_over) = (kept.asker(), Arc::clone(&is_over));
            std::thread::spawn(move || {
                while !is_over.load(Ordering::Relaxed) {
                    ask(&mut asker, Ask::Write { pos: 0, payload: vec![byte; 4096] });
                }
            })
        })
        .collect();
    let mut subscriber = Subscriber::connect(&kept.path).unwrap();
    let (mut states, mut last) = (0, 0);
    subscriber.grant(1).unwrap();
    while states < 200 {
        match subscriber.receive(PATIENCE).unwrap() {
            Some(Event::Frame { frame, .. }) => {
                let bytes = frame.bytes().unwrap();
                assert!(bytes.iter().all(|byte| *byte == bytes[0]), "half a change");
                assert!(frame.info().sequence > last);
                last = frame.info().sequence;
                states += 1;
                subscriber.grant(1).unwrap();
            }
            Some(Event::State(_)) => {}
            other => panic!("{other:?}"),
        }
    }
    is_over.store(true, Ordering::Relaxed);
    writing.into_iter().for_each(|thread| thread.join().unwrap());
    kept.end();
}

#[test]
fn who_is_told_of_a_change_finds_it_in_the_frame_of_that_sequence() {
    let kept = Kept::start(8);
    let mut asker = kept.asker();
    for following in [false, true] {
        let mut subscriber = Subscriber::connect(&kept.path).unwrap();
        if following {
            subscriber.grant(2).unwrap();
        }
        let answer = ask(&mut asker, Ask::Add { pos: 0, bits: Bits::B64, amount: 1 });
        if !following {
            subscriber.grant(2).unwrap();
        }
        let value = loop {
            match subscriber.receive(PATIENCE).unwrap() {
                Some(Event::Frame { frame, .. }) if frame.info().sequence >= answer.sequence => {
                    break frame.bytes().unwrap().to_vec();
                }
                Some(Event::Frame { .. } | Event::State(_)) => {}
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(value, answer.value.to_le_bytes());
    }
    kept.end();
}

/// A socket that says what it likes.
fn raw(path: &Path) -> rustix::fd::OwnedFd {
    let socket = rustix::net::socket_with(
        AddressFamily::UNIX,
        SocketType::SEQPACKET,
        SocketFlags::CLOEXEC,
        None,
    )
    .unwrap();
    rustix::net::connect(&socket, &SocketAddrUnix::new(path).unwrap()).unwrap();
    socket
}

/// Reads until the connection ends.
fn is_ended(socket: &rustix::fd::OwnedFd) -> bool {
    let mut buffer = vec![0; 70_000];
    loop {
        let mut fds = [PollFd::new(socket, PollFlags::IN)];
        let patience = Timespec { tv_sec: 30, tv_nsec: 0 };
        if poll(&mut fds, Some(&patience)).unwrap() == 0 {
            return false;
        }
        match rustix::net::recv(socket, &mut buffer[..], RecvFlags::DONTWAIT) {
            Ok((0, _)) | Err(rustix::io::Errno::CONNRESET) => return true,
            Ok(_) => {}
            Err(e) => panic!("{e}"),
        }
    }
}

#[test]
fn who_does_wrong_loses_its_connection_and_nobody_else_notices() {
    let kept = Kept::start(8);
    let mut asker = kept.asker();
    let read = Request { tag: 1, ask: Ask::Read { pos: 0, len: 0 } }.encode();
    let mut nonsense = read.clone();
    nonsense[12] = 9;
    let series: [Vec<Vec<u8>>; 4] = [
        vec![nonsense],
        vec![read[..39].to_vec()],
        vec![read.clone(), encode_credit(1).to_vec()],
        vec![encode_credit(1).to_vec(), read],
    ];
    for messages in &series {
        let socket = raw(&kept.path);
        for message in messages {
            rustix::net::send(&socket, message, SendFlags::NOSIGNAL).unwrap();
        }
        assert!(is_ended(&socket));
        ask(&mut asker, Ask::Add { pos: 0, bits: Bits::B8, amount: 1 });
    }
    assert_eq!(kept.end().len(), series.len());
}

#[test]
fn who_does_not_read_its_answers_is_sent_away() {
    let kept = Kept::start(65_536);
    let mut asker = kept.asker();
    let mut silent = kept.asker();
    // Until the owner has had enough, and closes.
    while silent.send(Ask::Read { pos: 0, len: 0 }).is_ok() {
        ask(&mut asker, Ask::Add { pos: 0, bits: Bits::B8, amount: 1 });
    }
    ask(&mut asker, Ask::Add { pos: 0, bits: Bits::B8, amount: 1 });
    let refused = kept.end();
    assert!(refused.len() == 1 && refused[0].contains("does not take its answers"), "{refused:?}");
}

#[test]
fn a_flood_of_requests_leaves_others_their_turn() {
    let kept = Kept::start(8);
    let is_over = Arc::new(AtomicBool::new(false));
    let flood = {
        let (path, is_over) = (kept.path.clone(), Arc::clone(&is_over));
        std::thread::spawn(move || {
            let socket = raw(&path);
            let add = Request { tag: 1, ask: Ask::Add { pos: 0, bits: Bits::B8, amount: 1 } };
            let (add, mut buffer) = (add.encode(), vec![0; 1000]);
            while !is_over.load(Ordering::Relaxed) {
                rustix::net::send(&socket, &add, SendFlags::NOSIGNAL | SendFlags::DONTWAIT).ok();
                while rustix::net::recv(&socket, &mut buffer[..], RecvFlags::DONTWAIT).is_ok() {}
            }
        })
    };
    let mut asker = kept.asker();
    for n in 1..=100 {
        assert_eq!(ask(&mut asker, Ask::Add { pos: 1, bits: Bits::B8, amount: 1 }).value, n);
    }
    is_over.store(true, Ordering::Relaxed);
    flood.join().unwrap();
    kept.end();
}

#[test]
fn an_area_of_frames_refuses_to_be_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("camera");
    let owner = Owner::new(listen(&path, 0o600).unwrap(), 0).unwrap();
    let mut owner = owner.with_deferred_credit();
    let mut builder = FrameBuilder::new().unwrap();
    builder.write(b"frame").unwrap();
    owner.publish(builder.seal(Format::default(), MonotonicNs(1)).unwrap());
    let mut asker = Asker::connect(&path).unwrap();
    asker.send(Ask::Write { pos: 0, payload: b"x".to_vec() }).unwrap();
    let turn = owner.turn().unwrap();
    assert!(turn.requests.is_empty() && turn.refused.is_empty());
    match asker.try_receive().unwrap() {
        Some(eyelet_area::Told::Answer(answer)) => assert_eq!(answer.outcome, Outcome::Refused),
        other => panic!("{other:?}"),
    }
}

#[derive(Clone, Debug)]
enum Step {
    Ask(Ask),
    Look,
}

fn step() -> impl Strategy<Value = Step> {
    let bits = prop::sample::select(vec![Bits::B8, Bits::B16, Bits::B32, Bits::B64]);
    prop_oneof![
        (0..40u64, 0..40u64).prop_map(|(pos, len)| Step::Ask(Ask::Read { pos, len })),
        (0..40u64, prop::collection::vec(any::<u8>(), 0..40))
            .prop_map(|(pos, payload)| Step::Ask(Ask::Write { pos, payload })),
        (0..40u64, bits, any::<i64>()).prop_map(|(pos, bits, amount)| Step::Ask(Ask::Add {
            pos,
            bits,
            amount
        })),
        Just(Step::Look),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn it_is_a_row_of_bytes(steps in prop::collection::vec(step(), 1..40)) {
        let kept = Kept::start(32);
        let mut asker = kept.asker();
        let mut model = [0u8; 32];
        for step in steps {
            let request = match step {
                Step::Look => {
                    prop_assert_eq!(newest(&kept.path), &model[..]);
                    continue;
                }
                Step::Ask(request) => request,
            };
            let answer = ask(&mut asker, request.clone());
            let (pos, len) = match &request {
                Ask::Read { pos, len: 0 } => (*pos, 32u64.saturating_sub(*pos)),
                Ask::Read { pos, len } => (*pos, *len),
                Ask::Write { pos, payload } => (*pos, payload.len() as u64),
                Ask::Add { pos, bits, .. } => (*pos, u64::from(bits.count()) / 8),
            };
            if pos + len > 32 {
                prop_assert_eq!(answer.outcome, Outcome::OutOfRange);
                continue;
            }
            prop_assert_eq!(answer.outcome, Outcome::Done);
            let part = &mut model[usize::try_from(pos).unwrap()..usize::try_from(pos + len).unwrap()];
            match request {
                Ask::Read { .. } => prop_assert_eq!(&answer.payload[..], &part[..]),
                Ask::Write { payload, .. } => part.copy_from_slice(&payload),
                Ask::Add { bits, amount, .. } => {
                    let mut sum = amount;
                    for (at, byte) in part.iter().enumerate() {
                        sum = sum.wrapping_add(i64::from(*byte) << (8 * at));
                    }
                    part.copy_from_slice(&sum.to_le_bytes()[..part.len()]);
                    let shown = match bits {
                        Bits::B8 => i64::from(i8::from_le_bytes([part[0]])),
                        Bits::B16 => i64::from(i16::from_le_bytes([part[0], part[1]])),
                        _ => answer.value,
                    };
                    prop_assert_eq!(answer.value, shown);
                }
            }
        }
        prop_assert!(kept.end().is_empty());
    }
}
