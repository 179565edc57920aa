//! The app role: becomes the program that runs the user's app.

use crate::config::Host;
use crate::error::{Error, Result};
use crate::program::Program;
use crate::role::Born;

/// Becomes the host; returns only if that fails, or when the command of each request is run from here.
///
/// # Errors
/// If there is no such program, or the kernel refuses.
pub fn run(mut born: Born) -> Result<()> {
    let app =
        born.boot.config.app.clone().ok_or_else(|| Error::failed("there is no app to run"))?;
    let listener = born.sockets.pop().ok_or_else(|| Error::failed("the app host got no socket"))?;
    let (words, what): (Vec<String>, String) = match &app.host {
        Host::Psgi(script) => {
            (vec!["perl".to_owned(), perl_host(&born)?], format!("the app `{}`", script.display()))
        }
        Host::Asgi(app) => {
            (["python3", "-m", "eyelet.asgi"].map(str::to_owned).into(), format!("the app `{app}`"))
        }
        Host::Program(words) => (words.clone(), format!("the app `{}`", words.join(" "))),
        Host::Script(words) => return super::script::run(&born.boot, listener, &app, words),
    };
    let mut program = Program::new(&born.boot, &words, what)?;
    program.listen(listener, "app");
    let (processes, coroutines) = (app.processes.to_string(), app.coroutines.to_string());
    let numbers = ["--processes", processes.as_str(), "--coroutines", coroutines.as_str()];
    match &app.host {
        Host::Psgi(script) => {
            program.args(numbers);
            program.args(app.reload_on_change.then_some("--reload-on-change"));
            program.args([script]);
        }
        Host::Asgi(name) => {
            program.args(numbers);
            program.args(app.reload_on_change.then_some("--reload-on-change"));
            program.args([name]);
        }
        Host::Program(_) => program.env("EYELET_PLACES", &app.places().to_string()),
        Host::Script(_) => {}
    }
    Err(program.become_it())
}

/// Where the Perl host lies.
fn perl_host(born: &Born) -> Result<String> {
    let packages = born.boot.packages.as_ref();
    let packages = packages.ok_or_else(|| Error::failed("the Perl app host is not there"))?;
    Ok(packages.join("perl/eyelet-psgi").display().to_string())
}
