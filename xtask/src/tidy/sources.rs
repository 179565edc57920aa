//! Rules about source files and the crates that they are in.

use super::Verdict;
use super::tree::{File, Tree};

/// Lines of a file without its tests: what fits in a head. More is two jobs.
const LONGEST_FILE: usize = 400;
/// Names of drawers; a file's name is its job.
const DRAWERS: &[&str] = &["util", "utils", "common", "helper", "helpers", "base", "types", "misc"];
const CODE: &[&str] = &["rs", "js", "mjs", "pl", "pm", "psgi", "py", "sh", "c", "h"];

pub(super) fn short_files(tree: &Tree) -> Verdict {
    let is_subject = |file: &File| is_code(file) && !is_test(file);
    let mut problems = Vec::new();
    for file in tree.matching("source files", is_subject)? {
        let count = code_lines(file);
        if count > LONGEST_FILE {
            let text =
                format!("{count} lines without tests; {LONGEST_FILE} at most: part the jobs");
            problems.push(file.problem(0, text));
        }
    }
    Ok(problems)
}

pub(super) fn telling_names(tree: &Tree) -> Verdict {
    let drawer = |file: &&File| {
        let stem = |part: &str| part.split('.').next().unwrap_or(part).to_owned();
        file.path.split('/').map(stem).find(|name| DRAWERS.contains(&name.as_str()))
    };
    let problem = |file: &File| {
        let name = drawer(&file)?;
        Some(file.problem(0, format!("`{name}` says nothing: name the job")))
    };
    Ok(tree.matching("source files", is_code)?.into_iter().filter_map(problem).collect())
}

pub(super) fn reasons_to_skip(tree: &Tree) -> Verdict {
    let mut problems = Vec::new();
    for file in tree.matching("Rust files", is_rust)? {
        for (line, text) in file.lines() {
            if text.trim() == "#[ignore]" {
                problems
                    .push(file.problem(line, "a skipped test says why: #[ignore = \"needs …\"]"));
            }
        }
    }
    Ok(problems)
}

pub(super) fn lints(tree: &Tree) -> Verdict {
    // Fuzz targets are a workspace of their own, which cargo-fuzz wants.
    let is_member = |file: &File| {
        file.name() == "Cargo.toml"
            && file.text.contains("[package]")
            && !file.path.starts_with("fuzz/")
    };
    let lacks = |file: &&File| !file.text.contains("[lints]\nworkspace = true");
    let problem =
        |file: &File| file.problem(0, "write `[lints]` with `workspace = true`, or no lint holds");
    Ok(tree.matching("crates", is_member)?.into_iter().filter(lacks).map(problem).collect())
}

fn is_rust(file: &File) -> bool {
    file.extension() == "rs"
}

/// Tells by the extension, or by the first line where there is none.
fn is_code(file: &File) -> bool {
    CODE.contains(&file.extension()) || (file.extension().is_empty() && file.text.starts_with("#!"))
}

fn is_test(file: &File) -> bool {
    let folders: Vec<&str> = file.path.split('/').collect();
    // tests/NAME/src/ is a program that tests use, and as long as any other.
    let is_integration = folders.contains(&"tests") && !folders.contains(&"src") && is_rust(file);
    file.name() == "tests.rs" || file.name().contains(".test.") || is_integration
}

/// Lines of a file without `mod tests { … }`.
fn code_lines(file: &File) -> usize {
    let mut count = 0;
    let mut is_inside = false;
    for (_, text) in file.lines() {
        is_inside |= text == "mod tests {" && is_rust(file);
        count += usize::from(!is_inside);
        is_inside &= text != "}";
    }
    count
}

#[cfg(test)]
mod tests {
    use super::super::Problem;
    use super::*;

    fn problems(rule: fn(&Tree) -> Verdict, path: &str, text: &str) -> Vec<Problem> {
        rule(&Tree::sample(&[(path, text)])).unwrap()
    }

    #[test]
    fn long_files_are_found_and_tests_do_not_count() {
        let long = "x\n".repeat(401);
        let tested =
            "x\n".repeat(390) + "#[cfg(test)]\nmod tests {\n" + &"    x\n".repeat(100) + "}\n";
        assert_eq!(problems(short_files, "a/src/b.rs", &long).len(), 1);
        assert_eq!(problems(short_files, "tests/harness/src/b.rs", &long).len(), 1);
        assert_eq!(problems(short_files, "a/run", &format!("#!/bin/sh\n{long}")).len(), 1);
        assert!(problems(short_files, "a/src/b.rs", &tested).is_empty());
        let both =
            Tree::sample(&[("a/src/tests.rs", &long), ("a/tests/b.rs", &long), ("b.js", "")]);
        assert!(short_files(&both).unwrap().is_empty());
    }

    #[test]
    fn drawers_are_found() {
        assert_eq!(problems(telling_names, "a/src/util.rs", "").len(), 1);
        assert_eq!(problems(telling_names, "a/helpers/b.test.js", "").len(), 1);
        assert!(problems(telling_names, "a/src/utility_meter.rs", "").is_empty());
    }

    #[test]
    fn skips_without_a_reason_are_found() {
        let bad = "    #[ignore]\n    fn a() {}\n    #[ignore = \"needs a camera\"]\n";
        assert_eq!(problems(reasons_to_skip, "a.rs", bad)[0].line, 1);
        assert_eq!(problems(reasons_to_skip, "a.rs", bad).len(), 1);
    }

    #[test]
    fn crates_without_lints_are_found() {
        assert_eq!(problems(lints, "a/Cargo.toml", "[package]\n").len(), 1);
        assert!(
            problems(lints, "a/Cargo.toml", "[package]\n\n[lints]\nworkspace = true\n").is_empty()
        );
    }
}
