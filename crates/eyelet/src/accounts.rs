//! Users and groups of this machine, and becoming another user. Source: passwd(5), group(5); what only a network knows has to
//! be named by its number.

use std::fs;
use std::path::PathBuf;

use rustix::fs::{Gid, Uid};
use rustix::process::DumpableBehavior;
use rustix::thread;

use crate::error::{Error, Result};

/// Groups that cameras and GPIO lines are opened with, where there are such.
const DEVICES: [&str; 2] = ["video", "gpio"];

/// A user that this program can become.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Account {
    pub(crate) name: String,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) home: PathBuf,
    /// Its other groups, and those of cameras.
    groups: Vec<u32>,
}

impl Account {
    /// Finds `NAME` or `NAME:GROUP`.
    ///
    /// # Errors
    /// If there is none, or it is root.
    pub(crate) fn find(text: &str) -> Result<Self> {
        let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
        let groups = fs::read_to_string("/etc/group").unwrap_or_default();
        Self::find_in(text, &users, &groups)
    }

    fn find_in(text: &str, users: &str, groups: &str) -> Result<Self> {
        let (name, group) = text.split_once(':').map_or((text, None), |(n, g)| (n, Some(g)));
        let found = users.lines().find_map(|line| {
            let words: Vec<&str> = line.split(':').collect();
            let [user, _, uid, gid, _, home, ..] = words[..] else { return None };
            let is_it = user == name || uid == name;
            is_it.then_some((user, uid.parse().ok()?, gid.parse().ok()?, home))
        });
        let (name, uid, gid, home): (&str, u32, u32, &str) = found.ok_or_else(|| {
            Error::refused(format!(
                "there is no user `{name}` in /etc/passwd: make one, as by `useradd --system`"
            ))
        })?;
        if uid == 0 {
            return Err(Error::refused("--user root leaves nothing behind: name another user"));
        }
        let gid = group.map_or(Ok(gid), |group| group_in(group, groups))?;
        let mut all: Vec<u32> = groups
            .lines()
            .filter_map(|line| {
                let words: Vec<&str> = line.split(':').collect();
                let has_it = words.get(3)?.split(',').any(|member| member == name);
                (has_it || DEVICES.contains(&words[0])).then(|| words[2].parse().ok())?
            })
            .collect();
        all.push(gid);
        all.sort_unstable();
        all.dedup();
        Ok(Self { name: name.to_owned(), uid, gid, home: home.into(), groups: all })
    }

    /// Becomes this user, for good. Nothing happens if it is this one already.
    ///
    /// # Errors
    /// If this is not root, or there is another thread, which would stay what it is.
    pub(crate) fn become_it(&self) -> Result<()> {
        let now = rustix::process::geteuid();
        if now.as_raw() == self.uid {
            return Ok(());
        }
        if !now.is_root() {
            let text =
                format!("only root can become `{}`: leave --user out, or start as root", self.name);
            return Err(Error::refused(text));
        }
        let failed = |e: &dyn std::fmt::Display| {
            Error::failed(format!("failed to become the user `{}`: {e}", self.name))
        };
        if fs::read_dir("/proc/self/task").map_err(|e| failed(&e))?.count() != 1 {
            return Err(failed(&"there is a second thread"));
        }
        let (uid, gid) = (Uid::from_raw(self.uid), Gid::from_raw(self.gid));
        let groups: Vec<Gid> = self.groups.iter().map(|group| Gid::from_raw(*group)).collect();
        // The user last: before it these rights are needed.
        thread::set_thread_groups(&groups).map_err(|e| failed(&e))?;
        thread::set_thread_res_gid(gid, gid, gid).map_err(|e| failed(&e))?;
        thread::set_thread_res_uid(uid, uid, uid).map_err(|e| failed(&e))?;
        let is_back = thread::set_thread_res_uid(Uid::ROOT, Uid::ROOT, Uid::ROOT).is_ok();
        if is_back || rustix::process::getuid() != uid || rustix::process::getegid() != gid {
            return Err(failed(&"it did not last"));
        }
        // Without it nobody of the same user, our own children included, may look how we are.
        rustix::process::set_dumpable_behavior(DumpableBehavior::Dumpable).map_err(|e| failed(&e))
    }
}

/// Finds a group by its name or number.
///
/// # Errors
/// If there is none.
pub(crate) fn group(name: &str) -> Result<u32> {
    group_in(name, &fs::read_to_string("/etc/group").unwrap_or_default())
}

fn group_in(name: &str, groups: &str) -> Result<u32> {
    if let Ok(number) = name.parse() {
        return Ok(number);
    }
    let found = groups.lines().find_map(|line| {
        let mut words = line.split(':');
        (words.next() == Some(name)).then(|| words.nth(1)?.parse().ok()).flatten()
    });
    found.ok_or_else(|| {
        let text = "name one that is there, or its number";
        Error::refused(format!("there is no group `{name}` in /etc/group: {text}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const USERS: &str =
        "root:x:0:0:root:/root:/bin/sh\n# x\nann:x:1000:1001:Ann,,,:/home/ann:/bin/sh\n";
    const GROUPS: &str =
        "root:x:0:\nvideo:x:44:bob\nann:x:1001:\nusers:x:100:bob,ann\naudio:x:29:annette\n";

    #[test]
    fn a_user_has_its_groups_and_those_of_cameras() {
        let ann = Account::find_in("ann", USERS, GROUPS).unwrap();
        assert_eq!((ann.uid, ann.gid, &ann.groups[..]), (1000, 1001, &[44, 100, 1001][..]));
        assert_eq!(Account::find_in("1000", USERS, GROUPS).unwrap(), ann);
        let other = Account::find_in("ann:audio", USERS, GROUPS).unwrap();
        assert_eq!((other.gid, &other.groups[..]), (29, &[29, 44, 100][..]));
        for (wrong, needle) in [
            ("bob", "no user `bob`"),
            ("root", "another user"),
            ("0", "another user"),
            ("ann:x", "no group `x`"),
            ("", "no user"),
        ] {
            let error = Account::find_in(wrong, USERS, GROUPS).unwrap_err().to_string();
            assert!(error.contains(needle), "{wrong}: {error}");
        }
    }
}
