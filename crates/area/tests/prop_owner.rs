//! One owner and several subscribers in one process, against what the rule of credit says of each.
#![allow(clippy::unwrap_used, reason = "a failed step of a helper is a failed test")]

use std::collections::VecDeque;

use eyelet_area::{
    Event, Format, FourCc, FrameBuilder, GENERATION_SHIFT, MAX_CREDIT, MonotonicNs, Owner, State,
    Subscriber, listen,
};
use proptest::prelude::*;
use proptest::sample::Index;

#[derive(Clone, Debug)]
enum Step {
    Join,
    Leave(Index),
    Grant(Index, u32),
    Read(Index),
    Publish,
    State(u8),
    Clear,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        2 => Just(Step::Join),
        1 => any::<Index>().prop_map(Step::Leave),
        6 => (any::<Index>(), 1..=MAX_CREDIT).prop_map(|(who, n)| Step::Grant(who, n)),
        4 => any::<Index>().prop_map(Step::Read),
        6 => Just(Step::Publish),
        2 => (0..4u8).prop_map(Step::State),
        1 => Just(Step::Clear),
    ];
    prop::collection::vec(step, 1..80)
}

fn state(n: u8) -> State {
    match n {
        0 => State::NoSignalYet,
        1 => State::Live,
        n => State::NoSignal { why: format!("reason {n}") },
    }
}

#[derive(Debug, PartialEq)]
enum Expected {
    State(State),
    /// Sequence below the generation, and missed.
    Frame(u64, u64),
}

/// One subscriber and what should come to it.
struct Peer {
    subscriber: Subscriber,
    credit: u32,
    has_asked: bool,
    /// The number of the newest frame that was sent, or that was old when it came.
    seen: u64,
    coming: VecDeque<Expected>,
    last_sequence: u64,
}

struct World {
    owner: Owner,
    defers_credit: bool,
    path: std::path::PathBuf,
    generation: u32,
    peers: Vec<Peer>,
    published: u64,
    has_newest: bool,
    state: State,
    _folder: tempfile::TempDir,
}

impl World {
    fn new(generation: u32, defers_credit: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("area");
        let owner = Owner::new(listen(&path, 0o600).unwrap(), generation).unwrap();
        Self {
            owner: if defers_credit { owner.with_deferred_credit() } else { owner },
            defers_credit,
            path,
            generation,
            peers: Vec::new(),
            published: 0,
            has_newest: false,
            state: State::default(),
            _folder: folder,
        }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Join if self.peers.len() < 6 => self.join(),
            Step::Join => {}
            Step::Publish => self.publish(),
            Step::State(n) => self.change_state(state(n)),
            Step::Clear => {
                self.owner.clear();
                self.has_newest = false;
            }
            Step::Leave(who) if !self.peers.is_empty() => {
                self.peers.swap_remove(who.index(self.peers.len()));
            }
            Step::Grant(who, frames) if !self.peers.is_empty() => {
                let peer = who.get_mut(&mut self.peers);
                let frames = frames.min(MAX_CREDIT - peer.credit);
                if frames > 0 {
                    peer.subscriber.grant(frames).unwrap();
                    peer.credit += frames;
                    peer.has_asked = true;
                }
            }
            Step::Read(who) if !self.peers.is_empty() => who.get_mut(&mut self.peers).read(),
            Step::Leave(_) | Step::Grant(..) | Step::Read(_) => {}
        }
        let turn = self.owner.turn().unwrap();
        assert!(turn.refused.is_empty(), "{:?}", turn.refused);
        self.send_due();
        // More than a handful does not fit a socket; what then happens is in hostile.rs.
        self.peers.iter_mut().filter(|p| p.coming.len() > 2).for_each(Peer::read);
        assert_eq!(self.owner.subscribers(), self.peers.len());
        if !self.defers_credit {
            assert_eq!(self.owner.demand(), self.peers.iter().filter(|p| p.credit > 0).count());
        }
        assert_eq!(self.owner.is_followed(), self.peers.iter().any(|p| p.has_asked));
        let start = u64::from(self.generation) << GENERATION_SHIFT;
        assert_eq!(self.owner.sequence(), start + self.published);
    }

    fn join(&mut self) {
        let subscriber = Subscriber::connect(&self.path).unwrap();
        // It is behind by one frame if there is a newest, by none if not.
        let seen = self.published - u64::from(self.has_newest);
        let coming = VecDeque::from([Expected::State(self.state.clone())]);
        self.peers.push(Peer {
            subscriber,
            credit: 0,
            has_asked: false,
            seen,
            coming,
            last_sequence: 0,
        });
    }

    fn publish(&mut self) {
        self.published += 1;
        self.has_newest = true;
        let payload = self.published.to_le_bytes().repeat(4);
        let mut builder = FrameBuilder::new().unwrap();
        builder.write(&payload).unwrap();
        let format = Format::packed(FourCc::GREY, 8, 4);
        let sequence = self.owner.publish(builder.seal(format, MonotonicNs::now()).unwrap());
        assert_eq!(sequence, (u64::from(self.generation) << GENERATION_SHIFT) + self.published);
    }

    fn change_state(&mut self, state: State) {
        self.owner.set_state(state.clone());
        if state != self.state {
            for peer in &mut self.peers {
                peer.coming.push_back(Expected::State(state.clone()));
            }
            self.state = state;
        }
    }

    /// The rule: whoever has credit and is behind gets the newest, and hears what it missed.
    fn send_due(&mut self) {
        for peer in self.peers.iter_mut().filter(|_| self.has_newest) {
            if peer.credit > 0 && peer.seen < self.published {
                let missed = self.published - peer.seen - 1;
                peer.coming.push_back(Expected::Frame(self.published, missed));
                peer.seen = self.published;
                peer.credit -= 1;
            }
        }
    }
}

impl Peer {
    /// Everything that should have come is there, and no more.
    fn read(&mut self) {
        while let Some(event) = self.subscriber.try_receive().unwrap() {
            let got = match event {
                Event::State(state) => Expected::State(state),
                Event::Frame { frame, missed } => {
                    let sequence = frame.info().sequence;
                    assert!(sequence > self.last_sequence, "the sequence grows");
                    self.last_sequence = sequence;
                    let number = sequence & ((1 << GENERATION_SHIFT) - 1);
                    assert_eq!(frame.bytes().unwrap(), number.to_le_bytes().repeat(4));
                    Expected::Frame(number, missed)
                }
                Event::Closed => panic!("the owner is there"),
                Event::Answer(answer) => panic!("nobody asked for {answer:?}"),
            };
            assert_eq!(Some(got), self.coming.pop_front());
        }
        assert_eq!(self.coming, []);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn each_subscriber_gets_the_newest_by_credit(
        generation in 0..9u32,
        defers_credit: bool,
        steps in steps(),
    ) {
        let mut world = World::new(generation, defers_credit);
        for step in steps {
            world.step(step);
        }
        world.peers.iter_mut().for_each(Peer::read);
        drop(world.owner);
        for peer in &mut world.peers {
            prop_assert!(matches!(peer.subscriber.try_receive(), Ok(Some(Event::Closed))));
        }
    }
}
