//! What the supervisor owns for its children: sockets that outlive them, and what they are told.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{Gid, Mode, Uid};

use crate::accounts::Account;
use crate::config::{Config, Listen, Origin};
use crate::error::{Error, Result};
use crate::role::AreaPlace;
use crate::supervisor::difference::Difference;
use crate::supervisor::entry::Entry;
use crate::supervisor::listeners::{self, Bound};
use crate::supervisor::plan::{Area, Plan};
use crate::supervisor::runtime_folder::RuntimeFolder;
use crate::users::SessionKey;

/// What the supervisor owns for its children.
#[derive(Debug)]
pub(super) struct Estate {
    pub(super) plan: Plan,
    /// Removed when the supervisor ends.
    folder: RuntimeFolder,
    /// Every area and its socket, in the order of the ids.
    pub(super) areas: Vec<(AreaPlace, OwnedFd)>,
    pub(super) listeners: Vec<Listener>,
    /// Counts listeners, so that each has a number of its own.
    listener_count: u64,
    pub(super) app: Option<AppSocket>,
    /// Those of apps that are being replaced: requests that are under way end there.
    old_apps: Vec<AppSocket>,
    /// Counts them, so that each has a path of its own.
    app_count: u64,
    /// The user that this is, if it became one.
    pub(super) account: Option<Account>,
    /// What serve processes sign sessions with; it lives as long as the program.
    pub(super) session_key: SessionKey,
    /// The link that lets one browser in.
    pub(super) entry: Entry,
    /// Where the packages for the user's programs lie, if there are any.
    pub(super) packages: Option<PathBuf>,
}

/// A socket that viewers connect to.
#[derive(Debug)]
pub(super) struct Listener {
    /// Never moves.
    pub(super) number: u64,
    /// What asked for it, and which of its kind it is.
    pub(super) wanted: (Listen, usize),
    /// What it really is.
    pub(super) address: Bound,
    pub(super) socket: OwnedFd,
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Bound::Unix(path) = &self.address {
            std::fs::remove_file(path).ok();
        }
    }
}

/// The socket that serve processes reach the app host by.
#[derive(Debug)]
pub(super) struct AppSocket {
    pub(super) path: PathBuf,
    pub(super) socket: OwnedFd,
}

impl Drop for AppSocket {
    fn drop(&mut self) {
        std::fs::remove_file(&self.path).ok();
    }
}

/// What a new plan needs and may not be had.
#[derive(Debug, Default)]
struct Needs {
    areas: Vec<(AreaPlace, OwnedFd)>,
    listeners: Vec<Listener>,
    app: Option<AppSocket>,
    packages: Option<PathBuf>,
}

/// What a change of plans comes to in sockets.
#[derive(Debug)]
pub(super) struct Turnover {
    pub(super) areas: Difference<usize, Area>,
    pub(super) addresses: Difference<(Listen, usize), ()>,
}

impl Estate {
    /// Makes all that a plan needs.
    ///
    /// # Errors
    /// When a port or the runtime folder cannot be had.
    pub(super) fn make(plan: Plan) -> Result<Self> {
        // First what others may have.
        let listeners = bind(plan.addresses(), &[], 0)?;
        warn_of_openness(&plan.config, &listeners);
        // Then for good, before anything is made that others of this user are to reach.
        let account = plan.config.user.as_deref().map(Account::find).transpose()?;
        if let Some(account) = &account {
            hand_over(account, &listeners, plan.config.runtime_folder.as_deref())?;
            account.become_it()?;
        } else if rustix::process::geteuid().is_root()
            && std::env::var_os("INVOCATION_ID").is_some()
        {
            log::warn!("this runs as root, and need not: --user NAME");
        }
        let folder = RuntimeFolder::make(plan.config.runtime_folder.as_deref())?;
        let nothing = Plan::nothing(plan.config.clone());
        let listener_count = listeners.len() as u64;
        let mut estate = Self {
            plan: nothing,
            folder,
            areas: Vec::new(),
            listeners,
            listener_count,
            app: None,
            old_apps: Vec::new(),
            app_count: 0,
            account,
            session_key: SessionKey::make()?,
            entry: Entry::make()?,
            packages: None,
        };
        estate.turn_to(plan)?;
        Ok(estate)
    }

    /// Makes what a new plan needs beside what there is, and lets go of the rest.
    ///
    /// # Errors
    /// When something cannot be had: then everything is as it was.
    pub(super) fn turn_to(&mut self, plan: Plan) -> Result<Turnover> {
        let bound = self.listeners.iter().map(|listener| (listener.wanted.clone(), ())).collect();
        let wanted = plan.addresses().into_iter().map(|address| (address, ())).collect();
        let turnover = Turnover {
            areas: Difference::between(&self.plan.areas, &plan.areas),
            addresses: Difference::between(&bound, &wanted),
        };
        let needs = self.fetch(&plan, &turnover)?;
        for (place, _) in self.areas.extract_if(.., |(p, _)| turnover.areas.gone.contains(&p.id)) {
            // Who follows it learns from its owner's end.
            std::fs::remove_file(&place.path).ok();
        }
        for (place, _) in &mut self.areas {
            if let Some(area) = plan.areas.get(&place.id) {
                place.origin = area.origin;
            }
        }
        self.areas.extend(needs.areas);
        self.areas.sort_by_key(|(place, _)| place.id);
        self.listeners.retain(|l| !turnover.addresses.gone.contains(&l.wanted));
        self.listener_count += needs.listeners.len() as u64;
        if plan.config.access.is_open() && !self.plan.config.access.is_open() {
            warn_of_openness(&plan.config, &self.listeners);
        }
        warn_of_openness(&plan.config, &needs.listeners);
        self.listeners.extend(needs.listeners);
        if plan.config.app != self.plan.config.app || needs.app.is_some() {
            self.app_count += 1;
            self.old_apps.extend(std::mem::replace(&mut self.app, needs.app));
        }
        self.packages = needs.packages.or(self.packages.take());
        self.plan = plan;
        Ok(turnover)
    }

    fn fetch(&self, plan: &Plan, turnover: &Turnover) -> Result<Needs> {
        let addresses = turnover.addresses.new.iter().map(|(wanted, ())| wanted.clone()).collect();
        let mut needs = Needs {
            listeners: bind(addresses, &self.listeners, self.listener_count)?,
            ..Needs::default()
        };
        let config = &plan.config;
        if config.app.is_some() && config.app != self.plan.config.app || self.is_without_app(config)
        {
            let name = match self.app_count {
                0 => "app.sock".to_owned(),
                n => format!("app-{n}.sock"),
            };
            let (path, socket) = listeners::listen_for_app(&self.folder.path().join(name))?;
            needs.app = Some(AppSocket { path, socket });
        }
        let has_programs = config.app.is_some() || !plan.mules.is_empty();
        if has_programs && self.packages.is_none() {
            needs.packages = Some(self.folder.install_packages()?);
        }
        for (id, Area { name, origin }) in &turnover.areas.new {
            let path = self.folder.path().join(format!("{id}-{name}"));
            let socket = eyelet_area::listen(&path, 0o600).inspect_err(|_| needs.forget_areas())?;
            let place = AreaPlace { id: *id, name: name.clone(), path, origin: *origin };
            needs.areas.push((place, socket));
        }
        Ok(needs)
    }

    /// Tells whether there is an app that has no socket yet.
    fn is_without_app(&self, config: &Config) -> bool {
        config.app.is_some() && self.app.is_none()
    }

    /// The sockets of the areas that have this origin, in the order of their ids.
    pub(super) fn areas_of(&self, wanted: impl Fn(Origin) -> bool) -> Vec<&OwnedFd> {
        let areas = self.areas.iter().filter(|(place, _)| wanted(place.origin));
        areas.map(|(_, socket)| socket).collect()
    }

    /// The socket of an area.
    pub(super) fn area(&self, id: usize) -> Option<&OwnedFd> {
        self.areas.iter().find(|(place, _)| place.id == id).map(|(_, socket)| socket)
    }

    /// The host of an app that was replaced has ended: the first, as they end in their order.
    pub(super) fn forget_old_app(&mut self) {
        if !self.old_apps.is_empty() {
            self.old_apps.remove(0);
        }
    }

    /// What is really listened on.
    pub(super) fn addresses(&self) -> Vec<Bound> {
        self.listeners.iter().map(|listener| listener.address.clone()).collect()
    }
}

impl Needs {
    fn forget_areas(&self) {
        for (place, _) in &self.areas {
            std::fs::remove_file(&place.path).ok();
        }
    }
}

/// Gives a user what was made for it before: sockets in the file system, and the folder that was asked for.
fn hand_over(account: &Account, listeners: &[Listener], folder: Option<&Path>) -> Result<()> {
    let failed = |path: &Path, e: &dyn std::fmt::Display| {
        Error::failed(format!("failed to give `{}` to `{}`: {e}", path.display(), account.name))
    };
    let (uid, gid) = (Some(Uid::from_raw(account.uid)), Some(Gid::from_raw(account.gid)));
    for listener in listeners {
        if let (Bound::Unix(path), Listen::Unix(wanted)) = (&listener.address, &listener.wanted.0) {
            let gid = gid.filter(|_| wanted.group.is_none());
            rustix::fs::chown(path, uid, gid).map_err(|e| failed(path, &e))?;
        }
    }
    if let Some(folder) = folder.filter(|folder| !folder.exists()) {
        std::fs::create_dir(folder).map_err(|e| failed(folder, &e))?;
        rustix::fs::chmod(folder, Mode::RWXU).map_err(|e| failed(folder, &e))?;
        rustix::fs::chown(folder, uid, gid).map_err(|e| failed(folder, &e))?;
    }
    Ok(())
}

/// Says where anybody may watch who reaches this machine.
fn warn_of_openness(config: &Config, listeners: &[Listener]) {
    let reached = listeners.iter().filter(|listener| !listener.wanted.0.is_loopback());
    for Listener { wanted: (listen, _), .. } in reached.filter(|_| config.access.is_open()) {
        log::warn!(
            "listening on {listen}: everybody who reaches this machine can watch; --users lets in only those who may"
        );
    }
}

/// Binds addresses beside those that are bound.
fn bind(addresses: Vec<(Listen, usize)>, bound: &[Listener], count: u64) -> Result<Vec<Listener>> {
    let listeners = addresses.into_iter().zip(count..).map(|(wanted, number)| {
        let is_the_same = |listener: &&Listener| match (&listener.wanted.0, &wanted.0) {
            (Listen::Unix(there), Listen::Unix(wanted)) => there.path == wanted.path,
            (there, wanted) => there.port() == wanted.port() && wanted.port() != 0,
        };
        let (socket, address) =
            listeners::bind(&wanted.0).map_err(|e| match bound.iter().find(is_the_same) {
                Some(other) => Error::refused(format!(
                    "{e}; this program listens on `{}` itself: take another, or restart it",
                    other.wanted.0
                )),
                None => e,
            })?;
        Ok(Listener { number, wanted, address, socket })
    });
    listeners.collect()
}
