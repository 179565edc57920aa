//! Whether the machine lets anybody run in time: a thread that wants to be woken often, and is late when all are.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How often it wants to be woken.
const EVERY: Duration = Duration::from_millis(5);
/// Later than that, a frame that was sent in that moment was late as well.
const IN_TIME: Duration = Duration::from_millis(15);
/// Of a hundred seconds, so many may be waited in vain; more, and what viewers missed is not Eyelet's doing.
const MOST_PERCENT: f64 = 2.0;

/// Watches the machine until it is dropped.
#[derive(Debug)]
pub(crate) struct Machine {
    began: Instant,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    waited_us: AtomicU64,
    longest_us: AtomicU64,
    is_over: AtomicBool,
}

impl Machine {
    pub(crate) fn watch() -> Self {
        let shared = Arc::<Shared>::default();
        let on = Arc::clone(&shared);
        let thread = std::thread::spawn(move || {
            while !on.is_over.load(Ordering::Relaxed) {
                let begin = Instant::now();
                std::thread::sleep(EVERY);
                let late = begin.elapsed().saturating_sub(EVERY);
                if late > IN_TIME {
                    let us = u64::try_from(late.as_micros()).unwrap_or(u64::MAX);
                    on.waited_us.fetch_add(us, Ordering::Relaxed);
                    on.longest_us.fetch_max(us, Ordering::Relaxed);
                }
            }
        });
        Self { began: Instant::now(), shared, thread: Some(thread) }
    }

    /// Tells for how much of the time nobody could run who should, in parts of a hundred.
    pub(crate) fn waited_percent(&self) -> f64 {
        let waited = Duration::from_micros(self.shared.waited_us.load(Ordering::Relaxed));
        waited.as_secs_f64() / self.began.elapsed().as_secs_f64().max(1e-3) * 100.0
    }

    /// Forgets the longest wait: a step begins.
    pub(crate) fn begin_step(&self) {
        self.shared.longest_us.store(0, Ordering::Relaxed);
    }

    /// Tells for how long at most nobody could run who should, in this step.
    pub(crate) fn longest_wait(&self) -> Duration {
        Duration::from_micros(self.shared.longest_us.load(Ordering::Relaxed))
    }

    /// Says so where the machine was too slow to judge of what viewers miss.
    pub(crate) fn is_too_slow(&self) -> Option<String> {
        let percent = self.waited_percent();
        (percent > MOST_PERCENT).then(|| {
            format!("machine too slow: who was to run waited for {percent:.1} % of the time")
        })
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // It cannot panic, and a test has its own verdict.
            drop(thread.join());
        }
    }
}
