//! Which frame a viewer gets next of one stream, and what it did not get.

use std::sync::Arc;
use std::time::Duration;

use eyelet_area::{Frame, GENERATION_SHIFT};
use tokio::time::Instant;

use crate::serve::Newest;

/// What a viewer has got of one stream.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    /// The least time from frame to frame that it wants.
    least: Option<Duration>,
    /// When the next frame may begin, where it wants fewer.
    next_at: Option<Instant>,
    /// Sequence of the last frame that was begun.
    last_sequence: u64,
    /// [`Newest::published`] at that time; none before the first.
    last_published: Option<u64>,
}

impl Pace {
    /// Begins with nothing; a viewer gets at most one frame in `least`.
    pub(crate) fn new(least: Option<Duration>) -> Self {
        Self { least, ..Self::default() }
    }

    /// Gives the newest frame if the viewer has not had it and may have it now.
    ///
    /// Nobody is woken for a rate: a frame is taken when it is the one nearest to its moment. So a viewer gets the rate it
    /// asked for in the mean, from any rate of the source, and each frame fresh.
    pub(crate) fn due<'a>(&self, newest: &'a Newest, now: Instant) -> Option<&'a Arc<Frame>> {
        let frame = newest.frame.as_ref()?;
        if frame.info().sequence <= self.last_sequence {
            return None;
        }
        if let (Some(least), Some(next_at)) = (self.least, self.next_at) {
            let nearest = frame.info().interval.max(least / 8).min(least) / 2;
            if now + nearest < next_at {
                return None;
            }
        }
        Some(frame)
    }

    /// Notes that the newest frame is begun and gives how many the viewer did not get since the last one.
    pub(crate) fn begin(&mut self, newest: &Newest, now: Instant) -> u64 {
        let sequence = newest.frame.as_ref().map_or(0, |frame| frame.info().sequence);
        self.next_at = self.least.map(|least| {
            // Over time: the next moment counts from the last one unless that is long gone.
            let on_time = self.next_at.map(|at| at + least).filter(|at| *at + least > now);
            on_time.unwrap_or(now + least)
        });
        self.had(sequence, newest.published)
    }

    /// Notes that the viewer has had a frame, at whatever moment, and gives how many it did not get since the last one.
    pub(crate) fn had(&mut self, sequence: u64, published: u64) -> u64 {
        if sequence <= self.last_sequence {
            return 0;
        }
        let dropped = self.dropped(sequence, published);
        self.last_sequence = sequence;
        self.last_published = Some(published);
        dropped
    }

    fn dropped(&self, sequence: u64, published: u64) -> u64 {
        let Some(last_published) = self.last_published else { return 0 };
        if sequence >> GENERATION_SHIFT == self.last_sequence >> GENERATION_SHIFT {
            return sequence.saturating_sub(self.last_sequence + 1);
        }
        // Another process made it: nobody knows what the one before would have counted to.
        published.saturating_sub(last_published + 1)
    }
}

#[cfg(test)]
mod tests {
    use eyelet_area::{Format, FrameBuilder, MonotonicNs, State};

    use super::*;

    fn newest(sequence: u64) -> Newest {
        // Only an area's owner numbers frames, so one is published for each.
        let folder = tempfile::tempdir().unwrap();
        let socket = eyelet_area::listen(&folder.path().join("area"), 0o600).unwrap();
        let generation = u32::try_from(sequence >> GENERATION_SHIFT).unwrap();
        let mut owner = eyelet_area::Owner::new(socket, generation).unwrap();
        let mut subscriber = eyelet_area::Subscriber::connect(&folder.path().join("area")).unwrap();
        let count = sequence & ((1 << GENERATION_SHIFT) - 1);
        for _ in 0..count {
            let mut builder = FrameBuilder::new().unwrap();
            builder.write(b"x").unwrap();
            let frame = builder.seal(Format::default(), MonotonicNs::now()).unwrap();
            owner.publish(frame.with_interval(Duration::from_millis(33)));
        }
        owner.turn().unwrap();
        subscriber.grant(1).unwrap();
        owner.turn().unwrap();
        loop {
            match subscriber.try_receive().unwrap() {
                Some(eyelet_area::Event::Frame { frame, .. }) => {
                    assert_eq!(frame.info().sequence, sequence);
                    return Newest {
                        frame: Some(Arc::new(frame)),
                        state: State::Live,
                        published: count,
                    };
                }
                Some(_) => {}
                None => owner.turn().map(drop).unwrap(),
            }
        }
    }

    #[test]
    fn nothing_comes_twice_and_gaps_are_counted() {
        let mut pace = Pace::new(None);
        let now = Instant::now();
        assert!(pace.due(&Newest::default(), now).is_none());
        let first = newest(3);
        assert!(pace.due(&first, now).is_some());
        assert_eq!(pace.begin(&first, now), 0);
        assert!(pace.due(&first, now).is_none());
        assert_eq!(pace.begin(&newest(7), now), 3);
        let restarted = Newest { published: 12, ..newest((1 << GENERATION_SHIFT) + 2) };
        assert_eq!(pace.begin(&restarted, now), 4);
    }

    #[test]
    fn a_wanted_rate_is_kept_in_the_mean_without_waking_anybody() {
        for (wanted_fps, expected) in
            [(10u32, 100..=101), (20, 199..=201), (25, 248..=252), (60, 300..=300)]
        {
            let mut pace = Pace::new(Some(Duration::from_secs(1) / wanted_fps));
            let start = Instant::now();
            let mut got = 0;
            let mut frames = newest(1);
            for at in 0..300u32 {
                // 30 frames a second, for ten seconds; the same frame under a pace that has not seen it.
                let now = start + Duration::from_secs(1) * at / 30;
                pace.last_sequence = 0;
                frames.published += 1;
                if pace.due(&frames, now).is_some() {
                    pace.begin(&frames, now);
                    got += 1;
                }
            }
            assert!(expected.contains(&got), "{wanted_fps} wanted: {got} in ten seconds");
        }
    }
}
