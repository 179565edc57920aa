//! Mistakes, all of them, each with its place: a file's line, a variable, an option.

use std::fmt::Display;

use crate::error::{Error, Result};

/// A value, and where it was said.
#[derive(Clone, Debug, PartialEq)]
pub struct Said<T> {
    /// What was said.
    pub value: T,
    /// `eyelet.toml:12: listen`, `EYELET_LISTEN`, `--listen`.
    pub place: String,
}

impl<T> Said<T> {
    /// Notes what was said there.
    pub fn new(value: T, place: impl Into<String>) -> Self {
        Self { value, place: place.into() }
    }
}

/// Mistakes in the order in which they were found.
#[derive(Debug, Default)]
pub struct Mistakes(Vec<String>);

impl Mistakes {
    /// Notes one.
    pub fn add(&mut self, place: &str, text: impl Display) {
        self.0.push(format!("{place}: {text}"));
    }

    /// Notes what went wrong there, if something did.
    pub fn take<T>(&mut self, place: &str, result: Result<T>) -> Option<T> {
        result.map_err(|error| self.add(place, error)).ok()
    }

    /// Gives the lines.
    #[cfg(test)]
    pub(crate) fn lines(&self) -> impl Iterator<Item = &String> {
        self.0.iter()
    }

    /// Takes over what was found elsewhere.
    pub fn append(&mut self, others: Self) {
        self.0.extend(others.0);
    }

    /// Gives what was made if there is no mistake.
    ///
    /// # Errors
    /// All mistakes, a line each.
    pub fn finish<T>(self, made: T) -> Result<T> {
        if self.0.is_empty() { Ok(made) } else { Err(Error::usages(self.0)) }
    }
}
