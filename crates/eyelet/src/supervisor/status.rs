//! "How is everybody?": asked by one serve process, answered by all children, put together here.

use std::collections::BTreeMap;
use std::time::Instant;

use crate::control::{Report, Status, ToChild};
use crate::supervisor::child::{Child, REPORT_PATIENCE};

/// Questions that are under way. A child that does not answer in time is left out, so nobody waits for it.
#[derive(Debug, Default)]
pub(super) struct Questions {
    open: BTreeMap<u64, Question>,
    last: u64,
}

#[derive(Debug)]
struct Question {
    asker: usize,
    askers_number: u64,
    deadline: Instant,
    waits_for: usize,
    reports: BTreeMap<usize, Report>,
}

impl Questions {
    /// Opens a question and gives what to send to every child.
    pub(super) fn ask(&mut self, asker: usize, askers_number: u64, children: &[Child]) -> ToChild {
        self.last += 1;
        let waits_for = children.iter().filter(|child| child.control().is_some()).count();
        let deadline = Instant::now() + REPORT_PATIENCE;
        let question =
            Question { asker, askers_number, deadline, waits_for, reports: BTreeMap::new() };
        self.open.insert(self.last, question);
        ToChild::Report { ask: self.last }
    }

    /// Takes a child's answer.
    pub(super) fn answered(&mut self, ask: u64, child: usize, report: Report) {
        if let Some(question) = self.open.get_mut(&ask) {
            question.reports.insert(child, report);
        }
    }

    /// Gives an answer that has become complete, and the child to send it to.
    pub(super) fn complete(
        &mut self,
        children: &[Child],
        started: Instant,
    ) -> Option<(usize, ToChild)> {
        let (&ask, _) = self.open.iter().find(|(_, q)| q.reports.len() >= q.waits_for)?;
        self.close(ask, children, started)
    }

    /// Gives the answers whose time is over.
    pub(super) fn overdue(
        &mut self,
        now: Instant,
        children: &[Child],
        started: Instant,
    ) -> Vec<(usize, ToChild)> {
        let overdue: Vec<u64> =
            self.open.iter().filter(|(_, q)| q.deadline <= now).map(|(&ask, _)| ask).collect();
        overdue.into_iter().filter_map(|ask| self.close(ask, children, started)).collect()
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.open.values().map(|question| question.deadline).min()
    }

    fn close(
        &mut self,
        ask: u64,
        children: &[Child],
        started: Instant,
    ) -> Option<(usize, ToChild)> {
        let mut question = self.open.remove(&ask)?;
        let statuses = children
            .iter()
            .enumerate()
            .filter(|(_, child)| !child.is_free())
            .map(|(at, child)| child.status(question.reports.remove(&at)));
        let status = Status {
            children: statuses.collect(),
            supervisor_pid: std::process::id(),
            uptime_s: started.elapsed().as_secs(),
        };
        let answer = ToChild::Status { ask: question.askers_number, status: Box::new(status) };
        Some((question.asker, answer))
    }
}
