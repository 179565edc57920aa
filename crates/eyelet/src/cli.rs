//! The command line: words, old and new, to one [`Config`] or another job.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use crate::cmd::{devices, plugins, snapshot, watch};
use crate::config::{
    App, AppArea, Camera, Config, Host, Limits, Listen, Mule, Restart, SourceSpec, app_area, stream,
};
use crate::error::{Error, Result};
use crate::plugin::{self, Kind, Plugin};

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
    /// List the cameras of this machine, and why other video devices are none.
    Devices(devices::Args),
    /// List the plugins that can be found, or build and install one.
    Plugins(plugins::Args),
    /// Save one picture from a running Eyelet as a PNG file.
    Snapshot(snapshot::Args),
    /// Watch a running Eyelet without a browser: count frames, rate, latency, gaps and torn pictures.
    Watch(watch::Args),
}

/// What run is told.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// Where frames come from, with an optional name: [NAME=]v4l2:/dev/video0, test:640x480@30, file:clip.y4m,
    /// 'exec:COMMAND?format=YUYV&size=640x480&fps=30'. Options follow a `?`: format, size, fps, matrix, range, and control.NAME=VALUE for cameras.
    /// Several make several streams.
    #[arg(long = "source", value_name = "SOURCE")]
    sources: Vec<String>,
    /// A stream that is made from a camera's while somebody watches it: jpeg or rgba, with an optional name before it and
    /// an optional camera behind it, the first by default: jpeg, view=rgba:front. JPEG takes options:
    /// 'small=jpeg:front?quality=60&width=320'. Several make several streams.
    /// [default: a jpeg of each camera, quality 80]
    #[arg(long = "stream", value_name = "STREAM")]
    streams: Vec<stream::Wish>,
    /// Where browsers reach it: ADDRESS:PORT, or :PORT for every interface. Port 0 takes a free one. [default: 127.0.0.1:9090]
    #[arg(long, alias = "http-socket", value_name = "ADDRESS")]
    listen: Vec<Listen>,
    /// Processes that send to viewers; one for each core that you want to use. [default: 1]
    #[arg(long, value_name = "N")]
    serve_processes: Option<usize>,
    /// A PSGI script (Perl) that decides what a viewer gets; it answers everything outside /-/.
    #[arg(long, value_name = "FILE", group = "app")]
    psgi: Option<PathBuf>,
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
    #[arg(long, value_name = "N")]
    processes: Option<usize>,
    /// Requests that each process of the app handles at a time. [default: 1]
    #[arg(long, alias = "coroae", value_name = "N")]
    coroutines: Option<usize>,
    /// Load the app again when one of its files has changed; requests that are under way end with the old one.
    #[arg(long)]
    reload_on_change: bool,
    /// Seconds that a request waits for a place in the app before it gets 503. [default: 5]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    app_wait: Option<Duration>,
    /// A program of yours that runs beside the streams, as 'python3 mule.py', or 'annotated=python3 mule.py' to give it an
    /// area of that name to publish to. It finds the areas in its environment. Several run beside each other.
    #[arg(long = "mule", value_name = "[AREA=]COMMAND")]
    mules: Vec<String>,
    /// An area of application data, as counters=4096: read and changed by apps, mules and other programs.
    #[arg(long = "area", value_name = "NAME=BYTES")]
    app_areas: Vec<AppArea>,
    /// Let clients change this area by HTTP (PUT and POST below /-/api/areas); nobody may by default.
    #[arg(long = "api-write", value_name = "AREA")]
    writable: Vec<String>,
    /// Folder for the area sockets. [default: one of its own below $XDG_RUNTIME_DIR or /tmp]
    #[arg(long, value_name = "FOLDER")]
    runtime_dir: Option<PathBuf>,
    /// Longest pause, in seconds, before a process that keeps ending is started again. [default: 5]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    restart_cap: Option<Duration>,
    /// Seconds after which a process counts as healthy, so that its next start is at once. [default: 10]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
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

/// The old program needed this mule; capture always has a process of its own.
const CAPTURE_LOOP: &str = "captureloop()";

fn seconds(text: &str) -> std::result::Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "write seconds, as 5 or 0.2".to_owned())?;
    Duration::try_from_secs_f64(seconds)
        .ok()
        .filter(|d| *d <= Duration::from_secs(86_400))
        .ok_or_else(|| "from 0 to 86400 seconds".to_owned())
}

impl RunArgs {
    /// Makes the configuration and validates it whole. `default_source` is asked only if no source is named.
    ///
    /// # Errors
    /// A usage error that names the option and what it may be.
    pub fn into_config(
        self,
        default_source: impl FnOnce() -> Result<SourceSpec>,
    ) -> Result<Config> {
        let plugins = self.find_plugins()?;
        let mut sources =
            self.sources.iter().map(|text| camera(text)).collect::<Result<Vec<_>>>()?;
        if let Some(device) = &self.v4l_capture {
            sources.push(Camera { name: String::new(), source: device.parse()? });
        }
        for plugin in plugins.iter().filter(|p| p.description.kind == Some(Kind::Source)) {
            sources.push(plugin_source(plugin)?);
        }
        if sources.is_empty() {
            sources.push(Camera { name: String::new(), source: default_source()? });
        }
        name_the_nameless(&mut sources);
        let mules = self.all_mules(&plugins)?;
        let app_areas = self.all_app_areas()?;
        let cameras: Vec<&str> = sources.iter().map(|camera| camera.name.as_str()).collect();
        let shown: Vec<&str> = mules.iter().filter_map(|mule| mule.area.as_deref()).collect();
        let streams = stream::derive(self.streams.clone(), &cameras, &shown)?;
        let app = self.app(&plugins)?;
        // As in the old commands: without an app, --processes means the serving ones.
        let old_meaning = self.processes.filter(|_| app.is_none());
        let mut limits = Limits::default();
        limits.app_wait = self.app_wait.unwrap_or(limits.app_wait);
        let mut restart = Restart::default();
        restart.healthy_after = self.healthy_after.unwrap_or(restart.healthy_after);
        restart.cap = self.restart_cap.unwrap_or(restart.cap);
        restart.first = restart.first.min(restart.cap);
        let config = Config {
            sources,
            streams,
            mules,
            app_areas,
            writable: self.writable,
            listen: if self.listen.is_empty() { vec![Listen::DEFAULT] } else { self.listen },
            serve_processes: self.serve_processes.or(old_meaning).unwrap_or(1),
            app,
            runtime_folder: self.runtime_dir,
            restart,
            limits,
        };
        config.validate()?;
        Ok(config)
    }

    /// The plugins that were named; those of the old program that are built in need none.
    fn find_plugins(&self) -> Result<Vec<Plugin>> {
        let names = self.plugins.iter().flat_map(|list| list.split(','));
        names.filter(|name| !plugin::BUILT_IN.contains(name)).map(plugin::find).collect()
    }

    /// The programs beside the streams: the user's own, and those of plugins.
    fn all_mules(&self, plugins: &[Plugin]) -> Result<Vec<Mule>> {
        let own = self.mules.iter().filter(|mule| *mule != CAPTURE_LOOP).map(|text| {
            let Some(function) = text.strip_suffix("()") else { return text.parse() };
            let plugin = plugin::with_function(function, plugins)?;
            Ok(Mule { area: None, command: plugin.command(&[function]) })
        });
        let plugins = plugins.iter().filter(|plugin| plugin.description.kind == Some(Kind::Mule));
        let plugins = plugins.map(|plugin| {
            Ok(Mule { area: plugin.description.area.clone(), command: plugin.command(&[]) })
        });
        own.chain(plugins).collect()
    }

    fn all_app_areas(&self) -> Result<Vec<AppArea>> {
        let is_alone = self.old_areas.len() == 1;
        let old = self.old_areas.iter().enumerate().map(|(at, text)| {
            let name = if is_alone { "shared".to_owned() } else { format!("shared{at}") };
            app_area::from_old_word(text, name)
        });
        self.app_areas.iter().cloned().map(Ok).chain(old).collect()
    }

    fn app(&self, plugins: &[Plugin]) -> Result<Option<App>> {
        let mut hosts = plugins.iter().filter(|p| p.description.kind == Some(Kind::App));
        let words = |command: &String| {
            shlex::split(command).filter(|words| !words.is_empty()).ok_or_else(|| {
                Error::usage(format!("`{command}` names no command that could be read"))
            })
        };
        let host = if let Some(psgi) = &self.psgi {
            let path = std::path::absolute(psgi).map_err(|e| {
                Error::usage(format!("failed to find the app `{}`: {e}", psgi.display()))
            })?;
            Host::Psgi(path)
        } else if let Some(app) = &self.asgi {
            Host::Asgi(app.clone())
        } else if let Some(command) = &self.program {
            Host::Program(words(command)?)
        } else if let Some(command) = &self.script {
            Host::Script(words(command)?)
        } else if let Some(plugin) = hosts.next() {
            Host::Program(plugin.command(&[]))
        } else {
            return Ok(None);
        };
        if let Some(other) = hosts.next() {
            return Err(Error::usage(format!(
                "`--plugin {}` is a second app: there can be one",
                other.name
            )));
        }
        let (processes, coroutines) = (self.processes.unwrap_or(1), self.coroutines.unwrap_or(1));
        let reload_on_change = self.reload_on_change;
        Ok(Some(App { host, processes, coroutines, reload_on_change }))
    }
}

/// Reads `[NAME=]SOURCE`. A name has no colon, so that `exec:a=b` has none.
fn camera(text: &str) -> Result<Camera> {
    let (name, source) = match text.split_once('=') {
        Some((name, source)) if !name.contains([':', '/']) => (name, source),
        _ => ("", text),
    };
    Ok(Camera { name: name.to_owned(), source: source.parse()? })
}

/// A plugin that writes pictures is a command that does, and its name is the camera's.
fn plugin_source(plugin: &Plugin) -> Result<Camera> {
    let command = plugin.command(&[]);
    let words = shlex::try_join(command.iter().map(String::as_str));
    let words = words.map_err(|e| Error::usage(format!("plugin `{}`: {e}", plugin.name)))?;
    let options = &plugin.description.options;
    let options = if options.is_empty() { String::new() } else { format!("?{options}") };
    Ok(Camera { name: plugin.name.clone(), source: format!("exec:{words}{options}").parse()? })
}

/// One camera is `camera`; several are `camera0`, `camera1`, … by their area's id.
fn name_the_nameless(sources: &mut [Camera]) {
    let is_alone = sources.len() == 1;
    for (id, camera) in sources.iter_mut().enumerate().filter(|(_, camera)| camera.name.is_empty())
    {
        camera.name = if is_alone { "camera".to_owned() } else { format!("camera{id}") };
    }
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
        cli.run.into_config(|| "test:".parse())
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
            (&["--area", "camera=4"], "two areas are called `camera`"),
            (&["--area", "7=4"], "means something else to apps"),
            (&["--mule", "x="], "names no command"),
            (&["--listen", "nowhere"], "write ADDRESS:PORT"),
        ] {
            let error = config(words).unwrap_err();
            assert_eq!(error.exit_status(), 2, "{words:?}");
            assert!(error.to_string().contains(needle), "{words:?}: {error}");
        }
    }
}
