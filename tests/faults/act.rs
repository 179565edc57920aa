//! Making a fault happen, and taking it back.

use std::fs;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail, ensure};
use eyelet_harness::{Process, Random, Signal, wait_until};
use rustix::io::Errno;
use rustix::process::{Pid, Resource as Limited, Rlimit, prlimit};

use crate::crowd::{self, Sippers, Visitors};
use crate::plan::{Camera, Fault, Harm, Resource, Trouble, Who};
use crate::stage::Stage;

/// Takes a fault back.
pub(crate) type Undo = Box<dyn FnOnce() -> Result<()>>;

/// Makes a fault happen; none where there is nobody to whom it could happen.
///
/// # Errors
/// It could not be made, which is the harness's failure, or what it shows at once is not as it should be.
pub(crate) fn begin(stage: &Arc<Stage>, fault: Fault, random: &mut Random) -> Result<Option<Undo>> {
    let on = Arc::clone(stage);
    Ok(Some(match fault {
        Fault::Kill(who) => {
            let Some(victim) = stage.find(who) else { return Ok(None) };
            signal(&victim, Signal::KILL)?;
            Box::new(move || wait_until("end of who was killed", || !victim.is_alive()))
        }
        Fault::Freeze(who) => {
            let Some(victim) = stage.find(who) else { return Ok(None) };
            signal(&victim, Signal::STOP)?;
            Box::new(move || signal(&victim, Signal::CONT))
        }
        Fault::Starve(who, resource) => {
            let Some(victim) = stage.find(who) else { return Ok(None) };
            starve(&victim, resource)?;
            Box::new(move || feed(&on))
        }
        Fault::Pipe(trouble) => {
            stage.set_pipe(mode(trouble))?;
            Box::new(move || on.set_pipe("good"))
        }
        Fault::Clip(harm) => harm_clip(stage, harm)?,
        Fault::BrokenReload => reload(stage, false)?,
        Fault::Reload => reload(stage, true)?,
        Fault::Clock(ahead_s) => {
            stage.set_clock(ahead_s)?;
            Box::new(move || on.set_clock(0))
        }
        of_clients => send(stage, of_clients, random)?,
    }))
}

/// Sends the clients of a fault.
fn send(stage: &Arc<Stage>, fault: Fault, random: &mut Random) -> Result<Undo> {
    Ok(match fault {
        Fault::Cut(count) => {
            let viewers = crowd::deaf(stage, count)?;
            Box::new(move || crowd::cut(viewers))
        }
        Fault::Sip(count) => {
            let sippers = Sippers::send(crowd::deaf(stage, count)?);
            Box::new(move || sippers.join())
        }
        Fault::Deaf(count) => keep(crowd::deaf(stage, count)?),
        Fault::Visit(count) => {
            let visitors = Visitors::send(stage, count);
            Box::new(move || visitors.join())
        }
        Fault::Flood(count) => keep(crowd::flood(stage.eyelet.addr(), count)?),
        Fault::HalfHeads(count) => keep(crowd::half_heads(stage, count)?),
        Fault::Nonsense(_) => keep(crowd::nonsense(stage, random)?),
        Fault::AreaNonsense(_) => {
            let camera = random.pick(&Camera::ALL);
            keep(crowd::area_nonsense(&stage.area(camera), random)?)
        }
        of_others => bail!("{of_others:?} has no clients"),
    })
}

/// Holds what a crowd has opened until the fault is taken back.
fn keep<T: 'static>(what: T) -> Undo {
    Box::new(move || {
        drop(what);
        Ok(())
    })
}

/// Signals who may have ended meanwhile.
fn signal(victim: &Process, signal: Signal) -> Result<()> {
    match victim.signal(signal) {
        Err(error) if victim.is_alive() => Err(error),
        _ => Ok(()),
    }
}

fn mode(trouble: Trouble) -> &'static str {
    match trouble {
        Trouble::Gone => "gone",
        Trouble::Stall => "stall",
        Trouble::Half => "half",
        Trouble::Chatter => "chatter",
        Trouble::OtherSize => "other",
        Trouble::Burst => "burst",
    }
}

/// Leaves a process no more of something than it has now.
fn starve(victim: &Process, resource: Resource) -> Result<()> {
    let (limited, most) = match resource {
        Resource::Descriptors => (Limited::Nofile, next_descriptor(victim.pid)),
        Resource::Files => (Limited::Fsize, Some(0)),
        Resource::Memory => (Limited::As, address_space(victim.pid)),
    };
    // It has ended.
    let (Some(most), Some(pid)) = (most, pid(victim)) else { return Ok(()) };
    limit(pid, limited, Some(most))
}

fn pid(process: &Process) -> Option<Pid> {
    Pid::from_raw(i32::try_from(process.pid).ok()?)
}

/// Sets the soft limit alone, so that it can be raised again without a privilege; the hard one is the same in all of the
/// tree as here, where it comes from. Who has ended needs none.
fn limit(pid: Pid, limited: Limited, most: Option<u64>) -> Result<()> {
    let own = rustix::process::getrlimit(limited);
    let current = match (most, own.maximum) {
        (Some(most), Some(hard)) => Some(most.min(hard)),
        (most, hard) => most.or(hard),
    };
    match prlimit(Some(pid), limited, Rlimit { current, maximum: own.maximum }) {
        Ok(_) | Err(Errno::SRCH) => Ok(()),
        Err(error) => Err(error).context("failed to limit a process"),
    }
}

/// The lowest number that is not taken: below it, none is free.
fn next_descriptor(pid: u32) -> Option<u64> {
    let open = eyelet_harness::process::descriptors(pid).ok()?;
    (0..).find(|number| !open.iter().any(|(taken, _)| taken == number)).map(u64::from)
}

/// Source: `proc_pid_statm(5)`; pages of 4 KiB, or more, which only limits less.
fn address_space(pid: u32) -> Option<u64> {
    let statm = fs::read_to_string(format!("/proc/{pid}/statm")).ok()?;
    let pages: u64 = statm.split(' ').next()?.parse().ok()?;
    Some(pages * rustix::param::page_size() as u64)
}

/// Gives all processes of the tree what they had: those that were started meanwhile have inherited too little. First the
/// supervisor, so that whoever is not among its children then inherits enough.
fn feed(stage: &Stage) -> Result<()> {
    let supervisor = Process::of(stage.eyelet.pid()).context("the supervisor has ended")?;
    feed_one(stage, &supervisor)?;
    stage.eyelet.children().iter().try_for_each(|child| feed_one(stage, child))
}

fn feed_one(stage: &Stage, process: &Process) -> Result<()> {
    let Some(pid) = pid(process) else { return Ok(()) };
    for (limited, most) in
        [(Limited::Nofile, stage.descriptors.current), (Limited::Fsize, None), (Limited::As, None)]
    {
        limit(pid, limited, most)?;
    }
    Ok(())
}

fn harm_clip(stage: &Arc<Stage>, harm: Harm) -> Result<Undo> {
    let on = Arc::clone(stage);
    match harm {
        Harm::Vanish => fs::remove_file(stage.clip())?,
        Harm::Replace => stage.replace_clip()?,
        Harm::Shorten => fs::OpenOptions::new().write(true).open(stage.clip())?.set_len(100)?,
    }
    Ok(Box::new(move || on.replace_clip()))
}

/// Has the app loaded again. While there is none, it finds what stands there when it starts.
fn reload(stage: &Arc<Stage>, is_right: bool) -> Result<Undo> {
    let on = Arc::clone(stage);
    stage.write_app(is_right)?;
    let said = stage.eyelet.line_count();
    let host = stage.find(Who::App);
    stage.eyelet.signal(Signal::HUP)?;
    Ok(Box::new(move || {
        let word = if is_right { " anew" } else { "the one before goes on" };
        // A host that has just been started may end by the signal, before it listens to it.
        let is_gone = || host.is_none() || on.find(Who::App) != host;
        wait_until("word of the reload", || {
            on.eyelet.lines_after(said).iter().any(|line| line.contains(word)) || is_gone()
        })?;
        on.write_app(true)?;
        ensure!(on.eyelet.exit_status()?.is_none(), "the program ended by a reload");
        Ok(())
    }))
}
