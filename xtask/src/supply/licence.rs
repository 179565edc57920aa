//! Licences that a crate of others may have.

/// Each lets a program be passed on under any licence, if its text comes along; MPL-2.0 wants changes to its own files open.
const ALLOWED: [&str; 13] = [
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "CC0-1.0",
    "ISC",
    "MIT",
    "MIT-0",
    "MPL-2.0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// Tells whether an SPDX expression can be fulfilled by what is allowed. `/` is the old word for OR.
pub(super) fn is_allowed(expression: &str) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut rest = &words[..];
    any(&mut rest) && rest.is_empty()
}

/// Alternatives. Source: SPDX 2.3, annex D: AND binds closer than OR, WITH closer than AND.
fn any(rest: &mut &[&str]) -> bool {
    let mut is_allowed = all(rest);
    while next_is(rest, "OR") {
        is_allowed |= all(rest);
    }
    is_allowed
}

fn all(rest: &mut &[&str]) -> bool {
    let mut is_allowed = one(rest);
    while next_is(rest, "AND") {
        is_allowed &= one(rest);
    }
    is_allowed
}

fn one(rest: &mut &[&str]) -> bool {
    if next_is(rest, "(") {
        return any(rest) & next_is(rest, ")");
    }
    let Some((name, after)) = rest.split_first() else { return false };
    *rest = after;
    if next_is(rest, "WITH") {
        let Some((exception, after)) = rest.split_first() else { return false };
        *rest = after;
        return ALLOWED.contains(&format!("{name} WITH {exception}").as_str());
    }
    ALLOWED.contains(name)
}

fn next_is(rest: &mut &[&str], word: &str) -> bool {
    match rest.split_first() {
        Some((first, after)) if *first == word => {
            *rest = after;
            true
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_of_the_alternatives_and_all_of_what_is_joined_must_be_allowed() {
        for right in [
            "MIT",
            "MIT/Apache-2.0",
            "GPL-3.0 OR MIT",
            "(MIT OR GPL-2.0) AND Unicode-3.0",
            "Apache-2.0 WITH LLVM-exception OR GPL-2.0",
            "MIT AND (GPL-2.0 OR (ISC AND Zlib))",
        ] {
            assert!(is_allowed(right), "{right}");
        }
        for wrong in
            ["", "GPL-3.0", "MIT AND GPL-3.0", "GPL-2.0 WITH LLVM-exception", "(MIT", "MIT Zlib"]
        {
            assert!(!is_allowed(wrong), "{wrong}");
        }
    }
}
