//! A viewer's own task: what it waits for beside its feeds, and its end.

use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll, Waker};

use crate::serve::Server;

/// Wakes a viewer's task, from a feed that could not send all.
#[derive(Debug, Default)]
pub(super) struct Waking(Option<Waker>);

impl Waking {
    /// Remembers the task; to be called whenever it is polled.
    pub(super) fn note(&mut self, cx: &Context<'_>) {
        if self.0.as_ref().is_none_or(|waker| !waker.will_wake(cx.waker())) {
            self.0 = Some(cx.waker().clone());
        }
    }

    /// Has the task polled. Before its first time there is nobody to wake.
    pub(super) fn wake(&self) {
        if let Some(waker) = &self.0 {
            waker.wake_by_ref();
        }
    }
}

/// Polls a viewer until it is over; `stop` is called once, when the process is to stop.
pub(super) async fn run(
    server: &Server,
    mut poll: impl FnMut(&mut Context<'_>) -> Poll<io::Result<()>>,
    stop: impl Fn(),
) {
    let mut is_stopping = false;
    let mut stopped = std::pin::pin!(server.stopped());
    let end = loop {
        tokio::select! {
            end = poll_fn(&mut poll) => break end,
            () = &mut stopped, if !is_stopping => {
                is_stopping = true;
                stop();
            }
        }
    };
    if let Err(e) = end {
        log::debug!("a viewer has left: {e}");
    }
}
