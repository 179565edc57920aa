//! The command line: words, old and new, to one [`Config`] or another job.

use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use crate::cmd::{check, controls, devices, plugins, snapshot, user, watch};
use crate::config::words::{number, seconds};
use crate::config::{
    AllowedHost, AllowedOrigin, Anonymous, AppArea, Camera, Config, ControlAccess, Host, Lan,
    Listen, MAX_CONNECTIONS, MAX_PROCESSES, SourceSpec, app, app_area, stream,
};
use crate::error::{Error, Result};
use crate::mistakes::{Mistakes, Said};
use crate::settings::{self, Settings, set};

/// A day, in seconds: more is a mistake.
const DAY: f64 = 86_400.0;

/// One camera, one copy, any number of viewers.
#[derive(Debug, Parser)]
#[command(
    version,
    args_conflicts_with_subcommands = true,
    after_help = "Without a command it runs: the first camera, or a test picture where there is none, at http://127.0.0.1:9090.\n\
                  The words of the old uWSGI command line work too: --v4l-capture, --http-socket, --plugin capture, --mule \"captureloop()\"."
)]
pub struct Cli {
    /// What to do; run by default.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// The options of run.
    #[command(flatten)]
    pub run: Box<RunArgs>,
}

/// The jobs of the executable.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Capture and serve until stopped (the default).
    Run(Box<RunArgs>),
    /// Say what is wrong in a configuration file, all of it, and do nothing else.
    Check(check::Args),
    /// List the cameras of this machine, and why other video devices are none.
    Devices(devices::Args),
    /// List the plugins that can be found, or build and install one.
    Plugins(plugins::Args),
    /// Add users to a file for --users, with a password or a token, remove them, list them.
    User(user::Args),
    /// List or set a camera's controls of a running Eyelet: brightness=12.
    Controls(controls::Args),
    /// Save one picture from a running Eyelet as a PNG file.
    Snapshot(snapshot::Args),
    /// Watch a running Eyelet without a browser: count frames, rate, latency, gaps and torn pictures.
    Watch(watch::Args),
}

/// What run is told.
#[derive(Clone, Debug, Args)]
pub struct RunArgs {
    /// A file that says what these options say, and more: config/reference.toml shows all of it. What is said here counts
    /// more, and so do variables as EYELET_LISTEN.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Any value of such a file, as limits.head-timeout=5.
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Where frames come from, with an optional name: [NAME=]v4l2:/dev/video0, test:640x480@30, file:clip.y4m,
    /// 'exec:COMMAND?format=YUYV&size=640x480&fps=30', 'exec:COMMAND?format=h264'. Options follow a `?`: format, size, fps, matrix, range, and control.NAME=VALUE for cameras and the test picture.
    /// Several make several streams.
    #[arg(long = "source", value_name = "SOURCE")]
    sources: Vec<String>,
    /// A stream that is made from a camera's while somebody watches it: jpeg, rgba or, where it was built in, h264, with
    /// an optional name before it and an optional camera behind it, the first by default: jpeg, view=rgba:front. JPEG and H.264
    /// take options: 'small=jpeg:front?quality=60&width=320', 'h264?bitrate=500k&gop=60'. Several make several streams.
    /// [default: a jpeg of each camera, quality 80]
    #[arg(long = "stream", value_name = "STREAM")]
    streams: Vec<stream::Wish>,
    /// Where browsers reach it: ADDRESS:PORT, :PORT for every interface, or unix:/PATH?mode=660&group=NAME. Port 0 takes a free one. [default: 127.0.0.1:9090]
    #[arg(long, alias = "http-socket", value_name = "ADDRESS")]
    listen: Vec<Listen>,
    /// Listen on every interface, as with --listen :9090, and print the addresses to open on another device; on a terminal
    /// also a QR code of the best, which --lan=qr prints always and --lan=plain never.
    #[arg(long, value_name = "HOW", num_args = 0..=1, require_equals = true, default_missing_value = "auto")]
    lan: Option<Lan>,
    /// Processes that send to viewers; one for each core that you want to use. [default: 1]
    #[arg(long, value_name = "N", value_parser = number(1..=MAX_PROCESSES))]
    serve_processes: Option<usize>,
    /// Connections that each of them has at most; others get 503. [default: 4096]
    #[arg(long, value_name = "N", value_parser = number(1..=MAX_CONNECTIONS))]
    max_connections: Option<usize>,
    /// The same from one address, for who listens to the open net; leave it out behind a proxy, whose address all have.
    #[arg(long, value_name = "N", value_parser = number(1..=MAX_CONNECTIONS))]
    max_connections_per_address: Option<usize>,
    /// A PSGI script (Perl) that decides what a viewer gets; it answers everything outside /-/.
    #[arg(long, value_name = "FILE", group = "app")]
    psgi: Option<String>,
    /// The same in Python: an ASGI application, as module:app or file.py:app.
    #[arg(long, value_name = "MODULE:APP", group = "app")]
    asgi: Option<String>,
    /// The same in any language: a program that listens on descriptor 3 and speaks the app protocol (docs/ref/app.md).
    #[arg(long = "app", value_name = "COMMAND", group = "app")]
    program: Option<String>,
    /// The same for a few lines of shell: a command that is run for each request, with the request in its environment and
    /// the app protocol's verbs on its standard output and input.
    #[arg(long, value_name = "COMMAND", group = "app")]
    script: Option<String>,
    /// Processes of the app, each with --coroutines requests at a time. [default: 1]
    #[arg(long, value_name = "N", value_parser = number(1..=MAX_PROCESSES))]
    processes: Option<usize>,
    /// Requests that each process of the app handles at a time. [default: 1]
    #[arg(long, alias = "coroae", value_name = "N", value_parser = number(1..=app::MAX_PLACES))]
    coroutines: Option<usize>,
    /// Load the app again when one of its files has changed; requests that are under way end with the old one.
    #[arg(long)]
    reload_on_change: bool,
    /// Seconds that a request waits for a place in the app before it gets 503. [default: 5]
    #[arg(long, value_name = "SECONDS", value_parser = seconds(0.0..=DAY))]
    app_wait: Option<Duration>,
    /// A program of yours that runs beside the streams, as 'python3 mule.py', or 'annotated=python3 mule.py' to give it an
    /// area of that name to publish to. It finds the areas in its environment. Several run beside each other. A function
    /// of a plugin is one too: 'NAME()', or 'AREA=NAME(WORDS)'.
    #[arg(long = "mule", value_name = "[AREA=]COMMAND")]
    mules: Vec<String>,
    /// An area of application data, as counters=4096: read and changed by apps, mules and other programs.
    #[arg(long = "area", value_name = "NAME=BYTES")]
    app_areas: Vec<AppArea>,
    /// Let clients change this area by HTTP (PUT and POST below /-/api/areas); nobody may by default.
    #[arg(long = "api-write", value_name = "AREA")]
    writable: Vec<String>,
    /// Let pages of this site show the camera, as `https://example.org`; `*` for all sites. Programs and pages of this
    /// server always may.
    #[arg(long = "allow-origin", value_name = "SITE")]
    allowed_origins: Vec<AllowedOrigin>,
    /// Speak TLS on every TCP address, with this certificate and those that vouch for it, PEM.
    #[arg(long, value_name = "FILE", alias = "tls-cert")]
    tls_certificate: Option<PathBuf>,
    /// The key of that certificate, PEM.
    #[arg(long, value_name = "FILE")]
    tls_key: Option<PathBuf>,
    /// Speak TLS with a certificate that Eyelet makes and keeps. Browsers warn of it once.
    #[arg(long, conflicts_with = "tls_certificate")]
    tls_self_signed: bool,
    /// Let in only those who are in this file; `eyelet user add` makes it. [default: everybody who reaches a listener]
    #[arg(long, value_name = "FILE")]
    users: Option<PathBuf>,
    /// What somebody may who says no name: view, or none. [default: none where there are users]
    #[arg(long, value_name = "WHAT")]
    anonymous: Option<Anonymous>,
    /// A name of this server beside the machine's own, as cam.example.org; browsers that ask for others are refused. `*` for
    /// any.
    #[arg(long = "allow-host", value_name = "NAME")]
    allowed_hosts: Vec<AllowedHost>,
    /// Who may change cameras' controls by HTTP (/-/api/controls) where there are no users: local, which is this machine, all or none. [default: local]
    #[arg(long = "api-control", value_name = "WHO")]
    control_access: Option<ControlAccess>,
    /// Become this user once the addresses are listened on, with the groups that open cameras: NAME or NAME:GROUP. For who starts
    /// as root.
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// Folder for the area sockets. [default: one of its own below $XDG_RUNTIME_DIR or /tmp]
    #[arg(long, value_name = "FOLDER")]
    runtime_dir: Option<PathBuf>,
    /// Longest pause, in seconds, before a process that keeps ending is started again. [default: 5]
    #[arg(long, value_name = "SECONDS", value_parser = seconds(0.0..=DAY))]
    restart_cap: Option<Duration>,
    /// Seconds after which a process counts as healthy, so that its next start is at once. [default: 10]
    #[arg(long, value_name = "SECONDS", value_parser = seconds(0.0..=DAY))]
    healthy_after: Option<Duration>,
    /// The old word for --source v4l2:DEVICE.
    #[arg(long, value_name = "DEVICE", hide = true)]
    v4l_capture: Option<String>,
    /// Start a plugin: the program eyelet-NAME, as the source, mule or app that it is. `eyelet plugins` lists them.
    #[arg(long = "plugin", alias = "plugins", value_name = "NAME")]
    plugins: Vec<String>,
    /// Build and install a plugin instead of running; as `eyelet plugins --build`.
    #[arg(long, value_name = "FOLDER", hide = true)]
    pub build_plugin: Option<PathBuf>,
    /// The old word for --area: a number of pages, or size=BYTES.
    #[arg(long = "sharedarea", short = 'A', value_name = "PAGES", hide = true)]
    old_areas: Vec<String>,
}

impl RunArgs {
    /// Makes the configuration of everything that was said: the file's words, over them those of the environment, over
    /// them these. `default_source` is asked only if no source is named.
    ///
    /// # Errors
    /// All mistakes, a line each, with the place and what it may be.
    pub fn to_config(
        &self,
        environment: impl Iterator<Item = (OsString, OsString)>,
        default_source: impl FnOnce() -> Result<SourceSpec>,
    ) -> Result<Config> {
        let (mut settings, mut mistakes) = (Settings::default(), Mistakes::default());
        if let Some(file) = &self.config {
            settings.add_file(file, &mut mistakes)?;
        }
        settings.add_environment(environment, &mut mistakes);
        for word in &self.set {
            settings.add_word(word, &mut mistakes);
        }
        self.lay_over(&mut settings, &mut mistakes);
        settings.resolve(mistakes, default_source)
    }

    /// Lays these words over what was said before.
    fn lay_over(&self, said: &mut Settings, mistakes: &mut Mistakes) {
        replace(&mut said.sources, self.all_sources(mistakes));
        replace(&mut said.streams, at("--stream", &self.streams));
        replace(&mut said.mules, at("--mule", &self.mules));
        replace(&mut said.app_areas, self.all_app_areas(mistakes));
        replace(&mut said.plugins, at("--plugin", &self.plugins));
        replace(&mut said.listen, at("--listen", &self.listen));
        replace(&mut said.writable, at("--api-write", &self.writable));
        replace(&mut said.allowed_origins, at("--allow-origin", &self.allowed_origins));
        replace(&mut said.allowed_hosts, at("--allow-host", &self.allowed_hosts));
        let certificate = self.tls_certificate.clone();
        let certificate = certificate.map(|path| Some(Said::new(path, "--tls-certificate")));
        set(&mut said.tls_certificate, certificate);
        let key = self.tls_key.clone().map(|path| Some(Said::new(path, "--tls-key")));
        set(&mut said.tls_key, key);
        said.tls_self_signed |= self.tls_self_signed;
        let users = self.users.clone().map(|path| Some(Said::new(path, "--users")));
        set(&mut said.users, users);
        let anonymous = self.anonymous.map(|anonymous| Some(Said::new(anonymous, "--anonymous")));
        set(&mut said.anonymous, anonymous);
        set(&mut said.lan, self.lan.map(|lan| Some(Said::new(lan, "--lan"))));
        set(&mut said.control_access, self.control_access);
        set(&mut said.serve_processes, self.serve_processes.map(Some));
        set(&mut said.host, self.host(mistakes).map(Some));
        set(&mut said.processes, self.processes.map(|n| Some(Said::new(n, "--processes"))));
        set(&mut said.coroutines, self.coroutines.map(|n| Some(Said::new(n, "--coroutines"))));
        said.reload_on_change |= self.reload_on_change;
        set(&mut said.user, self.user.clone().map(Some));
        set(&mut said.runtime_folder, self.runtime_dir.clone().map(Some));
        set(&mut said.restart.cap, self.restart_cap);
        set(&mut said.restart.healthy_after, self.healthy_after);
        set(&mut said.limits.connections, self.max_connections);
        let per_address = self.max_connections_per_address.map(NonZeroUsize::new);
        set(&mut said.limits.connections_per_address, per_address);
        set(&mut said.limits.app_wait, self.app_wait);
    }

    fn all_sources(&self, mistakes: &mut Mistakes) -> Vec<Said<Camera>> {
        let new = self.sources.iter().map(|text| ("--source", settings::camera(text)));
        let old = self.v4l_capture.iter().map(|device| {
            let camera = |source| Camera { name: String::new(), source };
            ("--v4l-capture", device.parse().map(camera))
        });
        let all = new.chain(old);
        all.filter_map(|(place, said)| Some(Said::new(mistakes.take(place, said)?, place)))
            .collect()
    }

    fn all_app_areas(&self, mistakes: &mut Mistakes) -> Vec<Said<AppArea>> {
        let is_alone = self.old_areas.len() == 1;
        let old = self.old_areas.iter().enumerate().filter_map(|(number, text)| {
            let name = if is_alone { "shared".to_owned() } else { format!("shared{number}") };
            let area = mistakes.take("--sharedarea", app_area::from_old_word(text, name))?;
            Some(Said::new(area, "--sharedarea"))
        });
        at("--area", &self.app_areas).into_iter().chain(old).collect()
    }

    fn host(&self, mistakes: &mut Mistakes) -> Option<Said<Host>> {
        let (place, host) = if let Some(psgi) = &self.psgi {
            ("--psgi", settings::psgi(psgi))
        } else if let Some(app) = &self.asgi {
            ("--asgi", Ok(Host::Asgi(app.clone())))
        } else if let Some(command) = &self.program {
            ("--app", settings::split(command).map(Host::Program))
        } else {
            ("--script", settings::split(self.script.as_ref()?).map(Host::Script))
        };
        mistakes.take(place, host).map(|host| Said::new(host, place))
    }
}

/// A list that is said replaces what was said before.
fn replace<T>(to: &mut Vec<T>, said: Vec<T>) {
    if !said.is_empty() {
        *to = said;
    }
}

fn at<T: Clone>(option: &str, values: &[T]) -> Vec<Said<T>> {
    values.iter().map(|value| Said::new(value.clone(), option)).collect()
}

/// Makes one line of what clap says about a mistake, with a hint where to look.
#[must_use]
pub fn mistake(error: &clap::Error) -> Error {
    let text = error.to_string();
    let first = text.lines().next().unwrap_or_default();
    let first = first.strip_prefix("error: ").unwrap_or(first);
    Error::usage(format!("{first}; see `eyelet --help`"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::source::Kind as SourceKind;

    fn config(words: &[&str]) -> Result<Config> {
        let words = std::iter::once(&"eyelet").chain(words);
        let cli = Cli::try_parse_from(words).map_err(Error::usage)?;
        cli.run.to_config(std::iter::empty(), || "test:".parse())
    }

    #[test]
    fn nothing_at_all_is_the_default_run() {
        let config = config(&[]).unwrap();
        assert_eq!(config.listen, [Listen::DEFAULT]);
        assert_eq!((config.sources[0].name.as_str(), config.serve_processes), ("camera", 1));
    }

    #[test]
    fn the_old_words_mean_what_they_meant() {
        let script = tempfile::NamedTempFile::new().unwrap();
        let script = script.path().to_str().unwrap();
        let words =
            ["--plugin", "capture", "--v4l-capture", "/dev/video0", "--http-socket", ":9090"];
        let with_app =
            [&words[..], &["--psgi", script, "--mule=captureloop()", "--processes", "10"]].concat();
        let config = super::tests::config(&with_app).unwrap();
        assert_eq!(
            config.sources[0].source.kind,
            SourceKind::V4l2 { device: "/dev/video0".into() }
        );
        assert_eq!(config.listen, [Listen::Everywhere(9090)]);
        assert_eq!((config.app.unwrap().places(), config.serve_processes), (10, 1));
        let without_app = [&words[..], &["--processes", "4"]].concat();
        assert_eq!(super::tests::config(&without_app).unwrap().serve_processes, 4);
    }

    #[test]
    fn lan_listens_everywhere_unless_told_where() {
        let lan = config(&["--lan"]).unwrap();
        assert_eq!((&lan.listen[..], lan.lan), (&[Listen::Everywhere(9090)][..], Some(Lan::Auto)));
        let elsewhere = config(&["--listen", ":80", "--lan=qr"]).unwrap();
        let expected = (&[Listen::Everywhere(80)][..], Some(Lan::Qr));
        assert_eq!((&elsewhere.listen[..], elsewhere.lan), expected);
    }

    #[test]
    fn cameras_have_names() {
        let config = config(&["--source", "front=test:", "--source", "test:?fps=5"]).unwrap();
        let names: Vec<&str> = config.sources.iter().map(|c| c.name.as_str()).collect();
        assert_eq!(names, ["front", "camera1"]);
    }

    #[test]
    fn streams_have_names_and_a_jpeg_is_always_there() {
        let words = ["--source", "front=test:", "--stream", "rgba", "--stream", "s=jpeg?width=320"];
        let config = config(&words).unwrap();
        let names: Vec<&str> = config.streams.iter().map(|s| s.name.as_str()).collect();
        assert_eq!(names, ["front-rgba", "s", "front-jpeg"]);
    }

    #[test]
    fn mistakes_are_usage_errors_that_say_what_to_do() {
        for (words, needle) in [
            (&["--plugin", "python"][..], "no plugin `python`"),
            (&["--mule", "nosuch()"], "there is captureloop()"),
            (&["--source", "a=test:", "--source", "a=test:"], "two cameras are called `a`"),
            (&["--source", "a b=test:"], "no camera name"),
            (&["--psgi", "/nonexistent.pl"], "failed to read the app"),
            (&["--stream", "jpeg:back"], "a camera `back` that is not there: there is `camera`"),
            (&["--stream", "jpeg", "--stream", "jpeg"], "two areas are called `camera-jpeg`"),
            (&["--stream", "camera=rgba"], "two areas are called `camera`"),
            (&["--stream", "a/b=rgba"], "no stream name"),
            (&["--stream", "jpeg?quality=0"], "takes 1 to 100"),
            (&["--stream", "jpeg?width=8"], "takes 16 to 65535"),
            (&["--stream", "png"], "is no stream"),
            (&["--serve-processes", "0"], "takes 1 to 256"),
            (&["--area", "a=4", "--api-write", "b"], "cannot be written: there is a"),
            (&["--api-control", "me"], "takes local, all or none"),
            (&["--area", "camera=4"], "two areas are called `camera`"),
            (&["--area", "7=4"], "means something else to apps"),
            (&["--mule", "x="], "names no command"),
            (&["--lan=loud"], "takes auto, qr or plain"),
            (&["--lan", "--listen", "127.0.0.1:9090"], "reach none of the addresses"),
            (&["--listen", "nowhere"], "write ADDRESS:PORT"),
        ] {
            let error = config(words).unwrap_err();
            assert_eq!(error.exit_status(), 2, "{words:?}");
            assert!(error.to_string().contains(needle), "{words:?}: {error}");
        }
    }
}
