//! `eyelet user`: who may watch: the file that --users names.

use std::io::{BufRead as _, IsTerminal as _, Write as _};
use std::path::PathBuf;

use clap::Subcommand;

use crate::config::{Rights, User};
use crate::error::{Error, Result};
use crate::users::{self, SecretKind, UserFile};

/// What the command is told.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    job: Job,
}

#[derive(Debug, Subcommand)]
enum Job {
    /// Add a user, or give one another password, token or right.
    Add {
        /// Letters, digits, `-`, `_`, `.` and `@`.
        name: String,
        /// The file; it is made where there is none.
        #[arg(long, value_name = "FILE")]
        file: PathBuf,
        /// view: watch; control: change controls and areas as well.
        #[arg(long, value_name = "RIGHTS", default_value = "view")]
        rights: Rights,
        /// Make a token for a program, and print it, instead of asking for a password.
        #[arg(long, conflicts_with = "password_stdin")]
        token: bool,
        /// Take the password from the first line of standard input.
        #[arg(long)]
        password_stdin: bool,
    },
    /// Remove a user.
    Remove {
        /// The user's name.
        name: String,
        /// The file.
        #[arg(long, value_name = "FILE")]
        file: PathBuf,
    },
    /// List the users, their rights, and whether they have a password or a token.
    List {
        /// The file.
        #[arg(long, value_name = "FILE")]
        file: PathBuf,
    },
}

/// Changes or lists a file of users.
///
/// # Errors
/// If a name is none, a password cannot be had, or the file cannot be read or written.
pub fn run(args: &Args) -> Result<()> {
    match &args.job {
        Job::Add { name, file, rights, token, password_stdin } => {
            users::check_name(name)?;
            let mut there = UserFile::open(file)?;
            let (secret, said) = if *token {
                let (token, secret) = users::make_token()?;
                (secret, Some(token))
            } else {
                (users::hash_password(&password(name, *password_stdin)?)?, None)
            };
            there.put(&User { name: name.clone(), rights: *rights, secret });
            there.save()?;
            match said {
                // Alone on standard output, for scripts.
                Some(token) => say(&token),
                None => say(&format!("{name} may {rights} with that password")),
            }
            hint(&format!("`kill -HUP` has a run with --users {} read it again", file.display()));
            Ok(())
        }
        Job::Remove { name, file } => {
            let mut there = UserFile::open(file)?;
            if !there.remove(name) {
                let text = format!("there is no user `{name}` in `{}`", file.display());
                return Err(Error::refused(text));
            }
            there.save()?;
            hint("`kill -HUP` has a run read it again, and ends what the user has open");
            Ok(())
        }
        Job::List { file } => {
            for User { name, rights, secret } in UserFile::open(file)?.users() {
                let kind = match SecretKind::of(&secret)? {
                    SecretKind::Password => "password",
                    SecretKind::Token => "token",
                };
                say(&format!("{name}  {rights}  {kind}"));
            }
            Ok(())
        }
    }
}

/// Asks for a password, twice on a terminal, where nobody sees what is typed.
fn password(name: &str, is_from_stdin: bool) -> Result<String> {
    let failed = |e: std::io::Error| Error::failed(format!("failed to read a password: {e}"));
    if is_from_stdin {
        let mut line = String::new();
        std::io::stdin().lock().read_line(&mut line).map_err(failed)?;
        return Ok(line.trim_end_matches(['\n', '\r']).to_owned());
    }
    if !std::io::stdin().is_terminal() {
        let text = "there is no terminal to ask for a password on: use --password-stdin or --token";
        return Err(Error::usage(text));
    }
    let first = rpassword::prompt_password(format!("Password of {name}: ")).map_err(failed)?;
    let second = rpassword::prompt_password("Once more: ").map_err(failed)?;
    if first == second {
        Ok(first)
    } else {
        Err(Error::refused("these were two different passwords; nothing has changed"))
    }
}

fn say(line: &str) {
    writeln!(std::io::stdout(), "{line}").ok();
}

/// For people, who have a terminal.
fn hint(line: &str) {
    if std::io::stderr().is_terminal() {
        writeln!(std::io::stderr(), "{line}").ok();
    }
}
