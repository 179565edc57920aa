//! What every source must do, run on each that needs no camera; then what each kind does besides.

#![allow(clippy::unwrap_used, reason = "a test's helpers fail as the test does")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use eyelet::capture::source::{Counters, Next, Source};
use eyelet::capture::sources::Opener;
use eyelet::error::{Error, ErrorKind};
use eyelet::stamp;
use eyelet_area::{Format, FourCc, Frame, Matrix, MonotonicNs, Range};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{SealFlags, fcntl_get_seals};

/// Nothing here takes so long unless it hangs.
const PATIENCE: Duration = Duration::from_secs(20);

/// One at a time: descriptors are counted.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn opener(spec: &str) -> Opener {
    Opener::new(spec.parse().unwrap())
}

fn open(spec: &str) -> Box<dyn Source> {
    opener(spec).open().unwrap_or_else(|e| panic!("{spec}: {e}"))
}

fn refusal(spec: &str) -> (ErrorKind, String) {
    let error = opener(spec).open().expect_err(spec);
    (error.kind(), error.to_string())
}

/// Waits as the source says until it has something to do.
fn wait(source: &dyn Source) {
    let wait = source.wait();
    assert!(wait.readable.is_some() || wait.due.is_some(), "{source:?} waits for nothing");
    let left = wait.due.map_or(PATIENCE, |due| due.saturating_duration_since(Instant::now()));
    let left = Timespec::try_from(left.min(PATIENCE)).unwrap();
    let mut fds: Vec<_> =
        wait.readable.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)).into_iter().collect();
    poll(&mut fds, Some(&left)).unwrap();
}

/// The next frame or error, and how often it was asked for in vain.
fn next(source: &mut dyn Source) -> (Result<Frame, Error>, u32) {
    let deadline = Instant::now() + PATIENCE;
    for in_vain in 0.. {
        match source.try_next() {
            Ok(Next::Frame(frame)) => return (Ok(frame), in_vain),
            Ok(Next::Unmade) => panic!("{source:?} leaves what was asked for"),
            Ok(Next::NotReady) => wait(source),
            Err(e) => return (Err(e), in_vain),
        }
        assert!(Instant::now() < deadline, "{source:?} gives nothing");
    }
    unreachable!()
}

fn frame(source: &mut dyn Source) -> Frame {
    next(source).0.unwrap_or_else(|e| panic!("{source:?}: {e}"))
}

/// Takes frames until there is an error, which it gives.
fn failure(source: &mut dyn Source) -> (ErrorKind, String) {
    loop {
        if let Err(e) = next(source).0 {
            return (e.kind(), e.to_string());
        }
    }
}

fn descriptors() -> BTreeSet<PathBuf> {
    fs::read_dir("/proc/self/fd").unwrap().flatten().map(|entry| entry.path()).collect()
}

/// How a source's rate comes about.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rate {
    /// It keeps its own.
    Own,
    /// Somebody else's.
    Foreign,
}

/// What every source must do.
fn conforms(spec: &str, format: Format, rate: Rate) {
    let before = descriptors();
    let from = MonotonicNs::now();
    let opening = Instant::now();
    let mut source = open(spec);
    let opened = Instant::now();
    let mut last = MonotonicNs(0);
    for number in 1..=12u32 {
        let asked = Instant::now();
        let (frame, in_vain) = next(source.as_mut());
        let frame = frame.unwrap();
        assert_is_whole(&frame, &format, spec);
        let description = source.description();
        assert_eq!(description.format, frame.info().format, "{spec}");
        assert_eq!(description.interval, frame.info().interval, "{spec}");
        assert!(!description.name.is_empty());
        let at = frame.info().captured_at;
        assert!(at >= from && at > last && at <= MonotonicNs::now(), "{spec}: {at:?}, {last:?}");
        last = at;
        if rate == Rate::Own {
            assert!(in_vain <= 3, "{spec}: asked {in_vain} times in vain");
            let ticks = u128::from(u64::from(number) - 1 + source.counters().skipped);
            let interval = source.description().interval.as_nanos();
            let since = |start: Instant, now: Instant| {
                now.saturating_duration_since(start).as_nanos() / (interval + 1)
            };
            let (at_least, at_most) = (since(opened, asked), since(opening, Instant::now()) + 1);
            assert!((at_least..=at_most).contains(&ticks), "{spec}: {at_least} {ticks} {at_most}");
            // Just after a frame there is no other.
            if source.wait().due.unwrap() > Instant::now() + Duration::from_millis(5) {
                assert!(matches!(source.try_next(), Ok(Next::NotReady)), "{spec}: runs ahead");
            }
        }
    }
    if rate == Rate::Own {
        is_fresh_after_a_pause(source.as_mut(), &format, spec);
    }
    drop(source);
    assert_eq!(descriptors(), before, "{spec} leaves descriptors open");
}

/// While nobody follows, frames pass by at their rate; the next one that is asked for is new.
fn is_fresh_after_a_pause(source: &mut dyn Source, format: &Format, spec: &str) {
    let mut passed = 0;
    let from = Instant::now();
    while passed < 4 {
        match source.leave_next() {
            Ok(Next::Unmade | Next::Frame(_)) => passed += 1,
            Ok(Next::NotReady) => wait(source),
            Err(e) => panic!("{spec}: {e}"),
        }
    }
    let interval = source.description().interval;
    assert!(from.elapsed() >= interval * 2, "{spec}: faster than its rate");
    let asked = MonotonicNs::now();
    let frame = frame(source);
    assert_is_whole(&frame, format, spec);
    assert!(frame.info().captured_at >= asked, "{spec}: an old frame after a pause");
}

fn assert_is_whole(frame: &Frame, format: &Format, spec: &str) {
    let info = frame.info();
    assert_eq!(info.format, *format, "{spec}");
    assert_eq!(info.sequence, 0, "{spec}: not yet published");
    let bytes = frame.bytes().unwrap();
    assert_eq!(bytes.len() as u64, info.len);
    match format.packed_len() {
        Some(len) => assert_eq!(info.len, len, "{spec}"),
        None if format.fourcc == FourCc::H264 => {
            let codec = eyelet_wire::h264::codec(bytes);
            assert_eq!(codec.is_some(), info.flags.is_key, "{spec}: sets stand before key frames");
        }
        None => {
            assert!(eyelet_wire::jpeg::is_complete(bytes), "{spec}");
            assert!(eyelet_wire::jpeg::has_huffman_tables(bytes), "{spec}");
        }
    }
    let seals = SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL;
    assert!(fcntl_get_seals(frame).unwrap().contains(seals), "{spec}: not sealed");
}

/// Six pictures, of which the first and the fourth are key frames; untagged, with delimiters.
const X264: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../wire/testdata/x264_34x18_baseline.h264");

const RAW: [FourCc; 5] = [FourCc::YUYV, FourCc::UYVY, FourCc::NV12, FourCc::GREY, FourCc::RGB24];

/// A small picture of one shade.
fn jpeg(width: u16, height: u16, shade: u8) -> Vec<u8> {
    use libjpeg_turbo_rs::{Encoder, PixelFormat};
    let (width, height) = (usize::from(width), usize::from(height));
    let pixels = vec![shade; width * height * 3];
    Encoder::new(&pixels, width, height, PixelFormat::Rgb).encode().unwrap()
}

fn jpegs(count: u8) -> Vec<u8> {
    (0..count).flat_map(|shade| jpeg(32, 16, shade * 20)).collect()
}

/// The same picture as cameras send it that leave the tables out.
fn without_tables(picture: &[u8]) -> Vec<u8> {
    let mut bare = picture[..2].to_vec();
    let mut at = 2;
    while picture[at + 1] != 0xda {
        let end = at + 2 + usize::from(u16::from_be_bytes([picture[at + 2], picture[at + 3]]));
        if picture[at + 1] != 0xc4 {
            bare.extend_from_slice(&picture[at..end]);
        }
        at = end;
    }
    bare.extend_from_slice(&picture[at..]);
    assert!(!eyelet_wire::jpeg::has_huffman_tables(&bare));
    bare
}

/// A Y4M stream whose frames are filled with their number.
fn y4m(parameters: &str, frame_len: usize, frames: u8) -> Vec<u8> {
    let mut stream = format!("YUV4MPEG2 {parameters}\n").into_bytes();
    for number in 0..frames {
        stream.extend_from_slice(b"FRAME\n");
        stream.extend(vec![number; frame_len]);
    }
    stream
}

fn written(folder: &tempfile::TempDir, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.path().join(name);
    fs::write(&path, bytes).unwrap();
    path
}

/// A command that writes the first file once and the second again and again.
fn repeating(head: &Path, frame: &Path) -> String {
    let script = "cat \"$0\"; while cat \"$1\"; do sleep 0.02; done";
    format!("exec:sh -c '{script}' {} {}", head.display(), frame.display())
}

#[test]
fn test_picture_conforms_in_all_formats() {
    let _alone = alone();
    for fourcc in RAW {
        let spec = format!("test:66x50@100?format={fourcc}");
        conforms(&spec, Format::packed(fourcc, 66, 50), Rate::Own);
    }
}

#[test]
fn files_conform() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let files = [
        ("420.y4m", y4m("W5 H3 F100:1 C420jpeg", 15 + 12, 3), "", FourCc::NV12, (5, 3)),
        ("422.y4m", y4m("W6 H3 F100:1 C422", 36, 3), "", FourCc::YUYV, (6, 3)),
        ("grey.y4m", y4m("W6 H3 F100:1 Cmono", 18, 1), "", FourCc::GREY, (6, 3)),
        ("pictures.mjpeg", jpegs(3), "?fps=100", FourCc::MJPEG, (32, 16)),
        ("bare.mjpeg", without_tables(&jpeg(32, 16, 9)), "?fps=100", FourCc::MJPEG, (32, 16)),
        ("raw", vec![7; 24 * 4], "?fps=100&format=RGB24&size=4x2", FourCc::RGB24, (4, 2)),
    ];
    for (name, bytes, options, fourcc, (width, height)) in files {
        let path = written(&folder, name, &bytes);
        let spec = format!("file:{}{options}", path.display());
        conforms(&spec, Format::packed(fourcc, width, height), Rate::Own);
    }
    let spec = format!("file:{X264}?fps=50");
    conforms(&spec, Format::packed(FourCc::H264, 34, 18), Rate::Own);
}

#[test]
fn commands_conform() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let nothing = written(&folder, "nothing", b"");
    let head = written(&folder, "head", b"YUV4MPEG2 W6 H2 F50:1 C422\n");
    let one = written(&folder, "frame", &[b"FRAME\n", &[9; 24][..]].concat());
    conforms(&repeating(&head, &one), Format::packed(FourCc::YUYV, 6, 2), Rate::Foreign);
    let pictures = written(&folder, "pictures", &without_tables(&jpeg(32, 16, 9)));
    conforms(&repeating(&nothing, &pictures), Format::packed(FourCc::MJPEG, 32, 16), Rate::Foreign);
    let raw = written(&folder, "raw", &[3; 640 * 480 * 2]);
    let spec = format!("{}?format=YUYV&size=640x480", repeating(&nothing, &raw));
    conforms(&spec, Format::packed(FourCc::YUYV, 640, 480), Rate::Foreign);
    let nothing = written(&folder, "nothing", b"");
    let spec = format!("{}?format=h264", repeating(&nothing, Path::new(X264)));
    conforms(&spec, Format::packed(FourCc::H264, 34, 18), Rate::Foreign);
}

#[test]
fn of_h264_no_frame_is_left_out_and_each_key_frame_can_stand_alone() {
    let _alone = alone();
    let keys = [true, false, false];
    for spec in [format!("file:{X264}?fps=200"), format!("exec:cat {X264}")] {
        let mut source = open(&spec);
        let flags: Vec<_> = (0..6).map(|_| frame(source.as_mut()).info().flags.is_key).collect();
        assert_eq!(flags, [keys, keys].concat(), "{spec}");
        let counters = source.counters();
        assert_eq!((counters.skipped, counters.corrupt), (0, 0), "{spec}: {counters:?}");
    }
    let tagged = open(&format!("file:{X264}?matrix=bt709&range=full"));
    let format = tagged.description().format;
    assert_eq!((format.matrix, format.range), (Matrix::Bt709, Range::Full));
}

#[test]
fn h264_with_b_frames_is_refused() {
    let _alone = alone();
    let stream = concat!(env!("CARGO_MANIFEST_DIR"), "/../wire/testdata/x264_34x18_b_frames.h264");
    assert!(refusal(&format!("file:{stream}")).1.contains("has B frames"));
    let mut source = open(&format!("exec:cat {stream}"));
    let (kind, text) = failure(source.as_mut());
    assert!(kind == ErrorKind::Refused && text.contains("-bf 0"), "{text}");
}

#[test]
fn test_picture_carries_its_number_in_every_eighth_row() {
    let _alone = alone();
    for fourcc in RAW {
        for range in ["limited", "full"] {
            let mut source = open(&format!("test:320x240@200?format={fourcc}&range={range}"));
            for expected in 1..=10 {
                let frame = frame(source.as_mut());
                let layout = stamp::Layout::for_format(&frame.info().format).unwrap();
                let bytes = frame.bytes().unwrap();
                assert_eq!(layout.rows(), 30);
                for row in 0..layout.rows() {
                    let found = layout.read(&bytes[layout.byte_range(row)]);
                    assert_eq!(found, Some(expected), "{fourcc}, row {row}");
                }
            }
        }
    }
    let mut again = open("test:");
    let frame = frame(again.as_mut());
    let layout = stamp::Layout::for_format(&frame.info().format).unwrap();
    assert_eq!(layout.read_frame(frame.bytes().unwrap()), Some(1), "counts from 1 each time");
}

#[test]
fn test_picture_leaves_out_what_is_late_and_keeps_counting() {
    let _alone = alone();
    let mut source = open("test:64x16@100?format=GREY");
    frame(source.as_mut());
    // Deadlines that pass without anybody asking.
    let deadline = source.wait().due.unwrap() + Duration::from_millis(50);
    while Instant::now() < deadline {
        std::thread::yield_now();
    }
    let frame = frame(source.as_mut());
    assert!(source.counters().skipped >= 5, "{:?}", source.counters());
    let layout = stamp::Layout::for_format(&frame.info().format).unwrap();
    assert_eq!(layout.read_frame(frame.bytes().unwrap()), Some(2));
}

#[test]
fn wished_colour_is_honoured() {
    let _alone = alone();
    let mut source = open("test:640x48?matrix=bt709&range=full");
    let frame = frame(source.as_mut());
    let format = frame.info().format;
    assert_eq!((format.matrix, format.range), (Matrix::Bt709, Range::Full));
    // Row 1, the second bar: yellow in BT.709, full range.
    assert_eq!(frame.bytes().unwrap()[1280 + 160..][..4], [237, 0, 237, 140]);
}

#[test]
fn a_file_loops_in_order() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let path = written(&folder, "clip", &y4m("W2 H2 F500:1 Cmono", 4, 3));
    let mut source = open(&format!("file:{}", path.display()));
    let shades: Vec<u8> = (0..7).map(|_| frame(source.as_mut()).bytes().unwrap()[0]).collect();
    assert_eq!(shades, [0, 1, 2, 0, 1, 2, 0]);
    assert_eq!(source.counters().corrupt, 0);
}

#[test]
fn a_file_without_a_rate_is_played_at_30() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let path = written(&folder, "clip", &jpegs(1));
    let source = open(&format!("file:{}", path.display()));
    assert_eq!(source.description().interval, Duration::from_secs(1) / 30);
    let path = written(&folder, "slow", &y4m("W2 H2 F5:1 Cmono", 4, 1));
    let source = open(&format!("file:{}", path.display()));
    assert_eq!(source.description().interval, Duration::from_millis(200));
}

#[test]
fn a_cut_off_last_frame_is_corrupt_and_the_play_goes_on() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let mut clip = y4m("W4 H4 F500:1 Cmono", 16, 2);
    clip.truncate(clip.len() - 3);
    let half = [jpegs(1), jpeg(32, 16, 5)[..40].to_vec()].concat();
    for (name, bytes, options) in [
        ("clip", clip, ""),
        ("raw", vec![1; 21], "?format=GREY&size=4x4&fps=500"),
        ("jpeg", half, "?fps=500"),
    ] {
        let path = written(&folder, name, &bytes);
        let mut source = open(&format!("file:{}{options}", path.display()));
        for _ in 0..4 {
            frame(source.as_mut());
        }
        assert_eq!(source.counters().corrupt, 3, "{name}: once in each round before this one");
    }
}

#[test]
fn files_that_cannot_be_played_say_why() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str, bytes: &[u8]| written(&folder, name, bytes).display().to_string();
    let missing = folder.path().join("missing").display().to_string();
    for (place, needle) in [
        (missing.as_str(), "No such file"),
        (&path("empty", b""), "is empty"),
        (&folder.path().display().to_string(), "no regular file"),
        (
            &path("text", b"hello world"),
            "neither Y4M, JPEG nor H.264, it begins with `hello world`",
        ),
        (&path("magic", b"YUV4M"), "neither Y4M, JPEG nor H.264"),
        (&path("headless", b"YUV4MPEG2 W2\nFRAME\n"), "does not say its width and height"),
        (&path("444", &y4m("W2 H2 C444", 12, 1)), "use 4:2:0"),
        (&path("frameless", &y4m("W2 H2 Cmono", 4, 0)), "no whole picture"),
        (&path("half", &jpeg(32, 16, 0)[..200]), "no whole picture"),
        (&format!("{}?format=YUYV&size=640x480", path("short", &[1; 100])), "frame has 614400"),
    ] {
        let (kind, text) = refusal(&format!("file:{place}"));
        assert_eq!(kind, ErrorKind::Refused, "{text}");
        assert!(text.contains(needle), "{text}");
    }
    let (kind, text) = refusal(&format!("file:{}?format=NV12", path("raw", b"123")));
    assert_eq!(kind, ErrorKind::Usage);
    assert!(text.contains("size=640x480"), "{text}");
}

#[test]
fn a_file_that_changes_while_it_is_played_is_an_error() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let clip = y4m("W2 H2 F100:1 Cmono", 4, 3);
    let replace = |path: &Path| {
        let other = path.with_extension("new");
        fs::copy(path, &other).unwrap();
        fs::rename(other, path).unwrap();
    };
    let overwrite = |path: &Path| fs::write(path, b"something else, and rather longer").unwrap();
    let remove = |path: &Path| fs::remove_file(path).unwrap();
    let empty = |path: &Path| fs::write(path, b"").unwrap();
    for (name, change, needle) in [
        ("vanished", &remove as &dyn Fn(&Path), "vanished"),
        ("replaced", &replace, "replaced"),
        ("emptied", &empty, "became shorter"),
        ("overwritten", &overwrite, "neither Y4M"),
    ] {
        let path = written(&folder, name, &clip);
        let mut source = open(&format!("file:{}", path.display()));
        frame(source.as_mut());
        change(&path);
        let (kind, text) = failure(source.as_mut());
        assert_eq!(kind, ErrorKind::Unavailable, "{text}");
        // What is noticed first depends on the moment.
        assert!(text.contains(needle) || text.contains("changed while"), "{name}: {text}");
    }
}

#[test]
fn of_several_frames_the_newest_is_taken() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let path = written(&folder, "clip", &y4m("W2 H2 F30:1 Cmono", 4, 9));
    let mut source = open(&format!("exec:sh -c 'cat {}; sleep 1000'", path.display()));
    assert_eq!(source.description().format, Format::default(), "not known before");
    // One small write arrives at once.
    let frame = frame(source.as_mut());
    assert_eq!(frame.bytes().unwrap(), [8; 4]);
    assert_eq!(source.counters().skipped, 8);
    assert_eq!(frame.info().interval, Duration::from_secs(1) / 30);
}

#[test]
fn a_command_without_end_does_not_keep_the_role_busy() {
    let _alone = alone();
    let mut source = open("exec:cat /dev/zero?format=YUYV&size=640x480&fps=25");
    let known = Format::packed(FourCc::YUYV, 640, 480);
    assert_eq!(source.description().format, known, "known before");
    for _ in 0..5 {
        assert_eq!(frame(source.as_mut()).bytes().unwrap().len(), 614_400);
    }
}

#[test]
fn how_a_command_ended_is_told() {
    let _alone = alone();
    for (command, needle) in [
        ("exit 3", "ended with status 3 without writing anything; it is started again"),
        ("kill -9 $$", "was ended by signal 9"),
        ("printf YUV4; exit 1", "status 1 after writing `YUV4`"),
        ("exec >&-; sleep 1000", "closed its standard output"),
    ] {
        let mut source = open(&format!("exec:sh -c '{command}'"));
        let (kind, text) = failure(source.as_mut());
        assert_eq!(kind, ErrorKind::Unavailable, "{text}");
        assert!(text.contains(needle) && text.contains("the command `sh -c"), "{text}");
    }
    let mut source = open("exec:printf 12345678?format=GREY&size=3x1");
    assert_eq!(frame(source.as_mut()).bytes().unwrap(), b"456");
    let (_, text) = failure(source.as_mut());
    assert!(text.ends_with("ended with status 0; it is started again"), "{text}");
    assert_eq!(source.counters(), Counters { dropped: 0, skipped: 1, corrupt: 1 });
}

#[test]
fn what_a_command_should_not_write_is_told() {
    let _alone = alone();
    let mut source = open("exec:sh -c 'echo usage: camera; sleep 1000'");
    let (kind, text) = failure(source.as_mut());
    assert_eq!(kind, ErrorKind::Refused, "{text}");
    assert!(text.contains("`usage: camera") && text.contains("the command `sh -c"), "{text}");
    let folder = tempfile::tempdir().unwrap();
    let damaged = [y4m("W2 H2 Cmono", 4, 1), b"oops, lost".to_vec()].concat();
    let path = written(&folder, "damaged", &damaged);
    let mut source = open(&format!("exec:sh -c 'cat {}; sleep 1000'", path.display()));
    let (kind, text) = failure(source.as_mut());
    assert_eq!(kind, ErrorKind::Unavailable, "a picture came before: {text}");
    assert!(text.contains("`FRAME` does not stand"), "{text}");
}

#[test]
fn a_command_that_is_not_there_is_refused() {
    let _alone = alone();
    let (kind, text) = refusal("exec:/nowhere/camera --fast");
    assert_eq!(kind, ErrorKind::Refused);
    assert!(text.contains("`/nowhere/camera --fast`"), "{text}");
    let (kind, _) = refusal("exec:cat?format=YUYV");
    assert_eq!(kind, ErrorKind::Usage);
}

#[test]
fn a_command_and_what_it_started_end_with_the_source() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let picture = written(&folder, "picture", &jpeg(32, 16, 1));
    let fifo = folder.path().join("alive");
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    // The background process holds the named pipe open for as long as it lives.
    let script = "trap \"\" TERM; sleep 1000 >\"$1\" & cat \"$0\"; wait";
    let (picture, pipe) = (picture.display(), fifo.display());
    let mut source = open(&format!("exec:sh -c '{script}' {picture} {pipe}"));
    let reader = std::thread::spawn(move || fs::read(fifo));
    frame(source.as_mut());
    drop(source);
    assert_eq!(reader.join().unwrap().unwrap(), b"");
}

#[test]
fn a_camera_that_is_not_there_may_come() {
    let _alone = alone();
    let (kind, text) = refusal("v4l2:/dev/video4000");
    assert_eq!(kind, ErrorKind::Unavailable);
    assert!(text.contains("there is no device `/dev/video4000`"), "{text}");
    let (kind, text) = refusal("v4l2:/dev/null");
    assert_eq!(kind, ErrorKind::Refused);
    assert!(text.contains("not a video device"), "{text}");
}

#[test]
fn options_that_the_test_picture_does_not_have_are_a_mistake_of_usage() {
    let _alone = alone();
    for spec in ["test:?format=MJPG", "test:32x32", "test:65x48?format=NV12"] {
        assert_eq!(refusal(spec).0, ErrorKind::Usage, "{spec}");
    }
}
