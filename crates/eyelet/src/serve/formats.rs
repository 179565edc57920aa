//! What a stream can be had in and where, for the status: all that a page needs for lines to copy.

use std::time::Duration;

use eyelet_area::FourCc;
use serde_json::{Value, json};

use crate::control::{Opened, Status};
use crate::role::AreaPlace;
use crate::serve::{Feed, Server, api, streams};

/// The size and the rate of a camera.
struct Shape {
    size: (u32, u32),
    interval: Duration,
}

/// Describes each format of a stream in the words of `eyelet.v1`, its own first; none while nobody knows.
///
/// A camera is asked what it gives: this process may have seen no frame of it.
pub(super) fn of(server: &Server, status: &Status, place: &AreaPlace) -> Vec<Value> {
    let Some(feed) = server.feed_of(place.id) else { return Vec::new() };
    let Some(camera) = server.feed_of(place.camera()) else { return Vec::new() };
    let opened = api::capture(status, camera.place().id).and_then(|report| report.opened.as_ref());
    let Some(shape) = opened.map(Shape::of_opened).or_else(|| Shape::of_feed(&camera)) else {
        return Vec::new();
    };
    let own = match place.kind() {
        Some(_) => None,
        None => opened.map(describe_opened).or_else(|| {
            let (format, interval) = camera.shape()?;
            serde_json::to_value(streams::describe(&format, interval)).ok()
        }),
    };
    let mut all: Vec<Value> = own.into_iter().collect();
    let kinds = streams::derived(server, &feed);
    let kinds = [feed].into_iter().chain(kinds);
    for kind in kinds.filter_map(|feed| feed.place().kind()) {
        let made = streams::describe(&kind.format_of(shape.size), shape.interval);
        // A camera that gives JPEG is had in JPEG once.
        if all.iter().all(|known| known["format"] != made.format) {
            all.extend(serde_json::to_value(made));
        }
    }
    all
}

impl Shape {
    fn of_opened(opened: &Opened) -> Self {
        let seconds = Duration::from_secs(1000);
        let interval = seconds.checked_div(u32::try_from(opened.millifps).unwrap_or(u32::MAX));
        Self { size: (opened.width, opened.height), interval: interval.unwrap_or_default() }
    }

    fn of_feed(feed: &Feed) -> Option<Self> {
        let (format, interval) = feed.shape()?;
        Some(Self { size: (format.width, format.height), interval })
    }
}

fn describe_opened(opened: &Opened) -> Value {
    let fourcc = <[u8; 4]>::try_from(opened.fourcc.as_bytes()).map(FourCc);
    json!({
        "format": fourcc.map_or_else(|_| opened.fourcc.to_lowercase(), streams::name),
        "fourcc": opened.fourcc, "width": opened.width, "height": opened.height, "stride": opened.stride,
        "fps": api::thousandth(opened.millifps), "matrix": opened.matrix, "range": opened.range,
    })
}

/// Gives the addresses of a stream's pictures. A stream's name needs no escaping.
pub(super) fn addresses(name: &str) -> Value {
    json!({
        "websocket": format!("/-/ws?stream={name}"),
        "mjpeg": format!("/-/stream.mjpg?stream={name}"),
        "jpeg": format!("/-/snapshot.jpg?stream={name}"),
        "png": format!("/-/snapshot.png?stream={name}"),
        "frame": format!("/-/frame?stream={name}"),
    })
}
