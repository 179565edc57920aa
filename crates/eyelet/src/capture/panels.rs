//! The capture role's part in controls: questions to the panel of the source that is open now, and what is told of it.
//!
//! What was set is set again whenever the source is opened; a camera that was plugged in anew has forgotten it.

use std::collections::BTreeMap;

use eyelet_wire::v1::ControlInfo;

use super::source::Source;
use crate::control::{Control, FromChild};
use crate::error::{Error, Result};
use crate::panel::{Done, Job, News, Settings};

/// What is known of the source's controls.
#[derive(Debug)]
pub(super) struct Panels {
    /// What was asked for, of this process or those before it.
    settings: Settings,
    /// The controls as they were last, by their ids; none before they were listed first.
    known: Option<BTreeMap<String, ControlInfo>>,
    /// Why there is no source; none while there is one.
    away: Option<String>,
    /// Questions that the panel has not answered yet.
    open: Vec<u64>,
}

impl Panels {
    /// Begins with what was set before this process was started.
    pub(super) fn new(settings: Settings) -> Self {
        Self { settings, known: None, away: None, open: Vec::new() }
    }

    /// The source was opened: sets again what was set before.
    pub(super) fn opened(&mut self, source: &mut (dyn Source + 'static), control: &Control) {
        self.away = None;
        if let Some(panel) = source.panel() {
            let job = match self.settings.is_empty() {
                true => Job::List,
                false => Job::Set(self.settings.clone()),
            };
            panel.ask(None, job);
        }
        self.tell_news(Some(source), control);
    }

    /// The source was lost: who waits for its panel need not wait longer.
    pub(super) fn lost(&mut self, why: &str, control: &Control) {
        self.away = Some(why.to_owned());
        for ask in std::mem::take(&mut self.open) {
            answer(control, ask, Err(Error::unavailable(why)));
        }
    }

    /// Passes a question on to the panel, or answers it where there is none.
    pub(super) fn ask(
        &mut self,
        ask: u64,
        job: Job,
        source: Option<&mut (dyn Source + 'static)>,
        control: &Control,
    ) {
        let Some(source) = source else {
            let why = self.away.as_deref().unwrap_or("the source is being opened");
            return answer(control, ask, Err(Error::unavailable(why)));
        };
        match source.panel() {
            Some(panel) => {
                panel.ask(Some(ask), job);
                self.open.push(ask);
                self.tell_news(Some(source), control);
            }
            None => answer(control, ask, Ok(without_controls(job))),
        }
    }

    /// Tells what the panel has to say.
    pub(super) fn tell_news(
        &mut self,
        source: Option<&mut (dyn Source + 'static)>,
        control: &Control,
    ) {
        let Some(panel) = source.and_then(|source| source.panel()) else { return };
        while let Some(News { tag, outcome }) = panel.news() {
            if let Ok(done) = &outcome {
                self.note(done, tag.is_some(), control);
            }
            if let Some(ask) = tag {
                self.open.retain(|open| *open != ask);
                answer(control, ask, outcome);
            }
        }
    }

    /// Remembers how the controls are now, and tells what has changed.
    fn note(&mut self, done: &Done, is_asked: bool, control: &Control) {
        if is_asked {
            self.settings.extend(done.set.clone());
        } else {
            for (id, why) in &done.errors {
                log::warn!("control `{id}` could not be set again: it {why}");
            }
        }
        let now = done.controls.iter().map(|control| (control.id.clone(), control.clone()));
        let before = self.known.replace(now.collect());
        let Some(before) = before else { return };
        let is_another = |control: &&ControlInfo| before.get(&control.id) != Some(control);
        let changed: Vec<ControlInfo> = done.controls.iter().filter(is_another).cloned().collect();
        if !changed.is_empty() {
            control.send(&FromChild::ControlsChanged(changed));
        }
    }
}

/// What comes of a job where nothing can be set.
fn without_controls(job: Job) -> Done {
    let settings = match job {
        Job::Set(settings) => settings,
        Job::List | Job::Reset => Settings::new(),
    };
    let why = "is not there: this source has no controls";
    let errors = settings.into_keys().map(|id| (id, why.to_owned())).collect();
    Done { errors, ..Done::default() }
}

fn answer(control: &Control, ask: u64, outcome: Result<Done>) {
    control.send(&FromChild::Panel { ask, outcome });
}
