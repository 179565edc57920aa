//! Other servers, fetched and built below the target folder: nothing is installed on the machine.
//!
//! uWSGI is the old experiment's server, from PyPI with its coroutines for Perl and a stand-in for its capture plugin;
//! ustreamer is Debian's, before a camera that is preloaded; so is libjpeg-turbo, in a program that encodes as Eyelet does.
//! Who cannot be had is left out, with the reason.

use std::fs;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, anyhow, bail, ensure};

use super::lab::{Lab, Side};
use crate::command::{is_agreed, output, text};
use crate::packages;
use crate::workspace_root;

const UWSGI: &str = "uwsgi==2.0.31";
/// What its Perl coroutines run on; the headers of Perl itself come with it.
const PERL: &[&str] = &["libcoro-perl", "libev-perl", "libanyevent-perl"];

/// libjpeg-turbo, and the header that says how it is called.
const TURBOJPEG: &[&str] = &["libturbojpeg0", "libturbojpeg0-dev"];

/// What could be had.
#[derive(Debug)]
pub(super) struct Peers {
    uwsgi: Result<Uwsgi>,
    ustreamer: Result<Ustreamer>,
    turbojpeg: Result<Turbojpeg>,
}

/// A uWSGI that runs Perl with coroutines.
#[derive(Debug)]
pub(super) struct Uwsgi {
    folder: PathBuf,
    /// Where Perl finds the modules.
    modules: String,
}

/// A ustreamer, and the camera for it.
#[derive(Debug)]
pub(super) struct Ustreamer {
    folder: PathBuf,
    libraries: PathBuf,
}

/// An encoder with libjpeg-turbo.
#[derive(Debug)]
pub(super) struct Turbojpeg {
    folder: PathBuf,
    libraries: PathBuf,
}

impl Peers {
    /// Leaves all out.
    pub(super) fn none(why: &str) -> Self {
        let none = || anyhow!("{why}");
        Self { uwsgi: Err(none()), ustreamer: Err(none()), turbojpeg: Err(none()) }
    }

    /// Fetches and builds what is not there yet; asks first if a person is there, unless that was allowed.
    pub(super) fn prepare(may_fetch: bool) -> Self {
        let folder = crate::target_folder().join("bench-peers");
        let what = format!(
            "fetch uWSGI from PyPI, and ustreamer, {TURBOJPEG:?} and {PERL:?} from Debian, into `{}`",
            folder.display()
        );
        let has_all = ["uwsgi", "ustreamer", "turbojpeg"]
            .iter()
            .all(|peer| folder.join(format!("{peer}.made-from")).exists());
        if !may_fetch
            && !has_all
            && std::io::stdin().is_terminal()
            && !is_agreed(&what).unwrap_or(false)
        {
            return Self::none("nobody allowed to fetch it; `--yes` does");
        }
        if let Err(problem) = fs::create_dir_all(&folder) {
            return Self::none(&format!("no folder `{}`: {problem}", folder.display()));
        }
        Self {
            uwsgi: Uwsgi::prepare(&folder),
            ustreamer: Ustreamer::prepare(&folder),
            turbojpeg: Turbojpeg::prepare(&folder),
        }
    }

    pub(super) fn uwsgi(&self) -> Result<&Uwsgi> {
        self.uwsgi.as_ref().map_err(|problem| anyhow!("uwsgi cannot be had: {problem:#}"))
    }

    pub(super) fn ustreamer(&self) -> Result<&Ustreamer> {
        self.ustreamer.as_ref().map_err(|problem| anyhow!("ustreamer cannot be had: {problem:#}"))
    }

    pub(super) fn turbojpeg(&self) -> Result<&Turbojpeg> {
        self.turbojpeg
            .as_ref()
            .map_err(|problem| anyhow!("libjpeg-turbo cannot be had: {problem:#}"))
    }

    /// The versions of what is there.
    pub(super) fn versions(&self) -> Vec<String> {
        let mut all = Vec::new();
        if self.uwsgi.is_ok() {
            all.push(UWSGI.replace("==", " "));
        }
        if let Ok(ustreamer) = &self.ustreamer {
            let said =
                text(ustreamer.with_libraries(Command::new(ustreamer.program())).arg("--version"));
            all.push(format!("ustreamer {}", said.unwrap_or_default().trim()));
        }
        if let Ok(turbojpeg) = &self.turbojpeg {
            all.push(turbojpeg.version());
        }
        all
    }
}

impl Uwsgi {
    fn prepare(all: &Path) -> Result<Self> {
        let perl = packages::with_dependencies(PERL)?;
        let key = perl.iter().map(|package| package.file.as_str()).collect::<Vec<_>>().join("\n");
        let root =
            packages::cached(&all.join("perl"), &key, |folder| packages::unpack(&perl, folder))?;
        let library = newest(Path::new("/usr/lib"), "libperl.so.")?;
        let config = "use Config; print join ':', map { \"$ENV{ROOT}$_\" } @Config{qw(vendorarch vendorlib)}";
        let modules = text(Command::new("perl").args(["-e", config]).env("ROOT", &root))?;
        let sources = sources(&["stamp.h", "uwsgi/camera.c", "uwsgi/uwsgiplugin.py"])?;
        let key = format!("{UWSGI}\n{key}\n{sources}");
        let folder = packages::cached(&all.join("uwsgi"), &key, |folder| {
            build_uwsgi(folder, &library, &modules)
        })?;
        Ok(Self { folder, modules })
    }

    /// Where Perl finds what its coroutines run on.
    pub(super) fn modules(&self) -> &str {
        &self.modules
    }

    /// Begins its command line: so many connections at a time, each in a coroutine.
    pub(super) fn command(
        &self,
        lab: &Lab,
        content: &str,
        port: u16,
        connections: u32,
        bench: &Path,
    ) -> Result<Command> {
        let mut command = lab.command(Side::Server, &self.folder.join("venv/bin/uwsgi"));
        command.env("PERL5LIB", &self.modules);
        template(&mut command, &self.folder, content, bench)?;
        command.arg("--plugin").arg(self.folder.join("camera/camera_plugin.so"));
        command.arg("--psgi").arg(peers_folder().join("uwsgi/app.psgi"));
        command.args(["--mule=camera_loop()", "--master", "--disable-logging", "--listen", "2048"]);
        command.args(["--http-socket", &format!("127.0.0.1:{port}")]);
        // One too few, and it spins.
        command.args(["--coroae", &(connections + 2).to_string()]);
        Ok(command)
    }
}

fn build_uwsgi(folder: &Path, library: &Path, modules: &str) -> Result<()> {
    eprintln!("building uWSGI");
    packages::remove_folder(folder)?;
    let camera = folder.join("camera");
    fs::create_dir_all(&camera)?;
    // The name by which the linker finds Perl's library comes with a package that is not installed.
    let links = folder.join("links");
    fs::create_dir_all(&links)?;
    std::os::unix::fs::symlink(library, links.join("libperl.so"))?;
    output(Command::new("python3").args(["-m", "venv"]).arg(folder.join("venv")))?;
    let pip = || {
        let mut command = Command::new(folder.join("venv/bin/pip"));
        command.args(["--quiet", "--disable-pip-version-check", "install"]);
        command
    };
    output(pip().args(["wheel", "setuptools"]))?;
    let mut install = pip();
    install.args(["--no-build-isolation", UWSGI]).env("UWSGI_PROFILE", "coroae");
    install.env("LIBRARY_PATH", &links).env("PERL5LIB", modules);
    output(&mut install)?;
    for file in ["camera.c", "uwsgiplugin.py"] {
        fs::copy(peers_folder().join("uwsgi").join(file), camera.join(file))?;
    }
    fs::copy(peers_folder().join("stamp.h"), folder.join("stamp.h"))?;
    let mut build = Command::new(folder.join("venv/bin/uwsgi"));
    output(build.args(["--build-plugin", "."]).env("PERL5LIB", modules).current_dir(&camera))?;
    ensure!(camera.join("camera_plugin.so").exists(), "the plugin was not built");
    Ok(())
}

impl Ustreamer {
    fn prepare(all: &Path) -> Result<Self> {
        let needed = packages::with_dependencies(&["ustreamer"])?;
        let key = needed.iter().map(|package| package.file.as_str()).collect::<Vec<_>>().join("\n");
        let key = format!("{key}\n{}", sources(&["stamp.h", "ustreamer/camera.c"])?);
        let folder = packages::cached(&all.join("ustreamer"), &key, |folder| {
            packages::unpack(&needed, folder)?;
            let mut compile = Command::new("cc");
            compile.args(["-O2", "-shared", "-fPIC", "-o"]).arg(folder.join("camera.so"));
            output(compile.arg(peers_folder().join("ustreamer/camera.c")))?;
            // The program wants to see a file where the camera is.
            Ok(fs::write(folder.join("device"), "")?)
        })?;
        let triple = text(Command::new("cc").arg("-dumpmachine"))?;
        let libraries = folder.join("usr/lib").join(triple.trim());
        Ok(Self { folder, libraries })
    }

    fn program(&self) -> PathBuf {
        self.folder.join("usr/bin/ustreamer")
    }

    fn with_libraries(&self, mut command: Command) -> Command {
        command.env("LD_LIBRARY_PATH", &self.libraries);
        command
    }

    /// Begins its command line: pictures of the camera as they come.
    pub(super) fn command(
        &self,
        lab: &Lab,
        content: &str,
        port: u16,
        bench: &Path,
    ) -> Result<Command> {
        // Only the program itself is to have the camera, not what it is started by.
        let mut command = self.with_libraries(lab.command(Side::Server, Path::new("env")));
        let device = self.folder.join("device");
        let mut preload = std::ffi::OsString::from("LD_PRELOAD=");
        preload.push(self.folder.join("camera.so"));
        template(&mut command, &self.folder, content, bench)?;
        command.env("FRAME_DEVICE", &device).arg(preload).arg(self.program());
        command.arg("--device").arg(&device);
        command.args(["--format", "MJPEG", "--encoder", "HW", "--resolution", "640x480"]);
        command.args(["--desired-fps", "30", "--host", "127.0.0.1", "--log-level", "0"]);
        command.args(["--port", &port.to_string()]);
        Ok(command)
    }
}

impl Turbojpeg {
    fn prepare(all: &Path) -> Result<Self> {
        let needed = packages::with_dependencies(TURBOJPEG)?;
        let key = needed.iter().map(|package| package.file.as_str()).collect::<Vec<_>>().join("\n");
        let key = format!("{key}\n{}", sources(&["turbojpeg/encode.c"])?);
        let triple = text(Command::new("cc").arg("-dumpmachine"))?;
        let libraries = Path::new("usr/lib").join(triple.trim());
        let folder = packages::cached(&all.join("turbojpeg"), &key, |folder| {
            packages::unpack(&needed, folder)?;
            let mut compile = Command::new("cc");
            compile.args(["-O3", "-o"]).arg(folder.join("encode")).arg("-I");
            compile.arg(folder.join("usr/include")).arg(peers_folder().join("turbojpeg/encode.c"));
            compile.arg("-L").arg(folder.join(&libraries)).arg("-l:libturbojpeg.so.0");
            output(&mut compile).map(drop)
        })?;
        Ok(Self { libraries: folder.join(libraries), folder })
    }

    pub(super) fn program(&self) -> PathBuf {
        self.folder.join("encode")
    }

    pub(super) fn with_libraries<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command.env("LD_LIBRARY_PATH", &self.libraries)
    }

    /// As the library's file says it: the package has no program that tells.
    fn version(&self) -> String {
        let file = fs::canonicalize(self.libraries.join("libturbojpeg.so.0")).unwrap_or_default();
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        format!("libjpeg-turbo, {name}")
    }
}

/// Makes the frame that a peer stamps, and says where it is.
fn template(command: &mut Command, folder: &Path, content: &str, bench: &Path) -> Result<()> {
    let file = folder.join("frame");
    output(Command::new(bench).args(["template", content]).arg(&file))?;
    command.env("FRAME_TEMPLATE", file).env("FRAME_SIZE", content);
    Ok(())
}

fn peers_folder() -> PathBuf {
    workspace_root().join("bench/peers")
}

/// The text of our own sources: what is built from others is built anew.
fn sources(names: &[&str]) -> Result<String> {
    let read = |name: &&str| {
        let path = peers_folder().join(name);
        fs::read_to_string(&path).with_context(|| format!("failed to read `{}`", path.display()))
    };
    names.iter().map(read).collect()
}

/// The library of this name, below `/usr/lib`.
fn newest(folder: &Path, name: &str) -> Result<PathBuf> {
    let triple = text(Command::new("cc").arg("-dumpmachine"))?;
    let folder = folder.join(triple.trim());
    let mut found: Vec<PathBuf> = fs::read_dir(&folder)?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            path.file_name().is_some_and(|file| file.to_string_lossy().starts_with(name))
        })
        .collect();
    found.sort();
    match found.pop() {
        Some(path) => Ok(path),
        None => bail!("there is no `{name}` in `{}`", folder.display()),
    }
}
