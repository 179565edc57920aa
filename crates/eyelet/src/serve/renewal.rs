//! Becoming what a reload asks for, without a restart: who watches what has not changed does not notice.

use std::os::fd::OwnedFd;
use std::rc::Rc;

use crate::app::Gate;
use crate::certificate;
use crate::error::Result;
use crate::role::Boot;
use crate::serve::{Feed, Server};

impl Server {
    /// Takes over what a process would be told that is born now. `sockets` are its listeners, in the order of their numbers.
    ///
    /// # Errors
    /// If a listener cannot be watched; the rest is taken over.
    pub(super) fn renew(self: &Rc<Self>, boot: Boot, sockets: Vec<OwnedFd>) -> Result<()> {
        self.held.set_budget(boot.config.limits.held_bytes);
        self.load.set_shared(boot.config.serve_processes);
        self.line.tell_load(&self.load);
        self.renew_app(&boot);
        if boot.config.tls != self.config().tls || self.encryption.borrow().is_none() {
            let encryption = boot.config.tls.as_ref().map(certificate::server_config);
            self.encryption.replace(encryption.transpose()?);
        }
        self.config.replace(Rc::new(boot.config));
        self.guard.renew();
        let old = self.feeds();
        let feeds: Vec<Rc<Feed>> = boot
            .areas
            .into_iter()
            .map(|place| match old.iter().find(|feed| feed.place().id == place.id) {
                Some(feed) => {
                    feed.renew(place);
                    Rc::clone(feed)
                }
                None => self.begin_feed(place),
            })
            .collect();
        let is_gone = |feed: &&Rc<Feed>| !feeds.iter().any(|there| Rc::ptr_eq(there, feed));
        for gone in old.iter().filter(is_gone) {
            tokio::task::spawn_local(Rc::clone(gone).end());
        }
        self.feeds.replace(feeds.into());
        self.listening.renew(self, &boot.listeners, sockets)
    }

    /// Requests that are inside go on; those that come are counted anew.
    fn renew_app(&self, boot: &Boot) {
        let app = boot.config.app.as_ref().zip(boot.app_socket.as_ref());
        let is_the_same = match (self.app(), app) {
            (Some(gate), Some((app, socket))) => gate.is_to(socket, app.places()),
            (gate, app) => gate.is_none() && app.is_none(),
        };
        if !is_the_same {
            let gate = app.map(|(app, socket)| Gate::new(socket.clone(), app.places()));
            self.app.replace(gate.map(Rc::new));
        }
    }
}
