//! Every key: what it takes, and what it sets. `config/reference.toml` shows them all; a test compares.

use std::num::NonZeroUsize;

use super::layer::{Layer, Section};
use super::{Settings, resolve};
use crate::config::words::{bytes, number, seconds, truth};
use crate::config::{
    AppArea, Camera, Host, Limits, MAX_CONNECTIONS, MAX_PROCESSES, Restart, SourceSpec, app,
    app_area, stream,
};
use crate::error::{Error, Result};
use crate::mistakes::Said;

/// A day: more is a mistake.
const DAY: f64 = 86_400.0;

/// Lays what a layer says over what was said before.
pub(super) fn lay_over(settings: &mut Settings, layer: &Layer) {
    let root = layer.root();
    let said = settings;
    set(&mut said.listen, root.list("listen", str::parse));
    set(&mut said.lan, root.said("lan", str::parse).map(Some));
    set(
        &mut said.serve_processes,
        root.one("serve-processes", number(1..=MAX_PROCESSES)).map(Some),
    );
    set(&mut said.allowed_origins, root.list("allow-origin", str::parse));
    set(&mut said.allowed_hosts, root.list("allow-host", str::parse));
    set(&mut said.users, root.said("users", |path| Ok(path.into())).map(Some));
    set(&mut said.anonymous, root.said("anonymous", str::parse).map(Some));
    set(&mut said.writable, root.list("api-write", text));
    set(&mut said.control_access, root.one("api-control", str::parse));
    set(&mut said.user, root.one("user", text).map(Some));
    set(&mut said.runtime_folder, root.one("runtime-dir", text).map(|path| Some(path.into())));
    set(&mut said.plugins, root.list("plugin", text));
    set(&mut said.sources, several(layer, "source", resolve::camera, source));
    set(&mut said.streams, several(layer, "stream", str::parse, stream));
    set(&mut said.mules, several(layer, "mule", text, mule));
    set(&mut said.app_areas, several(layer, "area", str::parse, area));
    lay_app_over(said, &root.section("app"));
    lay_tls_over(said, &root.section("tls"));
    lay_restart_over(&mut said.restart, &root.section("restart"));
    lay_limits_over(&mut said.limits, &root.section("limits"));
}

fn lay_app_over(said: &mut Settings, app: &Section<'_>) {
    let hosts = [
        app.said("psgi", resolve::psgi),
        app.said("asgi", |name| Ok(Host::Asgi(name.to_owned()))),
        command(app, "command").map(|said| Said::new(Host::Program(said.value), said.place)),
        command(app, "script").map(|said| Said::new(Host::Script(said.value), said.place)),
    ];
    let mut hosts = hosts.into_iter().flatten();
    set(&mut said.host, hosts.next().map(Some));
    for other in hosts {
        app.mistake(&other.place, "is a second app: there can be one");
    }
    set(&mut said.processes, app.said("processes", number(1..=MAX_PROCESSES)).map(Some));
    set(&mut said.coroutines, app.said("coroutines", number(1..=app::MAX_PLACES)).map(Some));
    set(&mut said.reload_on_change, app.one("reload-on-change", truth));
}

fn lay_tls_over(said: &mut Settings, tls: &Section<'_>) {
    set(&mut said.tls_certificate, tls.said("certificate", |path| Ok(path.into())).map(Some));
    set(&mut said.tls_key, tls.said("key", |path| Ok(path.into())).map(Some));
    set(&mut said.tls_self_signed, tls.one("self-signed", truth));
}

fn lay_restart_over(restart: &mut Restart, section: &Section<'_>) {
    set(&mut restart.first, section.one("first", seconds(0.01..=60.0)));
    set(&mut restart.cap, section.one("cap", seconds(0.0..=DAY)));
    set(&mut restart.healthy_after, section.one("healthy-after", seconds(0.0..=DAY)));
}

fn lay_limits_over(limits: &mut Limits, section: &Section<'_>) {
    let places = number(1..=MAX_CONNECTIONS);
    set(&mut limits.connections, section.one("connections", &places));
    let per_address = section.one("connections-per-address", number(1..=MAX_CONNECTIONS));
    set(&mut limits.connections_per_address, per_address.map(NonZeroUsize::new));
    set(&mut limits.head_timeout, section.one("head-timeout", seconds(0.1..=3600.0)));
    // hyper needs 8 KiB.
    set(&mut limits.head_bytes, section.one("head-bytes", number_of_bytes(8 << 10, 1 << 20)));
    set(&mut limits.body_bytes, section.one("body-bytes", number_of_bytes(0, 64 << 20)));
    set(&mut limits.body_timeout, section.one("body-timeout", seconds(0.1..=3600.0)));
    set(&mut limits.message_bytes, section.one("message-bytes", number_of_bytes(126, 16 << 20)));
    set(&mut limits.held_bytes, section.one("held-bytes", bytes(0..=1 << 40)));
    set(&mut limits.stop_timeout, section.one("stop-timeout", seconds(0.0..=3600.0)));
    set(&mut limits.app_wait, section.one("app-wait", seconds(0.0..=DAY)));
    set(&mut limits.send_timeout, section.one("send-timeout", seconds(0.1..=DAY)));
}

/// What is said replaces what was said before.
pub(crate) fn set<T>(to: &mut T, said: Option<T>) {
    if let Some(said) = said {
        *to = said;
    }
}

fn text(word: &str) -> Result<String> {
    Ok(word.to_owned())
}

fn number_of_bytes(least: u64, most: u64) -> impl Fn(&str) -> Result<usize> {
    move |word| usize::try_from(bytes(least..=most)(word)?).map_err(Error::usage)
}

/// Reads the items of a file, or words as on the command line from elsewhere; none where there are none.
fn several<T>(
    layer: &Layer,
    key: &str,
    of_word: impl Fn(&str) -> Result<T>,
    of_item: impl Fn(&Section<'_>) -> Option<Said<T>>,
) -> Option<Vec<Said<T>>> {
    let root = layer.root();
    if !layer.is_file() {
        return root.list(key, of_word);
    }
    // Which keys an item has is known also where there is none.
    of_item(&root.no_item(key));
    let items = root.items(key);
    (!items.is_empty()).then(|| items.iter().filter_map(of_item).collect())
}

/// The text of an item that has to have one.
fn needed(item: &Section<'_>, key: &str) -> Option<String> {
    let said = item.one(key, text);
    if said.is_none() && item.exists() && !item.has(key) {
        item.mistake(&item.place, &format!("needs the key `{key}`"));
    }
    said
}

/// `KEY=VALUE&…` of those that are there.
fn options(item: &Section<'_>, keys: &[&str]) -> Vec<String> {
    let option = |key: &&str| Some(format!("{key}={}", item.one(key, option_value)?));
    keys.iter().filter_map(option).collect()
}

/// A value that can stand behind a `?`.
fn option_value(word: &str) -> Result<String> {
    if word.contains(['&', '?']) {
        return Err(Error::usage(format!("takes no `&` and no `?`, as in `{word}`")));
    }
    Ok(word.to_owned())
}

fn source(item: &Section<'_>) -> Option<Said<Camera>> {
    let name = item.one("name", text).unwrap_or_default();
    let mut source = item.one("from", str::parse::<SourceSpec>);
    if source.is_none() && item.exists() && !item.has("from") {
        item.mistake(&item.place, "needs the key `from`");
    }
    let mut set = |place: &str, key: &str, value: &str| {
        // Where `from` is wrong already nothing more can be told.
        if let Some(source) = &mut source {
            item.take_at(place, source.set(key, value));
        }
    };
    for key in ["format", "fps", "matrix", "range", "size"] {
        if let Some(said) = item.said(key, text) {
            set(&said.place, key, &said.value);
        }
    }
    let controls = item.section("control");
    for (control, value) in controls.words() {
        set(&controls.place, &format!("control.{control}"), &value);
    }
    Some(Said::new(Camera { name, source: source? }, &*item.place))
}

fn stream(item: &Section<'_>) -> Option<Said<stream::Wish>> {
    let name = item.one("name", text).map(|name| format!("{name}=")).unwrap_or_default();
    let of = item.one("of", text).map(|of| format!(":{of}")).unwrap_or_default();
    let kind = needed(item, "kind");
    let options = options(item, &["quality", "width", "bitrate", "gop"]);
    let options =
        if options.is_empty() { String::new() } else { format!("?{}", options.join("&")) };
    let wish = format!("{name}{}{of}{options}", kind?);
    item.take(wish.parse()).map(|wish| Said::new(wish, &*item.place))
}

fn mule(item: &Section<'_>) -> Option<Said<String>> {
    let area = item.one("area", text).map(|area| format!("{area}=")).unwrap_or_default();
    let words = item.list("command", text);
    if words.is_none() && item.exists() && !item.has("command") {
        item.mistake(&item.place, "needs the key `command`");
    }
    let command = item.take(join(words?))?;
    Some(Said::new(format!("{area}{command}"), &*item.place))
}

fn area(item: &Section<'_>) -> Option<Said<AppArea>> {
    let name = needed(item, "name");
    let len = item.one("bytes", bytes(1..=app_area::MAX_KEEP_LEN));
    if len.is_none() && item.exists() && !item.has("bytes") {
        item.mistake(&item.place, "needs the key `bytes`");
    }
    Some(Said::new(AppArea { name: name?, len: len? }, &*item.place))
}

/// A command as one text, which is split as a shell does, or as its words.
fn command(section: &Section<'_>, key: &str) -> Option<Said<Vec<String>>> {
    let words = section.list_of_whole(key, text)?;
    // An empty list has no word whose place it could be.
    let place = section.place_of(key);
    let split = join(words).and_then(|command| resolve::split(&command));
    section.take_at(&place, split).map(|words| Said::new(words, place))
}

/// Makes one text of a command's words; one alone is a text already.
fn join(words: Vec<Said<String>>) -> Result<String> {
    match words.as_slice() {
        [one] => Ok(one.value.clone()),
        words => shlex::try_join(words.iter().map(|word| word.value.as_str()))
            .map_err(|e| Error::usage(format!("has a word that cannot be written: {e}"))),
    }
}
