//! The repository's files, in memory: rules are functions of it, and samples are as easy to make.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};

use super::Problem;

/// Folders that are not ours or not sources; fuzzing makes `corpus` and `artifacts`, the browser's tests `artefacts`.
const IGNORED: &[&str] =
    &["target", "node_modules", ".git", "corpus", "artifacts", "artefacts", "__pycache__"];

/// A file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct File {
    /// From the workspace's folder, parted by `/`.
    pub(super) path: String,
    /// Empty where it is not UTF-8.
    pub(super) text: String,
}

/// All files, in order.
#[derive(Clone, Debug, Default)]
pub(super) struct Tree {
    files: Vec<File>,
}

impl Tree {
    /// Reads everything below a folder.
    ///
    /// # Errors
    /// If a folder or a file cannot be read.
    pub(super) fn read(root: &Path) -> Result<Self> {
        let mut tree = Self::default();
        tree.read_folder(root, "")?;
        tree.files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(tree)
    }

    fn read_folder(&mut self, folder: &Path, prefix: &str) -> Result<()> {
        let context = || format!("failed to read `{}`", folder.display());
        for entry in fs::read_dir(folder).with_context(context)? {
            let entry = entry.with_context(context)?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let kind = entry.file_type().with_context(context)?;
            if kind.is_dir() {
                if !IGNORED.contains(&name.as_str()) {
                    self.read_folder(&entry.path(), &format!("{prefix}{name}/"))?;
                }
            } else if kind.is_file() {
                let bytes = fs::read(entry.path())
                    .with_context(|| format!("failed to read `{}`", entry.path().display()))?;
                // A picture has no text, but links lead to it.
                let text = String::from_utf8(bytes).unwrap_or_default();
                self.files.push(File { path: format!("{prefix}{name}"), text });
            }
        }
        Ok(())
    }

    #[cfg(test)]
    pub(super) fn sample(files: &[(&str, &str)]) -> Self {
        let file = |(path, text): &(&str, &str)| File {
            path: (*path).to_owned(),
            text: (*text).to_owned(),
        };
        Self { files: files.iter().map(file).collect() }
    }

    /// The files that a rule is about.
    ///
    /// # Errors
    /// If there is none.
    pub(super) fn matching(
        &self,
        what: &str,
        is_wanted: impl Fn(&File) -> bool,
    ) -> Result<Vec<&File>> {
        let files: Vec<&File> = self.files.iter().filter(|file| is_wanted(file)).collect();
        ensure!(!files.is_empty(), "there is no file to look at: {what}");
        Ok(files)
    }

    /// One file.
    pub(super) fn find(&self, path: &str) -> Option<&File> {
        self.files.iter().find(|file| file.path == path)
    }

    /// Tells whether there is a file or a folder of this name.
    pub(super) fn has(&self, path: &str) -> bool {
        let folder = format!("{}/", path.trim_end_matches('/'));
        path.is_empty()
            || self.files.iter().any(|file| file.path == path || file.path.starts_with(&folder))
    }
}

impl File {
    /// The file's name without its folders.
    pub(super) fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }

    /// What follows the name's last dot; nothing in `.gitignore` or `run`.
    pub(super) fn extension(&self) -> &str {
        self.name()
            .rsplit_once('.')
            .filter(|(stem, _)| !stem.is_empty())
            .map_or("", |(_, last)| last)
    }

    /// The lines with their numbers, from 1.
    pub(super) fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        (1..).zip(self.text.lines())
    }

    /// A problem in this file; line 0 is all of it.
    pub(super) fn problem(&self, line: usize, text: impl Into<String>) -> Problem {
        Problem { path: self.path.clone(), line, text: text.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_without_files_is_an_error() {
        let tree = Tree::sample(&[("a/b.rs", "")]);
        assert!(tree.matching("x", |file| file.extension() == "md").is_err());
        assert_eq!(tree.matching("x", |file| file.extension() == "rs").unwrap().len(), 1);
    }

    #[test]
    fn files_and_folders_are_found() {
        let tree = Tree::sample(&[("a/b.rs", "")]);
        assert!(tree.has("a/b.rs") && tree.has("a") && tree.has("a/") && !tree.has("b"));
    }

    #[test]
    fn extensions_are_what_follows_the_last_dot() {
        let extension =
            |path: &str| File { path: path.into(), text: String::new() }.extension().to_owned();
        assert_eq!(extension("a.b/c.test.js"), "js");
        assert_eq!((extension("a.b/run"), extension(".gitignore")), (String::new(), String::new()));
    }
}
