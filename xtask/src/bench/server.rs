//! The servers that are compared: how each is started and where its frames are.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result};

use super::kind::Kind;
use super::lab::{Lab, Side};
use super::peers::Peers;
use super::scenario::{Load, Protocol, Scenario};
use crate::workspace_root;

/// What is built and installed.
#[derive(Debug)]
pub(super) struct Programs {
    pub(super) eyelet: PathBuf,
    pub(super) bench: PathBuf,
    pub(super) peers: Peers,
}

/// How a server is started.
#[derive(Debug)]
pub(super) struct Start {
    pub(super) command: Command,
    /// What it listens at, where it does not say so itself.
    pub(super) port: Option<u16>,
    /// The path of its frames.
    pub(super) path: &'static str,
}

/// The app of Eyelet's that is measured; that of uWSGI does the same calls at the same path.
const SCRIPT: &str = "examples/perl/eyetoy.pl";

/// The port of peers, which have a network of their own.
const PORT: u16 = 9490;

impl Kind {
    /// Gives the command line for a scenario.
    ///
    /// # Errors
    /// The peer could not be had; the error says why.
    pub(super) fn start(
        self,
        lab: &Lab,
        scenario: &Scenario,
        programs: &Programs,
    ) -> Result<Start> {
        let port = if lab.is_alone() { PORT } else { free_port()? };
        let is_mjpeg = scenario.protocol == Protocol::Mjpeg;
        let own_path = if is_mjpeg { "/-/stream.mjpg" } else { "/-/ws" };
        let bare = |way: &str| {
            let mut command = lab.command(Side::Server, &programs.bench);
            command.args(["bare", way, scenario.content]);
            Start { command, port: None, path: own_path }
        };
        let slow = if let Load::WithSlow(slow) = scenario.load { slow } else { 0 };
        let connections = scenario.viewers + slow;
        Ok(match self {
            Self::Eyelet => {
                let mut command = lab.command(Side::Server, &programs.eyelet);
                command.args(["run", "--listen", "127.0.0.1:0", "--source"]);
                command.arg(source(scenario, programs));
                let Some(places) = scenario.places else {
                    return Ok(Start { command, port: None, path: own_path });
                };
                if let Ok(uwsgi) = programs.peers.uwsgi() {
                    command.env("PERL5LIB", uwsgi.modules()); // the same coroutines
                }
                command.arg("--psgi").arg(workspace_root().join(SCRIPT));
                command.arg(format!("--{}", places.name())).arg(connections.to_string());
                Start { command, port: None, path: "/eyetoy" }
            }
            Self::Write => bare("write"),
            Self::Sendfile => bare("sendfile"),
            Self::Tee => bare("tee"),
            Self::UwsgiArticle | Self::UwsgiFast => {
                let uwsgi = programs.peers.uwsgi()?;
                let (content, bench) = (scenario.content, &programs.bench);
                let command = uwsgi.command(lab, content, port, connections, bench)?;
                let path = match (is_mjpeg, self == Self::UwsgiArticle) {
                    (false, true) => "/eyetoy",
                    (false, false) => "/eyetoy?ms=5",
                    (true, true) => "/mjpeg",
                    (true, false) => "/mjpeg?ms=5",
                };
                Start { command, port: Some(port), path }
            }
            Self::Ustreamer => {
                let ustreamer = programs.peers.ustreamer()?;
                let command = ustreamer.command(lab, scenario.content, port, &programs.bench)?;
                Start { command, port: Some(port), path: "/stream" }
            }
        })
    }
}

/// The source that gives Eyelet the frames: its own picture, or the camera of JPEG pictures.
fn source(scenario: &Scenario, programs: &Programs) -> String {
    match scenario.protocol {
        Protocol::WebSocket => format!("test:{}@30", scenario.content),
        Protocol::Mjpeg => {
            let (camera, content) = (programs.bench.display(), scenario.content);
            format!("exec:'{camera}' camera {content}?format=MJPEG&size=640x480&fps=30")
        }
    }
}

fn free_port() -> Result<u16> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").context("failed to find a port")?;
    Ok(listener.local_addr()?.port())
}
