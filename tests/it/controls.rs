//! A camera's controls over HTTP, on the test picture.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use eyelet_area::{Format, FourCc};
use eyelet_harness::{Eyelet, Response, Signal, exchange};
use serde_json::{Value, json};

use crate::support::{BIN, SMALL, V1, VGA, run, stamp, start};

const CONTROLS: &str = "/-/api/controls";

fn put(eyelet: &Eyelet, body: &str) -> Result<Response> {
    exchange(eyelet.addr(), "PUT", CONTROLS, &[], body.as_bytes())
}

/// One control of an answer.
fn control<'a>(answer: &'a Value, id: &str) -> Result<&'a Value> {
    let all = answer["controls"].as_array().context("no controls")?;
    let found = all.iter().find(|control| control["id"] == id);
    found.with_context(|| format!("no {id} in {answer}"))
}

/// The luma of a pixel of the next frame, in YUYV, whose stamps are whole.
fn luma(eyelet: &Eyelet, width: u32, (x, y): (usize, usize)) -> Result<u8> {
    let frame = eyelet.get("/-/frame?max_age=0")?;
    ensure!(frame.status == 200, "{}", frame.text());
    stamp(&frame.body, &Format::packed(FourCc::YUYV, width, width / 4 * 3))?;
    Ok(frame.body[(y * usize::try_from(width)? + x) * 2])
}

#[test]
fn the_test_picture_lists_its_controls() -> Result<()> {
    let eyelet = start(SMALL, &["--source", "file=exec:true"])?;
    let answer = eyelet.get(CONTROLS)?;
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")));
    let answer = answer.json()?;
    assert_eq!(
        (&answer["stream"], &answer["name"], &answer["writable"]),
        (&json!(0), &json!("camera0"), &json!(true))
    );
    let brightness = json!({
        "id": "brightness", "name": "Brightness", "type": "integer", "min": -64, "max": 64, "step": 1,
        "default": 0, "value": 0, "inactive": false, "readonly": false, "group": "user",
    });
    assert_eq!(control(&answer, "brightness")?, &brightness);
    let menu = json!([
        {"value": 0, "name": "Bars"}, {"value": 1, "name": "Gradient"}, {"value": 2, "name": "Grey"},
    ]);
    assert_eq!(control(&answer, "pattern")?["menu"], menu);
    let button = control(&answer, "reset_motion")?;
    assert_eq!((&button["type"], button.get("value")), (&json!("button"), None));
    // The same by the name of a stream that is made of it.
    assert_eq!(eyelet.get("/-/api/controls?stream=camera0-jpeg")?.json()?, answer);
    let unknown = eyelet.get("/-/api/controls?stream=nothing")?;
    assert!(unknown.status == 404 && unknown.text().contains("there is camera0"), "{unknown:?}");
    Ok(())
}

#[test]
fn a_control_changes_the_picture_and_never_its_stamp() -> Result<()> {
    let eyelet = start(VGA, &[])?;
    // In the middle of the white bar, and of the black one.
    let (left, right) = ((40, 101), (600, 101));
    assert_eq!((luma(&eyelet, 640, left)?, luma(&eyelet, 640, right)?), (235, 16));
    let answer = put(&eyelet, r#"{"contrast":0,"pattern":"gradient","flip":true,"speed":0}"#)?;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let answer = answer.json()?;
    assert_eq!(control(&answer, "pattern")?["value"], 1);
    assert_eq!(answer.get("errors"), None);
    // Without contrast all is the middle grey.
    assert_eq!((luma(&eyelet, 640, left)?, luma(&eyelet, 640, right)?), (126, 126));
    put(&eyelet, r#"{"contrast":null,"pattern":0}"#)?;
    assert_eq!((luma(&eyelet, 640, left)?, luma(&eyelet, 640, right)?), (16, 235), "flipped");
    let reset = exchange(eyelet.addr(), "DELETE", CONTROLS, &[], &[])?;
    assert_eq!(reset.status, 200, "{}", reset.text());
    let reset = reset.json()?;
    for control in reset["controls"].as_array().context("no controls")? {
        assert_eq!(control.get("value"), control.get("default"), "{control}");
    }
    assert_eq!((luma(&eyelet, 640, left)?, luma(&eyelet, 640, right)?), (235, 16));
    Ok(())
}

#[test]
fn each_control_that_cannot_be_set_says_why() -> Result<()> {
    let eyelet = start(SMALL, &[])?;
    let answer = put(&eyelet, r#"{"brightness":12,"contrast":201,"hue":1,"flip":[],"speed":0.5}"#)?;
    assert_eq!(answer.status, 200);
    let answer = answer.json()?;
    assert_eq!(control(&answer, "brightness")?["value"], 12);
    let errors = &answer["errors"];
    for (id, why) in [
        ("contrast", "takes 0 to 200 in steps of 1, not 201"),
        ("hue", "is not there"),
        ("flip", "takes a number, true, false, a text, or null for its default"),
        ("speed", "takes whole numbers only"),
    ] {
        assert_eq!(errors[id], why, "{errors}");
    }
    // What wakes another control is set first, whatever the order.
    let grey = put(&eyelet, r#"{"pattern":"Grey"}"#)?.json()?;
    assert_eq!(control(&grey, "saturation")?["inactive"], true);
    let asleep = put(&eyelet, r#"{"saturation":50}"#)?;
    assert_eq!(asleep.status, 400);
    assert!(asleep.json()?["errors"]["saturation"].to_string().contains("inactive"));
    let woken = put(&eyelet, r#"{"saturation":50,"a":1,"pattern":"Bars"}"#)?.json()?;
    assert_eq!(control(&woken, "saturation")?["value"], 50);
    for (status, body, why) in [
        (400, "not JSON", "no JSON object as"),
        (400, "[]", "no JSON object as"),
        (400, r#"{"brightness":"#, "no JSON object as"),
        (400, r#"{"colour":"red"}"#, "is not there"),
        (413, &format!("{{\"brightness\":{}}}", " ".repeat(5000)), "longer than 4096"),
        (200, "{}", "brightness"),
    ] {
        let answer = put(&eyelet, body)?;
        assert_eq!(answer.status, status, "{body}: {}", answer.text());
        assert!(answer.text().contains(why) && answer.text().lines().count() == 1, "{body}");
    }
    let many: Vec<String> = (0..65).map(|n| format!("\"c{n}\":1")).collect();
    assert!(put(&eyelet, &format!("{{{}}}", many.join(",")))?.text().contains("more than 64"));
    let other = exchange(eyelet.addr(), "POST", CONTROLS, &[], b"{}")?;
    assert_eq!((other.status, other.header("allow")), (405, Some("GET, HEAD, PUT, DELETE")));
    Ok(())
}

#[test]
fn other_sites_pages_and_other_machines_names_change_nothing() -> Result<()> {
    let set = |eyelet: &Eyelet, headers: &[(&str, &str)]| {
        exchange(eyelet.addr(), "PUT", CONTROLS, headers, br#"{"brightness":1}"#)
    };
    let eyelet = start(SMALL, &[])?;
    let host = eyelet.addr().to_string();
    let own = format!("http://{host}");
    assert_eq!(set(&eyelet, &[("Origin", &own)])?.status, 200);
    assert_eq!(set(&eyelet, &[("Origin", "http://evil.example")])?.status, 403);
    // A page whose site's name leads here has the same origin.
    let rebound = [("Host", "evil.example"), ("Origin", "http://evil.example")];
    assert_eq!(set(&eyelet, &rebound)?.status, 421);
    // A proxy on this machine passes on what others ask by a name of ours.
    let passed = [("Host", "printer.local"), ("Origin", "http://printer.local")];
    let refused = set(&eyelet, &passed)?;
    assert!(refused.status == 403 && refused.text().contains("--api-control all"), "{refused:?}");
    let listed = exchange(eyelet.addr(), "GET", CONTROLS, &passed, &[])?;
    assert_eq!((listed.status, &listed.json()?["writable"]), (200, &json!(false)));
    let open = start(SMALL, &["--api-control", "all"])?;
    assert_eq!(set(&open, &passed)?.status, 200);
    assert_eq!(set(&open, &[("Origin", "http://evil.example")])?.status, 403);
    let closed = start(SMALL, &["--api-control", "none"])?;
    assert_eq!(set(&closed, &[])?.status, 403);
    assert_eq!(exchange(closed.addr(), "DELETE", CONTROLS, &[], &[])?.status, 403);
    Ok(())
}

#[test]
fn what_was_set_is_kept_when_the_capture_process_is_killed() -> Result<()> {
    let eyelet = start("test:64x48@30?control.speed=8&control.contrast=50", &[])?;
    put(&eyelet, r#"{"brightness":-20,"contrast":150,"speed":null}"#)?;
    eyelet.kill_role("capture")?;
    eyelet.wait_until("controls again", || {
        eyelet.get(CONTROLS).is_ok_and(|answer| answer.status == 200)
    })?;
    let answer = eyelet.get(CONTROLS)?.json()?;
    for (id, value) in [("brightness", -20), ("contrast", 150), ("speed", 4), ("saturation", 100)] {
        assert_eq!(control(&answer, id)?["value"], value, "{answer}");
    }
    Ok(())
}

#[test]
fn the_command_line_lists_sets_and_resets() -> Result<()> {
    let eyelet = start("front=test:64x48@30", &[])?;
    let url = eyelet.url("");
    let controls = |words: &[&str]| run(&[&["controls", "--url", &url], words].concat());
    let listed = controls(&[])?;
    assert_eq!((listed.code, listed.stderr.as_str()), (Some(0), ""));
    assert!(listed.stdout.contains("brightness = 0  (-64 to 64 in steps of 1)\n"), "{listed:?}");
    let set = controls(&["--stream", "front-jpeg", "brightness=-7", "flip=on", "reset_motion"])?;
    assert!(
        set.stdout.contains("brightness = -7 ") && set.stdout.contains("flip = on "),
        "{set:?}"
    );
    let wrong = controls(&["brightness=99", "contrast=50"])?;
    assert_eq!(wrong.code, Some(1));
    assert!(wrong.stderr.contains("`brightness` takes -64 to 64"), "{wrong:?}");
    let back = controls(&["brightness="])?;
    assert!(back.stdout.contains("brightness = 0 ") && back.stdout.contains("contrast = 50 "));
    assert!(controls(&["--reset"])?.stdout.contains("contrast = 100 "));
    let unknown = controls(&["--stream", "a b&c"])?;
    assert!(unknown.stderr.contains("answers 404: there is no such stream"), "{unknown:?}");
    Ok(())
}

#[test]
fn a_camera_that_is_away_says_why_and_one_without_controls_has_none() -> Result<()> {
    let words = ["--listen", "127.0.0.1:0", "--source", "v4l2:/dev/nothing-there"];
    let eyelet = Eyelet::start(Path::new(BIN), &words)?;
    let away = eyelet.get(CONTROLS)?;
    assert_eq!(away.status, 503, "{}", away.text());
    assert!(away.text().contains("there is no device `/dev/nothing-there`"), "{}", away.text());
    let eyelet = start("exec:sleep 1000?format=GREY&size=8x8&fps=1", &[])?;
    let none = eyelet.get(CONTROLS)?;
    assert_eq!((none.status, &none.json()?["controls"]), (200, &json!([])));
    let answer = put(&eyelet, r#"{"brightness":1}"#)?;
    assert!(answer.status == 400 && answer.text().contains("has no controls"), "{answer:?}");
    Ok(())
}

#[test]
fn a_camera_that_does_not_answer_holds_up_nobody_else() -> Result<()> {
    let eyelet = start(SMALL, &[])?;
    eyelet.get(CONTROLS)?;
    let capture = eyelet.role("capture").pop().context("no capture")?;
    capture.signal(Signal::STOP)?;
    let addr = eyelet.addr();
    let asking = std::thread::spawn(move || exchange(addr, "GET", CONTROLS, &[], &[]));
    while !asking.is_finished() {
        assert_eq!(eyelet.get("/-/healthz")?.status, 200);
    }
    let answer = asking.join().map_err(|_| anyhow::anyhow!("the asker panicked"))??;
    assert_eq!(answer.status, 504, "{}", answer.text());
    capture.signal(Signal::CONT)?;
    assert_eq!(eyelet.get(CONTROLS)?.status, 200);
    V1::watch(&eyelet)?.frame().map(drop)
}
