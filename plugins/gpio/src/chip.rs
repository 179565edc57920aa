//! The kernel's side: finding a chip's lines, asking for them, their values and edges.

use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

use gpiocdev::line::{EdgeDetection, EdgeKind, Info, Offset, Value, Values};
use gpiocdev::{Chip, Request};
use rustix::io::Errno;

use crate::error::{Error, Result, errno};
use crate::list;
use crate::options::{Direction, Line, Place};
use crate::whereabouts::Whereabouts;

/// What other programs see a line in use by.
const CONSUMER: &str = "eyelet";
/// Edges that are read in one go.
const EDGES: usize = 16;

/// The lines of one chip, which nobody else has meanwhile.
#[derive(Debug)]
pub(crate) struct Lines {
    /// For messages: its label and its path.
    chip: String,
    request: Request,
    /// In the order of the area.
    offsets: Vec<Offset>,
}

/// A change of an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Edge {
    /// Which line, by its position in the area.
    pub(crate) at: usize,
    /// What it is now.
    pub(crate) value: u8,
    /// When that was, by CLOCK_MONOTONIC.
    pub(crate) at_ns: u64,
}

impl Lines {
    /// Finds the chip and asks for its lines; outputs are set to what `values` has for them.
    ///
    /// # Errors
    /// If there is no such chip or line, or it may not be had.
    pub(crate) fn open(
        whereabouts: &mut Whereabouts,
        lines: &[Line],
        values: &[u8],
    ) -> Result<Self> {
        let path = whereabouts.find()?;
        let chip = Chip::from_path(&path).map_err(|e| Error::opening(&path, &e))?;
        let infos = || chip.line_info_iter()?.collect::<gpiocdev::Result<Vec<Info>>>();
        let known = chip.info().and_then(|info| Ok((info.label, infos()?)));
        let (label, known) = known.map_err(|e| Error::opening(&path, &e))?;
        let name = format!("the chip `{label}` at {}", path.display());
        let offsets = offsets(&name, lines, &known)?;
        let request = request(&path, lines, &offsets, values).map_err(|e| {
            // Asked anew: who has the line may have come since.
            let busy = infos().ok().filter(|_| errno(&e) == Some(Errno::BUSY));
            let user = busy.and_then(|infos| user(&name, lines, &offsets, &infos));
            let is_debounced = lines.iter().any(|line| line.wiring.debounce.is_some());
            user.unwrap_or_else(|| match errno(&e) {
                Some(Errno::INVAL) if is_debounced => Error::Debounce(name.clone()),
                _ => Error::kernel("request", &name, &e),
            })
        })?;
        whereabouts.note(&label);
        Ok(Self { chip: name, request, offsets })
    }

    /// Names the chip, for messages.
    pub(crate) fn chip(&self) -> &str {
        &self.chip
    }

    /// Gives the values of all lines as they are now.
    ///
    /// # Errors
    /// If the chip is gone, or the kernel cannot ask it.
    pub(crate) fn values(&self) -> Result<Vec<u8>> {
        let mut values = Values::from_offsets(&self.offsets);
        self.request.values(&mut values).map_err(|e| Error::kernel("read", &self.chip, &e))?;
        let byte = |offset: &Offset| u8::from(values.get(*offset) == Some(Value::Active));
        Ok(self.offsets.iter().map(byte).collect())
    }

    /// Sets outputs, by their position in the area; all at once where the chip can.
    ///
    /// # Errors
    /// If the chip is gone, or the kernel cannot set it.
    pub(crate) fn set(&self, outputs: &[(usize, u8)]) -> Result<()> {
        if outputs.is_empty() {
            return Ok(());
        }
        let mut values = Values::default();
        for (at, byte) in outputs {
            values.set(self.offsets[*at], value(*byte));
        }
        self.request.set_values(&values).map_err(|e| Error::kernel("set", &self.chip, &e))
    }

    /// Reads the edges that have come. Never waits.
    ///
    /// # Errors
    /// If the chip is gone.
    pub(crate) fn edges(&self) -> Result<Vec<Edge>> {
        let failed = |e: gpiocdev::Error| Error::kernel("read", &self.chip, &e);
        let mut edges = Vec::new();
        if !self.request.has_edge_event().map_err(failed)? {
            return Ok(edges);
        }
        let words = self.request.edge_event_u64_size();
        let mut buffer = vec![0; words * EDGES];
        let len = self.request.read_edge_events_into_slice(&mut buffer).map_err(failed)?;
        for event in buffer[..len].chunks_exact(words) {
            let event = self.request.edge_event_from_slice(event).map_err(failed)?;
            let at = self.offsets.iter().position(|offset| *offset == event.offset);
            let value = u8::from(event.kind == EdgeKind::Rising);
            edges.extend(at.map(|at| Edge { at, value, at_ns: event.timestamp_ns }));
        }
        Ok(edges)
    }

    /// The error of a chip that is not there any more.
    pub(crate) fn gone(&self) -> Error {
        Error::Gone(self.chip.clone())
    }
}

impl AsFd for Lines {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.request.as_fd()
    }
}

/// The numbers of the lines on the chip, in their order.
fn offsets(chip: &str, lines: &[Line], infos: &[Info]) -> Result<Vec<Offset>> {
    let mut offsets: Vec<Offset> = Vec::with_capacity(lines.len());
    for line in lines {
        let (found, wanted) = match &line.place {
            Place::Offset(n) => (infos.iter().find(|i| i.offset == *n), n.to_string()),
            Place::Name(name) => (infos.iter().find(|i| i.name == *name), name.clone()),
        };
        let found = found.ok_or_else(|| Error::NoLine {
            chip: chip.to_owned(),
            line: wanted,
            known: list::lines(infos),
        })?;
        if let Some(same) = offsets.iter().position(|offset| *offset == found.offset) {
            return Err(Error::SameLine(lines[same].name.clone(), line.name.clone()));
        }
        offsets.push(found.offset);
    }
    Ok(offsets)
}

/// Who has one of the lines.
fn user(chip: &str, lines: &[Line], offsets: &[Offset], infos: &[Info]) -> Option<Error> {
    lines.iter().zip(offsets).find_map(|(line, offset)| {
        let info = infos.iter().find(|info| info.offset == *offset && info.used)?;
        Some(Error::Busy {
            line: line.name.clone(),
            offset: *offset,
            chip: chip.to_owned(),
            consumer: if info.consumer.is_empty() { "?".into() } else { info.consumer.clone() },
        })
    })
}

fn request(
    path: &Path,
    lines: &[Line],
    offsets: &[Offset],
    values: &[u8],
) -> gpiocdev::Result<Request> {
    let mut builder = Request::builder();
    builder.on_chip(path).with_consumer(CONSUMER);
    for ((line, offset), byte) in lines.iter().zip(offsets).zip(values) {
        builder.with_line(*offset);
        match line.direction {
            Direction::In => builder.as_input().with_edge_detection(EdgeDetection::BothEdges),
            Direction::Out => builder.as_output(value(*byte)),
        };
        if line.wiring.is_active_low {
            builder.as_active_low();
        }
        if let Some(bias) = line.wiring.bias {
            builder.with_bias(bias);
        }
        if let Some(time) = line.wiring.debounce.filter(|_| line.direction == Direction::In) {
            builder.with_debounce_period(time);
        }
    }
    builder.request()
}

fn value(byte: u8) -> Value {
    if byte == 0 { Value::Inactive } else { Value::Active }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::Wiring;

    fn infos() -> Vec<Info> {
        let info = |offset, name: &str, consumer: &str| Info {
            offset,
            name: name.to_owned(),
            used: offset > 1,
            consumer: consumer.to_owned(),
            ..Info::default()
        };
        vec![info(0, "ID_SD", ""), info(1, "GPIO1", ""), info(2, "LED", "led0"), info(3, "", "")]
    }

    fn line(name: &str, place: &str) -> Line {
        let place = place.parse().map_or(Place::Name(place.to_owned()), Place::Offset);
        let name = name.to_owned();
        Line { name, place, direction: Direction::In, wiring: Wiring::default() }
    }

    #[test]
    fn lines_are_found_by_number_and_by_name() {
        let lines = [line("a", "3"), line("b", "GPIO1"), line("c", "0")];
        assert_eq!(offsets("chip", &lines, &infos()), Ok(vec![3, 1, 0]));
        for (place, part) in
            [("4", "no line `4`: it has 0 to 3"), ("GPIO2", "called ID_SD, GPIO1, LED")]
        {
            let error = offsets("the chip", &[line("a", place)], &infos()).unwrap_err().to_string();
            assert!(error.starts_with("the chip has ") && error.contains(part), "{error}");
        }
        let same = offsets("chip", &[line("a", "1"), line("b", "GPIO1")], &infos()).unwrap_err();
        assert_eq!(same.to_string(), "`a` and `b` are the same line");
    }

    #[test]
    fn who_has_a_line_is_named() {
        let lines = [line("button", "1"), line("lamp", "2")];
        let error = user("the chip", &lines, &[1, 2], &infos()).unwrap().to_string();
        assert_eq!(error, "the line `lamp` (2) of the chip is in use by `led0`");
        assert_eq!(user("the chip", &lines[..1], &[1], &infos()), None);
    }
}
