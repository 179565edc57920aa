//! A running guest: its emulator, commands in it, and the port that leads into it.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use super::agent::{Agent, Output};
use super::monitor::Monitor;
use super::tools::Tools;
use crate::command::{path_text, tail};

/// Generous: an emulated guest on a busy machine is slow, and only a failing scenario waits this long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(180);
/// The port in the guest that the host reaches.
pub(crate) const GUEST_PORT: u16 = 8080;
/// The saved state's file, in its emulator's folder.
pub(crate) const STATE: &str = "state";

/// Copies that use `rep movsb` run byte by byte under emulation, ten to thirty times slower than unrolled ones. So the
/// processor must not claim to be good at it; the maker is named because the kernel assumes it of an unknown one.
const PROCESSOR: &str = "max,-erms,-fsrm,vendor=GenuineIntel";
const CONSOLE: &str = "console.log";
const EMULATOR_LOG: &str = "qemu.log";
/// How many lines of each log a failed scenario shows.
const LOG_LINES: usize = 25;

/// What a guest is made of.
#[derive(Debug)]
pub(crate) struct Image {
    /// The emulator among others.
    pub(crate) tools: Tools,
    /// The uncompressed kernel.
    pub(crate) vmlinux: PathBuf,
    /// The root file system.
    pub(crate) initrd: PathBuf,
    /// The folder of our own executables, which are in the root file system too.
    pub(crate) executables: PathBuf,
}

/// A running guest; it ends with this value.
#[derive(Debug)]
pub(crate) struct Guest {
    emulator: Child,
    agent: Agent,
    monitor: Monitor,
    folder: PathBuf,
    executables: PathBuf,
    port: u16,
}

impl Guest {
    /// Boots a guest; `folder` gets its logs.
    ///
    /// # Errors
    /// If it does not get ready; the error has the end of its logs.
    pub(crate) fn boot(image: &Image, folder: PathBuf) -> Result<Self> {
        let (mut agent, emulator) = start(image, &folder, None)?;
        let ready = agent.wait_until_ready(PATIENCE);
        let mut guest = emulator.into_guest(agent, folder, image)?;
        ready.with_context(|| guest.autopsy())?;
        guest.monitor.wait_until_running()?;
        Ok(guest)
    }

    /// Continues a guest from a saved state, made with the same image.
    ///
    /// # Errors
    /// If it does not get ready; the error has the end of its logs.
    pub(crate) fn restore(image: &Image, folder: PathBuf, state: &Path) -> Result<Self> {
        let (agent, emulator) = start(image, &folder, Some(state))?;
        let mut guest = emulator.into_guest(agent, folder, image)?;
        let running = guest.monitor.wait_until_running();
        running.and_then(|()| guest.run("true").map(drop)).with_context(|| guest.autopsy())?;
        Ok(guest)
    }

    /// Saves the guest's state as the file [`STATE`] in its folder.
    ///
    /// # Errors
    /// If it cannot be written.
    pub(crate) fn save(&mut self) -> Result<PathBuf> {
        self.monitor.save(STATE).context("failed to save the guest's state")?;
        Ok(self.folder.join(STATE))
    }

    /// Runs one line of shell in the guest; a failure is a value, and so is the end of its time: status 143.
    ///
    /// # Errors
    /// If the guest does not answer, or the emulator ends.
    pub(crate) fn sh(&mut self, line: &str, within: Duration) -> Result<Output> {
        self.agent.run(line, within)
    }

    /// Runs one line of shell in the guest, which must succeed; returns what it printed.
    ///
    /// # Errors
    /// If it fails or does not end in time; the error has its output.
    pub(crate) fn run(&mut self, line: &str) -> Result<String> {
        let Output { status, text } = self.sh(line, PATIENCE)?;
        if status != 0 {
            bail!("in the guest, `{line}` ended with {status}: {}", tail(&text, LOG_LINES));
        }
        Ok(text)
    }

    /// Starts a program in the guest and returns its process id; what it prints is its log, [`Self::log`].
    ///
    /// # Errors
    /// If the emulator ends.
    pub(crate) fn background(&mut self, name: &str, command: &str) -> Result<u32> {
        let line = format!("{command} </dev/null >/run/log/{name} 2>&1 & echo $!");
        self.run(&line)?.trim().parse().context("the shell gave no process id")
    }

    /// What the program started as `name` printed so far.
    ///
    /// # Errors
    /// If no such program was started.
    pub(crate) fn log(&mut self, name: &str) -> Result<String> {
        self.run(&format!("cat /run/log/{name}"))
    }

    /// Waits until a shell condition holds in the guest.
    ///
    /// # Errors
    /// If it does not in time.
    pub(crate) fn wait_for(&mut self, condition: &str) -> Result<()> {
        // Counted in the guest, whose clock may stand still while the host is busy.
        let rounds = PATIENCE.as_millis() / 100;
        let line = format!(
            "n=0; until {condition}; do n=$((n+1)); [ $n -lt {rounds} ] || exit 1; sleep 0.1; done"
        );
        let output = self.sh(&line, PATIENCE * 2)?;
        if output.status != 0 {
            bail!("in the guest, this did not become true: `{condition}`");
        }
        Ok(())
    }

    /// The address on this host that leads to [`GUEST_PORT`] in the guest.
    ///
    /// The emulator accepts connections before anything listens in the guest, and closes them then: only bytes that come back
    /// show that something does.
    pub(crate) fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// One of our own executables, to run on this host: linked statically, it serves both sides.
    pub(crate) fn executable(&self, name: &str) -> PathBuf {
        self.executables.join(name)
    }

    /// The ends of all logs, for a report of what went wrong; they stay in the guest's folder.
    pub(crate) fn autopsy(&mut self) -> String {
        let mut report = format!("logs in `{}`:\n", self.folder.display());
        for name in [CONSOLE, EMULATOR_LOG] {
            let text = fs::read(self.folder.join(name)).unwrap_or_default();
            let text = String::from_utf8_lossy(&text);
            report += &format!("--- {name}\n{}\n", tail(&text, LOG_LINES).trim_end());
        }
        let line = format!(
            "echo '--- dmesg'; dmesg | tail -n {LOG_LINES}; cd /run/log; \
             for log in *; do echo \"--- $log\"; tail -n {LOG_LINES} \"$log\"; done"
        );
        // Only if the guest still answers.
        if let Ok(output) = self.sh(&line, Duration::from_secs(5)) {
            report += &output.text;
        }
        report
    }

    /// Ends the guest and removes its logs.
    pub(crate) fn discard(self) {
        let folder = self.folder.clone();
        drop(self);
        if let Err(problem) = crate::packages::remove_folder(&folder) {
            eprintln!("{problem:#}");
        }
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        end(&mut self.emulator);
    }
}

/// An emulator whose monitor was not spoken to yet.
struct Emulator {
    process: Child,
    monitor: UnixStream,
}

impl Emulator {
    fn into_guest(mut self, agent: Agent, folder: PathBuf, image: &Image) -> Result<Guest> {
        let opened = Monitor::open(self.monitor).and_then(|mut monitor| {
            let port = monitor.forwarded_port()?;
            Ok((monitor, port))
        });
        match opened {
            Ok((monitor, port)) => {
                let executables = image.executables.clone();
                Ok(Guest { emulator: self.process, agent, monitor, folder, executables, port })
            }
            Err(problem) => {
                end(&mut self.process);
                let log = fs::read_to_string(folder.join(EMULATOR_LOG)).unwrap_or_default();
                Err(problem.context(format!("the emulator failed: {}", log.trim())))
            }
        }
    }
}

/// Ends a process and waits for it; it has nothing to lose.
fn end(process: &mut Child) {
    if let Err(problem) = process.kill().and_then(|()| process.wait()) {
        eprintln!("failed to end the emulator: {problem}");
    }
}

/// Starts an emulator. Its standard input is the guest's second serial port and its standard output the monitor: sockets
/// that need no names, and are closed when either side ends.
fn start(image: &Image, folder: &Path, state: Option<&Path>) -> Result<(Agent, Emulator)> {
    fs::create_dir_all(folder).with_context(|| format!("failed to make `{}`", folder.display()))?;
    let (agent, serial) = UnixStream::pair()?;
    let (monitor, control) = UnixStream::pair()?;
    let mut command = image.tools.emulator();
    describe_machine(&mut command, image)?;
    if let Some(state) = state {
        let state = path_text(state)?.replace('\'', r"'\''");
        command.args(["-incoming", &format!("exec:cat '{state}'")]);
    }
    command.current_dir(folder);
    command.stdin(Stdio::from(OwnedFd::from(serial)));
    command.stdout(Stdio::from(OwnedFd::from(control)));
    command.stderr(File::create(folder.join(EMULATOR_LOG))?);
    let process = command.spawn().context("failed to start the emulator")?;
    Ok((Agent::new(agent), Emulator { process, monitor }))
}

/// The machine: the same for saving and restoring.
fn describe_machine(command: &mut Command, image: &Image) -> Result<()> {
    command.args(["-nodefaults", "-no-user-config", "-M", "q35", "-display", "none", "-no-reboot"]);
    command.args(["-accel", "tcg,thread=multi", "-cpu", PROCESSOR, "-smp", "2", "-m", "512"]);
    command.args(["-kernel", path_text(&image.vmlinux)?, "-initrd", path_text(&image.initrd)?]);
    command.args(["-append", "console=ttyS0 panic=-1 quiet mitigations=off"]);
    command.args(["-serial", &format!("file:{CONSOLE}")]);
    command.args(["-chardev", "socket,id=agent,fd=0", "-serial", "chardev:agent"]);
    command.args(["-chardev", "socket,id=monitor,fd=1", "-mon", "chardev=monitor,mode=control"]);
    // Port 0: the system chooses a free one. The guest cannot reach beyond the host's end.
    let network = format!("user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:0-:{GUEST_PORT}");
    command.args(["-netdev", &network, "-device", "virtio-net-pci,netdev=net,romfile="]);
    Ok(())
}
