//! A serve role in the hands of a program that does one thing after the other, so that its instructions can be counted.
//!
//! We are its supervisor, its source and its viewers: a frame is published when every viewer has read the one before.
//! Nothing depends on time, so the role does the same in every run.

use std::io::{Read as _, Seek as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use clap::Parser as _;
use command_fds::{CommandFdExt as _, FdMapping};
use eyelet::cli::Cli;
use eyelet::config::Origin;
use eyelet::control::Control;
use eyelet::role::{AreaPlace, BOOT_FD, BOOT_VARIABLE, Boot, CONTROL_FD, FIRST_SOCKET_FD, Role};
use eyelet_area::{Format, FourCc, FrameBuilder, MonotonicNs, Owner};
use eyelet_wire::websocket::{Opcode, header};
use rustix::process::{Pid, Signal, kill_process};

/// Instructions that are counted take fifty times as long.
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// Starts `command`, which becomes the role, and pushes so many frames to each of so many viewers through it.
pub(crate) fn run(viewers: usize, frames: usize, command: &[&str]) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("0-camera");
    let mut owner = Owner::new(eyelet_area::listen(&path, 0o600)?, 0)?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let (ours, theirs) = Control::pair()?;
    let boot = boot_file(&path)?;
    let mappings = vec![
        FdMapping { parent_fd: boot.into(), child_fd: BOOT_FD },
        FdMapping { parent_fd: theirs, child_fd: CONTROL_FD },
        FdMapping { parent_fd: listener.into(), child_fd: FIRST_SOCKET_FD },
    ];
    let (program, words) = command.split_first().context("no command")?;
    let mut command = Command::new(program);
    command.args(words).env(BOOT_VARIABLE, std::process::id().to_string());
    let mut role = command.fd_mappings(mappings)?.spawn().context("failed to start the role")?;
    let pushed = push(&mut owner, address, viewers, frames);
    end(&mut role)?;
    drop(ours);
    pushed
}

fn push(owner: &mut Owner, address: SocketAddr, viewers: usize, frames: usize) -> Result<()> {
    let connect = |_| connect(address);
    let mut streams: Vec<TcpStream> = (0..viewers).map(connect).collect::<Result<_>>()?;
    let format = Format::packed(FourCc::YUYV, 160, 96);
    let len = usize::try_from(format.packed_len().context("not a raw format")?)?;
    let mut message = vec![0; header(Opcode::Binary, len as u64, None).len() + len];
    let pixels = vec![128; len];
    for _ in 0..frames {
        let begin = Instant::now();
        while owner.demand() == 0 {
            ensure!(begin.elapsed() < PATIENCE, "the role does not want a frame");
            owner.turn()?;
            std::thread::sleep(LOOK_EVERY);
        }
        let mut builder = FrameBuilder::new()?;
        builder.write(&pixels)?;
        owner.publish(builder.seal(format, MonotonicNs::now())?);
        for stream in &mut streams {
            stream.read_exact(&mut message).context("a viewer got no frame")?;
        }
    }
    Ok(())
}

fn boot_file(area: &Path) -> Result<std::fs::File> {
    let cli = Cli::try_parse_from(["eyelet", "--source", "test:"])?;
    let config = cli.run.to_config(std::iter::empty(), || "test:".parse())?;
    let boot = Boot {
        role: Role::Serve { index: 0 },
        generation: 0,
        config,
        areas: vec![AreaPlace {
            id: 0,
            name: "camera".to_owned(),
            path: area.to_owned(),
            origin: Origin::Camera,
        }],
        app_socket: None,
        packages: None,
        settings: eyelet::panel::Settings::default(),
        mule: None,
        session_key: Some(eyelet::users::SessionKey::make()?),
        listeners: vec![0],
        sockets: 1,
    };
    let mut file = tempfile::tempfile()?;
    file.write_all(&serde_json::to_vec(&boot)?)?;
    file.rewind()?;
    Ok(file)
}

/// Connects as a bare viewer.
fn connect(address: SocketAddr) -> Result<TcpStream> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(
        b"GET /-/ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
          Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    )?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).context("the role did not answer")?;
        head.extend(byte);
    }
    ensure!(head.starts_with(b"HTTP/1.1 101 "), "refused: {}", head.escape_ascii());
    Ok(stream)
}

fn end(role: &mut Child) -> Result<()> {
    let pid = Pid::from_raw(i32::try_from(role.id())?).context("no process")?;
    kill_process(pid, Signal::TERM).context("the role has ended before")?;
    role.wait()?;
    Ok(())
}
