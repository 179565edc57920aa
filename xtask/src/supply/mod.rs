//! `cargo xtask supply`: what others' crates bring in: licences, sources, duplicates, how many they are, and how large the
//! executable is.
//!
//! Read from `cargo metadata`, because cargo-deny takes minutes to build. Where it is installed it is run as well, for the
//! advisories and as a second opinion: `deny.toml` says the same as the tables here.

mod footprint;
mod licence;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::command::{self, find};

/// Where every crate of others comes from.
const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// Crates that are there in two versions, whether both are in the executable, and why.
const DUPLICATES: [(&str, bool, &str); 7] = [
    ("cpufeatures", false, "argon2 is behind chacha20, which only proptest has"),
    (
        "rand_core",
        false,
        "argon2's password-hash names it and does not need it; the other is proptest's",
    ),
    ("bit-set", false, "proptest is behind jsonschema; tests only"),
    ("bit-vec", false, "the same"),
    ("getrandom", false, "the same, by way of rand"),
    ("miniz_oxide", true, "png and flate2 each have their own, and change at their own pace"),
    ("syn", false, "macros at build time, each at its own pace"),
];

/// Packages as `cargo metadata` tells of them.
struct Packages(Value);

/// Runs the command.
///
/// # Errors
/// If cargo cannot tell, or the executable is not there; what is wrong is not an error but an exit status.
pub(crate) fn run(arguments: &[String]) -> Result<ExitCode> {
    ensure!(arguments.is_empty(), "usage: cargo xtask supply");
    let packages = Packages::read()?;
    let checks = [
        ("every licence is allowed", packages.licences()),
        ("every crate is from crates.io", packages.sources()),
        ("crates that are there twice are known", packages.duplicates()),
        ("the executable has no more crates of others", dependencies()?),
        ("the executable is no larger", executable_size()?),
        ("cargo-deny says the same, where it is installed", deny()?),
    ];
    let mut failed = 0;
    for (what, problems) in &checks {
        println!("{:<6} {what}", if problems.is_empty() { "ok" } else { "FAILED" });
        problems.iter().for_each(|problem| println!("       {problem}"));
        failed += usize::from(!problems.is_empty());
    }
    println!("{} passed, {failed} failed", checks.len() - failed);
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl Packages {
    fn read() -> Result<Self> {
        let triple = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
        let mut cargo = Command::new(command::cargo());
        cargo.args(["metadata", "--format-version", "1", "--locked", "--filter-platform", &triple]);
        let text = command::output(cargo.current_dir(crate::workspace_root()))?;
        Ok(Self(serde_json::from_slice(&text).context("cargo metadata")?))
    }

    fn all(&self) -> impl Iterator<Item = &Value> {
        self.0["packages"].as_array().into_iter().flatten()
    }

    fn licences(&self) -> Vec<String> {
        let wrong = self.all().filter(|p| !licence::is_allowed(text(p, "license")));
        wrong.map(|p| format!("{} has the licence `{}`", name(p), text(p, "license"))).collect()
    }

    fn sources(&self) -> Vec<String> {
        let wrong = self.all().filter(|p| !p["source"].is_null() && p["source"] != CRATES_IO);
        wrong.map(|p| format!("{} comes from `{}`", name(p), text(p, "source"))).collect()
    }

    fn duplicates(&self) -> Vec<String> {
        let mut versions: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for package in self.all() {
            versions.entry(text(package, "name")).or_default().insert(text(package, "version"));
        }
        versions.retain(|_, versions| versions.len() > 1);
        let is_known = |name: &str| DUPLICATES.iter().any(|(known, ..)| *known == name);
        let new = versions.iter().filter(|(name, _)| !is_known(name));
        let mut problems: Vec<String> =
            new.map(|(name, versions)| format!("{name} is there as {versions:?}")).collect();
        let gone = DUPLICATES.iter().filter(|(name, ..)| !versions.contains_key(name));
        problems
            .extend(gone.map(|(name, ..)| format!("{name} is there once: take it off the list")));
        problems
    }
}

/// Crates of others that `eyelet` is linked with, or built by.
fn dependencies() -> Result<Vec<String>> {
    let triple = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let mut cargo = Command::new(command::cargo());
    cargo.args([
        "tree",
        "--locked",
        "--package",
        "eyelet",
        "--edges",
        "normal",
        "--target",
        &triple,
    ]);
    cargo.args(["--prefix", "none", "--no-dedupe", "--format", "{p}"]);
    let text = command::text(cargo.current_dir(crate::workspace_root()))?;
    // Our own have a folder behind them.
    let others: BTreeSet<&str> = text.lines().filter(|line| !line.contains(" (/")).collect();
    let names: Vec<&str> = others.iter().filter_map(|other| other.split(' ').next()).collect();
    let twice = DUPLICATES.iter().filter(|(name, may_be, _)| {
        !may_be && names.iter().filter(|other| *other == name).count() > 1
    });
    let mut problems: Vec<String> =
        twice.map(|(name, ..)| format!("{name} is twice in the executable")).collect();
    let (count, said) = (others.len(), footprint::DEPENDENCIES);
    if count != said {
        problems.push(format!("{count} crates, and xtask/src/supply/footprint.rs says {said}"));
    }
    Ok(problems)
}

/// Compares the size of the released executable.
fn executable_size() -> Result<Vec<String>> {
    if std::env::consts::ARCH != "x86_64" {
        return Ok(Vec::new());
    }
    let built = crate::target_folder().join("release/eyelet");
    let path = std::env::var_os("EYELET_BIN").map_or(built, PathBuf::from);
    let missing = || format!("no `{}`: `cargo xtask check build` makes it", path.display());
    let bytes = loaded_bytes(&fs::read(&path).with_context(missing)?)?;
    let (most, slack) = (footprint::LOADED_BYTES, footprint::LOADED_BYTES_SLACK);
    let file = "xtask/src/supply/footprint.rs";
    Ok(match bytes {
        _ if bytes > most => vec![format!("{bytes} bytes, more than the {most} of {file}")],
        _ if bytes + slack < most => vec![format!("{bytes} bytes: lower the {most} of {file}")],
        _ => Vec::new(),
    })
}

/// Bytes of an executable that are loaded. Source: elf(5), 64 bits, little endian.
fn loaded_bytes(elf: &[u8]) -> Result<u64> {
    const PT_LOAD: u64 = 1;
    let number = |at: u64, len: usize| -> Result<u64> {
        let at = usize::try_from(at)?;
        let bytes = elf.get(at..at + len).context("the executable is cut off")?;
        Ok(bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    };
    ensure!(elf.starts_with(b"\x7fELF\x02\x01"), "it is no executable of 64 bits");
    let (headers, len, count) = (number(0x20, 8)?, number(0x36, 2)?, number(0x38, 2)?);
    let mut sum = 0;
    for header in (0..count).map(|n| headers + n * len) {
        if number(header, 4)? == PT_LOAD {
            sum += number(header + 0x20, 8)?;
        }
    }
    Ok(sum)
}

/// What cargo-deny says, where there is one. Advisories are fetched; where that cannot be, all others count.
fn deny() -> Result<Vec<String>> {
    if find("cargo-deny").is_none() {
        println!(
            "       no cargo-deny here: advisories are not looked at (`cargo install cargo-deny --locked`)"
        );
        return Ok(Vec::new());
    }
    let check = |what: &[&str]| {
        let mut deny = Command::new("cargo-deny");
        deny.args(["--all-features", "check", "--hide-inclusion-graph"]).args(what);
        command::output(deny.current_dir(crate::workspace_root()))
    };
    let mut problems = Vec::new();
    if let Err(problem) = check(&["bans", "licenses", "sources"]) {
        problems.push(format!("{problem:#}"));
    }
    if let Err(problem) = check(&["advisories"]) {
        let text = format!("{problem:#}");
        let is_unreachable = text.contains("failed to fetch advisory database");
        if is_unreachable {
            println!("       the advisories cannot be fetched from here");
        } else {
            problems.push(text);
        }
    }
    Ok(problems)
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

fn name(package: &Value) -> String {
    format!("{} {}", text(package, "name"), text(package, "version"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn packages(all: Value) -> Packages {
        Packages(json!({ "packages": all }))
    }

    #[test]
    fn what_may_not_be_is_named() {
        let wrong = packages(json!([
            {"name": "a", "version": "1", "license": "GPL-3.0", "source": "git+https://x"},
            {"name": "b", "version": "1", "license": "MIT", "source": CRATES_IO},
            {"name": "b", "version": "2", "license": null, "source": null},
        ]));
        assert_eq!(wrong.licences().len(), 2);
        assert_eq!(wrong.sources(), ["a 1 comes from `git+https://x`"]);
        // One that is new, and all those that are known are gone.
        assert_eq!(wrong.duplicates().len(), 1 + DUPLICATES.len());
    }

    #[test]
    fn this_very_executable_has_loaded_bytes() {
        let elf = fs::read("/proc/self/exe").unwrap();
        let bytes = loaded_bytes(&elf).unwrap();
        assert!(bytes > 100_000 && bytes < elf.len() as u64, "{bytes} of {}", elf.len());
        assert!(loaded_bytes(b"#!/bin/sh\n").is_err() && loaded_bytes(&elf[..64]).is_err());
    }
}
