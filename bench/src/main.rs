//! `eyelet-bench`: the programs that `cargo xtask bench` runs beside Eyelet.
//!
//! Belongs here: the plainest thing that could do a job of Eyelet's, and what makes frames for the peers. Does not belong
//! here: starting, watching and comparing, which `xtask/src/bench` does.
#![allow(clippy::print_stdout, reason = "a command line tool: its results go to standard output")]

mod area;
mod bare;
mod encode;
mod picture;
mod push;

use std::io::Write as _;

use anyhow::{Context as _, Result, bail};

const USAGE: &str = "\
usage: eyelet-bench bare write|sendfile|tee CONTENT   a server that does nothing but send
       eyelet-bench camera CONTENT                    frames on standard output, 30 a second
       eyelet-bench template CONTENT FILE             one frame, to be stamped by another program
       eyelet-bench area SUBSCRIBERS FRAMES           microseconds from publishing to receiving
       eyelet-bench encode ROUNDS PEER                YUYV to JPEG, in turns with the program PEER
       eyelet-bench push VIEWERS FRAMES COMMAND...    frames through a serve role, one after the other
CONTENT is WIDTHxHEIGHT for YUYV, or jpeg:BYTES";

fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        ["bare", way, content] => bare::run(way.parse()?, content.parse()?),
        ["camera", content] => camera(content.parse()?),
        ["template", content, file] => {
            let picture = picture::Picture::new(content.parse()?)?;
            std::fs::write(file, picture.bytes())
                .with_context(|| format!("failed to write `{file}`"))
        }
        ["area", subscribers, frames] => area::run(subscribers.parse()?, frames.parse()?),
        ["encode", rounds, peer] => encode::run(rounds.parse()?, peer),
        ["push", viewers, frames, ref command @ ..] => {
            push::run(viewers.parse()?, frames.parse()?, command)
        }
        ["area-subscriber", path, frames] => area::subscribe(path.as_ref(), frames.parse()?),
        _ => bail!(USAGE),
    }
}

/// Writes frames until nobody reads them.
fn camera(content: picture::Content) -> Result<()> {
    let mut picture = picture::Picture::new(content)?;
    let mut out = std::io::stdout().lock();
    let timer = bare::ticks()?;
    loop {
        rustix::io::read(&timer, &mut [0; 8]).context("failed to wait")?;
        out.write_all(picture.next()).and_then(|()| out.flush()).context("nobody reads")?;
    }
}
