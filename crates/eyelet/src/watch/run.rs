//! One run: viewers connect, then everything counts for a while, then the report.

use std::io::Write as _;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use tokio::task::LocalSet;
use tokio::time::{Instant, sleep, timeout};

use super::Options;
use super::report::{Facts, Report};
use super::viewer::{Phase, Shared, Viewer, watch};
use crate::error::{Error, Result};

/// How long counting waits for viewers that have no frame yet.
const CONNECT: Duration = Duration::from_secs(5);
/// How long the last frames may take that were published before the end.
const LAST_FRAMES: Duration = Duration::from_secs(1);
/// How often the run looks whether its viewers are so far.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Watches, and reports; SIGINT ends it early. Takes the calling thread.
///
/// # Errors
/// Nobody listens, the server refuses the first viewer, or the kernel refuses sockets. A connection that ends later is
/// counted, not an error.
pub fn run(options: &Options) -> Result<Report> {
    let addresses = options.target.addresses()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Error::failed(format!("failed to start: {error}")))?;
    let shared = Rc::new(Shared::new(options, addresses));
    let viewers: Vec<Rc<Viewer>> = (0..options.viewers).map(|_| Rc::default()).collect();
    let tasks = LocalSet::new();
    for viewer in &viewers {
        tasks.spawn_local(watch(Rc::clone(&shared), Rc::clone(viewer)));
    }
    let facts = runtime.block_on(tasks.run_until(measure(&shared, &viewers)))?;
    let tallies: Vec<_> = viewers.iter().map(|viewer| *viewer.tally.borrow()).collect();
    Ok(Report::new(&shared, &tallies, &facts))
}

async fn measure(shared: &Shared, viewers: &[Rc<Viewer>]) -> Result<Facts> {
    let interrupt = async { drop(tokio::signal::ctrl_c().await) };
    let mut interrupt = pin!(interrupt);
    let all_ready =
        || viewers.iter().all(|viewer| viewer.is_ready.get()) || shared.refused.borrow().is_some();
    let is_interrupted =
        wait(CONNECT, interrupt.as_mut(), || all_ready() || shared.active.get() == 0).await;
    if let Some(error) = shared.refused.borrow_mut().take() {
        return Err(error);
    }

    shared.phase.set(Phase::Measuring);
    viewers.iter().for_each(|viewer| viewer.tally.borrow_mut().restart());
    announce(shared, "counting");
    let (begin, cpu, first) = (Instant::now(), cpu(), shared.newest.get());
    if !is_interrupted {
        let is_over = || shared.active.get() == 0;
        wait(shared.options.duration, interrupt, is_over).await;
    }
    let (seconds, last) = (begin.elapsed(), shared.newest.get());
    announce(shared, "counted");

    let Some(end) = last.map(|last| last.sequence) else {
        return Ok(Facts { seconds, cpu: self::cpu().saturating_sub(cpu), first, last });
    };
    shared.phase.set(Phase::Ending(end));
    let has_all = || viewers.iter().all(|viewer| viewer.tally.borrow().last >= Some(end));
    let patience = async {
        while !has_all() && shared.active.get() > 0 {
            sleep(LOOK_EVERY).await;
        }
    };
    drop(timeout(LAST_FRAMES, patience).await);
    Ok(Facts { seconds, cpu: self::cpu().saturating_sub(cpu), first, last })
}

fn announce(shared: &Shared, what: &str) {
    if shared.options.announces {
        // Whoever asked for it and has gone does not need it.
        drop(writeln!(std::io::stderr(), "{what}"));
    }
}

/// Waits until `is_over`, or the time is; tells whether it was interrupted.
async fn wait(
    time: Duration,
    mut interrupt: Pin<&mut impl Future<Output = ()>>,
    is_over: impl Fn() -> bool,
) -> bool {
    let begin = Instant::now();
    while !is_over() {
        let Some(left) = time.checked_sub(begin.elapsed()).filter(|left| !left.is_zero()) else {
            break;
        };
        tokio::select! {
            () = &mut interrupt => return true,
            () = sleep(left.min(LOOK_EVERY)) => {}
        }
    }
    false
}

/// Processor time of this process.
fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or(0))
}
