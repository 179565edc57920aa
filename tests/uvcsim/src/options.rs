//! What the command line says: which camera to be and how to misbehave.

use std::time::Duration;

/// The command line's summary.
pub(crate) const USAGE: &str = "\
usage: uvcsim [--port N] [--serial TEXT] [--bulk] [--strip-dht] [--stall-after S]
              [--unplug-after S] [--replug-after S] [--err-every N] [--trunc-every N]
  --port N          port of the virtual host controller, one per camera (0)
  --serial TEXT     the USB serial number (SIM0001)
  --bulk            bulk instead of isochronous transfers
  --strip-dht       MJPEG frames without Huffman tables, as many cheap cameras send them
  --stall-after S   S seconds after a stream starts no more frames come; the device stays
  --unplug-after S  the device vanishes S seconds after it was plugged in
  --replug-after S  once unplugged (by itself or by the kernel), it returns after S seconds and stays
  --err-every N     every Nth frame has the error bit set: the driver drops it
  --trunc-every N   every Nth frame is cut in half: dropped for YUYV, passed on for MJPEG";

/// How the camera's pictures travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transfer {
    /// Bandwidth is reserved: a slot of [`crate::descriptors::ISOCHRONOUS_BYTES`] each 125 µs.
    Isochronous,
    /// As fast as the host asks.
    Bulk,
}

/// Whether MJPEG frames carry their Huffman tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HuffmanTables {
    /// As the encoder wrote them.
    Kept,
    /// Left out: the reader must know the standard ones.
    Stripped,
}

/// The parsed command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Options {
    /// Port of the virtual host controller.
    pub(crate) port: u32,
    /// The USB serial number.
    pub(crate) serial: String,
    /// How pictures travel.
    pub(crate) transfer: Transfer,
    /// Whether MJPEG frames carry their Huffman tables.
    pub(crate) huffman: HuffmanTables,
    /// Frames stop this long after the stream started.
    pub(crate) stall_after: Option<Duration>,
    /// The device vanishes this long after it was plugged in.
    pub(crate) unplug_after: Option<Duration>,
    /// It returns this long after it vanished.
    pub(crate) replug_after: Option<Duration>,
    /// Every so many frames one has the error bit set.
    pub(crate) err_every: Option<u64>,
    /// Every so many frames one is cut in half.
    pub(crate) trunc_every: Option<u64>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            port: 0,
            serial: "SIM0001".into(),
            transfer: Transfer::Isochronous,
            huffman: HuffmanTables::Kept,
            stall_after: None,
            unplug_after: None,
            replug_after: None,
            err_every: None,
            trunc_every: None,
        }
    }
}

impl Options {
    /// Reads the arguments, without the program's name.
    pub(crate) fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Self, String> {
        let mut options = Self::default();
        let mut arguments = arguments.into_iter();
        while let Some(flag) = arguments.next() {
            let mut value =
                || arguments.next().ok_or_else(|| format!("`{flag}` needs a value after it"));
            match flag.as_str() {
                "--port" => options.port = number(&flag, &value()?)?,
                "--serial" => options.serial = value()?,
                "--bulk" => options.transfer = Transfer::Bulk,
                "--strip-dht" => options.huffman = HuffmanTables::Stripped,
                "--stall-after" => options.stall_after = Some(seconds(&flag, &value()?)?),
                "--unplug-after" => options.unplug_after = Some(seconds(&flag, &value()?)?),
                "--replug-after" => options.replug_after = Some(seconds(&flag, &value()?)?),
                "--err-every" => options.err_every = Some(period(&flag, &value()?)?),
                "--trunc-every" => options.trunc_every = Some(period(&flag, &value()?)?),
                _ => return Err(format!("unknown argument `{flag}`")),
            }
        }
        Ok(options)
    }
}

fn number<N: std::str::FromStr>(flag: &str, text: &str) -> Result<N, String> {
    text.parse().map_err(|_| format!("`{flag} {text}`: not a number in range"))
}

fn period(flag: &str, text: &str) -> Result<u64, String> {
    match number(flag, text)? {
        0 => Err(format!("`{flag} 0`: must be at least 1")),
        period => Ok(period),
    }
}

fn seconds(flag: &str, text: &str) -> Result<Duration, String> {
    Duration::try_from_secs_f64(number(flag, text)?)
        .map_err(|_| format!("`{flag} {text}`: not a number of seconds"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options, String> {
        Options::parse(line.split_whitespace().map(String::from))
    }

    #[test]
    fn no_arguments_give_a_well_behaved_camera() {
        assert_eq!(parse(""), Ok(Options::default()));
    }

    #[test]
    fn every_flag_is_understood() {
        let line = "--port 2 --serial X --bulk --strip-dht --stall-after 1.5 --unplug-after 2 \
                    --replug-after 0 --err-every 7 --trunc-every 3";
        let expected = Options {
            port: 2,
            serial: "X".into(),
            transfer: Transfer::Bulk,
            huffman: HuffmanTables::Stripped,
            stall_after: Some(Duration::from_millis(1500)),
            unplug_after: Some(Duration::from_secs(2)),
            replug_after: Some(Duration::ZERO),
            err_every: Some(7),
            trunc_every: Some(3),
        };
        assert_eq!(parse(line), Ok(expected));
    }

    #[test]
    fn wrong_arguments_are_named() {
        for (line, part) in [
            ("--colour", "`--colour`"),
            ("--port", "needs a value"),
            ("--port x", "--port x"),
            ("--err-every 0", "at least 1"),
            ("--stall-after -1", "--stall-after -1"),
        ] {
            let problem = parse(line).unwrap_err();
            assert!(problem.contains(part), "{line}: {problem}");
        }
    }
}
