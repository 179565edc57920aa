//! What a run found, for people and for programs.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::Serialize;

use super::latency::Percentiles;
use super::tally::{Tally, generation};
use super::viewer::{Newest, Shared};

/// Of the published frames, the part that a viewer must get at least for its rate to be full.
const FULL: f64 = 0.999;
/// Of the nominal rate, the part that the source must give at least for the run to say anything about the server.
const NOMINAL: f64 = 0.99;

/// What a run found. Rates are per second, times of the measured part only; numbers that cannot be known are `null`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// What was watched.
    pub url: String,
    /// `eyelet.v1`, `bare` or `mjpeg`.
    pub mode: &'static str,
    /// The stream's shape, as `yuyv 640x480`; known of `eyelet.v1` only, else `null`.
    pub format: Option<String>,
    /// Frames a second that the stream promises; `null` if it promises nothing.
    pub nominal_fps: Option<f64>,
    /// Connections that were asked for.
    pub viewers: usize,
    /// How long it was counted.
    pub seconds: f64,
    /// Frames that the server had meanwhile, by their sequence, up to the newest that any viewer got; `null` where frames
    /// have none.
    pub published: Option<u64>,
    /// Their rate, by the times at which they were captured.
    pub published_fps: Option<f64>,
    /// Frames that came to all viewers.
    pub frames: u64,
    /// Frames per viewer.
    pub frames_per_viewer: Spread,
    /// Frames a second per viewer.
    pub fps: Spread,
    /// Of the published frames, the part that the worst viewer got.
    pub received_ratio: Option<f64>,
    /// Places in all viewers' sequences where frames are missing.
    pub gaps: u64,
    /// Frames missing there.
    pub missed: u64,
    /// Frames that the server says it dropped for these viewers.
    pub dropped_by_server: u64,
    /// Frames that were not newer than the one before: never, from a server that works.
    pub backwards: u64,
    /// Frames whose pixels were verified.
    pub verified: u64,
    /// Of these, frames made of parts of different frames, or damaged: never, from a server that works.
    pub torn: u64,
    /// Of these, frames with a new number and an old picture: never, from a server that works.
    pub stale: u64,
    /// Frames of H.264 that came without the one that they need: never, from a server that works.
    pub undecodable: u64,
    /// Frames that no `config` described: never, from a server that works.
    pub without_config: u64,
    /// From capture until the last byte was read, in ms; only on the server's own machine, else `null`.
    pub captured_to_received_ms: Option<Percentiles>,
    /// From the begin of sending until the last byte was read, in ms; likewise.
    pub sent_to_received_ms: Option<Percentiles>,
    /// Bytes of frames.
    pub bytes: u64,
    /// Bytes of frames a second.
    pub bytes_per_second: f64,
    /// Processor seconds that the viewers themselves took: near `seconds`, they are the limit, not the server.
    pub cpu_seconds: f64,
    /// Connections that ended or were refused.
    pub disconnects: u64,
    /// Connections made anew after that.
    pub reconnects: u64,
    /// Why connections ended and what the server said, with counts.
    pub remarks: BTreeMap<String, u64>,
    /// Every viewer got every published frame, as nearly as can be said.
    pub full_rate: bool,
    /// The result in a word.
    pub verdict: Verdict,
}

/// The result in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Every viewer got at least 99.9 % of what was published, and that was at least 99 % of the nominal rate.
    FullRate,
    /// The source itself was below 99 % of its nominal rate: the machine has too little to spare, or the camera is in
    /// the dark.
    MachineTooSlow,
    /// Some viewer missed frames.
    FramesMissed,
    /// Nobody got a frame.
    NoFrames,
    /// Frames have no number, so nobody knows what is missing.
    Unknown,
}

/// How a number differs between viewers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Spread {
    /// The worst viewer.
    pub min: f64,
    /// The one in the middle.
    pub median: f64,
    /// The best.
    pub max: f64,
}

impl Spread {
    /// Of no numbers at all it is zero.
    fn of(mut all: Vec<f64>) -> Self {
        all.sort_by(f64::total_cmp);
        let (Some(&min), Some(&max)) = (all.first(), all.last()) else { return Self::default() };
        let middle = all.len() / 2;
        let median = if all.len().is_multiple_of(2) {
            f64::midpoint(all[middle - 1], all[middle])
        } else {
            all[middle]
        };
        Self { min: round(min), median: round(median), max: round(max) }
    }
}

/// What the run itself knows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts {
    pub(crate) seconds: Duration,
    pub(crate) cpu: Duration,
    /// The newest frame when counting began and when it ended.
    pub(crate) first: Option<Newest>,
    pub(crate) last: Option<Newest>,
}

impl Report {
    pub(crate) fn new(shared: &Shared, tallies: &[Tally], facts: &Facts) -> Self {
        let sum = |count: fn(&Tally) -> u64| tallies.iter().map(count).sum::<u64>();
        let seconds = facts.seconds.as_secs_f64().max(f64::EPSILON);
        let end = facts.last.map(|last| last.sequence);
        let expected = tallies.iter().map(|tally| tally.expected(end)).max().unwrap_or(0);
        let published = end.map(|_| expected);
        let published_fps = published.map(|count| rate(facts).unwrap_or(real(count) / seconds));
        let ratios = tallies.iter().map(|tally| match tally.last {
            // One that never got a frame missed all that others got.
            None => 0.0,
            Some(_) => ratio(tally.received - tally.backwards, tally.expected(end)),
        });
        let received_ratio = published.map(|_| ratios.fold(1.0, f64::min));
        let format = shared.format.borrow();
        let nominal_fps = format.as_ref().map(|format| format.fps).filter(|fps| *fps > 0.0);
        let frames = sum(|tally| tally.received);
        let is_same_clock = !shared.is_other_clock.get();
        let verdict = verdict(frames, received_ratio, published_fps, nominal_fps);
        let bytes = sum(|tally| tally.bytes);
        Self {
            url: shared.options.target.to_string(),
            mode: shared.options.mode.name(),
            format: format.as_ref().map(|f| format!("{} {}x{}", f.format, f.width, f.height)),
            nominal_fps,
            viewers: tallies.len(),
            seconds: round(seconds),
            published,
            published_fps: published_fps.map(round),
            frames,
            frames_per_viewer: Spread::of(tallies.iter().map(|t| real(t.received)).collect()),
            fps: Spread::of(tallies.iter().map(|t| real(t.received) / seconds).collect()),
            received_ratio: received_ratio.map(|ratio| (ratio * 1e6).floor() / 1e6),
            gaps: sum(|tally| tally.gaps),
            missed: sum(|tally| tally.missed),
            dropped_by_server: sum(|tally| tally.dropped),
            backwards: sum(|tally| tally.backwards),
            verified: sum(|tally| tally.checked),
            torn: sum(|tally| tally.torn),
            stale: sum(|tally| tally.stale),
            undecodable: sum(|tally| tally.undecodable),
            without_config: sum(|tally| tally.without_config),
            captured_to_received_ms: shared
                .from_capture
                .borrow()
                .percentiles()
                .filter(|_| is_same_clock),
            sent_to_received_ms: shared
                .from_sending
                .borrow()
                .percentiles()
                .filter(|_| is_same_clock),
            bytes,
            bytes_per_second: round(real(bytes) / seconds),
            cpu_seconds: round(facts.cpu.as_secs_f64()),
            disconnects: shared.disconnects.get(),
            reconnects: shared.reconnects.get(),
            remarks: shared.remarks.borrow().clone(),
            full_rate: verdict == Verdict::FullRate,
            verdict,
        }
    }

    /// Gives what keeps the run from being perfect; empty if nothing does.
    #[must_use]
    pub fn faults(&self) -> String {
        let mut faults = Vec::new();
        if !self.full_rate {
            faults.push(self.verdict.to_string());
        }
        for (count, what) in [
            (self.torn, "torn"),
            (self.stale, "stale"),
            (self.backwards, "out of order"),
            (self.undecodable, "undecodable"),
            (self.without_config, "without a config"),
        ] {
            if count > 0 {
                faults.push(format!("{count} frames are {what}"));
            }
        }
        faults.join("; ")
    }
}

/// The rate at which frames were captured: exact, because it counts intervals and not frames in a window.
fn rate(facts: &Facts) -> Option<f64> {
    let (first, last) = (facts.first?, facts.last?);
    let frames = last.sequence.checked_sub(first.sequence)?;
    let us = last.at_us.checked_sub(first.at_us).filter(|us| *us > 0)?;
    let is_one_life = generation(first.sequence) == generation(last.sequence);
    (is_one_life && frames > 0).then(|| real(frames) / real(us) * 1e6)
}

fn verdict(
    frames: u64,
    ratio: Option<f64>,
    published: Option<f64>,
    nominal: Option<f64>,
) -> Verdict {
    let is_slow = matches!((published, nominal), (Some(is), Some(shall)) if is < shall * NOMINAL);
    match ratio {
        _ if frames == 0 => Verdict::NoFrames,
        None => Verdict::Unknown,
        Some(ratio) if ratio < FULL => Verdict::FramesMissed,
        Some(_) if is_slow => Verdict::MachineTooSlow,
        Some(_) => Verdict::FullRate,
    }
}

fn ratio(part: u64, of: u64) -> f64 {
    if of == 0 { 1.0 } else { real(part) / real(of) }
}

#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
fn real(count: u64) -> f64 {
    count as f64
}

/// To a thousandth: more digits would only look exact.
fn round(number: f64) -> f64 {
    (number * 1000.0).round() / 1000.0
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::FullRate => "full rate: every viewer got every frame",
            Self::MachineTooSlow => {
                "machine too slow: the source itself was below its nominal rate (or a camera is in the dark)"
            }
            Self::FramesMissed => "some viewers missed frames",
            Self::NoFrames => "no frame came",
            Self::Unknown => "frames carry no number, so nobody knows whether any is missing",
        })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let format = self.format.as_deref().unwrap_or("frames of unknown format");
        let plural = if self.viewers == 1 { "" } else { "s" };
        writeln!(f, "{} viewer{plural} of {} for {:.1} s", self.viewers, self.url, self.seconds)?;
        writeln!(f, "  stream      {format}, {}", self.mode)?;
        self.fmt_frames(f)?;
        self.fmt_latency(f)?;
        let per_second = self.bytes_per_second / 1e6;
        writeln!(f, "  bytes       {} ({per_second:.1} MB/s)", self.bytes)?;
        let load = self.cpu_seconds / self.seconds.max(f64::EPSILON) * 100.0;
        writeln!(
            f,
            "  own cost    {:.2} processor seconds ({load:.0} % of one core)",
            self.cpu_seconds
        )?;
        writeln!(f, "  connections {} ended, {} made anew", self.disconnects, self.reconnects)?;
        for (remark, count) in &self.remarks {
            writeln!(f, "              {count} x {remark}")?;
        }
        write!(f, "  verdict     {}", self.verdict)
    }
}

impl Report {
    fn fmt_frames(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Spread { min, median, max } = self.frames_per_viewer;
        writeln!(
            f,
            "  frames      {} received; per viewer {min} min, {median} median, {max} max",
            self.frames
        )?;
        write!(
            f,
            "  rate        per viewer {:.2} min, {:.2} median a second",
            self.fps.min, self.fps.median
        )?;
        if let Some(fps) = self.published_fps {
            write!(f, "; published {fps:.2}")?;
        }
        if let Some(fps) = self.nominal_fps {
            write!(f, " of {fps:.2}")?;
        }
        writeln!(f)?;
        if let (Some(published), Some(ratio)) = (self.published, self.received_ratio) {
            let ratio = ratio * 100.0;
            writeln!(
                f,
                "  complete    {ratio:.2} % of {published} published frames for the worst viewer"
            )?;
        }
        writeln!(
            f,
            "  missed      {} frames in {} gaps; server says it dropped {}",
            self.missed, self.gaps, self.dropped_by_server
        )?;
        writeln!(f, "  wrong order {} backwards, {} stale", self.backwards, self.stale)?;
        if self.undecodable > 0 {
            writeln!(f, "  undecodable {} frames without the one before", self.undecodable)?;
        }
        if self.without_config > 0 {
            writeln!(f, "  undescribed {} frames without a config", self.without_config)?;
        }
        match self.verified {
            0 => writeln!(f, "  torn        not verified: only the test picture can be"),
            verified => writeln!(f, "  torn        {} of {verified} verified", self.torn),
        }
    }

    fn fmt_latency(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, latency) in
            [("latency", self.captured_to_received_ms), ("of that sent", self.sent_to_received_ms)]
        {
            if let Some(Percentiles { p50, p90, p99, max }) = latency {
                let pace = format!("{p50:.2} p50, {p90:.2} p90, {p99:.2} p99, {max:.2} max");
                writeln!(f, "  {name:<12}{}{pace} ms", if name.len() < 12 { "" } else { " " })?;
            }
        }
        if self.captured_to_received_ms.is_some() {
            writeln!(
                f,
                "              (from capture, and from sending, to the last byte read on this machine)"
            )?;
        }
        Ok(())
    }
}
