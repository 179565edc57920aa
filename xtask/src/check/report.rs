//! The end of a check: a table of the steps, what was skipped, and the sum.

use std::fmt::Write as _;

use super::runner::{Ending, Run};
use super::steps::Step;
use super::summary::Counts;

/// What the steps did so far.
#[derive(Debug, Default)]
pub(super) struct Report {
    rows: Vec<Row>,
    skipped: Vec<String>,
    total: Counts,
}

#[derive(Debug)]
struct Row {
    name: &'static str,
    counts: Counts,
    seconds: f64,
    notes: Vec<String>,
}

impl Report {
    /// Adds a step that has ended.
    pub(super) fn add(&mut self, step: &Step, run: Run) {
        let counts = step.summary.count(&run.output, run.ending.is_success());
        self.total += counts;
        let skipped = step.summary.skipped(&run.output);
        self.skipped.extend(skipped.into_iter().map(|line| format!("{}: {line}", step.name)));
        let mut notes = Vec::new();
        match run.ending {
            Ending::Exited(_) => {}
            Ending::Late => notes.push("took too long and was ended".into()),
            Ending::Interrupted => {
                notes.push("was interrupted; the steps after it did not run".into())
            }
        }
        if !run.left_behind.is_empty() {
            notes.push(format!("left processes behind, now ended: {}", run.left_behind.join(", ")));
        }
        self.rows.push(Row { name: step.name, counts, seconds: run.time.as_secs_f64(), notes });
    }

    /// Tells whether anything failed. A check that ran nothing has failed too.
    pub(super) fn has_failed(&self) -> bool {
        self.total.failed > 0 || self.total.passed == 0
    }

    /// The table; its last line is `N passed, N failed`.
    pub(super) fn table(&self, left_out: &[&Step]) -> String {
        let mut text = String::from("\nstep         result  passed  failed  skipped  seconds\n");
        for Row { name, counts, seconds, notes } in &self.rows {
            let result = if counts.failed == 0 { "ok" } else { "FAILED" };
            let Counts { passed, failed, skipped } = counts;
            writeln!(
                text,
                "{name:<12} {result:<6}  {passed:>6}  {failed:>6}  {skipped:>7}  {seconds:>7.1}"
            )
            .ok();
            for note in notes {
                writeln!(text, "             {note}").ok();
            }
        }
        if !left_out.is_empty() {
            let names: Vec<&str> = left_out.iter().map(|step| step.name).collect();
            writeln!(text, "left out: {}", names.join(", ")).ok();
        }
        for line in &self.skipped {
            writeln!(text, "skipped: {line}").ok();
        }
        let Counts { passed, failed, .. } = self.total;
        text + &format!("{passed} passed, {failed} failed")
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::steps::STEPS;
    use super::*;

    fn run(output: &str, ending: Ending) -> Run {
        Run { ending, output: output.into(), time: Duration::from_secs(1), left_behind: vec![] }
    }

    fn step(name: &str) -> &'static Step {
        STEPS.iter().find(|step| step.name == name).unwrap()
    }

    #[test]
    fn the_last_line_is_the_sum() {
        let mut report = Report::default();
        let good = Ending::Exited(0);
        report.add(step("fmt"), run("", good));
        report.add(step("unit"), run("test result: ok. 12 passed; 0 failed; 0 ignored", good));
        assert!(!report.has_failed());
        assert_eq!(report.table(&[]).lines().last(), Some("13 passed, 0 failed"));
        report.add(step("vm"), run("2 passed, 1 failed", Ending::Late));
        let table = report.table(&[step("page")]);
        assert!(table.contains("took too long") && table.contains("left out: page"), "{table}");
        assert_eq!(table.lines().last(), Some("15 passed, 1 failed"));
        assert!(report.has_failed());
    }

    #[test]
    fn nothing_run_is_nothing_right() {
        assert!(Report::default().has_failed());
    }

    #[test]
    fn leftovers_are_named() {
        let mut report = Report::default();
        let mut left = run("", Ending::Exited(0));
        left.left_behind = vec!["chromium".into()];
        report.add(step("fmt"), left);
        assert!(report.table(&[]).contains("left processes behind, now ended: chromium"));
    }
}
