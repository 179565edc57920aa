//! An area of application data and several subscribers, against a plain vector of bytes.
#![allow(clippy::unwrap_used, reason = "a failed step of a helper is a failed test")]

use eyelet_area::{Answer, Bits, Event, Keep, Op, Outcome, Owner, Request, Subscriber, listen};
use proptest::prelude::*;
use proptest::sample::Index;

const LEN: usize = 24;

#[derive(Clone, Debug)]
enum Step {
    Join,
    Leave(Index),
    Grant(Index),
    Ask(Index, Vec<Op>),
    Turn,
}

fn op() -> impl Strategy<Value = Op> {
    // Mostly inside; some across the end, some far away.
    let pos = || prop_oneof![12 => 0..LEN as u64 + 3, 1 => any::<u64>()];
    let len = prop_oneof![12 => 0..LEN as u64 + 3, 1 => any::<u64>()];
    let bits = prop_oneof![Just(Bits::B8), Just(Bits::B16), Just(Bits::B32), Just(Bits::B64)];
    let amount = prop_oneof![-3..3_i64, any::<i64>()];
    prop_oneof![
        2 => (pos(), len).prop_map(|(pos, len)| Op::Read { pos, len }),
        2 => (pos(), prop::collection::vec(any::<u8>(), 0..LEN + 2))
            .prop_map(|(pos, payload)| Op::Write { pos, payload }),
        3 => (pos(), bits, amount).prop_map(|(pos, bits, amount)| Op::Add { pos, bits, amount }),
    ]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let who = any::<Index>;
    let step = prop_oneof![
        2 => Just(Step::Join),
        1 => who().prop_map(Step::Leave),
        3 => who().prop_map(Step::Grant),
        8 => (who(), prop::collection::vec(op(), 1..6)).prop_map(|(who, ops)| Step::Ask(who, ops)),
        3 => Just(Step::Turn),
    ];
    prop::collection::vec(step, 1..80)
}

/// The number of so many bytes as a person would read it.
fn number(bytes: &[u8]) -> i128 {
    let unsigned = bytes.iter().rev().fold(0, |sum, byte| sum * 256 + i128::from(*byte));
    let end = 1 << (8 * bytes.len());
    if unsigned >= end / 2 { unsigned - end } else { unsigned }
}

/// What should be answered, but for the sequence: 1 where there is one.
fn model(bytes: &mut Vec<u8>, tag: u32, op: &Op) -> Answer {
    let out_of_range =
        Answer { value: bytes.len().try_into().unwrap(), ..Answer::new(tag, Outcome::OutOfRange) };
    let done = Answer::new(tag, Outcome::Done);
    let inside = |pos: u64, len: usize| {
        (0..=bytes.len() - len.min(bytes.len()))
            .find(|at| *at as u64 == pos && at + len <= bytes.len())
    };
    match op {
        Op::Read { pos, len } => {
            let wanted = usize::try_from(*len).unwrap_or(usize::MAX);
            match inside(*pos, wanted.min(1 << 40)) {
                Some(at) if wanted == 0 => Answer { payload: bytes[at..].to_vec(), ..done },
                Some(at) => Answer { payload: bytes[at..at + wanted].to_vec(), ..done },
                None => out_of_range,
            }
        }
        Op::Write { pos, payload } => match inside(*pos, payload.len()) {
            Some(at) => {
                bytes.splice(at..at + payload.len(), payload.iter().copied());
                Answer { sequence: 1, ..done }
            }
            None => out_of_range,
        },
        Op::Add { pos, bits, amount } => match inside(*pos, bits.bytes()) {
            Some(at) => {
                let cell = &mut bytes[at..at + bits.bytes()];
                let end = 1_i128 << bits.count();
                let sum = (number(cell) + i128::from(*amount)).rem_euclid(end);
                cell.copy_from_slice(&sum.to_le_bytes()[..bits.bytes()]);
                Answer { sequence: 1, value: number(cell).try_into().unwrap(), ..done }
            }
            None => out_of_range,
        },
    }
}

struct Peer {
    subscriber: Subscriber,
    has_credit: bool,
    /// The version of the last change that it was told of, and the sequence that has it.
    told: (usize, u64),
    /// The sequence of its last frame.
    seen: u64,
}

struct World {
    keep: Keep,
    path: std::path::PathBuf,
    peers: Vec<Peer>,
    /// The bytes after each change, the last of them as they are now.
    versions: Vec<Vec<u8>>,
    next_tag: u32,
    _folder: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("area");
        let owner = Owner::new(listen(&path, 0o600).unwrap(), 1).unwrap();
        let keep = Keep::new(owner, LEN).unwrap();
        let versions = vec![vec![0; LEN]];
        Self { keep, path, peers: Vec::new(), versions, next_tag: 0, _folder: folder }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Join if self.peers.len() < 5 => {
                let subscriber = Subscriber::connect(&self.path).unwrap();
                self.peers.push(Peer { subscriber, has_credit: false, told: (0, 0), seen: 0 });
            }
            Step::Leave(who) if !self.peers.is_empty() => {
                self.peers.swap_remove(who.index(self.peers.len()));
            }
            Step::Grant(who) if !self.peers.is_empty() => who.get_mut(&mut self.peers).grant(),
            Step::Ask(who, ops) if !self.peers.is_empty() => {
                self.ask(who.index(self.peers.len()), &ops);
            }
            Step::Turn => self.turn(),
            Step::Join | Step::Leave(_) | Step::Grant(_) | Step::Ask(..) => {}
        }
    }

    fn turn(&mut self) {
        let turn = self.keep.turn().unwrap();
        assert!(turn.refused.is_empty(), "{:?}", turn.refused);
    }

    fn ask(&mut self, who: usize, ops: &[Op]) {
        let mut expected = Vec::new();
        for op in ops {
            self.next_tag += 1;
            let request = Request { tag: self.next_tag, op: op.clone() };
            self.peers[who].subscriber.request(&request).unwrap();
            let mut bytes = self.versions.last().unwrap().clone();
            let answer = model(&mut bytes, self.next_tag, op);
            if answer.sequence > 0 {
                self.versions.push(bytes);
            }
            expected.push((answer, self.versions.len() - 1));
        }
        self.turn();
        assert_eq!(self.keep.content(), self.versions.last().unwrap());
        for peer in 0..self.peers.len() {
            let answers = self.read(peer);
            if peer != who {
                assert_eq!(answers, []);
                continue;
            }
            assert_eq!(answers.len(), expected.len());
            for (answer, (expected, version)) in answers.into_iter().zip(&expected) {
                let sequence = answer.sequence;
                assert_eq!(Answer { sequence: sequence.min(1), ..answer }, *expected);
                if sequence > 0 {
                    assert!(sequence >= self.peers[who].told.1);
                    self.peers[who].told = (*version, sequence);
                }
            }
        }
    }

    /// Reads all that came to one, checks the frames and gives the answers.
    fn read(&mut self, who: usize) -> Vec<Answer> {
        let mut answers = Vec::new();
        let peer = &mut self.peers[who];
        while let Some(event) = peer.subscriber.try_receive().unwrap() {
            match event {
                Event::Answer(answer) => answers.push(answer),
                Event::Frame { frame, .. } => {
                    peer.has_credit = false;
                    peer.seen = frame.info().sequence;
                    // A version that was, and none before the change that a sequence was given for.
                    let first = if peer.seen >= peer.told.1 { peer.told.0 } else { 0 };
                    let bytes = frame.bytes().unwrap();
                    assert!(self.versions[first..].iter().any(|version| version == bytes));
                }
                Event::State(state) => assert!(state.is_live()),
                Event::Closed => panic!("the owner is there"),
            }
        }
        answers
    }

    /// Whoever wants it has what is newest in the end, and what was changed is in it.
    fn end(&mut self) {
        self.turn();
        for who in 0..self.peers.len() {
            assert_eq!(self.read(who), []);
            self.peers[who].grant();
        }
        self.turn();
        for who in 0..self.peers.len() {
            assert_eq!(self.read(who), []);
            let mut fresh = Subscriber::connect(&self.path).unwrap();
            fresh.grant(1).unwrap();
            self.turn();
            assert!(matches!(fresh.try_receive(), Ok(Some(Event::State(_)))));
            let event = fresh.try_receive().unwrap();
            let Some(Event::Frame { frame, .. }) = event else { panic!("{event:?}") };
            assert_eq!(frame.bytes().unwrap(), self.versions.last().unwrap());
            let peer = &self.peers[who];
            assert_eq!(peer.seen, frame.info().sequence);
            assert!(peer.told.1 <= peer.seen, "{:?}", peer.told);
        }
    }
}

impl Peer {
    fn grant(&mut self) {
        if !self.has_credit {
            self.subscriber.grant(1).unwrap();
            self.has_credit = true;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn an_area_does_what_a_vector_does(steps in steps()) {
        let mut world = World::new();
        for step in steps {
            world.step(step);
        }
        world.end();
    }
}
