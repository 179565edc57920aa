//! Links between documents, and from the frame's way to the code.

use anyhow::Context as _;

use super::tree::{File, Tree};
use super::{Problem, Verdict};

/// The document that follows a frame.
const ARCHITECTURE: &str = "ARCHITECTURE.md";
/// Stations of a frame at most: more is a listing, not a way.
const MOST_STATIONS: usize = 5;

pub(super) fn relative(tree: &Tree) -> Verdict {
    let mut problems = Vec::new();
    for file in tree.matching("documents", |file| file.extension() == "md")? {
        for (line, target) in targets(file) {
            let is_outside = target.contains("://") || target.starts_with("mailto:");
            let path = target.split('#').next().unwrap_or_default();
            if !is_outside
                && !path.is_empty()
                && !resolve(file, path).is_some_and(|path| tree.has(&path))
            {
                problems.push(file.problem(line, format!("`{target}` leads nowhere")));
            }
        }
    }
    Ok(problems)
}

/// `path/to/file.rs::function` names a function that is there.
pub(super) fn frames_way(tree: &Tree) -> Verdict {
    let page = tree.find(ARCHITECTURE).with_context(|| format!("there is no {ARCHITECTURE}"))?;
    let stations = stations(page);
    let mut problems: Vec<Problem> =
        stations.iter().filter_map(|station| lost(tree, page, station)).collect();
    if stations.is_empty() || stations.len() > MOST_STATIONS {
        let text =
            format!("a frame's way has 1 to {MOST_STATIONS} stations, not {}", stations.len());
        problems.push(page.problem(0, text));
    }
    Ok(problems)
}

fn lost(tree: &Tree, page: &File, station: &Station) -> Option<Problem> {
    let Station { line, path, function } = station;
    let Some(file) = tree.find(path) else {
        return Some(page.problem(*line, format!("there is no `{path}`")));
    };
    let call = format!("fn {function}");
    let is_definition =
        |text: &str| text.split_once(&call).is_some_and(|(_, rest)| rest.starts_with(['(', '<']));
    (!file.text.lines().any(is_definition))
        .then(|| page.problem(*line, format!("`{path}` has no `fn {function}`")))
}

struct Station {
    line: usize,
    path: String,
    function: String,
}

fn stations(page: &File) -> Vec<Station> {
    let mut stations = Vec::new();
    for (line, text) in page.lines() {
        // Between backticks.
        for code in text.split('`').skip(1).step_by(2) {
            if let Some((path, function)) = code.split_once(".rs::") {
                let (path, function) = (format!("{path}.rs"), function.to_owned());
                stations.push(Station { line, path, function });
            }
        }
    }
    stations
}

/// The targets of `[text](target)`, outside of code.
fn targets(file: &File) -> Vec<(usize, String)> {
    let mut targets = Vec::new();
    let mut is_code = false;
    for (line, text) in file.lines() {
        is_code ^= text.trim_start().starts_with("```");
        // Between backticks is code too: every second part.
        for prose in text.split('`').step_by(2).filter(|_| !is_code) {
            let links = prose.split("](").skip(1).filter_map(|rest| rest.split([')', ' ']).next());
            targets.extend(links.map(|target| (line, target.to_owned())));
        }
        // A link whose text is code is cut there: its target follows the backtick.
        let after_code = text.split("`](").skip(1).filter(|_| !is_code);
        let cut = after_code.filter_map(|rest| rest.split([')', ' ']).next());
        targets.extend(cut.map(|target| (line, target.to_owned())));
    }
    targets.sort();
    targets.dedup();
    targets
}

/// The path from the workspace's folder; `None` if it leads out of it.
fn resolve(file: &File, target: &str) -> Option<String> {
    let mut parts: Vec<&str> = file.path.split('/').collect();
    parts.pop();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(rule: fn(&Tree) -> Verdict, files: &[(&str, &str)]) -> Vec<Problem> {
        rule(&Tree::sample(files)).unwrap()
    }

    #[test]
    fn dead_links_are_found() {
        let page = "[a](b.md) [b](../README.md#top) [c](https://x.y) [`d`](no.md)\n```\n[e](no.md)\n```\n`[f](no.md)` [g](#here) [h](../../no.md)\n";
        let files = [("docs/a.md", page), ("docs/b.md", ""), ("README.md", "[d](docs/)")];
        let found = check(relative, &files);
        let places: Vec<(usize, &str)> = found.iter().map(|p| (p.line, p.text.as_str())).collect();
        assert_eq!(places, [(1, "`no.md` leads nowhere"), (5, "`../../no.md` leads nowhere")]);
    }

    #[test]
    fn stations_must_be_there() {
        let page = "1. `a/b.rs::publish` 2. `a/b.rs::send` 3. `a/c.rs::go`\n";
        let code = "pub fn publish(&self) {}\nfn send_due<T>() {}\n";
        let found = check(frames_way, &[("ARCHITECTURE.md", page), ("a/b.rs", code)]);
        assert_eq!(found.len(), 2);
        assert!(found[0].text.contains("no `fn send`") && found[1].text.contains("a/c.rs"));
    }

    #[test]
    fn too_long_a_way_and_none_are_found() {
        let long = "`a.rs::b` ".repeat(6);
        assert_eq!(
            check(frames_way, &[("ARCHITECTURE.md", &long), ("a.rs", "fn b() {}")]).len(),
            1
        );
        assert_eq!(check(frames_way, &[("ARCHITECTURE.md", "")]).len(), 1);
        assert!(frames_way(&Tree::default()).is_err());
    }
}
