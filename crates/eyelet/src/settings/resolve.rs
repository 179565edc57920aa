//! From what was said to one configuration: names for the nameless, what plugins are, and what only the whole tells.

use std::path::PathBuf;

use super::Settings;
use crate::certificate;
use crate::config::{
    Access, Anonymous, App, Camera, Config, Derived, Host, Listen, Mule, Secret, SourceSpec, Tls,
    app, stream,
};
use crate::error::{Error, Result};
use crate::mistakes::{Mistakes, Said};
use crate::plugin::{self, Call, Kind, Plugin};
use crate::users;

/// The old program needed this mule; capture always has a process of its own.
const CAPTURE_LOOP: &str = "captureloop()";
/// Longest name, in bytes: with the runtime folder it stands in the path of a socket, which has 107.
const MAX_NAME_LEN: usize = 64;
/// What a camera's name may grow by when a stream is named after it: `-jpeg-65535`.
const DERIVED_NAME_LEN: usize = 11;

impl Settings {
    /// Makes the configuration. `default_source` is asked only if no source is named; `mistakes` are those of what was
    /// said so far.
    ///
    /// # Errors
    /// All mistakes, a line each, with their places.
    pub fn resolve(
        self,
        mut mistakes: Mistakes,
        default_source: impl FnOnce() -> Result<SourceSpec>,
    ) -> Result<Config> {
        let plugins = find_plugins(&self.plugins, &mut mistakes);
        let sources = name_the_nameless(self.cameras(&plugins, default_source, &mut mistakes));
        let mules = all_mules(&self.mules, &plugins, &mut mistakes);
        let streams = derive(&self.streams, &sources, &mules, &mut mistakes);
        let app = self.app(&plugins, &mut mistakes);
        // As in the old commands: without an app, it means the serving ones.
        let old_meaning = self.processes.as_ref().filter(|_| app.is_none()).map(|said| said.value);
        let usual = if self.lan.is_some() { Listen::LAN } else { Listen::DEFAULT };
        let listen: Vec<Listen> = match self.listen.as_slice() {
            [] => vec![usual],
            all => all.iter().map(|said| said.value.clone()).collect(),
        };
        if let Some(lan) = &self.lan
            && listen.iter().all(|listen| listen.is_loopback())
        {
            let text = "is for other devices, which reach none of the addresses of --listen";
            mistakes.add(&lan.place, format!("{text}: leave that out, or write --listen :9090"));
        }
        let tls = self.tls(&mut mistakes);
        let access = self.access(&mut mistakes);
        let mut restart = self.restart;
        restart.first = restart.first.min(restart.cap);
        check_names(&sources, &streams, &mules, &self.app_areas, &mut mistakes);
        let values = |said: Vec<Said<Camera>>| said.into_iter().map(|said| said.value).collect();
        let config = Config {
            sources: values(sources),
            streams: streams.into_iter().map(|said| said.value).collect(),
            mules: mules.into_iter().map(|said| said.value).collect(),
            app_areas: self.app_areas.into_iter().map(|said| said.value).collect(),
            writable: self.writable.iter().map(|said| said.value.clone()).collect(),
            allowed_origins: self.allowed_origins.into_iter().map(|said| said.value).collect(),
            user: self.user,
            tls,
            access,
            control_access: self.control_access,
            listen,
            lan: self.lan.map(|said| said.value),
            serve_processes: self.serve_processes.or(old_meaning).unwrap_or(1),
            app,
            runtime_folder: self.runtime_folder,
            restart,
            limits: self.limits,
        };
        check_writable(&config, &self.writable, &mut mistakes);
        mistakes.finish(config)
    }

    fn cameras(
        &self,
        plugins: &[Said<Plugin>],
        default_source: impl FnOnce() -> Result<SourceSpec>,
        mistakes: &mut Mistakes,
    ) -> Vec<Said<Camera>> {
        let mut cameras = self.sources.clone();
        for Said { value: plugin, place } in of_kind(plugins, Kind::Source) {
            let camera = mistakes.take(place, plugin_source(plugin));
            cameras.extend(camera.map(|camera| Said::new(camera, place)));
        }
        if cameras.is_empty() {
            let source = mistakes.take("--source", default_source());
            let nameless = |source| Camera { name: String::new(), source };
            cameras.extend(source.map(|source| Said::new(nameless(source), "--source")));
        }
        cameras
    }

    /// Who says nothing of users has none, and is open as ever.
    fn access(&self, mistakes: &mut Mistakes) -> Access {
        let mut access = Access::default();
        if let Some(Said { value: path, place }) = &self.users {
            let mut in_it = Mistakes::default();
            let read = users::read(path, &mut in_it);
            access.users = mistakes.take(place, read).unwrap_or_default();
            mistakes.append(in_it);
            access.anonymous = Anonymous::None;
        }
        if let Some(anonymous) = &self.anonymous {
            access.anonymous = anonymous.value;
            let is_reachable =
                !access.users.is_empty() || self.users.is_some() || self.lan.is_some();
            if anonymous.value == Anonymous::None && !is_reachable {
                let text = "lets nobody in: name users by --users FILE, or have --lan print a link";
                mistakes.add(&anonymous.place, text);
            }
        }
        access.hosts = self.allowed_hosts.iter().map(|said| said.value.clone()).collect();
        access
    }

    /// A certificate is looked at before anything happens.
    fn tls(&self, mistakes: &mut Mistakes) -> Option<Tls> {
        let read = |said: &Said<PathBuf>, what: &str| {
            std::fs::File::open(&said.value).and_then(users::read_bounded).map_err(|e| {
                let path = said.value.display();
                Error::usage(format!("failed to read the {what} `{path}`: {e}"))
            })
        };
        match (&self.tls_certificate, &self.tls_key) {
            (None, None) => self.tls_self_signed.then_some(Tls::SelfSigned),
            (Some(certificate), Some(key)) => {
                let text = mistakes.take(&certificate.place, read(certificate, "certificate"));
                let key_text = mistakes.take(&key.place, read(key, "key"));
                let tls = Tls::Given { certificate: text?, key: Secret(key_text?) };
                mistakes.take(&certificate.place, certificate::server_config(&tls))?;
                Some(tls)
            }
            (Some(alone), None) => {
                mistakes.add(&alone.place, "needs its key as well: --tls-key");
                None
            }
            (None, Some(alone)) => {
                mistakes.add(&alone.place, "needs its certificate as well: --tls-certificate");
                None
            }
        }
    }

    fn app(&self, plugins: &[Said<Plugin>], mistakes: &mut Mistakes) -> Option<App> {
        let mut hosts = of_kind(plugins, Kind::App);
        let host = match &self.host {
            Some(host) => host.clone(),
            None => {
                let Said { value: plugin, place } = hosts.next()?;
                Said::new(Host::Program(plugin.command(&[])), place)
            }
        };
        for other in hosts {
            let name = &other.value.name;
            mistakes.add(&other.place, format!("`{name}` is a second app: there can be one"));
        }
        let number = |said: &Option<Said<usize>>| said.as_ref().map_or(1, |said| said.value);
        let app = App {
            host: host.value,
            processes: number(&self.processes),
            coroutines: number(&self.coroutines),
            reload_on_change: self.reload_on_change,
        };
        if app.places() > app::MAX_PLACES {
            let place = self.coroutines.as_ref().or(self.processes.as_ref());
            let place = place.map_or("--coroutines", |said| &said.place);
            let (places, most) = (app.places(), app::MAX_PLACES);
            mistakes.add(place, format!("times the processes takes 1 to {most}, not {places}"));
        }
        mistakes.take(&host.place, app.check_host())?;
        Some(app)
    }
}

/// Reads `[NAME=]SOURCE`. A name has no colon, so that `exec:a=b` has none.
///
/// # Errors
/// As [`SourceSpec`] has them.
pub fn camera(text: &str) -> Result<Camera> {
    let (name, source) = match text.split_once('=') {
        Some((name, source)) if !name.contains([':', '/']) => (name, source),
        _ => ("", text),
    };
    Ok(Camera { name: name.to_owned(), source: source.parse()? })
}

/// A PSGI script, by its path.
///
/// # Errors
/// If the path cannot be made absolute.
pub fn psgi(path: &str) -> Result<Host> {
    let absolute = std::path::absolute(path);
    absolute
        .map(Host::Psgi)
        .map_err(|e| Error::usage(format!("failed to find the app `{path}`: {e}")))
}

/// Splits a command as a shell does.
///
/// # Errors
/// If a quote is open, or it is empty.
pub fn split(command: &str) -> Result<Vec<String>> {
    shlex::split(command)
        .filter(|words| !words.is_empty())
        .ok_or_else(|| Error::usage(format!("`{command}` names no command that could be read")))
}

/// The plugins that were named; those of the old program that are built in need none.
fn find_plugins(said: &[Said<String>], mistakes: &mut Mistakes) -> Vec<Said<Plugin>> {
    let names = said.iter().flat_map(|said| said.value.split(',').map(move |name| (name, said)));
    let others = names.filter(|(name, _)| !plugin::BUILT_IN.contains(name));
    let find = |(name, said): (&str, &Said<String>)| {
        let plugin = mistakes.take(&said.place, plugin::find(name))?;
        Some(Said::new(plugin, said.place.as_str()))
    };
    others.filter_map(find).collect()
}

fn of_kind(plugins: &[Said<Plugin>], kind: Kind) -> impl Iterator<Item = &Said<Plugin>> {
    plugins.iter().filter(move |said| said.value.description.kind == Some(kind))
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
fn name_the_nameless(mut sources: Vec<Said<Camera>>) -> Vec<Said<Camera>> {
    let is_alone = sources.len() == 1;
    let nameless = |(_, said): &(usize, &mut Said<Camera>)| said.value.name.is_empty();
    for (id, Said { value: camera, .. }) in sources.iter_mut().enumerate().filter(nameless) {
        camera.name = if is_alone { "camera".to_owned() } else { format!("camera{id}") };
    }
    sources
}

/// The programs beside the streams: the user's own, and those of plugins.
fn all_mules(
    said: &[Said<String>],
    plugins: &[Said<Plugin>],
    mistakes: &mut Mistakes,
) -> Vec<Said<Mule>> {
    let found: Vec<&Plugin> = plugins.iter().map(|said| &said.value).collect();
    let mut mules = Vec::new();
    for Said { value: text, place } in said.iter().filter(|said| said.value != CAPTURE_LOOP) {
        let mule = mistakes.take(place, mule(text, &found));
        mules.extend(mule.map(|mule| Said::new(mule, place)));
    }
    for Said { value: plugin, place } in of_kind(plugins, Kind::Mule) {
        let mule = Mule { area: plugin.description.area.clone(), command: plugin.command(&[]) };
        mules.push(Said::new(mule, place));
    }
    mules
}

fn mule(text: &str, plugins: &[&Plugin]) -> Result<Mule> {
    let Some(call) = Call::parse(text)? else { return text.parse() };
    let plugin = plugin::with_function(&call.function, plugins)?;
    let words = call.words.iter().map(String::as_str);
    let words: Vec<&str> = std::iter::once(call.function.as_str()).chain(words).collect();
    Ok(Mule { area: call.area, command: plugin.command(&words) })
}

fn derive(
    wishes: &[Said<stream::Wish>],
    sources: &[Said<Camera>],
    mules: &[Said<Mule>],
    mistakes: &mut Mistakes,
) -> Vec<Said<Derived>> {
    let cameras: Vec<&str> = sources.iter().map(|said| said.value.name.as_str()).collect();
    let shown: Vec<&str> = mules.iter().filter_map(|said| said.value.area.as_deref()).collect();
    let known = |said: &&Said<stream::Wish>| {
        let named = said.value.check_camera(&cameras, &shown);
        mistakes.take(&said.place, named).is_some()
    };
    let wishes: Vec<&Said<stream::Wish>> = wishes.iter().filter(known).collect();
    let derived = stream::derive(wishes.iter().map(|said| &said.value), &cameras, &shown);
    // Those that nobody asked for come behind the others; a name that is taken is a mistake of who took it.
    let places = wishes.iter().map(|said| said.place.as_str()).chain(std::iter::repeat("--stream"));
    derived.into_iter().zip(places).map(|(stream, place)| Said::new(stream, place)).collect()
}

fn check_names(
    sources: &[Said<Camera>],
    streams: &[Said<Derived>],
    mules: &[Said<Mule>],
    app_areas: &[Said<crate::config::AppArea>],
    mistakes: &mut Mistakes,
) {
    let mut taken: Vec<&str> = Vec::new();
    for Said { value: Camera { name, .. }, place } in sources {
        check_word(name, "camera", MAX_NAME_LEN, place, mistakes);
        if taken.contains(&name.as_str()) {
            let text = format!("two cameras are called `{name}`; name one of them otherwise");
            mistakes.add(place, text);
        }
        taken.push(name);
    }
    let streams = streams.iter().map(|s| (&s.value.name, "stream", DERIVED_NAME_LEN, &s.place));
    let owned = mules.iter().filter_map(|m| Some((m.value.area.as_ref()?, "area", 0, &m.place)));
    let app_areas = app_areas.iter().map(|a| (&a.value.name, "area", 0, &a.place));
    for (name, what, more, place) in streams.chain(owned).chain(app_areas) {
        check_word(name, what, MAX_NAME_LEN + more, place, mistakes);
        if taken.contains(&name.as_str()) {
            let text = format!("two areas are called `{name}`; name one of them otherwise");
            mistakes.add(place, format!("{text}, a stream by --stream NAME=KIND:CAMERA"));
        }
        if name == "recv" || name.bytes().all(|byte| byte.is_ascii_digit()) {
            let text = format!("`{name}` is no {what} name: it means something else to apps");
            mistakes.add(place, text);
        }
        taken.push(name);
    }
}

fn check_word(name: &str, what: &str, max_len: usize, place: &str, mistakes: &mut Mistakes) {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if !(1..=max_len).contains(&name.len()) || !name.chars().all(is_word) {
        let text = "use up to 64 letters, digits, `-` and `_`";
        mistakes.add(place, format!("`{name}` is no {what} name: {text}"));
    }
}

fn check_writable(config: &Config, said: &[Said<String>], mistakes: &mut Mistakes) {
    let areas = config.areas();
    let may_be = areas.iter().filter(|(_, origin)| origin.may_take_requests());
    let may_be: Vec<&str> = may_be.map(|(name, _)| *name).collect();
    for Said { value: name, place } in said.iter().filter(|s| !may_be.contains(&s.value.as_str())) {
        let there = match may_be.as_slice() {
            [] => "none; --area makes one".to_owned(),
            names => names.join(", "),
        };
        let text = format!("names an area `{name}` that cannot be written: there is {there}");
        mistakes.add(place, text);
    }
}
