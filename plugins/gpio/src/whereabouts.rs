//! Where a chip is: as it was named at first, and by its label once it is known, as the kernel may give it another number
//! when it comes back.

use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::list;

/// What is known of a chip.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Whereabouts {
    /// As the command line has it: a path, a name or a label.
    named: String,
    /// What the chip that was opened calls itself.
    label: Option<String>,
}

impl Whereabouts {
    /// A chip that was not opened yet.
    pub(crate) fn new(named: String) -> Self {
        Self { named, label: None }
    }

    /// Remembers what the chip that was found calls itself; a chip without a label has to keep its number.
    pub(crate) fn note(&mut self, label: &str) {
        self.label = Some(label.to_owned()).filter(|label| !label.is_empty());
    }

    /// Gives the chip's file.
    ///
    /// # Errors
    /// If there is none, or there are several of that label.
    pub(crate) fn find(&self) -> Result<PathBuf> {
        let path = self.path();
        match self.label.as_ref().or(path.is_none().then_some(&self.named)) {
            Some(label) => {
                let same = list::labelled(label);
                let path = path.map(|path| path.canonicalize().unwrap_or(path));
                pick(path.as_deref(), same, &self.named, label)
            }
            None => Ok(path.unwrap_or_default()),
        }
    }

    /// The file that was named, unless a label was.
    fn path(&self) -> Option<PathBuf> {
        let is_path = self.named.contains('/') || self.named.starts_with("gpiochip");
        is_path.then(|| Path::new("/dev").join(&self.named))
    }
}

/// Chooses among the chips of one label: the one that was named, else the only one.
fn pick(path: Option<&Path>, mut same: Vec<PathBuf>, named: &str, label: &str) -> Result<PathBuf> {
    if let Some(path) = path.filter(|path| same.iter().any(|other| other == path)) {
        return Ok(path.to_owned());
    }
    match (same.pop(), same.len()) {
        (Some(only), 0) => Ok(only),
        (Some(_), _) => Err(Error::SameLabel(label.to_owned())),
        (None, _) => Err(Error::NoChip { wanted: named.to_owned(), known: list::known() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chips_are_named_by_path_name_or_label() {
        let path = |named: &str| Whereabouts::new(named.to_owned()).path();
        assert_eq!(path("/dev/gpiochip4").as_deref(), Some(Path::new("/dev/gpiochip4")));
        assert_eq!(path("gpiochip4").as_deref(), Some(Path::new("/dev/gpiochip4")));
        assert_eq!(path("pinctrl-bcm2711"), None);
        let error = Whereabouts::new("no such label".to_owned()).find().unwrap_err().to_string();
        assert!(error.contains("no chip `no such label`: there is"), "{error}");
    }

    #[test]
    fn a_chip_that_comes_back_is_known_by_its_label() {
        let paths = |numbers: &[u8]| -> Vec<PathBuf> {
            numbers.iter().map(|n| format!("/dev/gpiochip{n}").into()).collect()
        };
        let old = paths(&[0]).remove(0);
        let picked = |same: &[u8]| pick(Some(&old), paths(same), "gpiochip0", "cp2112_gpio");
        assert_eq!(picked(&[1, 0]), Ok(old.clone()));
        assert_eq!(picked(&[1]), Ok(paths(&[1]).remove(0)));
        assert_eq!(picked(&[1, 2]), Err(Error::SameLabel("cp2112_gpio".to_owned())));
        assert!(matches!(picked(&[]), Err(Error::NoChip { .. })));
    }

    #[test]
    fn a_chip_without_a_label_keeps_its_number() {
        let mut chip = Whereabouts::new("gpiochip4".to_owned());
        chip.note("");
        assert_eq!(chip.find(), Ok("/dev/gpiochip4".into()));
        chip.note("no such label");
        assert!(matches!(chip.find(), Err(Error::NoChip { .. })));
    }
}
