use proptest::prelude::*;

use super::*;

fn control(name: &str, kind: Kind) -> Control {
    Control { id: 1, name: name.to_owned(), group: String::new(), kind, flags: Flags::new(0) }
}

fn brightness() -> Control {
    let numbers = Numbers { min: -64, max: 64, step: 2, default: 0 };
    control("Brightness", Kind::Integer(numbers))
}

#[test]
fn key_is_the_name_as_one_word() {
    let key = |name: &str| control(name, Kind::Button).key();
    assert_eq!(key("White Balance, Automatic"), "white_balance_automatic");
    assert_eq!(key("Exposure (Absolute)"), "exposure_absolute");
    assert_eq!(key("  50 Hz--Filter "), "50_hz_filter");
    assert_eq!(key("\u{fffd}"), "");
}

#[test]
fn values_out_of_range_are_refused_with_the_range() {
    let control = brightness();
    assert_eq!(control.check(&Value::Integer(-64)), Ok(()));
    assert_eq!(control.check(&Value::Integer(64)), Ok(()));
    let refused = Err("control `brightness` takes -64 to 64 in steps of 2".to_owned());
    for number in [-65, -63, 65, 66, i64::MIN, i64::MAX] {
        assert_eq!(control.check(&Value::Integer(number)), refused, "{number}");
    }
    assert_eq!(control.check(&Value::Boolean(true)), refused, "wrong kind of value");
}

#[test]
fn driver_that_claims_too_much_does_not_make_numbers_wrap() {
    let numbers = Numbers { min: 0, max: i64::MAX, step: 1, default: 0 };
    assert!(control("x", Kind::Integer(numbers)).check(&Value::Integer(1 << 40)).is_err());
    assert!(control("x", Kind::Integer64(numbers)).check(&Value::Integer(1 << 40)).is_ok());
}

#[test]
fn menus_take_positions_that_exist() {
    let item = |index, name: &str| MenuItem { index, name: name.to_owned() };
    let items = vec![item(1, "Manual Mode"), item(3, "Aperture Priority Mode")];
    let control = control("Auto Exposure", Kind::Menu { items, default: 3 });
    assert_eq!(control.check(&Value::Menu(3)), Ok(()));
    assert_eq!(
        control.check(&Value::Menu(2)),
        Err("control `auto_exposure` takes one of 1=Manual Mode 3=Aperture Priority Mode"
            .to_owned())
    );
}

#[test]
fn integer_menus_buttons_texts_and_bits_are_checked() {
    let frequency = control("x", Kind::IntegerMenu { items: vec![(0, 50), (1, 60)], default: 0 });
    assert!(frequency.check(&Value::Menu(1)).is_ok());
    assert!(frequency.check(&Value::Menu(2)).is_err());
    let text = control("x", Kind::Text { min_len: 2, max_len: 4 });
    assert!(text.check(&Value::Text("abcd".to_owned())).is_ok());
    for wrong in ["a", "abcde", "a\0b"] {
        assert!(text.check(&Value::Text(wrong.to_owned())).is_err(), "{wrong:?}");
    }
    let bits = control("x", Kind::Bitmask { mask: 0x8000_0003, default: 0 });
    assert!(bits.check(&Value::Bitmask(0x8000_0001)).is_ok());
    assert!(bits.check(&Value::Bitmask(4)).is_err());
    assert!(control("x", Kind::Button).check(&Value::Press).is_ok());
    assert!(control("x", Kind::Other(256)).check(&Value::Integer(0)).is_err());
}

#[test]
fn kinds_are_read_from_the_description() {
    let kind = |type_, range| kind_without_items(&QueryExtCtrl::sample(7, type_, "x", range));
    let numbers = Numbers { min: -64, max: 64, step: 1, default: 3 };
    assert_eq!(kind(1, (-64, 64, 1, 3)), Kind::Integer(numbers));
    assert_eq!(kind(1, (-64, 64, 0, 3)), Kind::Integer(numbers), "a step of 0 is 1");
    assert_eq!(kind(2, (0, 1, 1, 1)), Kind::Boolean { default: true });
    assert_eq!(kind(3, (0, 3, 1, 2)), Kind::Menu { items: vec![], default: 2 });
    assert_eq!(kind(4, (0, 0, 0, 0)), Kind::Button);
    assert_eq!(kind(5, (-64, 64, 1, 3)), Kind::Integer64(numbers));
    assert_eq!(kind(7, (2, 4, 1, 0)), Kind::Text { min_len: 2, max_len: 4 });
    assert_eq!(kind(7, (-1, 1 << 40, 1, 0)), Kind::Text { min_len: 0, max_len: u16::MAX });
    let mask = Kind::Bitmask { mask: 0x8000_0000, default: 0x8000_0000 };
    assert_eq!(kind(8, (0, 0x8000_0000, 0, -0x8000_0000)), mask);
    assert_eq!(kind(9, (0, 8, 1, 4)), Kind::IntegerMenu { items: vec![], default: 4 });
    assert_eq!(kind(0x106, (0, 0, 0, 0)), Kind::Other(0x106));
    let mut array = QueryExtCtrl::sample(7, 1, "x", (0, 1, 1, 0));
    array.nr_of_dims = 1;
    assert_eq!(kind_without_items(&array), Kind::Other(1));
}

#[test]
fn menu_positions_are_bounded() {
    let positions = |min, max| {
        menu_positions(&QueryExtCtrl::sample(1, 3, "x", (min, max, 0, 0))).collect::<Vec<_>>()
    };
    assert_eq!(positions(1, 3), [1, 2, 3]);
    assert_eq!(positions(0, i64::from(u32::MAX)).len(), 4096);
    assert_eq!(positions(-5, -1), [0]);
    assert!(positions(3, 1).is_empty());
}

#[test]
fn integer_menu_items_hold_a_number() {
    let mut item = [0xaa; 32];
    item[..8].copy_from_slice(&(-12_345i64).to_ne_bytes());
    assert_eq!(menu_number(&item), -12_345);
}

#[test]
fn flags_are_read() {
    let flags = Flags::new(0x01 | 0x04 | 0x10 | 0x80);
    assert!(
        flags.is_disabled() && flags.is_read_only() && flags.is_inactive() && flags.is_volatile()
    );
    assert!(!flags.is_grabbed() && !flags.is_write_only());
}

proptest! {
    #[test]
    fn values_survive_the_way_to_the_driver_and_back(number: i32) {
        let integer = brightness().kind;
        prop_assert_eq!(decode(&integer, encode(&Value::Integer(i64::from(number)))), Value::Integer(i64::from(number)));
        let bits = Kind::Bitmask { mask: u32::MAX, default: 0 };
        let value = Value::Bitmask(number.cast_unsigned());
        prop_assert_eq!(decode(&bits, encode(&value)), value);
    }

    #[test]
    fn ranges_never_overflow(min: i64, max: i64, step: u64, number: i64) {
        let numbers = Numbers { min, max, step, default: 0 };
        prop_assert!(!numbers.contains(number) || (min..=max).contains(&number));
    }
}
