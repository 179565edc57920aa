//! Areas of application data: what requests do, what is published of it, and in which order.
#![allow(clippy::unwrap_used, reason = "a failed step of a helper is a failed test")]

use std::path::PathBuf;
use std::time::Duration;

use eyelet_area::{
    Answer, Bits, ErrorKind, Event, Format, Frame, Keep, MAX_KEEP_LEN, Op, Outcome, Owner, Request,
    Requester, State, Subscriber, listen,
};
use rustix::event::{PollFd, PollFlags, Timespec, epoll, poll};

const NOW: Timespec = Timespec { tv_sec: 0, tv_nsec: 0 };
const GENERATION: u32 = 3;
const START: u64 = 3 << 40;

struct Area {
    keep: Keep,
    path: PathBuf,
    _folder: tempfile::TempDir,
}

impl Area {
    fn new(len: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("area");
        let owner = Owner::new(listen(&path, 0o600).unwrap(), GENERATION).unwrap();
        Self { keep: Keep::new(owner, len).unwrap(), path, _folder: folder }
    }

    /// Somebody who has been let in and has heard that the area is live.
    fn subscriber(&mut self) -> Subscriber {
        let mut subscriber = Subscriber::connect(&self.path).unwrap();
        self.turn();
        let event = subscriber.try_receive().unwrap();
        assert!(matches!(event, Some(Event::State(State::Live))), "{event:?}");
        subscriber
    }

    fn turn(&mut self) {
        let turn = self.keep.turn().unwrap();
        assert!(turn.refused.is_empty() && turn.requests.is_empty(), "{turn:?}");
        assert!(!self.keep.owes_turn());
    }

    fn ask(&mut self, subscriber: &mut Subscriber, op: Op) -> Answer {
        subscriber.request(&Request { tag: 77, op }).unwrap();
        self.turn();
        let answer = answer(subscriber);
        assert_eq!(answer.tag, 77);
        answer
    }

    fn is_woken(&self) -> bool {
        poll(&mut [PollFd::new(&self.keep, PollFlags::IN)], Some(&NOW)) == Ok(1)
    }
}

fn answer(subscriber: &mut Subscriber) -> Answer {
    match subscriber.try_receive().unwrap() {
        Some(Event::Answer(answer)) => answer,
        other => panic!("{other:?}"),
    }
}

fn frame(subscriber: &mut Subscriber) -> Frame {
    match subscriber.try_receive().unwrap() {
        Some(Event::Frame { frame, .. }) => frame,
        other => panic!("{other:?}"),
    }
}

fn nothing(subscriber: &mut Subscriber) {
    let event = subscriber.try_receive().unwrap();
    assert!(event.is_none(), "{event:?}");
}

fn write(pos: u64, payload: &[u8]) -> Op {
    Op::Write { pos, payload: payload.to_vec() }
}

fn add(pos: u64, bits: Bits, amount: i64) -> Op {
    Op::Add { pos, bits, amount }
}

fn done() -> Answer {
    Answer::new(77, Outcome::Done)
}

fn out_of_range(len: i64) -> Answer {
    Answer { value: len, ..Answer::new(77, Outcome::OutOfRange) }
}

#[test]
fn an_area_has_a_byte_at_least_and_no_more_than_the_most() {
    let folder = tempfile::tempdir().unwrap();
    let keep = |name: &str, len| {
        let listener = listen(&folder.path().join(name), 0o600).unwrap();
        Keep::new(Owner::new(listener, 0).unwrap(), len).map(drop).map_err(|e| e.kind())
    };
    assert_eq!(keep("none", 0), Err(ErrorKind::TooShort));
    assert_eq!(keep("least", 1), Ok(()));
    assert_eq!(keep("most", MAX_KEEP_LEN), Ok(()));
    assert_eq!(keep("more", MAX_KEEP_LEN + 1), Err(ErrorKind::TooLarge));
}

#[test]
fn who_comes_first_gets_zeroes_at_once() {
    let mut area = Area::new(5);
    let mut subscriber = area.subscriber();
    nothing(&mut subscriber);
    subscriber.grant(1).unwrap();
    area.turn();
    let zeroes = frame(&mut subscriber);
    assert_eq!((zeroes.bytes().unwrap(), zeroes.info().sequence), (&[0; 5][..], START + 1));
    assert_eq!(zeroes.info().format, Format::default());
    assert!(zeroes.info().captured_at.0 > 0 && zeroes.info().flags.is_key);
}

#[test]
fn who_comes_later_gets_all_that_was_written_at_once() {
    let mut area = Area::new(5);
    let mut writer = area.subscriber();
    let first = area.ask(&mut writer, write(1, b"ab"));
    let second = area.ask(&mut writer, write(2, b"cd"));
    assert_eq!((&first, &second), (&Answer { sequence: START + 1, ..done() }, &first));
    for _ in 0..2 {
        let mut reader = area.subscriber();
        reader.grant(1).unwrap();
        area.turn();
        let state = frame(&mut reader);
        assert_eq!((state.bytes().unwrap(), state.info().sequence), (&b"\0acd\0"[..], START + 1));
        nothing(&mut reader);
    }
}

#[test]
fn a_change_is_published_before_it_is_answered() {
    let mut area = Area::new(4);
    let mut both = area.subscriber();
    both.grant(1).unwrap();
    area.turn();
    assert_eq!(frame(&mut both).info().sequence, START + 1);
    both.grant(1).unwrap();
    for tag in 0..3 {
        both.request(&Request { tag, op: add(0, Bits::B32, 5) }).unwrap();
    }
    area.turn();
    let state = frame(&mut both);
    assert_eq!((state.bytes().unwrap(), state.info().sequence), (&[15, 0, 0, 0][..], START + 2));
    for tag in 0..3 {
        let value = i64::from(tag + 1) * 5;
        let expected = Answer { sequence: START + 2, value, ..Answer::new(tag, Outcome::Done) };
        assert_eq!(answer(&mut both), expected, "one frame for all changes of a turn");
    }
    // Without credit there is no frame; with it, that of the answer or a later one.
    let answered = area.ask(&mut both, add(0, Bits::B32, 1));
    area.ask(&mut both, add(0, Bits::B32, 1));
    both.grant(1).unwrap();
    area.turn();
    let state = frame(&mut both);
    assert!(state.info().sequence >= answered.sequence);
    assert_eq!(state.bytes().unwrap(), [17, 0, 0, 0]);
}

#[test]
fn what_changes_nothing_makes_no_frame_but_an_empty_write_does() {
    let mut area = Area::new(4);
    let mut subscriber = area.subscriber();
    subscriber.grant(2).unwrap();
    area.turn();
    frame(&mut subscriber);
    let whole = Answer { payload: vec![0; 4], ..done() };
    assert_eq!(area.ask(&mut subscriber, Op::Read { pos: 0, len: 0 }), whole);
    assert_eq!(area.ask(&mut subscriber, write(2, b"abc")), out_of_range(4));
    assert_eq!(area.keep.owner().sequence(), START + 1);
    subscriber.request(&Request { tag: 77, op: write(4, b"") }).unwrap();
    area.turn();
    assert_eq!(frame(&mut subscriber).info().sequence, START + 2);
    assert_eq!(answer(&mut subscriber), Answer { sequence: START + 2, ..done() });
}

#[test]
fn what_is_not_inside_is_out_of_range() {
    let mut area = Area::new(10);
    let mut subscriber = area.subscriber();
    let read = |pos, len| Op::Read { pos, len };
    let outside = [
        read(11, 0),
        read(10, 1),
        read(0, 11),
        read(1, u64::MAX),
        read(u64::MAX, u64::MAX),
        read(u64::MAX, 0),
        write(11, b""),
        write(10, b"a"),
        write(9, b"ab"),
        write(u64::MAX, b"ab"),
        add(10, Bits::B8, 1),
        add(9, Bits::B16, 1),
        add(7, Bits::B32, 1),
        add(3, Bits::B64, 1),
        add(u64::MAX, Bits::B64, 1),
        add(u64::MAX - 7, Bits::B64, 1),
    ];
    for op in outside {
        assert_eq!(area.ask(&mut subscriber, op.clone()), out_of_range(10), "{op:?}");
    }
    assert_eq!(area.keep.content(), [0; 10]);
    for (pos, len, got) in [(0, 0, 10), (0, 10, 10), (9, 0, 1), (9, 1, 1), (10, 0, 0)] {
        let answer = area.ask(&mut subscriber, read(pos, len));
        assert_eq!(answer, Answer { payload: vec![0; got], ..done() }, "{pos} {len}");
    }
}

#[test]
fn what_an_answer_does_not_carry_is_too_long() {
    let mut area = Area::new(70_000);
    let mut subscriber = area.subscriber();
    area.ask(&mut subscriber, write(0, &[7; 65_536]));
    let mut read = |pos, len| area.ask(&mut subscriber, Op::Read { pos, len });
    let too_long = Answer::new(77, Outcome::TooLong);
    assert_eq!(read(0, 0), too_long);
    assert_eq!(read(0, 65_537), too_long);
    assert_eq!(read(0, 65_536), Answer { payload: vec![7; 65_536], ..done() });
    assert_eq!(read(0, 70_001), out_of_range(70_000), "which no frame has either");
    assert_eq!(read(65_535, 0).payload[..3], [7, 0, 0]);
}

#[test]
fn numbers_wrap_and_their_sign_is_extended() {
    let cases = [
        (Bits::B8, 127, 1, -128),
        (Bits::B8, 0x80, -1, 127),
        (Bits::B8, 0, 0x1ff, -1),
        (Bits::B16, 0x7fff, 1, -0x8000),
        (Bits::B16, 5, i64::MIN, 5),
        (Bits::B32, 0, -1, -1),
        (Bits::B32, 0x7fff_ffff, 1, -0x8000_0000),
        (Bits::B64, 0x7fff_ffff_ffff_ffff, 1, i64::MIN),
        (Bits::B64, u64::MAX, 2, 1),
    ];
    let mut area = Area::new(16);
    let mut subscriber = area.subscriber();
    for (bits, before, amount, value) in cases {
        let end = 3 + bits.bytes();
        area.ask(&mut subscriber, write(0, &[0xee; 16]));
        area.ask(&mut subscriber, write(3, &u64::to_le_bytes(before)[..bits.bytes()]));
        let sequence = START + 1;
        let expected = Answer { sequence, value, ..done() };
        assert_eq!(area.ask(&mut subscriber, add(3, bits, amount)), expected);
        let content = area.keep.content();
        assert_eq!(content[3..end], value.to_le_bytes()[..bits.bytes()]);
        assert!(content[..3].iter().chain(&content[end..]).all(|byte| *byte == 0xee));
    }
}

#[test]
fn what_was_asked_before_leaving_is_done() {
    let mut area = Area::new(1);
    for _ in 0..3 {
        // It has not even read the state.
        let mut subscriber = Subscriber::connect(&area.path).unwrap();
        subscriber.request(&Request { tag: 0, op: add(0, Bits::B8, 1) }).unwrap();
        subscriber.request(&Request { tag: 0, op: add(0, Bits::B8, 1) }).unwrap();
        area.keep.turn().unwrap();
        subscriber.request(&Request { tag: 0, op: add(0, Bits::B8, 1) }).unwrap();
        drop(subscriber);
        assert_eq!(area.keep.turn().unwrap().left, 1);
    }
    assert_eq!((area.keep.content(), area.keep.owner().subscribers()), (&[9][..], 0));
}

#[test]
fn nobody_who_asks_without_end_keeps_others_waiting() {
    let mut area = Area::new(8);
    let mut crowd: Vec<_> = (0..8).map(|_| area.subscriber()).collect();
    for subscriber in &mut crowd {
        for tag in 0..150 {
            subscriber.request(&Request { tag, op: add(0, Bits::B64, 1) }).unwrap();
        }
    }
    let mut set = Vec::with_capacity(1);
    let edges = epoll::create(epoll::CreateFlags::CLOEXEC).unwrap();
    let flags = epoll::EventFlags::IN | epoll::EventFlags::ET;
    epoll::add(&edges, &area.keep, epoll::EventData::new_u64(0), flags).unwrap();
    let mut turns = 0;
    let mut answered = [0; 8];
    while epoll::wait(&edges, rustix::buffer::spare_capacity(&mut set), Some(&NOW)).unwrap() > 0 {
        set.clear();
        let before = area.keep.content()[0..8].to_vec();
        assert!(area.is_woken());
        area.turn();
        turns += 1;
        let number = |bytes: &[u8]| u64::from_le_bytes(bytes.try_into().unwrap());
        assert!(number(area.keep.content()) - number(&before) <= 256);
        for (subscriber, answered) in crowd.iter_mut().zip(&mut answered) {
            let mut now = 0;
            while let Some(event) = subscriber.try_receive().unwrap() {
                assert!(matches!(event, Event::Answer(answer) if answer.tag == *answered));
                *answered += 1;
                now += 1;
            }
            assert!(now <= 64);
        }
        assert!(turns < 2 || answered.iter().all(|n| *n >= 64), "turn {turns}: {answered:?}");
    }
    assert_eq!((answered, turns), ([150; 8], 5));
    assert!(!area.is_woken());
}

#[test]
fn an_owner_without_requests_refuses_them_in_their_order() {
    let folder = tempfile::tempdir().unwrap();
    for deferred in [false, true] {
        let path = folder.path().join(if deferred { "deferred" } else { "plain" });
        let owner = Owner::new(listen(&path, 0o600).unwrap(), 0).unwrap();
        let mut owner = if deferred { owner.with_deferred_credit() } else { owner };
        let mut subscriber = Subscriber::connect(&path).unwrap();
        for (tag, op) in (0..).zip([add(0, Bits::B8, 1), write(0, &[0; 65_536]), write(1, b"")]) {
            subscriber.request(&Request { tag, op }).unwrap();
        }
        let turn = owner.turn().unwrap();
        assert!(turn.requests.is_empty() && turn.refused.is_empty());
        assert!(matches!(subscriber.try_receive(), Ok(Some(Event::State(_)))));
        for tag in 0..3 {
            assert_eq!(answer(&mut subscriber), Answer::new(tag, Outcome::Refused));
        }
        nothing(&mut subscriber);
    }
}

#[test]
fn an_owner_that_defers_credit_refuses_requests_at_the_next_frame() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("area");
    let mut owner = Owner::new(listen(&path, 0o600).unwrap(), 0).unwrap().with_deferred_credit();
    let publish = |owner: &mut Owner| {
        let mut builder = eyelet_area::FrameBuilder::new().unwrap();
        builder.write(b"frame").unwrap();
        owner.publish(builder.seal(Format::default(), eyelet_area::MonotonicNs(1)).unwrap());
    };
    let read = Request { tag: 5, op: Op::Read { pos: 0, len: 0 } };
    let mut subscriber = Subscriber::connect(&path).unwrap();
    subscriber.grant(1).unwrap();
    owner.turn().unwrap();
    publish(&mut owner);
    subscriber.try_receive().unwrap();
    frame(&mut subscriber);
    subscriber.request(&read).unwrap();
    subscriber.grant(1).unwrap();
    let is_woken =
        |owner: &Owner| poll(&mut [PollFd::new(owner, PollFlags::IN)], Some(&NOW)) == Ok(1);
    assert!(!is_woken(&owner));
    publish(&mut owner);
    assert_eq!(answer(&mut subscriber), Answer::new(5, Outcome::Refused));
    assert_eq!(frame(&mut subscriber).info().sequence, 2);
    // No frame is to be expected: it hears at once.
    owner.clear();
    subscriber.request(&read).unwrap();
    assert!(is_woken(&owner));
    owner.turn().unwrap();
    assert_eq!(answer(&mut subscriber), Answer::new(5, Outcome::Refused));
}

#[test]
fn who_asks_more_than_fits_is_told_so_and_may_go_on() {
    let mut area = Area::new(8);
    let mut subscriber = area.subscriber();
    let too_large = subscriber.request(&Request { tag: 0, op: write(0, &[0; 65_537]) });
    assert_eq!(too_large.unwrap_err().kind(), ErrorKind::TooLarge);
    let mut sent = 0;
    let refused = loop {
        match subscriber.request(&Request { tag: sent, op: add(0, Bits::B64, 1) }) {
            Ok(()) => sent += 1,
            Err(e) => break e.kind(),
        }
    };
    assert_eq!(refused, ErrorKind::Full);
    let mut answered = 0;
    while area.is_woken() {
        area.turn();
        while let Some(event) = subscriber.try_receive().unwrap() {
            assert!(matches!(event, Event::Answer(answer) if answer.tag == answered));
            answered += 1;
        }
    }
    assert_eq!(answered, sent);
    assert_eq!(area.ask(&mut subscriber, add(0, Bits::B64, 0)).value, i64::from(sent));
}

#[test]
fn a_requester_waits_for_its_own_answer() {
    let mut area = Area::new(8);
    let mut requester = Requester::connect(&area.path).unwrap();
    // Nobody turns: the answer to this one comes when the next is asked.
    let late = requester.ask(add(0, Bits::B64, 1), Duration::ZERO).unwrap_err();
    assert_eq!(late.kind(), ErrorKind::TimedOut);
    let asking = std::thread::spawn(move || {
        let answer = requester.ask(add(0, Bits::B64, 1), Duration::MAX).unwrap();
        (requester, answer)
    });
    while !asking.is_finished() {
        let a_while = Timespec { tv_sec: 0, tv_nsec: 10_000_000 };
        poll(&mut [PollFd::new(&area.keep, PollFlags::IN)], Some(&a_while)).unwrap();
        area.turn();
    }
    let (mut requester, answer) = asking.join().unwrap();
    assert_eq!((answer.value, answer.outcome), (2, Outcome::Done));
    drop(area);
    let gone = requester.ask(add(0, Bits::B64, 1), Duration::MAX).unwrap_err();
    assert_eq!(gone.kind(), ErrorKind::NoOwner);
}

#[test]
fn a_frame_on_its_way_leaves_room_for_answers_and_they_for_none() {
    let mut area = Area::new(8);
    let mut subscriber = area.subscriber();
    let mut asked = 0;
    // Frames and answers pile up: of frames what fits a small socket, of answers all.
    for _ in 0..60 {
        subscriber.grant(1).unwrap();
        subscriber.request(&Request { tag: asked, op: add(0, Bits::B64, 1) }).unwrap();
        asked += 1;
        if !area.keep.turn().unwrap().refused.is_empty() {
            break;
        }
        if area.keep.owner().demand() > 0 {
            break;
        }
    }
    assert!(asked > 1);
    let (mut frames, mut answers) = (0, 0);
    while let Some(event) = subscriber.try_receive().unwrap() {
        match event {
            Event::Frame { .. } => frames += 1,
            Event::Answer(answer) => {
                assert_eq!(answer.tag, answers);
                answers += 1;
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(frames <= 8 && answers == asked, "{frames} frames, {answers} answers of {asked}");
}
