//! Which frame a viewer gets next of one stream, and what it did not get.
//!
//! Of most streams that is the newest. Where frames need those before them it is the one behind the last; only where that
//! is gone it is a key frame.

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
    /// It can use nothing but a key frame.
    needs_key: bool,
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
        if frame.info().format.fourcc.is_predicted() {
            // No rate is kept here: none can be left out.
            let next = newest.recent.behind(self.last_sequence);
            let is_start = self.needs_key || self.last_published.is_none();
            let key = || {
                let key = newest.recent.newest_key();
                key.filter(|key| key.info().sequence > self.last_sequence)
            };
            return if is_start { key() } else { next };
        }
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

    /// Tells whether there is a newer frame, and none that the viewer can use before the next key frame.
    pub(crate) fn lacks_key(&self, newest: &Newest) -> bool {
        let is_newer = |frame: &Arc<Frame>| {
            let info = frame.info();
            info.sequence > self.last_sequence && info.format.fourcc.is_predicted()
        };
        newest.frame.as_ref().is_some_and(is_newer) && self.due(newest, Instant::now()).is_none()
    }

    /// The sequence of the last frame that it had.
    pub(crate) fn last_sequence(&self) -> u64 {
        self.last_sequence
    }

    /// Says that the viewer can use nothing but a key frame.
    pub(crate) fn need_key(&mut self) {
        self.needs_key = true;
    }

    /// Notes that the frame that was [due](Self::due) is begun and gives how many the viewer did not get since the last
    /// one.
    pub(crate) fn begin(&mut self, frame: &Frame, newest: &Newest, now: Instant) -> u64 {
        self.next_at = self.least.map(|least| {
            // Over time: the next moment counts from the last one unless that is long gone.
            let on_time = self.next_at.map(|at| at + least).filter(|at| *at + least > now);
            on_time.unwrap_or(now + least)
        });
        self.had(frame, newest)
    }

    /// Notes that the viewer has had a frame, at whatever moment, and gives how many it did not get since the last one.
    pub(crate) fn had(&mut self, frame: &Frame, newest: &Newest) -> u64 {
        let sequence = frame.info().sequence;
        let behind = newest.frame.as_ref().map_or(0, |newest| newest.info().sequence - sequence);
        let published = newest.published.saturating_sub(behind);
        if sequence <= self.last_sequence {
            return 0;
        }
        let dropped = self.dropped(sequence, published);
        self.needs_key &= !frame.info().flags.is_key;
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
    use crate::serve::recent::tests::published;

    /// What is newest in a stream of H.264 of which the last eight frames are kept.
    fn predicted(count: u64, keys: &[u64]) -> Newest {
        let frames = published(count, keys, 10);
        let mut newest = Newest { published: count, ..Newest::default() };
        frames.iter().for_each(|frame| newest.recent.push(frame));
        Newest { frame: frames.last().cloned(), ..newest }
    }

    /// Takes all that is due, and gives the sequences and what was dropped.
    fn taken(pace: &mut Pace, newest: &Newest) -> (Vec<u64>, u64) {
        let (mut sequences, mut dropped, now) = (Vec::new(), 0, Instant::now());
        while let Some(frame) = pace.due(newest, now) {
            dropped += pace.begin(frame, newest, now);
            sequences.push(frame.info().sequence);
        }
        (sequences, dropped)
    }

    #[test]
    fn frames_that_need_each_other_come_from_a_key_frame_on_without_gaps() {
        let mut pace = Pace::new(Some(Duration::from_secs(1)));
        assert_eq!(taken(&mut pace, &predicted(3, &[])), (vec![], 0));
        assert!(pace.lacks_key(&predicted(3, &[])));
        assert_eq!(taken(&mut pace, &predicted(5, &[4])), (vec![4, 5], 0));
        assert!(!pace.lacks_key(&predicted(5, &[4])));
        assert_eq!(taken(&mut pace, &predicted(9, &[4])), (vec![6, 7, 8, 9], 0));
        // The tenth is gone, and with it all up to the next key frame.
        assert_eq!(taken(&mut pace, &predicted(18, &[4])), (vec![], 0));
        assert!(pace.lacks_key(&predicted(18, &[4])));
        assert_eq!(taken(&mut pace, &predicted(21, &[20])), (vec![20, 21], 10));
        pace.need_key();
        assert_eq!(taken(&mut pace, &predicted(22, &[20])), (vec![], 0));
        assert_eq!(taken(&mut pace, &predicted(24, &[20, 23])), (vec![23, 24], 1));
    }

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
                        ..Newest::default()
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
        let mut begin = |newest: &Newest| pace.begin(newest.frame.as_ref().unwrap(), newest, now);
        assert_eq!(begin(&first), 0);
        assert_eq!(begin(&newest(7)), 3);
        let restarted = Newest { published: 12, ..newest((1 << GENERATION_SHIFT) + 2) };
        assert_eq!(begin(&restarted), 4);
        assert!(pace.due(&restarted, now).is_none());
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
                if let Some(frame) = pace.due(&frames, now) {
                    pace.begin(frame, &frames, now);
                    got += 1;
                }
            }
            assert!(expected.contains(&got), "{wanted_fps} wanted: {got} in ten seconds");
        }
    }
}
