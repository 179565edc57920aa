use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::mistakes::Mistakes;
use crate::settings::Settings;
use crate::supervisor::difference::Difference;

/// What a file says.
fn config(text: &str) -> Config {
    let (mut settings, mut mistakes) = (Settings::default(), Mistakes::default());
    settings.add_text("eyelet.toml", text, &mut mistakes);
    settings.resolve(mistakes, || "test:".parse()).unwrap()
}

fn camera(name: &str, fps: u32) -> String {
    format!("[[source]]\nname = '{name}'\nfrom = 'test:64x48@{fps}'\n")
}

fn mule(area: &str, word: &str) -> String {
    let area = if area.is_empty() { area.to_owned() } else { format!("area = '{area}'\n") };
    format!("[[mule]]\n{area}command = 'run {word}'\n")
}

fn ids(plan: &Plan) -> Vec<(usize, &str)> {
    plan.areas.iter().map(|(id, area)| (*id, area.name.as_str())).collect()
}

#[test]
fn what_stays_keeps_its_id_and_what_comes_gets_one_behind_all_that_there_were() {
    let first = Plan::new(config(&(camera("a", 5) + &camera("b", 5))));
    assert_eq!(ids(&first), [(0, "a"), (1, "b"), (2, "a-jpeg"), (3, "b-jpeg")]);
    let second = first.then(config(&(camera("c", 5) + &camera("b", 5)))).unwrap();
    assert_eq!(ids(&second), [(1, "b"), (3, "b-jpeg"), (4, "c"), (5, "c-jpeg")]);
    // One that comes back is another one: somebody may still mean the first by its id.
    let third = second.then(config(&(camera("a", 5) + &camera("b", 9)))).unwrap();
    assert_eq!(ids(&third), [(1, "b"), (3, "b-jpeg"), (6, "a"), (7, "a-jpeg")]);
    let made = |id: usize| third.areas[&id].origin;
    assert!(matches!(made(7), Origin::Derived(Made { of: 6, .. })), "{:?}", made(7));
    assert!(matches!(made(3), Origin::Derived(Made { of: 1, .. })), "{:?}", made(3));
    let roles = Difference::between(&second.roles(), &third.roles());
    assert_eq!(roles.gone, [Role::Capture { area: 4 }, Role::Encode { area: 5 }]);
    let changed: Vec<Role> = roles.changed.into_iter().map(|(role, _)| role).collect();
    assert_eq!(changed, [Role::Capture { area: 1 }]);
}

#[test]
fn a_mule_is_known_by_what_it_runs_or_by_its_area() {
    let first = Plan::new(config(&(mule("", "x") + &mule("shown", "y") + &mule("", "x"))));
    let text = mule("", "z") + &mule("", "x") + &mule("shown", "y2") + &mule("", "x");
    let second = first.then(config(&text)).unwrap();
    let commands: Vec<_> =
        second.mules.iter().map(|(number, mule)| (*number, mule.command[1].as_str())).collect();
    assert_eq!(commands, [(0, "x"), (1, "y2"), (2, "x"), (3, "z")]);
    let roles = Difference::between(&first.roles(), &second.roles());
    let names = |roles: Vec<(Role, Work)>| roles.into_iter().map(|(role, _)| role);
    assert!(names(roles.new).eq([Role::Mule { index: 3 }]));
    assert!(names(roles.changed).eq([Role::Mule { index: 1 }]));
    let shown = second.areas.values().find(|area| area.name == "shown").unwrap();
    assert_eq!(shown.origin, Origin::Mule { mule: 1 });
}

#[test]
fn what_cannot_change_is_refused_with_what_to_do() {
    let plan = Plan::new(config("runtime-dir = '/a'\n[[area]]\nname = 'n'\nbytes = 8\n"));
    for (text, needle) in [
        ("runtime-dir = '/b'\n[[area]]\nname = 'n'\nbytes = 8\n", "restart the program"),
        ("runtime-dir = '/a'\n[[area]]\nname = 'n'\nbytes = 9\n", "give it another name"),
    ] {
        let error = plan.then(config(text)).unwrap_err().to_string();
        assert!(error.contains(needle), "{error}");
    }
}

/// A file with some of a few cameras, streams, mules and areas, in any order.
fn any_file() -> impl Strategy<Value = String> {
    let camera_ = prop::sample::subsequence(vec!["a", "b", "c"], 1..=3).prop_shuffle();
    let mules = prop::collection::vec((0..3usize, 0..3usize), 0..4);
    let areas = prop::sample::subsequence(vec!["n", "m"], 0..=2);
    let listen = prop::sample::subsequence(vec![":1", "127.0.0.1:0", "[::1]:2"], 1..=3);
    (camera_, prop::collection::vec(1..3u32, 3), mules, areas, listen, 1..4usize, any::<bool>())
        .prop_map(|(cameras, rates, mules, areas, listen, processes, has_rgba)| {
            let listen = listen.iter().map(|l| format!("'{l}', '{l}'")).collect::<Vec<_>>();
            let mut text =
                format!("listen = [{}]\nserve-processes = {processes}\n", listen.join(", "));
            if processes == 2 {
                text += "[app]\nscript = 'true'\n";
            }
            for (name, fps) in cameras.iter().zip(rates) {
                text += &camera(name, fps);
            }
            if has_rgba {
                text += &format!("[[stream]]\nkind = 'rgba'\nof = '{}'\n", cameras[0]);
            }
            let mut owned = BTreeSet::new();
            for (area, word) in mules {
                let area = ["", "shown", "other"][area];
                if area.is_empty() || owned.insert(area) {
                    text += &mule(area, ["x", "y", "z"][word]);
                }
            }
            for name in areas {
                text += &format!("[[area]]\nname = '{name}'\nbytes = 8\n");
            }
            text
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn the_difference_leads_from_each_plan_to_the_next(files in prop::collection::vec(any_file(), 2..6)) {
        let mut plan = Plan::new(config(&files[0]));
        for file in &files[1..] {
            let next = plan.then(config(file)).unwrap();
            let (mut areas, mut roles) = (plan.areas.clone(), plan.roles());
            Difference::between(&areas, &next.areas).apply(&mut areas);
            Difference::between(&roles, &next.roles()).apply(&mut roles);
            prop_assert_eq!(&areas, &next.areas);
            prop_assert_eq!(&roles, &next.roles());
            // What the configuration says is all there, under numbers.
            let names: BTreeSet<&str> = next.areas.values().map(|a| a.name.as_str()).collect();
            let said: BTreeSet<&str> = next.config.areas().into_iter().map(|(n, _)| n).collect();
            prop_assert_eq!(names, said);
            prop_assert_eq!(next.mules.len(), next.config.mules.len());
            for (id, area) in &next.areas {
                let was = plan.areas.iter().find(|(_, a)| a.name == area.name && a.origin.name() == area.origin.name());
                match was {
                    Some((was, _)) => prop_assert_eq!(was, id),
                    None => prop_assert!(plan.areas.keys().all(|other| other < id)),
                }
                if let Origin::Derived(made) = area.origin {
                    let of = &next.areas[&made.of].name;
                    prop_assert!(area.name.starts_with(of.as_str()), "{} of {of}", area.name);
                }
            }
            plan = next;
        }
    }
}
