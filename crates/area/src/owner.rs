//! Publishing to an area.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::epoll;
use rustix::io::Errno;
use rustix::net::Shutdown;

use crate::frame::GENERATION_SHIFT;
use crate::message::{Answer, MAX_CREDIT, MAX_MESSAGE_LEN, Outcome, State};
use crate::socket;
use crate::subscription::Subscription;
use crate::turn::{Asked, Limits, Turn};
use crate::{Credit, Error, ErrorKind, Frame, MonotonicNs, Result};

/// The listener's token in the epoll set; subscribers count from 1.
const LISTENER: u64 = 0;

/// Subscribers that one turn lets in, as many as an area has by default; the next turn goes on.
///
/// Whoever connects without end would otherwise keep the owner from its frames. What subscribers send needs no bound:
/// each of their messages uses up room for credit, and nothing gives it back during a turn.
const ACCEPTS_PER_TURN: usize = 64;

/// Requests that one turn reads of one subscriber, and of all; the next turn goes on.
const REQUESTS_AT_A_TIME: usize = 64;
const REQUESTS_PER_TURN: usize = 256;

/// The one process that publishes to an area.
///
/// It polls readable ([`AsFd`]) when [`turn`](Self::turn) has something to do: call that then. Nothing here waits.
#[derive(Debug)]
pub struct Owner {
    epoll: OwnedFd,
    listener: OwnedFd,
    /// The listener is in the epoll set.
    is_listening: bool,
    /// Nobody could be let in for want of a descriptor, and that was reported.
    is_starved: bool,
    limits: Limits,
    /// Credit that nothing can be sent for is read when there is something.
    defers_credit: bool,
    /// Requests are handed out; else they are refused here.
    takes_requests: bool,
    /// Room for one message; only as much of it is ever touched as a message has.
    buffer: Vec<u8>,
    subscribers: BTreeMap<u64, Subscription>,
    next_token: u64,
    /// What the next turn has to tell.
    happened: Turn,
    newest: Option<Frame>,
    state: State,
    sequence: u64,
}

impl Owner {
    /// Takes the listening socket of an area (see [`listen`](crate::listen)).
    ///
    /// `generation` counts the owners that the area had before: the first has 0. It stands in the sequence above bit
    /// 40, so that the numbers grow across owners without their knowing of each other.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if the kernel has no epoll instance left; [`ErrorKind::TooLarge`] for a generation that does
    /// not fit above bit 40, from 2^24 on.
    pub fn new(listener: OwnedFd, generation: u32) -> Result<Self> {
        let failed = |e: Errno| Error::io("failed to own an area", e);
        if generation >= 1 << (u64::BITS - GENERATION_SHIFT) {
            let text = format!("generation {generation} does not fit an area's sequence");
            return Err(Error::new(ErrorKind::TooLarge, text));
        }
        rustix::io::ioctl_fionbio(&listener, true).map_err(failed)?;
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).map_err(failed)?;
        let mut owner = Self {
            epoll,
            listener,
            is_listening: false,
            is_starved: false,
            limits: Limits::default(),
            defers_credit: false,
            takes_requests: false,
            buffer: vec![0; MAX_MESSAGE_LEN + 1],
            subscribers: BTreeMap::new(),
            next_token: LISTENER + 1,
            happened: Turn::default(),
            newest: None,
            state: State::default(),
            sequence: u64::from(generation) << GENERATION_SHIFT,
        };
        owner.listen(true).map_err(failed)?;
        Ok(owner)
    }

    /// Changes what is granted in all.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Reads the credit of a subscriber that has the newest frame only when the next one is published.
    ///
    /// An owner that publishes anyway need not be woken for that once per frame and subscriber. One that works on demand
    /// does: [`demand`](Self::demand) does not count what was not read.
    #[must_use]
    pub fn with_deferred_credit(mut self) -> Self {
        self.defers_credit = true;
        self
    }

    /// Hands out what subscribers ask for ([`Turn::requests`]) instead of refusing it.
    #[must_use]
    pub fn with_requests(mut self) -> Self {
        self.takes_requests = true;
        self
    }

    /// Answers a request. Whoever has left meanwhile does not get it; whoever does not read is sent away.
    pub fn answer(&mut self, to: u64, answer: &Answer) {
        let Some(subscription) = self.subscribers.get(&to) else { return };
        if let Err(error) = subscription.answer(answer) {
            self.judge(to, Err(error));
        }
    }

    /// Publishes a frame as the newest of the area and gives its sequence.
    ///
    /// Subscribers with credit get it at once, the others when they grant credit and it is still the newest. Never
    /// waits for a subscriber; O(subscribers), three system calls each at the most.
    pub fn publish(&mut self, mut frame: Frame) -> u64 {
        self.sequence += 1;
        frame.info_mut().sequence = self.sequence;
        self.hear_deferred();
        frame.info_mut().published_at = MonotonicNs::now();
        self.newest = Some(frame);
        for subscription in self.subscribers.values_mut() {
            subscription.credit.publish();
        }
        self.flush_all();
        self.listen_again();
        self.sequence
    }

    /// Says what the source does; subscribers are told if it changed.
    pub fn set_state(&mut self, state: State) {
        if self.state == state {
            return;
        }
        self.state = state;
        for subscription in self.subscribers.values_mut() {
            subscription.owes_state = true;
        }
        self.flush_all();
        self.listen_again();
    }

    /// Forgets the newest frame, so that whoever joins now does not get an old one.
    pub fn clear(&mut self) {
        self.newest = None;
    }

    /// Gives the sequence of the newest frame; below the first one, that of the generation's start.
    #[must_use]
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Counts the subscribers.
    #[must_use]
    pub fn subscribers(&self) -> usize {
        self.subscribers.len()
    }

    /// Counts the subscribers that would take a frame now: the demand that encoders wait for.
    #[must_use]
    pub fn demand(&self) -> usize {
        self.subscribers.values().filter(|s| s.credit.has_credit()).count()
    }

    /// Tells whether anybody follows the area: has asked for a frame, and not left since.
    ///
    /// While nobody does, frames need not be made; whoever asks makes the owner poll readable.
    #[must_use]
    pub fn is_followed(&self) -> bool {
        self.subscribers.values().any(Subscription::has_asked)
    }

    /// Tells whether the next [`turn`](Self::turn) has something to say or to do that nothing is readable for: somebody
    /// left or did wrong as a frame was published, or waits to be let in since this process had no descriptor left.
    #[must_use]
    pub fn owes_turn(&self) -> bool {
        self.happened.left > 0 || !self.happened.refused.is_empty() || !self.is_listening
    }

    /// Lets subscribers in, reads their credit, sends what they are owed. Never waits.
    ///
    /// Bounded, however much they send or connect. If somebody is left to let in, the owner polls readable anew: also
    /// who waits for the edge of its descriptor, as tokio's `AsyncFd` does, needs one call for each.
    ///
    /// While this process has no descriptor left for a subscriber, it stands once in [`Turn::refused`] and those who
    /// wait go on waiting: each turn, frame and change of state tries again.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if epoll itself fails. What a subscriber does wrong costs that subscriber its connection and
    /// stands in [`Turn::refused`].
    pub fn turn(&mut self) -> Result<Turn> {
        let mut events = Vec::with_capacity(16);
        let (mut accepts, mut requests) = (0, 0);
        self.listen_again();
        while requests < REQUESTS_PER_TURN {
            let full = epoll::wait(
                &self.epoll,
                rustix::buffer::spare_capacity(&mut events),
                Some(&rustix::event::Timespec { tv_sec: 0, tv_nsec: 0 }),
            );
            match full {
                Ok(0) => break,
                Ok(_) => {}
                Err(Errno::INTR) => continue,
                Err(e) => return Err(Error::io("failed to look at an area's subscribers", e)),
            }
            for event in events.drain(..) {
                match event.data.u64() {
                    LISTENER => {
                        self.accept();
                        accepts += 1;
                        if accepts >= ACCEPTS_PER_TURN {
                            self.listen(false).ok();
                        }
                    }
                    token => requests += self.hear(token),
                }
            }
        }
        if requests >= REQUESTS_PER_TURN {
            self.poll_readable_anew();
        }
        if accepts >= ACCEPTS_PER_TURN {
            // Entering the set again is what makes a new edge.
            self.listen_again();
        }
        Ok(std::mem::take(&mut self.happened))
    }

    fn listen_again(&mut self) {
        if !self.is_listening {
            // If it fails, the next turn or frame tries once more.
            self.listen(true).ok();
        }
    }

    fn listen(&mut self, on: bool) -> std::result::Result<(), Errno> {
        if on {
            let data = epoll::EventData::new_u64(LISTENER);
            epoll::add(&self.epoll, &self.listener, data, epoll::EventFlags::IN)?;
        } else {
            epoll::delete(&self.epoll, &self.listener)?;
        }
        self.is_listening = on;
        Ok(())
    }

    fn accept(&mut self) {
        let socket = match socket::accept(self.listener.as_fd()) {
            Ok(socket) => socket,
            Err(Errno::AGAIN | Errno::INTR | Errno::CONNABORTED) => return,
            Err(e) => {
                // Out of descriptors: whoever waits goes on waiting; do not spin on it meanwhile.
                if !self.is_starved {
                    self.happened.refused.push(Error::io("failed to let a subscriber in", e));
                }
                self.is_starved = true;
                self.listen(false).ok();
                return;
            }
        };
        self.is_starved = false;
        if self.subscribers.len() >= self.limits.subscribers {
            let text = format!("the area has {} subscribers already", self.limits.subscribers);
            self.happened.refused.push(Error::new(ErrorKind::TooLarge, text));
            return;
        }
        let token = self.next_token;
        let data = epoll::EventData::new_u64(token);
        if let Err(e) = epoll::add(&self.epoll, &socket, data, epoll::EventFlags::IN) {
            self.happened.refused.push(Error::io("failed to let a subscriber in", e));
            return;
        }
        self.next_token += 1;
        let mut credit = Credit::new(MAX_CREDIT);
        if self.newest.is_some() {
            credit.publish();
        }
        self.subscribers.insert(token, Subscription::new(socket, credit));
        self.happened.joined += 1;
        self.flush(token);
    }

    /// Reads what a subscriber has sent and counts its requests.
    fn hear(&mut self, token: u64) -> usize {
        let Some(subscription) = self.subscribers.get_mut(&token) else { return 0 };
        let mut requests = Vec::new();
        let heard = subscription.hear(&mut self.buffer, &mut requests, REQUESTS_AT_A_TIME);
        let count = requests.len();
        for request in requests {
            if self.takes_requests {
                self.happened.requests.push(Asked { by: token, request });
            } else {
                let outcome = Outcome::Refused;
                self.answer(token, &Answer { tag: request.tag, outcome, ..Answer::default() });
            }
        }
        if self.judge(token, heard) {
            self.flush(token);
        }
        count
    }

    /// Makes an edge for who waits for one, as there may be more to read.
    fn poll_readable_anew(&mut self) {
        for (token, subscription) in &self.subscribers {
            let data = epoll::EventData::new_u64(*token);
            // If it fails, the next message of somebody makes the edge.
            epoll::modify(&self.epoll, &subscription.socket, data, subscription.interest).ok();
        }
    }

    /// Reads the credit that was left unread, as much as the next frame needs.
    fn hear_deferred(&mut self) {
        let is_deferred = |s: &Subscription| !s.interest.contains(epoll::EventFlags::IN);
        let deferred = self.subscribers.iter_mut().filter(|(_, s)| is_deferred(s));
        let buffer = &mut self.buffer;
        let heard: Vec<_> =
            deferred.map(|(token, s)| (*token, s.hear_one_credit(buffer))).collect();
        for (token, heard) in heard {
            self.judge(token, heard);
        }
    }

    /// Sends away who has left or done wrong; true for all others.
    fn judge(&mut self, token: u64, heard: Result<bool>) -> bool {
        match heard {
            Ok(true) => return true,
            Ok(false) => self.happened.left += 1,
            Err(error) => self.happened.refused.push(error),
        }
        self.dismiss(token);
        false
    }

    fn dismiss(&mut self, token: u64) {
        let Some(subscription) = self.subscribers.remove(&token) else { return };
        // Said aloud: where a child forked meanwhile still has the socket, closing ours would end neither the
        // connection nor its events.
        epoll::delete(&self.epoll, &subscription.socket).ok();
        rustix::net::shutdown(&subscription.socket, Shutdown::Both).ok();
        drop(subscription);
        if self.is_starved {
            // There is a descriptor again, and perhaps no frame for long at which to try it.
            self.listen_again();
        }
    }

    fn flush_all(&mut self) {
        let tokens: Vec<u64> = self.subscribers.keys().copied().collect();
        for token in tokens {
            self.flush(token);
        }
    }

    /// Sends one subscriber what it is owed. One that cannot be sent to is found gone by the next turn.
    fn flush(&mut self, token: u64) {
        let Some(subscription) = self.subscribers.get_mut(&token) else { return };
        let is_full = subscription.send_due(&self.state, self.newest.as_ref());
        let mut interest = epoll::EventFlags::empty();
        interest.set(epoll::EventFlags::IN, !self.defers_credit || !subscription.may_sleep());
        interest.set(epoll::EventFlags::OUT, is_full);
        if interest != subscription.interest {
            subscription.interest = interest;
            let data = epoll::EventData::new_u64(token);
            // It cannot fail for a descriptor of the set; if it did, the next frame or credit would flush again.
            epoll::modify(&self.epoll, &subscription.socket, data, interest).ok();
        }
    }
}

impl AsFd for Owner {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.epoll.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use rustix::event::{PollFd, PollFlags, poll};

    use super::*;

    #[test]
    fn a_socket_that_a_fork_keeps_is_closed_all_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("area");
        let mut owner = Owner::new(socket::listen(&path, 0o600).unwrap(), 0).unwrap();
        let peer = socket::connect(&path).unwrap();
        socket::send(peer.as_fd(), b"nonsense", None).unwrap();
        owner.accept();
        let _forked = owner.subscribers[&1].socket.try_clone().unwrap();
        assert_eq!(owner.turn().unwrap().refused.len(), 1);
        let mut buffer = [0; 1000];
        assert!(
            matches!(socket::receive_without_descriptor(peer.as_fd(), &mut buffer), Ok(Some(_))),
            "the state"
        );
        let end = socket::receive_without_descriptor(peer.as_fd(), &mut buffer);
        assert!(matches!(end, Ok(None)), "{end:?}");
        let now = rustix::event::Timespec { tv_sec: 0, tv_nsec: 0 };
        assert_eq!(poll(&mut [PollFd::new(&owner, PollFlags::IN)], Some(&now)), Ok(0));
    }

    /// An owner that defers credit and one subscriber, which has the newest frame.
    fn deferring(path: &std::path::Path) -> (Owner, crate::Subscriber) {
        let owner = Owner::new(socket::listen(path, 0o600).unwrap(), 0).unwrap();
        let mut owner = owner.with_deferred_credit();
        let mut subscriber = crate::Subscriber::connect(path).unwrap();
        assert!(is_woken(&owner), "somebody came");
        owner.turn().unwrap();
        assert!(!owner.is_followed());
        subscriber.grant(1).unwrap();
        assert!(is_woken(&owner), "somebody asked");
        owner.turn().unwrap();
        assert!(owner.is_followed());
        owner.publish(frame());
        assert_eq!(sequences(&mut subscriber), [1]);
        (owner, subscriber)
    }

    fn frame() -> Frame {
        let mut builder = crate::FrameBuilder::new().unwrap();
        builder.write(b"frame").unwrap();
        builder.seal(crate::Format::default(), MonotonicNs(1)).unwrap()
    }

    fn sequences(subscriber: &mut crate::Subscriber) -> Vec<u64> {
        let mut sequences = Vec::new();
        while let Some(event) = subscriber.try_receive().unwrap() {
            if let crate::Event::Frame { frame, .. } = event {
                sequences.push(frame.info().sequence);
            }
        }
        sequences
    }

    fn is_woken(owner: &Owner) -> bool {
        let now = rustix::event::Timespec { tv_sec: 0, tv_nsec: 0 };
        poll(&mut [PollFd::new(owner, PollFlags::IN)], Some(&now)) == Ok(1)
    }

    #[test]
    fn credit_that_nothing_can_be_sent_for_wakes_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let (mut owner, mut subscriber) = deferring(&folder.path().join("area"));
        subscriber.grant(1).unwrap();
        assert!(!is_woken(&owner));
        owner.publish(frame());
        assert_eq!(sequences(&mut subscriber), [2]);
        owner.publish(frame());
        assert_eq!(sequences(&mut subscriber), []);
        subscriber.grant(1).unwrap();
        assert!(is_woken(&owner), "there is a frame that it has not got");
        owner.turn().unwrap();
        assert_eq!(sequences(&mut subscriber), [3]);
    }

    #[test]
    fn who_leaves_or_does_wrong_while_credit_is_deferred_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let (mut owner, subscriber) = deferring(&folder.path().join("left"));
        drop(subscriber);
        assert!(is_woken(&owner));
        assert_eq!(owner.turn().unwrap().left, 1);
        assert!(!owner.is_followed());
        let (mut owner, subscriber) = deferring(&folder.path().join("wrong"));
        socket::send(subscriber.as_fd(), b"nonsense", None).unwrap();
        owner.publish(frame());
        assert!(owner.owes_turn());
        assert_eq!((owner.turn().unwrap().refused.len(), owner.subscribers()), (1, 0));
        assert!(!owner.owes_turn());
    }

    #[test]
    fn who_could_not_be_let_in_is_tried_again_without_a_frame() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("area");
        let mut owner = Owner::new(socket::listen(&path, 0o600).unwrap(), 0).unwrap();
        assert!(!owner.owes_turn());
        // As after an accept for which there was no descriptor.
        owner.listen(false).unwrap();
        let _waiting = crate::Subscriber::connect(&path).unwrap();
        assert!(!is_woken(&owner) && owner.owes_turn());
        assert_eq!(owner.turn().unwrap().joined, 1);
        assert!(!owner.owes_turn());
    }
}
