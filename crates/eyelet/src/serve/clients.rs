//! Who watches `/stream`, as `/state` shows them.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};

use crate::serve::counters::count;
use crate::serve::query::Query;

/// The longest `key=` that is remembered for a client.
const MAX_KEY_LEN: usize = 64;

/// Clients of `/stream`, as `/state` shows them.
#[derive(Debug, Default)]
pub(crate) struct Clients {
    all: RefCell<Vec<Weak<Client>>>,
    last: Cell<u64>,
}

/// One of them.
#[derive(Debug)]
pub(crate) struct Client {
    /// By which it is told apart.
    pub(super) id: String,
    /// By which it finds itself.
    pub(super) key: String,
    /// What it asked for.
    pub(super) query: [(&'static str, bool); 4],
    /// Frames that it got in the last whole second.
    pub(crate) fps: Cell<u32>,
}

impl Clients {
    /// Notes a client that asks for `/stream`.
    pub(super) fn add(&self, query: Query<'_>) -> Rc<Client> {
        count(&self.last, 1);
        let key = query.get("key").unwrap_or("0".into());
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        // It comes back in a cookie: nothing else gets in there.
        let key = key.chars().filter(|c| is_word(*c)).take(MAX_KEY_LEN).collect();
        let on = |name| (name, query.is_on(name));
        let client = Rc::new(Client {
            id: format!("{:016x}", (u64::from(std::process::id()) << 32) + self.last.get()),
            key,
            query: ["extra_headers", "advance_headers", "dual_final_frames", "zero_data"].map(on),
            fps: Cell::new(0),
        });
        let mut all = self.all.borrow_mut();
        all.retain(|client| client.strong_count() > 0);
        all.push(Rc::downgrade(&client));
        client
    }

    /// Those that are still there.
    pub(super) fn living(&self) -> Vec<Rc<Client>> {
        self.all.borrow().iter().filter_map(Weak::upgrade).collect()
    }
}
