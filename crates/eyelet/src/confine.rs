//! What a role cannot do, whatever it is made to: no new privileges, and of the system calls those that it has no use for are
//! refused by the kernel.
//!
//! A list of what is refused and not of what is allowed: the C library, the kernel and the allocator may take others tomorrow,
//! and a role must not die of that. What is refused gives `EPERM`. `docs/design/014-least-privilege.md` has the reasons.

use crate::config::source::Kind;
use crate::error::{Error, Result};
use crate::role::{Boot, Role};

/// How much is taken away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bounds {
    /// Nothing: it is the user's own program.
    None,
    /// A program that is started gets no more rights than this one has, as by `sudo`.
    NoNewPrivileges,
    /// Beside that: no programs, no other processes' memory, no new sockets to a network, nothing that changes the machine.
    NoPrograms,
    /// Beside that: no file is written or taken away.
    NoFiles,
}

/// Takes away what a role has no use for. Call it from the main thread before there is another one.
///
/// # Errors
/// If the kernel refuses; where it knows no such filters the role works without, and that is said once.
pub fn confine(boot: &Boot) -> Result<()> {
    let bounds = bounds(boot);
    if bounds == Bounds::None {
        return Ok(());
    }
    let failed =
        |e: &dyn std::fmt::Display| Error::failed(format!("failed to confine {}: {e}", boot.role));
    rustix::thread::set_no_new_privs(true).map_err(|e| failed(&e))?;
    filter::apply(bounds).map_err(|e| failed(&e))
}

fn bounds(boot: &Boot) -> Bounds {
    match boot.role {
        Role::App | Role::Mule { .. } => Bounds::None,
        Role::Serve { .. } | Role::Encode { .. } | Role::Keep => Bounds::NoFiles,
        Role::Capture { area } => match boot.camera(area).map(|camera| &camera.source.kind) {
            // It starts the command, which then has these rights and no more.
            Some(Kind::Exec { .. }) | None => Bounds::NoNewPrivileges,
            // Devices are opened for writing.
            Some(Kind::V4l2 { .. }) => Bounds::NoPrograms,
            Some(Kind::Test | Kind::File { .. }) => Bounds::NoFiles,
        },
    }
}

/// The filter is made for processors that its library knows.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod filter {
    use std::collections::BTreeMap;

    use seccompiler::{
        BpfProgram, Error, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition,
        SeccompFilter, SeccompRule,
    };

    use super::Bounds;

    /// What nobody here has a use for: other programs and processes, the kernel's inside, the machine.
    const NO_PROGRAMS: &[libc::c_long] = &[
        libc::SYS_execve,
        libc::SYS_execveat,
        libc::SYS_ptrace,
        libc::SYS_process_vm_readv,
        libc::SYS_process_vm_writev,
        libc::SYS_kill,
        libc::SYS_pidfd_send_signal,
        libc::SYS_pidfd_getfd,
        libc::SYS_mount,
        libc::SYS_umount2,
        libc::SYS_pivot_root,
        libc::SYS_chroot,
        libc::SYS_setns,
        libc::SYS_unshare,
        libc::SYS_bpf,
        libc::SYS_perf_event_open,
        libc::SYS_userfaultfd,
        libc::SYS_io_uring_setup,
        libc::SYS_keyctl,
        libc::SYS_add_key,
        libc::SYS_request_key,
        libc::SYS_init_module,
        libc::SYS_finit_module,
        libc::SYS_delete_module,
        libc::SYS_kexec_load,
        libc::SYS_reboot,
        libc::SYS_swapon,
        libc::SYS_swapoff,
        libc::SYS_settimeofday,
        libc::SYS_clock_settime,
        libc::SYS_sethostname,
        libc::SYS_setdomainname,
        libc::SYS_open_by_handle_at,
        libc::SYS_setuid,
        libc::SYS_setgid,
        libc::SYS_setresuid,
        libc::SYS_setresgid,
        libc::SYS_setgroups,
        libc::SYS_capset,
    ];

    /// What changes files. `openat2` has its flags in memory, where a filter cannot look.
    const NO_FILES: &[libc::c_long] = &[
        libc::SYS_openat2,
        libc::SYS_unlinkat,
        libc::SYS_renameat2,
        libc::SYS_mkdirat,
        libc::SYS_linkat,
        libc::SYS_symlinkat,
        libc::SYS_mknodat,
        libc::SYS_fchmodat,
        libc::SYS_fchownat,
        libc::SYS_truncate,
        libc::SYS_setxattr,
        libc::SYS_removexattr,
        libc::SYS_bind,
    ];

    /// The same by their old names.
    #[cfg(target_arch = "x86_64")]
    const NO_FILES_OF_OLD: &[libc::c_long] = &[
        libc::SYS_creat,
        libc::SYS_unlink,
        libc::SYS_rename,
        libc::SYS_renameat,
        libc::SYS_mkdir,
        libc::SYS_rmdir,
        libc::SYS_link,
        libc::SYS_symlink,
        libc::SYS_mknod,
        libc::SYS_chmod,
        libc::SYS_chown,
    ];
    #[cfg(not(target_arch = "x86_64"))]
    const NO_FILES_OF_OLD: &[libc::c_long] = &[];

    type Rules = BTreeMap<i64, Vec<SeccompRule>>;

    /// Has the kernel refuse from now on, in this thread and all that it starts.
    pub(super) fn apply(bounds: Bounds) -> Result<(), Error> {
        if bounds == Bounds::NoNewPrivileges {
            return Ok(());
        }
        let mut rules: Rules = NO_PROGRAMS.iter().map(|call| (*call, Vec::new())).collect();
        // What others have opened may be used; nothing new leads to a network.
        let is_unix = condition(0, SeccompCmpOp::Ne, libc::AF_UNIX)?;
        rules.insert(libc::SYS_socket, vec![SeccompRule::new(vec![is_unix])?]);
        if bounds == Bounds::NoFiles {
            let all = NO_FILES.iter().chain(NO_FILES_OF_OLD);
            rules.extend(all.map(|call| (*call, Vec::new())));
            rules.insert(libc::SYS_openat, writing(2)?);
            #[cfg(target_arch = "x86_64")]
            rules.insert(libc::SYS_open, writing(1)?);
        }
        let filter = SeccompFilter::new(
            rules,
            SeccompAction::Allow,
            SeccompAction::Errno(libc::EPERM.unsigned_abs()),
            std::env::consts::ARCH.try_into()?,
        )?;
        let program: BpfProgram = filter.try_into()?;
        match seccompiler::apply_filter(&program) {
            // A kernel without filters, or somebody around us who has their own and lets nobody else.
            Err(Error::Seccomp(e) | Error::Prctl(e))
                if [libc::EINVAL, libc::ENOSYS, libc::EPERM]
                    .iter()
                    .any(|no| e.raw_os_error() == Some(*no)) =>
            {
                log::info!("system calls cannot be filtered here: {e}");
                Ok(())
            }
            other => other,
        }
    }

    fn condition(
        argument: u8,
        how: SeccompCmpOp,
        value: libc::c_int,
    ) -> Result<SeccompCondition, Error> {
        let value = u64::from(value.unsigned_abs());
        Ok(SeccompCondition::new(argument, SeccompCmpArgLen::Dword, how, value)?)
    }

    /// To open for anything but reading, where the flags are the argument of this number.
    fn writing(argument: u8) -> Result<Vec<SeccompRule>, Error> {
        let access = u64::from(libc::O_ACCMODE.unsigned_abs());
        let create = u64::from(libc::O_CREAT.unsigned_abs());
        let all = [
            (SeccompCmpOp::MaskedEq(access), libc::O_WRONLY),
            (SeccompCmpOp::MaskedEq(access), libc::O_RDWR),
            (SeccompCmpOp::MaskedEq(create), libc::O_CREAT),
        ];
        let rule = |(how, value)| Ok(SeccompRule::new(vec![condition(argument, how, value)?])?);
        all.into_iter().map(rule).collect()
    }
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
mod filter {
    use super::Bounds;

    pub(super) fn apply(bounds: Bounds) -> Result<(), std::convert::Infallible> {
        if bounds != Bounds::NoNewPrivileges {
            log::info!("system calls are not filtered on this processor");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::net::TcpListener;
    use std::process::Command;

    /// Runs a test in a thread of its own, which is confined; the others are not.
    fn confined(bounds: Bounds, test: impl FnOnce() + Send + 'static) {
        let thread = std::thread::spawn(move || {
            rustix::thread::set_no_new_privs(true).unwrap();
            filter::apply(bounds).unwrap();
            test();
        });
        thread.join().unwrap();
    }

    fn is_refused<T>(result: std::io::Result<T>) -> bool {
        result.is_err_and(|e| e.raw_os_error() == Some(libc::EPERM))
    }

    #[test]
    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
    fn what_a_role_has_no_use_for_is_refused_and_the_rest_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let (file, new) = (folder.path().join("file"), folder.path().join("new"));
        std::fs::write(&file, "mine").unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        confined(Bounds::NoFiles, move || {
            assert!(is_refused(Command::new("true").status()));
            assert!(is_refused(std::net::TcpStream::connect(address)));
            assert!(is_refused(TcpListener::bind("127.0.0.1:0")));
            assert!(is_refused(File::create(&new)));
            assert!(is_refused(File::options().append(true).open(&file)));
            assert!(is_refused(std::fs::remove_file(&file)));
            assert!(is_refused(std::fs::rename(&file, &new)));
            assert!(is_refused(std::fs::create_dir(&new)));
            // What it lives on.
            assert_eq!(std::fs::read_to_string(&file).unwrap(), "mine");
            assert!(std::fs::read_dir("/proc/self/fd").unwrap().count() > 0);
            let (_ours, _theirs) = std::os::unix::net::UnixStream::pair().unwrap();
            rustix::fs::memfd_create(c"x", rustix::fs::MemfdFlags::CLOEXEC).unwrap();
            std::thread::spawn(|| vec![0_u8; 10 << 20]).join().unwrap();
        });
        assert!(std::net::TcpStream::connect(address).is_ok(), "other threads are as they were");
    }

    #[test]
    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
    fn a_role_with_devices_opens_them_and_starts_nothing() {
        confined(Bounds::NoPrograms, || {
            assert!(File::options().read(true).write(true).open("/dev/null").is_ok());
            assert!(is_refused(Command::new("true").status()));
        });
    }
}
