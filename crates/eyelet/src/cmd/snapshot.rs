//! `eyelet snapshot`: one picture from a running Eyelet, as a file.

use std::io::Write;
use std::path::PathBuf;

use super::request;
use crate::error::{Error, Result};

/// What snapshot is told.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where Eyelet runs.
    #[arg(default_value = "http://127.0.0.1:9090")]
    url: String,
    /// The PNG file to write; `-` writes to standard output.
    #[arg(short, long, value_name = "FILE", default_value = "snapshot.png")]
    output: PathBuf,
    /// Which stream, by its id.
    #[arg(long, value_name = "ID", default_value_t = 0)]
    stream: u32,
}

/// Fetches the newest frame and saves it.
///
/// # Errors
/// If nothing answers there, there is no picture, or the file cannot be written.
pub fn run(args: &Args) -> Result<()> {
    let png = fetch(&args.url, args.stream)?;
    let failed = |e: std::io::Error| {
        Error::failed(format!("failed to write `{}`: {e}", args.output.display()))
    };
    if args.output.as_os_str() == "-" {
        std::io::stdout().write_all(&png).map_err(failed)
    } else {
        std::fs::write(&args.output, png).map_err(failed)
    }
}

fn fetch(url: &str, stream: u32) -> Result<Vec<u8>> {
    let answer = request::send(url, "GET", &format!("/-/snapshot.png?stream={stream}"), "")?;
    if answer.status == 200 {
        return Ok(answer.body);
    }
    Err(Error::failed(format!("`{url}` gives no picture: {}", answer.text())))
}
