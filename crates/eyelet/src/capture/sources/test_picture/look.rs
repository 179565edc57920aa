//! The test picture's controls: how it looks, so that a page's controls can be tried without a camera.

use std::collections::VecDeque;

use eyelet_wire::v1::{ControlChoice, ControlInfo, ControlKind, ControlValue};

use crate::error::Result;
use crate::panel::{Controls, Job, News, Panel, perform};

/// Pixels that the block moves from frame to frame.
const USUAL_SPEED: i64 = 4;

/// What the upper part shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Pattern {
    /// Colour bars.
    #[default]
    Bars,
    /// All hues from left to right.
    Gradient,
    /// An even grey.
    Grey,
}

const PATTERNS: [(Pattern, &str); 3] =
    [(Pattern::Bars, "Bars"), (Pattern::Gradient, "Gradient"), (Pattern::Grey, "Grey")];

/// How the picture looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Look {
    /// Added to each of R, G, B.
    brightness: i64,
    /// In percent, around the middle grey.
    contrast: i64,
    /// In percent.
    saturation: i64,
    pub(super) pattern: Pattern,
    /// Right is left.
    pub(super) is_flipped: bool,
    speed: i64,
}

impl Default for Look {
    fn default() -> Self {
        Self {
            brightness: 0,
            contrast: 100,
            saturation: 100,
            pattern: Pattern::default(),
            is_flipped: false,
            speed: USUAL_SPEED,
        }
    }
}

impl Look {
    /// Gives a colour as it looks; itself where nothing was set.
    pub(super) fn of(&self, rgb: [u8; 3]) -> [u8; 3] {
        let [r, g, b] = rgb.map(i64::from);
        let luma = (299 * r + 587 * g + 114 * b) / 1000;
        rgb.map(|part| {
            let part = luma + (i64::from(part) - luma) * self.saturation / 100;
            let part = 128 + (part - 128) * self.contrast / 100 + self.brightness;
            u8::try_from(part.clamp(0, 255)).unwrap_or(u8::MAX)
        })
    }

    /// Pixels that the block moves from frame to frame.
    pub(super) fn speed(&self) -> u64 {
        self.speed.unsigned_abs()
    }

    fn controls(&self) -> Vec<ControlInfo> {
        let place = PATTERNS.iter().position(|(pattern, _)| *pattern == self.pattern);
        let place = place.and_then(|at| i64::try_from(at).ok()).unwrap_or(0);
        let choices = (0..).zip(PATTERNS);
        let choices = choices.map(|(value, (_, name))| ControlChoice { value, name: name.into() });
        vec![
            number("brightness", "user", (-64, 64, 0), self.brightness),
            number("contrast", "user", (0, 200, 100), self.contrast),
            ControlInfo {
                // Grey has no colour, however much of it is wanted.
                inactive: self.pattern == Pattern::Grey,
                ..number("saturation", "user", (0, 200, 100), self.saturation)
            },
            ControlInfo {
                menu: Some(choices.collect()),
                ..plain("pattern", "test", ControlKind::Menu, 0, place)
            },
            number("speed", "test", (0, 16, USUAL_SPEED), self.speed),
            ControlInfo {
                default: Some(ControlValue::Boolean(false)),
                value: Some(ControlValue::Boolean(self.is_flipped)),
                ..plain("flip", "test", ControlKind::Boolean, 0, 0)
            },
            ControlInfo {
                default: None,
                value: None,
                ..plain("reset_motion", "test", ControlKind::Button, 0, 0)
            },
        ]
    }
}

fn plain(id: &str, group: &str, kind: ControlKind, default: i64, value: i64) -> ControlInfo {
    let mut name = id.replace('_', " ");
    name[..1].make_ascii_uppercase();
    ControlInfo {
        id: id.to_owned(),
        name,
        kind,
        min: None,
        max: None,
        step: None,
        default: Some(ControlValue::Integer(default)),
        value: Some(ControlValue::Integer(value)),
        menu: None,
        inactive: false,
        readonly: false,
        group: group.to_owned(),
    }
}

fn number(id: &str, group: &str, (min, max, default): (i64, i64, i64), value: i64) -> ControlInfo {
    ControlInfo {
        min: Some(min),
        max: Some(max),
        step: Some(1),
        ..plain(id, group, ControlKind::Integer, default, value)
    }
}

/// The panel of the test picture: jobs are done at once.
#[derive(Debug, Default)]
pub(super) struct Knobs {
    state: State,
    news: VecDeque<News>,
}

/// What the controls have been set to.
#[derive(Debug, Default)]
struct State {
    look: Look,
    /// The button was pressed, and the picture has not heard of it.
    is_motion_reset: bool,
}

impl Knobs {
    /// How the picture is to look.
    pub(super) fn look(&self) -> Look {
        self.state.look
    }

    /// Tells once that the block is to begin anew.
    pub(super) fn take_motion_reset(&mut self) -> bool {
        std::mem::take(&mut self.state.is_motion_reset)
    }

    /// Does a job now, as what the command line asks for.
    ///
    /// # Errors
    /// Never: the controls are always there.
    pub(super) fn set(&mut self, job: &Job) -> Result<crate::panel::Done> {
        perform(&mut self.state, job)
    }
}

impl Controls for State {
    fn list(&mut self) -> Result<Vec<ControlInfo>> {
        Ok(self.look.controls())
    }

    fn set(
        &mut self,
        control: &ControlInfo,
        value: &ControlValue,
    ) -> std::result::Result<(), String> {
        let look = &mut self.look;
        match (control.id.as_str(), value) {
            ("brightness", ControlValue::Integer(number)) => look.brightness = *number,
            ("contrast", ControlValue::Integer(number)) => look.contrast = *number,
            ("saturation", ControlValue::Integer(number)) => look.saturation = *number,
            ("speed", ControlValue::Integer(number)) => look.speed = *number,
            ("flip", ControlValue::Boolean(is_on)) => look.is_flipped = *is_on,
            ("pattern", ControlValue::Integer(place)) => {
                let place = usize::try_from(*place).unwrap_or(0);
                look.pattern = PATTERNS.get(place).map_or(Pattern::Bars, |(pattern, _)| *pattern);
            }
            ("reset_motion", _) => self.is_motion_reset = true,
            (id, _) => return Err(format!("`{id}` takes another kind of value")),
        }
        Ok(())
    }
}

impl Panel for Knobs {
    fn ask(&mut self, tag: Option<u64>, job: Job) {
        let outcome = perform(&mut self.state, &job).map(|mut done| {
            done.keep_within_message();
            done
        });
        self.news.push_back(News { tag, outcome });
    }

    fn news(&mut self) -> Option<News> {
        self.news.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::sources::test_picture::colour::BARS;

    fn set(knobs: &mut Knobs, id: &str, value: ControlValue) -> Vec<ControlInfo> {
        knobs.ask(Some(7), Job::Set([(id.to_owned(), Some(value))].into()));
        let news = knobs.news().unwrap();
        assert_eq!((news.tag, knobs.news().is_none()), (Some(7), true));
        let done = news.outcome.unwrap();
        assert!(done.errors.is_empty(), "{:?}", done.errors);
        done.controls
    }

    #[test]
    fn colours_are_themselves_until_something_is_set() {
        let look = Look::default();
        assert_eq!(BARS.map(|rgb| look.of(rgb)), BARS);
        assert_eq!((0..=255).find(|c| look.of([*c; 3]) != [*c; 3]), None);
    }

    #[test]
    fn each_control_does_what_it_says() {
        let look = |change: fn(&mut Look)| {
            let mut look = Look::default();
            change(&mut look);
            look
        };
        assert_eq!(look(|l| l.brightness = 10).of([0, 100, 250]), [10, 110, 255]);
        assert_eq!(look(|l| l.brightness = -10).of([0, 100, 250]), [0, 90, 240]);
        assert_eq!(look(|l| l.contrast = 0).of([0, 100, 250]), [128; 3]);
        assert_eq!(look(|l| l.contrast = 200).of([100; 3]), [72; 3]);
        assert_eq!(look(|l| l.saturation = 0).of([255, 0, 0]), [76; 3]);
    }

    #[test]
    fn saturation_is_inactive_while_the_pattern_is_grey() {
        let mut knobs = Knobs::default();
        let inactive = |controls: &[ControlInfo]| {
            let names = controls.iter().filter(|c| c.inactive).map(|c| c.id.clone());
            names.collect::<Vec<_>>()
        };
        assert_eq!(inactive(&set(&mut knobs, "pattern", ControlValue::Integer(2))), ["saturation"]);
        let controls = set(&mut knobs, "pattern", ControlValue::Text("bars".into()));
        assert!(inactive(&controls).is_empty());
    }

    #[test]
    fn the_button_is_heard_once() {
        let mut knobs = Knobs::default();
        set(&mut knobs, "reset_motion", ControlValue::Boolean(true));
        assert!(knobs.take_motion_reset() && !knobs.take_motion_reset());
    }
}
