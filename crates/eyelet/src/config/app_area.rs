//! `counters=4096`: areas of application data, in words old and new.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::config::words;
use crate::error::{Error, Result};

/// Bytes at most.
pub const MAX_KEEP_LEN: u64 = eyelet_area::MAX_KEEP_LEN as u64;
/// Bytes of a page, as the old program counted areas.
const PAGE_LEN: u64 = 4096;

/// An area of application data: all zeroes at the start, read and changed by apps, mules and other programs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppArea {
    /// Its name.
    pub name: String,
    /// Bytes.
    pub len: u64,
}

impl FromStr for AppArea {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (name, len) = text.split_once('=').ok_or_else(|| {
            Error::usage(format!("`{text}` is no area: write NAME=BYTES, as `counters=4096`"))
        })?;
        Ok(Self { name: name.to_owned(), len: bytes(len, text)? })
    }
}

/// Reads a word of the old program: a number of pages, or `size=BYTES`, `pages=N`.
///
/// # Errors
/// A usage error that says what the word meant and what there is instead.
pub fn from_old_word(text: &str, name: String) -> Result<AppArea> {
    let pages = |word: &str| {
        let pages = word.parse::<u64>().ok().and_then(|n| n.checked_mul(PAGE_LEN));
        let pages = pages.filter(|len| *len <= MAX_KEEP_LEN);
        pages.filter(|len| *len > 0).ok_or_else(|| {
            let most = MAX_KEEP_LEN / PAGE_LEN;
            Error::usage(format!("--sharedarea `{text}`: pages are a number from 1 to {most}"))
        })
    };
    if !text.contains('=') {
        return Ok(AppArea { name, len: pages(text)? });
    }
    let mut len = None;
    for word in text.split(',') {
        match word.split_once('=') {
            Some(("pages", n)) => len = Some(pages(n)?),
            Some(("size", n)) if len.is_none() => len = Some(bytes(n, text)?),
            Some(("size", _)) => {}
            Some((key @ ("file" | "fd" | "ptr" | "offset"), _)) => {
                return Err(Error::usage(format!(
                    "--sharedarea `{text}`: `{key}` is not offered, an area is no memory that others map for writing: \
                     use --area NAME=BYTES, or a mule that owns an area"
                )));
            }
            _ => {
                return Err(Error::usage(format!(
                    "--sharedarea `{text}`: `{word}` is not known; there are pages and size"
                )));
            }
        }
    }
    let len = len.ok_or_else(|| Error::usage(format!("--sharedarea `{text}` has no size")))?;
    Ok(AppArea { name, len })
}

fn bytes(word: &str, text: &str) -> Result<u64> {
    words::bytes(1..=MAX_KEEP_LEN)(word).map_err(|e| Error::usage(format!("`{text}`: an area {e}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_and_bounded() {
        let len = |text: &str| text.parse::<AppArea>().map(|area| area.len).ok();
        assert_eq!(len("counters=4096"), Some(4096));
        assert_eq!(len("a=0x10"), Some(16));
        assert_eq!((len("a=4k"), len("a=1M")), (Some(4096), Some(1 << 20)));
        for wrong in ["a", "a=", "a=0", "a=-1", "a=4g", "a=99M", "a=k", "a=1.5k"] {
            assert_eq!(len(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn old_words_have_their_meaning_or_a_refusal() {
        let old = |text: &str| from_old_word(text, "x".to_owned());
        assert_eq!(old("2").unwrap().len, 8192);
        assert_eq!(old("size=100").unwrap().len, 100);
        assert_eq!(old("size=100,pages=1").unwrap().len, 4096);
        for (text, needle) in [
            ("0", "from 1 to"),
            ("abc", "from 1 to"),
            ("file=/tmp/x,size=9", "`file` is not offered"),
            ("ptr=1", "`ptr` is not offered"),
            ("colour=red", "`colour=red` is not known"),
            ("pages=-1", "from 1 to"),
        ] {
            let error = old(text).unwrap_err().to_string();
            assert!(error.contains(needle), "{text}: {error}");
        }
    }
}
