//! Credit against a list of what was published and what was sent.

use eyelet_area::{Credit, Overdrawn};
use proptest::prelude::*;

#[derive(Clone, Copy, Debug)]
enum Step {
    Grant(u32),
    Publish,
    Send,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let grant = prop_oneof![8 => 0..4u32, 1 => Just(u32::MAX)];
    let step = prop_oneof![
        2 => grant.prop_map(Step::Grant),
        4 => Just(Step::Publish),
        3 => Just(Step::Send),
    ];
    prop::collection::vec(step, 0..200)
}

/// What should happen, written without counters that could go wrong alike.
#[derive(Default)]
struct Model {
    published: Vec<u32>,
    sent: Vec<u32>,
    granted: Vec<()>,
}

impl Model {
    fn unsent(&self) -> &[u32] {
        let last = self.sent.last().copied().unwrap_or(0);
        &self.published[usize::try_from(last).expect("few frames")..]
    }

    fn is_due(&self) -> bool {
        !self.unsent().is_empty() && !self.granted.is_empty()
    }

    fn missed(&self) -> u64 {
        self.unsent().len().saturating_sub(1) as u64
    }
}

proptest! {
    #[test]
    fn credit_does_what_a_list_of_frames_says(limit in 0..4u32, steps in steps()) {
        let mut credit = Credit::new(limit);
        let mut model = Model::default();
        for step in steps {
            match step {
                Step::Grant(frames) => {
                    let left = u64::from(limit) - model.granted.len() as u64;
                    let before = credit.clone();
                    if u64::from(frames) <= left {
                        prop_assert_eq!(credit.grant(frames), Ok(()));
                        model.granted.extend((0..frames).map(|_| ()));
                    } else {
                        prop_assert_eq!(credit.grant(frames), Err(Overdrawn));
                        prop_assert_eq!(&credit, &before);
                    }
                }
                Step::Publish => {
                    credit.publish();
                    let number = u32::try_from(model.published.len()).expect("few frames") + 1;
                    model.published.push(number);
                }
                Step::Send if model.is_due() => {
                    credit.sent();
                    model.sent.extend(model.published.last());
                    model.granted.pop();
                }
                Step::Send => {}
            }
            credit.check_invariants();
            prop_assert_eq!(credit.is_due(), model.is_due());
            prop_assert_eq!(credit.missed(), model.missed());
            prop_assert_eq!(credit.has_credit(), !model.granted.is_empty());
        }
    }

    #[test]
    fn sent_and_missed_are_all_that_was_published(steps in steps()) {
        let mut credit = Credit::new(2);
        let (mut published, mut accounted) = (0u64, 0);
        for step in steps {
            match step {
                Step::Grant(frames) => drop(credit.grant(frames)),
                Step::Publish => {
                    credit.publish();
                    published += 1;
                }
                Step::Send if credit.is_due() => {
                    accounted += credit.missed() + 1;
                    credit.sent();
                    prop_assert_eq!(accounted, published);
                }
                Step::Send => {}
            }
        }
    }
}
