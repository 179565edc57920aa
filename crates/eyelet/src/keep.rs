//! The keep role: holds the application areas, and applies what apps, mules and others ask of them, in order.

use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;

use eyelet_area::{Keep, Owner};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use crate::config::Origin;
use crate::control::{Control, FromChild, KeepReport, KeptArea, Report, ToChild};
use crate::error::{Error, Result};
use crate::role::{self, AreaPlace, Boot, Born};

/// The next try after something could not be done.
const AGAIN: Timespec = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };

/// Holds the areas until the supervisor ends it.
///
/// # Errors
/// When an area or the control line fails: the supervisor starts the role again, and the areas begin anew.
pub fn run(born: Born) -> Result<()> {
    let Born { boot, control, sockets } = born;
    let failed = |e: std::io::Error| Error::failed(format!("failed to hear signals: {e}"));
    let (stop, stopped_by) = UnixStream::pair().map_err(failed)?;
    signal_hook::low_level::pipe::register(signal_hook::consts::SIGTERM, stopped_by)
        .map_err(failed)?;
    for place in boot.areas.iter().filter(|_| boot.generation > 0) {
        if matches!(place.origin, Origin::App { .. }) {
            log::warn!("area={} begins anew, all zeroes: what kept it has ended", place.name);
        }
    }
    let mut role = KeepRole { kept: Vec::new(), control, stop };
    role.renew(&boot, sockets)?;
    while role.turn()? {}
    Ok(())
}

#[derive(Debug)]
struct KeepRole {
    kept: Vec<Kept>,
    control: Control,
    /// Readable when the process is to end.
    stop: UnixStream,
}

#[derive(Debug)]
struct Kept {
    id: usize,
    name: String,
    keep: Keep,
}

impl Kept {
    fn turn(&mut self) {
        match self.keep.turn() {
            Ok(turn) => {
                for refused in turn.refused {
                    log::warn!("area={} subscriber refused: {refused}", self.name);
                }
            }
            // Nothing is lost, and ending would lose all.
            Err(e) => log::warn!("area={} {e}", self.name),
        }
    }
}

impl KeepRole {
    /// Waits for something to happen and deals with it; false when the process is to end.
    fn turn(&mut self) -> Result<bool> {
        let mut fds = vec![
            PollFd::new(&self.stop, PollFlags::IN),
            PollFd::from_borrowed_fd(self.control.as_fd(), PollFlags::IN),
        ];
        fds.extend(self.kept.iter().map(|kept| PollFd::new(&kept.keep, PollFlags::IN)));
        // What could not be done, as for want of memory, is tried again.
        let owes_turn = self.kept.iter().any(|kept| kept.keep.owes_turn());
        let again = owes_turn.then_some(AGAIN);
        match poll(&mut fds, again.as_ref()) {
            Ok(_) if !fds[0].revents().is_empty() => return Ok(false),
            Ok(_) | Err(Errno::INTR) => {}
            Err(e) => return Err(Error::failed(format!("failed to wait for requests: {e}"))),
        }
        let is_ready: Vec<bool> = fds[2..].iter().map(|fd| !fd.revents().is_empty()).collect();
        for (kept, is_ready) in self.kept.iter_mut().zip(is_ready) {
            if is_ready || kept.keep.owes_turn() {
                kept.turn();
            }
        }
        self.answer()?;
        Ok(true)
    }

    /// Keeps the areas that there are to be now. Those that there were keep what they have.
    fn renew(&mut self, boot: &Boot, sockets: Vec<OwnedFd>) -> Result<()> {
        let places = boot.areas.iter().filter_map(|place| match place.origin {
            Origin::App { len } => Some((place, len)),
            _ => None,
        });
        let places: Vec<(&AreaPlace, u64)> = places.collect();
        self.kept.retain(|kept| places.iter().any(|(place, _)| place.id == kept.id));
        for ((place, len), socket) in places.into_iter().zip(sockets) {
            if self.kept.iter().any(|kept| kept.id == place.id) {
                continue;
            }
            let len = usize::try_from(len).unwrap_or(usize::MAX);
            let keep = Keep::new(Owner::new(socket, boot.generation)?, len)?;
            self.kept.push(Kept { id: place.id, name: place.name.clone(), keep });
        }
        Ok(())
    }

    fn answer(&mut self) -> Result<()> {
        while let (Some(message), sockets) = self.control.try_receive_with_sockets()? {
            if matches!(message, ToChild::Renewed) {
                let (boot, sockets) = role::renewed(sockets)?;
                self.renew(&boot, sockets)?;
            }
            if let ToChild::Report { ask } = message {
                let areas = self.kept.iter().map(|kept| KeptArea {
                    id: kept.id,
                    sequence: kept.keep.owner().sequence(),
                    requests: kept.keep.answered(),
                    subscribers: kept.keep.owner().subscribers(),
                });
                let report = Report::Keep(KeepReport { areas: areas.collect() });
                self.control.send(&FromChild::Report { ask, report });
            }
        }
        Ok(())
    }
}
