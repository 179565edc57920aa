//! Cameras in a guest: plugging them in, and the driver's own account of a capture.

use std::fmt;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use crate::vm::guest::{Guest, PATIENCE};

/// The exit status of a program that got SIGTERM.
const TERMINATED: i32 = 128 + 15;

/// A capture device in the guest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Camera {
    /// Its node, as `/dev/video0`.
    pub(crate) node: String,
}

impl Camera {
    /// Loads `vivid`, the kernel's test camera, with an input of 30 frames per second at any size; YUYV, no MJPEG.
    pub(crate) fn vivid(guest: &mut Guest) -> Result<Self> {
        // One capture node with an HDMI input: as a "webcam" the driver gives 640x480 at no more than 25 per second.
        guest.run("modprobe vivid n_devs=1 node_types=0x1 num_inputs=1 input_types=0x3")?;
        let camera = Self { node: "/dev/video0".into() };
        guest.wait_for(&format!("[ -c {} ]", camera.node))?;
        guest.run(&format!("v4l2-ctl -d {} --set-dv-bt-timings index=5", camera.node))?; // 720p30
        Ok(camera)
    }

    /// Plugs a simulated USB camera into a port (0 to 7); `flags` are `uvcsim`'s. Its log is `uvcsim-PORT`.
    pub(crate) fn usb(guest: &mut Guest, port: u8, flags: &str) -> Result<Self> {
        let serial = format!("SIM{port:04}");
        let command = format!("uvcsim --port {port} --serial {serial} {flags}");
        guest.background(&format!("uvcsim-{port}"), &command)?;
        Self::with_serial(guest, &serial)
    }

    /// Waits for the USB camera with this serial number, wherever it appears.
    pub(crate) fn with_serial(guest: &mut Guest, serial: &str) -> Result<Self> {
        // A camera has two nodes; the one with index 1 has metadata. The USB device is the parent of the interface.
        let find = format!(
            "for d in /sys/class/video4linux/*; do \
             [ \"$(cat $d/index 2>/dev/null)\" = 0 ] && \
             [ \"$(cat $d/device/../serial 2>/dev/null)\" = {serial} ] && \
             [ -c /dev/${{d##*/}} ] && echo /dev/${{d##*/}} && break; done"
        );
        guest.wait_for(&format!("{find} | grep -q video"))?;
        Ok(Self { node: guest.run(&find)? })
    }

    /// Lets `v4l2-ctl` capture `count` frames of a format like `640x480 YUYV` (30 per second) or `640x480 YUYV 10`, and checks that they came.
    pub(crate) fn capture(&self, guest: &mut Guest, format: &str, count: usize) -> Result<Capture> {
        let text = guest.run(&self.capture_command(format, count)?)?;
        let capture = Capture::parse(&text)?;
        ensure!(capture.frames.len() == count, "{} of {count} frames came", capture.frames.len());
        Ok(capture)
    }

    /// Lets `v4l2-ctl` capture until the camera fails or the time is up.
    ///
    /// How a failure shows depends on who notices first: the driver (ENODEV) or its queue (EINVAL), in one call or another.
    /// The exit status is 0 even then.
    pub(crate) fn capture_for(
        &self,
        guest: &mut Guest,
        format: &str,
        time: Duration,
    ) -> Result<(Capture, End)> {
        let command = self.capture_command(format, 1_000_000)?;
        let line = format!("timeout {} {command}", time.as_secs());
        let output = guest.sh(&line, time + PATIENCE)?;
        let end = if output.status == TERMINATED { End::Time } else { End::Camera };
        Ok((Capture::parse(&output.text)?, end))
    }

    /// A command that captures frames and describes each.
    pub(crate) fn capture_command(&self, format: &str, count: usize) -> Result<String> {
        let mut words = format.split(' ');
        let size = words.next().and_then(|size| size.split_once('x'));
        let ((width, height), fourcc) =
            size.zip(words.next()).context("a format is SIZE FOURCC")?;
        // Setting the format sets the rate back; v4l2-ctl sets the rate after it.
        let rate = words.next().unwrap_or("30");
        Ok(format!(
            "v4l2-ctl -d {} --set-fmt-video=width={width},height={height},pixelformat={fourcc} \
             --set-parm={rate} --stream-mmap=4 --stream-count={count} --verbose",
            self.node
        ))
    }
}

/// How a capture without an end of its own ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The camera failed or vanished.
    Camera,
    /// The time was up.
    Time,
}

/// One captured frame, as the driver describes it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Frame {
    /// The driver's number.
    pub(crate) sequence: u64,
    /// The payload's length.
    pub(crate) bytes: u64,
    /// The driver's time stamp, in seconds.
    pub(crate) time: f64,
}

/// The driver's own account of a capture: the reference for what a program above it can reach.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Capture {
    /// The frames in the order they came.
    pub(crate) frames: Vec<Frame>,
}

impl Capture {
    /// Reads what `v4l2-ctl --verbose` prints of each frame:
    /// `cap dqbuf: 1 seq:      5 bytesused: 614400 ts: 12.345678 delta: 33.333 ms (ts-monotonic, ts-src-eof)`.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let frame = |line: &str| -> Result<Frame> {
            let field = |name: &str| -> Result<&str> {
                let (_, rest) = line.split_once(name).context("a field is missing")?;
                rest.split_whitespace().next().context("a field is empty")
            };
            Ok(Frame {
                sequence: field("seq:")?.parse()?,
                bytes: field("bytesused:")?.parse()?,
                time: field("ts:")?.parse()?,
            })
        };
        let frames = text
            .lines()
            .filter(|line| line.contains("dqbuf:") && line.contains("bytesused:"))
            .map(|line| frame(line).with_context(|| format!("v4l2-ctl printed `{line}`")))
            .collect::<Result<_>>()?;
        Ok(Self { frames })
    }

    /// Seconds from the first frame to the last.
    pub(crate) fn seconds(&self) -> f64 {
        match (self.frames.first(), self.frames.last()) {
            (Some(first), Some(last)) => last.time - first.time,
            _ => 0.0,
        }
    }

    /// Frames per second, by the driver's time stamps.
    pub(crate) fn rate(&self) -> f64 {
        let intervals = u32::try_from(self.frames.len().saturating_sub(1)).unwrap_or(u32::MAX);
        let seconds = self.seconds();
        if seconds > 0.0 { f64::from(intervals) / seconds } else { 0.0 }
    }

    /// Frames that the driver numbered but did not deliver. (`vivid` repeats numbers under load; those count as none.)
    pub(crate) fn missing(&self) -> u64 {
        let gap = |pair: &[Frame]| pair[1].sequence.saturating_sub(pair[0].sequence + 1);
        self.frames.windows(2).map(gap).sum()
    }

    /// Checks that every frame has exactly this length.
    pub(crate) fn expect_bytes(&self, bytes: u64) -> Result<()> {
        let odd = self.frames.iter().find(|frame| frame.bytes != bytes);
        ensure!(odd.is_none(), "a frame is not of {bytes} bytes: {odd:?}");
        Ok(())
    }
}

impl fmt::Display for Capture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} frames, {:.1} fps, {} missing",
            self.frames.len(),
            self.rate(),
            self.missing()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPORT: &str = "\
VIDIOC_STREAMON returned 0 (Success)
cap dqbuf: 0 seq:      0 bytesused: 614400 ts: 4.000000 field: None (ts-monotonic, ts-src-eof)
cap dqbuf: 1 seq:      1 bytesused: 614400 ts: 4.100000 delta: 100.000 ms (ts-monotonic)
cap dqbuf: 2 seq:      4 bytesused: 307200 ts: 4.400000 delta: 300.000 ms fps: 10.00
VIDIOC_DQBUF: failed: No such device
";

    #[test]
    fn report_becomes_rate_and_gaps() {
        let capture = Capture::parse(REPORT).unwrap();
        assert_eq!(capture.frames.len(), 3);
        assert!((capture.rate() - 5.0).abs() < 0.01);
        assert_eq!(capture.missing(), 2);
        assert!(capture.expect_bytes(614_400).is_err());
        assert_eq!(capture.to_string(), "3 frames, 5.0 fps, 2 missing");
    }

    #[test]
    fn empty_report_has_no_rate() {
        assert_eq!(Capture::parse("").unwrap().to_string(), "0 frames, 0.0 fps, 0 missing");
    }
}
