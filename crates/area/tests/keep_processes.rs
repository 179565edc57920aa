//! An area of application data that processes hit at once, some of which are killed in the middle.
//!
//! The test runs itself again for each process: see `child_entry`.
#![allow(clippy::unwrap_used, reason = "a failed step of a helper is a failed test")]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use eyelet_area::{
    Answer, Bits, ErrorKind, Event, Keep, Op, Outcome, Owner, Request, Requester, Subscriber,
    listen,
};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Signal, set_parent_process_death_signal};

/// For what must happen on the slowest machine.
const DEADLINE: Duration = Duration::from_secs(30);
/// The role of a process that the test started, and the area's path.
const ROLE: &str = "EYELET_TEST_ROLE";
const PATH: &str = "EYELET_TEST_PATH";

/// What each process adds to the counter, some by waiting for each answer and some by the hundred.
const ADDS: i64 = 1500;
/// The counter, one that is added to by who is killed, and a text of equal bytes.
const COUNTER: u64 = 0;
const OTHER: u64 = 8;
const TEXT: usize = 16;
const TEXT_LEN: usize = 1000;

// ---- the processes ----

/// Not a test: what the processes of the one below do. Passes at once when nobody asked for a role.
#[test]
fn child_entry() {
    let Ok(role) = std::env::var(ROLE) else { return };
    // However the test ends, nothing of it goes on.
    set_parent_process_death_signal(Some(Signal::KILL)).unwrap();
    let path = PathBuf::from(std::env::var_os(PATH).unwrap());
    match &*role {
        "ask" => ask(&path),
        "stream" => stream(&path),
        "write" => write(&path),
        "look" => look(&path),
        other => panic!("role {other}"),
    }
}

fn add(pos: u64, amount: i64) -> Op {
    Op::Add { pos, bits: Bits::B64, amount }
}

/// Adds one by one.
fn ask(path: &Path) {
    let mut requester = Requester::connect(path).unwrap();
    let mut last = 0;
    for n in 0..ADDS {
        // Up by 3 and down by 1: by 1 on average.
        let amount = if n % 2 == 0 { 3 } else { -1 };
        let answer = requester.ask(add(COUNTER, amount), DEADLINE).unwrap();
        assert_eq!(answer.outcome, Outcome::Done);
        assert!(answer.sequence >= last, "{} came after {last}", answer.sequence);
        last = answer.sequence;
    }
}

/// Adds as much as fits the socket, and reads the answers as they come.
fn stream(path: &Path) {
    let mut subscriber = Subscriber::connect(path).unwrap();
    let (mut sent, mut answered) = (0, 0);
    while i64::from(answered) < ADDS {
        while i64::from(sent) < ADDS && sent - answered < 100 {
            match subscriber.request(&Request { tag: sent, op: add(COUNTER, 1) }) {
                Ok(()) => sent += 1,
                Err(e) if e.kind() == ErrorKind::Full => break,
                Err(e) => panic!("{e}"),
            }
        }
        match subscriber.receive(DEADLINE).unwrap().expect("answers come") {
            Event::Answer(Answer { tag, outcome: Outcome::Done, .. }) if tag == answered => {
                answered += 1;
            }
            Event::State(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

/// Writes the text over and over, and adds, until it is killed.
fn write(path: &Path) {
    let mut subscriber = Subscriber::connect(path).unwrap();
    for n in 0_u32.. {
        let [byte, ..] = (n ^ std::process::id()).to_le_bytes();
        let text = Op::Write { pos: TEXT as u64, payload: vec![byte | 1; TEXT_LEN] };
        for op in [text, add(OTHER, 1 << 32)] {
            // What does not fit is left out.
            subscriber.request(&Request { tag: n, op }).ok();
        }
        while let Some(event) = subscriber.try_receive().unwrap() {
            assert!(!matches!(event, Event::Closed));
        }
    }
}

/// Holds that each state is a whole one, until it is killed.
fn look(path: &Path) {
    let mut follower = Subscriber::connect(path).unwrap();
    let mut requester = Requester::connect(path).unwrap();
    follower.grant(2).unwrap();
    loop {
        match follower.receive(DEADLINE).unwrap().expect("frames come") {
            Event::Frame { frame, .. } => check(frame.bytes().unwrap()),
            Event::State(_) => continue,
            other => panic!("{other:?}"),
        }
        follower.grant(1).unwrap();
        check(&requester.ask(Op::Read { pos: 0, len: 0 }, DEADLINE).unwrap().payload);
    }
}

fn check(state: &[u8]) {
    assert_eq!(state.len(), TEXT + TEXT_LEN);
    let (counters, text) = state.split_at(TEXT);
    assert!(text.iter().all(|byte| *byte == text[0]), "half a write");
    assert_eq!(counters[8..12], [0; 4], "half an add");
}

// ---- the test ----

/// A process of the test; killed when it is dropped.
struct Process(Child);

impl Process {
    fn start(role: &str, path: &Path) -> Self {
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child_entry", "--nocapture", "--test-threads=1"])
            .env(ROLE, role)
            .env(PATH, path)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        Self(child)
    }

    /// Holds that it has not failed by itself, and kills it.
    fn kill(mut self) {
        assert_eq!(self.0.try_wait().unwrap(), None, "it was still at work");
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }

    fn finish(mut self) {
        let deadline = Instant::now() + DEADLINE;
        while self.0.try_wait().unwrap().is_none() {
            assert!(Instant::now() < deadline, "it does not get its answers");
            std::thread::sleep(Duration::from_millis(5));
        }
        assert!(self.0.wait().unwrap().success());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// Turns when there is something to do, until it is told to stop.
fn keep(mut keep: Keep, stop: &AtomicBool) -> Keep {
    let a_while = Timespec { tv_sec: 0, tv_nsec: 5_000_000 };
    while !stop.load(Ordering::Relaxed) {
        poll(&mut [PollFd::new(&keep, PollFlags::IN)], Some(&a_while)).unwrap();
        let turn = keep.turn().unwrap();
        assert!(turn.refused.is_empty(), "{:?}", turn.refused);
    }
    keep
}

struct StopAtEnd<'a>(&'a AtomicBool);

impl Drop for StopAtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn processes_add_exactly_and_nobody_sees_half_a_write() {
    if std::env::var_os(ROLE).is_some() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("area");
    let owner = Owner::new(listen(&path, 0o600).unwrap(), 0).unwrap();
    let kept = Keep::new(owner, TEXT + TEXT_LEN).unwrap();
    let stop = AtomicBool::new(false);
    let kept = std::thread::scope(|scope| {
        let keeping = scope.spawn(|| keep(kept, &stop));
        let stop = StopAtEnd(&stop);
        let lookers: Vec<_> = (0..2).map(|_| Process::start("look", &path)).collect();
        let adders = ["ask", "stream", "ask", "stream", "ask"];
        let adders: Vec<_> = adders.into_iter().map(|role| Process::start(role, &path)).collect();
        let mut writers: Vec<_> = (0..2).map(|_| Process::start("write", &path)).collect();
        for n in 0..20 {
            std::thread::sleep(Duration::from_millis(20 + 7 * (n % 3)));
            writers.remove(0).kill();
            writers.push(Process::start("write", &path));
        }
        adders.into_iter().for_each(Process::finish);
        writers.into_iter().chain(lookers).for_each(Process::kill);
        drop(stop);
        keeping.join().unwrap()
    });
    assert_eq!(kept.content()[..8], (5 * ADDS).to_le_bytes());
    check(kept.content());
    assert!(kept.content()[8..16] != [0; 8] && kept.content()[TEXT..] != [0; TEXT_LEN]);
}
