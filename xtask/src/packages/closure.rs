//! Which packages are needed: dependencies, alternatives, and what the machine already has.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use anyhow::{Result, bail};

use crate::command::text;

/// One way to fulfil a dependency: a package, and the version it must have.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Alternative {
    name: String,
    /// A relation as dpkg knows it and a version; none: any version.
    version: Option<(String, String)>,
}

/// What each package needs: of each group one alternative.
#[derive(Debug, Default)]
pub(crate) struct Index {
    groups: BTreeMap<String, Vec<Vec<Alternative>>>,
}

impl Index {
    /// Reads what `apt-cache depends --recurse` prints with `APT::Cache::ShowVersion`.
    pub(crate) fn parse(listing: &str) -> Self {
        let mut index = Self::default();
        let mut package = "";
        let mut is_open = false; // the group goes on: the last line began with `|`
        for line in listing.lines() {
            if !line.starts_with(' ') {
                package = line.trim();
                index.groups.entry(package.into()).or_default();
                is_open = false;
                continue;
            }
            let groups = index.groups.entry(package.into()).or_default();
            if let Some(provider) = line.strip_prefix("    ") {
                // Who provides the virtual package of the line above, in any version.
                if let Some(group) = groups.last_mut() {
                    group.push(Alternative { name: provider.trim().into(), version: None });
                }
                continue;
            }
            let Some((kind, rest)) = line.split_once("Depends: ") else { continue };
            if !is_open {
                groups.push(Vec::new());
            }
            if let Some(group) = groups.last_mut() {
                group.push(Alternative::parse(rest));
            }
            is_open = kind.starts_with(" |");
        }
        index
    }

    /// Whether the lists have the package.
    pub(crate) fn knows(&self, name: &str) -> bool {
        self.groups.contains_key(name)
    }

    /// The first package that `name` needs.
    pub(crate) fn first_dependency(&self, name: &str) -> Option<String> {
        Some(self.groups.get(name)?.first()?.first()?.name.clone())
    }

    /// `roots` and what they need, less what is installed; sorted.
    pub(crate) fn closure(&self, roots: &[&str], installed: &Installed) -> Result<Vec<String>> {
        let mut chosen: BTreeSet<String> = roots.iter().map(|&root| root.into()).collect();
        let mut open: Vec<String> = chosen.iter().cloned().collect();
        while let Some(package) = open.pop() {
            for group in self.groups.get(&package).into_iter().flatten() {
                let is_chosen = |alternative: &Alternative| chosen.contains(&alternative.name);
                if group.iter().any(is_chosen) || installed.serves_any(group)? {
                    continue;
                }
                // Virtual packages are written in angle brackets; their providers follow.
                let real = group.iter().find(|alternative| !alternative.name.starts_with('<'));
                let Some(alternative) = real else {
                    bail!("nothing provides what `{package}` needs: {group:?}");
                };
                chosen.insert(alternative.name.clone());
                open.push(alternative.name.clone());
            }
        }
        Ok(chosen.into_iter().collect())
    }
}

impl Alternative {
    /// `NAME` or `NAME (RELATION VERSION)`.
    fn parse(text: &str) -> Self {
        let (name, rest) = text.trim().split_once(' ').unwrap_or((text.trim(), ""));
        let inner = rest.strip_prefix('(').and_then(|rest| rest.strip_suffix(')'));
        let version = inner.and_then(|inner| inner.split_once(' '));
        Self { name: name.into(), version: version.map(|(r, v)| (r.into(), v.into())) }
    }
}

/// The packages on the machine, with their versions.
#[derive(Debug, Default)]
pub(crate) struct Installed {
    versions: BTreeMap<String, String>,
}

impl Installed {
    /// Asks dpkg.
    ///
    /// # Errors
    /// If there is no dpkg.
    pub(crate) fn read() -> Result<Self> {
        let native = text(Command::new("dpkg").arg("--print-architecture"))?;
        let format = "${Package} ${Version} ${Architecture} ${db:Status-Status}\n";
        let listing = text(Command::new("dpkg-query").args(["-W", "-f", format]))?;
        Ok(Self::parse(&listing, native.trim()))
    }

    fn parse(listing: &str, native: &str) -> Self {
        let mut versions = BTreeMap::new();
        for line in listing.lines() {
            if let [name, version, architecture, "installed"] =
                line.split(' ').collect::<Vec<_>>()[..]
                && (architecture == native || architecture == "all")
            {
                versions.insert(name.into(), version.into());
            }
        }
        Self { versions }
    }

    fn serves_any(&self, group: &[Alternative]) -> Result<bool> {
        for alternative in group {
            if self.serves(alternative)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn serves(&self, alternative: &Alternative) -> Result<bool> {
        let Some(installed) = self.versions.get(&alternative.name) else { return Ok(false) };
        let Some((relation, version)) = &alternative.version else { return Ok(true) };
        let arguments = ["--compare-versions", installed, relation, version];
        Ok(Command::new("dpkg").args(arguments).status()?.success())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LISTING: &str = "\
emulator
  Depends: libold (>= 2.0)
  Depends: libnew (= 1:3.1)
 |Depends: choice-a
  Depends: choice-b
  PreDepends: <virtual>
    provider-a
    provider-b
libnew
  Depends: libdeep
libold
libdeep
  Depends: emulator
choice-a
choice-b
provider-a
provider-b
<virtual>
";

    fn closure(installed: &str) -> Vec<String> {
        let installed = Installed::parse(installed, "amd64");
        Index::parse(LISTING).closure(&["emulator"], &installed).unwrap()
    }

    #[test]
    fn everything_is_chosen_on_an_empty_machine() {
        let all = ["choice-a", "emulator", "libdeep", "libnew", "libold", "provider-a"];
        assert_eq!(closure(""), all);
    }

    #[test]
    fn installed_packages_count_if_their_version_serves() {
        let installed = "libold 1.9 amd64 installed\nlibnew 1:3.1 amd64 installed\n\
                         choice-b 1 all installed\nprovider-b 1 amd64 installed\n";
        assert_eq!(closure(installed), ["emulator", "libold"]);
    }

    #[test]
    fn removed_and_foreign_packages_do_not_count() {
        let installed = "libold 2.1 amd64 config-files\nlibnew 1:3.1 i386 installed\n";
        assert!(closure(installed).contains(&"libold".into()));
        assert!(closure(installed).contains(&"libnew".into()));
    }

    #[test]
    fn empty_package_names_what_it_stands_for() {
        let index = Index::parse("linux-image-amd64\n  Depends: linux-image-6.1 (= 6.1.1)\n");
        assert_eq!(index.first_dependency("linux-image-amd64").unwrap(), "linux-image-6.1");
        assert!(!index.knows("linux-image-arm64"));
    }
}
