//! What runs gave, and what several of them say together.

use std::fmt;

use serde_json::{Value, json};

/// Frames a second that every source promises.
pub(super) const FPS: f64 = 30.0;
/// Of what was published, the part that each viewer must get at least.
const FULL: f64 = 0.999;
/// Of the promised rate, the part that must be published at least.
const NOMINAL: f64 = 0.99;

/// What one run gave; processor time is that of the server's whole process tree.
#[derive(Clone, Copy, Debug)]
pub(super) struct Figures {
    pub(super) us_per_frame: Option<f64>,
    pub(super) seconds_per_gb: Option<f64>,
    /// With the viewers' time.
    pub(super) total_seconds_per_gb: Option<f64>,
    /// Processor seconds per second.
    pub(super) server_load: f64,
    pub(super) viewers_load: f64,
    pub(super) calls_per_frame: Option<f64>,
    pub(super) p50_ms: Option<f64>,
    pub(super) p99_ms: Option<f64>,
    pub(super) fps_min: f64,
    pub(super) fps_median: f64,
    pub(super) memory_mb: f64,
    /// The kernel's, more than before the run.
    pub(super) tcp_mb: f64,
    pub(super) shared_mb: f64,
    pub(super) gaps: f64,
    pub(super) torn: f64,
    pub(super) verdict: Verdict,
}

/// What a run proves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    FullRate,
    FramesMissed,
    MachineTooSlow,
    NoFrames,
    /// Frames were not what it was about.
    Idle,
}

impl Verdict {
    /// Judges by the part of the published frames that the worst viewer got, and their rate.
    pub(super) fn of(
        delivers: bool,
        frames: f64,
        received: Option<f64>,
        published: Option<f64>,
    ) -> Self {
        match (received, published) {
            _ if !delivers => Self::Idle,
            (Some(received), Some(published)) if frames > 0.0 => {
                if published < NOMINAL * FPS {
                    Self::MachineTooSlow
                } else if received < FULL {
                    Self::FramesMissed
                } else {
                    Self::FullRate
                }
            }
            _ => Self::NoFrames,
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::FullRate => "full rate",
            Self::FramesMissed => "frames missed",
            Self::MachineTooSlow => "machine too slow",
            Self::NoFrames => "no frames",
            Self::Idle => "idle",
        })
    }
}

impl Figures {
    /// For programs.
    pub(super) fn to_json(self) -> Value {
        json!({
            "us_per_frame": self.us_per_frame,
            "seconds_per_gb": self.seconds_per_gb,
            "total_seconds_per_gb": self.total_seconds_per_gb,
            "server_load": self.server_load,
            "viewers_load": self.viewers_load,
            "calls_per_frame": self.calls_per_frame,
            "p50_ms": self.p50_ms,
            "p99_ms": self.p99_ms,
            "fps_min": self.fps_min,
            "fps_median": self.fps_median,
            "memory_mb": self.memory_mb,
            "tcp_mb": self.tcp_mb,
            "shared_mb": self.shared_mb,
            "gaps": self.gaps,
            "torn": self.torn,
            "verdict": self.verdict.to_string(),
        })
    }
}

/// The middle of several rounds, and how far they are apart.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Spread {
    pub(super) median: f64,
    pub(super) min: f64,
    pub(super) max: f64,
}

impl Spread {
    /// Of what is known; `None` if nothing is.
    pub(super) fn of(values: impl IntoIterator<Item = Option<f64>>) -> Option<Self> {
        let mut values: Vec<f64> = values.into_iter().flatten().collect();
        values.sort_by(f64::total_cmp);
        let (&min, &max) = (values.first()?, values.last()?);
        let middle = values.len() / 2;
        let median = if values.len().is_multiple_of(2) {
            f64::midpoint(values[middle - 1], values[middle])
        } else {
            values[middle]
        };
        Some(Self { median, min, max })
    }
}

/// What one figure of one server is beside another's, round by round.
pub(super) fn ratio(
    one: &[Figures],
    other: &[Figures],
    pick: fn(&Figures) -> Option<f64>,
) -> Option<Spread> {
    let both = one.iter().zip(other);
    Spread::of(both.map(|(one, other)| Some(pick(one)? / pick(other).filter(|v| *v > 0.0)?)))
}

#[cfg(test)]
pub(super) fn sample(us_per_frame: f64) -> Figures {
    Figures {
        us_per_frame: Some(us_per_frame),
        seconds_per_gb: Some(us_per_frame / 614.4),
        total_seconds_per_gb: Some(us_per_frame / 300.0),
        server_load: 0.2,
        viewers_load: 0.2,
        calls_per_frame: None,
        p50_ms: Some(4.0),
        p99_ms: Some(9.0),
        fps_min: 30.0,
        fps_median: 30.0,
        memory_mb: 3.0,
        tcp_mb: 1.0,
        shared_mb: 1.0,
        gaps: 0.0,
        torn: 0.0,
        verdict: Verdict::FullRate,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_and_what_is_unknown_does_not_count() {
        let spread = |values: &[f64]| Spread::of(values.iter().copied().map(Some));
        assert_eq!(spread(&[3.0, 1.0, 2.0]), Some(Spread { median: 2.0, min: 1.0, max: 3.0 }));
        assert_eq!(spread(&[4.0, 1.0]).map(|s| s.median), Some(2.5));
        assert_eq!((spread(&[]), Spread::of([None])), (None, None));
        assert_eq!(Spread::of([None, Some(1.0)]).map(|s| s.median), Some(1.0));
    }

    #[test]
    fn ratios_are_taken_round_by_round() {
        let rounds = |values: &[f64]| values.iter().map(|v| sample(*v)).collect::<Vec<_>>();
        let got = ratio(&rounds(&[10.0, 30.0]), &rounds(&[20.0, 30.0]), |f| f.us_per_frame);
        assert_eq!(got, Some(Spread { median: 0.75, min: 0.5, max: 1.0 }));
        assert_eq!(ratio(&rounds(&[1.0]), &rounds(&[0.0]), |f| f.us_per_frame), None);
    }

    #[test]
    fn verdicts_tell_the_server_from_the_machine() {
        let of = |received, published| Verdict::of(true, 9.0, Some(received), Some(published));
        assert_eq!(of(1.0, 30.0), Verdict::FullRate);
        assert_eq!(of(0.99, 30.0), Verdict::FramesMissed);
        assert_eq!(of(1.0, 29.0), Verdict::MachineTooSlow);
        assert_eq!(Verdict::of(true, 0.0, None, None), Verdict::NoFrames);
        assert_eq!(Verdict::of(false, 0.0, None, None), Verdict::Idle);
    }
}
