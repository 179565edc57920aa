//! Questions about cameras' controls on their way from a serve process to a capture role and back, and what was set, for
//! the next process of that role.

use std::collections::BTreeMap;

use crate::control::ToChild;
use crate::error::{Error, Result};
use crate::panel::{Done, Job, Settings};
use crate::role::Role;
use crate::supervisor::child::Child;

/// Questions that may be under way; a serve process gives up before, and asks seldom.
const MOST_OPEN: usize = 256;

/// Whom a question came from: its place among the children, and the number that it gave.
type Asker = (usize, u64);

/// Questions that are under way, and what was set of each camera.
#[derive(Debug, Default)]
pub(super) struct Panels {
    open: BTreeMap<u64, (Asker, usize)>,
    last: u64,
    set: BTreeMap<usize, Settings>,
}

impl Panels {
    /// Opens a question; gives what to send, and to which child: the camera's, or the asker where that cannot answer.
    pub(super) fn ask(
        &mut self,
        asker: Asker,
        area: usize,
        job: Job,
        children: &[Child],
    ) -> (usize, ToChild) {
        let role = Role::Capture { area };
        let is_there = |child: &Child| child.role() == role && child.control().is_some();
        let Some(at) = children.iter().position(is_there) else {
            return refuse(asker, "the process that captures is starting again");
        };
        while self.open.len() >= MOST_OPEN {
            // It was given up long ago.
            self.open.pop_first();
        }
        self.last += 1;
        self.open.insert(self.last, (asker, area));
        (at, ToChild::Panel { ask: self.last, job })
    }

    /// Takes a capture role's answer; gives what to send to which child.
    pub(super) fn answered(
        &mut self,
        ask: u64,
        role: Role,
        outcome: Result<Done>,
    ) -> Option<(usize, ToChild)> {
        // Also where nobody waits any more.
        if let (Role::Capture { area }, Ok(done)) = (role, &outcome) {
            self.set.entry(area).or_default().extend(done.set.clone());
        }
        let ((asker, ask), _) = self.open.remove(&ask)?;
        Some((asker, ToChild::PanelAnswer { ask, outcome }))
    }

    /// A child has ended: gives what to tell those who waited for it.
    pub(super) fn ended(&mut self, at: usize, role: Role) -> Vec<(usize, ToChild)> {
        self.open.retain(|_, ((asker, _), _)| *asker != at);
        let waits = |of: usize| role == Role::Capture { area: of };
        let waiting: Vec<u64> =
            self.open.iter().filter(|(_, (_, of))| waits(*of)).map(|(&ask, _)| ask).collect();
        let asked = waiting.iter().filter_map(|ask| self.open.remove(ask));
        asked.map(|(asker, _)| refuse(asker, "the process that captures has ended")).collect()
    }

    /// Forgets what was set of a source: there is another one now, or none.
    pub(super) fn forget(&mut self, role: Role) {
        if let Role::Capture { area } = role {
            self.set.remove(&area);
        }
    }

    /// Gives what was set of a capture role's source; nothing for other roles.
    pub(super) fn settings(&self, role: Role) -> Settings {
        let Role::Capture { area } = role else { return Settings::new() };
        self.set.get(&area).cloned().unwrap_or_default()
    }
}

fn refuse((asker, ask): Asker, why: &str) -> (usize, ToChild) {
    (asker, ToChild::PanelAnswer { ask, outcome: Err(Error::unavailable(why)) })
}

#[cfg(test)]
mod tests {
    use eyelet_wire::v1::ControlValue;

    use super::*;
    use crate::config::Restart;

    const CAMERA: Role = Role::Capture { area: 2 };

    fn set(id: &str, value: i64) -> Done {
        let settings = [(id.to_owned(), Some(ControlValue::Integer(value)))];
        Done { set: settings.into(), ..Done::default() }
    }

    fn why(message: &ToChild) -> String {
        match message {
            ToChild::PanelAnswer { outcome: Err(error), .. } => error.to_string(),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn a_camera_without_a_process_is_answered_for() {
        let mut panels = Panels::default();
        let children = [Child::new(CAMERA, Restart::default())];
        let (to, message) = panels.ask((7, 1), 2, Job::List, &children);
        assert_eq!(
            (to, why(&message).as_str()),
            (7, "the process that captures is starting again")
        );
        assert!(panels.open.is_empty());
    }

    #[test]
    fn what_was_set_is_remembered_also_when_nobody_waits() {
        let mut panels = Panels::default();
        assert!(panels.answered(1, CAMERA, Ok(set("gain", 3))).is_none());
        assert!(panels.answered(2, CAMERA, Ok(set("gain", 5))).is_none());
        assert!(panels.answered(3, Role::Capture { area: 0 }, Ok(set("gain", 9))).is_none());
        assert_eq!(panels.settings(CAMERA), set("gain", 5).set);
        assert!(panels.settings(Role::Serve { index: 2 }).is_empty());
    }

    #[test]
    fn who_waits_for_a_process_that_ended_is_told() {
        let mut panels = Panels::default();
        panels.open.insert(1, ((7, 70), 2));
        panels.open.insert(2, ((8, 80), 0));
        panels.open.insert(3, ((9, 90), 2));
        // A serve process that ended waits no more.
        assert!(panels.ended(9, Role::Serve { index: 1 }).is_empty());
        let told = panels.ended(0, CAMERA);
        assert_eq!(told.len(), 1);
        assert_eq!(
            (told[0].0, why(&told[0].1).as_str()),
            (7, "the process that captures has ended")
        );
        assert_eq!(panels.open.keys().collect::<Vec<_>>(), [&2]);
        let answer = panels.answered(2, Role::Capture { area: 0 }, Ok(Done::default()));
        assert!(matches!(answer, Some((8, ToChild::PanelAnswer { ask: 80, outcome: Ok(_) }))));
    }
}
