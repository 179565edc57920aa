//! What a viewer is still to be told beside its pictures: of everything the newest, however long it does not read.

use std::collections::BTreeMap;

use eyelet_wire::v1::{ControlInfo, ServerMessage};

use crate::serve::audience::News;

/// What is still to be told. Bounded by the controls that there are.
#[derive(Debug, Default)]
pub(super) struct Untold {
    controls: BTreeMap<u32, BTreeMap<String, ControlInfo>>,
    viewers: Option<u64>,
}

impl Untold {
    /// Adds news; older ones of the same are forgotten.
    pub(super) fn add(&mut self, news: &News) {
        match news {
            News::Viewers(count) => self.viewers = Some(*count),
            News::Controls(stream, controls) => {
                let changed = controls.iter().map(|control| (control.id.clone(), control.clone()));
                self.controls.entry(*stream).or_default().extend(changed);
            }
        }
    }

    /// Gives the next message.
    pub(super) fn next(&mut self) -> Option<ServerMessage> {
        if let Some((stream, controls)) = self.controls.pop_first() {
            let controls = controls.into_values().collect();
            return Some(ServerMessage::Controls { stream, controls });
        }
        self.viewers.take().map(|count| ServerMessage::Viewers { count })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use eyelet_wire::v1::{ControlKind, ControlValue};

    fn control(id: &str, value: i64) -> ControlInfo {
        ControlInfo {
            id: id.to_owned(),
            name: id.to_owned(),
            kind: ControlKind::Integer,
            min: Some(0),
            max: Some(9),
            step: Some(1),
            default: None,
            value: Some(ControlValue::Integer(value)),
            menu: None,
            inactive: false,
            readonly: false,
            group: String::new(),
        }
    }

    #[test]
    fn who_does_not_read_is_told_the_newest_of_each() {
        let mut untold = Untold::default();
        untold.add(&News::Viewers(1));
        untold.add(&News::Controls(2, vec![control("a", 1), control("b", 1)]));
        untold.add(&News::Controls(2, vec![control("a", 7)]));
        untold.add(&News::Controls(0, vec![control("c", 3)]));
        untold.add(&News::Viewers(5));
        let told: Vec<ServerMessage> = std::iter::from_fn(|| untold.next()).collect();
        let controls = |stream, controls| ServerMessage::Controls { stream, controls };
        assert_eq!(
            told,
            [
                controls(0, vec![control("c", 3)]),
                controls(2, vec![control("a", 7), control("b", 1)]),
                ServerMessage::Viewers { count: 5 },
            ]
        );
    }
}
