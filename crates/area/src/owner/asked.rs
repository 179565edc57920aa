//! What subscribers ask of an owner: read in shares, handed out or refused, answered.

use std::collections::BTreeMap;

use rustix::event::epoll;

use super::Owner;
use crate::Error;
use crate::message::{Answer, Outcome, Request};
use crate::subscription::{Heard, Subscription};

/// Requests that one turn reads in all; the next turn goes on.
///
/// It bounds how long a turn takes, a few milliseconds with the longest payloads, and what a turn holds: 16 MiB.
const REQUESTS_PER_TURN: usize = 256;

/// Requests that one turn reads of one subscriber, so that three others have a share as large in the same turn.
const REQUESTS_PER_SUBSCRIBER: usize = 64;

/// A subscriber's connection, as its owner calls it; never used for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Peer(pub(super) u64);

/// A request, and who is to have the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Who asks.
    pub peer: Peer,
    /// What is asked.
    pub request: Request,
}

/// Who has been heard how much in one turn.
#[derive(Debug, Default)]
pub(super) struct Shares {
    heard: BTreeMap<u64, usize>,
    total: usize,
    /// Out of the epoll set for the rest of the turn: had no share of it, and had one.
    unheard: Vec<u64>,
    sated: Vec<u64>,
}

impl Shares {
    fn of(&self, token: u64) -> usize {
        let heard = self.heard.get(&token).copied().unwrap_or(0);
        (REQUESTS_PER_TURN - self.total).min(REQUESTS_PER_SUBSCRIBER - heard)
    }

    fn take(&mut self, token: u64, requests: usize) {
        if requests > 0 {
            self.total += requests;
            *self.heard.entry(token).or_default() += requests;
        }
    }
}

impl Owner {
    /// Takes requests: each turn gives them in [`Turn::requests`](super::Turn::requests), and each wants one
    /// [`answer`](Self::answer), in their order. Without, the owner refuses them by itself.
    #[must_use]
    pub fn with_requests(mut self) -> Self {
        self.takes_requests = true;
        self
    }

    /// Sends the answer to a request. Never waits.
    ///
    /// Who has left gets none; who has not received those before, so that this one does not fit, has its connection
    /// closed, which the next [`turn`](Self::turn) tells.
    pub fn answer(&mut self, peer: Peer, answer: &Answer) {
        let Some(subscription) = self.subscribers.get_mut(&peer.0) else { return };
        if let Err(error) = subscription.send_answer(answer) {
            self.judge(peer.0, Err(error));
        }
    }

    pub(super) fn hear(&mut self, token: u64, shares: &mut Shares) {
        let Some(subscription) = self.subscribers.get_mut(&token) else { return };
        let mut requests = Vec::new();
        let heard = subscription.hear(&mut self.buffer, shares.of(token), &mut requests);
        shares.take(token, requests.len());
        if matches!(heard, Ok(Heard::Share)) {
            // Out of the set, as its end would be told even without interest, over and over.
            epoll::delete(&self.epoll, &subscription.socket).ok();
            let was_heard = shares.heard.contains_key(&token);
            if was_heard { &mut shares.sated } else { &mut shares.unheard }.push(token);
        }
        self.take(token, requests);
        if self.judge(token, heard) {
            self.flush(token);
        }
    }

    /// Hears those again who were left to the next turn. Entering the set again is what makes a new edge.
    pub(super) fn resume(&mut self, shares: Shares) {
        // In this order, so that the next turn hears those first whom this one had no time for.
        for token in shares.unheard.into_iter().chain(shares.sated) {
            let Some(subscription) = self.subscribers.get(&token) else { continue };
            let data = epoll::EventData::new_u64(token);
            let entered =
                epoll::add(&self.epoll, &subscription.socket, data, subscription.interest);
            if let Err(e) = entered {
                self.judge(token, Err(Error::io("failed to go on hearing a subscriber", e)));
            }
        }
    }

    /// Reads the credit that was left unread, as much as the next frame needs, and the requests before it.
    pub(super) fn hear_deferred(&mut self) {
        let is_deferred = |s: &Subscription| !s.interest.contains(epoll::EventFlags::IN);
        let deferred: Vec<u64> =
            self.subscribers.iter().filter(|(_, s)| is_deferred(s)).map(|(t, _)| *t).collect();
        for token in deferred {
            let Some(subscription) = self.subscribers.get_mut(&token) else { continue };
            let mut requests = Vec::new();
            let heard =
                subscription.hear_credit(&mut self.buffer, REQUESTS_PER_SUBSCRIBER, &mut requests);
            self.take(token, requests);
            self.judge(token, heard);
        }
    }

    /// Hands out what a subscriber asks, or refuses it.
    fn take(&mut self, token: u64, requests: Vec<Request>) {
        let peer = Peer(token);
        for request in requests {
            if self.takes_requests {
                self.happened.requests.push(Asked { peer, request });
            } else {
                self.answer(peer, &Answer::new(request.tag, Outcome::Refused));
            }
        }
    }
}
