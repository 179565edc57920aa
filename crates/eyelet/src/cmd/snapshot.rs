//! `eyelet snapshot`: one picture from a running Eyelet, as a file.

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::path::PathBuf;
use std::time::Duration;

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

/// Longer than the server waits for a picture.
const PATIENCE: Duration = Duration::from_secs(10);

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
    let authority = url.strip_prefix("http://").unwrap_or(url).trim_end_matches('/');
    let failed = |e: &dyn std::fmt::Display| {
        Error::failed(format!(
            "failed to get a picture from `{url}`: {e}; is eyelet running there?"
        ))
    };
    let mut addresses = authority.to_socket_addrs().map_err(|e| failed(&e))?;
    let address = addresses.next().ok_or_else(|| failed(&"no address"))?;
    let mut connection = TcpStream::connect_timeout(&address, PATIENCE).map_err(|e| failed(&e))?;
    connection.set_read_timeout(Some(PATIENCE)).map_err(|e| failed(&e))?;
    let request = format!(
        "GET /-/snapshot.png?stream={stream} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\r\n"
    );
    connection.write_all(request.as_bytes()).map_err(|e| failed(&e))?;
    let mut answer = Vec::new();
    connection.read_to_end(&mut answer).map_err(|e| failed(&e))?;
    let head_len = answer
        .windows(4)
        .position(|w| w == b"\r\n\r\n")
        .ok_or_else(|| failed(&"that is no HTTP"))?
        + 4;
    let body = answer.split_off(head_len);
    let status =
        String::from_utf8_lossy(&answer).split_whitespace().nth(1).unwrap_or_default().to_owned();
    if status == "200" {
        return Ok(body);
    }
    Err(Error::failed(format!(
        "`{url}` gives no picture: {}",
        String::from_utf8_lossy(&body).trim()
    )))
}
