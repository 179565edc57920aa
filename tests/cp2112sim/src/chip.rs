//! The chip: its lines, and the feature reports by which the kernel asks for them.
//!
//! Source: Silicon Labs AN495, CP2112 Interface Specification, 4 and 5.

/// How many lines it has.
pub(crate) const LINES: u8 = 8;

/// Direction of each line, drive, special functions, clock divider.
const GPIO_CONFIG: u8 = 0x02;
const GPIO_GET: u8 = 0x03;
const GPIO_SET: u8 = 0x04;
const VERSION: u8 = 0x05;
const SMBUS_CONFIG: u8 = 0x06;
/// Which of the identity's fields may still be written.
const LOCK: u8 = 0x20;

/// The feature reports, and how many bytes each has behind its number.
const FEATURES: [(u8, u8); 6] =
    [(GPIO_CONFIG, 4), (GPIO_GET, 1), (GPIO_SET, 2), (VERSION, 2), (SMBUS_CONFIG, 13), (LOCK, 1)];
/// Answers of the SMBus, which never come here: what a HID device without an input report is, the kernel need not take.
const INPUT: (u8, u8) = (0x13, 62);

/// The report descriptor: what the kernel's HID core learns of the device first.
///
/// Source: USB HID 1.11, 6.2.2.
pub(crate) fn descriptor() -> Vec<u8> {
    // A vendor's own page and usage; bytes of 0 to 255 all the way.
    let mut bytes = vec![0x06, 0x00, 0xff, 0x09, 0x01, 0xa1, 0x01];
    bytes.extend([0x15, 0x00, 0x26, 0xff, 0x00, 0x75, 0x08]);
    for (id, len) in FEATURES {
        bytes.extend([0x85, id, 0x95, len, 0x09, 0x01, 0xb1, 0x02]);
    }
    bytes.extend([0x85, INPUT.0, 0x95, INPUT.1, 0x09, 0x01, 0x81, 0x02]);
    bytes.push(0xc0);
    bytes
}

/// Its state; a bit for each line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Chip {
    /// Which lines the chip drives.
    outputs: u8,
    push_pull: u8,
    /// What it drives them to.
    driven: u8,
    /// What the world puts on the others.
    outside: u8,
    smbus: [u8; 13],
}

impl Chip {
    /// Puts a level on a line from outside; on one that the chip drives it is not seen.
    pub(crate) fn put(&mut self, line: u8, is_high: bool) {
        let bit = 1 << line;
        self.outside = if is_high { self.outside | bit } else { self.outside & !bit };
    }

    /// The levels of all lines.
    fn levels(&self) -> u8 {
        (self.outputs & self.driven) | (!self.outputs & self.outside)
    }

    /// Gives a report that begins with its number, if it has that.
    pub(crate) fn get(&self, report: u8) -> Option<Vec<u8>> {
        let payload: &[u8] = match report {
            GPIO_CONFIG => &[self.outputs, self.push_pull, 0, 0],
            GPIO_GET => &[self.levels()],
            VERSION => &[0x0c, 0x02],
            SMBUS_CONFIG => &self.smbus,
            LOCK => &[0],
            _ => return None,
        };
        Some([&[report], payload].concat())
    }

    /// Takes a report and says what it changes for the world outside; nothing if it is none.
    pub(crate) fn set(&mut self, data: &[u8]) -> Option<Vec<String>> {
        let before = self.clone();
        match *data {
            [GPIO_CONFIG, outputs, push_pull, _, _] => {
                (self.outputs, self.push_pull) = (outputs, push_pull);
            }
            [GPIO_SET, values, mask] => self.driven = (self.driven & !mask) | (values & mask),
            [SMBUS_CONFIG, ref config @ ..] => self.smbus = config.try_into().ok()?,
            _ => return None,
        }
        Some((0..LINES).filter_map(|line| self.change(&before, line)).collect())
    }

    /// What is otherwise on a line than before, seen from outside.
    fn change(&self, before: &Self, line: u8) -> Option<String> {
        let drives =
            |chip: &Self| (chip.outputs >> line & 1 == 1).then(|| chip.driven >> line & 1 == 1);
        let now = drives(self);
        (now != drives(before)).then(|| match now {
            Some(true) => format!("line {line} drives high"),
            Some(false) => format!("line {line} drives low"),
            None => format!("line {line} listens"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_driven_by_one_side_each() {
        let mut chip = Chip::default();
        chip.put(0, true);
        chip.put(3, true);
        assert_eq!(chip.get(GPIO_GET), Some(vec![GPIO_GET, 0b1001]));
        assert_eq!(chip.set(&[GPIO_CONFIG, 0b1000, 0xff, 0, 0]).unwrap(), ["line 3 drives low"]);
        assert_eq!(chip.get(GPIO_GET), Some(vec![GPIO_GET, 0b0001]));
        assert_eq!(chip.set(&[GPIO_SET, 0xff, 0b1000]).unwrap(), ["line 3 drives high"]);
        assert_eq!(chip.get(GPIO_GET), Some(vec![GPIO_GET, 0b1001]));
        chip.put(3, false);
        assert_eq!(chip.get(GPIO_GET), Some(vec![GPIO_GET, 0b1001]));
        assert_eq!(chip.set(&[GPIO_CONFIG, 0, 0, 0, 0]).unwrap(), ["line 3 listens"]);
        assert_eq!(chip.get(GPIO_GET), Some(vec![GPIO_GET, 0b0001]));
    }

    #[test]
    fn unknown_reports_are_none() {
        let mut chip = Chip::default();
        assert_eq!(chip.get(0x77), None);
        for wrong in [&[][..], &[GPIO_SET], &[GPIO_CONFIG, 1], &[SMBUS_CONFIG, 1], &[0x77, 0]] {
            assert_eq!(chip.set(wrong), None, "{wrong:?}");
        }
        assert_eq!(chip, Chip::default());
    }

    #[test]
    fn each_answer_has_the_length_that_the_descriptor_promises() {
        let chip = Chip::default();
        for (id, len) in FEATURES.into_iter().filter(|(id, _)| *id != GPIO_SET) {
            assert_eq!(chip.get(id).unwrap().len(), usize::from(len) + 1, "{id:#x}");
        }
        assert_eq!(descriptor().first_chunk(), Some(&[0x06, 0x00, 0xff]));
    }
}
