//! A camera's controls over HTTP: one of each kind, changed by us, by others, and kept.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::camera::Camera;
use super::server::Server;
use super::{EYELET, Scenario, web};
use crate::vm::guest::{GUEST_PORT, Guest};

const DRIVER: &str = "/sys/bus/platform/drivers/vivid";
const CONTROLS: &str = "/-/api/controls";
/// So many frames more show that a stream goes on.
const SOME: u64 = 15;

pub(crate) const SCENARIOS: &[Scenario] = &[
    Scenario::new(EYELET, "eyelet/panel", "every kind of control, set over HTTP", panel),
    Scenario::new(EYELET, "eyelet/panel-kept", "what was set over HTTP is set again", kept),
];

/// Starts a server that lets the host change controls.
fn start(guest: &mut Guest, source: &str) -> Result<Server> {
    let command =
        format!("eyelet run --listen 0.0.0.0:{GUEST_PORT} --api-control all --source '{source}'");
    let server = Server::start(guest, &command)?;
    server.wait_live(guest, 0, SOME)?;
    Ok(server)
}

fn controls(guest: &Guest) -> Result<Value> {
    Ok(serde_json::from_slice(&web::get(guest, CONTROLS)?)?)
}

fn control<'a>(answer: &'a Value, id: &str) -> Result<&'a Value> {
    let all = answer["controls"].as_array().context("no controls")?;
    all.iter().find(|control| control["id"] == id).with_context(|| format!("no {id} in {answer}"))
}

/// What the driver itself says of a control.
fn driver_says(guest: &mut Guest, node: &str, id: &str) -> Result<String> {
    let text = guest.run(&format!("v4l2-ctl -d {node} -C {id}"))?;
    Ok(text.split_once(": ").map_or(text.as_str(), |(_, value)| value).trim().to_owned())
}

fn panel(guest: &mut Guest) -> Result<String> {
    let camera = Camera::vivid(guest)?;
    let server = start(guest, "v4l2:/dev/video0?format=GREY&size=320x180")?;
    let before = controls(guest)?;
    for (id, kind) in [
        ("brightness", "integer"),
        ("boolean", "boolean"),
        ("menu", "menu"),
        ("integer_menu", "menu"),
        ("button", "button"),
        ("integer_64_bits", "integer64"),
        ("string", "string"),
        ("bitmask", "bitmask"),
    ] {
        let control = control(&before, id)?;
        ensure!(control["type"] == kind, "{control} is not {kind}");
    }
    ensure!(control(&before, "brightness")?["group"] == "user", "{before}");
    let choice = control(&before, "menu")?["menu"][0].clone();
    let wanted = json!({
        "brightness": 77, "boolean": false, "menu": choice["name"], "string": "abcd", "button": true,
        "contrast": 999,
    });
    let after = web::put(guest, CONTROLS, &wanted)?;
    ensure!(after["errors"]["contrast"].to_string().contains("takes 0 to 255"), "{after}");
    for (id, value) in [("brightness", "77"), ("boolean", "0"), ("string", "abcd")] {
        let says = driver_says(guest, &camera.node, id)?;
        ensure!(says.trim_matches('\'') == value, "the driver has {id} {says}, not {value}");
    }
    ensure!(control(&after, "menu")?["value"] == choice["value"], "{after}");

    // By others, once they are told.
    let mut viewer = web::Socket::v1(guest)?;
    viewer.told("hello")?;
    guest.run(&format!("v4l2-ctl -d {} -c contrast=33", camera.node))?;
    // The driver changes one by itself all the time.
    let contrast = loop {
        let told = viewer.told("controls")?;
        if let Ok(contrast) = control(&told, "contrast") {
            break contrast.clone();
        }
    };
    ensure!(contrast["value"] == 33, "{contrast}");
    server.wait_live(guest, 0, SOME)?;
    server.expect_unbroken(guest)?;
    let len = before["controls"].as_array().map_or(0, Vec::len);
    Ok(format!("{len} controls in {} bytes", before.to_string().len()))
}

fn kept(guest: &mut Guest) -> Result<String> {
    let camera = Camera::vivid(guest)?;
    let server = start(guest, "v4l2:/dev/video0?format=GREY&size=320x180&control.brightness=9")?;
    web::put(guest, CONTROLS, &json!({"brightness": 77, "contrast": 33}))?;
    web::put(guest, CONTROLS, &json!({"contrast": null}))?;
    guest.run(&format!("echo vivid.0 >{DRIVER}/unbind"))?;
    server.wait_lost(guest, 0, "not plugged in")?;
    let away = web::get(guest, CONTROLS);
    ensure!(away.is_err_and(|e| format!("{e:#}").contains("not plugged in")), "nobody said why");
    guest.run(&format!("echo vivid.0 >{DRIVER}/bind"))?;
    server.wait_live(guest, 0, SOME)?;
    for (id, value) in [("brightness", "77"), ("contrast", "128")] {
        guest.wait_for(&format!("v4l2-ctl -d {} -C {id} | grep -q ' {value}$'", camera.node))?;
    }
    // By the next process of the role: a viewer of it is told nothing, so it is asked.
    guest.run(&format!("v4l2-ctl -d {} -c brightness=1", camera.node))?;
    let status: Value = serde_json::from_slice(&web::get(guest, "/-/api/status")?)?;
    let capture = &status["processes"][0];
    ensure!(capture["role"] == "capture 0", "{capture}");
    guest.run(&format!("kill -9 {}", capture["pid"]))?;
    guest.wait_for(&format!("v4l2-ctl -d {} -C brightness | grep -q ' 77$'", camera.node))?;

    let usb = Camera::usb(guest, 0, "")?;
    server.stop(guest)?;
    let server = start(guest, &format!("v4l2:{}?format=MJPG&size=640x480", usb.node))?;
    web::put(guest, CONTROLS, &json!({"brightness": -17}))?;
    guest.run("echo 0 >/sys/devices/platform/vhci_hcd.0/detach")?;
    server.wait_lost(guest, 0, "not plugged in")?;
    let usb = Camera::usb(guest, 0, "")?;
    guest.wait_for(&format!("v4l2-ctl -d {} -C brightness | grep -q ' -17$'", usb.node))?;
    server.expect_unbroken(guest)?;
    Ok("after a return, and by the next process".to_owned())
}
