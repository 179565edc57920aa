//! GPIO lines: those of a CP2112 in software, which the kernel's own driver makes a chip of.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::server::{LOG, Server};
use super::{Scenario, web};
use crate::vm::guest::{GUEST_PORT, Guest, PATIENCE};

const EXECUTABLES: &[&str] = &["eyelet", "eyelet-gpio", "cp2112sim"];
/// The outside of the chip: `tests/cp2112sim` says what goes in.
const OUTSIDE: &str = "/run/cp2112";
/// The simulator's log.
const CHIP: &str = "cp2112sim";
/// What the function is told: byte 0 is line 5, byte 1 is line 3. What is added is about the latter.
const GPIO: &str = "--chip gpiochip0 --in button=5 --out lamp=3";
/// The beginning of a JPEG picture.
const PICTURE: &[u8] = b"\xff\xd8\xff";

pub(crate) const SCENARIOS: &[Scenario] = &[
    Scenario::new(EXECUTABLES, "lines/edges", "an edge wakes an app and a subscriber", edges),
    Scenario::new(EXECUTABLES, "lines/outputs", "outputs are set, inputs are refused", outputs),
    Scenario::new(EXECUTABLES, "lines/wiring", "lines for which low means 1", wiring),
    Scenario::new(EXECUTABLES, "lines/replug", "the chip is pulled out and put back", replug),
    Scenario::new(
        EXECUTABLES,
        "lines/permission",
        "a user who may not open the chip is told what helps",
        permission,
    ),
];

/// Plugs the chip in.
fn plug(guest: &mut Guest) -> Result<()> {
    guest.run(&format!("modprobe uhid && modprobe hid_cp2112 && mkfifo {OUTSIDE}"))?;
    guest.background(CHIP, &format!("cp2112sim {OUTSIDE}"))?;
    guest.wait_for("test -c /dev/gpiochip0")
}

/// Plugs the chip in, and starts an Eyelet that owns its lines and runs the doorbell of the examples.
fn start(guest: &mut Guest, wiring: &str, more: &str) -> Result<Server> {
    plug(guest)?;
    let server = Server::start(
        guest,
        &format!(
            "eyelet run --listen 0.0.0.0:{GUEST_PORT} --source test:64x48@10 --api-write gpio \
             --mule 'gpio=gpio({GPIO} {wiring})' --script 'sh /examples/sh/doorbell.sh' --processes 2 {more}"
        ),
    )?;
    wait_open(guest, 1)?;
    Ok(server)
}

/// Waits until the mule has said so often that the chip is open.
fn wait_open(guest: &mut Guest, times: u32) -> Result<()> {
    guest.wait_for(&format!("[ $(grep -c 'open: button, lamp' /run/log/{LOG}) -ge {times} ]"))
}

/// Has the world do something to the chip.
fn outside(guest: &mut Guest, command: &str) -> Result<()> {
    guest.run(&format!("echo {command} >{OUTSIDE}")).map(drop)
}

/// Waits until the chip's last word about a line that it drives is this one.
fn wait_driven(guest: &mut Guest, what: &str) -> Result<()> {
    guest.wait_for(&format!("grep 'line 3' /run/log/{CHIP} | tail -n 1 | grep -q '{what}$'"))
}

/// Waits until the kernel has counted so many edges: the driver looks 25 times a second, and the next change must not come
/// before it has seen this one.
fn wait_edges(guest: &mut Guest, count: u32) -> Result<()> {
    let sum = "awk '/eyelet/ { print $2 + $3 }' /proc/interrupts";
    guest.wait_for(&format!("[ $({sum}) = {count} ]"))
}

/// The area, as HTTP gives it.
fn area(guest: &Guest) -> Result<Vec<u8>> {
    web::get(guest, "/-/api/areas/gpio")
}

/// Sends to the area and checks the answer's status; gives the rest.
fn send(guest: &Guest, method: &str, query: &str, body: &str, status: u16) -> Result<String> {
    let path = format!("/-/api/areas/gpio?{query}");
    let (found, text) = web::ask(guest, method, &path, body)?;
    ensure!(found == status, "{method} {path} {body:?} gets {found}: {text}");
    Ok(text)
}

/// Waits until the list of areas says that this is the state.
fn wait_state(guest: &Guest, wanted: &str) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let list: Value = serde_json::from_slice(&web::get(guest, "/-/api/areas")?)?;
        let areas = list["areas"].as_array().context("there is no list of areas")?;
        if areas.iter().any(|area| area["name"] == "gpio" && area["state"] == wanted) {
            return Ok(());
        }
        ensure!(Instant::now() < deadline, "the area is not {wanted}: {list}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn edges(guest: &mut Guest) -> Result<String> {
    let server = start(guest, "", "")?;
    ensure!(area(guest)? == [0, 0], "at first the area is {:?}", area(guest)?);
    let mut subscriber = web::Socket::bare(guest, "gpio")?;
    ensure!(subscriber.frame()? == [0, 0], "a subscriber does not get what is newest");
    let mut door = web::Endless::get(guest, "/door")?;
    door.wait_for(b"\r\n\r\n")?;
    for press in 0..3 {
        outside(guest, "high 5")?;
        wait_edges(guest, 2 * press + 1)?;
        ensure!(subscriber.frame()? == [1, 0], "the press is not seen");
        // The app waits for an edge; while there was none, no picture can have come.
        door.wait_for(PICTURE)?;
        outside(guest, "low 5")?;
        wait_edges(guest, 2 * press + 2)?;
        ensure!(subscriber.frame()? == [0, 0], "the release is not seen");
    }
    server.expect_unbroken(guest)?;
    Ok("six edges, each a frame; the doorbell showed the camera".to_owned())
}

fn outputs(guest: &mut Guest) -> Result<String> {
    // One that comes too late for a line, and one that wants what there is not.
    let more = format!(
        "--mule 'second=sh -c \"until grep -q open:.button /run/log/{LOG}; do sleep 0.1; done; \
         exec eyelet-gpio --in other=5\"' --mule 'third=eyelet-gpio --in far=9'"
    );
    let server = start(guest, "", &more)?;
    wait_driven(guest, "drives low")?;
    let (status, text) = web::ask(guest, "POST", "/lamp", "")?;
    ensure!((status, text.as_str()) == (200, "1"), "the app gets {status}: {text}");
    wait_driven(guest, "drives high")?;
    ensure!(area(guest)? == [0, 1], "the area is {:?}", area(guest)?);
    for (body, driven) in [("\0", "low"), ("1", "high"), ("0", "low"), ("\u{1}", "high")] {
        send(guest, "PUT", "pos=1", body, 200)?;
        wait_driven(guest, &format!("drives {driven}"))?;
    }
    let text = send(guest, "POST", "pos=1&bits=8", "", 200)?;
    ensure!(text.contains("\"value\":0"), "adding 1 to 1 gives {text}");
    wait_driven(guest, "drives low")?;

    let refused = send(guest, "PUT", "pos=0", "11", 403)?;
    ensure!(refused.contains("the line `button` is an input"), "an input gets: {refused}");
    // Nor was the lamp set, which was part of the same wish.
    ensure!(area(guest)? == [0, 0], "the area is {:?}", area(guest)?);
    send(guest, "PUT", "pos=1", "2", 403)?;
    send(guest, "PUT", "pos=2", "1", 416)?;
    server.wait_to_say(guest, "the line `other` (5) of the chip `cp2112_gpio`")?;
    server.wait_to_say(guest, "is in use by `eyelet`")?;
    server.wait_to_say(guest, "has no line `9`: it has 0 to 7, without names")?;
    server.expect_unbroken(guest)?;
    Ok(refused.trim().to_owned())
}

fn wiring(guest: &mut Guest) -> Result<String> {
    let server = start(
        guest,
        "--active-low --in door=6 --active-low",
        "--mule 'slow=eyelet-gpio --in far=7 --debounce 20ms'",
    )?;
    ensure!(area(guest)? == [0, 0, 1], "at first the area is {:?}", area(guest)?);
    wait_driven(guest, "drives high")?;
    send(guest, "PUT", "pos=1", "1", 200)?;
    wait_driven(guest, "drives low")?;
    let mut subscriber = web::Socket::bare(guest, "gpio")?;
    ensure!(subscriber.frame()? == [0, 1, 1], "a subscriber does not get what is newest");
    outside(guest, "high 6")?;
    ensure!(subscriber.frame()? == [0, 1, 0], "the door is not seen to open");
    outside(guest, "low 6")?;
    ensure!(subscriber.frame()? == [0, 1, 1], "the door is not seen to close");
    // Its interrupts are threads, which the kernel's debouncing is not made for.
    server.wait_to_say(guest, "perhaps this chip takes no --debounce")?;
    server.expect_unbroken(guest)?;
    Ok("a lamp and a door for which low is 1; --debounce is refused with a hint".to_owned())
}

fn replug(guest: &mut Guest) -> Result<String> {
    let server = start(guest, "", "")?;
    send(guest, "PUT", "pos=1", "1", 200)?;
    wait_driven(guest, "drives high")?;
    let mut why = String::new();
    for times in 1..=2 {
        outside(guest, "unplug")?;
        let line = "is not plugged in any more$";
        guest.wait_for(&format!("[ $(grep -c '{line}' /run/log/{LOG}) = {times} ]"))?;
        why = send(guest, "PUT", "pos=1", "0", 403)?;
        wait_state(guest, "no_signal")?;
        outside(guest, "plug")?;
        wait_open(guest, times + 1)?;
        wait_state(guest, "live")?;
        // The chip has forgotten it, the mule has not.
        wait_driven(guest, "drives high")?;
        let mut subscriber = web::Socket::bare(guest, "gpio")?;
        ensure!(subscriber.frame()? == [0, 1], "the area is {:?}", area(guest)?);
        outside(guest, "high 5")?;
        ensure!(subscriber.frame()? == [1, 1], "the press is not seen");
        outside(guest, "low 5")?;
        ensure!(subscriber.frame()? == [0, 1], "the release is not seen");
    }
    server.expect_unbroken(guest)?;
    Ok(format!("twice: {}", why.trim()))
}

fn permission(guest: &mut Guest) -> Result<String> {
    /// A user and groups, for a guest that knows only root.
    const USER: &str = "user:x:1000:1000::/tmp:/bin/sh";
    const GROUPS: &str = "root:x:0:\\ngpio:x:997:\\n";
    plug(guest)?;
    guest.run(&format!(
        "echo {USER} >/etc/passwd && printf '{GROUPS}' >/etc/group && chmod 1777 /tmp"
    ))?;
    let command = format!(
        "su user -c \"exec eyelet run --listen 0.0.0.0:{GUEST_PORT} --source test:64x48@10 --mule 'gpio=gpio({GPIO})'\""
    );
    let server = Server::start(guest, &command)?;
    // As the kernel makes it: to join root's group would be too much, and not enough.
    server.wait_to_say(guest, "only root may (mode 600, group `root`)")?;
    guest.run("chown 0:997 /dev/gpiochip0 && chmod 660 /dev/gpiochip0")?;
    server.wait_to_say(guest, "it is for the group `gpio`")?;
    guest.run("chmod 666 /dev/gpiochip0")?;
    wait_open(guest, 1)?;
    ensure!(area(guest)? == [0, 0], "the area is {:?}", area(guest)?);
    server.expect_unbroken(guest)?;
    Ok("first only root may, then the group, then everybody".to_owned())
}
