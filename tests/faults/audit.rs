//! What may not pile up: processes, descriptors, memory, and words that nobody may say.

use std::collections::BTreeMap;
use std::fs;

use anyhow::Result;
use eyelet_harness::process::{descriptors, memory};

use crate::stage::Stage;

/// Descriptors more than in the beginning that a process may have: frames on their way, and questions to others.
const MORE_DESCRIPTORS: usize = 6;
/// Of the supervisor, which handles no frames.
const MORE_OF_THE_SUPERVISOR: usize = 2;
/// Memory that the tree may have more than in the beginning, in KiB, frames not counted: a tenth of it, and what an
/// allocator keeps that has once had a crowd.
const MORE_MEMORY_KB: u64 = 8 << 10;

/// A look at all processes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Holdings {
    /// Of each role, by its name: what they are. Serve processes count together, as viewers go from one to the other.
    pub(crate) descriptors: BTreeMap<String, Vec<String>>,
    /// Of all processes together.
    pub(crate) open: usize,
    /// In the tree, the supervisor included.
    pub(crate) processes: usize,
    /// Proportional memory of the tree in KiB, and of that mapped frames.
    pub(crate) pss_kb: u64,
    pub(crate) shmem_kb: u64,
    /// Of it, heaps and stacks: what nobody else on the machine has a share of.
    pub(crate) anonymous_kb: u64,
    /// Of the supervisor: heap and stack.
    pub(crate) supervisor_heap_kb: u64,
}

impl Holdings {
    /// Looks. Processes that end meanwhile count as nothing.
    pub(crate) fn look(stage: &Stage) -> Result<Self> {
        let supervisor = stage.eyelet.pid();
        let mut all = Self { processes: 1, ..Self::default() };
        all.supervisor_heap_kb = memory(supervisor)?.anonymous_kb;
        all.add("supervisor", supervisor);
        for process in stage.eyelet.children() {
            all.processes += 1;
            all.add(&process.role, process.pid);
        }
        Ok(all)
    }

    fn add(&mut self, role: &str, pid: u32) {
        let open = descriptors(pid).unwrap_or_default().into_iter();
        let mut open: Vec<String> = open.map(|(_, what)| what.display().to_string()).collect();
        self.open += open.len();
        let is_serve = role.starts_with("serve ");
        let of_role = self.descriptors.entry(if is_serve { "serve" } else { role }.to_owned());
        let of_role = of_role.or_default();
        if is_serve {
            of_role.append(&mut open);
        } else if open.len() > of_role.len() {
            *of_role = open;
        }
        if let Ok(memory) = memory(pid) {
            self.pss_kb += memory.pss_kb;
            self.shmem_kb += memory.shmem_kb;
            self.anonymous_kb += memory.anonymous_kb;
        }
    }

    pub(crate) fn own_memory_kb(&self) -> u64 {
        self.pss_kb - self.shmem_kb
    }

    /// Tells what is more than in the beginning.
    pub(crate) fn exceeds(&self, base: &Self) -> Option<String> {
        if self.processes != base.processes {
            let (now, then) = (self.descriptors.keys(), base.processes);
            return Some(format!("{} processes, not {then}: {now:?}", self.processes));
        }
        for (role, open) in &self.descriptors {
            let is_supervisor = role == "supervisor";
            let more = if is_supervisor { MORE_OF_THE_SUPERVISOR } else { MORE_DESCRIPTORS };
            let (count, base) = (open.len(), base.descriptors.get(role).map_or(0, Vec::len));
            if count > base + more {
                let text = format!("{role} has {count} descriptors, {base} in the beginning");
                return Some(format!("{text}: {}", open.join(" ")));
            }
        }
        let (now, base) = (self.own_memory_kb(), base.own_memory_kb());
        (now > base + base / 10 + MORE_MEMORY_KB)
            .then(|| format!("{now} KiB of memory, {base} in the beginning"))
    }
}

/// Children of the tree that have ended and that nobody has asked for their status.
pub(crate) fn zombies(stage: &Stage) -> Vec<String> {
    let mut tree: Vec<u32> = stage.eyelet.children().iter().map(|process| process.pid).collect();
    tree.push(stage.eyelet.pid());
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let stats = entries.filter_map(|entry| fs::read_to_string(entry.path().join("stat")).ok());
    stats.filter(|stat| is_zombie_of(stat, &tree)).collect()
}

/// Source: `proc_pid_stat(5)`: after the name, which may hold anything, come the state and the parent.
fn is_zombie_of(stat: &str, tree: &[u32]) -> bool {
    let Some((_, rest)) = stat.rsplit_once(')') else { return false };
    let mut fields = rest.split_ascii_whitespace();
    fields.next() == Some("Z")
        && fields
            .next()
            .and_then(|parent| parent.parse().ok())
            .is_some_and(|parent| tree.contains(&parent))
}

/// What the program said that it may not say, whatever happens to it.
pub(crate) fn confession(lines: &[String]) -> Option<&String> {
    let words = ["panicked at", "internal error"];
    lines.iter().find(|line| words.iter().any(|word| line.contains(word)))
}

#[test]
fn zombies_of_others_are_not_ours() {
    assert!(is_zombie_of("7 (a) b)) Z 3 1 1", &[3]));
    assert!(!is_zombie_of("7 (a) Z 4 1 1", &[3]) && !is_zombie_of("7 (a) S 3 1 1", &[3]));
}

#[test]
fn what_piles_up_is_told() {
    let of = |open, processes, pss_kb| Holdings {
        descriptors: BTreeMap::from([("supervisor".to_owned(), vec![String::new(); open])]),
        processes,
        pss_kb,
        ..Holdings::default()
    };
    let base = of(20, 9, 50_000);
    assert_eq!(of(22, 9, 60_000).exceeds(&base), None);
    assert!(of(23, 9, 50_000).exceeds(&base).unwrap().contains("23 descriptors"));
    assert!(of(20, 10, 50_000).exceeds(&base).unwrap().contains("10 processes"));
    assert!(of(20, 9, 70_000).exceeds(&base).unwrap().contains("70000 KiB"));
}
