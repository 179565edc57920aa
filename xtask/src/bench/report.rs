//! What all runs say: tables for people, JSON for programs, plots.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::figures::{Figures, Spread, ratio};
use super::kind::Kind;
use super::plot::{self, Bar, digits};
use super::scenario::{Load, Scenario};

/// All rounds of one server in one scenario.
#[derive(Debug)]
pub(super) struct Rounds {
    pub(super) kind: Kind,
    pub(super) figures: Vec<Figures>,
    /// From a run of its own.
    pub(super) calls_per_frame: Option<f64>,
}

/// All servers of one scenario.
#[derive(Debug)]
pub(super) struct Compared {
    pub(super) scenario: &'static Scenario,
    pub(super) servers: Vec<Rounds>,
}

/// Everything.
#[derive(Debug, Default)]
pub(super) struct Results {
    /// Lines about machine, kernel, date and versions.
    pub(super) head: Vec<String>,
    pub(super) compared: Vec<Compared>,
    /// What was measured once: a name and a value.
    pub(super) once: Vec<(String, String)>,
    /// Who was left out, and why.
    pub(super) left_out: Vec<String>,
}

/// Which server stands beside which.
const RATIOS: &[(Kind, Kind)] = &[
    (Kind::Eyelet, Kind::Write),
    (Kind::Eyelet, Kind::Sendfile),
    (Kind::UwsgiArticle, Kind::Eyelet),
    (Kind::UwsgiFast, Kind::Eyelet),
    (Kind::Ustreamer, Kind::Eyelet),
];

/// The same where frames come through an app, and what is wanted of the first column.
const APP_RATIOS: &[(Kind, Kind)] = &[(Kind::Eyelet, Kind::UwsgiFast)];
const WANTED_OF_APPS: &str =
    "\nWanted is a ratio of 0.5 at most for the server's processor time.\n";

/// Columns that are counts, of all rounds together.
const GAPS: &str = "gaps";
const TORN: &str = "torn";

type Pick = fn(&Figures) -> Option<f64>;

const COST: Pick = |f| f.us_per_frame;

impl Results {
    /// Writes `summary.md`, `results.json` and a plot for each scenario that has a cost; what was there is replaced.
    ///
    /// # Errors
    /// A file cannot be written.
    pub(super) fn write(&self, folder: &Path) -> Result<()> {
        fs::create_dir_all(folder)?;
        let write = |name: &str, text: String| {
            let path = folder.join(name);
            fs::write(&path, text).with_context(|| format!("failed to write `{}`", path.display()))
        };
        write("summary.md", self.markdown())?;
        write("results.json", format!("{:#}\n", self.json()))?;
        for compared in &self.compared {
            if let Some(svg) = compared.plot() {
                write(&compared.plot_name(), svg)?;
            }
        }
        Ok(())
    }

    fn json(&self) -> Value {
        let server = |rounds: &Rounds| {
            json!({
                "server": rounds.kind.name(),
                "calls_per_frame": rounds.calls_per_frame,
                "rounds": rounds.figures.iter().map(|f| f.to_json()).collect::<Vec<_>>(),
            })
        };
        let scenario = |compared: &Compared| {
            json!({
                "name": compared.scenario.name,
                "about": compared.scenario.about(),
                "servers": compared.servers.iter().map(server).collect::<Vec<_>>(),
            })
        };
        json!({
            "head": self.head,
            "scenarios": self.compared.iter().map(scenario).collect::<Vec<_>>(),
            "once": self.once,
            "left_out": self.left_out,
        })
    }

    /// The tables.
    pub(super) fn markdown(&self) -> String {
        let mut text = String::from(
            "# Figures\n\nMade by `cargo xtask bench`; the medians of rounds in turn, least and most behind them. Other machines give\n\
             other figures; ratios within one scenario are what says something. Processor time is that of a server's whole\n\
             process tree; `total` adds that of the viewers.\n\n",
        );
        for line in &self.head {
            writeln!(text, "- {line}").ok();
        }
        for line in &self.left_out {
            writeln!(text, "- left out: {line}").ok();
        }
        for compared in &self.compared {
            compared.write(&mut text);
        }
        if !self.once.is_empty() {
            text.push_str("\n## Once\n\n| what | |\n|---|---|\n");
            for (what, value) in &self.once {
                writeln!(text, "| {what} | {value} |").ok();
            }
        }
        text
    }
}

impl Compared {
    fn plot_name(&self) -> String {
        format!("cost-{}.svg", self.scenario.name)
    }

    fn plot(&self) -> Option<String> {
        let bar =
            |rounds: &Rounds| Some(Bar { name: rounds.kind.name(), value: rounds.spread(COST)? });
        let bars: Vec<Bar> = self.servers.iter().filter_map(bar).collect();
        let unit = "processor time of the server per delivered frame, in microseconds";
        (!bars.is_empty()).then(|| plot::bars(&capitalized(&self.scenario.about()), unit, &bars))
    }

    fn write(&self, text: &mut String) {
        write!(text, "\n## {}\n\n{}.\n\n", self.scenario.name, capitalized(&self.scenario.about()))
            .ok();
        let columns: &[(&str, Pick)] = match self.scenario.load {
            Load::Healthy | Load::WithSlow(_) => &[
                ("µs/frame", COST),
                ("s/GB", |f| f.seconds_per_gb),
                ("total s/GB", |f| f.total_seconds_per_gb),
                ("p50 ms", |f| f.p50_ms),
                ("p99 ms", |f| f.p99_ms),
                ("fps min", |f| Some(f.fps_min)),
                ("fps median", |f| Some(f.fps_median)),
                ("memory MB", |f| Some(f.memory_mb)),
                (GAPS, |f| Some(f.gaps)),
                (TORN, |f| Some(f.torn)),
            ],
            Load::Paused | Load::Silent => &[
                ("processor s/s", |f| Some(f.server_load)),
                ("memory MB", |f| Some(f.memory_mb)),
                ("kernel's for TCP, MB", |f| Some(f.tcp_mb)),
                ("shared memory, MB", |f| Some(f.shared_mb)),
            ],
        };
        let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
        if matches!(self.scenario.load, Load::WithSlow(_)) {
            text.push_str(
                "What the slow viewers cost is in the cost of a frame of the others; so are their system calls.\n\n",
            );
        }
        let rule = "---|".repeat(names.len() + 3);
        writeln!(text, "| server | {} | calls/frame | verdict |\n|{rule}", names.join(" | ")).ok();
        for rounds in &self.servers {
            let cells: Vec<String> = columns
                .iter()
                .map(|(name, pick)| match *name {
                    GAPS | TORN => rounds.sum(*pick),
                    _ => cell(rounds.spread(*pick)),
                })
                .collect();
            let calls =
                rounds.calls_per_frame.map_or("–".to_owned(), |calls| format!("{calls:.2}"));
            let (name, verdict) = (rounds.kind.name(), rounds.verdict());
            writeln!(text, "| {name} | {} | {calls} | {verdict} |", cells.join(" | ")).ok();
        }
        self.write_ratios(text);
        if self.plot().is_some() {
            writeln!(text, "\n![{}]({})", self.scenario.about(), self.plot_name()).ok();
        }
    }

    fn write_ratios(&self, text: &mut String) {
        let find = |kind| self.servers.iter().find(|rounds| rounds.kind == kind);
        let is_app = self.scenario.places.is_some();
        let mut lines = String::new();
        for (one, other) in if is_app { APP_RATIOS } else { RATIOS } {
            let (Some(a), Some(b)) = (find(*one), find(*other)) else { continue };
            let of = |pick| cell(ratio(&a.figures, &b.figures, pick));
            let (one, other) = (one.name(), other.name());
            let (cost, total, p99) = (of(COST), of(|f| f.total_seconds_per_gb), of(|f| f.p99_ms));
            if cost != NOTHING {
                writeln!(lines, "| {one} / {other} | {cost} | {total} | {p99} |").ok();
            }
        }
        if !lines.is_empty() {
            write!(text, "\n| ratio | server | total | p99 |\n|---|---|---|---|\n{lines}").ok();
            text.push_str(if is_app { WANTED_OF_APPS } else { "" });
        }
    }
}

impl Rounds {
    fn spread(&self, pick: Pick) -> Option<Spread> {
        Spread::of(self.figures.iter().map(pick))
    }

    /// Of all rounds together.
    fn sum(&self, pick: Pick) -> String {
        format!("{:.0}", self.figures.iter().filter_map(pick).sum::<f64>())
    }

    /// The verdict of all rounds, or each with its count; and a word when the viewers were the limit.
    fn verdict(&self) -> String {
        let mut counts: Vec<(String, usize)> = Vec::new();
        for figures in &self.figures {
            let verdict = figures.verdict.to_string();
            match counts.iter_mut().find(|(known, _)| *known == verdict) {
                Some((_, count)) => *count += 1,
                None => counts.push((verdict, 1)),
            }
        }
        let mut words: Vec<String> = match &counts[..] {
            [(only, _)] => vec![only.clone()],
            all => all.iter().map(|(verdict, count)| format!("{count} x {verdict}")).collect(),
        };
        if self.spread(|f| Some(f.viewers_load)).is_some_and(|load| load.median > 0.95) {
            words.push("the viewers are the limit".to_owned());
        }
        words.join(", ")
    }
}

const NOTHING: &str = "–";

/// A median with the least and the most, or the median alone where they are the same.
fn cell(spread: Option<Spread>) -> String {
    let Some(Spread { median, min, max }) = spread else { return NOTHING.to_owned() };
    let digits = digits(median);
    let [median, min, max] = [median, min, max].map(|value| format!("{value:.digits$}"));
    if min == max { median } else { format!("{median} ({min}..{max})") }
}

fn capitalized(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::super::figures::sample;
    use super::super::scenario::SCENARIOS;
    use super::*;

    fn results() -> Results {
        let rounds = |kind, costs: &[f64]| Rounds {
            kind,
            figures: costs.iter().map(|cost| sample(*cost)).collect(),
            calls_per_frame: Some(1.5),
        };
        let scenario = SCENARIOS.iter().find(|scenario| scenario.name == "raw-50").unwrap();
        let servers = vec![
            rounds(Kind::Eyelet, &[100.0, 110.0, 120.0]),
            rounds(Kind::Write, &[50.0, 55.0, 60.0]),
        ];
        Results {
            head: vec!["a machine".into()],
            compared: vec![Compared { scenario, servers }],
            once: vec![("start".into(), "30 ms".into())],
            left_out: vec!["uwsgi: no network".into()],
        }
    }

    #[test]
    fn tables_have_medians_ratios_and_who_is_missing() {
        let text = results().markdown();
        for line in [
            "- a machine",
            "- left out: uwsgi: no network",
            "| eyelet | 110 (100..120) |",
            "| bare write | 55.0 (50.0..60.0) |",
            "| eyelet / bare write | 2.00 |",
            "| 1.50 | full rate |",
            "(cost-raw-50.svg)",
            "| start | 30 ms |",
        ] {
            assert!(text.contains(line), "{line} is not in {text}");
        }
    }

    #[test]
    fn apps_stand_beside_those_of_the_peer_with_what_is_wanted() {
        let scenario = SCENARIOS.iter().find(|scenario| scenario.places.is_some()).unwrap();
        let rounds =
            |kind, cost| Rounds { kind, figures: vec![sample(cost)], calls_per_frame: None };
        let servers = vec![rounds(Kind::Eyelet, 100.0), rounds(Kind::UwsgiFast, 250.0)];
        let mut text = String::new();
        Compared { scenario, servers }.write(&mut text);
        for line in ["10 viewers through an app", "| eyelet / uwsgi 5 ms | 0.400 |", "0.5 at most"]
        {
            assert!(text.contains(line), "{line} is not in {text}");
        }
    }

    #[test]
    fn files_are_written() {
        let folder = tempfile::tempdir().unwrap();
        results().write(folder.path()).unwrap();
        let text = fs::read_to_string(folder.path().join("results.json")).unwrap();
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["scenarios"][0]["servers"][0]["rounds"][1]["us_per_frame"], 110.0);
        assert!(folder.path().join("cost-raw-50.svg").exists());
        assert!(folder.path().join("summary.md").exists());
    }
}
