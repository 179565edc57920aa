//! What the executable carries for the user's programs: the Perl app host and the Python package, so that it is all one
//! needs to install. They are put into the runtime folder, where interpreters find them.

use std::io;
use std::path::Path;

/// A file: where it lies, and its text.
type File = (&'static str, &'static str);

macro_rules! files {
    ($folder:literal: $($path:literal),* $(,)?) => {
        &[$(($path, include_str!(concat!("../../../../apps/", $folder, "/", $path)))),*]
    };
}

const PERL: &[File] = files!("perl":
    "eyelet-psgi",
    "lib/Eyelet/PSGI/Ahead.pm",
    "lib/Eyelet/PSGI/Calls.pm",
    "lib/Eyelet/PSGI/Coroutines.pm",
    "lib/Eyelet/PSGI/Crew.pm",
    "lib/Eyelet/PSGI/Host.pm",
    "lib/Eyelet/PSGI/Link.pm",
    "lib/Eyelet/PSGI/Process.pm",
    "lib/Eyelet/PSGI/Request.pm",
    "lib/Eyelet/PSGI/Response.pm",
    "lib/Eyelet/PSGI/Worker.pm",
);

const PYTHON: &[File] = files!("python":
    "eyelet/__init__.py",
    "eyelet/aio.py",
    "eyelet/area.py",
    "eyelet/asgi/__init__.py",
    "eyelet/asgi/__main__.py",
    "eyelet/asgi/areas.py",
    "eyelet/asgi/command.py",
    "eyelet/asgi/head.py",
    "eyelet/asgi/http.py",
    "eyelet/asgi/lifespan.py",
    "eyelet/asgi/link.py",
    "eyelet/asgi/loading.py",
    "eyelet/asgi/parent.py",
    "eyelet/asgi/scope.py",
    "eyelet/asgi/talk.py",
    "eyelet/asgi/websocket.py",
    "eyelet/asgi/worker.py",
    "eyelet/errors.py",
    "eyelet/frame.py",
    "eyelet/memfd.py",
    "eyelet/messages.py",
    "eyelet/outlet.py",
    "eyelet/owner.py",
    "eyelet/places.py",
    "eyelet/py.typed",
    "eyelet/subscription.py",
);

/// Puts all files below `folder`: `perl/…`, `python/…`.
pub(super) fn install(folder: &Path) -> io::Result<()> {
    for (language, files) in [("perl", PERL), ("python", PYTHON)] {
        for (path, text) in files {
            let path = folder.join(language).join(path);
            std::fs::create_dir_all(path.parent().unwrap_or(folder))?;
            std::fs::write(path, text)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Files below a folder, without those of tests.
    fn found(folder: &Path, below: &str) -> Vec<String> {
        let mut found = Vec::new();
        for entry in std::fs::read_dir(folder.join(below)).unwrap().flatten() {
            let path = format!("{below}{}", entry.file_name().display());
            if entry.path().is_dir() {
                found.extend(found_in(folder, &path));
            } else {
                found.push(path);
            }
        }
        found.sort();
        found
    }

    fn found_in(folder: &Path, path: &str) -> Vec<String> {
        let is_left_out = path.ends_with("__pycache__");
        if is_left_out { Vec::new() } else { found(folder, &format!("{path}/")) }
    }

    fn carried(files: &[File]) -> Vec<String> {
        let mut carried: Vec<String> = files.iter().map(|(path, _)| (*path).to_owned()).collect();
        carried.sort();
        carried
    }

    #[test]
    fn every_file_is_carried() {
        let apps = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../apps");
        let perl = found_in(&apps.join("perl"), "lib");
        assert_eq!(carried(PERL)[1..], perl);
        assert_eq!(carried(PYTHON), found_in(&apps.join("python"), "eyelet"));
    }
}
