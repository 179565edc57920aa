//! What is done to the program: a seed makes an endless sequence of steps, the same each time.

use std::fmt;

use eyelet_harness::Random;

/// A source of the stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Camera {
    /// The test picture; who must not notice watches this one.
    Bars,
    /// A command that writes JPEG pictures, and fails as cameras do.
    Pipe,
    /// A file that is played.
    Clip,
}

impl Camera {
    /// All, in the order of their ids.
    pub(crate) const ALL: [Self; 3] = [Self::Bars, Self::Pipe, Self::Clip];

    pub(crate) fn id(self) -> usize {
        match self {
            Self::Bars => 0,
            Self::Pipe => 1,
            Self::Clip => 2,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Bars => "bars",
            Self::Pipe => "pipe",
            Self::Clip => "clip",
        }
    }
}

/// A process of the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    Supervisor,
    Capture(Camera),
    /// The one that makes JPEG of [`Camera::Bars`].
    Encode,
    Keep,
    Serve(usize),
    App,
    Mule,
}

impl Who {
    /// All to whom something can happen.
    pub(crate) const ALL: [Self; 10] = [
        Self::Supervisor,
        Self::Capture(Camera::Bars),
        Self::Capture(Camera::Pipe),
        Self::Capture(Camera::Clip),
        Self::Encode,
        Self::Keep,
        Self::Serve(0),
        Self::Serve(1),
        Self::App,
        Self::Mule,
    ];
}

/// What a process has no more of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Resource {
    /// The table of descriptors is full: no memfd, no connection, no pipe more.
    Descriptors,
    /// Files may not grow: as a full `/dev/shm`, a frame cannot be written.
    Files,
    /// Address space: nothing more can be mapped or allocated.
    Memory,
}

/// How the command of [`Camera::Pipe`] fails while it lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// Unplugged: it ends, and ends at once when it is started again.
    Gone,
    Stall,
    /// Each second picture is cut in half.
    Half,
    /// Bytes that are no picture between the pictures.
    Chatter,
    /// Pictures of another size.
    OtherSize,
    /// Many more pictures than it was asked for.
    Burst,
}

/// What happens to the file of [`Camera::Clip`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Harm {
    Vanish,
    Replace,
    Shorten,
}

/// A fault: it begins, lasts a while, and is taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    Kill(Who),
    /// SIGSTOP, and SIGCONT in the end.
    Freeze(Who),
    Starve(Who, Resource),
    Pipe(Trouble),
    Clip(Harm),
    /// Viewers whose connection breaks in the middle of a frame.
    Cut(u64),
    /// Viewers that read a little now and then.
    Sip(u64),
    /// Viewers that read nothing.
    Deaf(u64),
    /// Clients that come, get what they ask for, and leave in order.
    Visit(u64),
    /// Connections that say nothing, all at once.
    Flood(u64),
    /// Requests that are never finished.
    HalfHeads(u64),
    /// Random bytes where WebSocket frames are expected.
    Nonsense(u64),
    /// Random messages and unpaid credit on the socket of an area.
    AreaNonsense(u64),
    /// SIGHUP with a script that is no script: the one before goes on.
    BrokenReload,
    /// SIGHUP with a script that is right.
    Reload,
    /// The wall clock jumps by so many seconds, for all processes of the tree.
    Clock(i64),
}

/// One step of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) number: u64,
    /// All of them together; one to three.
    pub(crate) faults: Vec<Fault>,
    /// How long they last.
    pub(crate) hold_ms: u64,
}

/// Gives the step of this number.
pub(crate) fn step(seed: u64, number: u64) -> Step {
    let mut random = Random::new(seed, number);
    let mut faults = vec![fault(&mut random)];
    for _ in 0..random.pick(&[0, 0, 0, 1, 1, 2]) {
        let another = fault(&mut random);
        if !faults.iter().any(|fault| fault.excludes(another)) {
            faults.push(another);
        }
    }
    // A file is looked at once a second, and some faults show only when they last.
    let is_slow = faults.iter().any(|fault| matches!(fault, Fault::Clip(_)));
    let hold_ms = match (is_slow, random.below(30)) {
        (true, _) => random.within(1000, 1400),
        (false, 0) => random.within(300, 3000),
        (false, _) => random.within(10, 250),
    };
    Step { number, faults, hold_ms }
}

fn fault(random: &mut Random) -> Fault {
    const CLOCK: [i64; 6] = [-86_400 * 400, -3600, -1, 1, 3600, 86_400 * 365 * 20];
    const TROUBLES: [Trouble; 6] = [
        Trouble::Gone,
        Trouble::Stall,
        Trouble::Half,
        Trouble::Chatter,
        Trouble::OtherSize,
        Trouble::Burst,
    ];
    match random.below(100) {
        0..=21 => Fault::Kill(role(random)),
        22..=34 => Fault::Freeze(if random.below(8) == 0 { Who::Supervisor } else { role(random) }),
        35..=46 => starve(random),
        47..=58 => Fault::Pipe(random.pick(&TROUBLES)),
        59..=61 => Fault::Clip(random.pick(&[Harm::Vanish, Harm::Replace, Harm::Shorten])),
        62..=65 => Fault::Cut(random.within(1, 10)),
        66..=69 => Fault::Sip(random.within(1, 10)),
        70..=73 => Fault::Deaf(random.within(1, 20)),
        74..=79 => Fault::Visit(random.within(1, 20)),
        80..=82 => Fault::Flood(random.within(20, 200)),
        83..=85 => Fault::HalfHeads(random.within(1, 40)),
        86..=89 => Fault::Nonsense(random.number()),
        90..=93 => Fault::AreaNonsense(random.number()),
        94..=95 => Fault::BrokenReload,
        96..=97 => Fault::Reload,
        _ => Fault::Clock(random.pick(&CLOCK)),
    }
}

fn role(random: &mut Random) -> Who {
    match random.below(9) {
        0 | 1 => Who::Capture(Camera::Bars),
        2 => Who::Capture(random.pick(&Camera::ALL)),
        3 => Who::Encode,
        4 => Who::Keep,
        5 => Who::Serve(0),
        6 => Who::Serve(1),
        7 => Who::App,
        _ => Who::Mule,
    }
}

fn starve(random: &mut Random) -> Fault {
    let of_ours = [
        Who::Capture(Camera::Bars),
        Who::Capture(Camera::Pipe),
        Who::Encode,
        Who::Serve(0),
        Who::Serve(1),
        Who::Keep,
    ];
    match random.below(5) {
        // Without memory it ends, and all with it, which is as it should be: everything else it must bear.
        0 => Fault::Starve(Who::Supervisor, Resource::Descriptors),
        1 => Fault::Starve(random.pick(&of_ours), Resource::Files),
        2 => Fault::Starve(random.pick(&of_ours), Resource::Memory),
        _ => Fault::Starve(random.pick(&of_ours), Resource::Descriptors),
    }
}

impl Fault {
    /// Tells whether the two cannot be had at the same time, because each would take the other back.
    fn excludes(self, other: Self) -> bool {
        let is_reload = |fault| matches!(fault, Self::Reload | Self::BrokenReload);
        let same_kind = std::mem::discriminant(&self) == std::mem::discriminant(&other);
        let is_single = matches!(self, Self::Pipe(_) | Self::Clip(_) | Self::Clock(_));
        (same_kind && is_single)
            || self == other
            || (is_reload(self) && is_reload(other))
            || matches!((self.victim(), other.victim()), (Some(a), Some(b)) if a == b)
    }

    /// The process that it happens to, where it is one.
    pub(crate) fn victim(self) -> Option<Who> {
        match self {
            Self::Kill(who) | Self::Freeze(who) | Self::Starve(who, _) => Some(who),
            Self::Reload | Self::BrokenReload => Some(Who::App),
            _ => None,
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "step {}: {:?} for {} ms", self.number, self.faults, self.hold_ms)
    }
}

#[test]
fn a_seed_makes_the_same_steps_each_time_and_another_one_others() {
    let plan = |seed| (0..200).map(|number| step(seed, number)).collect::<Vec<_>>();
    assert_eq!(plan(7), plan(7));
    assert_ne!(plan(7), plan(8));
    let all: Vec<Fault> = plan(7).into_iter().flat_map(|step| step.faults).collect();
    // What must happen in so many steps, or the numbers are not random.
    for wanted in [
        Fault::Kill(Who::Capture(Camera::Bars)),
        Fault::Freeze(Who::Serve(0)),
        Fault::Starve(Who::Supervisor, Resource::Descriptors),
        Fault::Pipe(Trouble::Gone),
        Fault::Reload,
    ] {
        assert!(all.contains(&wanted), "{wanted:?} is not among {} faults", all.len());
    }
}
