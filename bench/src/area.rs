//! How long a frame takes from its owner to its subscribers, with nothing else in the way.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use eyelet_area::{Event, Format, FourCc, FrameBuilder, MonotonicNs, Owner, Subscriber};

/// Between frames: an eighth of a second of nothing else would be unlike a camera, none at all would make a queue.
const INTERVAL: Duration = Duration::from_millis(5);
/// Frames before counting.
const WARM_UP: usize = 20;
const PATIENCE: Duration = Duration::from_secs(10);

/// Publishes frames of the main job to so many processes; each prints its median and its 99th percentile in µs.
pub(crate) fn run(subscribers: usize, frames: usize) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("0-bench");
    let mut owner = Owner::new(eyelet_area::listen(&path, 0o600)?, 0)?;
    let program = std::env::current_exe()?;
    let spawn = |_| {
        let mut command = Command::new(&program);
        command.arg("area-subscriber").arg(&path).arg(frames.to_string());
        command.stdout(Stdio::inherit()).spawn().context("failed to start a subscriber")
    };
    let children: Vec<Child> = (0..subscribers).map(spawn).collect::<Result<_>>()?;
    let begin = Instant::now();
    while owner.demand() < subscribers {
        ensure!(begin.elapsed() < PATIENCE, "the subscribers do not come");
        owner.turn()?;
        std::thread::sleep(Duration::from_millis(1));
    }
    let format = Format::packed(FourCc::YUYV, 640, 480);
    let pixels = vec![128; usize::try_from(format.packed_len().unwrap_or(0))?];
    for _ in 0..frames + WARM_UP {
        std::thread::sleep(INTERVAL);
        owner.turn()?;
        let mut builder = FrameBuilder::new()?;
        builder.write(&pixels)?;
        owner.publish(builder.seal(format, MonotonicNs::now())?);
    }
    for mut child in children {
        ensure!(child.wait()?.success(), "a subscriber failed");
    }
    Ok(())
}

/// Receives frames and prints `{"p50_us":…,"p99_us":…}`, from publishing to having the frame.
pub(crate) fn subscribe(path: &Path, frames: usize) -> Result<()> {
    let mut subscriber = Subscriber::connect(path)?;
    subscriber.grant(2)?;
    let mut times = Vec::with_capacity(frames + WARM_UP);
    while times.len() < frames + WARM_UP {
        let event = subscriber.receive(PATIENCE)?.context("no frame came")?;
        if let Event::Frame { frame, missed } = event {
            times.push(MonotonicNs::now().since(frame.info().published_at));
            let missed = usize::try_from(missed)?;
            times.extend(std::iter::repeat_n(Duration::ZERO, missed.min(frames)));
            subscriber.grant(1)?;
        }
    }
    let mut times: Vec<Duration> =
        times.split_off(WARM_UP).into_iter().filter(|time| !time.is_zero()).collect();
    times.sort_unstable();
    let at = |percent: usize| times.get((times.len().max(1) - 1) * percent / 100);
    let us = |percent| at(percent).map_or(0.0, |time| time.as_secs_f64() * 1e6);
    println!("{{\"p50_us\":{:.1},\"p99_us\":{:.1}}}", us(50), us(99));
    Ok(())
}
