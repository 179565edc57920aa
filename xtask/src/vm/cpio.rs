//! The archive format of an initial ramdisk: "newc" cpio, written in memory.
//!
//! Source: Documentation/driver-api/early-userspace/buffer-format.rst. Not compressed: the guest would unpack it slowly.

use std::collections::BTreeSet;

const FOLDER: u32 = 0o040_755;
const EXECUTABLE: u32 = 0o100_755;
const SYMLINK: u32 = 0o120_777;

/// An archive being written.
#[derive(Debug, Default)]
pub(crate) struct Archive {
    bytes: Vec<u8>,
    entries: u32,
    folders: BTreeSet<String>,
}

impl Archive {
    /// Adds a folder and those above it, once.
    pub(crate) fn folder(&mut self, path: &str) {
        if path.is_empty() || self.folders.contains(path) {
            return;
        }
        self.parent(path);
        self.folders.insert(path.into());
        self.entry(path, FOLDER, &[]);
    }

    /// Adds a file that may be run and read by everyone, with the folders above it.
    pub(crate) fn file(&mut self, path: &str, data: &[u8]) {
        self.parent(path);
        self.entry(path, EXECUTABLE, data);
    }

    /// Adds a symbolic link, with the folders above it.
    pub(crate) fn symlink(&mut self, path: &str, target: &str) {
        self.parent(path);
        self.entry(path, SYMLINK, target.as_bytes());
    }

    /// Ends the archive.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        self.entry("TRAILER!!!", 0, &[]);
        self.bytes
    }

    fn parent(&mut self, path: &str) {
        if let Some((folder, _)) = path.rsplit_once('/') {
            self.folder(folder);
        }
    }

    fn entry(&mut self, path: &str, mode: u32, data: &[u8]) {
        self.entries += 1;
        let inode = self.entries;
        let links = 1 + u32::from(mode == FOLDER);
        let (len, name_len) = (data.len(), path.len() + 1);
        // Magic; inode, mode, owner, group, links, time; length; device, device of a node; length of the name; no checksum.
        let header = format!(
            "070701{inode:08x}{mode:08x}{0:08x}{0:08x}{links:08x}{0:08x}{len:08x}{0:08x}{0:08x}\
             {0:08x}{0:08x}{name_len:08x}{0:08x}",
            0
        );
        self.bytes.extend(header.as_bytes());
        self.bytes.extend(path.as_bytes());
        self.bytes.push(0);
        self.pad();
        self.bytes.extend(data);
        self.pad();
    }

    /// Headers and data start at multiples of four bytes.
    fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Path, mode and data of every entry.
    fn read(bytes: &[u8]) -> Vec<(String, u32, Vec<u8>)> {
        let mut entries = Vec::new();
        let mut at = 0;
        while at < bytes.len() {
            let field = |n: usize| {
                let text = std::str::from_utf8(&bytes[at + 6 + 8 * n..][..8]).unwrap();
                usize::from_str_radix(text, 16).unwrap()
            };
            assert_eq!(&bytes[at..at + 6], b"070701");
            let (mode, len, name_len) = (field(1), field(6), field(11));
            let name = String::from_utf8(bytes[at + 110..][..name_len - 1].to_vec()).unwrap();
            let data = (at + 110 + name_len).next_multiple_of(4);
            entries.push((name, u32::try_from(mode).unwrap(), bytes[data..data + len].to_vec()));
            at = (data + len).next_multiple_of(4);
        }
        entries
    }

    #[test]
    fn entries_are_read_back_with_their_folders_first() {
        let mut archive = Archive::default();
        archive.file("bin/sub/tool", b"12345");
        archive.symlink("bin/sh", "busybox");
        archive.folder("bin/sub");
        let entries = read(&archive.finish());
        let expected = [
            ("bin", FOLDER, &b""[..]),
            ("bin/sub", FOLDER, b""),
            ("bin/sub/tool", EXECUTABLE, b"12345"),
            ("bin/sh", SYMLINK, b"busybox"),
            ("TRAILER!!!", 0, b""),
        ];
        let expected = expected.map(|(name, mode, data)| (name.into(), mode, data.to_vec()));
        assert_eq!(entries, expected);
    }
}
