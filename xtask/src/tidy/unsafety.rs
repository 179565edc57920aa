//! Where unsafe code may be: a short list, and a reason in each module.

use super::Verdict;
use super::tree::{File, Tree};

/// Modules that may opt in; a folder where the name ends in `/`. A new one is a decision of its own.
const KNOWN: &[&str] = &[
    "apps/rust/src/inherit.rs",           // a descriptor by its number
    "crates/area/src/mapping.rs",         // mmap of sealed frames
    "crates/area/src/owner/inherited.rs", // a descriptor by its number
    "crates/eyelet/src/capture/sources/command.rs", // one call between fork and exec
    "crates/eyelet/src/inherit.rs",       // descriptors by their numbers
    "crates/eyelet/src/serve/outstanding.rs", // SIOCOUTQ
    "crates/eyelet/src/serve/readiness.rs", // tokio's promise about a descriptor
    "crates/eyelet/src/serve/trimming.rs", // malloc_trim
    "crates/v4l2/src/ioctl/",             // the calls
    "crates/v4l2/src/mapping.rs",         // mmap of the driver's buffers
];

pub(super) fn known_modules(tree: &Tree) -> Verdict {
    let users = tree.matching("modules with unsafe code", |file| opts_in(file).is_some())?;
    let is_known = |file: &File| {
        KNOWN.iter().any(|known| {
            file.path == *known || (known.ends_with('/') && file.path.starts_with(known))
        })
    };
    let mut problems = Vec::new();
    for file in &users {
        let line = opts_in(file).unwrap_or(0);
        if !is_known(file) {
            problems.push(file.problem(line, "unsafe code where none is known to be: do without, or extend the list in xtask/src/tidy/unsafety.rs"));
        }
        let attribute = file.text.lines().skip(line - 1).take(3).collect::<String>();
        if !attribute.contains("reason") {
            problems.push(file.problem(line, "say the reason in the attribute"));
        }
    }
    for known in KNOWN {
        if !users.iter().any(|file| file.path.starts_with(known)) {
            let list = File { path: "xtask/src/tidy/unsafety.rs".into(), text: String::new() };
            problems.push(list.problem(
                0,
                format!("`{known}` has no unsafe code any more: take it off the list"),
            ));
        }
    }
    Ok(problems)
}

/// The line of the attribute that allows unsafe code.
fn opts_in(file: &File) -> Option<usize> {
    let is_attribute = |text: &str| text.starts_with("#[allow(") || text.starts_with("#![allow(");
    // rustfmt puts a long attribute's words on lines of their own.
    let allows =
        |text: &str| text == "unsafe_code," || (is_attribute(text) && text.contains("unsafe_code"));
    let found = file.lines().find(|(_, text)| allows(text.trim()));
    found.filter(|_| file.extension() == "rs").map(|(line, _)| line)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "//! Doc.\n#![allow(unsafe_code, reason = \"the calls\")]\n";

    fn known() -> Vec<(&'static str, &'static str)> {
        let file = |path: &&'static str| {
            if path.ends_with('/') { ("crates/v4l2/src/ioctl/mod.rs", GOOD) } else { (*path, GOOD) }
        };
        KNOWN.iter().map(file).collect()
    }

    #[test]
    fn what_is_known_is_right() {
        assert_eq!(known_modules(&Tree::sample(&known())).unwrap(), []);
    }

    #[test]
    fn new_places_and_missing_reasons_are_found() {
        let mut files = known();
        files.push((
            "crates/wire/src/lib.rs",
            "#![allow(\n    unsafe_code,\n    reason = \"fast\"\n)]\n",
        ));
        files[0].1 = "#![allow(unsafe_code)]\n";
        let problems = known_modules(&Tree::sample(&files)).unwrap();
        let places: Vec<(&str, usize)> =
            problems.iter().map(|p| (p.path.as_str(), p.line)).collect();
        assert_eq!(places, [("apps/rust/src/inherit.rs", 1), ("crates/wire/src/lib.rs", 2)]);
    }

    #[test]
    fn places_that_need_it_no_more_are_found() {
        let problems = known_modules(&Tree::sample(&known()[1..])).unwrap();
        assert!(problems[0].text.contains("apps/rust/src/inherit.rs"));
    }
}
