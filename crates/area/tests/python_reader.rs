//! The reader in `examples/python` gets what an owner publishes.
#![allow(clippy::unwrap_used, reason = "a failed step of a helper is a failed test")]

use std::collections::HashMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use eyelet_area::{Format, FourCc, FrameBuilder, MonotonicNs, Owner, State};

const DEADLINE: Duration = Duration::from_secs(30);

fn reader() -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/python/read_area.py");
    path.canonicalize().expect("the example is there")
}

fn python() -> Command {
    let mut command = Command::new("python3");
    command.arg("-B").env_remove("EYELET_AREA_0");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Kills the child if the test fails before it ends.
struct Guard(Child);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// Runs the command to its end, turning whatever must be turned meanwhile.
fn run(command: &mut Command, mut meanwhile: impl FnMut()) -> Output {
    let mut child =
        Guard(command.spawn().expect(
            "this test needs `python3` 3.9 or later on the PATH: install the package python3",
        ));
    let deadline = Instant::now() + DEADLINE;
    let status = loop {
        if let Some(status) = child.0.try_wait().unwrap() {
            break status;
        }
        assert!(Instant::now() < deadline, "the reader has not ended");
        meanwhile();
        std::thread::sleep(Duration::from_millis(2));
    };
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    child.0.stdout.take().unwrap().read_to_end(&mut stdout).unwrap();
    child.0.stderr.take().unwrap().read_to_end(&mut stderr).unwrap();
    Output { status, stdout, stderr }
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// The CRC-32 of zlib: polynomial 0xedb88320, as RFC 1952 has it.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |c, _| (c >> 1) ^ (0xedb8_8320 & (c & 1).wrapping_neg()))
    })
}

/// Publishes a picture that depends on `n` and gives its checksum.
fn publish(owner: &mut Owner, n: u8) -> (u64, u32) {
    let (width, height) = (33, 7 + u32::from(n % 5));
    let format = Format::packed(FourCc::GREY, width, height);
    let len = usize::try_from(width * height).unwrap();
    let payload: Vec<u8> = (0..len).map(|i| n.wrapping_mul(31) ^ i.to_le_bytes()[0]).collect();
    let mut builder = FrameBuilder::new().unwrap();
    builder.write(&payload).unwrap();
    let frame = builder.seal(format, MonotonicNs::now()).unwrap();
    (owner.publish(frame), crc32(&payload))
}

#[test]
fn the_python_reader_prints_what_was_published() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("0-test");
    let mut owner = Owner::new(eyelet_area::listen(&path, 0o600).unwrap(), 5).unwrap();
    owner.set_state(State::Live);
    let (mut published, mut n) = (HashMap::new(), 0);
    let output =
        run(python().arg(reader()).args(["-n", "20", "--crc"]).env("EYELET_AREA_0", &path), || {
            owner.turn().unwrap();
            n += 1;
            let (sequence, crc) = publish(&mut owner, u8::try_from(n % 256).unwrap());
            published.insert(sequence, (7 + n % 256 % 5, crc));
        });
    assert!(output.status.success(), "{}", text(&output.stderr));
    let lines: Vec<&str> = text(&output.stdout).lines().collect();
    assert_eq!(lines.len(), 20);
    let mut last = 0;
    for line in lines {
        let words: Vec<&str> = line.split(' ').collect();
        let [sequence, size, fourcc, len, age, crc] = words[..] else { panic!("{line}") };
        let sequence: u64 = sequence.parse().unwrap();
        assert!(sequence > last && sequence >> 40 == 5, "{line} after {last}");
        last = sequence;
        let (height, expected) = published[&sequence];
        assert_eq!((size, fourcc), (&*format!("33x{height}"), "GREY"));
        assert_eq!(len, (33 * height).to_string());
        assert_eq!(crc, format!("{expected:08x}"), "{line}");
        let age: f64 = age.strip_suffix("ms").unwrap().parse().unwrap();
        assert!(age >= 0.0, "{line}");
    }
}

#[test]
fn the_python_reader_can_be_imported() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("0-test");
    let mut owner = Owner::new(eyelet_area::listen(&path, 0o600).unwrap(), 0).unwrap();
    let (sequence, crc) = publish(&mut owner, 9);
    let program = "import sys, zlib, read_area\n\
                   subscriber = read_area.Subscriber(sys.argv[1])\n\
                   print(subscriber.receive())\n\
                   subscriber.grant(1)\n\
                   with subscriber.receive() as frame, frame.map() as payload:\n\
                   \x20   print(frame.sequence, frame.missed, frame.stride, zlib.crc32(payload))\n";
    let output = run(
        python().args(["-c", program]).arg(&path).env("PYTHONPATH", reader().parent().unwrap()),
        || drop(owner.turn().unwrap()),
    );
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(text(&output.stdout), format!("no signal\n{sequence} 0 33 {crc}\n"));
}

#[test]
fn the_python_reader_says_what_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let nobody = run(python().arg(reader()).arg(folder.path().join("nobody")), || ());
    assert_eq!(nobody.status.code(), Some(1));
    assert!(text(&nobody.stderr).contains("nobody: "), "{}", text(&nobody.stderr));

    let path = folder.path().join("0-test");
    let mut owner = Owner::new(eyelet_area::listen(&path, 0o600).unwrap(), 0).ok();
    let gone = run(python().arg(reader()).arg(&path), || {
        let joined = owner.as_mut().map_or(0, |o| o.turn().unwrap().joined);
        owner = owner.take().filter(|_| joined == 0);
    });
    assert_eq!(gone.status.code(), Some(1));
    assert!(text(&gone.stderr).contains("the owner has gone"), "{}", text(&gone.stderr));
}
