//! The loop: edges become frames, requests become outputs, and a lost chip is looked for.

use std::error;
use std::time::{Duration, Instant};

use eyelet_area::{Answer, Asked, Format, FrameBuilder, MonotonicNs, Outcome, Owner, Peer, State};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use crate::chip::{Edge, Lines};
use crate::content::{Content, No, Wish};
use crate::error::Error;
use crate::options::{Direction, Options};
use crate::whereabouts::Whereabouts;

/// The pause before a chip is looked for again: doubled each time, up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// How often the values are read without an edge: a kernel before 6.6 wakes nobody when it loses a chip, and edges that
/// came faster than they were read are lost.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// The next try after something could not be done for want of memory or a descriptor.
const AGAIN: Duration = Duration::from_millis(50);

/// The loop's result: what it cannot go on after.
type Result<T> = std::result::Result<T, Box<dyn error::Error>>;

/// Owns the area until the process is ended.
///
/// # Errors
/// If there is no area to own, or the kernel fails it: Eyelet starts the process again.
pub(crate) fn run(options: Options) -> Result<()> {
    let Options { chip, lines } = options;
    let mut mule = Mule {
        owner: Owner::inherited()?.with_requests(),
        chip: Whereabouts::new(chip),
        content: Content::new(lines),
        lines: None,
        why: "not opened yet".to_owned(),
        pause: FIRST_PAUSE,
        retry_at: Instant::now(),
        look_at: Instant::now(),
        unpublished: None,
    };
    loop {
        mule.turn()?;
    }
}

#[derive(Debug)]
struct Mule {
    owner: Owner,
    chip: Whereabouts,
    content: Content,
    /// While the chip is there.
    lines: Option<Lines>,
    /// Why it is not.
    why: String,
    pause: Duration,
    retry_at: Instant,
    look_at: Instant,
    /// Something has changed, at that time, that no frame has yet.
    unpublished: Option<MonotonicNs>,
}

impl Mule {
    /// Waits for something to happen and deals with it.
    fn turn(&mut self) -> Result<()> {
        if self.lines.is_none() && Instant::now() >= self.retry_at {
            self.open();
        }
        let has_edges = self.wait()?;
        let done = match &self.lines {
            Some(lines) if has_edges => lines.edges().and_then(|edges| {
                // Readable without an edge: that is how a lost chip looks.
                if edges.is_empty() { Err(lines.gone()) } else { Ok(edges) }
            }),
            _ => Ok(Vec::new()),
        };
        let looked = done.and_then(|edges| {
            for edge in edges {
                self.take(edge);
                self.publish();
            }
            self.look()
        });
        if let Err(error) = looked {
            self.lose(&error);
        }
        self.hear()
    }

    /// Waits; true if the lines have something to say.
    fn wait(&self) -> Result<bool> {
        let due = if self.lines.is_some() { self.look_at } else { self.retry_at };
        let mut pause = due.saturating_duration_since(Instant::now());
        if self.owner.owes_turn() || self.unpublished.is_some() {
            pause = pause.min(AGAIN);
        }
        let pause = Timespec::try_from(pause).unwrap_or(Timespec { tv_sec: 1, tv_nsec: 0 });
        let mut fds = vec![PollFd::new(&self.owner, PollFlags::IN)];
        fds.extend(self.lines.as_ref().map(|lines| PollFd::new(lines, PollFlags::IN)));
        match poll(&mut fds, Some(&pause)) {
            Ok(_) | Err(Errno::INTR) => {
                Ok(fds.get(1).is_some_and(|lines| !lines.revents().is_empty()))
            }
            Err(e) => Err(format!("failed to wait for edges and requests: {e}").into()),
        }
    }

    /// Reads all values, if it is time for that.
    fn look(&mut self) -> std::result::Result<(), Error> {
        let Some(lines) = self.lines.as_ref().filter(|_| Instant::now() >= self.look_at) else {
            return Ok(());
        };
        let values = lines.values()?;
        self.look_at = Instant::now() + LOOK_AGAIN;
        self.take_all(&values);
        Ok(())
    }

    /// Takes over what an input is now, unless that is known already: a look may come before the edge.
    fn take(&mut self, edge: Edge) {
        if self.content.values()[edge.at] != edge.value {
            self.content.put(edge.at, edge.value);
            self.change(MonotonicNs(edge.at_ns));
        }
    }

    /// Takes over what was read: of the inputs, as an output is what it was set to.
    fn take_all(&mut self, values: &[u8]) {
        let at_ns = MonotonicNs::now().0;
        for (at, value) in values.iter().copied().enumerate() {
            if self.content.lines()[at].direction == Direction::In {
                self.take(Edge { at, value, at_ns });
            }
        }
        self.publish();
    }

    fn open(&mut self) {
        let opened = Lines::open(&mut self.chip, self.content.lines(), self.content.values())
            .and_then(|lines| lines.values().map(|values| (lines, values)));
        match opened {
            Ok((lines, values)) => {
                let names: Vec<&str> =
                    self.content.lines().iter().map(|line| line.name.as_str()).collect();
                eprintln!("eyelet-gpio: {} open: {}", lines.chip(), names.join(", "));
                self.lines = Some(lines);
                self.pause = FIRST_PAUSE;
                self.look_at = Instant::now() + LOOK_AGAIN;
                self.owner.set_state(State::Live);
                self.change(MonotonicNs::now());
                self.take_all(&values);
            }
            Err(error) => self.lose(&error),
        }
    }

    /// Says that there are no lines, and when they are looked for again.
    fn lose(&mut self, error: &Error) {
        self.lines = None;
        self.unpublished = None;
        let why = error.to_string();
        if why != self.why {
            eprintln!("eyelet-gpio: {why}");
        }
        self.why.clone_from(&why);
        // Nobody is to be sent what is perhaps no longer so.
        self.owner.clear();
        self.owner.set_state(State::NoSignal { why });
        self.retry_at = Instant::now() + self.pause;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
    }

    /// Does what subscribers ask, publishes what came of it, and answers.
    fn hear(&mut self) -> Result<()> {
        let turn = self.owner.turn()?;
        for refused in turn.refused {
            eprintln!("eyelet-gpio: subscriber refused: {refused}");
        }
        let answers: Vec<(Peer, Answer)> =
            turn.requests.iter().map(|asked| (asked.peer, self.answer(asked))).collect();
        self.publish();
        for (peer, answer) in &answers {
            self.owner.answer(*peer, answer);
        }
        Ok(())
    }

    fn answer(&mut self, Asked { request, .. }: &Asked) -> Answer {
        let tag = request.tag;
        match self.content.wish(&request.op).and_then(|wish| self.grant(wish)) {
            Ok(Wish::Read(payload)) => Answer { payload, ..Answer::new(tag, Outcome::Done) },
            Ok(Wish::Set { value, .. }) => {
                // Whenever the next frame is made, it has this change.
                let sequence = self.owner.sequence() + 1;
                Answer { sequence, value, ..Answer::new(tag, Outcome::Done) }
            }
            Err(No::OutOfRange) => {
                let value = i64::try_from(self.content.values().len()).unwrap_or(i64::MAX);
                Answer { value, ..Answer::new(tag, Outcome::OutOfRange) }
            }
            Err(No::Refused(why)) => Answer::refused(tag, &why),
        }
    }

    /// Sets what is wished, if the chip is there.
    fn grant(&mut self, wish: Wish) -> std::result::Result<Wish, No> {
        let Some(lines) = &self.lines else { return Err(No::Refused(self.why.clone())) };
        if let Wish::Set { outputs, .. } = &wish {
            if let Err(error) = lines.set(outputs) {
                self.lose(&error);
                return Err(No::Refused(self.why.clone()));
            }
            for (at, value) in outputs {
                self.content.put(*at, *value);
            }
            self.change(MonotonicNs::now());
        }
        Ok(wish)
    }

    /// Notes that something has changed that no frame has yet.
    fn change(&mut self, at: MonotonicNs) {
        self.unpublished.get_or_insert(at);
    }

    /// Publishes what has changed; what cannot be is tried again.
    fn publish(&mut self) {
        let Some(at) = self.unpublished else { return };
        let frame = FrameBuilder::new().and_then(|mut builder| {
            builder.write(self.content.values())?;
            builder.seal(Format::default(), at)
        });
        match frame {
            Ok(frame) => {
                self.owner.publish(frame);
                self.unpublished = None;
            }
            Err(e) => eprintln!("eyelet-gpio: {e}"),
        }
    }
}
