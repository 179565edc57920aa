//! The cases of Autobahn's WebSocket test suite (25.10.1) for servers, by its numbers, on an app that sends every message
//! back. `cargo xtask conformance` runs the suite itself on the same app.
//!
//! Where it waits a second for what may come, these wait for what must come, or close and look at all that came.

mod case;
mod closing;
mod framing;
mod load;
mod utf8;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Mutex;

use anyhow::{Context as _, Result, bail, ensure};
use eyelet_harness::wire::websocket::Message;
use eyelet_harness::{DEADLINE, Eyelet, WsClient};

use crate::support::{SMALL, start};
use case::{Case, Ending, Step};

/// Sections and how many cases each has.
const SECTIONS: [(&str, usize); 9] = [
    ("1", 16),
    ("2", 11),
    ("3", 7),
    ("4", 10),
    ("5", 20),
    ("6", 145),
    ("7", 37),
    ("9", 54),
    ("10", 1),
];

/// Cases that are not run, and why.
const LEFT_OUT: [(&str, usize, &str); 8] = [
    ("9.1.2 to 9.1.6", 5, "messages of 256 KiB and more: an app's are at most 64 KiB"),
    ("9.2.2 to 9.2.6", 5, "the same in binary"),
    ("9.3.*", 9, "messages of 4 MiB in fragments"),
    ("9.4.*", 9, "the same in binary"),
    ("9.5.*", 6, "messages of 1 MiB in pieces"),
    ("9.6.*", 6, "the same in binary"),
    ("12.*", 90, "compression is never agreed on: pictures would not become smaller"),
    ("13.*", 126, "the same"),
];

/// Runs the cases one after the other; that many threads share the work.
const THREADS: usize = 4;

fn all_cases() -> Vec<Case> {
    let mut cases = framing::lengths();
    cases.extend(framing::pings());
    cases.extend(framing::reservations());
    cases.extend(framing::right_fragments());
    cases.extend(framing::wrong_fragments());
    cases.extend(utf8::texts());
    cases.extend(utf8::sequences());
    cases.extend(closing::closes());
    cases.push(closing::too_long());
    cases.extend(closing::codes());
    cases.extend(load::messages());
    cases
}

fn echo() -> Result<Eyelet> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/python");
    let app = format!("{}:app", folder.join("echo_app.py").display());
    start(SMALL, &["--asgi", &app, "--coroutines", &(2 * THREADS).to_string()])
}

/// Does what the case says, and gives what came, and with what code the server closed.
fn run(case: &Case, client: &mut WsClient) -> Result<(Vec<Message>, Option<u16>)> {
    let mut heard = Vec::new();
    let hear = |client: &mut WsClient| client.next_message(DEADLINE)?.context("nothing came");
    for step in &case.steps {
        match step {
            Step::Hear => heard.push(hear(client)?),
            Step::Send { bytes, chop } => {
                for part in bytes.chunks(if *chop == 0 { bytes.len() } else { *chop }) {
                    // A server that has seen enough may have gone; what it said is looked at below.
                    client.send_raw(part).ok();
                }
            }
        }
    }
    if matches!(case.ending, Ending::ByClient) {
        while heard.len() < case.expected.len() {
            heard.push(hear(client)?);
        }
        client.send_close(1000, "")?;
    }
    let closed = loop {
        match hear(client)? {
            Message::Close(reason) => break reason.map(|reason| reason.code),
            message => heard.push(message),
        }
    };
    match client.next_message(DEADLINE) {
        Err(_) => Ok((heard, closed)),
        Ok(more) => bail!("after the close came {more:?}"),
    }
}

fn check(eyelet: &Eyelet, case: &Case) -> Result<()> {
    let mut client = eyelet.websocket("/", &[], &[])?;
    let (heard, closed) = run(case, &mut client)?;
    let short =
        |messages: &[Message]| format!("{messages:?}").chars().take(300).collect::<String>();
    let is_silence = case.may_be_silent && heard.is_empty();
    let (came, expected) = (short(&heard), short(&case.expected));
    ensure!(is_silence || heard == case.expected, "came {came}, not {expected}");
    let right: &[u16] = match case.ending {
        Ending::ByClient => &[1000],
        Ending::ByServer(codes) => codes,
    };
    ensure!(closed.is_some_and(|code| right.contains(&code)), "closed with {closed:?}");
    Ok(())
}

#[test]
fn every_case_of_autobahn_that_applies_is_passed() -> Result<()> {
    let eyelet = echo()?;
    let (cases, failed) = (Mutex::new(all_cases()), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                while let Some(case) = cases.lock().ok().and_then(|mut cases| cases.pop()) {
                    if let Err(e) = check(&eyelet, &case)
                        && let Ok(mut failed) = failed.lock()
                    {
                        failed.push(format!("{}: {e:#}", case.number));
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap_or_default();
    ensure!(failed.is_empty(), "{} cases failed:\n{}", failed.len(), failed.join("\n"));
    Ok(())
}

#[test]
fn no_case_of_autobahn_is_left_out_without_a_reason() {
    let cases = all_cases();
    let numbers: BTreeSet<&str> = cases.iter().map(|case| case.number.as_str()).collect();
    assert_eq!(numbers.len(), cases.len(), "a number stands twice");
    for (section, count) in SECTIONS {
        let of_it = |number: &&str| number.split('.').next() == Some(section);
        let left_out =
            LEFT_OUT.iter().filter(|(range, ..)| of_it(range)).map(|(_, count, _)| count);
        let run = numbers.iter().filter(|number| of_it(number)).count();
        assert_eq!(run + left_out.sum::<usize>(), count, "section {section}");
    }
}
