//! What a process takes, as the kernel tells it. Source: proc_pid_stat(5), proc_pid_statm(5).

use std::fs;

use super::real;

/// What one process takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Usage {
    /// Seconds of processor time since it started, its threads included and its children not.
    pub(super) cpu_seconds: f64,
    /// Bytes of memory that nobody else has: frames, which are shared, are not in it.
    pub(super) private_bytes: u64,
    /// Open descriptors.
    pub(super) descriptors: u64,
}

/// Looks at a process; none where it has ended, or is another user's.
pub(super) fn of(pid: u32) -> Option<Usage> {
    let folder = format!("/proc/{pid}");
    let stat = fs::read_to_string(format!("{folder}/stat")).ok()?;
    let statm = fs::read_to_string(format!("{folder}/statm")).ok()?;
    let descriptors = fs::read_dir(format!("{folder}/fd")).ok()?.count();
    Some(Usage {
        cpu_seconds: real(ticks(&stat)?) / real(rustix::param::clock_ticks_per_second()),
        private_bytes: private_pages(&statm)? * rustix::param::page_size() as u64,
        descriptors: descriptors as u64,
    })
}

/// Fields 14 and 15 of `stat`. The second, the name, may have blanks and brackets in it.
fn ticks(stat: &str) -> Option<u64> {
    let (_, behind_the_name) = stat.rsplit_once(") ")?;
    let mut fields = behind_the_name.split(' ').skip(11).map(str::parse);
    match (fields.next()?, fields.next()?) {
        (Ok(user), Ok(system)) => Some(u64::saturating_add(user, system)),
        _ => None,
    }
}

/// Fields 2 and 3 of `statm`: resident, and those of them that have a file or are shared.
fn private_pages(statm: &str) -> Option<u64> {
    let mut fields = statm.split_whitespace().skip(1).map(str::parse);
    match (fields.next()?, fields.next()?) {
        (Ok(resident), Ok(shared)) => Some(u64::saturating_sub(resident, shared)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_look_like_fields() {
        let stat = "7 (a) S 1 (b) R 1 2 3 4 5 6 7 8 9 10 30 12 0 0";
        assert_eq!(ticks(stat), Some(42));
        assert_eq!((ticks("7 (a) R 1"), ticks("")), (None, None));
    }

    #[test]
    fn this_process_takes_something_and_none_has_no_number() {
        let usage = of(std::process::id()).unwrap();
        assert!(usage.private_bytes > 0 && usage.descriptors > 2 && usage.cpu_seconds >= 0.0);
        assert_eq!(of(u32::MAX), None);
        assert_eq!(private_pages("100 50 20 1 0 2 0"), Some(30));
    }
}
