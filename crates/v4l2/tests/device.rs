//! What only a real driver can show. `EYELET_V4L2_DEVICE` names the device, `/dev/video0` by default; `vivid` and
//! `uvcvideo` do.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use eyelet_v4l2::control::Kind;
use eyelet_v4l2::format::Request;
use eyelet_v4l2::list::State;
use eyelet_v4l2::queue::{Dequeued, Streaming};
use eyelet_v4l2::sequence::Sequence;
use eyelet_v4l2::{Device, ErrorKind, holder, identity, list};

/// Nothing that works takes so long.
const GIVE_UP_AFTER: Duration = Duration::from_secs(20);

fn path() -> PathBuf {
    std::env::var_os("EYELET_V4L2_DEVICE").unwrap_or_else(|| "/dev/video0".into()).into()
}

/// Opens the device; one that wakes up is busy for a moment.
fn open() -> Device {
    let deadline = Instant::now() + GIVE_UP_AFTER;
    loop {
        match Device::open(path()) {
            Err(error) if error.kind() == ErrorKind::Busy && Instant::now() < deadline => {
                std::thread::sleep(Duration::from_millis(50));
            }
            answer => return answer.expect("a capture device"),
        }
    }
}

fn stream() -> Streaming {
    let mut device = open();
    let fourcc = device.formats().expect("formats")[0].fourcc;
    match device.set_format(Request { width: 640, height: 480, fourcc }) {
        Ok(_) => {}
        Err(error) => assert_eq!(error.kind(), ErrorKind::Busy, "{error}"),
    }
    device.allocate(4).expect("buffers").start().expect("a stream")
}

/// Takes frames; the sizes of their payloads.
fn take(stream: &mut Streaming, count: usize) -> Vec<usize> {
    let (mut taken, mut sequence, mut last) = (Vec::new(), Sequence::new(), 0);
    let deadline = Instant::now() + GIVE_UP_AFTER;
    while taken.len() < count {
        assert!(Instant::now() < deadline, "{} of {count} frames in time", taken.len());
        stream.wait(Duration::from_secs(1)).expect("a driver that can be waited for");
        if let Dequeued::Buffer(buffer) = stream.dequeue().expect("a stream that goes on") {
            let step = sequence.advance(buffer.sequence());
            assert!(step.sequence > last);
            last = step.sequence;
            assert_eq!(buffer.planes().map(<[u8]>::len).sum::<usize>(), buffer.len());
            taken.push(buffer.len());
        }
    }
    taken
}

#[test]
#[ignore = "needs a V4L2 device"]
fn frames_flow_and_fit() {
    let mut stream = stream();
    let format = stream.device().format().expect("a format");
    for len in take(&mut stream, 10) {
        assert!(len > 0 && u64::try_from(len).is_ok_and(|len| len <= format.capacity()), "{len}");
    }
}

#[test]
#[ignore = "needs a V4L2 device"]
fn stream_can_be_stopped_and_started_and_its_format_changed() {
    let mut first = stream();
    take(&mut first, 2);
    let mut again = first.stop().expect("a stop").start().expect("a second start");
    take(&mut again, 2);
    let mut device = again.stop().expect("a stop").release();
    let format = device.format().expect("a format");
    let request = Request { width: 320, height: 240, fourcc: format.fourcc };
    let smaller = device.set_format(request).expect("a format once the buffers are freed");
    let mut third = device.allocate(2).expect("buffers").start().expect("a third start");
    assert_eq!(third.device().format().expect("a format"), smaller);
    take(&mut third, 2);
}

#[test]
#[ignore = "needs a V4L2 device"]
fn dropped_stream_leaves_the_device_free() {
    for _ in 0..3 {
        take(&mut stream(), 1);
    }
}

#[test]
#[ignore = "needs a V4L2 device"]
fn second_user_is_told_that_it_is_busy_and_by_whom() {
    let first = stream();
    let error = open().allocate(4).expect_err("the buffers are taken");
    assert_eq!(error.kind(), ErrorKind::Busy);
    let holders = holder::holders(path()).expect("a list");
    assert!(holders.iter().any(|holder| holder.pid == std::process::id()));
    drop(first);
}

#[test]
#[ignore = "needs a V4L2 device"]
fn everything_that_is_listed_can_be_read() {
    let device = open();
    for format in device.formats().expect("formats") {
        for sizes in device.frame_sizes(format.fourcc).expect("sizes") {
            let (width, height) = sizes.nearest(640, 480);
            device.frame_intervals(format.fourcc, width, height).expect("intervals");
        }
    }
    device.inputs().expect("inputs");
    for control in device.controls().expect("controls") {
        let is_readable = !matches!(control.kind, Kind::Button | Kind::Other(_))
            && !control.flags.is_write_only()
            && !control.flags.is_disabled();
        if is_readable {
            device.control_value(&control).expect("a value");
        }
    }
}

#[test]
#[ignore = "needs a V4L2 device"]
fn control_set_to_its_value_keeps_it() {
    let device = open();
    let controls = device.controls().expect("controls");
    let brightness = controls.iter().find(|control| control.key() == "brightness");
    let brightness = brightness.expect("vivid and most cameras have it");
    let value = device.control_value(brightness).expect("a value");
    assert_eq!(device.set_control(brightness, &value).expect("the same value"), value);
}

#[test]
#[ignore = "needs a V4L2 device"]
fn device_is_listed_as_a_camera_and_found_by_what_it_is() {
    let nodes = list::list().expect("a list");
    let node = nodes.iter().find(|node| node.path == path()).expect("it is there");
    assert!(matches!(node.state, State::Camera { .. }), "{:?}", node.state);
    let who = identity::Identity::of(path()).expect("an identity");
    assert_eq!(identity::find(&who).expect("a search"), Some(path()));
}
