//! The words that the glossary refuses, as far as they cannot mean something else.

use super::Verdict;
use super::tree::{File, Tree};

/// A word and what to write instead. Small letters stand for themselves in any case.
const REFUSED: &[(&str, &str)] = &[
    ("producer", "source, or owner of an area"),
    ("linesize", "stride"),
    ("daemon", "supervisor, or role"),
    ("emperor", "supervisor"),
    ("sidecar", "mule"),
    ("FourCC", "FourCc"),
];
/// Words of other people's interfaces, which must be written as they are.
const FOREIGN: &[&str] = &["daemon=True", "avahi-daemon"];
/// Files that name the words in order to refuse them.
const EXEMPT: &[&str] = &["docs/glossary.md", "xtask/src/tidy/words.rs"];
const READ: &[&str] = &["rs", "md", "js", "mjs", "pl", "pm", "py", "sh"];

pub(super) fn glossary(tree: &Tree) -> Verdict {
    let is_subject =
        |file: &File| READ.contains(&file.extension()) && !EXEMPT.contains(&file.path.as_str());
    let mut problems = Vec::new();
    for file in tree.matching("source files and documents", is_subject)? {
        for (line, text) in file.lines() {
            let own = FOREIGN.iter().fold(text.to_owned(), |text, word| text.replace(word, ""));
            for (refused, instead) in REFUSED {
                if has_word(&own, refused) {
                    problems.push(file.problem(line, format!("`{refused}`: write {instead}")));
                }
            }
        }
    }
    Ok(problems)
}

fn has_word(text: &str, word: &str) -> bool {
    let is_exact = word.contains(char::is_uppercase);
    text.split(|c: char| !c.is_alphanumeric())
        .any(|part| part == word || (!is_exact && part.eq_ignore_ascii_case(word)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refused_words_are_found_with_the_better_one() {
        let tree = Tree::sample(&[
            ("a.md", "good\nThe Producer writes.\nThread(daemon=True)\n"),
            ("docs/glossary.md", "producer"),
        ]);
        let problems = glossary(&tree).unwrap();
        assert_eq!(problems.len(), 1);
        assert_eq!((problems[0].line, problems[0].path.as_str()), (2, "a.md"));
        assert!(problems[0].text.contains("source"));
    }

    #[test]
    fn parts_of_words_and_of_names_are_told_apart() {
        assert!(!has_word("reproducers", "producer") && has_word("the_producer()", "producer"));
        assert!(!has_word("FourCc, fourcc, FOURCC", "FourCC") && has_word("FourCC", "FourCC"));
    }
}
