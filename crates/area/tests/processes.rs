//! An owner and subscribers as real processes that are killed and stopped at random.
//!
//! The test runs itself again for each process: see `child_entry`. `EYELET_SEED` repeats a run.
#![allow(clippy::unwrap_used, reason = "a failed step of a helper is a failed test")]
#![allow(clippy::print_stdout, reason = "what a process has to tell the test")]

use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use eyelet_area::{
    ErrorKind, Event, Format, FourCc, FrameBuilder, GENERATION_SHIFT, MonotonicNs, Owner, State,
    Subscriber, listen,
};
use rustix::process::{Pid, Signal, kill_process, set_parent_process_death_signal};

/// For what must happen on the slowest machine.
const DEADLINE: Duration = Duration::from_secs(30);
/// The role of a process that the test started, and the area's path, generation or count of frames.
const ROLE: &str = "EYELET_TEST_ROLE";
const PATH: &str = "EYELET_TEST_PATH";
const NUMBER: &str = "EYELET_TEST_NUMBER";
const PAYLOAD_LEN: usize = 64 << 10;

// ---- the processes ----

/// Not a test: what the processes of the one below do. Passes at once when nobody asked for a role.
#[test]
fn child_entry() {
    let Ok(role) = std::env::var(ROLE) else { return };
    // However the test ends, nothing of it goes on.
    set_parent_process_death_signal(Some(Signal::KILL)).unwrap();
    let number = std::env::var(NUMBER).unwrap().parse().unwrap();
    match &*role {
        "owner" => own(number),
        "subscriber" => subscribe(&PathBuf::from(std::env::var_os(PATH).unwrap()), number),
        other => panic!("role {other}"),
    }
}

/// FNV-1a, 64 bits.
fn checksum(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// Publishes for ever to the area whose listener is its standard input.
fn own(generation: u32) {
    let listener = std::io::stdin().as_fd().try_clone_to_owned().unwrap();
    let mut owner = Owner::new(listener, generation).unwrap();
    let mut body = vec![0; PAYLOAD_LEN];
    for n in 0_u64.. {
        owner.turn().unwrap();
        if n % 50 == 0 {
            let why = format!("pause {n}");
            owner.set_state(if n % 100 == 0 { State::Live } else { State::NoSignal { why } });
        }
        let at = usize::try_from(n % (PAYLOAD_LEN as u64 - 8)).unwrap();
        body[at..at + 8].copy_from_slice(&(n << 8 | u64::from(generation)).to_le_bytes());
        let mut builder = FrameBuilder::new().unwrap();
        builder.write(&checksum(&body).to_le_bytes()).unwrap();
        // In pieces, so that a kill finds half a frame.
        body.chunks(PAYLOAD_LEN / 4).for_each(|piece| builder.write(piece).unwrap());
        let format = Format { fourcc: FourCc::MJPEG, ..Format::default() };
        owner.publish(builder.seal(format, MonotonicNs::now()).unwrap());
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Receives so many frames, 0 for ever, across as many owners as it takes, and fails at the first wrong one.
fn subscribe(path: &Path, frames: u32) {
    let (mut received, mut last) = (0, 0);
    loop {
        let mut subscriber = match Subscriber::connect(path) {
            Ok(subscriber) => subscriber,
            // The queue is full while the owner is stopped.
            Err(e) if e.kind() == ErrorKind::NoOwner => {
                std::thread::sleep(Duration::from_millis(5));
                continue;
            }
            Err(e) => panic!("{e}"),
        };
        subscriber.grant(2).unwrap();
        let mut was_told = false;
        let mut before = None;
        loop {
            match subscriber.receive(DEADLINE).unwrap().expect("frames come") {
                Event::Closed => break,
                Event::State(_) => was_told = true,
                Event::Answer(answer) => panic!("nobody asked for {answer:?}"),
                Event::Frame { frame, missed } => {
                    assert!(was_told, "the state comes first");
                    let sequence = frame.info().sequence;
                    // A new connection to the same owner gets the newest, which may be known.
                    assert!(sequence >= last, "{sequence:#x} came after {last:#x}");
                    last = sequence;
                    // Every frame since this connection's first one came or was counted.
                    let expected = before.map_or(sequence, |before| before + 1 + missed);
                    assert_eq!(sequence, expected, "{missed} missed");
                    before = Some(sequence);
                    let (head, body) = frame.bytes().unwrap().split_at(8);
                    assert_eq!(body.len(), PAYLOAD_LEN);
                    assert_eq!(head, checksum(body).to_le_bytes(), "frame {sequence:#x}");
                    received += 1;
                    if received == frames {
                        print!("generation {}", sequence >> GENERATION_SHIFT);
                        return;
                    }
                    subscriber.grant(1).unwrap();
                }
            }
        }
    }
}

// ---- the test ----

/// A process of the test; killed when it is dropped.
struct Process {
    child: Child,
    is_stopped: bool,
}

impl Process {
    fn start(role: &str, path: &Path, number: u32, stdin: Stdio) -> Self {
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child_entry", "--nocapture", "--test-threads=1"])
            .env(ROLE, role)
            .env(PATH, path)
            .env(NUMBER, number.to_string())
            .stdin(stdin)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        Self { child, is_stopped: false }
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    fn toggle(&mut self) {
        self.is_stopped = !self.is_stopped;
        self.signal(if self.is_stopped { Signal::STOP } else { Signal::CONT });
    }

    /// Holds that it has not failed by itself, and kills it.
    fn kill(mut self) {
        assert_eq!(self.child.try_wait().unwrap(), None, "it was still at work");
        self.signal(Signal::KILL);
        self.child.wait().unwrap();
    }

    /// Waits for it to end well and gives what it printed.
    fn finish(mut self) -> String {
        let deadline = Instant::now() + DEADLINE;
        while self.child.try_wait().unwrap().is_none() {
            assert!(Instant::now() < deadline, "it does not get its frames");
            std::thread::sleep(Duration::from_millis(5));
        }
        assert!(self.child.wait().unwrap().success());
        let mut text = String::new();
        self.child.stdout.take().unwrap().read_to_string(&mut text).unwrap();
        text
    }

    fn proc(&self, file: &str) -> PathBuf {
        format!("/proc/{}/{file}", self.child.id()).into()
    }

    /// All its descriptors, and those that are frames.
    fn descriptors(&self) -> (usize, usize) {
        let links: Vec<_> = std::fs::read_dir(self.proc("fd"))
            .unwrap()
            .filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok())
            .collect();
        let frames = links.iter().filter(|l| l.to_string_lossy().contains("eyelet-frame")).count();
        (links.len(), frames)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Resident memory in KiB.
fn resident_kib(status: &Path) -> u64 {
    let text = std::fs::read_to_string(status).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

fn own_descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

/// Xorshift, 64 bits: enough to choose moments.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % end as u64).unwrap()
    }
}

struct World {
    path: PathBuf,
    listener: OwnedFd,
    owner: Process,
    generation: u32,
    subscribers: Vec<Process>,
}

impl World {
    fn new(path: PathBuf) -> Self {
        let listener = listen(&path, 0o600).unwrap();
        let stdin = Stdio::from(listener.try_clone().unwrap());
        let owner = Process::start("owner", &path, 0, stdin);
        Self { path, listener, owner, generation: 0, subscribers: Vec::new() }
    }

    fn subscriber(&self, frames: u32) -> Process {
        Process::start("subscriber", &self.path, frames, Stdio::null())
    }

    fn replace_owner(&mut self) {
        self.generation += 1;
        let stdin = Stdio::from(self.listener.try_clone().unwrap());
        let next = Process::start("owner", &self.path, self.generation, stdin);
        // The old one may be stopped, too. Only one at a time takes from the listener, but for a moment.
        std::mem::replace(&mut self.owner, next).kill();
    }

    fn step(&mut self, dice: &mut Dice) {
        let who = dice.below(self.subscribers.len());
        match dice.below(8) {
            0 => self.replace_owner(),
            1 | 2 => self.owner.toggle(),
            3 | 4 => {
                let fresh = self.subscriber(0);
                std::mem::replace(&mut self.subscribers[who], fresh).kill();
            }
            _ => self.subscribers[who].toggle(),
        }
        std::thread::sleep(Duration::from_millis(dice.below(40) as u64));
    }

    fn resume_all(&mut self) {
        for process in self.subscribers.iter_mut().chain([&mut self.owner]) {
            if process.is_stopped {
                process.toggle();
            }
        }
    }
}

fn seed() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let seed = std::env::var("EYELET_SEED").ok().and_then(|seed| seed.parse().ok());
    seed.unwrap_or(u64::from(now.subsec_nanos()) | 1 << 32)
}

#[test]
fn processes_that_die_and_stop_disturb_nobody() {
    if std::env::var_os(ROLE).is_some() {
        return;
    }
    let seed = seed();
    println!("EYELET_SEED={seed}");
    let mut dice = Dice(seed);
    let folder = tempfile::tempdir().unwrap();
    let status = Path::new("/proc/self/status");
    let before = (own_descriptors(), resident_kib(status));

    let mut world = World::new(folder.path().join("area"));
    world.subscriber(5).finish();
    let quiet = world.owner.descriptors().0;
    world.subscribers = (0..3).map(|_| world.subscriber(0)).collect();
    for _ in 0..80 {
        world.step(&mut dice);
    }
    // One more owner: whoever waited and lived gets its frames.
    world.replace_owner();
    world.resume_all();
    let expected = format!("generation {}", world.generation);
    assert!(world.subscriber(20).finish().contains(&expected), "{expected}");

    nobody_waits_for_a_stopped_subscriber(&mut world);

    for subscriber in world.subscribers.drain(..) {
        subscriber.kill();
    }
    for _ in 0..10 {
        world.subscriber(2).finish();
    }
    // As many as when it had one subscriber; the newest frame and one that is being made.
    let deadline = Instant::now() + DEADLINE;
    while !matches!(world.owner.descriptors(), (all, ..=2) if all <= quiet) {
        assert!(Instant::now() < deadline, "the owner has {:?}", world.owner.descriptors());
        std::thread::sleep(Duration::from_millis(5));
    }
    let World { owner, listener, .. } = world;
    owner.kill();
    drop(listener);
    assert_eq!(own_descriptors(), before.0);
    let grown_kib = resident_kib(status).saturating_sub(before.1);
    assert!(grown_kib < 8 << 10, "the test itself grew by {grown_kib} KiB");
}

fn nobody_waits_for_a_stopped_subscriber(world: &mut World) {
    // Each is let in and then stopped, so that it holds what it can.
    for subscriber in &mut world.subscribers {
        subscriber.toggle();
    }
    let memory = world.owner.proc("status");
    world.subscriber(20).finish();
    let early_kib = resident_kib(&memory);
    world.subscriber(400).finish();
    let grown_kib = resident_kib(&memory).saturating_sub(early_kib);
    assert!(grown_kib < 2 << 10, "the owner grew by {grown_kib} KiB");
    let frames = world.owner.descriptors().1;
    assert!(frames <= 2, "the owner keeps {frames} frames for those that are stopped");
    for subscriber in &world.subscribers {
        let (all, frames) = subscriber.descriptors();
        assert!(frames <= 2, "a subscriber has {frames} frames of {all} descriptors");
    }
    world.resume_all();
}
