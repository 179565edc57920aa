//! Publishing to an area.

mod asked;
mod inherited;

use std::collections::BTreeMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::epoll;
use rustix::io::Errno;
use rustix::net::Shutdown;

use crate::frame::GENERATION_SHIFT;
use crate::message::{MAX_CREDIT, MAX_REQUEST_LEN, State};
use crate::socket;
use crate::subscription::{Heard, Subscription};
use crate::{Credit, Error, ErrorKind, Frame, MonotonicNs, Result};
use asked::Shares;
pub use asked::{Asked, Peer};

/// The listener's token in the epoll set; subscribers count from 1.
const LISTENER: u64 = 0;

/// Subscribers that one turn lets in, as many as an area has by default; the next turn goes on.
///
/// Whoever connects without end would otherwise keep the owner from its frames. So would who asks without end: see
/// [`Shares`]. Credit needs no bound: each uses up room, and nothing gives it back during a turn.
const ACCEPTS_PER_TURN: usize = 64;

/// What an owner grants in all.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Subscribers at a time; one more is let in and closed at once. 64 by default: a machine's processes, not viewers.
    pub subscribers: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { subscribers: 64 }
    }
}

/// What happened in one [`Owner::turn`].
#[derive(Debug, Default)]
pub struct Turn {
    /// Subscribers that came.
    pub joined: usize,
    /// Subscribers that left by themselves.
    pub left: usize,
    /// Subscribers that were sent away, and why.
    pub refused: Vec<Error>,
    /// What subscribers ask, in the order in which it is to be done; empty without [`Owner::with_requests`].
    pub requests: Vec<Asked>,
}

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
    /// Requests are handed out, not refused.
    takes_requests: bool,
    /// For a message of a subscriber: a byte longer than the longest.
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
            buffer: vec![0; MAX_REQUEST_LEN + 1],
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
    /// does: [`demand`](Self::demand) does not count what was not read. A request of such a subscriber is refused as
    /// late as that, too. An owner [with requests](Self::with_requests) defers nothing.
    #[must_use]
    pub fn with_deferred_credit(mut self) -> Self {
        self.defers_credit = true;
        self
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
        let is_key = frame.info().flags.is_key;
        self.newest = Some(frame);
        for subscription in self.subscribers.values_mut() {
            subscription.credit.publish();
            subscription.wants_key &= !is_key;
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
        if self.defers_credit {
            // The next frame may be long in coming: whoever asks meanwhile is to be heard.
            self.flush_all();
        }
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

    /// Tells whether a subscriber has said that it wants a key frame, and none was published since.
    #[must_use]
    pub fn is_key_wanted(&self) -> bool {
        self.subscribers.values().any(|subscription| subscription.wants_key)
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
    /// Bounded, however much they send or connect. If somebody is left to let in or to be heard, the owner polls
    /// readable anew: also who waits for the edge of its descriptor, as tokio's `AsyncFd` does, needs one call for each.
    ///
    /// While this process has no descriptor left for a subscriber, it stands once in [`Turn::refused`] and those who
    /// wait go on waiting: each turn, frame and change of state tries again.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if epoll itself fails. What a subscriber does wrong costs that subscriber its connection and
    /// stands in [`Turn::refused`].
    pub fn turn(&mut self) -> Result<Turn> {
        let mut events = Vec::with_capacity(16);
        let mut accepts = 0;
        let mut shares = Shares::default();
        self.listen_again();
        loop {
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
                    token => self.hear(token, &mut shares),
                }
            }
        }
        if accepts >= ACCEPTS_PER_TURN {
            // Entering the set again is what makes a new edge.
            self.listen_again();
        }
        self.resume(shares);
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

    /// Sends away who has left or done wrong; true for all others.
    fn judge(&mut self, token: u64, heard: Result<Heard>) -> bool {
        match heard {
            // An answer was too much for it meanwhile.
            _ if !self.subscribers.contains_key(&token) => return false,
            Ok(Heard::Enough | Heard::Share) => return true,
            Ok(Heard::End) => self.happened.left += 1,
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
        let may_sleep = self.defers_credit
            && !self.takes_requests
            && self.newest.is_some()
            && subscription.may_sleep();
        let mut interest = epoll::EventFlags::empty();
        interest.set(epoll::EventFlags::IN, !may_sleep);
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
        let mut buffer = [0; 300];
        let state = socket::receive_without_descriptor(peer.as_fd(), &mut buffer);
        assert!(matches!(state, Ok(Some(_))), "the state");
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
    fn a_wish_for_a_key_frame_lasts_until_one_is_published_or_its_sender_leaves() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("area");
        let mut owner = Owner::new(socket::listen(&path, 0o600).unwrap(), 0).unwrap();
        let frame = |is_key| {
            let mut builder = crate::FrameBuilder::new().unwrap();
            builder.write(b"x").unwrap();
            let frame = builder.seal(crate::Format::default(), MonotonicNs(1)).unwrap();
            frame.with_flags(crate::FrameFlags { is_key })
        };
        let mut first = crate::Subscriber::connect(&path).unwrap();
        first.grant(1).unwrap();
        owner.turn().unwrap();
        assert!(!owner.is_key_wanted());
        first.grant_wanting_key(1).unwrap();
        owner.turn().unwrap();
        owner.publish(frame(false));
        assert!(owner.is_key_wanted());
        owner.publish(frame(true));
        assert!(!owner.is_key_wanted());
        let mut second = crate::Subscriber::connect(&path).unwrap();
        second.grant_wanting_key(1).unwrap();
        owner.turn().unwrap();
        assert!(owner.is_key_wanted());
        drop(second);
        owner.turn().unwrap();
        assert!(!owner.is_key_wanted());
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
