//! The program as Eyelet starts it, on a machine without the chip that it wants: the area says so, and nothing is lost.
#![allow(clippy::unwrap_used, reason = "a failed step of a helper is a failed test")]

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use eyelet_area::{Event, Op, Outcome, Requester, State, Subscriber};

const BIN: &str = env!("CARGO_BIN_EXE_eyelet-gpio");
/// Only a failing test waits so long.
const PATIENCE: Duration = Duration::from_secs(60);

/// A mule with an area; it ends with this.
struct Mule(Child);

impl Mule {
    /// Starts it with its area as descriptor 3, as `docs/ref/plugins.md` says.
    fn start(area: &Path, arguments: &str) -> Self {
        let listener = eyelet_area::listen(area, 0o600).unwrap();
        let line = format!("LISTEN_PID=$$ exec '{BIN}' {arguments} 3<&0 </dev/null");
        let mut command = Command::new("sh");
        command.args(["-c", &line]).stdin(listener).stderr(Stdio::null());
        command.env("LISTEN_FDS", "1").env("EYELET_GENERATION", "2");
        Self(command.spawn().unwrap())
    }
}

impl Drop for Mule {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// Waits for a state that is no beginning.
fn why(subscriber: &mut Subscriber) -> String {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        match subscriber.receive(PATIENCE).unwrap() {
            Some(Event::State(State::NoSignal { why })) => return why,
            Some(Event::State(State::NoSignalYet)) => {}
            other => panic!("{other:?}"),
        }
    }
    panic!("no reason came");
}

#[test]
fn without_the_chip_the_area_says_why_and_refuses() {
    let folder = tempfile::tempdir().unwrap();
    let area = folder.path().join("3-gpio");
    let _mule = Mule::start(&area, "--chip /nowhere/gpiochip9 --in button=17 --out lamp=27");
    let why = why(&mut Subscriber::connect(&area).unwrap());
    assert!(why.starts_with("there is no chip `/nowhere/gpiochip9`: there is "), "{why}");
    let mut requester = Requester::connect(&area).unwrap();
    let mut ask = |op| requester.ask(op, PATIENCE).unwrap();
    for op in [Op::Read { pos: 0, len: 0 }, Op::Write { pos: 1, payload: vec![1] }] {
        let answer = ask(op);
        assert_eq!((answer.outcome, answer.why()), (Outcome::Refused, why.as_str()));
    }
    let answer = ask(Op::Write { pos: 2, payload: vec![1] });
    assert_eq!((answer.outcome, answer.value), (Outcome::OutOfRange, 2));
}

#[test]
fn wrong_arguments_are_named() {
    let run = |arguments: &[&str]| {
        let ended = Command::new(BIN).args(arguments).output().unwrap();
        (ended.status.code(), String::from_utf8_lossy(&ended.stderr).into_owned())
    };
    // As a command, and as the function that Eyelet runs.
    for function in [&[][..], &["gpio"]] {
        let (status, text) = run(&[function, &["--in", "a=1", "--in", "a=2"]].concat());
        assert_eq!(status, Some(2));
        assert!(text.contains("two lines are called `a`") && text.contains("usage: "), "{text}");
        let (status, text) = run(&[function, &["--in", "17"]].concat());
        assert_eq!(status, Some(1));
        assert!(text.contains("eyelet --mule"), "{text}");
    }
}

#[test]
fn it_describes_itself() {
    let ended = Command::new(BIN).arg("--describe").output().unwrap();
    let text = String::from_utf8_lossy(&ended.stdout);
    assert_eq!(
        text,
        "{\"about\":\"GPIO lines as an area: buttons, lamps\",\"functions\":[\"gpio\"]}\n"
    );
    let ended = Command::new(BIN).arg("--list").output().unwrap();
    assert!(ended.status.success() && !ended.stdout.is_empty(), "{ended:?}");
}
