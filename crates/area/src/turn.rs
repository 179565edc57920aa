//! What an owner grants, and what happens to it.

use crate::Error;
use crate::message::Request;

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

/// What happened in one [`Owner::turn`](crate::Owner::turn).
#[derive(Debug, Default)]
pub struct Turn {
    /// Subscribers that came.
    pub joined: usize,
    /// Subscribers that left by themselves.
    pub left: usize,
    /// Subscribers that were sent away, and why.
    pub refused: Vec<Error>,
    /// What subscribers ask for, in the order in which it came; each is owed an answer. Empty unless the owner
    /// [takes requests](crate::Owner::with_requests).
    pub requests: Vec<Asked>,
}

/// A request, and who sent it.
#[derive(Debug)]
pub struct Asked {
    /// For [`Owner::answer`](crate::Owner::answer).
    pub by: u64,
    /// What is asked.
    pub request: Request,
}
