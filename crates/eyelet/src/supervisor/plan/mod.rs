//! What is to run: a configuration, and the numbers that its parts have. These never move while the program runs.

use std::collections::BTreeMap;

use crate::config::{App, Config, Listen, Made, Mule, Origin, SourceSpec};
use crate::error::{Error, Result};
use crate::role::Role;

/// A configuration with numbers.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) config: Config,
    /// Every area, by its id.
    pub(super) areas: BTreeMap<usize, Area>,
    /// Every mule, by its number.
    pub(super) mules: BTreeMap<usize, Mule>,
    next_area: usize,
    next_mule: usize,
}

/// An area, and where its frames come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Area {
    pub(super) name: String,
    pub(super) origin: Origin,
}

/// What a role does, as far as its process has to be another one where that changes. What a serve process and the keep
/// process do is told them while they run.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Work {
    Capture(SourceSpec),
    Encode(Made),
    Serve,
    App(App),
    Keep,
    Mule(Mule),
}

impl Plan {
    /// Numbers a configuration: areas in its own order.
    pub(super) fn new(config: Config) -> Self {
        let areas = config.areas().into_iter().enumerate();
        let areas: BTreeMap<usize, Area> = areas
            .map(|(id, (name, origin))| (id, Area { name: name.to_owned(), origin }))
            .collect();
        let mules: BTreeMap<usize, Mule> = config.mules.iter().cloned().enumerate().collect();
        let (next_area, next_mule) = (areas.len(), mules.len());
        Self { config, areas, mules, next_area, next_mule }
    }

    /// Of a configuration nothing yet.
    pub(super) fn nothing(config: Config) -> Self {
        Self { config, areas: BTreeMap::new(), mules: BTreeMap::new(), next_area: 0, next_mule: 0 }
    }

    /// Numbers the next configuration: what was there before keeps its number, what is new gets one behind all that there
    /// ever were.
    ///
    /// # Errors
    /// If something of it cannot be changed while the program runs; says what to do.
    pub(super) fn then(&self, config: Config) -> Result<Self> {
        if config.runtime_folder != self.config.runtime_folder {
            let text = "runtime-dir cannot change while areas lie there: restart the program";
            return Err(Error::refused(text));
        }
        if config.user != self.config.user {
            let text = "user cannot change while the program runs as one: restart the program";
            return Err(Error::refused(text));
        }
        let mut next = Self { config, areas: BTreeMap::new(), mules: BTreeMap::new(), ..*self };
        let numbers = next.number_mules(self);
        next.number_areas(self, &numbers)?;
        Ok(next)
    }

    /// Gives the number of each mule, in the order of the configuration. One is the same if it is told the same, else if
    /// it owns an area of the same name.
    fn number_mules(&mut self, before: &Self) -> Vec<usize> {
        let mut free = before.mules.clone();
        let mut take = |is_it: &dyn Fn(&Mule) -> bool| {
            let number = free.iter().find(|(_, mule)| is_it(mule)).map(|(number, _)| *number)?;
            free.remove(&number);
            Some(number)
        };
        let mules = self.config.mules.clone();
        let same: Vec<Option<usize>> = mules.iter().map(|m| take(&|other| other == m)).collect();
        let mut numbers = Vec::with_capacity(mules.len());
        for (mule, same) in mules.into_iter().zip(same) {
            let owns_the_same = |other: &Mule| mule.area.is_some() && other.area == mule.area;
            let number = same.or_else(|| take(&owns_the_same)).unwrap_or_else(|| {
                self.next_mule += 1;
                self.next_mule - 1
            });
            self.mules.insert(number, mule);
            numbers.push(number);
        }
        numbers
    }

    fn number_areas(&mut self, before: &Self, mule_numbers: &[usize]) -> Result<()> {
        let config = self.config.clone();
        let areas = config.areas();
        let mut ids = Vec::with_capacity(areas.len());
        for (name, origin) in &areas {
            let same = before
                .areas
                .iter()
                .find(|(_, area)| area.name == *name && area.origin.name() == origin.name());
            if let Some((id, Area { origin: Origin::App { len: was }, .. })) = same
                && let Origin::App { len } = origin
                && was != len
            {
                return Err(Error::refused(format!(
                    "area {id} `{name}` has {was} bytes and cannot have {len} while it is used: give it another name, or \
                     restart the program"
                )));
            }
            ids.push(same.map_or_else(
                || {
                    self.next_area += 1;
                    self.next_area - 1
                },
                |(id, _)| *id,
            ));
        }
        for (&id, (name, origin)) in ids.iter().zip(areas) {
            // The configuration counts in its own order.
            let origin = match origin {
                Origin::Derived(Made { of, kind }) => Origin::Derived(Made { of: ids[of], kind }),
                Origin::Mule { mule } => Origin::Mule { mule: mule_numbers[mule] },
                Origin::Camera | Origin::App { .. } => origin,
            };
            self.areas.insert(id, Area { name: name.to_owned(), origin });
        }
        Ok(())
    }

    /// Every role that is wanted, and what it does.
    pub(super) fn roles(&self) -> BTreeMap<Role, Work> {
        let Config { sources, app, app_areas, serve_processes, .. } = &self.config;
        let captures_and_encoders = self.areas.iter().filter_map(|(&id, area)| match area.origin {
            Origin::Camera => {
                let camera = sources.iter().find(|camera| camera.name == area.name)?;
                Some((Role::Capture { area: id }, Work::Capture(camera.source.clone())))
            }
            Origin::Derived(made) => Some((Role::Encode { area: id }, Work::Encode(made))),
            Origin::Mule { .. } | Origin::App { .. } => None,
        });
        let keep = (!app_areas.is_empty()).then_some((Role::Keep, Work::Keep));
        let serves = (0..*serve_processes).map(|index| (Role::Serve { index }, Work::Serve));
        let app = app.iter().map(|app| (Role::App, Work::App(app.clone())));
        let mules = self.mules.iter();
        let mules = mules.map(|(&index, m)| (Role::Mule { index }, Work::Mule(m.clone())));
        captures_and_encoders.chain(keep).chain(serves).chain(app).chain(mules).collect()
    }

    /// Every address to listen on, and which of its kind it is where one is named twice.
    pub(super) fn addresses(&self) -> Vec<(Listen, usize)> {
        let listen = &self.config.listen;
        let nth = |at: usize| listen[..at].iter().filter(|other| **other == listen[at]).count();
        listen.iter().enumerate().map(|(at, listen)| (listen.clone(), nth(at))).collect()
    }
}

#[cfg(test)]
mod tests;
