//! The file of users: one a line, `NAME:RIGHTS:SECRET`, where the secret is the hash of a password or of a token.
//!
//! `eyelet user` writes it, a run reads it. Lines that begin with `#` are comments, and stay where they are.

mod password;
mod random;
mod secret;
mod session;

use std::fs::{File, OpenOptions, Permissions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use crate::config::{Secret, User};
use crate::error::{Error, Result};
use crate::mistakes::Mistakes;
pub use password::{hash as hash_password, verify as verify_password};
pub(crate) use secret::TOKEN_PREFIX;
pub use secret::{SecretKind, hash_token, make_token};
pub use session::{LIFETIME, LINK, SessionKey};

/// Longest name, in bytes.
const MAX_NAME_LEN: usize = 64;
/// Longest file, in bytes: a hundred thousand users belong into something else.
const MAX_FILE_LEN: u64 = 1 << 20;

/// Reads a file of users.
///
/// # Errors
/// If it cannot be read. What is wrong in it is noted in `mistakes`, with its line.
pub fn read(path: &Path, mistakes: &mut Mistakes) -> Result<Vec<User>> {
    let failed = |e: std::io::Error| {
        Error::usage(format!(
            "failed to read the users of `{}`: {e}; `eyelet user add NAME --file {0}` makes the file",
            path.display()
        ))
    };
    let file = File::open(path).map_err(failed)?;
    let meta = file.metadata().map_err(failed)?;
    if meta.permissions().mode() & 0o004 != 0 {
        log::warn!(
            "everybody on this machine may read the hashes of `{0}`: `chmod o= {0}` ends that",
            path.display()
        );
    }
    let text = read_bounded(file).map_err(failed)?;
    Ok(parse(&path.display().to_string(), &text, mistakes))
}

/// Reads a file that has its place in memory; a device, which never ends, has none.
///
/// # Errors
/// If it cannot be read, is no text, or too long.
pub(crate) fn read_bounded(file: File) -> std::io::Result<String> {
    let text = std::io::read_to_string(file.take(MAX_FILE_LEN + 1))?;
    if text.len() as u64 > MAX_FILE_LEN {
        return Err(std::io::Error::other("it is longer than 1 MiB"));
    }
    Ok(text)
}

/// Reads what stands in a file of users; `name` is what mistakes call it.
pub fn parse(name: &str, text: &str, mistakes: &mut Mistakes) -> Vec<User> {
    let mut users: Vec<User> = Vec::new();
    for (index, line) in text.lines().enumerate().filter(|(_, line)| is_user(line)) {
        let place = format!("{name}:{}", index + 1);
        let Some(user) = mistakes.take(&place, parse_line(line)) else { continue };
        if users.iter().any(|other| other.name == user.name) {
            mistakes.add(&place, format!("a second user is called `{}`", user.name));
        }
        users.push(user);
    }
    users
}

fn is_user(line: &str) -> bool {
    !line.trim().is_empty() && !line.starts_with('#')
}

fn parse_line(line: &str) -> Result<User> {
    let mut words = line.trim_end().splitn(3, ':');
    let (Some(name), Some(rights), Some(secret)) = (words.next(), words.next(), words.next())
    else {
        return Err(Error::usage("a user is NAME:RIGHTS:SECRET; `eyelet user add` writes it"));
    };
    check_name(name)?;
    // Whatever stands there may be a secret in the wrong place.
    let wrong = |_| Error::usage("a user's rights are view or control: NAME:RIGHTS:SECRET");
    let rights = rights.parse().map_err(wrong)?;
    let secret = Secret(secret.to_owned());
    SecretKind::of(&secret)?;
    Ok(User { name: name.to_owned(), rights, secret })
}

/// Checks a user's name.
///
/// # Errors
/// If it has other letters than it may, none, or too many.
pub fn check_name(name: &str) -> Result<()> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '@');
    if (1..=MAX_NAME_LEN).contains(&name.len()) && name.chars().all(is_part) {
        return Ok(());
    }
    let text = "a user's name has up to 64 letters, digits, `-`, `_`, `.` and `@`";
    Err(Error::usage(format!("{text}, which `{}` has not", name.escape_debug())))
}

/// A file of users that is changed: everything else in it stays as it is.
#[derive(Debug)]
pub struct UserFile {
    path: PathBuf,
    lines: Vec<String>,
}

impl UserFile {
    /// Opens one; a file that is not there has nobody in it.
    ///
    /// # Errors
    /// If it cannot be read, or something in it is wrong.
    pub fn open(path: &Path) -> Result<Self> {
        let text = match std::fs::read_to_string(path) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => String::new(),
            read => read.map_err(|e| {
                Error::failed(format!("failed to read the users of `{}`: {e}", path.display()))
            })?,
        };
        let mut mistakes = Mistakes::default();
        parse(&path.display().to_string(), &text, &mut mistakes);
        mistakes.finish(())?;
        Ok(Self { path: path.to_owned(), lines: text.lines().map(str::to_owned).collect() })
    }

    /// Everybody who is in it.
    #[must_use]
    pub fn users(&self) -> Vec<User> {
        let lines = self.lines.iter().filter(|line| is_user(line));
        lines.filter_map(|line| parse_line(line).ok()).collect()
    }

    /// Puts a user in, in the place of one with the same name.
    pub fn put(&mut self, user: &User) {
        let line = format!("{}:{}:{}", user.name, user.rights, user.secret.0);
        match self.lines.iter_mut().find(|line| is_named(line, &user.name)) {
            Some(there) => *there = line,
            None => self.lines.push(line),
        }
    }

    /// Takes a user out; tells whether there was one.
    pub fn remove(&mut self, name: &str) -> bool {
        let before = self.lines.len();
        self.lines.retain(|line| !is_named(line, name));
        self.lines.len() < before
    }

    /// Writes it in one step; only its owner may read it, or whoever might before.
    ///
    /// # Errors
    /// If it cannot be written; the old file stays.
    pub fn save(&self) -> Result<()> {
        let failed = |e: std::io::Error| {
            Error::failed(format!("failed to write the users to `{}`: {e}", self.path.display()))
        };
        let mode = std::fs::metadata(&self.path).map_or(0o600, |meta| meta.permissions().mode());
        let mut new = self.path.clone().into_os_string();
        new.push(format!(".new-{}", std::process::id()));
        let write = || {
            let mut file =
                OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
            file.write_all(
                self.lines.iter().map(|line| format!("{line}\n")).collect::<String>().as_bytes(),
            )?;
            file.set_permissions(Permissions::from_mode(mode & 0o777))?;
            file.sync_all()?;
            std::fs::rename(&new, &self.path)
        };
        write().map_err(|e| {
            std::fs::remove_file(&new).ok();
            failed(e)
        })
    }
}

fn is_named(line: &str, name: &str) -> bool {
    is_user(line) && line.split(':').next() == Some(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Rights;

    fn mistakes_of(text: &str) -> Vec<String> {
        let mut mistakes = Mistakes::default();
        parse("users", text, &mut mistakes);
        let error = mistakes.finish(()).err();
        error.map_or_else(Vec::new, |e| e.to_string().lines().map(str::to_owned).collect())
    }

    #[test]
    fn every_mistake_is_told_with_its_line_and_no_secret() {
        let (_, token) = make_token().unwrap();
        let text = format!(
            "# mine\n\nann:view:{0}\nann:control:{0}\nbob:{0}\nc d:view:{0}\ne:admin:{0}\nf:view:hunter2\n",
            token.0
        );
        let mistakes = mistakes_of(&text);
        let expected = [
            ("users:4: ", "second user"),
            ("users:5: ", "NAME:RIGHTS:SECRET"),
            ("users:6: ", "a user's name"),
            ("users:7: ", "view or control"),
            ("users:8: ", "neither"),
        ];
        assert_eq!(mistakes.len(), expected.len(), "{mistakes:#?}");
        for (mistake, (place, needle)) in mistakes.iter().zip(expected) {
            assert!(mistake.starts_with(place) && mistake.contains(needle), "{mistake}");
            assert!(!mistake.contains("hunter2") && !mistake.contains(&token.0), "{mistake}");
        }
    }

    #[test]
    fn a_change_leaves_everything_else_and_is_for_the_owners_eyes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("users");
        let user = |name: &str, rights| User {
            name: name.to_owned(),
            rights,
            secret: make_token().unwrap().1,
        };
        let mut file = UserFile::open(&path).unwrap();
        file.put(&user("ann", Rights::View));
        file.put(&user("bob", Rights::Control));
        file.save().unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, format!("# the house\n{text}")).unwrap();

        let mut file = UserFile::open(&path).unwrap();
        let ann = user("ann", Rights::Control);
        file.put(&ann);
        assert!(file.remove("bob") && !file.remove("bob"));
        file.save().unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("# the house\nann:control:"), "{text}");
        let mut mistakes = Mistakes::default();
        assert_eq!(read(&path, &mut mistakes).unwrap(), [ann]);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_file_without_an_end_is_none() {
        let error = read(Path::new("/dev/zero"), &mut Mistakes::default()).unwrap_err();
        assert!(error.to_string().contains("longer than 1 MiB"), "{error}");
    }

    #[test]
    fn a_file_that_is_not_there_says_how_to_make_it() {
        let error = read(Path::new("/nonexistent/users"), &mut Mistakes::default()).unwrap_err();
        assert!(error.to_string().contains("eyelet user add"), "{error}");
    }
}
