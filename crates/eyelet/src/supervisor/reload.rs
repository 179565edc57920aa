//! SIGHUP: the configuration is read again, and what has changed is changed while the rest goes on.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::error::Result;
use crate::role::Role;
use crate::supervisor::child::Child;
use crate::supervisor::difference::Difference;
use crate::supervisor::estate::Turnover;
use crate::supervisor::plan::Work;
use crate::supervisor::{AFTER_STREAMS, Supervisor, spawn};

impl Supervisor {
    /// Reads the configuration again and becomes what it says. One that is wrong, or cannot be had while the program
    /// runs, changes nothing. Where nothing has changed the app is loaded again.
    pub(super) fn reload(&mut self) {
        if self.stop.is_some() {
            return;
        }
        match self.turn_to_what_is_said() {
            Ok(Some(changes)) => log::info!("the configuration is another one: {changes}"),
            Ok(None) => self.load_app_again(),
            Err(error) => {
                for line in error.to_string().lines() {
                    log::error!("{line}");
                }
                log::error!("nothing has changed: the configuration stays as it was");
            }
        }
    }

    /// Gives what has changed, in words; nothing if nothing has.
    fn turn_to_what_is_said(&mut self) -> Result<Option<String>> {
        let config = (self.reread)()?;
        if config == self.estate.plan.config {
            return Ok(None);
        }
        let plan = self.estate.plan.then(config)?;
        let restart = plan.config.restart;
        let has_other_rules = restart != self.estate.plan.config.restart;
        let roles = Difference::between(&self.estate.plan.roles(), &plan.roles());
        let turnover = self.estate.turn_to(plan)?;
        let changes = describe(&roles, &turnover);
        // Before its owner ends, so that nobody waits for an area that does not come back.
        self.tell_what_is_new(&roles);
        self.change_roles(roles);
        for child in self.children.iter_mut().filter(|_| has_other_rules) {
            child.set_restart(restart);
        }
        self.announcement.renew(&self.estate);
        Ok(Some(changes))
    }

    /// Tells those that can become others while they run.
    fn tell_what_is_new(&mut self, roles: &Difference<Role, Work>) {
        let (now, patience) = (Instant::now(), self.patience());
        for child in self.children.iter_mut().filter(|child| child.is_current()) {
            let role = child.role();
            let is_told = role.is_serve() || role == Role::Keep;
            let Some(control) = child.control().filter(|_| is_told && !roles.gone.contains(&role))
            else {
                continue;
            };
            // That of the process that there is.
            let generation = child.generation().saturating_sub(1);
            if let Err(e) = spawn::renew(role, generation, &self.estate, control) {
                log::error!("{e}; {role} is started again");
                child.replace(now, patience);
            }
        }
    }

    fn change_roles(&mut self, roles: Difference<Role, Work>) {
        let (now, patience) = (Instant::now(), self.patience());
        let restart = self.estate.plan.config.restart;
        let (changed_apps, changed): (Vec<_>, Vec<_>) =
            roles.changed.into_iter().partition(|(role, _)| *role == Role::App);
        let (replaced, mut added): (Vec<Role>, Vec<Role>) = (
            changed.into_iter().map(|(role, _)| role).collect(),
            roles.new.into_iter().map(|(role, _)| role).collect(),
        );
        // Another app has a socket of its own, so that both can be there while the old one's requests end.
        let mut retired = roles.gone;
        for (role, _) in changed_apps {
            retired.push(role);
            added.push(role);
        }
        for child in self.children.iter_mut().filter(|child| child.is_wanted()) {
            let role = child.role();
            if retired.contains(&role) {
                // Its requests have as long as streams have.
                let grace = if role == Role::App { patience } else { Duration::ZERO };
                child.retire(now + grace, patience);
                self.panels.forget(role);
            } else if replaced.contains(&role) {
                child.replace(now, patience);
                self.panels.forget(role);
            }
        }
        for role in added {
            let mut child = Child::new(role, restart);
            child.is_vital = false;
            match self.children.iter_mut().find(|child| child.is_free()) {
                Some(place) => *place = child,
                None => self.children.push(child),
            }
        }
        // Who is asked at once need not wait for the next turn.
        self.kill_overdue(now);
    }

    /// How long a process may take to end.
    fn patience(&self) -> Duration {
        self.estate.plan.config.limits.stop_timeout + AFTER_STREAMS
    }

    /// Its host lets what is under way end with the old one.
    fn load_app_again(&self) {
        let is_app = |child: &&Child| child.role() == Role::App && child.is_current();
        match self.children.iter().find(is_app).and_then(Child::pid) {
            Some(pid) => {
                log::info!("the configuration is the same; the app is loaded again");
                // The host alone: it tells its own children.
                rustix::process::kill_process(pid, Signal::HUP).ok();
            }
            None => log::info!("the configuration is the same, and there is no app to load again"),
        }
    }
}

/// Says in one line what a reload changes.
fn describe(roles: &Difference<Role, Work>, turnover: &Turnover) -> String {
    let mut parts = Vec::new();
    let mut list = |what: &str, roles: Vec<&Role>| {
        let roles: Vec<String> = roles.into_iter().map(ToString::to_string).collect();
        if !roles.is_empty() {
            parts.push(format!("{what} {}", roles.join(", ")));
        }
    };
    list("ended", roles.gone.iter().collect());
    list("started", roles.new.iter().map(|(role, _)| role).collect());
    list("replaced", roles.changed.iter().map(|(role, _)| role).collect());
    let areas = |what: &str, names: Vec<String>| {
        (!names.is_empty()).then(|| format!("{what} {}", names.join(", ")))
    };
    parts.extend(areas(
        "new areas",
        turnover.areas.new.iter().map(|(id, area)| format!("{id} = {}", area.name)).collect(),
    ));
    parts.extend(areas(
        "areas taken away",
        turnover.areas.gone.iter().map(ToString::to_string).collect(),
    ));
    let named = |(listen, _): &(crate::config::Listen, usize)| listen.to_string();
    parts.extend(areas(
        "listening on",
        turnover.addresses.new.iter().map(|(address, ())| named(address)).collect(),
    ));
    parts.extend(areas("no more on", turnover.addresses.gone.iter().map(named).collect()));
    if parts.is_empty() {
        parts.push("every process goes on".to_owned());
    }
    parts.join("; ")
}
