//! `/-/api/…`: what programs ask.

use bytes::Bytes;
use hyper::StatusCode;
use serde_json::{Value, json};

use crate::config::{Made, Origin};
use crate::control::{
    CaptureReport, ChildStatus, EncodeReport, Opened, Report, ServeReport, Status,
};
use crate::role::{AreaPlace, Role};
use crate::serve::answer::{Answer, plain, whole};
use crate::serve::{Server, formats};

/// `GET /-/api/status`: sources, formats, rates, sequences, drops, viewers, processes and restarts.
pub(super) async fn status(server: &Server) -> Answer {
    match server.line.status().await {
        Some(status) => json_answer(&describe(server, &status)),
        None => plain(StatusCode::SERVICE_UNAVAILABLE, "the supervisor does not answer; try again"),
    }
}

fn json_answer(value: &Value) -> Answer {
    whole(StatusCode::OK, "application/json", Bytes::from(format!("{value}\n")))
}

fn describe(server: &Server, status: &Status) -> Value {
    let serves: Vec<&ServeReport> = status
        .children
        .iter()
        .filter_map(|child| match &child.report {
            Some(Report::Serve(report)) => Some(report),
            _ => None,
        })
        .collect();
    let viewers = |id| serves.iter().filter_map(|serve| serve.viewers.get(&id)).sum::<usize>();
    let places: Vec<_> = server.feeds().iter().map(|feed| feed.place()).collect();
    let places = || places.iter().map(|place| &**place);
    let sources: Vec<Value> = places()
        .filter(|place| place.origin == Origin::Camera)
        .map(|place| {
            let report = capture(status, place.id);
            told(source(place.id, &place.name, report, viewers(place.id)), server, status, place)
        })
        .collect();
    let streams: Vec<Value> = places()
        .filter_map(|place| Some((place, place.made()?)))
        .map(|(place, made)| {
            let report = encode(status, place.id);
            told(stream(place, made, report, viewers(place.id)), server, status, place)
        })
        .collect();
    let shown = |place: &&AreaPlace| matches!(place.origin, Origin::Mule { .. });
    let mules: Vec<Value> = places()
        .filter(shown)
        .map(|place| told(mule(server, place, viewers(place.id)), server, status, place))
        .collect();
    let app_areas: Vec<Value> = places().filter_map(|place| app_area(status, place)).collect();
    let processes: Vec<Value> = status.children.iter().map(process).collect();
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "uptime_s": status.uptime_s,
        "supervisor_pid": status.supervisor_pid,
        "sources": sources,
        "streams": streams,
        "mules": mules,
        "areas": app_areas,
        "viewers": serves.iter().flat_map(|serve| serve.viewers.values()).sum::<usize>(),
        "connections": serves.iter().map(|serve| serve.connections).sum::<usize>(),
        "frames_sent": serves.iter().map(|serve| serve.frames_sent).sum::<u64>(),
        "bytes_sent": serves.iter().map(|serve| serve.bytes_sent).sum::<u64>(),
        "frames_dropped": serves.iter().map(|serve| serve.frames_dropped).sum::<u64>(),
        "given_up": serves.iter().map(|serve| serve.given_up).sum::<u64>(),
        "held_bytes": serves.iter().map(|serve| serve.held_bytes).sum::<u64>(),
        "refused": serves.iter().flat_map(|serve| serve.refused.values()).sum::<u64>(),
        "processes": processes,
    })
}

/// Adds where a stream's pictures are to be had, and in which formats.
fn told(mut stream: Value, server: &Server, status: &Status, place: &AreaPlace) -> Value {
    stream["formats"] = Value::Array(formats::of(server, status, place));
    stream["addresses"] = formats::addresses(&place.name);
    stream
}

/// What the process reports that captures into this area, if it has answered.
pub(super) fn capture(status: &Status, area: usize) -> Option<&CaptureReport> {
    match report(status, Role::Capture { area })? {
        Report::Capture(report) => Some(report),
        _ => None,
    }
}

/// What the process reports that makes the frames of this area, if it has answered.
fn encode(status: &Status, area: usize) -> Option<&EncodeReport> {
    match report(status, Role::Encode { area })? {
        Report::Encode(report) => Some(report),
        _ => None,
    }
}

fn report(status: &Status, role: Role) -> Option<&Report> {
    let role = role.to_string();
    status.children.iter().find(|child| child.role == role)?.report.as_ref()
}

fn process(child: &ChildStatus) -> Value {
    let ChildStatus { role, pid, restarts, last_end, report } = child;
    let mut told = json!({"role": role, "pid": pid, "restarts": restarts, "last_end": last_end});
    if let Some(Report::Serve(serve)) = report {
        told["viewers"] = json!(serve.viewers.values().sum::<usize>());
        told["connections"] = json!(serve.connections);
    }
    told
}

fn source(id: usize, name: &str, report: Option<&CaptureReport>, viewers: usize) -> Value {
    let Some(report) = report else {
        return json!({"id": id, "name": name, "state": "no_signal", "why": "the capture process is starting", "viewers": viewers});
    };
    json!({
        "id": id,
        "name": name,
        "state": if report.is_live() { "live" } else { "no_signal" },
        "why": report.no_signal,
        "device": report.opened.as_ref().map(|opened| &opened.name),
        "format": report.opened.as_ref().map(format),
        "fps": thousandth(report.millifps),
        "sequence": report.sequence,
        "captured": report.captured,
        "published": report.published,
        "dropped": report.counters.dropped,
        "skipped": report.counters.skipped,
        "corrupt": report.counters.corrupt,
        "subscribers": report.subscribers,
        "viewers": viewers,
    })
}

fn stream(place: &AreaPlace, made: Made, report: Option<&EncodeReport>, viewers: usize) -> Value {
    let (AreaPlace { id, name, .. }, Made { of, kind }) = (place, made);
    let Some(report) = report else {
        let why = "the encode process is starting, or busy";
        return json!({"id": id, "name": name, "of": of, "kind": kind.name(), "state": "no_signal", "why": why, "viewers": viewers});
    };
    json!({
        "id": id,
        "name": name,
        "of": of,
        "kind": kind.name(),
        "state": if report.is_live { "live" } else { "no_signal" },
        "why": report.no_signal,
        "format": report.made.as_ref().map(format),
        "sequence": report.sequence,
        "published": report.published,
        "keys": report.keys,
        "skipped": report.skipped,
        "corrupt": report.corrupt,
        "last_error": report.last_error,
        "encode_us": report.busy_us.checked_div(report.published + report.corrupt).unwrap_or(0),
        "subscribers": report.subscribers,
        "viewers": viewers,
    })
}

/// An area that a program of the user's owns: what this process knows of it while somebody watches.
fn mule(server: &Server, place: &AreaPlace, viewers: usize) -> Value {
    let AreaPlace { id, name, .. } = place;
    let feed = server.feed_of(*id);
    let newest = feed.map(|feed| feed.newest()).unwrap_or_default();
    let state = if newest.state.is_live() { "live" } else { "no_signal" };
    json!({
        "id": id,
        "name": name,
        "state": state,
        "why": Some(newest.state.why()).filter(|why| !why.is_empty()),
        "sequence": newest.frame.map(|frame| frame.info().sequence),
        "viewers": viewers,
    })
}

fn app_area(status: &Status, place: &AreaPlace) -> Option<Value> {
    let Origin::App { len } = place.origin else { return None };
    let kept = match report(status, Role::Keep) {
        Some(Report::Keep(keep)) => keep.areas.iter().find(|kept| kept.id == place.id),
        _ => None,
    };
    Some(json!({
        "id": place.id,
        "name": place.name,
        "len": len,
        "sequence": kept.map(|kept| kept.sequence),
        "requests": kept.map(|kept| kept.requests),
        "subscribers": kept.map(|kept| kept.subscribers),
    }))
}

fn format(opened: &Opened) -> Value {
    json!({
        "fourcc": opened.fourcc, "width": opened.width, "height": opened.height, "stride": opened.stride,
        "matrix": opened.matrix, "range": opened.range, "fps": thousandth(opened.millifps),
    })
}

/// Frames in a second from frames in 1000 seconds; rates are far below the 2^53 that a double holds exactly.
pub(super) fn thousandth(millifps: u64) -> f64 {
    f64::from(u32::try_from(millifps).unwrap_or(u32::MAX)) / 1000.0
}
