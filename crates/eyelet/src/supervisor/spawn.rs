//! Starting a child: this executable again, with its sockets at fixed numbers.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use command_fds::{CommandFdExt, FdMapping};
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
use rustix::process::Pid;

use crate::config::Origin;
use crate::control::{Control, ToChild};
use crate::error::{Error, Result};
use crate::panel::Settings;
use crate::role::{AreaPlace, BOOT_FD, BOOT_VARIABLE, Boot, CONTROL_FD, FIRST_SOCKET_FD, Role};
use crate::supervisor::child::Process;
use crate::supervisor::estate::Estate;

/// Starts a process for `role`; a capture role sets its source's controls again as `settings` say.
pub(super) fn spawn(
    role: Role,
    generation: u32,
    settings: Settings,
    estate: &Estate,
) -> Result<Process> {
    let failed = |e: &dyn std::fmt::Display| Error::failed(format!("failed to start {role}: {e}"));
    let sockets = sockets_of(role, estate);
    let boot = boot_file(&boot(role, generation, settings, estate, sockets.len()));
    let boot = boot.map_err(|e| failed(&e))?;
    let sockets = sockets.into_iter().map(AsFd::as_fd).map(|socket| socket.try_clone_to_owned());
    let sockets: Vec<OwnedFd> = sockets.collect::<std::io::Result<_>>().map_err(|e| failed(&e))?;
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
    if let Some(account) = &estate.account {
        let (home, name) = (&account.home, &account.name);
        command.env("HOME", home).env("USER", name).env("LOGNAME", name);
        command.env_remove("XDG_RUNTIME_DIR");
    }
    let child = command.spawn().map_err(|e| failed(&e))?;
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let pid = pid.ok_or_else(|| failed(&"it has no process id"))?;
    // What becomes a program of the user's does not speak on the control line.
    let control = if role.is_program() { None } else { Some(Control::new(ours)?) };
    Ok(Process { pid, control })
}

/// Tells a running child what it would be told if it were born now.
///
/// # Errors
/// If the line is full: the process does not know, and has to be another one.
pub(super) fn renew(role: Role, generation: u32, estate: &Estate, to: &Control) -> Result<()> {
    let sockets = sockets_of(role, estate);
    let boot = boot_file(&boot(role, generation, Settings::new(), estate, sockets.len()))
        .map_err(|e| Error::failed(format!("failed to tell {role} what is new: {e}")))?;
    let sockets = sockets.into_iter().map(AsFd::as_fd);
    let all: Vec<BorrowedFd<'_>> = std::iter::once(boot.as_fd()).chain(sockets).collect();
    to.send_with_sockets(&ToChild::Renewed, &all)
}

/// What a child is told.
fn boot(role: Role, generation: u32, settings: Settings, estate: &Estate, sockets: usize) -> Boot {
    let mule = match role {
        Role::Mule { index } => estate.plan.mules.get(&index).cloned(),
        _ => None,
    };
    let listeners = match role {
        Role::Serve { .. } => estate.listeners.iter().map(|listener| listener.number).collect(),
        _ => Vec::new(),
    };
    let mut config = estate.plan.config.clone();
    // Nobody else has to do with passwords and keys.
    let session_key = role.is_serve().then(|| estate.session_key.clone());
    if session_key.is_none() {
        config.access.users.clear();
        config.tls = None;
    }
    Boot {
        role,
        generation,
        config,
        session_key,
        areas: estate.areas.iter().map(|(area, _)| AreaPlace::clone(area)).collect(),
        app_socket: estate.app.as_ref().map(|app| app.path.clone()),
        packages: estate.packages.clone(),
        settings,
        mule,
        listeners,
        sockets,
    }
}

fn sockets_of(role: Role, estate: &Estate) -> Vec<&OwnedFd> {
    match role {
        Role::Capture { area } | Role::Encode { area } => estate.area(area).into_iter().collect(),
        Role::Serve { .. } => estate.listeners.iter().map(|listener| &listener.socket).collect(),
        Role::App => estate.app.iter().map(|app| &app.socket).collect(),
        Role::Keep => estate.areas_of(|origin| matches!(origin, Origin::App { .. })),
        Role::Mule { index } => {
            estate.areas_of(|origin| matches!(origin, Origin::Mule { mule } if mule == index))
        }
    }
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
