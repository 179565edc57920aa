//! Plugins: programs called `eyelet-NAME`, found as cargo and git find theirs, that say themselves what they are.
//!
//! `eyelet-NAME --describe` prints one JSON object ([`Description`]); run otherwise it does its work as a source, a mule or
//! an app host, with what these find in their environment. No foreign code is loaded. Normative: `docs/ref/plugins.md`.

pub mod build;
mod call;
mod describe;

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

pub use call::Call;
pub use describe::{Description, Kind};

use crate::error::{Error, Result};

/// What the executable of a plugin is called before its name.
const PREFIX: &str = "eyelet-";

/// A plugin that was found, and what it says of itself.
#[derive(Clone, Debug)]
pub struct Plugin {
    /// Its name: what follows `eyelet-`.
    pub name: String,
    /// Where it lies.
    pub path: PathBuf,
    /// What it says.
    pub description: Description,
}

impl Plugin {
    /// Its command line, with further words.
    #[must_use]
    pub fn command(&self, more: &[&str]) -> Vec<String> {
        let path = self.path.display().to_string();
        std::iter::once(path).chain(more.iter().map(|word| (*word).to_owned())).collect()
    }
}

/// Finds a plugin by its name and asks it what it is.
///
/// # Errors
/// A usage error that lists those that there are, or says what is wrong with this one.
pub fn find(name: &str) -> Result<Plugin> {
    let all = executables();
    let path = all.get(name).ok_or_else(|| {
        let known: Vec<&str> =
            BUILT_IN.iter().copied().chain(all.keys().map(String::as_str)).collect();
        Error::usage(format!(
            "there is no plugin `{name}`: there is {}; `{PREFIX}{name}` would be looked for on PATH and in `{}`",
            known.join(", "),
            folder().display()
        ))
    })?;
    let description = describe::ask(path)?;
    Ok(Plugin { name: name.to_owned(), path: path.clone(), description })
}

/// Names of the old program's plugins whose work is done without one.
pub const BUILT_IN: [&str; 4] = ["capture", "psgi", "http", "coroae"];

/// Every plugin that can be found, by its name, and what it says or what is wrong with it.
#[must_use]
pub fn all() -> BTreeMap<String, (PathBuf, Result<Description>)> {
    let all = executables().into_iter();
    all.map(|(name, path)| {
        let description = describe::ask(&path);
        (name, (path, description))
    })
    .collect()
}

/// Finds the plugin that offers a function: among those that were named, else among all.
///
/// # Errors
/// A usage error that lists the functions that there are.
pub fn with_function<'a>(
    function: &str,
    named: &[&'a Plugin],
) -> Result<std::borrow::Cow<'a, Plugin>> {
    use std::borrow::Cow;
    let offers = |description: &Description| description.functions.iter().any(|f| f == function);
    if let Some(plugin) = named.iter().find(|plugin| offers(&plugin.description)) {
        return Ok(Cow::Borrowed(plugin));
    }
    let mut known = vec!["captureloop()".to_owned()];
    for (name, (path, description)) in all() {
        let Ok(description) = description else { continue };
        if offers(&description) {
            return Ok(Cow::Owned(Plugin { name, path, description }));
        }
        known.extend(description.functions.iter().map(|f| format!("{f}() of {name}")));
    }
    let known = known.join(", ");
    Err(Error::usage(format!("`{function}()` is no function of a plugin: there is {known}")))
}

/// The folder of the user's own plugins: `$EYELET_PLUGINS`, else below the folder for a user's data.
#[must_use]
pub fn folder() -> PathBuf {
    if let Some(folder) = std::env::var_os("EYELET_PLUGINS") {
        return folder.into();
    }
    let data = std::env::var_os("XDG_DATA_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| Path::new(&home).join(".local/share")));
    data.unwrap_or_else(std::env::temp_dir).join("eyelet/plugins")
}

/// What can be run and is called like a plugin: in the plugins' folder first, then on PATH.
fn executables() -> BTreeMap<String, PathBuf> {
    let mut found = BTreeMap::new();
    let path = std::env::var_os("PATH").unwrap_or_default();
    // A relative folder would mean another one for each who runs this.
    let on_path = std::env::split_paths(&path).filter(|folder| folder.is_absolute());
    for folder in std::iter::once(folder().join("bin")).chain(on_path) {
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        for path in entries.flatten().map(|entry| entry.path()) {
            if let Some(name) = name_of(&path).filter(|_| is_executable(&path)) {
                found.entry(name).or_insert(path);
            }
        }
    }
    found
}

/// The name of the plugin that a file would be.
fn name_of(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_str()?.strip_prefix(PREFIX)?;
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    // Our own parts, and other files beside a plugin, as `eyelet-x.toml`.
    let is_ours = matches!(name, "psgi" | "bench");
    (!name.is_empty() && name.chars().all(is_word) && !is_ours).then(|| name.to_owned())
}

fn is_executable(path: &Path) -> bool {
    path.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_called_like_a_plugin_is_one() {
        let name = |path: &str| name_of(Path::new(path));
        assert_eq!(name("/usr/bin/eyelet-gpio").as_deref(), Some("gpio"));
        for other in
            ["/usr/bin/eyelet", "/x/eyelet-", "/x/eyelet-a.toml", "/x/eyelet-psgi", "/x/gpio"]
        {
            assert_eq!(name(other), None, "{other}");
        }
    }
}
