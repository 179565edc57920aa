//! `cargo xtask conformance [case...]`: Autobahn's own WebSocket test suite on the released executable, with an app that
//! echoes.
//!
//! A second opinion on `tests/it/autobahn`, which runs the same cases, by their numbers, in the check. The suite needs
//! Python 2.7, which Debian 11 was the last to have: its packages are unpacked into a folder of their own in the target
//! folder, and the suite comes from PyPI in the versions of `tests/conformance/requirements.txt`.

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use crate::command;
use crate::packages::{cached, remove_folder, unpack_from};

const RELEASE: &str = "bullseye";
const PACKAGES: [&str; 7] = [
    "libffi7",
    "libpython2.7-minimal",
    "libpython2.7-stdlib",
    "libssl1.1",
    "python-pip-whl",
    "python2.7",
    "python2.7-minimal",
];
/// Of `requirements.txt`, what the others are built with.
const SETUPTOOLS: &str = "setuptools==44.0.0";

/// Cases that do not apply: why stands in `tests/it/autobahn/mod.rs`.
const LEFT_OUT: [&str; 16] = [
    "9.1.2", "9.1.3", "9.1.4", "9.1.5", "9.1.6", "9.2.2", "9.2.3", "9.2.4", "9.2.5", "9.2.6",
    "9.3.*", "9.4.*", "9.5.*", "9.6.*", "12.*", "13.*",
];
/// What a case may end with.
const PASSED: [&str; 3] = ["OK", "NON-STRICT", "INFORMATIONAL"];
/// What the suite calls us.
const AGENT: &str = "eyelet";
/// The server listens after so long, or never.
const PATIENCE: Duration = Duration::from_secs(30);

/// Runs the command.
///
/// # Errors
/// If the suite cannot be had or does not run; a failed case is not an error but an exit status.
pub(crate) fn run(arguments: &[String]) -> Result<ExitCode> {
    let built = crate::target_folder().join("release/eyelet");
    let executable = std::env::var_os("EYELET_BIN").map_or(built, PathBuf::from);
    let missing = || format!("no `{}`: `cargo xtask check build` makes it", executable.display());
    ensure!(executable.is_file(), missing());
    let suite = Suite::get()?;
    let server = Server::start(&executable)?;
    let results = suite.run(&server, arguments)?;
    Ok(print(&results))
}

/// The suite, and the Python that runs it.
#[derive(Debug)]
struct Suite {
    /// What a root folder would have.
    system: PathBuf,
    /// What pip has installed.
    site: PathBuf,
    reports: PathBuf,
}

impl Suite {
    fn get() -> Result<Self> {
        let folder = std::path::absolute(crate::target_folder().join("conformance"))?;
        let list = crate::workspace_root().join("tests/conformance/requirements.txt");
        let wanted = fs::read_to_string(&list)
            .with_context(|| format!("failed to read `{}`", list.display()))?;
        fs::create_dir_all(&folder)?;
        let system = cached(&folder.join("system"), &PACKAGES.join(" "), |system| {
            eprintln!("fetching Python 2.7 from Debian {RELEASE}");
            unpack_from(RELEASE, &PACKAGES, system)
        })?;
        let suite = Self { system, site: folder.join("site"), reports: folder.join("reports") };
        cached(&suite.site, &wanted, |site| {
            eprintln!("fetching Autobahn's test suite from PyPI");
            remove_folder(site)?;
            suite.install(&[SETUPTOOLS])?;
            suite.install(&["--requirement", command::path_text(&list)?])
        })
        .context("Autobahn's test suite")?;
        Ok(suite)
    }

    fn python(&self) -> Result<Command> {
        let usr = self.system.join("usr");
        let mut python = Command::new(usr.join("bin/python2.7"));
        let libraries = format!("usr/lib/{}-linux-gnu", std::env::consts::ARCH);
        python.env("PYTHONHOME", &usr).env("LD_LIBRARY_PATH", self.system.join(libraries));
        let wheels = fs::read_dir(usr.join("share/python-wheels"))?;
        let wheels = wheels.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
        let path = std::env::join_paths(std::iter::once(&self.site).chain(&wheels))?;
        python.env("PYTHONPATH", path).env("PYTHONDONTWRITEBYTECODE", "1");
        Ok(python)
    }

    /// Installs what is named and nothing else: the list is complete.
    fn install(&self, what: &[&str]) -> Result<()> {
        let mut pip = self.python()?;
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]);
        command::output(pip.arg("--target").arg(&self.site).args(what)).map(drop)
    }

    /// Runs cases, all without a pattern, and gives the suite's results by their numbers.
    fn run(&self, server: &Server, patterns: &[String]) -> Result<BTreeMap<String, Value>> {
        remove_folder(&self.reports)?;
        fs::create_dir_all(&self.reports)?;
        let all = ["*".to_owned()];
        let spec = json!({
            "outdir": self.reports,
            "servers": [{"agent": AGENT, "url": format!("ws://127.0.0.1:{}/", server.port)}],
            "cases": if patterns.is_empty() { &all[..] } else { patterns },
            "exclude-cases": LEFT_OUT,
            "exclude-agent-cases": {},
        });
        let file = self.reports.join("spec.json");
        fs::write(&file, spec.to_string())?;
        // A site of its own has the namespace packages that a mere path lacks.
        let start = format!(
            "import site, sys; site.addsitedir({:?}); sys.argv[0] = 'wstest'; \
             from autobahntestsuite.wstest import run; run()",
            command::path_text(&self.site)?
        );
        let mut python = self.python()?;
        python.args(["-c", &start, "--mode", "fuzzingclient", "--spec"]).arg(&file);
        command::output(python.current_dir(&self.reports))?;
        let index = self.reports.join("index.json");
        let text =
            fs::read(&index).with_context(|| format!("the suite left no `{}`", index.display()))?;
        let mut results: BTreeMap<String, BTreeMap<String, Value>> = serde_json::from_slice(&text)?;
        results.remove(AGENT).context("the suite tells nothing of us")
    }
}

/// The server under test; ended when dropped.
#[derive(Debug)]
struct Server {
    child: Child,
    port: u16,
    /// Its folder, removed after its end.
    _folder: tempfile::TempDir,
}

impl Server {
    fn start(executable: &Path) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let app = crate::workspace_root().join("examples/python/echo_app.py");
        let mut command = Command::new(executable);
        command.args(["--listen", &format!("127.0.0.1:{port}"), "--source", "test:64x48@5"]);
        command.args(["--coroutines", "4", "--asgi", &format!("{}:app", app.display())]);
        command.current_dir(folder.path()).env("XDG_RUNTIME_DIR", folder.path());
        command.env_remove("RUNTIME_DIRECTORY").stdin(Stdio::null()).stdout(Stdio::null());
        let child = command.spawn().context("failed to start the server")?;
        let mut server = Self { child, port, _folder: folder };
        let began = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            ensure!(server.child.try_wait()?.is_none(), "the server ended at once");
            ensure!(began.elapsed() < PATIENCE, "the server does not listen");
            // Nothing to wait for: nobody tells when a port begins to listen.
            #[allow(clippy::disallowed_methods, reason = "a pause between two looks")]
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(server)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Its children end with it. It may have ended by itself, which is what is wanted.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Prints a line for each case, and the counts.
fn print(results: &BTreeMap<String, Value>) -> ExitCode {
    let mut failed = 0;
    let mut by_number: Vec<_> = results.iter().collect();
    by_number.sort_by_key(|(number, _)| parts(number));
    println!("{:<8} {:<14} close", "case", "behaviour");
    for (number, result) in by_number {
        let said = |key: &str| result[key].as_str().unwrap_or("?").to_owned();
        let (behaviour, close) = (said("behavior"), said("behaviorClose"));
        let is_passed = [&behaviour, &close].iter().all(|word| PASSED.contains(&word.as_str()));
        failed += usize::from(!is_passed);
        println!("{number:<8} {behaviour:<14} {close}{}", if is_passed { "" } else { "  FAILED" });
    }
    println!("{} passed, {failed} failed", results.len() - failed);
    if failed == 0 && !results.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn parts(number: &str) -> Vec<u32> {
    number.split('.').filter_map(|part| part.parse().ok()).collect()
}
