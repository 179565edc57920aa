//! What came of a soak: a table by minutes, a verdict, and the plot.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::chart;
use crate::provenance;

/// What memory may grow from the third minute to the end, in parts of a hundred.
const MOST_GROWTH_PERCENT: f64 = 5.0;
/// A shorter run has no end that is apart from its third minute.
const SHORTEST_MINUTES: u64 = 5;

/// Figures of a moment between two steps.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sample {
    pub(super) minutes: f64,
    /// The number of the step before it.
    pub(super) step: f64,
    /// Proportional memory of the tree, frames not counted.
    pub(super) memory_mb: f64,
    /// Of it, heaps and stacks.
    pub(super) heap_mb: f64,
    pub(super) descriptors: f64,
    pub(super) processes: f64,
    /// Ages of the frames since the sample before, as the viewers had read them.
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
    /// Frames a second of all viewers together.
    pub(super) rate: f64,
}

impl Sample {
    /// Reads a line that `tests/faults/sample.rs` wrote.
    ///
    /// # Errors
    /// It is no JSON, or lacks a figure.
    pub(super) fn read(line: &str) -> Result<Self> {
        let sample: Value =
            serde_json::from_str(line).with_context(|| format!("no sample: {line}"))?;
        let figure = |name: &str| {
            sample[name].as_f64().with_context(|| format!("a sample without `{name}`: {line}"))
        };
        Ok(Self {
            minutes: figure("t_s")? / 60.0,
            step: figure("step")?,
            memory_mb: figure("pss_kb")? * 1024.0 / 1e6,
            heap_mb: figure("anonymous_kb")? * 1024.0 / 1e6,
            descriptors: figure("descriptors")?,
            processes: figure("processes")?,
            p50_ms: figure("p50_us")? / 1e3,
            p99_ms: figure("p99_us")? / 1e3,
            rate: figure("frames")? / figure("seconds")?,
        })
    }
}

/// A figure of a sample.
pub(super) type Pick = fn(&Sample) -> f64;

/// All of a run.
#[derive(Debug)]
pub(super) struct Report {
    head: Vec<String>,
    minutes: u64,
    pub(super) samples: Vec<Sample>,
    /// No promise was broken.
    pub(super) is_sound: bool,
}

/// Whether it was good, and why.
#[derive(Debug)]
pub(super) struct Verdict {
    pub(super) is_good: bool,
    pub(super) text: String,
}

impl Report {
    pub(super) fn new(seed: u64, minutes: u64) -> Self {
        let [when, system] = provenance::machine();
        let how = format!("{minutes} minutes, seed {seed}");
        let head = vec![when, system, provenance::version(), how];
        Self { head, minutes, samples: Vec::new(), is_sound: false }
    }

    /// Writes `soak.md` and `soak.svg`; what was there is replaced.
    ///
    /// # Errors
    /// A file cannot be written.
    pub(super) fn write(&self, folder: &Path) -> Result<Verdict> {
        let write = |name: &str, text: String| {
            let path = folder.join(name);
            fs::write(&path, text).with_context(|| format!("failed to write `{}`", path.display()))
        };
        let verdict = self.verdict();
        write("soak.svg", chart::draw(&self.samples))?;
        write("soak.md", self.markdown(&verdict))?;
        Ok(verdict)
    }

    fn verdict(&self) -> Verdict {
        let steps = self.samples.last().map_or(0.0, |sample| sample.step + 1.0);
        let mut text = match self.is_sound {
            true => format!("No promise was broken in {steps:.0} steps.\n"),
            false => format!("A promise was broken after {steps:.0} steps: the test says which.\n"),
        };
        let mut is_good = self.is_sound;
        let growth = |pick: Pick| {
            let end = self.samples.last()?.minutes;
            let third = self.median(2.0..3.0, pick).filter(|_| self.minutes >= SHORTEST_MINUTES)?;
            let last = self.median(end - 1.0..end + 1.0, pick)?;
            Some((third, last, (last / third - 1.0) * 100.0))
        };
        if let Some((third, last, percent)) = growth(|sample| sample.heap_mb) {
            is_good &= percent <= MOST_GROWTH_PERCENT;
            writeln!(
                text,
                "Heaps and stacks took {third:.1} MB in minute 3 and {last:.1} MB in the last one: {percent:+.1} %, {MOST_GROWTH_PERCENT:.0} % may be."
            )
            .ok();
        }
        if let Some((third, last, percent)) = growth(|sample| sample.memory_mb) {
            writeln!(
                text,
                "All memory (PSS) was {third:.1} MB and {last:.1} MB: {percent:+.1} %. Part of it is libraries, of which other programs\n\
                 on the machine take a share while they run."
            )
            .ok();
        }
        Verdict { is_good, text }
    }

    fn markdown(&self, verdict: &Verdict) -> String {
        let mut text = String::from(
            "# Soak\n\nMade by `cargo xtask soak`: random faults, and viewers that verify every frame meanwhile. The figures are\n\
             medians of each minute, taken between the faults; memory is that of the whole tree, frames not counted; a\n\
             frame's age is that of every frame that was read, also after a fault held it up.\n\n",
        );
        for line in &self.head {
            writeln!(text, "- {line}").ok();
        }
        write!(text, "\n{}\n![Figures of each sample](soak.svg)\n\n", verdict.text).ok();
        text.push_str("| minute | steps | memory MB | heaps MB | descriptors | processes | p50 ms | p99 ms | frames/s |\n");
        text.push_str("|---|---|---|---|---|---|---|---|---|\n");
        let mut from = 0.0;
        while self.samples.last().is_some_and(|last| last.minutes >= from) {
            let minute = from..from + 1.0;
            let of = |pick: Pick| self.median(minute.clone(), pick).unwrap_or(0.0);
            writeln!(
                text,
                "| {:.0} | {:.0} | {:.1} | {:.1} | {:.0} | {:.0} | {:.2} | {:.1} | {:.0} |",
                from + 1.0,
                of(|sample| sample.step),
                of(|sample| sample.memory_mb),
                of(|sample| sample.heap_mb),
                of(|sample| sample.descriptors),
                of(|sample| sample.processes),
                of(|sample| sample.p50_ms),
                of(|sample| sample.p99_ms),
                of(|sample| sample.rate),
            )
            .ok();
            from += 1.0;
        }
        text
    }

    fn median(&self, minutes: std::ops::Range<f64>, pick: Pick) -> Option<f64> {
        let of_time = self.samples.iter().filter(|sample| minutes.contains(&sample.minutes));
        let mut values: Vec<f64> = of_time.map(pick).collect();
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(end_mb: f64) -> Report {
        let sample = |at: u32| {
            let minutes = f64::from(at) / 10.0;
            let memory_mb = if minutes < 5.0 { 40.0 } else { end_mb };
            let step = f64::from(at);
            Sample { minutes, step, memory_mb, heap_mb: memory_mb / 2.0, ..Sample::default() }
        };
        let samples = (0..=60).map(sample).collect();
        Report { head: vec!["a machine".into()], minutes: 6, samples, is_sound: true }
    }

    #[test]
    fn memory_that_grows_is_no_good() {
        let verdict = report(41.9).verdict();
        assert!(verdict.is_good && verdict.text.contains("61 steps"), "{verdict:?}");
        assert!(verdict.text.contains("+4.7 %"), "{verdict:?}");
        assert!(!report(42.1).verdict().is_good);
        assert!(!Report { is_sound: false, ..report(40.0) }.verdict().is_good);
    }

    #[test]
    fn every_minute_has_its_row() {
        let report = report(41.0);
        let text = report.markdown(&report.verdict());
        for row in ["- a machine", "| 1 | 5 | 40.0 | 20.0 |", "| 6 | 55 | 41.0 | 20.5 |"] {
            assert!(text.contains(row), "no `{row}` in {text}");
        }
    }

    #[test]
    fn samples_are_read() {
        let line = r#"{"t_s":90,"step":7,"pss_kb":1000,"anonymous_kb":500,"descriptors":5,"processes":3,"p50_us":1500,"p99_us":9000,"frames":50,"seconds":2.5}"#;
        let sample = Sample::read(line).unwrap();
        assert_eq!((sample.minutes, sample.memory_mb, sample.rate), (1.5, 1.024, 20.0));
        assert!(Sample::read(r#"{"t_s":1}"#).unwrap_err().to_string().contains("`step`"));
    }
}
