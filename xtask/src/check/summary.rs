//! What a runner's output says it did.

use std::ops::{Add, AddAssign};

/// Tests of one step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) passed: u64,
    pub(super) failed: u64,
    pub(super) skipped: u64,
}

impl Add for Counts {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            passed: self.passed + other.passed,
            failed: self.failed + other.failed,
            skipped: self.skipped + other.skipped,
        }
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

/// How a step's output is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Summary {
    /// Not at all: the step is one test, and its exit status tells.
    ExitStatus,
    /// `test result: ok. 3 passed; 0 failed; 1 ignored; …` of each executable.
    Cargo,
    /// `# pass 3`, `# fail 0` of `node --test`, or the same behind another sign.
    Node,
    /// `Files=1, Tests=3, …` and the lines before it, of Perl's `prove`.
    Prove,
    /// `Ran 3 tests in 1.5s` and `OK (skipped=1)` or `FAILED (failures=1, errors=1)`, of Python's `unittest`.
    Unittest,
    /// `3 passed, 0 failed` of these commands.
    Ours,
}

impl Summary {
    /// Counts; a failure more if the output has no summary, or the exit status tells of one that it lacks.
    pub(super) fn count(self, output: &str, is_success: bool) -> Counts {
        let said = match self {
            Self::ExitStatus => Some(Counts { passed: is_success.into(), ..Counts::default() }),
            Self::Cargo => read_cargo(output),
            Self::Node => read_node(output),
            Self::Prove => read_prove(output),
            Self::Unittest => read_unittest(output),
            Self::Ours => output.lines().rev().find_map(read_ours),
        };
        let mut counts = said.unwrap_or_default();
        if said.is_none() || (!is_success && counts.failed == 0) {
            counts.failed += 1;
        }
        counts
    }

    /// The lines of the output that name a skipped test and say why.
    pub(super) fn skipped(self, output: &str) -> Vec<&str> {
        let is_skip = |line: &&str| match self {
            Self::ExitStatus | Self::Ours => false,
            Self::Cargo => line.starts_with("test ") && line.contains(" ... ignored"),
            Self::Node => line.contains("# SKIP") || line.trim_start().starts_with('﹣'),
            Self::Unittest => line.contains(" ... skipped "),
            Self::Prove => line.contains(".. skipped:") || line.contains(" # skip "),
        };
        output.lines().filter(is_skip).map(str::trim).collect()
    }
}

fn read_cargo(output: &str) -> Option<Counts> {
    output
        .lines()
        .filter_map(|line| {
            let said = line.trim().strip_prefix("test result: ")?;
            let count =
                |word| said.split([';', '.']).find_map(|part| number_before(part.trim(), word));
            Some(Counts {
                passed: count("passed")?,
                failed: count("failed")?,
                skipped: count("ignored")?,
            })
        })
        .reduce(Counts::add)
}

fn read_node(output: &str) -> Option<Counts> {
    // The last lines: a test may print what it likes before.
    let count = |word| {
        output.lines().rev().find_map(|line| {
            let said = line.strip_prefix("# ").or_else(|| line.strip_prefix("ℹ "))?;
            said.strip_prefix(word)?.strip_prefix(' ')?.parse::<u64>().ok()
        })
    };
    Some(Counts {
        passed: count("pass")?,
        failed: count("fail")? + count("cancelled")?,
        skipped: count("skipped")?,
    })
}

fn read_prove(output: &str) -> Option<Counts> {
    let total = output.lines().rev().find_map(|line| {
        let (_, said) = line.strip_prefix("Files=")?.split_once("Tests=")?;
        said.split(',').next()?.parse::<u64>().ok()
    })?;
    // "Failed 1/2 test programs. 3/10 subtests failed.": a program that dies fails without a test that does.
    let failed = output.lines().find_map(|line| {
        let (programs, said) = line.strip_prefix("Failed ")?.split_once(" test programs. ")?;
        let of = |text: &str| text.split('/').next()?.parse::<u64>().ok();
        Some(of(programs)?.max(of(said)?))
    });
    let skipped = output.lines().filter(|line| line.contains(".. skipped:")).count();
    let failed = failed.unwrap_or(0);
    let skipped = u64::try_from(skipped).unwrap_or(u64::MAX);
    Some(Counts { passed: total.saturating_sub(failed), failed, skipped })
}

fn read_unittest(output: &str) -> Option<Counts> {
    let mut lines = output.lines().rev();
    let verdict = lines.find(|line| line.starts_with("OK") || line.starts_with("FAILED"))?;
    let total = lines.find_map(|line| {
        let said = line.strip_prefix("Ran ")?;
        said.split(' ').next()?.parse::<u64>().ok()
    })?;
    let count = |word: &str| {
        let words = verdict.split(['(', ',', ')']).map(str::trim);
        words
            .filter_map(|said| said.strip_prefix(word)?.strip_prefix('=')?.parse::<u64>().ok())
            .sum()
    };
    let failed: u64 = ["failures", "errors", "unexpected successes"].into_iter().map(count).sum();
    let skipped: u64 = count("skipped");
    Some(Counts { passed: total.saturating_sub(failed + skipped), failed, skipped })
}

fn read_ours(line: &str) -> Option<Counts> {
    let (passed, failed) = line.split_once(", ")?;
    let passed = number_before(passed, "passed")?;
    Some(Counts { passed, failed: number_before(failed, "failed")?, skipped: 0 })
}

fn number_before(text: &str, word: &str) -> Option<u64> {
    text.strip_suffix(word)?.strip_suffix(' ')?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_unittest_says_is_counted() {
        let count = |text: &str, is_success| Summary::Unittest.count(text, is_success);
        let good = "...s\n-----\nRan 4 tests in 0.1s\n\nOK (skipped=1)\n";
        assert_eq!(count(good, true), Counts { passed: 3, failed: 0, skipped: 1 });
        let bad = "Ran 9 tests in 0.1s\n\nFAILED (failures=1, errors=2, skipped=1)\n";
        assert_eq!(count(bad, false), Counts { passed: 5, failed: 3, skipped: 1 });
        assert_eq!(count("no module named unittest", false).failed, 1);
    }

    fn counts(passed: u64, failed: u64, skipped: u64) -> Counts {
        Counts { passed, failed, skipped }
    }

    #[test]
    fn cargo_runs_add_up() {
        let output = "\
test a ... ok
test b ... ignored, needs a V4L2 device
test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s
test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s
";
        assert_eq!(Summary::Cargo.count(output, false), counts(15, 2, 1));
        assert_eq!(Summary::Cargo.skipped(output), ["test b ... ignored, needs a V4L2 device"]);
    }

    #[test]
    fn no_summary_is_a_failure_whatever_the_status_says() {
        for summary in [Summary::Cargo, Summary::Node, Summary::Prove, Summary::Ours] {
            assert_eq!(summary.count("nothing to read", true), counts(0, 1, 0), "{summary:?}");
        }
    }

    #[test]
    fn a_failure_that_the_summary_lacks_is_counted() {
        let output = "test result: ok. 4 passed; 0 failed; 0 ignored; 0 measured\nerror: signal 11";
        assert_eq!(Summary::Cargo.count(output, false), counts(4, 1, 0));
        assert_eq!(Summary::ExitStatus.count("", false), counts(0, 1, 0));
        assert_eq!(Summary::ExitStatus.count("", true), counts(1, 0, 0));
        assert_eq!(Summary::Ours.count("3 passed, 0 failed", false), counts(3, 1, 0));
    }

    #[test]
    fn node_is_read_with_either_reporter() {
        let tap = "ok 1 - the article # SKIP EYELET_ARTICLE is not set\n# pass 77\n\
                   # tests 4\n# pass 2\n# fail 1\n# cancelled 1\n# skipped 1\n# todo 0\n";
        assert_eq!(Summary::Node.count(tap, false), counts(2, 2, 1));
        assert_eq!(Summary::Node.skipped(tap).len(), 1);
        let spec = "﹣ the article (0.4ms) # EYELET_ARTICLE is not set\n\
                    ℹ pass 5\nℹ fail 0\nℹ cancelled 0\nℹ skipped 1\n";
        assert_eq!(Summary::Node.count(spec, true), counts(5, 0, 1));
        assert_eq!(Summary::Node.skipped(spec).len(), 1);
    }

    #[test]
    fn prove_is_read() {
        let good = "t/app.t ... ok\nt/coro.t .. skipped: no Coro\nAll tests successful.\n\
                    Files=2, Tests=40,  1 wallclock secs\nResult: PASS\n";
        assert_eq!(Summary::Prove.count(good, true), counts(40, 0, 1));
        assert_eq!(Summary::Prove.skipped(good), ["t/coro.t .. skipped: no Coro"]);
        let bad = "Failed 1/2 test programs. 3/40 subtests failed.\nFiles=2, Tests=40,  1 wallclock secs\n";
        assert_eq!(Summary::Prove.count(bad, false), counts(37, 3, 0));
    }

    #[test]
    fn our_own_commands_end_with_the_same_line() {
        let output = "9 passed, 9 failed of something else\nok x\n5 passed, 2 failed\n";
        assert_eq!(Summary::Ours.count(output, false), counts(5, 2, 0));
    }
}
