//! `multipart/x-mixed-replace`, taken apart as it comes: pictures in pieces that are never stored.
//!
//! A part with a `Content-Length` ends by count, any other at the next boundary. The boundary is what the first line
//! that begins with two hyphens says, because servers do not agree on whether the hyphens belong to its name.
//!
//! Source: RFC 2046, section 5.1.1.

use super::parser::{Broken, Event};

/// Bytes of a line in a part's head at most.
const MAX_LINE: usize = 4096;
/// Lines before a part at most.
const MAX_LINES: usize = 100;

/// Reads the body of one answer.
#[derive(Debug)]
pub(crate) struct Multipart {
    stage: Stage,
    /// Line break, hyphens and name; empty until the first boundary has come.
    delimiter: Vec<u8>,
    /// The line of a head that is arriving.
    line: Vec<u8>,
    lines: usize,
    /// What the head says about the length.
    len: Option<u64>,
}

#[derive(Debug)]
enum Stage {
    /// Before a part: lines up to the boundary mean nothing.
    Before,
    /// Behind the boundary.
    Head,
    /// So many bytes of a part are missing.
    Counted(u64),
    /// In a part that ends at the delimiter, of which so many bytes may have come.
    Searching(usize),
}

impl Multipart {
    pub(crate) fn new() -> Self {
        Self { stage: Stage::Before, delimiter: Vec::new(), line: Vec::new(), lines: 0, len: None }
    }

    /// Takes bytes off `input` up to the next event; `None` when all is taken and more is needed. O(bytes taken).
    pub(crate) fn next<'a>(&mut self, input: &mut &'a [u8]) -> Result<Option<Event<'a>>, Broken> {
        loop {
            match self.stage {
                Stage::Before | Stage::Head => {
                    let Some(line) = self.take_line(input)? else { return Ok(None) };
                    if let Some(event) = self.line(&line)? {
                        return Ok(Some(event));
                    }
                }
                Stage::Counted(0) => return Ok(Some(self.end(Stage::Before))),
                Stage::Counted(left) => {
                    let len = usize::try_from(left).unwrap_or(usize::MAX).min(input.len());
                    let (part, rest) = input.split_at(len);
                    *input = rest;
                    self.stage = Stage::Counted(left - len as u64);
                    return Ok((len > 0).then_some(Event::Part(part)));
                }
                Stage::Searching(found) if found == self.delimiter.len() => {
                    // The rest of that line is a boundary's line, of which the beginning is known.
                    self.line.extend_from_slice(&self.delimiter[2..]);
                    return Ok(Some(self.end(Stage::Before)));
                }
                Stage::Searching(found) => return Ok(self.search(found, input)),
            }
        }
    }

    fn end(&mut self, next: Stage) -> Event<'static> {
        self.stage = next;
        self.lines = 0;
        self.len = None;
        Event::End
    }

    /// Takes a line without its end, which may come byte by byte.
    fn take_line(&mut self, input: &mut &[u8]) -> Result<Option<Vec<u8>>, Broken> {
        let end = input.iter().position(|byte| *byte == b'\n');
        let (line, rest) = input.split_at(end.unwrap_or(input.len()));
        self.line.extend_from_slice(line);
        *input = rest.get(1..).unwrap_or_default();
        if self.line.len() > MAX_LINE || self.lines > MAX_LINES {
            return Err(Broken::Multipart("a part's head is endless"));
        }
        Ok(end.map(|_| {
            self.lines += 1;
            let mut line = std::mem::take(&mut self.line);
            line.truncate(line.trim_ascii_end().len());
            line
        }))
    }

    fn line(&mut self, line: &[u8]) -> Result<Option<Event<'static>>, Broken> {
        if matches!(self.stage, Stage::Before) {
            self.boundary(line)?;
            return Ok(None);
        }
        if line.is_empty() {
            self.stage = self.len.map_or(Stage::Searching(0), Stage::Counted);
            return Ok(Some(Event::Begin(self.len)));
        }
        if let Some((name, value)) = std::str::from_utf8(line).unwrap_or_default().split_once(':')
            && name.trim().eq_ignore_ascii_case("content-length")
        {
            let len =
                value.trim().parse().map_err(|_| Broken::Multipart("a length is no number"))?;
            self.len = Some(len);
        }
        Ok(None)
    }

    fn boundary(&mut self, line: &[u8]) -> Result<(), Broken> {
        if self.delimiter.is_empty() && line.starts_with(b"--") {
            self.delimiter = [b"\r\n", line].concat();
        }
        // Before the first boundary nothing can be one.
        let Some(boundary) = self.delimiter.get(2..) else { return Ok(()) };
        match line.strip_prefix(boundary) {
            Some(b"") => self.stage = Stage::Head,
            Some(b"--") => return Err(Broken::Multipart("the last part has come")),
            _ => {}
        }
        Ok(())
    }

    /// Gives what is certainly of the part.
    fn search<'a>(&mut self, mut found: usize, input: &mut &'a [u8]) -> Option<Event<'a>> {
        let begun = found;
        // Its first byte is in it only once, so that after a mismatch nothing but the beginning can match.
        while let Some(byte) = input.first().filter(|_| begun > 0) {
            if *byte != self.delimiter[found] {
                self.stage = Stage::Searching(0);
                return Some(Event::Kept(self.delimiter[..found].to_vec()));
            }
            found += 1;
            *input = &input[1..];
            self.stage = Stage::Searching(found);
            if found == self.delimiter.len() {
                return Some(Event::Part(&[]));
            }
        }
        let at = input.iter().position(|byte| *byte == b'\r').filter(|_| begun == 0);
        let (part, rest) = input.split_at(at.unwrap_or(input.len()));
        *input = rest.get(1..).unwrap_or_default();
        if at.is_some() {
            self.stage = Stage::Searching(1);
        }
        (at.is_some() || !part.is_empty()).then_some(Event::Part(part))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Feeds `bytes` in pieces of this length and gives the parts, and how it ended.
    fn read(bytes: &[u8], piece: usize) -> (Vec<Vec<u8>>, Option<Broken>) {
        let (mut multipart, mut parts, mut part) = (Multipart::new(), Vec::new(), Vec::new());
        for mut input in bytes.chunks(piece) {
            loop {
                match multipart.next(&mut input) {
                    Ok(Some(Event::Begin(_))) => part = Vec::new(),
                    Ok(Some(Event::Part(bytes))) => part.extend_from_slice(bytes),
                    Ok(Some(Event::Kept(bytes))) => part.extend(bytes),
                    Ok(Some(Event::End)) => parts.push(std::mem::take(&mut part)),
                    Ok(Some(other)) => panic!("{other:?}"),
                    Ok(None) => break,
                    Err(broken) => return (parts, Some(broken)),
                }
            }
            assert!(input.is_empty());
        }
        (parts, None)
    }

    #[test]
    fn endless_heads_and_wrong_lengths_are_refused() {
        for wrong in [vec![b'x'; MAX_LINE + 2], vec![b'\n'; MAX_LINES + 3]] {
            assert!(read(&wrong, 100).1.is_some());
        }
        assert!(read(b"--b\r\nContent-Length: -1\r\n\r\n", 100).1.is_some());
        assert!(read(b"--b\r\n\r\nx\r\n--b--\r\n", 100).1.is_some());
    }

    #[test]
    fn nothing_but_hyphens_begins_the_first_boundary() {
        assert_eq!(read(b"\0\r\n\r\nabc\r\n--b--\r\n", 100).0, Vec::<Vec<u8>>::new());
    }

    proptest! {
        #[test]
        fn pieces_do_not_matter(
            parts in prop::collection::vec((any::<bool>(), "[\r\n\\-bx]{0,40}"), 1..6),
            piece in 1usize..50,
        ) {
            let mut bytes = b"preamble\r\n--b\r\n".to_vec();
            let mut expected = Vec::new();
            for (is_counted, text) in &parts {
                // What ends at a boundary cannot have one in it.
                let mut text = text.clone();
                while !is_counted && text.contains("--b") {
                    // Taking one away may make another.
                    text = text.replace("--b", "");
                }
                let text = text.into_bytes();
                if *is_counted {
                    bytes.extend(format!("CONTENT-length: {}\r\n", text.len()).bytes());
                }
                bytes.extend_from_slice(b"Content-Type: image/jpeg\r\n\r\n");
                bytes.extend_from_slice(&text);
                bytes.extend_from_slice(b"\r\n--b\r\n");
                expected.push(text);
            }
            prop_assert_eq!(read(&bytes, piece).0, expected);
        }

        #[test]
        fn anything_is_read_without_a_panic(bytes: Vec<u8>, piece in 1usize..9) {
            drop(read(&[&b"--\r\n\r\n"[..], &bytes].concat(), piece));
        }
    }
}
