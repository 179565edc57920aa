//! Grabs frames from a camera and says what came: `grab DEVICE [FRAMES [FOURCC [WIDTHxHEIGHT [FPS]]]]`.
//!
//! Prints the device, the format, then rate and gaps. Without arguments it lists the video nodes of this machine.

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use eyelet_v4l2::format::Request;
use eyelet_v4l2::interval::Interval;
use eyelet_v4l2::list::State;
use eyelet_v4l2::queue::{Dequeued, Streaming};
use eyelet_v4l2::sequence::Sequence;
use eyelet_v4l2::{Device, ErrorKind};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// No camera takes longer from one frame to the next, or to the first.
const GIVE_UP_AFTER: Duration = Duration::from_secs(10);

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let mut out = io::stdout().lock();
    let answer = match arguments.split_first() {
        None => list(&mut out),
        Some((device, wishes)) => grab(device, wishes, &mut out),
    };
    match answer {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _nowhere_to_tell = writeln!(io::stderr(), "grab: {error}");
            ExitCode::FAILURE
        }
    }
}

fn list(out: &mut impl Write) -> Result<()> {
    let nodes = eyelet_v4l2::list::list()?;
    if nodes.is_empty() {
        writeln!(out, "no video nodes")?;
    }
    for node in nodes {
        let path = node.path.display();
        match node.state {
            State::Camera { capability, formats } => {
                let codes: Vec<_> =
                    formats.iter().map(|f| f.fourcc.escape_ascii().to_string()).collect();
                writeln!(
                    out,
                    "{path}: {} ({}): {}",
                    capability.card,
                    capability.driver,
                    codes.join(" ")
                )?;
            }
            State::Skipped { capability, reason } => {
                writeln!(
                    out,
                    "{path}: {} ({}): no camera: {reason}",
                    capability.card, capability.driver
                )?;
            }
            State::Unknown(error) => writeln!(out, "{path}: {error}")?,
        }
    }
    Ok(())
}

fn grab(path: &str, wishes: &[String], out: &mut impl Write) -> Result<()> {
    let mut device = Device::open(path).map_err(|error| explain(path, error))?;
    writeln!(out, "{path}: {} ({})", device.capability().card, device.capability().driver)?;
    let count = wishes.first().map_or(Ok(90), |count| count.parse())?;
    choose(&mut device, wishes)?;
    let format = device.format()?;
    let planes: Vec<_> = format
        .planes
        .iter()
        .map(|p| format!("stride {} capacity {}", p.stride, p.capacity))
        .collect();
    writeln!(out, "{format}: {}; {:?} {:?}", planes.join(", "), format.matrix(), format.range())?;
    if let Some(interval) = device.frame_interval()? {
        writeln!(out, "interval {interval}, {:.2} fps", interval.fps())?;
    }
    let allocated = device.allocate(4)?;
    writeln!(out, "{} buffers", allocated.len())?;
    let mut stream = allocated.start()?;
    let seen = watch(&mut stream, count)?;
    seen.report(out)?;
    Ok(())
}

/// Sets what the arguments after the number of frames ask for.
fn choose(device: &mut Device, wishes: &[String]) -> Result<()> {
    let now = device.format()?;
    if let Some(code) = wishes.get(1) {
        let fourcc = code.as_bytes().try_into().map_err(|_| "a fourcc has four letters")?;
        let (width, height) = match wishes.get(2).and_then(|size| size.split_once('x')) {
            Some((width, height)) => (width.parse()?, height.parse()?),
            None => (now.width, now.height),
        };
        device.set_format(Request { width, height, fourcc })?;
    }
    if let Some(fps) = wishes.get(3) {
        device.set_frame_interval(Interval::of_fps(fps.parse()?))?;
    }
    Ok(())
}

/// Says who has the camera, if that is why it does not open.
fn explain(path: &str, error: eyelet_v4l2::Error) -> Box<dyn std::error::Error> {
    if error.kind() != ErrorKind::Busy {
        return error.into();
    }
    let holders = eyelet_v4l2::holder::holders(path).unwrap_or_default();
    let names: Vec<_> = holders.iter().map(|h| format!("{} ({})", h.name, h.pid)).collect();
    format!("{error}; held by {}", names.join(", ")).into()
}

/// What was seen of a stream.
#[derive(Default)]
struct Seen {
    frames: u64,
    dropped: u64,
    corrupt: u64,
    bytes: u64,
    /// Adds up all bytes, so that they were read.
    sum: u64,
    first: Option<Instant>,
    last: Option<Instant>,
}

fn watch(stream: &mut Streaming, count: u64) -> Result<Seen> {
    let (mut seen, mut sequence) = (Seen::default(), Sequence::new());
    while seen.frames < count {
        let readiness = stream.wait(GIVE_UP_AFTER)?;
        if readiness == eyelet_v4l2::queue::Readiness::default() {
            return Err(format!("no frame within {GIVE_UP_AFTER:?}").into());
        }
        match stream.dequeue()? {
            Dequeued::NotReady => {}
            Dequeued::EndOfStream => break,
            Dequeued::Buffer(buffer) => {
                seen.dropped += sequence.advance(buffer.sequence()).dropped;
                seen.frames += 1;
                seen.corrupt += u64::from(buffer.is_corrupt());
                seen.bytes += u64::try_from(buffer.len())?;
                let bytes = buffer.planes().flatten();
                seen.sum = bytes.fold(seen.sum, |sum, &byte| sum.wrapping_add(u64::from(byte)));
                seen.last = Some(Instant::now());
                seen.first = seen.first.or(seen.last);
            }
        }
    }
    Ok(seen)
}

impl Seen {
    fn report(&self, out: &mut impl Write) -> Result<()> {
        let span = self.first.zip(self.last).map_or(Duration::ZERO, |(first, last)| last - first);
        let gaps = u32::try_from(self.frames.saturating_sub(1))?;
        let fps = if span.is_zero() { 0.0 } else { f64::from(gaps) / span.as_secs_f64() };
        let Self { frames, dropped, corrupt, bytes, sum, .. } = self;
        writeln!(out, "{frames} frames, {fps:.2} fps, {dropped} dropped, {corrupt} corrupt")?;
        writeln!(out, "{bytes} bytes, their sum {sum}")?;
        Ok(())
    }
}
