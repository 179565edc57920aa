//! `config/reference.toml` shows every key with its default, and no other.

use std::collections::BTreeSet;

use super::keys;
use super::layer::Layer;
use super::{Settings, environment};
use crate::config::Config;
use crate::mistakes::Mistakes;

const REFERENCE: &str = include_str!("../../../../config/reference.toml");

/// Takes the `#` from examples: whatever has no blank behind it.
fn with_examples() -> String {
    let line = |line: &str| match line.strip_prefix('#') {
        Some(example) if !example.is_empty() && !example.starts_with(' ') => example.to_owned(),
        _ => line.to_owned(),
    };
    // There can be one app.
    let others = ["#asgi", "#command = \"./app\"", "#script"];
    let lines = REFERENCE.lines().filter(|line| !others.iter().any(|o| line.starts_with(o)));
    lines.map(line).collect::<Vec<_>>().join("\n")
}

fn config(text: &str) -> Config {
    let (mut settings, mut mistakes) = (Settings::default(), Mistakes::default());
    settings.add_text("reference.toml", text, &mut mistakes);
    settings.resolve(mistakes, || "test:".parse()).unwrap()
}

#[test]
fn its_values_are_the_defaults() {
    assert_eq!(config(REFERENCE), config(""));
}

#[test]
fn its_examples_are_read_without_a_mistake() {
    let mut settings = Settings::default();
    let layer = Layer::file("reference.toml", &with_examples());
    keys::lay_over(&mut settings, &layer);
    let mistakes = layer.finish();
    // H.264 is not built into every program.
    let others: Vec<_> = mistakes.lines().filter(|line| !line.contains("h264")).collect();
    assert_eq!(others, Vec::<&String>::new());
    assert!(settings.sources.len() == 1 && settings.mules.len() == 1);
}

#[test]
fn it_shows_every_key() {
    let layer = Layer::file("", "");
    keys::lay_over(&mut Settings::default(), &layer);
    let sections =
        ["app", "area", "limits", "mule", "restart", "source", "source.control", "stream", "tls"];
    let known = layer.known().into_iter().map(|key| key.path);
    let known: BTreeSet<String> = known.filter(|path| !sections.contains(&path.as_str())).collect();
    let mut section = String::new();
    let mut shown = BTreeSet::new();
    for line in REFERENCE.lines().map(|line| line.strip_prefix('#').unwrap_or(line)) {
        if let Some(header) = line.strip_prefix('[') {
            section = format!("{}.", header.trim_matches(['[', ']']));
        } else if let Some((key, _)) = line.split_once(" = ").filter(|_| !line.starts_with(' ')) {
            shown.insert(format!("{section}{key}"));
        }
    }
    shown.remove("source.control.brightness");
    assert_eq!(shown, known);
}

#[test]
fn every_variable_is_one_key() {
    let all = environment::variables_and_keys();
    let names: BTreeSet<&String> = all.iter().map(|(name, _)| name).collect();
    assert_eq!(names.len(), all.len());
    assert!(names.contains(&"EYELET_LIMITS_HELD_BYTES".to_owned()));
}
