//! How much a serve process has to do, for sharing with the others; see `accept`.

use std::cell::Cell;
use std::rc::Rc;

use tokio::sync::Notify;

use crate::serve::Server;

/// How much this process has to do, beside the least that any has.
#[derive(Debug, Default)]
pub(crate) struct Load {
    own: Cell<usize>,
    least: Cell<usize>,
    /// There are other serve processes.
    is_shared: Cell<bool>,
    pub(super) changed: Notify,
}

impl Load {
    /// Says how many serve processes there are, this one included.
    pub(super) fn set_shared(&self, serve_processes: usize) {
        self.is_shared.set(serve_processes > 1);
        self.changed.notify_waiters();
    }

    /// The supervisor says what the least is.
    pub(super) fn set_least(&self, least: usize) {
        self.least.set(least);
        self.changed.notify_waiters();
    }

    /// Gives what there is to tell the supervisor; none while there is nobody to share with.
    pub(super) fn to_tell(&self) -> Option<usize> {
        self.is_shared.get().then(|| self.own.get())
    }

    pub(super) fn set_own(&self, own: usize) {
        self.own.set(own);
        self.changed.notify_waiters();
    }

    pub(super) fn is_the_least(&self) -> bool {
        !self.is_shared.get() || self.own.get() <= self.least.get()
    }
}

/// One connection's part in the load, from its first moment on.
///
/// Who turns out to have asked for a page only is [light](Self::lighten) from then on, and may become a viewer still.
pub(crate) struct Weight {
    server: Rc<Server>,
    is_heavy: Cell<bool>,
}

impl Weight {
    pub(super) fn new(server: Rc<Server>) -> Self {
        let weight = Self { server, is_heavy: Cell::new(false) };
        weight.burden();
        weight
    }

    /// It watches, or is an app's.
    pub(super) fn burden(&self) {
        if !self.is_heavy.replace(true) {
            self.change(|own| own + 1);
        }
    }

    /// It was answered, and does not watch.
    pub(super) fn lighten(&self) {
        if self.is_heavy.replace(false) {
            self.change(|own| own.saturating_sub(1));
        }
    }

    fn change(&self, to: impl Fn(usize) -> usize) {
        let load = &self.server.load;
        load.set_own(to(load.own.get()));
        self.server.line.tell_load(load);
    }
}

impl Drop for Weight {
    fn drop(&mut self) {
        self.lighten();
    }
}
