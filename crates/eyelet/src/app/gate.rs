//! Who may enter the app: so many requests at a time, and one more that is no upgrade.
//!
//! An app with N places may have all N streaming; the one beyond lets a page be loaded nevertheless.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::net::UnixStream;
use tokio::sync::{Semaphore, SemaphorePermit};

/// The way into the app.
#[derive(Debug)]
pub(crate) struct Gate {
    socket: PathBuf,
    places: usize,
    upgrades: Semaphore,
    others: Semaphore,
}

/// A request that is inside; dropping it frees the place.
#[derive(Debug)]
pub(crate) struct Admitted<'a> {
    pub(crate) app: UnixStream,
    _place: SemaphorePermit<'a>,
}

impl Gate {
    pub(crate) fn new(socket: PathBuf, places: usize) -> Self {
        Self { socket, places, upgrades: Semaphore::new(places), others: Semaphore::new(1) }
    }

    /// Tells whether it leads there, with so many places.
    pub(crate) fn is_to(&self, socket: &Path, places: usize) -> bool {
        self.socket == socket && self.places == places
    }

    /// Requests that the app handles at a time.
    pub(crate) fn places(&self) -> usize {
        self.places
    }

    /// Places that are taken.
    pub(crate) fn taken(&self) -> usize {
        self.places - self.upgrades.available_permits()
    }

    /// Waits for a place, at most so long, and connects.
    ///
    /// # Errors
    /// What to tell the client: all places are taken, or the host is not there.
    pub(crate) async fn enter(
        &self,
        is_upgrade: bool,
        patience: Duration,
    ) -> Result<Admitted<'_>, String> {
        let place = async {
            if is_upgrade {
                return self.upgrades.acquire().await;
            }
            tokio::select! {
                biased;
                place = self.others.acquire() => place,
                place = self.upgrades.acquire() => place,
            }
        };
        let place = match tokio::time::timeout(patience, place).await {
            Ok(Ok(place)) => place,
            _ => {
                let places = self.places;
                return Err(format!(
                    "all {places} places of the app are taken; start it with a larger --processes or --coroutines"
                ));
            }
        };
        match tokio::time::timeout(patience, UnixStream::connect(&self.socket)).await {
            Ok(Ok(app)) => Ok(Admitted { app, _place: place }),
            Ok(Err(e)) => Err(format!("the app is not there: {e}")),
            Err(_) => Err("the app takes no request".to_owned()),
        }
    }
}
