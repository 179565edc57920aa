//! From a YUYV frame to a JPEG picture: Eyelet's own code, in turns with a program that does the same with libjpeg-turbo.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use eyelet::config::stream::DEFAULT_QUALITY;
use eyelet::picture::JpegMaker;
use eyelet_area::{Format, FourCc, Frame, FrameBuilder, MonotonicNs, Range};
use serde_json::json;

/// What cameras give.
const SIZES: [(u32, u32); 2] = [(640, 480), (1280, 720)];
/// Pictures that one of them makes before it is the other's turn.
const TURN: usize = 20;
/// Turns before counting.
const WARM_UP: usize = 3;

/// Prints a line of JSON for each size and range: medians of the turns in microseconds for a picture, and the median of
/// the ratios of two turns that followed each other.
pub(crate) fn run(rounds: usize, program: &str) -> Result<()> {
    for size in SIZES {
        for range in [Range::Full, Range::Limited] {
            println!("{}", compare(size, range, rounds, program)?);
        }
    }
    Ok(())
}

fn compare(
    (width, height): (u32, u32),
    range: Range,
    rounds: usize,
    program: &str,
) -> Result<serde_json::Value> {
    let pixels = scene(width, height);
    let mut builder = FrameBuilder::new()?;
    builder.write(&pixels)?;
    let format = Format { range, ..Format::packed(FourCc::YUYV, width, height) };
    let frame = builder.seal(format, MonotonicNs::now())?;
    let mut peer = Peer::start(program, &pixels, &format)?;
    let mut maker = JpegMaker::new(DEFAULT_QUALITY, None);
    let (mut ours, mut theirs, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    let mut lens = (0, 0);
    for round in 0..rounds + WARM_UP {
        let (us, len) = turn(&mut maker, &frame)?;
        let (peer_us, peer_len) = peer.turn()?;
        if round >= WARM_UP {
            ours.push(us);
            theirs.push(peer_us);
            ratios.push(us / peer_us);
        }
        lens = (len, peer_len);
    }
    peer.end()?;
    ensure!(lens.0 == lens.1, "not the same picture: {lens:?}");
    let (least, most) = ratios.iter().fold((f64::MAX, 0.0), |(a, b), r| (r.min(a), r.max(b)));
    Ok(json!({
        "size": format!("{width}x{height}"), "range": range.name(), "eyelet_us": median(ours),
        "turbojpeg_us": median(theirs), "ratio": median(ratios), "least": least, "most": most,
        "bytes": lens.0,
    }))
}

/// Microseconds for a picture, and its length.
fn turn(maker: &mut JpegMaker, frame: &Frame) -> Result<(f64, usize)> {
    let (begin, mut len) = (Instant::now(), 0);
    for _ in 0..TURN {
        len = std::hint::black_box(maker.make(frame)?).bytes.len();
    }
    Ok((begin.elapsed().as_secs_f64() * 1e6 / TURN as f64, len))
}

/// The other program, which waits while it is not its turn.
struct Peer {
    child: Child,
    ask: ChildStdin,
    told: BufReader<ChildStdout>,
}

impl Peer {
    fn start(program: &str, pixels: &[u8], format: &Format) -> Result<Self> {
        let mut file = tempfile::NamedTempFile::new()?;
        file.write_all(pixels)?;
        let mut command = Command::new(program);
        let Format { width, height, range, .. } = format;
        command.arg(file.path()).args([width, height].map(u32::to_string)).arg(range.name());
        command.args([DEFAULT_QUALITY.to_string(), TURN.to_string()]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let ask = child.stdin.take().context("no standard input")?;
        let told = BufReader::new(child.stdout.take().context("no standard output")?);
        let mut peer = Self { child, ask, told };
        // It has read the file before it answers; the file goes after that.
        peer.turn()?;
        Ok(peer)
    }

    fn turn(&mut self) -> Result<(f64, usize)> {
        self.ask.write_all(b"\n").context("it has ended")?;
        let mut line = String::new();
        self.told.read_line(&mut line)?;
        let (ns, len) = line.trim().split_once(' ').context("it says nothing")?;
        Ok((ns.parse::<f64>()? / 1e3 / TURN as f64, len.parse()?))
    }

    fn end(self) -> Result<()> {
        let Self { mut child, ask, .. } = self;
        drop(ask);
        ensure!(child.wait()?.success(), "it failed");
        Ok(())
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// A scene with soft light, edges and some noise of a sensor: neither the best nor the worst for an encoder.
fn scene(width: u32, height: u32) -> Vec<u8> {
    let mut state = 12_345_u32;
    let mut noise = move |codes: u32| {
        // The constants are those of Numerical Recipes; only the upper bits are any good.
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        f64::from((state >> 16) % codes)
    };
    let mut pixels = Vec::with_capacity(width as usize * height as usize * 2);
    for (y, x) in (0..height).flat_map(|y| (0..width).map(move |x| (y, x))) {
        let (across, down) = (f64::from(x), f64::from(y));
        let light = 60.0 * (across / 37.0).sin() * (down / 23.0).cos()
            + 40.0 * ((across + down) / 301.0).sin();
        let edge = if (x / 40 + y / 30) % 3 == 0 { 30.0 } else { 0.0 };
        let chroma =
            if x % 2 == 0 { (across / 80.0).sin() } else { (down / 60.0).cos() } * 50.0 + noise(4);
        let codes = [128.0 + light + edge + noise(9) - 4.0, 128.0 + chroma];
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "`as` saturates"
        )]
        pixels.extend(codes.map(|code| code as u8));
    }
    pixels
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_makes_pictures_of_the_scene() {
        let pixels = scene(64, 48);
        assert_eq!(pixels.len(), 64 * 48 * 2);
        let mut builder = FrameBuilder::new().unwrap();
        builder.write(&pixels).unwrap();
        let frame = builder.seal(Format::packed(FourCc::YUYV, 64, 48), MonotonicNs(1)).unwrap();
        let (us, len) = turn(&mut JpegMaker::new(DEFAULT_QUALITY, None), &frame).unwrap();
        assert!(us > 0.0 && len > 1000, "{len}");
    }

    #[test]
    fn the_median_is_in_the_middle() {
        assert!((median(vec![3.0, 1.0, 2.0]) - 2.0).abs() < 1e-9);
    }
}
