//! The lines that a start prints: what each camera is, where its area lies, where to look.
//!
//! The words of the first five are those of the old program, which scripts look for.

use std::collections::BTreeSet;
use std::io::{IsTerminal as _, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::config::{Anonymous, Lan, Origin};
use crate::control::Opened;
use crate::error::Error;
use crate::qr;
use crate::role::{AreaPlace, Role};
use crate::supervisor::estate::Estate;
use crate::supervisor::lan;
use crate::supervisor::listeners::Bound;

/// Longest wait for cameras before the address is printed without them; a slow one says its lines later.
const PATIENCE: Duration = Duration::from_secs(2);

/// Bytes of a page, as the old program counted areas.
const PAGE_LEN: u64 = 4096;

#[derive(Debug)]
pub(super) struct Announcement {
    areas: Vec<AreaPlace>,
    addresses: Vec<Bound>,
    /// `http` or `https`.
    scheme: &'static str,
    lan: Option<Lan>,
    /// What stands behind an address for another device, where it needs that to be let in.
    link: Option<String>,
    awaited: BTreeSet<usize>,
    introduced: BTreeSet<usize>,
    deadline: Option<Instant>,
}

impl Announcement {
    pub(super) fn new(estate: &Estate) -> Self {
        let areas: Vec<AreaPlace> = places(estate);
        let cameras = areas.iter().filter(|place| place.origin == Origin::Camera);
        Self {
            awaited: cameras.map(|place| place.id).collect(),
            introduced: BTreeSet::new(),
            areas,
            addresses: estate.addresses(),
            scheme: scheme(estate),
            lan: estate.plan.config.lan,
            link: link(estate),
            deadline: Some(Instant::now() + PATIENCE),
        }
    }

    /// A reload has made areas and listeners others: says what is new. Cameras are introduced when they are open.
    pub(super) fn renew(&mut self, estate: &Estate) {
        let old = std::mem::replace(&mut self.areas, places(estate));
        self.link = link(estate);
        let addresses = std::mem::replace(&mut self.addresses, estate.addresses());
        let scheme = std::mem::replace(&mut self.scheme, scheme(estate));
        let is_there = |id: &usize| self.areas.iter().any(|place| place.id == *id);
        self.awaited.retain(is_there);
        if self.deadline.is_some() {
            // All of it is still to be said.
            return;
        }
        let is_new = |place: &&AreaPlace| {
            place.origin != Origin::Camera && !old.iter().any(|known| known.id == place.id)
        };
        let new_addresses = self.addresses.iter().filter(|address| {
            !addresses.contains(address)
                || scheme != self.scheme && matches!(address, Bound::Tcp(_))
        });
        let listens = new_addresses.map(|address| listens(address, self.scheme));
        let lines = self.areas.iter().filter(is_new).map(line).chain(listens);
        say(&lines.collect::<Vec<_>>());
    }

    /// Somebody came in by the link: the next one is another.
    pub(super) fn renew_link(&mut self, estate: &Estate) {
        self.link = link(estate);
        if let Some(best) = lan::urls(&tcp(&self.addresses), self.scheme).first()
            && let Some(link) = &self.link
        {
            say(&[format!("one has come in by the link; the next one is {best}{link}")]);
        }
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// A capture role opened its source; introduces it at the first time.
    pub(super) fn opened(&mut self, role: Role, opened: &Opened) {
        let Role::Capture { area } = role else { return };
        let Some(place) = self.areas.iter().find(|place| place.id == area) else { return };
        if self.introduced.insert(area) {
            let Opened { name, width, height, fourcc, len, .. } = opened;
            // Compressed frames have no fixed length; the driver's estimate for the old program was the raw size.
            let len = if *len > 0 { *len } else { u64::from(*width) * u64::from(*height) * 2 };
            let mut lines = vec![
                format!("{name} detected width = {width}"),
                format!("{name} detected height = {height}"),
                format!("{name} detected format = {fourcc}"),
                format!(
                    "sharedarea {area} created at {} ({} pages, {len} bytes a frame)",
                    place.path.display(),
                    len.div_ceil(PAGE_LEN)
                ),
                format!("{name} started streaming frames to sharedarea {area}"),
            ];
            let derived = self.areas.iter().filter(|place| place.of() == Some(area));
            lines.extend(derived.map(line));
            say(&lines);
        }
        self.settled(area);
    }

    /// A capture role could not open its source yet.
    pub(super) fn lost(&mut self, role: Role, error: &Error) {
        let Role::Capture { area } = role else { return };
        if self.awaited.contains(&area) {
            say(&[format!("sharedarea {area} waits: {error}")]);
        }
        self.settled(area);
    }

    /// A child ended before it said anything.
    pub(super) fn ended(&mut self, role: Role) {
        if let Role::Capture { area } = role {
            self.settled(area);
        }
    }

    fn settled(&mut self, area: usize) {
        self.awaited.remove(&area);
        if self.awaited.is_empty() {
            self.print_addresses();
        }
    }

    /// Says nothing more: the program is ending.
    pub(super) fn cancel(&mut self) {
        self.deadline = None;
    }

    /// Prints the addresses when the patience is over.
    pub(super) fn look(&mut self, now: Instant) {
        if self.deadline.is_some_and(|deadline| deadline <= now) {
            self.print_addresses();
        }
    }

    fn print_addresses(&mut self) {
        if self.deadline.take().is_some() {
            let is_camera =
                |id| self.areas.iter().any(|p| p.id == id && p.origin == Origin::Camera);
            // Those of cameras were introduced with them.
            let others = self.areas.iter().filter(|place| !is_camera(place.camera()));
            let addresses = self.addresses.iter().map(|address| listens(address, self.scheme));
            say(&others.map(line).chain(addresses).collect::<Vec<_>>());
            if let Some(lan) = self.lan {
                say(&for_other_devices(
                    &lan::urls(&tcp(&self.addresses), self.scheme),
                    lan,
                    self.link.as_deref(),
                ));
            }
        }
    }
}

/// The addresses to open on other devices, and a code of the first where it is wanted.
fn for_other_devices(urls: &[String], lan: Lan, link: Option<&str>) -> Vec<String> {
    let Some(best) = urls.first() else {
        return vec!["no other device reaches this machine: connect it to a network".to_owned()];
    };
    let has_code = match lan {
        Lan::Auto => std::io::stdout().is_terminal(),
        Lan::Qr => true,
        Lan::Plain => false,
    };
    let (link, once) = link.map_or(("", ""), |link| (link, ", which works once"));
    let code = has_code.then(|| qr::draw(&format!("{best}{link}"))).flatten().unwrap_or_default();
    let lines = urls.iter().map(|url| format!("open {url}{link} on another device{once}"));
    lines.chain(code).collect()
}

/// The link, where other devices are told of and somebody has to show who it is.
fn link(estate: &Estate) -> Option<String> {
    let config = &estate.plan.config;
    let is_needed = config.lan.is_some() && config.access.anonymous != Anonymous::All;
    is_needed.then(|| estate.entry.path())
}

fn places(estate: &Estate) -> Vec<AreaPlace> {
    estate.areas.iter().map(|(area, _)| AreaPlace::clone(area)).collect()
}

fn listens(address: &Bound, scheme: &str) -> String {
    match address {
        Bound::Tcp(address) => format!("listening on {scheme}://{address}"),
        Bound::Unix(path) => format!("listening on unix:{}", path.display()),
    }
}

fn scheme(estate: &Estate) -> &'static str {
    if estate.plan.config.tls.is_some() { "https" } else { "http" }
}

/// Those that other devices may reach.
fn tcp(addresses: &[Bound]) -> Vec<SocketAddr> {
    let tcp = addresses.iter().filter_map(|address| match address {
        Bound::Tcp(address) => Some(*address),
        Bound::Unix(_) => None,
    });
    tcp.collect()
}

/// Says what an area is that is no camera's.
fn line(AreaPlace { id, name, path, origin }: &AreaPlace) -> String {
    let what = match origin {
        Origin::Camera => "a camera's".to_owned(),
        Origin::Derived(made) => format!("made of sharedarea {} while somebody watches", made.of),
        Origin::Mule { mule } => format!("which mule {mule} owns"),
        Origin::App { len } => format!("{len} bytes of application data"),
    };
    format!("sharedarea {id} is {name} at {}, {what}", path.display())
}

fn say(lines: &[String]) {
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    // Standard output may be closed; the program goes on.
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).ok();
}
