use super::*;
use eyelet_wire::v1::ControlChoice;

/// A control of some kind, at 0.
pub(crate) fn control(id: &str, kind: ControlKind) -> ControlInfo {
    ControlInfo {
        id: id.to_owned(),
        name: id.to_owned(),
        kind,
        min: Some(-64),
        max: Some(64),
        step: Some(2),
        default: (kind != ControlKind::Button).then_some(ControlValue::Integer(0)),
        value: (kind != ControlKind::Button).then_some(ControlValue::Integer(0)),
        menu: None,
        inactive: false,
        readonly: false,
        group: String::new(),
    }
}

/// `zoom` wakes when `auto` is off, `fine` when `zoom` is not 0.
#[derive(Debug)]
struct Model {
    auto: bool,
    zoom: i64,
    fine: i64,
    presses: usize,
}

impl Controls for Model {
    fn list(&mut self) -> Result<Vec<ControlInfo>> {
        let auto = ControlInfo {
            default: Some(ControlValue::Boolean(true)),
            value: Some(ControlValue::Boolean(self.auto)),
            ..control("z_auto", ControlKind::Boolean)
        };
        let zoom = ControlInfo {
            value: Some(ControlValue::Integer(self.zoom)),
            inactive: self.auto,
            ..control("zoom", ControlKind::Integer)
        };
        let fine = ControlInfo {
            value: Some(ControlValue::Integer(self.fine)),
            inactive: self.zoom == 0,
            ..control("fine", ControlKind::Integer)
        };
        let serial = ControlInfo { readonly: true, ..control("serial", ControlKind::Integer) };
        Ok(vec![zoom, fine, auto, serial, control("press", ControlKind::Button)])
    }

    fn set(
        &mut self,
        control: &ControlInfo,
        value: &ControlValue,
    ) -> std::result::Result<(), String> {
        match (control.id.as_str(), value) {
            ("z_auto", ControlValue::Boolean(is_on)) => self.auto = *is_on,
            ("zoom", ControlValue::Integer(zoom)) => self.zoom = *zoom,
            ("fine", ControlValue::Integer(fine)) => self.fine = *fine,
            ("press", _) => self.presses += 1,
            other => return Err(format!("{other:?} is not for the device")),
        }
        Ok(())
    }
}

fn model() -> Model {
    Model { auto: true, zoom: 0, fine: 0, presses: 0 }
}

fn settings(of: &[(&str, ControlValue)]) -> Job {
    Job::Set(of.iter().map(|(id, value)| ((*id).to_owned(), Some(value.clone()))).collect())
}

#[test]
fn controls_that_others_wake_are_set_whatever_their_order() -> Result<()> {
    let mut model = model();
    let wanted = [
        ("fine", ControlValue::Integer(4)),
        ("z_auto", ControlValue::Boolean(false)),
        ("zoom", ControlValue::Integer(-64)),
    ];
    let done = perform(&mut model, &settings(&wanted))?;
    assert_eq!((model.auto, model.zoom, model.fine), (false, -64, 4));
    assert_eq!((done.count, done.errors.len(), done.set.len()), (3, 0, 3));
    assert!(done.controls.iter().all(|control| !control.inactive));
    Ok(())
}

#[test]
fn each_that_fails_says_why_and_the_others_are_set() -> Result<()> {
    let mut model = model();
    let wanted = [
        ("zoom", ControlValue::Integer(2)),
        ("serial", ControlValue::Integer(2)),
        ("colour", ControlValue::Integer(2)),
        ("press", ControlValue::Boolean(true)),
    ];
    let done = perform(&mut model, &settings(&wanted))?;
    assert_eq!((done.count, model.presses), (1, 1));
    assert!(done.set.is_empty(), "a press is not kept: {:?}", done.set);
    assert!(done.errors["zoom"].contains("inactive"), "{:?}", done.errors);
    assert!(done.errors["serial"].contains("only be read"), "{:?}", done.errors);
    assert!(done.errors["colour"].contains("not there"), "{:?}", done.errors);
    Ok(())
}

#[test]
fn null_is_the_default_and_a_reset_is_all_of_them() -> Result<()> {
    let mut model = Model { auto: false, zoom: 8, fine: 2, presses: 0 };
    let job = Job::Set([("zoom".to_owned(), None), ("press".to_owned(), None)].into());
    let done = perform(&mut model, &job)?;
    assert_eq!((model.zoom, done.count), (0, 1));
    assert!(done.errors["press"].contains("no default"), "{:?}", done.errors);
    let mut model = Model { auto: false, zoom: 8, fine: 2, presses: 0 };
    let done = perform(&mut model, &Job::Reset)?;
    assert_eq!((model.auto, model.zoom, model.fine, model.presses), (true, 0, 0, 0));
    assert_eq!(done.errors, BTreeMap::new());
    Ok(())
}

#[test]
fn values_are_read_as_programs_and_people_write_them() {
    let menu = ControlInfo {
        menu: Some(vec![
            ControlChoice { value: 1, name: "50 Hz".into() },
            ControlChoice { value: 2, name: "1".into() },
        ]),
        ..control("menu", ControlKind::Menu)
    };
    let text = |text: &str| ControlValue::Text(text.to_owned());
    let (numbers, switch) =
        (control("n", ControlKind::Integer), control("s", ControlKind::Boolean));
    let mask = ControlInfo { max: Some(0xf0), ..control("m", ControlKind::Bitmask) };
    let words = ControlInfo { min: Some(1), ..control("t", ControlKind::String) };
    let integer = ControlValue::Integer;
    for (control, value, expected) in [
        (&numbers, integer(-64), Some(integer(-64))),
        (&numbers, integer(-63), None),
        (&numbers, integer(66), None),
        (&numbers, text("-16"), Some(integer(-16))),
        (&numbers, ControlValue::Boolean(true), None),
        (&switch, text("on"), Some(ControlValue::Boolean(true))),
        (&switch, integer(0), Some(ControlValue::Boolean(false))),
        (&switch, integer(2), None),
        (&menu, text("50 hz"), Some(integer(1))),
        (&menu, text("1"), Some(integer(2))),
        (&menu, text("2"), Some(integer(2))),
        (&menu, integer(1), Some(integer(1))),
        (&menu, integer(3), None),
        (&mask, text("0x30"), Some(integer(0x30))),
        (&mask, integer(1), None),
        (&words, text("hi"), Some(text("hi"))),
        (&words, text(""), None),
        (&words, text("a\0b"), None),
    ] {
        let found = read(control, &value);
        assert_eq!(found.clone().ok(), expected, "{value:?}: {found:?}");
        if let Err(why) = found {
            assert!(why.contains(&takes(control)), "{why}");
        }
    }
}

#[test]
fn what_a_message_cannot_hold_is_left_out() {
    let done = |count| Done {
        controls: vec![control("many", ControlKind::Integer); count],
        errors: [("a".to_owned(), "é".repeat(1000)), ("b".to_owned(), "short".to_owned())].into(),
        ..Done::default()
    };
    let mut few = done(20);
    few.keep_within_message();
    assert_eq!(few.controls.len(), 20);
    assert_eq!((few.errors["a"].chars().count(), few.errors["b"].as_str()), (201, "short"));
    let mut many = done(1000);
    many.keep_within_message();
    assert!((100..1000).contains(&many.controls.len()), "{}", many.controls.len());
    assert!(serde_json::to_vec(&many.controls).unwrap().len() <= MAX_LEN + 2);
}
