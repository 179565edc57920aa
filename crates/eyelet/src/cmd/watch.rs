//! `eyelet watch`: viewers without a screen.

use std::io::Write as _;
use std::time::Duration;

use eyelet_wire::v1::MAX_WINDOW;

use crate::error::{Error, Result};
use crate::watch::{self, Mode, Options, Reading, Target, Verify};

/// More connections than a process may have descriptors on any system we know.
const MAX_VIEWERS: i64 = 100_000;

/// Watches a stream without a screen: tells the rate, what is missing, how late it is, and whether frames are whole.
///
/// With many viewers it is a load test. Connections that end are counted and made anew.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Where eyelet listens, as `http://127.0.0.1:9090`; another path than `/-/ws` may follow
    #[arg(value_name = "URL")]
    url: Target,
    /// How many viewers watch at the same time
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=MAX_VIEWERS))]
    viewers: u32,
    /// How long to count, in seconds; counting begins when every viewer has a picture. Ctrl-C ends it early
    #[arg(long, value_name = "S", default_value = "10", value_parser = duration)]
    seconds: Duration,
    /// Print the result as one line of JSON
    #[arg(long)]
    json: bool,
    /// Which stream, by its name or number; without it the first
    #[arg(long, value_name = "NAME", conflicts_with = "bare")]
    stream: Option<String>,
    /// Take only this format (`yuyv`, `jpeg`, …); without it what the server prefers
    #[arg(long, value_name = "NAME", conflicts_with = "bare")]
    format: Option<String>,
    /// Ask for plain frames, one per message, as pages without the player do; numbers and latency are then those in the
    /// test picture
    #[arg(long)]
    bare: bool,
    /// Watch by HTTP alone, as an `<img>` does: JPEG pictures in a multipart answer, by default those at `/-/stream.mjpg`
    #[arg(long, conflicts_with_all = ["bare", "stream", "format"])]
    mjpeg: bool,
    /// Have at most N frames on the way and acknowledge each, as a browser does; without it the socket alone paces
    #[arg(long, value_name = "N", conflicts_with_all = ["bare", "mjpeg"], value_parser = clap::value_parser!(u8).range(1..=i64::from(MAX_WINDOW)))]
    window: Option<u8>,
    /// With `--window`: never acknowledge, as a page that hangs
    #[arg(long, requires = "window")]
    no_ack: bool,
    /// Pause after the first frame, as a page that nobody looks at
    #[arg(long, conflicts_with_all = ["bare", "mjpeg"])]
    pause: bool,
    /// Read no faster than this, as a viewer behind a bad network
    #[arg(long, value_name = "N", conflicts_with = "never_read", value_parser = clap::value_parser!(u32).range(1..))]
    slow_bytes_per_second: Option<u32>,
    /// Ask for frames and then read nothing, as a viewer that has stopped
    #[arg(long)]
    never_read: bool,
    /// Whether to look for torn frames by the numbers in the test picture
    #[arg(long, value_enum, value_name = "WHEN", default_value_t = Verify::Auto)]
    verify: Verify,
    /// Write `counting` and `counted` to standard error when that begins and ends
    #[arg(long)]
    announce: bool,
    /// Do not connect again when a connection ends
    #[arg(long)]
    no_reconnect: bool,
    /// Fail (exit status 1) unless every viewer gets every frame, in order and whole
    #[arg(long)]
    expect_full_rate: bool,
}

/// Watches and prints what it found.
///
/// # Errors
/// Nobody serves there, or `--expect-full-rate` was given and the rate is not full.
pub fn run(args: Args) -> Result<()> {
    let (is_json, expects_full_rate) = (args.json, args.expect_full_rate);
    let report = watch::run(&options(args))?;
    let text = if is_json {
        serde_json::to_string(&report).map_err(Error::failed)?
    } else {
        report.to_string()
    };
    writeln!(std::io::stdout().lock(), "{text}")
        .map_err(|error| Error::failed(format!("failed to print the report: {error}")))?;
    let faults = report.faults();
    if expects_full_rate && !faults.is_empty() {
        return Err(Error::failed(format!(
            "`{}` is not watched at full rate: {faults}",
            report.url
        )));
    }
    Ok(())
}

fn options(args: Args) -> Options {
    let reading = match (args.never_read, args.slow_bytes_per_second) {
        (true, _) => Reading::Never,
        (false, Some(bytes)) => Reading::Slow(bytes),
        (false, None) => Reading::Fast,
    };
    let (mode, target) = match (args.bare, args.mjpeg) {
        (true, _) => (Mode::Bare, args.url),
        (false, true) => (Mode::Mjpeg, args.url.for_mjpeg()),
        (false, false) => (Mode::V1, args.url),
    };
    Options {
        target,
        viewers: usize::try_from(args.viewers).unwrap_or(usize::MAX),
        duration: args.seconds,
        mode,
        stream: args.stream,
        format: args.format,
        window: args.window,
        no_ack: args.no_ack,
        pauses: args.pause,
        announces: args.announce,
        reading,
        verify: args.verify,
        reconnects: !args.no_reconnect,
    }
}

/// Reads a number of seconds, at most a year.
fn duration(text: &str) -> std::result::Result<Duration, String> {
    const YEAR: f64 = 31_536_000.0;
    let seconds = text.parse().ok().filter(|seconds| (0.0..=YEAR).contains(seconds));
    seconds.filter(|seconds| *seconds > 0.0).map(Duration::from_secs_f64).ok_or_else(|| {
        "it is a number of seconds, more than 0 and at most a year, as `10` or `0.5`".to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser as _;

    #[derive(clap::Parser)]
    struct Cli {
        #[command(flatten)]
        args: Args,
    }

    fn read(words: &str) -> std::result::Result<Options, clap::Error> {
        let words = std::iter::once("watch").chain(words.split_ascii_whitespace());
        Cli::try_parse_from(words).map(|cli| options(cli.args))
    }

    #[test]
    fn defaults_are_one_fast_viewer_for_ten_seconds() {
        let options = read("http://127.0.0.1:9090").unwrap();
        assert_eq!((options.viewers, options.duration), (1, Duration::from_secs(10)));
        assert_eq!((options.mode, options.reading), (Mode::V1, Reading::Fast));
        assert_eq!((options.window, options.no_ack, options.reconnects), (None, false, true));
    }

    #[test]
    fn options_that_make_no_sense_are_refused() {
        for words in [
            "",
            "https://cam",
            "cam --viewers 0",
            "cam --seconds 0",
            "cam --seconds -1",
            "cam --seconds NaN",
            "cam --seconds 1e300",
            "cam --window 9",
            "cam --window 2 --bare",
            "cam --window 2 --mjpeg",
            "cam --mjpeg --bare",
            "cam --pause --bare",
            "cam --no-ack",
            "cam --slow-bytes-per-second 0",
            "cam --slow-bytes-per-second 5 --never-read",
            "cam --stream 0 --bare",
            "cam --verify maybe",
        ] {
            assert!(read(words).is_err(), "{words}");
        }
        let options = read("cam --slow-bytes-per-second 5 --bare --seconds 0.5").unwrap();
        assert_eq!((options.mode, options.reading), (Mode::Bare, Reading::Slow(5)));
        assert_eq!(options.duration, Duration::from_millis(500));
    }
}
