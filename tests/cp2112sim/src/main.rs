//! A CP2112 in software, for tests against the kernel's own `hid-cp2112` driver and its GPIO chip.
//!
//! The CP2112 is a USB device with eight GPIO lines (and an SMBus, which is left out). It speaks HID, so `/dev/uhid` is
//! all that a program needs to be one: the driver then makes a GPIO chip with interrupts, as of any real one. Needs root,
//! `modprobe uhid` and `modprobe hid_cp2112`.
//!
//! The outside of the chip is a FIFO: `high N` and `low N` put a level on line `N`, `unplug` and `plug` pull the cable and
//! put it back. What the kernel makes of the lines goes to standard error, a line for each change, as `cp2112sim: line 3
//! drives high`.
#![allow(clippy::print_stderr, reason = "a test tool: its lifecycle lines are its log")]

mod chip;
mod command;
mod uhid;

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _};
use std::process::ExitCode;

use rustix::event::{PollFd, PollFlags, poll};

use chip::Chip;
use command::Command;
use uhid::{Cable, Request};

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let (Some(path), None) = (arguments.next(), arguments.next()) else {
        eprintln!("usage: cp2112sim FIFO");
        return ExitCode::from(2);
    };
    match run(&path) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("cp2112sim: {problem}");
            ExitCode::FAILURE
        }
    }
}

/// Serves the chip for ever: plugged in at first, then as the commands have it.
fn run(path: &str) -> io::Result<()> {
    // For writing, too: so it does not end when a writer closes it.
    let mut outside = OpenOptions::new().read(true).write(true).open(path)?;
    let mut chip = Chip::default();
    let mut cable = Some(plug()?);
    let mut text = String::new();
    loop {
        let (has_request, has_command) = wait(cable.as_ref(), &outside)?;
        if let Some(cable) = cable.as_mut().filter(|_| has_request) {
            serve(cable, &mut chip)?;
        }
        if !has_command {
            continue;
        }
        let mut bytes = [0; 256];
        let len = outside.read(&mut bytes)?;
        text += &String::from_utf8_lossy(&bytes[..len]);
        while let Some((line, rest)) = text.split_once('\n') {
            match line.parse() {
                Ok(Command::Level { line, is_high }) => chip.put(line, is_high),
                Ok(Command::Unplug) => {
                    if let Some(cable) = cable.take() {
                        cable.unplug()?;
                    }
                    chip = Chip::default();
                    eprintln!("cp2112sim: unplugged");
                }
                Ok(Command::Plug) => cable = Some(plug()?),
                Err(problem) => eprintln!("cp2112sim: {problem}"),
            }
            text = rest.to_owned();
        }
    }
}

fn plug() -> io::Result<Cable> {
    let cable = Cable::plug()?;
    eprintln!("cp2112sim: plugged in");
    Ok(cable)
}

/// Waits for a request of the kernel's or a command from outside.
fn wait(cable: Option<&Cable>, outside: &File) -> io::Result<(bool, bool)> {
    let mut fds = vec![PollFd::new(outside, PollFlags::IN)];
    fds.extend(cable.map(|cable| PollFd::new(cable, PollFlags::IN)));
    poll(&mut fds, None)?;
    let is_ready = |fd: &PollFd<'_>| !fd.revents().is_empty();
    Ok((fds.get(1).is_some_and(is_ready), is_ready(&fds[0])))
}

/// Answers one request.
fn serve(cable: &mut Cable, chip: &mut Chip) -> io::Result<()> {
    match cable.request()? {
        Some(Request::Get { id, report }) => cable.give(id, chip.get(report)),
        Some(Request::Set { id, data }) => {
            let changes = chip.set(&data);
            for change in changes.iter().flatten() {
                eprintln!("cp2112sim: {change}");
            }
            cable.took(id, changes.is_some())
        }
        None => Ok(()),
    }
}
