//! A run: step after step, and after each the promises.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use eyelet_harness::{DEADLINE, Random};

use crate::act;
use crate::audit::{Holdings, confession, zombies};
use crate::clock::is_ahead;
use crate::concern::{concerns, serve_of};
use crate::machine::Machine;
use crate::order::Order;
use crate::plan::{Camera, Fault, Step, Who, step};
use crate::sample::Samples;
use crate::stage::{Stage, fps};
use crate::witness::{Seen, Way, Witness};

/// Frames in a row, each in time, after which a viewer has the full rate again.
const ROW: u64 = 2;
/// Of a hundred frames, so many may be missed or late where nothing concerned a viewer: a machine does other things too.
const FORGIVEN: u64 = 5;
/// And so many in any case, of a short run.
const FORGIVEN_ALWAYS: u64 = 30;
/// Old frames that anybody may get one after the other, whatever happened: two in the socket, two by the credit of the
/// process before it, and the one that was being made. More would be a queue.
const MOST_LATE_ROW: u64 = 5;
/// Who is not woken for so long finds more in the receiver's own buffer, which says nothing.
const STALL: Duration = Duration::from_millis(50);
/// What a machine must publish of what it is asked for while nothing is wrong, or it cannot judge of the rest.
const FAST_ENOUGH: f64 = 0.99;
/// How long that is measured, and how often until it is so.
const QUIET: Duration = Duration::from_secs(3);
const TRIES: usize = 5;
/// Steps that a violation shows.
const RECENT: usize = 5;
/// Lines of the program's that it shows.
const TAIL: usize = 60;
/// What the supervisor's heap may grow from the middle of a run to its end, in KiB.
const MORE_HEAP_KB: u64 = 256;

/// What viewers that nothing concerned have got.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    frames: u64,
    missing: u64,
    late: u64,
    /// Of the frames, those of cameras that keep the time exactly, and how many these should give.
    timed: u64,
    expected: f64,
}

/// What came of a run without a violation.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    pub(crate) steps: u64,
    pub(crate) frames: u64,
    pub(crate) text: String,
}

/// A run under way.
#[derive(Debug)]
struct Run {
    order: Order,
    stage: Arc<Stage>,
    witnesses: Vec<Witness>,
    machine: Machine,
    base: Holdings,
    tally: Tally,
    recent: VecDeque<Step>,
    /// Lines of the program's that were looked at.
    read: usize,
    samples: Samples,
}

/// Runs until the order is done.
///
/// # Errors
/// A promise was broken: the error tells which, after which steps, what the program said, and how to do it again.
pub(crate) fn run(order: &Order) -> Result<Outcome> {
    let stage = Stage::start()?;
    let witnesses = [
        (Camera::Bars, Way::V1),
        (Camera::Bars, Way::V1),
        (Camera::Bars, Way::Mjpeg),
        (Camera::Bars, Way::App),
        (Camera::Bars, Way::Area),
        (Camera::Pipe, Way::V1),
        (Camera::Clip, Way::Area),
    ];
    let witnesses = witnesses
        .into_iter()
        .enumerate()
        .map(|(number, (camera, way))| Witness::start(&stage, camera, way, number))
        .collect();
    let mut run = Run {
        order: order.clone(),
        stage,
        witnesses,
        machine: Machine::watch(),
        base: Holdings::default(),
        tally: Tally::default(),
        recent: VecDeque::new(),
        read: 0,
        samples: Samples::open(order.samples.as_deref())?,
    };
    let steps = run.warm_up().and_then(|()| run.steps());
    let steps = steps.map_err(|problem| run.violation(&problem))?;
    run.finish(steps)
}

impl Run {
    /// Waits until all see frames, and looks what that takes.
    fn warm_up(&mut self) -> Result<()> {
        self.wait("rest before the first fault", |run| {
            run.stage.is_incomplete().or_else(|| run.lacks(10, |seen| seen.run))
        })?;
        let unknown = Who::ALL.into_iter().find(|who| self.stage.find(*who).is_none());
        ensure!(
            unknown.is_none(),
            "{unknown:?} is not found among {:?}",
            self.stage.eyelet.children()
        );
        let rate = (0..TRIES).map(|_| self.quiet_rate()).find(|rate| *rate >= FAST_ENOUGH);
        ensure!(
            rate.is_some(),
            "machine too slow: it does not publish {FAST_ENOUGH} of the frames while nothing is wrong"
        );
        // A crowd once, so that what an allocator keeps of it is no surprise.
        let mut random = Random::new(self.order.seed, u64::MAX);
        if let Some(undo) = act::begin(&self.stage, Fault::Deaf(20), &mut random)? {
            undo()?;
        }
        std::thread::sleep(Duration::from_millis(500));
        self.base = Holdings::look(&self.stage)?;
        Ok(())
    }

    /// What the first camera publishes of what it should, while nothing is wrong.
    fn quiet_rate(&self) -> f64 {
        let count = || {
            let all = self.witnesses.iter().filter(|witness| witness.post.camera == Camera::Bars);
            let counts = all.map(|witness| {
                let seen = witness.post.seen();
                seen.frames + seen.missing
            });
            counts.collect::<Vec<_>>()
        };
        let (before, begin) = (count(), Instant::now());
        std::thread::sleep(QUIET);
        let (after, seconds) = (count(), begin.elapsed().as_secs_f64());
        let most = before.iter().zip(after).map(|(before, after)| after - before).max();
        // One frame may fall outside at either end.
        let published = u32::try_from(most.unwrap_or(0) + 1).unwrap_or(0);
        f64::from(published) / (seconds * f64::from(fps(Camera::Bars)))
    }

    fn steps(&mut self) -> Result<u64> {
        let begin = Instant::now();
        let (mut done, mut at_half) = (0, None);
        while !self.order.is_done(done, begin.elapsed()) {
            let step = step(self.order.seed, self.order.first + done);
            self.recent.push_back(step.clone());
            if self.recent.len() > RECENT {
                self.recent.pop_front();
            }
            self.step(&step).with_context(|| step.to_string())?;
            done += 1;
            if at_half.is_none() && self.order.is_done(done * 2, begin.elapsed() * 2) {
                at_half = Some(Holdings::look(&self.stage)?.supervisor_heap_kb);
            }
        }
        let (half, end) =
            (at_half.unwrap_or(u64::MAX), Holdings::look(&self.stage)?.supervisor_heap_kb);
        ensure!(
            end <= half.saturating_add(MORE_HEAP_KB),
            "the supervisor's heap grows: {half} KiB in the middle, {end} at the end"
        );
        self.full_rate()?;
        Ok(done)
    }

    fn step(&mut self, step: &Step) -> Result<()> {
        let posts: Vec<_> =
            self.witnesses.iter().map(|witness| Arc::clone(&witness.post)).collect();
        let local: Vec<_> = posts.iter().map(|post| post.seen().local).collect();
        let is_concerned: Vec<bool> = posts
            .iter()
            .zip(local)
            .map(|(post, local)| concerns(step, post, || serve_of(&self.stage, local)))
            .collect();
        let begin = Instant::now();
        let before: Vec<Seen> = posts.iter().map(|post| post.seen().without_ages()).collect();
        self.machine.begin_step();
        self.play(step)?;
        let at_lift: Vec<u64> = posts.iter().map(|post| post.seen().frames).collect();
        self.wait("recovery", |run| {
            let is_back = |at: usize| {
                let seen = run.witnesses[at].post.seen();
                seen.run >= ROW && (!is_concerned[at] || seen.frames >= at_lift[at] + ROW)
            };
            let lost = (0..run.witnesses.len()).find(|at| !is_back(*at));
            let lost = lost.map(|at| format!("`{}` has no full rate", run.witnesses[at].post.name));
            run.stage.is_incomplete().or(lost)
        })?;
        self.nothing_piles_up()?;
        for ((post, before), is_concerned) in posts.iter().zip(&before).zip(&is_concerned) {
            let after = post.seen();
            if let Some(wrong) = &after.wrong {
                bail!("{wrong}");
            }
            let row = after.longest_late_row;
            // A longer row of a step before was forgiven there.
            let most = MOST_LATE_ROW.max(before.longest_late_row);
            ensure!(
                row <= most || self.machine.longest_wait() > STALL,
                "`{}` got {row} old frames in a row",
                post.name
            );
            if *is_concerned {
                continue;
            }
            ensure!(
                after.connections == before.connections,
                "`{}` was thrown out, and nothing of this concerns it",
                post.name
            );
            self.tally.frames += after.frames - before.frames;
            self.tally.missing += after.missing - before.missing;
            self.tally.late += after.late - before.late;
            // The command keeps no exact time, and it is not Eyelet's.
            if post.camera != Camera::Pipe {
                self.tally.timed += after.frames - before.frames;
                self.tally.expected += begin.elapsed().as_secs_f64() * f64::from(fps(post.camera));
            }
        }
        self.full_rate()?;
        self.samples.take(&self.stage, &self.witnesses, step)
    }

    /// Makes the faults, holds them, and takes them back: that of a process first, as others may wait for it.
    fn play(&self, step: &Step) -> Result<()> {
        let mut random = Random::new(self.order.seed, !step.number);
        let mut undos = Vec::new();
        for fault in &step.faults {
            let undo = act::begin(&self.stage, *fault, &mut random);
            let undo = undo.with_context(|| format!("failed to begin {fault:?}"))?;
            undos.extend(undo.map(|undo| (*fault, undo)));
        }
        undos.sort_by_key(|(fault, _)| match fault {
            Fault::Kill(_) | Fault::Freeze(_) | Fault::Starve(..) => 0,
            _ => 1,
        });
        std::thread::sleep(Duration::from_millis(step.hold_ms));
        if let [Fault::Clock(ahead_s)] = step.faults[..] {
            // A jump that reached nobody would prove nothing.
            let is_ahead = is_ahead(&self.stage, ahead_s)?;
            ensure!(is_ahead, "the wall clock was to be {ahead_s} s ahead, and is not");
        }
        for (fault, undo) in undos {
            undo().with_context(|| format!("after {fault:?}"))?;
        }
        if step.faults.contains(&Fault::Reload) {
            // Who watches by the old script keeps it alive.
            let of_app = self.witnesses.iter().filter(|witness| witness.post.way == Way::App);
            of_app.for_each(|witness| witness.post.renew());
        }
        Ok(())
    }

    fn nothing_piles_up(&mut self) -> Result<()> {
        let base = self.base.clone();
        self.wait("end of what was added", |run| {
            let zombies = zombies(&run.stage);
            if let Some(zombie) = zombies.first() {
                return Some(format!("{} zombies: {zombie}", zombies.len()));
            }
            match Holdings::look(&run.stage) {
                Ok(now) => now.exceeds(&base),
                Err(error) => Some(format!("{error:#}")),
            }
        })?;
        let lines = self.stage.eyelet.lines_after(self.read);
        self.read += lines.len();
        match confession(&lines) {
            Some(line) => bail!("it said: {line}"),
            None => Ok(()),
        }
    }

    /// Who is not concerned keeps the full rate.
    fn full_rate(&self) -> Result<()> {
        let Tally { frames, missing, late, timed, expected } = self.tally;
        let most = (frames + missing) * FORGIVEN / 100 + FORGIVEN_ALWAYS;
        let given = f64::from(u32::try_from(timed * 100 / (100 - FORGIVEN) + FORGIVEN_ALWAYS)?);
        if missing <= most && late <= most && given >= expected {
            return Ok(());
        }
        if let Some(slow) = self.machine.is_too_slow() {
            bail!("{slow}");
        }
        bail!(
            "viewers that nothing concerned got {frames} frames, {timed} of them where {expected:.0} were to come; \
             {missing} were missed and {late} late"
        );
    }

    /// Tells which witness lacks a number.
    fn lacks(&self, wanted: u64, of: impl Fn(&Seen) -> u64) -> Option<String> {
        self.witnesses.iter().find_map(|witness| {
            let (name, count) = (&witness.post.name, of(&witness.post.seen()));
            (count < wanted).then(|| format!("`{name}` has {count} of {wanted}"))
        })
    }

    /// Waits until nothing is wrong any more.
    fn wait(&self, what: &str, wrong: impl Fn(&Self) -> Option<String>) -> Result<()> {
        let begin = Instant::now();
        while let Some(problem) = wrong(self) {
            if let Some(never) = self.witnesses.iter().find_map(|w| w.post.seen().wrong.clone()) {
                bail!("{never}");
            }
            ensure!(self.stage.eyelet.exit_status()?.is_none(), "the program has ended");
            let seconds = DEADLINE.as_secs();
            ensure!(begin.elapsed() < DEADLINE, "no {what} in {seconds} seconds: {problem}");
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    fn violation(&self, problem: &anyhow::Error) -> anyhow::Error {
        let mut text = format!("{problem:#}\n");
        let first = self.recent.front().map_or(self.order.first, |step| step.number);
        for step in &self.recent {
            writeln!(text, "  {step}").ok();
        }
        for witness in &self.witnesses {
            let seen = witness.post.seen();
            let (name, run, connections) = (&witness.post.name, seen.run, seen.connections);
            writeln!(
                text,
                "  {name}: {} frames, {} missing, {} late, {run} in a row, connection {connections}",
                seen.frames, seen.missing, seen.late
            )
            .ok();
        }
        writeln!(text, "the program said:").ok();
        let lines = self.stage.eyelet.line_count();
        for line in self.stage.eyelet.lines_after(lines.saturating_sub(TAIL)) {
            writeln!(text, "  {line}").ok();
        }
        let last = self.recent.back().map_or(first, |step| step.number);
        writeln!(text, "again: {}", self.order.again(self.order.first, last)).ok();
        write!(text, "the last steps alone: {}", self.order.again(first, last)).ok();
        anyhow::anyhow!(text)
    }

    /// Ends all, and makes sure that nothing is left.
    fn finish(self, steps: u64) -> Result<Outcome> {
        let (mut frames, mut connections, mut late_row) = (0, 0, 0);
        for witness in self.witnesses {
            let seen = witness.finish()?;
            if let Some(wrong) = seen.wrong {
                bail!("at the end: {wrong}");
            }
            frames += seen.frames;
            late_row = seen.longest_late_row.max(late_row);
            connections += seen.connections;
        }
        let Tally { frames: unconcerned, missing, late, timed, expected } = self.tally;
        let text = format!(
            "{steps} steps, seed {}: {frames} frames on {connections} connections, none torn or out of order; of \
             {unconcerned} that no fault concerned, {missing} were missed and {late} late, of all at most {late_row} in a row; {timed} came where \
             {expected:.0} were to come; who was to run waited for {:.1} % of the time",
            self.order.seed,
            self.machine.waited_percent()
        );
        let stage = Arc::into_inner(self.stage).context("somebody still uses the program")?;
        let status = stage.eyelet.stop()?;
        ensure!(status.success(), "the program ended with {status}");
        Ok(Outcome { steps, frames, text })
    }
}
