//! Starting a child: this executable again, with its sockets at fixed numbers.

use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use command_fds::{CommandFdExt, FdMapping};
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
use rustix::process::Pid;

use crate::config::Origin;
use crate::control::Control;
use crate::error::{Error, Result};
use crate::role::{AreaPlace, BOOT_FD, BOOT_VARIABLE, Boot, CONTROL_FD, FIRST_SOCKET_FD, Role};
use crate::supervisor::Estate;
use crate::supervisor::child::Process;

/// Starts a process for `role`.
pub(super) fn spawn(role: Role, generation: u32, estate: &Estate) -> Result<Process> {
    let failed = |e: &dyn std::fmt::Display| Error::failed(format!("failed to start {role}: {e}"));
    let sockets = sockets_of(role, estate).map_err(|e| failed(&e))?;
    let boot = Boot {
        role,
        generation,
        config: estate.config.clone(),
        areas: estate.areas.iter().map(|(area, _)| AreaPlace::clone(area)).collect(),
        app_socket: estate.app.as_ref().map(|(path, _)| path.clone()),
        packages: estate.packages.clone(),
        sockets: sockets.len(),
    };
    let boot = boot_file(&boot).map_err(|e| failed(&e))?;
    let (ours, theirs) = Control::pair()?;
    let mut mappings = vec![
        FdMapping { parent_fd: boot, child_fd: BOOT_FD },
        FdMapping { parent_fd: theirs, child_fd: CONTROL_FD },
    ];
    mappings.extend(
        sockets
            .into_iter()
            .zip(FIRST_SOCKET_FD..)
            .map(|(parent_fd, child_fd)| FdMapping { parent_fd, child_fd }),
    );
    let mut command = Command::new("/proc/self/exe");
    command
        .arg0(format!("eyelet: {role}"))
        .env(BOOT_VARIABLE, std::process::id().to_string())
        .stdin(Stdio::null())
        // A terminal's Ctrl-C reaches the supervisor alone.
        .process_group(0)
        .fd_mappings(mappings)
        .map_err(|e| failed(&e))?;
    let child = command.spawn().map_err(|e| failed(&e))?;
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let pid = pid.ok_or_else(|| failed(&"it has no process id"))?;
    // What becomes a program of the user's does not speak on the control line.
    let control = if role.is_program() { None } else { Some(Control::new(ours)?) };
    Ok(Process { pid, control })
}

fn sockets_of(role: Role, estate: &Estate) -> std::io::Result<Vec<OwnedFd>> {
    let shared: Vec<&OwnedFd> = match role {
        Role::Capture { area } | Role::Encode { area } => vec![&estate.areas[area].1],
        Role::Serve { .. } => estate.listeners.iter().collect(),
        Role::App => estate.app.iter().map(|(_, socket)| socket).collect(),
        Role::Keep => estate.areas_of(|origin| matches!(origin, Origin::App { .. })),
        Role::Mule { index } => {
            estate.areas_of(|origin| matches!(origin, Origin::Mule { mule } if mule == index))
        }
    };
    shared.into_iter().map(|socket| socket.as_fd().try_clone_to_owned()).collect()
}

fn boot_file(boot: &Boot) -> std::io::Result<OwnedFd> {
    let memfd = memfd_create(c"eyelet-boot", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
    // Written at an offset of its own, so that the child reads from the start.
    let bytes = serde_json::to_vec(boot)?;
    if rustix::io::pwrite(&memfd, &bytes, 0)? != bytes.len() {
        return Err(std::io::ErrorKind::WriteZero.into());
    }
    fcntl_add_seals(
        &memfd,
        SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL,
    )?;
    Ok(memfd)
}
