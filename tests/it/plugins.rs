//! Plugins and mules: programs that are found by their names and run beside the streams.

use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};
use eyelet_harness::{Eyelet, Process, Signal};

use crate::support::{BIN, SMALL, process};

/// Writes grey frames of 16 x 16.
const SOURCE: &str = r#"#!/bin/sh
[ "$1" = --describe ] && { echo '{"kind":"source","about":"grey","options":"format=GREY&size=16x16&fps=20"}'; exit; }
while head -c 256 /dev/zero; do sleep 0.05; done
"#;

/// Notes what it was given and stays; or does one of its functions.
const MULE: &str = r#"#!/bin/sh
case $1 in
--describe) echo '{"kind":"mule","area":"made","functions":["tick","tock"]}' ;;
'') env > "$NOTES/mule.new"; mv "$NOTES/mule.new" "$NOTES/mule"; exec sleep 1000 ;;
tick) echo "$1" > "$NOTES/function.new"; mv "$NOTES/function.new" "$NOTES/function"; exec sleep 1000 ;;
*) printf '%s,' "$LISTEN_FDNAMES" "$@" > "$NOTES/$1.new"; mv "$NOTES/$1.new" "$NOTES/$1"; exec sleep 1000 ;;
esac
"#;

/// An app host: answers each request in the same way.
const APP: &str = r#"#!/usr/bin/perl
if (@ARGV) { print '{"kind":"app"}'; exit }
open my $listener, '+<&=', 3 or die;
while (accept my $request, $listener) {
    sysread $request, my $head, 65536;
    my $answer = "HTTP/1.1 200 OK\r\n\r\n";
    syswrite $request, 'head ' . length($answer) . "\n$answer" . "body 7\nplaces$ENV{EYELET_PLACES}end\n";
    my $ok = "";
    sysread $request, $ok, 100, length $ok until $ok =~ /ok\nok\n/;
}
"#;

/// A folder of plugins, and Eyelets that find them there.
struct Plugins {
    folder: tempfile::TempDir,
}

impl Plugins {
    fn new(plugins: &[(&str, &str)]) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        std::fs::create_dir(folder.path().join("bin"))?;
        let these = Self { folder };
        for (name, text) in plugins {
            write(&these.path().join("bin").join(name), text)?;
        }
        Ok(these)
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn variables(&self) -> [(&'static str, &OsStr); 2] {
        let folder = self.path().as_os_str();
        [("EYELET_PLUGINS", folder), ("NOTES", folder)]
    }

    fn start(&self, words: &[&str]) -> Result<Eyelet> {
        let words = [&["--listen", "127.0.0.1:0"], words].concat();
        Eyelet::start_with(Path::new(BIN), &words, &self.variables())
    }

    /// Runs the program to its end and gives all that it printed.
    fn run(&self, words: &[&str]) -> Result<(Option<i32>, String)> {
        let ended = Command::new(BIN).args(words).envs(self.variables()).output()?;
        let text = [ended.stdout, ended.stderr].concat();
        Ok((ended.status.code(), String::from_utf8_lossy(&text).into_owned()))
    }

    /// Waits for a note of a plugin.
    fn note(&self, eyelet: &Eyelet, name: &str, has: &str) -> Result<String> {
        let path = self.path().join(name);
        let read = || std::fs::read_to_string(&path).unwrap_or_default();
        eyelet.wait_until("a note", || read().contains(has))?;
        Ok(read())
    }
}

fn write(path: &Path, text: &str) -> Result<PathBuf> {
    std::fs::write(path, text)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755))?;
    Ok(path.to_owned())
}

#[test]
fn a_source_plugin_is_a_camera() -> Result<()> {
    let plugins = Plugins::new(&[("eyelet-grey", SOURCE)])?;
    let eyelet = plugins.start(&["--plugin", "grey"])?;
    let mut viewer = eyelet.websocket("/-/ws", &[], &[])?;
    assert_eq!(viewer.next_binary()?, [0; 256]);
    assert_eq!(viewer.next_binary()?.len(), 256);
    assert_eq!(eyelet.status()?["sources"][0]["name"], "grey");
    Ok(())
}

#[test]
fn a_mule_finds_the_areas_and_its_own_and_is_started_again() -> Result<()> {
    let plugins = Plugins::new(&[("eyelet-maker", MULE)])?;
    let words = ["--source", SMALL, "--plugin", "capture,maker", "--mule", "tick()"];
    let eyelet = plugins.start(&[&words[..], &["--mule", "captureloop()"]].concat())?;
    let environment = plugins.note(&eyelet, "mule", "PATH=")?;
    for line in ["LISTEN_FDS=1", "LISTEN_FDNAMES=made", "EYELET_GENERATION=0"] {
        assert!(environment.lines().any(|l| l == line), "{line}: {environment}");
    }
    // A camera, its JPEG, that of the mule's area, and the mule's area itself.
    for area in ["EYELET_AREA_0=", "EYELET_AREA_2=", "EYELET_AREA_3="] {
        assert!(environment.contains(area), "{area}: {environment}");
    }
    assert!(environment.contains("/3-made\n"), "{environment}");
    assert!(!environment.contains("EYELET_ROLE_OF"), "{environment}");
    assert_eq!(plugins.note(&eyelet, "function", "t")?, "tick\n");
    let status = eyelet.status()?;
    assert_eq!(status["mules"][0]["name"], "made");
    let roles: Vec<_> = status["processes"].as_array().context("no list")?.iter().collect();
    let mules = roles.iter().filter(|p| p["role"].as_str().is_some_and(|r| r.starts_with("mule")));
    assert_eq!(mules.count(), 2, "{status}");
    // Whichever of the two owns the area.
    for role in ["mule 0", "mule 1"] {
        let pid = process(&status, role)?["pid"].as_u64().context("no pid")?;
        Process::of(u32::try_from(pid)?).context("it is gone")?.signal(Signal::KILL)?;
    }
    plugins.note(&eyelet, "mule", "EYELET_GENERATION=1")?;
    Ok(())
}

#[test]
fn a_function_is_told_words_and_may_own_an_area() -> Result<()> {
    let plugins = Plugins::new(&[("eyelet-maker", MULE)])?;
    let eyelet = plugins.start(&["--source", SMALL, "--mule", "bell=tock(one in=2?x=y 'a b')"])?;
    assert_eq!(plugins.note(&eyelet, "tock", "a b,")?, "bell,tock,one,in=2?x=y,a b,");
    assert_eq!(eyelet.status()?["mules"][0]["name"], "bell");
    Ok(())
}

#[test]
fn an_app_plugin_answers_requests() -> Result<()> {
    let plugins = Plugins::new(&[("eyelet-answer", APP)])?;
    let eyelet = plugins.start(&["--source", SMALL, "--plugin", "answer", "--processes", "3"])?;
    assert_eq!(eyelet.get("/anything")?.text(), "places3");
    Ok(())
}

#[test]
fn who_asks_for_what_is_not_there_is_told_what_is() -> Result<()> {
    let plugins =
        Plugins::new(&[("eyelet-maker", MULE), ("eyelet-broken", "#!/bin/sh\necho hello\n")])?;
    for (words, needle) in [
        (&["--plugin", "nothing"][..], "there is no plugin `nothing`: there is capture"),
        (&["--plugin", "nothing"], "maker"),
        (&["--mule", "toc()"], "captureloop(), tick() of maker, tock() of maker"),
        (&["--mule", "a=tock('b)"], "has words that cannot be read"),
        (&["--plugin", "broken"], "does not describe a plugin"),
        (&["--build-plugin", "/nonexistent"], "failed to read the plugin"),
    ] {
        let (code, text) = plugins.run(words)?;
        assert_eq!(code, Some(2), "{words:?}: {text}");
        assert!(text.contains(needle), "{words:?}: {text}");
    }
    let (code, text) = plugins.run(&["plugins"])?;
    assert_eq!(code, Some(0));
    assert!(text.contains("maker  mule  ") && text.contains("tick()  tock()"), "{text}");
    assert!(text.contains("broken  is none: "), "{text}");
    Ok(())
}

#[test]
fn a_plugin_is_built_from_a_script_and_from_a_package() -> Result<()> {
    let plugins = Plugins::new(&[])?;
    let from = tempfile::tempdir()?;
    write(&from.path().join("eyelet-grey"), SOURCE)?;
    write(&from.path().join("eyelet-notes.txt"), "no plugin")?;
    let path = from.path().to_str().context("the folder's name")?;
    let (code, text) = plugins.run(&["--build-plugin", path])?;
    assert_eq!(code, Some(0), "{text}");
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(
        text.contains("installed grey  source  ") && text.contains("/bin/eyelet-grey"),
        "{text}"
    );
    let package = tempfile::tempdir()?;
    let source = r#"fn main() { println!("{{\"kind\":\"mule\",\"about\":\"in Rust\"}}"); }"#;
    std::fs::create_dir(package.path().join("src"))?;
    std::fs::write(package.path().join("src/main.rs"), source)?;
    let manifest = "[package]\nname = \"eyelet-rusty\"\nversion = \"1.0.0\"\nedition = \"2024\"\n[workspace]\n";
    std::fs::write(package.path().join("Cargo.toml"), manifest)?;
    let path = package.path().to_str().context("the folder's name")?;
    let (code, text) = plugins.run(&["plugins", "--build", path])?;
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("installed rusty  mule  ") && text.contains("in Rust"), "{text}");
    let (_, text) = plugins.run(&["plugins"])?;
    assert!(text.contains("grey  source  ") && text.contains("rusty  mule  "), "{text}");
    // What was no plugin is not installed.
    let empty = tempfile::tempdir()?;
    let path = empty.path().to_str().context("the folder's name")?;
    assert_eq!(plugins.run(&["--build-plugin", path])?.0, Some(2));
    Ok(())
}

#[test]
fn the_examples_are_built_and_work() -> Result<()> {
    let plugins = Plugins::new(&[])?;
    let examples = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/plugins");
    let (code, text) = plugins.run(&["--build-plugin", examples])?;
    assert_eq!((code, text.lines().count()), (Some(0), 3), "{text}");
    let words = ["--plugin", "noise,brightness,hello", "--mule", "say_when_dark()"];
    let eyelet = plugins.start(&[&words[..], &["--source", "dark=test:64x48@10"]].concat())?;
    assert!(eyelet.get("/")?.text().contains("<h1>Hello"));
    let mut noise = eyelet.websocket("/-/ws?stream=noise", &[], &[])?;
    assert_eq!(noise.next_binary()?.len(), 160 * 120);
    let mut brightness = eyelet.websocket("/-/ws?stream=brightness", &[], &[])?;
    for _ in 0..3 {
        let mean = brightness.next_binary()?;
        // The bars are neither black nor white.
        assert!(mean.len() == 1 && (40..200).contains(&mean[0]), "{mean:?}");
    }
    Ok(())
}
