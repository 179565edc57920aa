//! What a run is told, by a file, the environment and the command line: each lays its words over those before it, then
//! all together becomes one [`Config`](crate::config::Config), or a list of every mistake.

mod environment;
mod keys;
mod layer;
#[cfg(test)]
mod reference;
mod resolve;

use std::path::{Path, PathBuf};

use crate::config::{
    AllowedHost, AllowedOrigin, Anonymous, AppArea, Camera, ControlAccess, Host, Lan, Limits,
    Listen, Restart, stream,
};
use crate::error::{Error, Result};
use crate::mistakes::{Mistakes, Said};
pub(crate) use keys::set;
use layer::Layer;
pub use resolve::{camera, psgi, split};

/// What was said so far. What nobody says is as its [`Default`].
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Cameras; a name that is empty is to be made up.
    pub sources: Vec<Said<Camera>>,
    /// Streams that are made from others.
    pub streams: Vec<Said<stream::Wish>>,
    /// Programs beside the streams, and plugins' functions.
    pub mules: Vec<Said<String>>,
    /// Areas of application data.
    pub app_areas: Vec<Said<AppArea>>,
    /// Plugins by name.
    pub plugins: Vec<Said<String>>,
    /// Where to listen; the default where it is empty.
    pub listen: Vec<Said<Listen>>,
    /// Whether other devices are to be told, and how.
    pub lan: Option<Said<Lan>>,
    /// Areas that clients may change.
    pub writable: Vec<Said<String>>,
    /// Sites whose pages may watch.
    pub allowed_origins: Vec<Said<AllowedOrigin>>,
    /// The user that the program becomes.
    pub user: Option<String>,
    /// The file of a certificate, and of those that vouch for it.
    pub tls_certificate: Option<Said<PathBuf>>,
    /// The file of its key.
    pub tls_key: Option<Said<PathBuf>>,
    /// A certificate of our own.
    pub tls_self_signed: bool,
    /// The file of users.
    pub users: Option<Said<PathBuf>>,
    /// What somebody may who says no name.
    pub anonymous: Option<Said<Anonymous>>,
    /// Names of this server beside the machine's own.
    pub allowed_hosts: Vec<Said<AllowedHost>>,
    /// Who may change cameras' controls.
    pub control_access: ControlAccess,
    /// Processes that send.
    pub serve_processes: Option<usize>,
    /// What runs the app.
    pub host: Option<Said<Host>>,
    /// Processes of the app; without an app, as in the old commands, those that send.
    pub processes: Option<Said<usize>>,
    /// Requests that each of them handles at a time.
    pub coroutines: Option<Said<usize>>,
    /// Load the app again when one of its files has changed.
    pub reload_on_change: bool,
    /// Folder for the area sockets.
    pub runtime_folder: Option<PathBuf>,
    /// When a role that ended is started again.
    pub restart: Restart,
    /// What one viewer and all of them may take.
    pub limits: Limits,
}

impl Settings {
    /// Lays a file over what was said before.
    ///
    /// # Errors
    /// If it cannot be read. What is wrong in it is noted in `mistakes`.
    pub fn add_file(&mut self, path: &Path, mistakes: &mut Mistakes) -> Result<()> {
        let name = path.display().to_string();
        let text = std::fs::read_to_string(path)
            .map_err(|e| Error::usage(format!("failed to read the configuration `{name}`: {e}")))?;
        self.add_text(&name, &text, mistakes);
        Ok(())
    }

    /// The same for what stands in a file of this name.
    pub fn add_text(&mut self, name: &str, text: &str, mistakes: &mut Mistakes) {
        self.add(Layer::file(name, text), mistakes);
    }

    /// Lays one `KEY=VALUE` over what was said before.
    pub fn add_word(&mut self, word: &str, mistakes: &mut Mistakes) {
        match word.split_once('=') {
            Some((key, value)) => {
                let place = format!("--set {key}");
                self.add(Layer::word(key.trim(), value, &place), mistakes);
            }
            None => mistakes.add("--set", format!("takes KEY=VALUE, not `{word}`")),
        }
    }

    fn add(&mut self, layer: Layer, mistakes: &mut Mistakes) {
        keys::lay_over(self, &layer);
        mistakes.append(layer.finish());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mistakes_of(text: &str) -> Vec<String> {
        let (mut settings, mut mistakes) = (Settings::default(), Mistakes::default());
        settings.add_text("eyelet.toml", text, &mut mistakes);
        let config = settings.resolve(mistakes, || "test:".parse());
        config.err().map_or_else(Vec::new, |e| e.to_string().lines().map(str::to_owned).collect())
    }

    #[test]
    fn every_mistake_is_told_at_once_with_its_line_and_what_to_write() {
        let text = r#"
listen = ["127.0.0.1:9090", "nowhere"]
serve-processes = 300
serve-proceses = 2
lan = "loud"
api-write = ["a", "b"]

[[source]]
name = "front"
from = "test:640x480@30"
[[source]]
name = "front"
from = "test:?size=9"
[[source]]
from = "test:"
colour = "blue"

[[stream]]
kind = "jpeg"
of = "back"
[[stream]]
kind = "jpeg"
quality = 0

[[area]]
name = "a"
bytes = "4g"

[limits]
head-timeout = "soon"
connections = [1]

[app]
processes = 0
psgi = "a.pl"
asgi = "b:app"
"#;
        let expected = [
            (2, "`nowhere`"),
            (3, "serve-processes: takes 1 to 256, not `300`"),
            (4, "`serve-processes` may be meant"),
            (5, "takes auto, qr or plain"),
            (6, "an area `a` that cannot be written"),
            (6, "an area `b` that cannot be written"),
            (13, "`9` is no size"),
            (16, "no such key"),
            (18, "a camera `back` that is not there"),
            (21, "takes 1 to 100"),
            (27, "takes 1 to 16777216 bytes"),
            (30, "takes 0.1 to"),
            (31, "takes one value"),
            (34, "takes 1 to 256"),
            (35, "failed to read the app"),
            (36, "second app"),
        ];
        let mistakes = mistakes_of(text);
        for (line, needle) in expected {
            let place = format!("eyelet.toml:{line}: ");
            let found = mistakes.iter().any(|m| m.starts_with(&place) && m.contains(needle));
            assert!(found, "{line} {needle}: {mistakes:#?}");
        }
        assert_eq!(mistakes.len(), expected.len(), "{mistakes:#?}");
    }

    #[test]
    fn what_is_no_toml_is_told_with_its_line() {
        let mistakes = mistakes_of("listen = [\"127.0.0.1:1\"]\n[limits\nx = 1");
        assert!(mistakes[0].starts_with("eyelet.toml:2: "), "{mistakes:?}");
        assert!(mistakes_of("[[limits]]\n")[0].contains("is a table"));
        assert!(mistakes_of("[source]\nfrom = \"test:\"")[0].contains("[[source]]"));
        assert!(mistakes_of("source = [1]")[0].contains("takes tables"));
        assert!(mistakes_of("[app]\ncommand = []")[0].starts_with("eyelet.toml:2: "));
        assert!(mistakes_of("serve-processes = 2020-01-01")[0].contains("one value"));
    }

    #[test]
    fn later_words_are_laid_over_earlier_ones() {
        let (mut settings, mut mistakes) = (Settings::default(), Mistakes::default());
        let text =
            "listen = \":1\"\nserve-processes = 2\n[limits]\nconnections = 7\nheld-bytes = \"1M\"";
        settings.add_text("a.toml", text, &mut mistakes);
        settings.add_word("limits.connections=8", &mut mistakes);
        settings.add_word("listen=:2,:3", &mut mistakes);
        let config = settings.resolve(mistakes, || "test:".parse()).unwrap();
        assert_eq!(config.listen, [Listen::Everywhere(2), Listen::Everywhere(3)]);
        assert_eq!((config.limits.connections, config.limits.held_bytes), (8, 1 << 20));
        assert_eq!(config.serve_processes, 2);
        for (word, needle) in [
            ("limits.connections=none", "--set limits.connections: takes 1"),
            ("limits.conections=1", "`limits.connections` may be meant"),
            ("x", "takes KEY=VALUE"),
        ] {
            let (mut settings, mut mistakes) = (Settings::default(), Mistakes::default());
            settings.add_word(word, &mut mistakes);
            let error = settings.resolve(mistakes, || "test:".parse()).unwrap_err().to_string();
            assert!(error.contains(needle), "{word}: {error}");
        }
    }

    #[test]
    fn a_file_says_what_the_command_line_says() {
        let text = r#"
[[source]]
name = "front"
from = "test:?matrix=bt709"
size = "320x240"
fps = 15
control.brightness = 3

[[stream]]
name = "small"
kind = "jpeg"
of = "front"
quality = 60
width = 160

[[mule]]
area = "annotated"
command = ["python3", "my mule.py"]

[[area]]
name = "counters"
bytes = "4k"
"#;
        let (mut settings, mut mistakes) = (Settings::default(), Mistakes::default());
        settings.add_text("a.toml", text, &mut mistakes);
        let config = settings.resolve(mistakes, || panic!("there is a source")).unwrap();
        let source = config.sources[0].source.to_string();
        assert_eq!(source, "test:?matrix=bt709&fps=15&size=320x240&control.brightness=3");
        assert_eq!(config.streams[0].kind.width(), Some(160));
        assert_eq!(config.mules[0].command, ["python3", "my mule.py"]);
        let names: Vec<&str> = config.areas().into_iter().map(|(name, _)| name).collect();
        let expected = ["front", "small", "front-jpeg", "annotated-jpeg", "annotated", "counters"];
        assert_eq!(names, expected);
    }
}
