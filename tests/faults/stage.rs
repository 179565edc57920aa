//! The program on which the faults play: three cameras, two serve processes, an app, a mule and an application area.

use std::fs;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result, ensure};
use eyelet::picture::JpegMaker;
use eyelet::stamp::Layout;
use eyelet_area::{Format, FourCc, FrameBuilder, MonotonicNs};
use eyelet_harness::{Eyelet, Process};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tempfile::TempDir;

use crate::plan::{Camera, Who};

/// What is tested: the released executable where the variable names it.
pub(crate) fn executable() -> PathBuf {
    let built = || PathBuf::from(env!("CARGO_BIN_EXE_eyelet"));
    std::env::var_os("EYELET_BIN").filter(|path| !path.is_empty()).map_or_else(built, PathBuf::from)
}

const BARS_FPS: u32 = 30;
const PIPE_FPS: u32 = 20;
const CLIP_FPS: u32 = 15;

/// Frames a second that a camera gives when nothing is wrong.
pub(crate) fn fps(camera: Camera) -> u32 {
    match camera {
        Camera::Bars => BARS_FPS,
        Camera::Pipe => PIPE_FPS,
        Camera::Clip => CLIP_FPS,
    }
}

/// Pictures of the test picture: a stamp with its time, and little else to copy.
pub(crate) const BARS: (u32, u32) = (160, 120);
/// Pictures of the command, right and unexpected, and of the file.
const PIPE: (u32, u32) = (96, 64);
const OTHER: (u32, u32) = (64, 48);
pub(crate) const CLIP: (u32, u32) = (128, 96);
/// Different pictures of each.
const PICTURES: u64 = 16;
/// Different frames of the file.
const CLIP_FRAMES: u64 = 60;
/// Processes below the supervisor that do what [`Camera::Bars`] is followed by: sources, their JPEGs, keep, serve, app, mule.
const CHILDREN: usize = 3 + 3 + 1 + 2 + 1 + 1;

const APP: &str = include_str!("app.pl");
const BROKEN_APP: &str = "sub { this is no Perl";

/// A running program and all that it needs.
#[derive(Debug)]
pub(crate) struct Stage {
    pub(crate) eyelet: Eyelet,
    folder: TempDir,
    /// What stands in the file of the wall clock.
    clock: fs::File,
    /// The pictures that the command may show.
    pub(crate) pictures: Vec<Vec<u8>>,
    /// Descriptors that a process of the tree may have, before anything was changed.
    pub(crate) descriptors: Rlimit,
    /// Another clip is played each time the file is replaced.
    clips: Mutex<u64>,
}

/// Raises this process's limit of descriptors, for many viewers, and wants no core files of processes that must fail.
pub(crate) fn set_own_limits() -> Result<()> {
    let descriptors = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: descriptors.maximum, ..descriptors })?;
    let core = getrlimit(Resource::Core);
    setrlimit(Resource::Core, Rlimit { current: Some(0), ..core })?;
    Ok(())
}

impl Stage {
    pub(crate) fn start() -> Result<Arc<Self>> {
        set_own_limits()?;
        let folder = tempfile::Builder::new().prefix("eyelet-faults-").tempdir()?;
        let at = |name: &str| folder.path().join(name);
        let pictures = make_pictures(folder.path())?;
        fs::write(at("mode"), "good")?;
        fs::write(at("camera.py"), include_str!("camera.py"))?;
        fs::write(at("clip"), clip(1))?;
        fs::write(at("app.pl"), APP)?;
        fs::write(at("clock"), 0_i64.to_le_bytes())?;
        let clock = fs::OpenOptions::new().write(true).open(at("clock"))?;
        let library = build_clock(folder.path())?;
        let words = words(folder.path());
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let jumps = at("clock");
        let variables =
            [("LD_PRELOAD", library.as_os_str()), ("EYELET_FAULTS_CLOCK", jumps.as_os_str())];
        let eyelet = Eyelet::start_with(&executable(), &words, &variables)?;
        let descriptors = getrlimit(Resource::Nofile);
        let clips = Mutex::new(1);
        Ok(Arc::new(Self { eyelet, folder, clock, pictures, descriptors, clips }))
    }

    /// The socket of a camera's area.
    pub(crate) fn area(&self, camera: Camera) -> PathBuf {
        self.eyelet.folder().join("run").join(format!("{}-{}", camera.id(), camera.name()))
    }

    /// Who does this now; `None` between an end and the next start.
    pub(crate) fn find(&self, who: Who) -> Option<Process> {
        let supervisor = self.eyelet.pid();
        if who == Who::Supervisor {
            return Process::of(supervisor);
        }
        let all = self.eyelet.children().into_iter();
        let mut children = all.filter(|process| process.parent == supervisor);
        let roles = roles(who);
        children.find(|process| roles.iter().any(|role| process.does(role)))
    }

    /// Tells what is not there of all that the supervisor starts.
    pub(crate) fn is_incomplete(&self) -> Option<String> {
        let all = self.eyelet.children();
        let children: Vec<&str> = all
            .iter()
            .filter(|process| process.parent == self.eyelet.pid())
            .map(|process| process.role.as_str())
            .collect();
        (children.len() != CHILDREN)
            .then(|| format!("there are {} children: {children:?}", children.len()))
    }

    /// Tells the command of [`Camera::Pipe`] how to fail.
    pub(crate) fn set_pipe(&self, mode: &str) -> Result<()> {
        // Never half a word.
        let (new, old) = (self.folder.path().join("mode.new"), self.folder.path().join("mode"));
        fs::write(&new, mode)?;
        Ok(fs::rename(new, old)?)
    }

    pub(crate) fn clip(&self) -> PathBuf {
        self.folder.path().join("clip")
    }

    /// Puts another clip in the place of the one that is there, or was.
    pub(crate) fn replace_clip(&self) -> Result<()> {
        let mut clips = self.clips.lock().unwrap_or_else(PoisonError::into_inner);
        *clips += 1;
        let new = self.folder.path().join("clip.new");
        fs::write(&new, clip(*clips * 1000))?;
        Ok(fs::rename(new, self.clip())?)
    }

    /// Makes the app's script right or wrong.
    pub(crate) fn write_app(&self, is_right: bool) -> Result<()> {
        Ok(fs::write(self.folder.path().join("app.pl"), if is_right { APP } else { BROKEN_APP })?)
    }

    /// Sets the wall clock of the whole tree ahead, or back.
    pub(crate) fn set_clock(&self, ahead_s: i64) -> Result<()> {
        Ok(self.clock.write_all_at(&ahead_s.to_le_bytes(), 0)?)
    }
}

/// What `ps` shows of who does this; a program of the user's begins as its interpreter.
fn roles(who: Who) -> Vec<String> {
    let one = |role: &str| vec![role.to_owned()];
    match who {
        Who::Supervisor => one("supervisor"),
        Who::Capture(camera) => one(&format!("capture {}", camera.id())),
        // The JPEG of the first camera follows the cameras.
        Who::Encode => one(&format!("encode {}", Camera::ALL.len())),
        Who::Keep => one("keep"),
        Who::Serve(index) => one(&format!("serve {index}")),
        Who::App => vec!["app.pl".to_owned(), "perl".to_owned()],
        Who::Mule => one("python3"),
    }
}

fn words(folder: &Path) -> Vec<String> {
    let at = |name: &str| folder.join(name).display().to_string();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let reader = root.join("examples/python/read_area.py");
    let (width, height) = BARS;
    let (clip_width, clip_height) = CLIP;
    // A mule that reads each frame of the first camera, and tells nobody.
    let mule = format!("sh -c 'exec python3 {} -n 1000000000 >/dev/null 2>&1'", reader.display());
    let words = [
        ("--listen", "127.0.0.1:0".to_owned()),
        ("--source", format!("bars=test:{width}x{height}@{BARS_FPS}")),
        (
            "--source",
            format!(
                "pipe=exec:python3 {} {} {PIPE_FPS}?format=MJPG&fps={PIPE_FPS}",
                at("camera.py"),
                folder.display()
            ),
        ),
        (
            "--source",
            format!(
                "clip=file:{}?format=GREY&size={clip_width}x{clip_height}&fps={CLIP_FPS}",
                at("clip")
            ),
        ),
        ("--serve-processes", "2".to_owned()),
        ("--psgi", at("app.pl")),
        ("--processes", "3".to_owned()),
        ("--mule", mule),
        ("--area", "visits=4096".to_owned()),
        ("--api-write", "visits".to_owned()),
        // Faults come faster than in life: who ran for a moment is healthy.
        ("--healthy-after", "0.05".to_owned()),
        ("--restart-cap", "0.2".to_owned()),
    ];
    words.into_iter().flat_map(|(option, value)| [option.to_owned(), value]).collect()
}

/// Writes the pictures of the command, and gives them.
fn make_pictures(folder: &Path) -> Result<Vec<Vec<u8>>> {
    let mut all = Vec::new();
    for (name, (width, height)) in [("good", PIPE), ("other", OTHER)] {
        let folder = folder.join(name);
        fs::create_dir(&folder)?;
        for number in 0..PICTURES {
            let picture = picture(width, height, number)?;
            fs::write(folder.join(format!("{number:02}.jpg")), &picture)?;
            all.push(picture);
        }
    }
    Ok(all)
}

fn picture(width: u32, height: u32, number: u64) -> Result<Vec<u8>> {
    let mut builder = FrameBuilder::new()?;
    builder.write(&grey(width, height, number)?)?;
    let frame = builder.seal(Format::packed(FourCc::GREY, width, height), MonotonicNs::now())?;
    Ok(JpegMaker::new(80, None).make(&frame)?.bytes)
}

/// A stamped frame.
fn grey(width: u32, height: u32, number: u64) -> Result<Vec<u8>> {
    let format = Format::packed(FourCc::GREY, width, height);
    let layout = Layout::for_format(&format).context("no room for a stamp")?;
    let len = format.packed_len().context("not a raw format")?;
    let mut frame = vec![128; usize::try_from(len)?];
    layout.write_frame(&mut frame, number);
    Ok(frame)
}

/// A file of stamped frames.
fn clip(first: u64) -> Vec<u8> {
    let frames =
        (first..first + CLIP_FRAMES).filter_map(|number| grey(CLIP.0, CLIP.1, number).ok());
    frames.flatten().collect()
}

/// Builds the wall clock that can be made to jump.
fn build_clock(folder: &Path) -> Result<PathBuf> {
    let (source, library) = (folder.join("wall_clock.c"), folder.join("wall_clock.so"));
    fs::write(&source, include_str!("wall_clock.c"))?;
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o"]).arg(&library).arg(&source);
    let output = compiler.output().context("these tests need a C compiler")?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(output.status.success(), "the wall clock was not built: {said}");
    Ok(library)
}
