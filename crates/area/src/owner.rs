//! Publishing to an area.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::epoll;
use rustix::io::Errno;
use rustix::net::Shutdown;

use crate::frame::GENERATION_SHIFT;
use crate::message::{self, MAX_CREDIT, State};
use crate::socket::{self, ReceiveError};
use crate::{Credit, Error, ErrorKind, Frame, MonotonicNs, Result};

/// The listener's token in the epoll set; subscribers count from 1.
const LISTENER: u64 = 0;

/// Subscribers that one turn lets in, as many as an area has by default; the next turn goes on.
///
/// Whoever connects without end would otherwise keep the owner from its frames. What subscribers send needs no bound:
/// each of their messages uses up room for credit, and nothing gives it back during a turn.
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
    subscribers: BTreeMap<u64, Subscription>,
    next_token: u64,
    newest: Option<Frame>,
    state: State,
    sequence: u64,
}

#[derive(Debug)]
struct Subscription {
    socket: OwnedFd,
    credit: Credit,
    /// The state was not sent since it changed.
    owes_state: bool,
    /// Its socket was full; epoll tells when it is not.
    waits_for_room: bool,
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
            subscribers: BTreeMap::new(),
            next_token: LISTENER + 1,
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

    /// Publishes a frame as the newest of the area and gives its sequence.
    ///
    /// Subscribers with credit get it at once, the others when they grant credit and it is still the newest. Never
    /// waits for a subscriber; O(subscribers), two system calls each at the most.
    pub fn publish(&mut self, mut frame: Frame) -> u64 {
        self.sequence += 1;
        frame.info_mut().sequence = self.sequence;
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
        let mut turn = Turn::default();
        let mut events = Vec::with_capacity(16);
        let mut accepts = 0;
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
                        self.accept(&mut turn);
                        accepts += 1;
                        if accepts >= ACCEPTS_PER_TURN {
                            self.listen(false).ok();
                        }
                    }
                    token => self.hear(token, &mut turn),
                }
            }
        }
        if accepts >= ACCEPTS_PER_TURN {
            // Entering the set again is what makes a new edge.
            self.listen_again();
        }
        Ok(turn)
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

    fn accept(&mut self, turn: &mut Turn) {
        let socket = match socket::accept(self.listener.as_fd()) {
            Ok(socket) => socket,
            Err(Errno::AGAIN | Errno::INTR | Errno::CONNABORTED) => return,
            Err(e) => {
                // Out of descriptors: whoever waits goes on waiting; do not spin on it meanwhile.
                if !self.is_starved {
                    turn.refused.push(Error::io("failed to let a subscriber in", e));
                }
                self.is_starved = true;
                self.listen(false).ok();
                return;
            }
        };
        self.is_starved = false;
        if self.subscribers.len() >= self.limits.subscribers {
            let text = format!("the area has {} subscribers already", self.limits.subscribers);
            turn.refused.push(Error::new(ErrorKind::TooLarge, text));
            return;
        }
        let token = self.next_token;
        let data = epoll::EventData::new_u64(token);
        if let Err(e) = epoll::add(&self.epoll, &socket, data, epoll::EventFlags::IN) {
            turn.refused.push(Error::io("failed to let a subscriber in", e));
            return;
        }
        self.next_token += 1;
        let mut credit = Credit::new(MAX_CREDIT);
        if self.newest.is_some() {
            credit.publish();
        }
        let subscription = Subscription { socket, credit, owes_state: true, waits_for_room: false };
        self.subscribers.insert(token, subscription);
        turn.joined += 1;
        self.flush(token);
    }

    fn hear(&mut self, token: u64, turn: &mut Turn) {
        let Some(subscription) = self.subscribers.get_mut(&token) else { return };
        match subscription.hear() {
            Ok(true) => return self.flush(token),
            Ok(false) => turn.left += 1,
            Err(error) => turn.refused.push(error),
        }
        self.dismiss(token);
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
        if is_full != subscription.waits_for_room {
            subscription.waits_for_room = is_full;
            let more = if is_full { epoll::EventFlags::OUT } else { epoll::EventFlags::empty() };
            let data = epoll::EventData::new_u64(token);
            let flags = epoll::EventFlags::IN | more;
            // It cannot fail for a descriptor of the set; if it did, the next frame or credit would flush again.
            epoll::modify(&self.epoll, &subscription.socket, data, flags).ok();
        }
    }
}

impl Subscription {
    /// Reads all credit that came; false when the subscriber has left.
    ///
    /// Ends soon, whatever it sends: each message grants a frame at the least, and more than [`MAX_CREDIT`] is an error.
    fn hear(&mut self) -> Result<bool> {
        loop {
            let received = match socket::receive_without_descriptor(self.socket.as_fd()) {
                Ok(Some(received)) => received,
                Ok(None) | Err(ReceiveError::Io(Errno::CONNRESET | Errno::PIPE)) => {
                    return Ok(false);
                }
                Err(ReceiveError::Io(Errno::AGAIN)) => return Ok(true),
                Err(ReceiveError::Io(Errno::INTR)) => continue,
                Err(ReceiveError::Io(e)) => {
                    return Err(Error::io("failed to hear a subscriber", e));
                }
                Err(ReceiveError::TooManyDescriptors) => return Err(needless_descriptor()),
            };
            if received.descriptor.is_some() {
                return Err(needless_descriptor());
            }
            let frames = message::decode_credit(received.message())?;
            self.credit.grant(frames).map_err(|_| {
                let text = format!("a subscriber granted more than {MAX_CREDIT} frames");
                Error::new(ErrorKind::TooMuchCredit, text)
            })?;
        }
    }

    /// Sends state and newest frame if they are due; true when the socket is full and something is left.
    fn send_due(&mut self, state: &State, newest: Option<&Frame>) -> bool {
        if self.owes_state {
            match socket::send(self.socket.as_fd(), &message::encode_state(state), None) {
                Ok(()) => self.owes_state = false,
                Err(why) => return self.is_full(why),
            }
        }
        if let (true, Some(frame)) = (self.credit.is_due(), newest) {
            let bytes = message::encode_frame(frame.info(), self.credit.missed());
            match socket::send(self.socket.as_fd(), &bytes, Some(frame.as_fd())) {
                Ok(()) => self.credit.sent(),
                Err(why) => return self.is_full(why),
            }
        }
        false
    }

    /// Judges why a message could not be sent.
    fn is_full(&self, why: Errno) -> bool {
        if why == Errno::PIPE {
            // It takes no more, though it may not have closed: make that an end, which `hear` is told of.
            rustix::net::shutdown(&self.socket, Shutdown::Both).ok();
        }
        // The rest passes, as ETOOMANYREFS, too many descriptors in flight: the next frame or credit tries again.
        why == Errno::AGAIN
    }
}

fn needless_descriptor() -> Error {
    Error::new(ErrorKind::WrongDescriptors, "a subscriber sent a descriptor")
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
        owner.accept(&mut Turn::default());
        let _forked = owner.subscribers[&1].socket.try_clone().unwrap();
        assert_eq!(owner.turn().unwrap().refused.len(), 1);
        assert!(
            matches!(socket::receive_without_descriptor(peer.as_fd()), Ok(Some(_))),
            "the state"
        );
        let end = socket::receive_without_descriptor(peer.as_fd());
        assert!(matches!(end, Ok(None)), "{end:?}");
        let now = rustix::event::Timespec { tv_sec: 0, tv_nsec: 0 };
        assert_eq!(poll(&mut [PollFd::new(&owner, PollFlags::IN)], Some(&now)), Ok(0));
    }
}
