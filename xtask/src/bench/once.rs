//! What needs no rounds of viewers: how long a start takes, an area's latency, the size of the executable, the encoders.

use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::figures::Spread;
use super::kind::Kind;
use super::lab::{Lab, Side};
use super::run::{Group, Server, watch};
use super::scenario::{SCENARIOS, Scenario};
use super::server::Programs;
use crate::command::{output, text};

/// Starts that are timed.
const STARTS: usize = 5;
/// Frames that an area passes on while it is timed.
const FRAMES: &str = "400";
/// Turns of each encoder.
const TURNS: &str = "30";

/// Measures all; what fails says so in its place.
pub(super) fn measure(lab: &Lab, programs: &Programs) -> Vec<(String, String)> {
    let told =
        |value: Result<String>| value.unwrap_or_else(|problem| format!("failed: {problem:#}"));
    let mut all = vec![
        ("start to a viewer's first frame".to_owned(), told(start(lab, programs))),
        ("executable, stripped".to_owned(), told(size(programs))),
    ];
    for subscribers in ["1", "4"] {
        let what =
            format!("area: 614400 bytes from publishing to receiving, {subscribers} subscribers");
        all.push((what, told(area(lab, programs, subscribers))));
    }
    match encoders(lab, programs) {
        Ok(encoders) => all.extend(encoders),
        Err(problem) => all.push(("YUYV to JPEG".to_owned(), format!("failed: {problem:#}"))),
    }
    all
}

/// From the start of the program until a viewer, started with it, has a frame.
fn start(lab: &Lab, programs: &Programs) -> Result<String> {
    let scenario = SCENARIOS.iter().find(|scenario| scenario.name == "raw-10");
    let scenario = Scenario { viewers: 1, ..*scenario.context("there is no such scenario")? };
    let mut times = Vec::new();
    for _ in 0..STARTS {
        let begin = Instant::now();
        let server = Server::start(lab, Kind::Eyelet.start(lab, &scenario, programs)?)?;
        let mut command = watch(lab, &programs.eyelet, &server.url, &scenario);
        command.args(["--announce", "--seconds", "0.1"]);
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        let mut viewer = Group::spawn(lab, command)?;
        // It counts as soon as it has a frame.
        let mut byte = [0];
        let mut said = viewer.0.stderr.take().context("no standard error")?;
        std::io::Read::read_exact(&mut said, &mut byte).context("the viewer said nothing")?;
        times.push(Some(begin.elapsed().as_secs_f64() * 1e3));
        viewer.0.wait()?;
    }
    let Spread { median, min, max } = Spread::of(times).context("no start")?;
    Ok(format!("{median:.0} ms ({min:.0}..{max:.0})"))
}

fn size(programs: &Programs) -> Result<String> {
    let stripped = tempfile::NamedTempFile::new()?;
    output(Command::new("strip").arg("-o").arg(stripped.path()).arg(&programs.eyelet))?;
    let bytes = std::fs::metadata(stripped.path())?.len();
    Ok(format!("{}.{} MB", bytes / 1_000_000, bytes / 100_000 % 10))
}

/// Each subscriber prints its own percentiles; the slowest of them counts.
fn area(lab: &Lab, programs: &Programs, subscribers: &str) -> Result<String> {
    let mut command = lab.command(Side::Server, &programs.bench);
    let said = text(command.args(["area", subscribers, FRAMES]))?;
    let lines: Vec<Value> = said.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    let most = |key: &str| lines.iter().filter_map(|line| line[key].as_f64()).fold(0.0, f64::max);
    Ok(format!("p50 {:.0} µs, p99 {:.0} µs", most("p50_us"), most("p99_us")))
}

/// Eyelet's encoder beside the peer: the same picture, to the byte's number.
fn encoders(lab: &Lab, programs: &Programs) -> Result<Vec<(String, String)>> {
    let peer = programs.peers.turbojpeg()?;
    let mut command = lab.command(Side::Server, &programs.bench);
    command.args(["encode", TURNS]).arg(peer.program());
    let said = text(peer.with_libraries(&mut command))?;
    let line = |line: &str| {
        let line: Value = serde_json::from_str(line)?;
        let word = |key: &str| line[key].as_str().unwrap_or("?").to_owned();
        let number = |key: &str| line[key].as_f64().unwrap_or(f64::NAN);
        let what = format!("{} YUYV of {} range to JPEG", word("size"), word("range"));
        let value = format!(
            "{:.0} µs, libjpeg-turbo {:.0} µs, ratio {:.2} ({:.2}..{:.2})",
            number("eyelet_us"),
            number("turbojpeg_us"),
            number("ratio"),
            number("least"),
            number("most"),
        );
        Ok((what, value))
    };
    said.lines().map(line).collect()
}
