//! A panel: all controls of a source, what may be asked of them, and how that is done whatever the source is.
//!
//! Belongs here: reading what somebody wants, checking it, the order of settings that wake others. Does not belong
//! here: how a source does it, and who may ask.

use std::collections::BTreeMap;

use eyelet_wire::v1::{ControlInfo, ControlKind, ControlValue};
use serde::{Deserialize, Serialize};

use crate::error::Result;

#[cfg(test)]
mod tests;

/// Controls and what each is to be; none is its default.
pub type Settings = BTreeMap<String, Option<ControlValue>>;

/// Most controls that are set at once: more than a camera has that is for sale.
pub const MAX_SETTINGS: usize = 64;

/// Bytes of JSON that the description of a panel may have, so that it fits a control message; a webcam's has five
/// thousand, that of the kernel's test driver, which has one of everything, sixteen thousand.
const MAX_LEN: usize = 40 << 10;

/// Characters of the reason why a control could not be set; a long menu is cut off.
const MAX_WHY_LEN: usize = 200;

/// What is asked of a panel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Job {
    /// Only to say how it is.
    List,
    /// To set these.
    Set(Settings),
    /// To set all to their defaults.
    Reset,
}

/// What came of a job.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    /// All controls, as they are now.
    pub controls: Vec<ControlInfo>,
    /// What was set, with the values that were asked for; buttons are not in it.
    pub set: Settings,
    /// How many controls were set, buttons too.
    pub count: usize,
    /// Why others could not be set, one line each.
    pub errors: BTreeMap<String, String>,
}

/// What a source says of its panel.
#[derive(Debug)]
pub struct News {
    /// Which question it answers; none where somebody else changed something.
    pub tag: Option<u64>,
    /// What came of the job, or why the controls cannot be had.
    pub outcome: Result<Done>,
}

/// A source's panel as the capture role sees it.
pub trait Panel {
    /// Takes a job. Never waits: [`news`](Self::news) tells what came of it, at once or later, in order.
    fn ask(&mut self, tag: Option<u64>, job: Job);

    /// Gives what there is to tell, if there is something.
    fn news(&mut self) -> Option<News>;
}

/// Controls that can be read and set here and now, which may take as long as a device needs.
pub trait Controls {
    /// Describes all, with their values.
    ///
    /// # Errors
    /// If they cannot be had.
    fn list(&mut self) -> Result<Vec<ControlInfo>>;

    /// Sets one to a value that it takes; a button is set to `true`.
    ///
    /// # Errors
    /// Why it could not be set.
    fn set(
        &mut self,
        control: &ControlInfo,
        value: &ControlValue,
    ) -> std::result::Result<(), String>;
}

/// Why a control is not set now.
#[derive(Debug, PartialEq, Eq)]
enum Refusal {
    /// Until another one is set otherwise.
    Inactive,
    Other(String),
}

/// Does a job. Controls that are inactive are tried again as long as others are set, which may wake them.
///
/// # Errors
/// If the controls cannot be had; some may have been set before.
pub fn perform(controls: &mut impl Controls, job: &Job) -> Result<Done> {
    let mut done = Done { controls: controls.list()?, ..Done::default() };
    let mut wanted = match job {
        Job::List => Settings::new(),
        Job::Set(settings) => settings.clone(),
        Job::Reset => away_from_default(&done.controls),
    };
    loop {
        let before = done.count;
        let mut inactive = Settings::new();
        for (id, value) in wanted {
            match set_one(controls, &done.controls, &id, value.as_ref()) {
                Ok(kind) => {
                    done.count += 1;
                    if kind != ControlKind::Button {
                        done.set.insert(id, value);
                    }
                }
                Err(Refusal::Inactive) => drop(inactive.insert(id, value)),
                Err(Refusal::Other(why)) => drop(done.errors.insert(id, why)),
            }
        }
        if done.count == before {
            let why = "is inactive now: another control has to be set otherwise first";
            done.errors.extend(inactive.into_keys().map(|id| (id, why.to_owned())));
            break;
        }
        done.controls = controls.list()?;
        wanted = inactive;
    }
    if *job == Job::Reset {
        // What has no effect now, or is not to be had, needs no default.
        done.errors.clear();
    }
    Ok(done)
}

fn away_from_default(controls: &[ControlInfo]) -> Settings {
    let away = controls.iter().filter(|control| {
        !control.readonly && control.default.is_some() && control.value != control.default
    });
    away.map(|control| (control.id.clone(), None)).collect()
}

fn set_one(
    controls: &mut impl Controls,
    all: &[ControlInfo],
    id: &str,
    value: Option<&ControlValue>,
) -> std::result::Result<ControlKind, Refusal> {
    let control = all.iter().find(|control| control.id == id);
    let control = control.ok_or_else(|| Refusal::Other("is not there".to_owned()))?;
    if control.readonly {
        return Err(Refusal::Other("can only be read now".to_owned()));
    }
    if control.inactive {
        return Err(Refusal::Inactive);
    }
    let value = match value {
        Some(value) => read(control, value).map_err(Refusal::Other)?,
        None => control
            .default
            .clone()
            .ok_or_else(|| Refusal::Other("has no default to go back to".to_owned()))?,
    };
    controls.set(control, &value).map_err(Refusal::Other)?;
    Ok(control.kind)
}

/// Reads a value as a program or a person writes it: a number, `true` or `on`, a menu's position or its words.
///
/// # Errors
/// What the control takes instead.
pub fn read(
    control: &ControlInfo,
    value: &ControlValue,
) -> std::result::Result<ControlValue, String> {
    let found = match control.kind {
        ControlKind::Integer | ControlKind::Integer64 => {
            number(value).filter(|n| is_in_range(control, *n)).map(ControlValue::Integer)
        }
        ControlKind::Boolean => truth(value).map(ControlValue::Boolean),
        ControlKind::Menu => choice(control, value).map(ControlValue::Integer),
        ControlKind::Button => (truth(value) != Some(false)).then_some(ControlValue::Boolean(true)),
        ControlKind::String => text(control, value).map(ControlValue::Text),
        ControlKind::Bitmask => {
            let known = control.max.unwrap_or(0);
            number(value).filter(|bits| bits & !known == 0).map(ControlValue::Integer)
        }
        _ => None,
    };
    found.ok_or_else(|| {
        let told = match value {
            ControlValue::Boolean(is_on) => is_on.to_string(),
            ControlValue::Integer(number) => number.to_string(),
            ControlValue::Text(text) => format!("`{}`", text.escape_debug()),
        };
        format!("takes {}, not {told}", takes(control))
    })
}

/// Says what values a control takes.
#[must_use]
pub fn takes(control: &ControlInfo) -> String {
    let (min, max) = (control.min.unwrap_or(0), control.max.unwrap_or(0));
    match control.kind {
        ControlKind::Integer | ControlKind::Integer64 => {
            format!("{min} to {max} in steps of {}", control.step.unwrap_or(1))
        }
        ControlKind::Boolean => "on or off, true or false".to_owned(),
        ControlKind::Menu => {
            let choices = control.menu.iter().flatten();
            let named: Vec<String> =
                choices.map(|choice| format!("{}={}", choice.value, choice.name)).collect();
            format!("one of {}", named.join(" "))
        }
        ControlKind::Button => "a press only".to_owned(),
        ControlKind::String => format!("{min} to {max} bytes of text"),
        ControlKind::Bitmask => format!("bits of {max:#x}"),
        _ => "nothing that is known here".to_owned(),
    }
}

fn number(value: &ControlValue) -> Option<i64> {
    match value {
        ControlValue::Integer(number) => Some(*number),
        ControlValue::Text(text) => match text.strip_prefix("0x") {
            Some(digits) => i64::from_str_radix(digits, 16).ok(),
            None => text.parse().ok(),
        },
        ControlValue::Boolean(_) => None,
    }
}

fn truth(value: &ControlValue) -> Option<bool> {
    match value {
        ControlValue::Boolean(is_on) => Some(*is_on),
        ControlValue::Integer(1) => Some(true),
        ControlValue::Integer(0) => Some(false),
        ControlValue::Integer(_) => None,
        ControlValue::Text(text) => match text.as_str() {
            "1" | "on" | "true" => Some(true),
            "0" | "off" | "false" => Some(false),
            _ => None,
        },
    }
}

fn is_in_range(control: &ControlInfo, number: i64) -> bool {
    let (min, max) = (control.min.unwrap_or(i64::MIN), control.max.unwrap_or(i64::MAX));
    let is_step = number.abs_diff(min).is_multiple_of(control.step.unwrap_or(1).max(1));
    (min..=max).contains(&number) && is_step
}

/// Words come before positions: the words of a menu may be numbers.
fn choice(control: &ControlInfo, value: &ControlValue) -> Option<i64> {
    let choices = || control.menu.iter().flatten();
    let named = match value {
        ControlValue::Text(text) => choices().find(|c| c.name.eq_ignore_ascii_case(text)),
        _ => None,
    };
    let position = || number(value).filter(|at| choices().any(|choice| choice.value == *at));
    named.map(|choice| choice.value).or_else(position)
}

fn text(control: &ControlInfo, value: &ControlValue) -> Option<String> {
    let ControlValue::Text(text) = value else { return None };
    let len = i64::try_from(text.len()).ok()?;
    let fits = (control.min.unwrap_or(0)..=control.max.unwrap_or(0)).contains(&len);
    (fits && !text.contains('\0')).then(|| text.clone())
}

impl Done {
    /// Leaves out what would make it too long for a message; no camera that is known comes near.
    pub fn keep_within_message(&mut self) {
        let mut len = 0;
        let fitting = self.controls.iter().take_while(|control| {
            len += serde_json::to_vec(control).map_or(MAX_LEN, |json| json.len() + 1);
            len <= MAX_LEN
        });
        let fitting = fitting.count();
        self.controls.truncate(fitting);
        for why in self.errors.values_mut() {
            if let Some((end, _)) = why.char_indices().nth(MAX_WHY_LEN) {
                why.replace_range(end.., "…");
            }
        }
    }
}
