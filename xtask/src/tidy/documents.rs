//! Rules about documents that have a form.

use super::tree::{File, Tree};
use super::{Problem, Verdict};

/// Lines of a decision in which its status stands.
const HEAD_LINES: usize = 5;

/// `docs/design/NNN-title.md` says early on `Status: … · Date: YYYY-MM-DD`, and no number is used twice.
pub(super) fn decisions(tree: &Tree) -> Verdict {
    let is_decision =
        |file: &File| file.path.starts_with("docs/design/") && file.extension() == "md";
    let mut problems = Vec::new();
    let mut numbers = Vec::new();
    for file in tree.matching("decisions", is_decision)? {
        match file.name().split_once('-') {
            Some((number, _))
                if number.len() == 3 && number.chars().all(|c| c.is_ascii_digit()) =>
            {
                if numbers.contains(&number) {
                    problems.push(file.problem(0, format!("number {number} is taken")));
                }
                numbers.push(number);
            }
            _ => problems.push(file.problem(0, "call it NNN-title.md")),
        }
        if !file.text.lines().take(HEAD_LINES).any(is_status) {
            problems.push(
                file.problem(1, "write `Status: accepted · Date: YYYY-MM-DD` below the title"),
            );
        }
    }
    Ok(problems)
}

/// Pages whose promises are held by tests: each row of their tables names some in its last column.
const PROMISES: [&str; 2] = ["docs/guide/security.md", "docs/guide/reliability.md"];

/// Each row of [`PROMISES`] names tests, or scenarios of the virtual machine (`eyelet/replug`), and these are there.
pub(super) fn promises(tree: &Tree) -> Verdict {
    let is_rust = |file: &File| file.extension() == "rs";
    let code = tree.matching("Rust files", is_rust)?;
    let mut problems = Vec::new();
    for page in PROMISES {
        let pages = tree.matching(page, |file| file.path == page)?;
        for file in pages {
            problems.extend(untested(file, &code));
        }
    }
    Ok(problems)
}

/// The rows that name no test, and the names that no test has.
fn untested(file: &File, code: &[&File]) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut is_head = true;
    for (line, text) in file.lines() {
        let is_row = text.starts_with("| ") && !is_head;
        // A table's first row says what its columns are; what divides it from the others begins otherwise.
        is_head = !text.starts_with('|');
        if !is_row {
            continue;
        }
        let Some(tests) = text.trim_end_matches([' ', '|']).rsplit("| ").next() else { continue };
        let names: Vec<&str> = tests.split('`').skip(1).step_by(2).collect();
        if names.is_empty() {
            problems.push(file.problem(line, "name the test that shows it"));
        }
        for name in names {
            let wanted = match name.contains('/') {
                true => format!("\"{name}\""),
                false => format!("fn {name}("),
            };
            if !code.iter().any(|file| file.text.contains(&wanted)) {
                problems.push(file.problem(line, format!("there is no test `{name}`")));
            }
        }
    }
    problems
}

fn is_status(line: &str) -> bool {
    let Some((status, date)) = line.split_once(" · Date: ") else { return false };
    let status = status.strip_prefix("Status: ");
    let shape: String =
        date.trim().chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    status.is_some_and(|status| !status.is_empty()) && shape == "0000-00-00"
}

/// The changelog begins with what is not yet released, and that is something.
pub(super) fn changelog(tree: &Tree) -> Verdict {
    let mut problems = Vec::new();
    for file in tree.matching("the changelog", |file| file.path == "CHANGELOG.md")? {
        let first = file.lines().find(|(_, text)| text.starts_with("## "));
        match first {
            Some((line, "## Unreleased")) => {
                let section =
                    file.text.lines().skip(line).take_while(|text| !text.starts_with("## "));
                if !section.into_iter().any(|text| text.starts_with("- ")) {
                    problems.push(file.problem(line, "say what has changed, in a list"));
                }
            }
            other => {
                let line = other.map_or(0, |(line, _)| line);
                problems.push(file.problem(line, "its first section is `## Unreleased`"));
            }
        }
    }
    Ok(problems)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decisions_without_a_date_or_a_number_of_their_own_are_found() {
        let good = "# 1. One\n\nStatus: accepted · Date: 2026-11-23\n";
        let files = [
            ("docs/design/001-one.md", good),
            ("docs/design/001-two.md", good),
            ("docs/design/three.md", good),
            ("docs/design/004-four.md", "# Four\n\nStatus: accepted · Date: soon\n"),
        ];
        let problems = decisions(&Tree::sample(&files)).unwrap();
        let paths: Vec<&str> = problems.iter().map(|p| p.path.as_str()).collect();
        assert_eq!(
            paths,
            ["docs/design/001-two.md", "docs/design/three.md", "docs/design/004-four.md"]
        );
        assert!(decisions(&Tree::default()).is_err());
    }

    #[test]
    fn a_promise_without_a_test_that_is_there_is_found() {
        let page = "| tries | gets | test |\n|---|---|---|\n| a | b | `is_there`, `is_gone` |\n| a | b | none |\n";
        let other = "| what | test |\n|---|---|\n| a | `eyelet/there` |\n| b | `eyelet/gone` |\n";
        let code = "fn is_there() {}\n\"eyelet/there\",\n";
        let files = [(PROMISES[0], page), (PROMISES[1], other), ("tests/it/x.rs", code)];
        let problems = promises(&Tree::sample(&files)).unwrap();
        let places: Vec<(&str, usize)> =
            problems.iter().map(|problem| (problem.path.as_str(), problem.line)).collect();
        assert_eq!(places, [(PROMISES[0], 3), (PROMISES[0], 4), (PROMISES[1], 4)]);
        assert!(promises(&Tree::sample(&files[1..])).is_err());
    }

    #[test]
    fn a_changelog_that_stopped_is_found() {
        let count = |text| changelog(&Tree::sample(&[("CHANGELOG.md", text)])).unwrap().len();
        assert_eq!(count("# Changelog\n\n## Unreleased\n\n- something\n"), 0);
        assert_eq!(count("# Changelog\n\n## Unreleased\n\n## 0.1.0\n\n- something\n"), 1);
        assert_eq!(count("# Changelog\n\n## 0.1.0\n\n- something\n"), 1);
    }
}
