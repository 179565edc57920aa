//! Figures of a run, one line of JSON each few seconds, between two steps.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use serde_json::json;

use crate::audit::Holdings;
use crate::plan::Step;
use crate::stage::Stage;
use crate::witness::Witness;

/// Time from sample to sample at least.
const EVERY: Duration = Duration::from_secs(2);

/// Where samples go, if anywhere.
#[derive(Debug)]
pub(crate) struct Samples {
    file: Option<File>,
    began: Instant,
    last: Instant,
    frames: u64,
    missing: u64,
}

impl Samples {
    pub(crate) fn open(path: Option<&Path>) -> Result<Self> {
        let create = |path: &Path| {
            File::create(path).with_context(|| format!("failed to write `{}`", path.display()))
        };
        let (file, now) = (path.map(create).transpose()?, Instant::now());
        Ok(Self { file, began: now, last: now, frames: 0, missing: 0 })
    }

    /// Writes a sample if it is time for one.
    pub(crate) fn take(&mut self, stage: &Stage, witnesses: &[Witness], step: &Step) -> Result<()> {
        let since = self.last.elapsed();
        let mut ages = Vec::new();
        if since < EVERY {
            return Ok(());
        }
        let (mut frames, mut missing) = (0, 0);
        for witness in witnesses {
            let mut seen = witness.post.seen();
            ages.append(&mut seen.ages_us);
            frames += seen.frames;
            missing += seen.missing;
        }
        let Some(file) = &mut self.file else { return Ok(()) };
        ages.sort_unstable();
        let quantile = |of_hundred: usize| {
            ages.get((ages.len() * of_hundred / 100).min(ages.len().saturating_sub(1)))
        };
        let holdings = Holdings::look(stage)?;
        let sample = json!({
            "t_s": self.began.elapsed().as_secs_f64(),
            "step": step.number,
            "pss_kb": holdings.own_memory_kb(),
            "anonymous_kb": holdings.anonymous_kb,
            "frames_kb": holdings.shmem_kb,
            "descriptors": holdings.open,
            "processes": holdings.processes,
            "p50_us": quantile(50),
            "p99_us": quantile(99),
            "frames": frames - self.frames,
            "missing": missing - self.missing,
            "seconds": since.as_secs_f64(),
        });
        (self.last, self.frames, self.missing) = (Instant::now(), frames, missing);
        writeln!(file, "{sample}")?;
        Ok(())
    }
}
