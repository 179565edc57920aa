//! Every metric: its name, what it says, and where its values come from.

use std::fmt;

use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use serde_json::Value;

use super::{real, usage};
use crate::config::Limits;
use crate::control::{AppReport, ChildStatus, Report, ServeReport, Status};
use crate::role::{AreaPlace, Role};

/// Labels and their values.
type Labels = Vec<(&'static str, String)>;

/// A metric with all its samples.
#[derive(Debug)]
pub(super) struct Family {
    name: &'static str,
    help: &'static str,
    samples: Samples,
}

#[derive(Debug)]
enum Samples {
    /// They only grow, until the process that counts is started again.
    Counter(Vec<(Labels, u64)>),
    /// The same, of seconds.
    Seconds(Vec<(Labels, f64)>),
    Gauge(Vec<(Labels, f64)>),
}

impl Family {
    /// A counter; its name gets `_total` behind it.
    fn counter(
        name: &'static str,
        help: &'static str,
        samples: impl IntoIterator<Item = (Labels, u64)>,
    ) -> Self {
        Self { name, help, samples: Samples::Counter(samples.into_iter().collect()) }
    }

    /// A counter of seconds.
    fn seconds(
        name: &'static str,
        help: &'static str,
        samples: impl IntoIterator<Item = (Labels, f64)>,
    ) -> Self {
        Self { name, help, samples: Samples::Seconds(samples.into_iter().collect()) }
    }

    /// Something that goes up and down.
    pub(super) fn gauge(
        name: &'static str,
        help: &'static str,
        samples: impl IntoIterator<Item = (Labels, f64)>,
    ) -> Self {
        Self { name, help, samples: Samples::Gauge(samples.into_iter().collect()) }
    }

    pub(super) fn encode(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let kind = match self.samples {
            Samples::Counter(_) | Samples::Seconds(_) => MetricType::Counter,
            Samples::Gauge(_) => MetricType::Gauge,
        };
        let mut metric = encoder.encode_descriptor(self.name, self.help, None, kind)?;
        match &self.samples {
            Samples::Counter(all) => each(&mut metric, all, |mut sample, value| {
                sample.encode_counter::<NoLabelSet, _, u64>(value, None)
            }),
            Samples::Seconds(all) => each(&mut metric, all, |mut sample, value| {
                sample.encode_counter::<NoLabelSet, _, u64>(value, None)
            }),
            Samples::Gauge(all) => {
                each(&mut metric, all, |mut sample, value| sample.encode_gauge(value))
            }
        }
    }
}

fn each<T>(
    metric: &mut MetricEncoder<'_>,
    samples: &[(Labels, T)],
    encode: impl Fn(MetricEncoder<'_>, &T) -> Result<(), fmt::Error>,
) -> Result<(), fmt::Error> {
    samples.iter().try_for_each(|(labels, value)| encode(metric.encode_family(labels)?, value))
}

/// Gathers everything.
pub(super) fn gather<'a>(
    status: &Status,
    places: impl Iterator<Item = &'a AreaPlace>,
    limits: &Limits,
) -> Vec<Family> {
    let mut families = program(status, limits);
    families.extend(processes(status));
    families.extend(streams(status, &places.collect::<Vec<_>>()));
    families.extend(serving(status));
    families.extend(app(status));
    families
}

fn program(status: &Status, limits: &Limits) -> Vec<Family> {
    let version = vec![("version", env!("CARGO_PKG_VERSION").to_owned())];
    let uptime = real(status.uptime_s);
    let limits = match serde_json::to_value(limits) {
        Ok(Value::Object(limits)) => limits,
        _ => serde_json::Map::new(),
    };
    let limits = limits.into_iter().filter_map(|(name, value)| {
        let name = name.replace('_', "-");
        Some((vec![("limit", name)], limit(&value)?))
    });
    vec![
        Family::gauge("eyelet_build_info", "1, with the version", [(version, 1.0)]),
        Family::gauge("eyelet_uptime_seconds", "Since the program was started", [(vec![], uptime)]),
        Family::gauge("eyelet_limit", "What is configured, in bytes, seconds or pieces", limits),
    ]
}

/// A limit as a number: durations in seconds; none where there is no limit.
fn limit(value: &Value) -> Option<f64> {
    match value.get("secs") {
        Some(seconds) => Some(seconds.as_f64()? + value.get("nanos")?.as_f64()? / 1e9),
        None => value.as_f64(),
    }
}

fn processes(status: &Status) -> Vec<Family> {
    let of = |child: &ChildStatus| vec![("process", child.role.clone())];
    let each = |value: fn(&ChildStatus) -> u64| {
        status.children.iter().map(move |child| (of(child), value(child)))
    };
    let supervisor = ("supervisor".to_owned(), Some(status.supervisor_pid));
    let children = status.children.iter().map(|child| (child.role.clone(), child.pid));
    let used: Vec<(Labels, usage::Usage)> = std::iter::once(supervisor)
        .chain(children)
        .filter_map(|(role, pid)| Some((vec![("process", role)], usage::of(pid?)?)))
        .collect();
    let take = |value: fn(&usage::Usage) -> f64| {
        used.iter().map(move |(labels, used)| (labels.clone(), value(used)))
    };
    vec![
        Family::gauge(
            "eyelet_process_up",
            "1 while the process runs, 0 between two starts",
            each(|child| u64::from(child.pid.is_some())).map(|(of, up)| (of, real(up))),
        ),
        Family::counter(
            "eyelet_process_restarts",
            "How often the process was started again",
            each(|child| u64::from(child.restarts)),
        ),
        Family::seconds(
            "eyelet_process_cpu_seconds",
            "Processor time of the process",
            take(|used| used.cpu_seconds),
        ),
        Family::gauge(
            "eyelet_process_private_bytes",
            "Memory of the process that nobody else has",
            take(|used| real(used.private_bytes)),
        ),
        Family::gauge(
            "eyelet_process_descriptors",
            "Open descriptors of the process",
            take(|used| real(used.descriptors)),
        ),
    ]
}

/// What is known of one stream or area.
#[derive(Default)]
struct Stream {
    is_live: Option<bool>,
    subscribers: Option<usize>,
    captured: Option<u64>,
    published: Option<u64>,
    keys: Option<u64>,
    busy_us: Option<u64>,
    requests: Option<u64>,
    lost: Vec<(&'static str, u64)>,
}

impl Stream {
    fn new(status: &Status, place: &AreaPlace) -> Self {
        let of = |role: Role| {
            let role = role.to_string();
            status.children.iter().find(|child| child.role == role)?.report.as_ref()
        };
        let area = place.id;
        let reports = [Role::Capture { area }, Role::Encode { area }, Role::Keep].map(of);
        match reports.into_iter().flatten().next() {
            Some(Report::Capture(report)) => Self {
                is_live: Some(report.is_live()),
                subscribers: Some(report.subscribers),
                captured: Some(report.captured),
                published: Some(report.published),
                lost: vec![
                    ("dropped", report.counters.dropped),
                    ("skipped", report.counters.skipped),
                    ("corrupt", report.counters.corrupt),
                ],
                ..Self::default()
            },
            Some(Report::Encode(report)) => Self {
                is_live: Some(report.is_live),
                subscribers: Some(report.subscribers),
                published: Some(report.published),
                keys: Some(report.keys),
                busy_us: Some(report.busy_us),
                lost: vec![("skipped", report.skipped), ("corrupt", report.corrupt)],
                ..Self::default()
            },
            Some(Report::Keep(keep)) => match keep.areas.iter().find(|kept| kept.id == area) {
                Some(kept) => Self {
                    subscribers: Some(kept.subscribers),
                    requests: Some(kept.requests),
                    ..Self::default()
                },
                None => Self::default(),
            },
            _ => Self::default(),
        }
    }
}

fn streams(status: &Status, places: &[&AreaPlace]) -> Vec<Family> {
    let named = |place: &AreaPlace| vec![("stream", place.name.clone())];
    let all: Vec<(Labels, Stream)> =
        places.iter().map(|place| (named(place), Stream::new(status, place))).collect();
    let take = |value: fn(&Stream) -> Option<u64>| {
        all.iter().filter_map(move |(labels, stream)| Some((labels.clone(), value(stream)?)))
    };
    let viewers = places.iter().map(|place| {
        let watching = serves(status).filter_map(|(_, serve)| serve.viewers.get(&place.id));
        (named(place), real(watching.sum::<usize>() as u64))
    });
    let lost = all.iter().flat_map(|(labels, stream)| {
        stream.lost.iter().map(|&(reason, count)| {
            let reason = ("reason", reason.to_owned());
            (labels.iter().cloned().chain([reason]).collect(), count)
        })
    });
    vec![
        Family::gauge(
            "eyelet_stream_live",
            "1 while frames come, or would if somebody wanted them",
            take(|stream| stream.is_live.map(u64::from)).map(|(of, live)| (of, real(live))),
        ),
        Family::gauge("eyelet_stream_viewers", "Connections that watch the stream", viewers),
        Family::gauge(
            "eyelet_stream_subscribers",
            "Processes that receive the area",
            take(|stream| stream.subscribers.map(|count| count as u64))
                .map(|(of, count)| (of, real(count))),
        ),
        Family::counter(
            "eyelet_stream_captured_frames",
            "Frames that the source gave",
            take(|stream| stream.captured),
        ),
        Family::counter(
            "eyelet_stream_published_frames",
            "Frames that the area got",
            take(|stream| stream.published),
        ),
        Family::counter(
            "eyelet_stream_lost_frames",
            "Frames that the area did not get: dropped by the device, skipped to stay on time, or corrupt",
            lost,
        ),
        Family::counter(
            "eyelet_stream_key_frames",
            "Published frames that need no other",
            take(|stream| stream.keys),
        ),
        Family::seconds(
            "eyelet_stream_encode_seconds",
            "Time that making the frames took",
            take(|stream| stream.busy_us).map(|(of, busy_us)| (of, real(busy_us) / 1e6)),
        ),
        Family::counter(
            "eyelet_area_requests",
            "Requests to an application area that were applied",
            take(|stream| stream.requests),
        ),
    ]
}

fn serves(status: &Status) -> impl Iterator<Item = (&str, &ServeReport)> {
    status.children.iter().filter_map(|child| match &child.report {
        Some(Report::Serve(report)) => Some((child.role.as_str(), report)),
        _ => None,
    })
}

fn serving(status: &Status) -> Vec<Family> {
    let take = |value: fn(&ServeReport) -> u64| {
        serves(status).map(move |(role, serve)| (of_process(role), value(serve)))
    };
    let refused = serves(status).flat_map(|(role, serve)| by_code(role, "status", &serve.refused));
    let closed = serves(status).flat_map(|(role, serve)| by_code(role, "code", &serve.closed));
    vec![
        Family::gauge(
            "eyelet_connections",
            "Open connections",
            take(|serve| serve.connections as u64).map(|(of, count)| (of, real(count))),
        ),
        Family::counter("eyelet_sent_frames", "Frames that were sent", take(|s| s.frames_sent)),
        Family::counter("eyelet_sent_bytes", "Bytes of these frames", take(|s| s.bytes_sent)),
        Family::counter(
            "eyelet_dropped_frames",
            "Frames that viewers were too late for",
            take(|serve| serve.frames_dropped),
        ),
        Family::counter(
            "eyelet_given_up_viewers",
            "Viewers that were cut off, so that what slow ones hold fits its budget",
            take(|serve| serve.given_up),
        ),
        Family::gauge(
            "eyelet_held_bytes",
            "Bytes of the frames that the process holds",
            take(|serve| serve.held_bytes).map(|(of, bytes)| (of, real(bytes))),
        ),
        Family::counter(
            "eyelet_refused_requests",
            "Requests that were refused, by the status of the answer",
            refused,
        ),
        Family::counter(
            "eyelet_refused_websockets",
            "WebSockets that were closed for what the client did, by the code of the close frame",
            closed,
        ),
    ]
}

fn app(status: &Status) -> Vec<Family> {
    let apps = || serves(status).filter_map(|(role, serve)| Some((role, serve.app.as_ref()?)));
    let take = |value: fn(&AppReport) -> u64| {
        apps().map(move |(role, app)| (of_process(role), value(app)))
    };
    vec![
        Family::gauge(
            "eyelet_app_places",
            "Requests that the app handles at a time",
            take(|app| app.places as u64).map(|(of, count)| (of, real(count))),
        ),
        Family::gauge(
            "eyelet_app_taken_places",
            "Those of them that are taken",
            take(|app| app.taken as u64).map(|(of, count)| (of, real(count))),
        ),
        Family::counter("eyelet_app_requests", "Requests that the app got", take(|a| a.requests)),
        Family::counter(
            "eyelet_app_failures",
            "Requests that the app failed in, by the status of the answer",
            apps().flat_map(|(role, app)| by_code(role, "status", &app.failures)),
        ),
    ]
}

fn of_process(role: &str) -> Labels {
    vec![("process", role.to_owned())]
}

/// A sample for each code.
fn by_code<'a>(
    role: &'a str,
    label: &'static str,
    counts: &'a std::collections::BTreeMap<u16, u64>,
) -> impl Iterator<Item = (Labels, u64)> + 'a {
    counts.iter().map(move |(code, count)| {
        (vec![("process", role.to_owned()), (label, code.to_string())], *count)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_numbers_and_none_is_left_out() {
        let limits = serde_json::to_value(Limits::default()).unwrap();
        let names: Vec<&String> = limits.as_object().unwrap().keys().collect();
        assert!(names.len() > 8);
        for name in names {
            let is_none = limits[name].is_null();
            assert_eq!(limit(&limits[name]).is_none(), is_none, "{name}");
        }
        assert_eq!(limit(&limits["stop_timeout"]), Some(5.0));
    }
}
