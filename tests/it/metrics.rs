//! `/-/metrics` and `docs/ref/metrics.md` say the same, and each metric moves when its cause happens.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;

use anyhow::{Context as _, Result, bail, ensure};
use eyelet_harness::wire::websocket::Opcode;
use eyelet_harness::{Eyelet, Process, Signal, exchange, wait_until};

use crate::support::{SMALL, UPGRADE, V1, process, read_answer, start};

const TABLE: &str = include_str!("../../docs/ref/metrics.md");
const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// A metric: its type and the names of its labels.
type Described = (String, BTreeSet<String>);

/// The rows of the documented table.
fn documented() -> BTreeMap<String, Described> {
    let code = |text: &str| text.trim().trim_matches('`').to_owned();
    let rows = TABLE.lines().filter(|line| line.starts_with("| `"));
    let row = |line: &str| {
        let cells: Vec<&str> = line.split('|').collect();
        let labels = cells[3].split(',').map(code).filter(|label| !label.is_empty());
        (code(cells[1]), (cells[2].trim().to_owned(), labels.collect()))
    };
    rows.map(row).collect()
}

/// One scrape.
#[derive(Clone, Debug, Default)]
struct Scrape {
    /// By the name in `# TYPE`, that of a counter with `_total`.
    types: BTreeMap<String, String>,
    /// By name, then by labels as `name="value"`.
    samples: BTreeMap<String, BTreeMap<BTreeSet<String>, f64>>,
}

impl Scrape {
    fn take(eyelet: &Eyelet) -> Result<Self> {
        let answer = eyelet.get("/-/metrics")?;
        ensure!(
            answer.status == 200 && answer.header("content-type") == Some(OPENMETRICS),
            "{answer:?}"
        );
        let text = String::from_utf8(answer.body)?;
        ensure!(text.ends_with("# EOF\n"), "{text}");
        let mut scrape = Self::default();
        for line in text.lines() {
            scrape.read(line).with_context(|| format!("in `{line}`"))?;
        }
        Ok(scrape)
    }

    fn read(&mut self, line: &str) -> Result<()> {
        if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (name, kind) = kind.split_once(' ').context("no type")?;
            let total = if kind == "counter" { "_total" } else { "" };
            let before = self.types.insert(format!("{name}{total}"), kind.to_owned());
            ensure!(before.is_none(), "it is there twice");
        } else if !line.starts_with('#') {
            let (sample, value) = line.rsplit_once(' ').context("no value")?;
            let (name, labels) = sample.split_once('{').unwrap_or((sample, ""));
            // No value of a label here has a comma or a bracket in it.
            let labels = labels.trim_end_matches('}').split(',').filter(|label| !label.is_empty());
            let labels = labels.map(str::to_owned).collect();
            self.samples.entry(name.to_owned()).or_default().insert(labels, value.parse()?);
        }
        Ok(())
    }

    /// The sum of the samples that have all these labels.
    fn sum(&self, name: &str, labels: &[&str]) -> f64 {
        let samples = self.samples.get(name).into_iter().flatten();
        let wanted = samples.filter(|(has, _)| labels.iter().all(|label| has.contains(*label)));
        wanted.map(|(_, value)| value).sum()
    }
}

/// Waits until a metric says what it should.
fn wait_for(
    eyelet: &Eyelet,
    name: &str,
    labels: &[&str],
    is_it: impl Fn(f64) -> bool,
) -> Result<()> {
    let mut last = None;
    let waited = wait_until(&format!("{name} {labels:?}"), || {
        last = Scrape::take(eyelet).map(|scrape| scrape.sum(name, labels)).ok();
        last.is_some_and(&is_it)
    });
    waited.with_context(|| format!("last {last:?}"))
}

/// A script of an app: it answers, ends without an answer, or stays until its client leaves, as the path says.
const APP: &str = r#"case "$PATH_INFO" in
  /dies) exit 0 ;;
  /stays) echo recv; read -r line ;;
  *) printf 'head 19\nHTTP/1.1 200 OK\r\n\r\nbody 2\nokend\n' ;;
esac"#;

fn everything() -> Result<Eyelet> {
    let script = format!("sh -c '{}'", APP.replace('\'', "'\\''"));
    let words = [
        "--area=counters=64",
        "--api-write=counters",
        "--max-connections=12",
        "--processes=2",
        "--restart-cap=0.2",
        &format!("--script={script}"),
    ];
    start(SMALL, &words)
}

#[test]
fn every_metric_is_documented_with_its_type_and_labels() -> Result<()> {
    let documented = documented();
    ensure!(documented.len() > 20, "{documented:?}");
    let eyelet = everything()?;
    // Those that are there from their first event on.
    ensure!(eyelet.get("/-/nothing")?.status == 404);
    ensure!(eyelet.get("/dies")?.status == 502);
    break_the_rules(&eyelet)?;
    wait_for(&eyelet, "eyelet_refused_websockets_total", &[], |count| count > 0.0)?;
    V1::watch(&eyelet)?.frame()?;
    let scrape = Scrape::take(&eyelet)?;
    let described = scrape.types.iter().map(|(name, kind)| {
        let labels = scrape.samples.get(name).into_iter().flat_map(|samples| samples.keys());
        let names = labels.flatten().filter_map(|label| Some(label.split_once('=')?.0.to_owned()));
        (name.clone(), (kind.clone(), names.collect()))
    });
    assert_eq!(described.collect::<BTreeMap<String, Described>>(), documented);
    Ok(())
}

/// Says something binary, where only texts are understood.
fn break_the_rules(eyelet: &Eyelet) -> Result<()> {
    let mut viewer = V1::connect(eyelet)?;
    viewer.ws.send(Opcode::Binary, b"?")?;
    viewer.ws.next_close()?;
    Ok(())
}

/// A cause, the metric that it moves, and the labels of the sample.
type Cause = (&'static str, &'static [&'static str], fn(&Eyelet) -> Result<()>);

const CAUSES: &[Cause] = &[
    ("eyelet_stream_captured_frames_total", &["stream=\"camera\""], watch),
    ("eyelet_stream_published_frames_total", &["stream=\"camera\""], watch),
    ("eyelet_stream_published_frames_total", &["stream=\"camera-jpeg\""], take_a_jpeg),
    ("eyelet_stream_key_frames_total", &["stream=\"camera-jpeg\""], take_a_jpeg),
    ("eyelet_stream_encode_seconds_total", &["stream=\"camera-jpeg\""], take_a_jpeg),
    ("eyelet_stream_lost_frames_total", &["reason=\"skipped\"", "stream=\"camera\""], stop_capture),
    ("eyelet_sent_frames_total", &["process=\"serve 0\""], watch),
    ("eyelet_sent_bytes_total", &["process=\"serve 0\""], watch),
    ("eyelet_dropped_frames_total", &["process=\"serve 0\""], watch_slowly),
    ("eyelet_process_cpu_seconds_total", &["process=\"serve 0\""], watch_for_long),
    ("eyelet_process_restarts_total", &["process=\"capture 0\""], kill_capture),
    ("eyelet_area_requests_total", &["stream=\"counters\""], count_in_an_area),
    ("eyelet_refused_requests_total", &["status=\"404\""], |eyelet| {
        expect(eyelet, "/-/nothing", 404)
    }),
    ("eyelet_refused_requests_total", &["status=\"400\""], |eyelet| {
        expect(eyelet, "/-/ws?fps=0", 400)
    }),
    ("eyelet_refused_requests_total", &["status=\"431\""], ask_at_length),
    ("eyelet_refused_requests_total", &["status=\"503\""], come_in_crowds),
    ("eyelet_refused_websockets_total", &["code=\"1003\""], break_the_rules),
    ("eyelet_app_requests_total", &["process=\"serve 0\""], |eyelet| expect(eyelet, "/", 200)),
    ("eyelet_app_failures_total", &["status=\"502\""], |eyelet| expect(eyelet, "/dies", 502)),
];

#[test]
fn every_counter_moves_when_its_cause_happens() -> Result<()> {
    let eyelet = everything()?;
    for (name, labels, cause) in CAUSES {
        let before = Scrape::take(&eyelet)?.sum(name, labels);
        cause(&eyelet).with_context(|| format!("what moves {name} {labels:?}"))?;
        wait_for(&eyelet, name, labels, |now| now > before)?;
    }
    Ok(())
}

/// Counters whose cause is not in [`CAUSES`], and the test that has it.
const ELSEWHERE: &[&str] =
    &["eyelet_given_up_viewers_total: what_slow_viewers_hold_stays_within_its_budget"];

#[test]
fn every_documented_counter_has_a_cause() {
    let moved: BTreeSet<&str> = CAUSES.iter().map(|(name, _, _)| *name).collect();
    let elsewhere = ELSEWHERE.iter().filter_map(|words| Some(words.split_once(':')?.0));
    let known: BTreeSet<&str> = moved.into_iter().chain(elsewhere).collect();
    let documented = documented();
    let counters = documented.iter().filter(|(_, (kind, _))| kind == "counter");
    assert_eq!(known, counters.map(|(name, _)| name.as_str()).collect());
}

#[test]
fn gauges_follow_what_they_measure() -> Result<()> {
    let eyelet = everything()?;
    wait_for(&eyelet, "eyelet_stream_live", &["stream=\"camera\""], |live| live == 1.0)?;
    let scrape = Scrape::take(&eyelet)?;
    assert_eq!(scrape.sum("eyelet_limit", &["limit=\"connections\""]), 12.0);
    assert_eq!(scrape.sum("eyelet_app_places", &[]), 2.0);
    for name in ["eyelet_process_private_bytes", "eyelet_process_descriptors"] {
        ensure!(scrape.sum(name, &["process=\"supervisor\""]) > 0.0, "{name}");
    }
    let mut viewer = V1::watch(&eyelet)?;
    viewer.frame()?;
    let is_watched: [(&str, &[&str]); 4] = [
        ("eyelet_stream_viewers", &["stream=\"camera\""]),
        ("eyelet_stream_subscribers", &["stream=\"camera\""]),
        ("eyelet_held_bytes", &[]),
        ("eyelet_connections", &[]),
    ];
    for (name, labels) in is_watched {
        wait_for(&eyelet, name, labels, |value| value > 0.0)?;
    }
    drop(viewer);
    wait_for(&eyelet, "eyelet_stream_viewers", &[], |viewers| viewers == 0.0)?;

    let mut inside = eyelet.raw()?;
    inside.write_all(UPGRADE.replace("/-/ws", "/stays").as_bytes())?;
    wait_for(&eyelet, "eyelet_app_taken_places", &[], |taken| taken == 1.0)?;
    drop(inside);
    wait_for(&eyelet, "eyelet_app_taken_places", &[], |taken| taken == 0.0)?;
    Ok(())
}

fn expect(eyelet: &Eyelet, path: &str, status: u16) -> Result<()> {
    let answer = eyelet.get(path)?;
    ensure!(answer.status == status, "{path}: {answer:?}");
    Ok(())
}

/// The first frame may be one that was there before.
fn watch(eyelet: &Eyelet) -> Result<()> {
    let mut viewer = V1::watch(eyelet)?;
    (0..3).try_for_each(|_| viewer.frame().map(drop))
}

fn watch_for_long(eyelet: &Eyelet) -> Result<()> {
    let mut viewer = V1::watch(eyelet)?;
    (0..60).try_for_each(|_| viewer.frame().map(drop))
}

fn take_a_jpeg(eyelet: &Eyelet) -> Result<()> {
    expect(eyelet, "/-/snapshot.jpg?max_age=0", 200)
}

/// Acknowledges nothing, so that only the first frames come; then what it missed is counted.
fn watch_slowly(eyelet: &Eyelet) -> Result<()> {
    let mut viewer = V1::connect(eyelet)?;
    viewer.start(serde_json::json!({"window": 1}))?;
    let first = viewer.frame()?.header;
    let mut witness = V1::watch(eyelet)?;
    witness.frame_that(|frame| frame.header.sequence >= first.sequence + 10)?;
    viewer.say(&serde_json::json!({"t": "ack", "seq": first.sequence}))?;
    viewer.frame_that(|frame| frame.header.dropped > 0)?;
    Ok(())
}

fn pid_of(eyelet: &Eyelet, role: &str) -> Result<Process> {
    let pid = process(&eyelet.status()?, role)?["pid"].as_u64().context("no process")?;
    Process::of(u32::try_from(pid)?).context("it has ended")
}

fn kill_capture(eyelet: &Eyelet) -> Result<()> {
    pid_of(eyelet, "capture 0")?.signal(Signal::KILL)
}

/// What would have been drawn meanwhile is left out.
fn stop_capture(eyelet: &Eyelet) -> Result<()> {
    let mut viewer = V1::watch(eyelet)?;
    viewer.frame()?;
    let capture = pid_of(eyelet, "capture 0")?;
    capture.signal(Signal::STOP)?;
    ensure!(viewer.next(std::time::Duration::from_millis(500)).is_ok());
    capture.signal(Signal::CONT)?;
    viewer.frame()?;
    Ok(())
}

fn count_in_an_area(eyelet: &Eyelet) -> Result<()> {
    let answer = exchange(eyelet.addr(), "POST", "/-/api/areas/counters", &[], b"")?;
    ensure!(answer.status == 200, "{answer:?}");
    Ok(())
}

fn ask_at_length(eyelet: &Eyelet) -> Result<()> {
    let mut stream = eyelet.raw()?;
    let head = format!("GET / HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n\r\n", "x".repeat(100_000));
    // It may be cut off before all of it is sent.
    stream.write_all(head.as_bytes()).ok();
    if let Ok(answer) = read_answer(&mut stream) {
        ensure!(answer.status == 431, "{answer:?}");
    }
    Ok(())
}

/// One more than there may be.
fn come_in_crowds(eyelet: &Eyelet) -> Result<()> {
    let mut all = Vec::new();
    for _ in 0..30 {
        let mut stream = eyelet.raw()?;
        stream.set_nonblocking(true)?;
        stream.write_all(b"GET /-/healthz HTTP/1.1\r\nHost: localhost\r\n").ok();
        all.push(stream);
    }
    // Until one of them was told so.
    let refused = wait_until("refusal", || {
        all.iter().any(|stream| matches!(stream.peek(&mut [0; 16]), Ok(16)))
    });
    if refused.is_err() {
        bail!("nobody was refused");
    }
    drop(all);
    wait_until("place", || eyelet.get("/-/healthz").is_ok_and(|answer| answer.status == 200))
}
