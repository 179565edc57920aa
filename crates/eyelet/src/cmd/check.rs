//! `eyelet check`: everything that is wrong in a configuration, without opening or binding anything.

use std::path::PathBuf;

use crate::config::Config;
use crate::error::Result;
use crate::mistakes::Mistakes;
use crate::settings::Settings;

/// What check is told.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The file.
    file: PathBuf,
}

/// Reads the file, and says what it would run.
///
/// # Errors
/// All its mistakes, a line each.
#[expect(clippy::print_stdout, reason = "the answer of a command")]
pub fn run(args: &Args) -> Result<()> {
    let (mut settings, mut mistakes) = (Settings::default(), Mistakes::default());
    settings.add_file(&args.file, &mut mistakes)?;
    // Which camera is there does not matter here.
    let is_default = settings.sources.is_empty();
    let config = settings.resolve(mistakes, || "test:".parse())?;
    println!("{}: {}", args.file.display(), describe(&config, is_default));
    Ok(())
}

fn describe(config: &Config, is_default: bool) -> String {
    let areas = config.areas().into_iter().enumerate();
    let areas = areas.filter(|(id, _)| !(is_default && *id == 0));
    let areas: Vec<String> = areas.map(|(id, (name, _))| format!("{id} = {name}")).collect();
    let listen: Vec<String> = config.listen.iter().map(ToString::to_string).collect();
    let default = if is_default { "the first camera or the test picture, " } else { "" };
    format!("fine: {default}areas {}; listens on {}", areas.join(", "), listen.join(", "))
}
