//! What an app can ask for, asked by a shell script.

use anyhow::{Context as _, Result};
use eyelet_area::{Format, FourCc};
use eyelet_harness::wire::websocket::{Message, Opcode};
use eyelet_harness::{DEADLINE, Eyelet, Process, Signal, WsClient, exchange};

use crate::support::{SMALL, stamp, start};

/// Each path tries something and tells what it was answered.
const SCRIPT: &str = r#"
say() { printf '%s\n' "$1"; read -r answer rest; [ "$answer" = ok ]; }
say_with() { printf '%s %s\n%s' "$1" "${#2}" "$2"; read -r answer rest; [ "$answer" = ok ]; }
# The payload of the last answer, whose length is its last word.
payload() { len=${rest##* }; text=$(head -c "$len"); }
tell() { say_with 'send 1' "$1"; }
page() { say_with head "HTTP/1.1 200 OK
Content-Type: text/plain

"; say_with body "$1"; }
LC_ALL=C
case $PATH_INFO in
/echo)
    say handshake
    while say recv; do
        op=${rest%% *}
        payload
        say_with "send $op" "$op:$text"
    done
    echo end ;;
/now)
    say handshake
    say recv-nb; tell "$answer $rest"
    until say recv-nb && [ -n "$rest" ]; do sleep 0.01; done
    payload; tell "$text"
    say 'recv 0.02'; tell "$answer $rest"
    echo end ;;
/close)
    say handshake
    say_with 'close 4001' 'go away'
    echo end ;;
/areas)
    say areas; payload; page "$text"; echo end ;;
/errors)
    all=
    for verb in 'wait 9 0 0' 'wait nothing 0 0' 'read 0 0 9999999' 'read 0 6145 0' 'inc 0 0 8 1' \
        'send-area 0 0 0 2' 'recv 0.01' 'follow 0 2' 'wait 0 0' 'sing'; do
        say "$verb"; all="$all$answer $rest
"
    done
    page "$all"; echo end ;;
/read)
    say 'read camera 0 4'; payload; page "$text"; echo end ;;
/picture)
    say_with head "HTTP/1.1 200 OK
Content-Type: image/jpeg

"
    say 'send-area camera-jpeg 0 0 2'
    echo end ;;
/part)
    say handshake
    say 'send-area 0 16 100 2'; say 'send-area 0 6000 0 2'
    echo end ;;
/wait)
    say handshake
    while say 'wait 0 50 0' && say 'send-area 0 0 0 2'; do :; done
    echo end ;;
/follow)
    say handshake
    say 'follow 0 2'; echo end ;;
/stop)
    say handshake
    ( sleep 0.1; echo stop ) & say recv; tell "$answer $rest"
    ( sleep 0.2; echo stop ) & say 'follow 0 2'; tell "$answer $rest"
    payload_of() { say recv; payload; tell "$text"; }
    payload_of
    echo stop
    tell still
    echo end ;;
/together)
    say handshake
    one_read() { dd bs=4096 count=1 2>/dev/null | tr '\n' '|'; }
    say 'wait counters 0 0.05'
    printf 'send-area 0 0 4 2\nwait counters 0 0.5\n'; both=$(one_read)
    printf 'send-area 0 6145 0 2\nwait counters 0 0\n'; first=$(one_read)
    echo stop; read -r answer rest
    tell "$both$first$answer $rest"
    echo end ;;
/count)
    for n in 1 2 3 4 5 6 7 8 9 10; do say 'inc counters 8 32 1' || exit; done
    say 'dec counters 8 32 3'
    page "$rest"; echo end ;;
/put)
    say_with 'write counters 0' 'whole'; say 'read counters 0 5'; payload
    all="$text"
    note() { all="$all,${rest%% *}"; }
    say 'inc counters 30 64 1'; note
    say_with 'write counters 31' 'ab'; note
    say 'read counters 33 0'; note
    say_with 'write camera 0' 'x'; note
    page "$all"; echo end ;;
/watch-counter)
    say handshake
    while say 'wait-any 0 recv counters'; do
        case $rest in
        recv) say recv-nb; payload; tell "said $text" ;;
        *) say 'read counters 8 1'; tell "$(head -c 1 | od -An -tu1 | tr -d ' ')" ;;
        esac
    done
    echo end ;;
/flood)
    say handshake
    sleep 1; say 'send 1 0'; until say 'recv 0.1' || [ "${rest%% *}" = gone ]; do :; done ;;
esac
"#;

fn start_script(source: &str, more: &[&str]) -> Result<(Eyelet, tempfile::TempDir)> {
    let folder = tempfile::tempdir()?;
    let script = folder.path().join("app.sh");
    std::fs::write(&script, SCRIPT)?;
    let command = format!("sh {}", script.display());
    let places: &[&str] = if more.contains(&"--processes") { &[] } else { &["--processes", "4"] };
    let eyelet = start(source, &[&["--script", &command], places, more].concat())?;
    Ok((eyelet, folder))
}

fn text(viewer: &mut WsClient) -> Result<String> {
    let Some(Message::Text(text)) = viewer.next_message(DEADLINE)? else {
        anyhow::bail!("no text came")
    };
    Ok(text)
}

#[test]
fn messages_reach_the_app_and_their_kind_is_told() -> Result<()> {
    let (eyelet, _folder) = start_script(SMALL, &[])?;
    let mut client = eyelet.websocket("/echo", &[], &[])?;
    client.send_text("hello")?;
    client.send(Opcode::Binary, b"bytes")?;
    client.send_text("")?;
    assert_eq!(text(&mut client)?, "1:hello");
    let Some(Message::Binary(bytes)) = client.next_message(DEADLINE)? else {
        anyhow::bail!("no bytes")
    };
    assert_eq!(bytes, b"2:bytes");
    assert_eq!(text(&mut client)?, "1:");
    // What was said before leaving is heard, and then the app is told.
    client.send_close(1000, "")?;
    assert_eq!(client.next_close()?, Some(1000));
    let mut client = eyelet.websocket("/now", &[], &[])?;
    assert_eq!(text(&mut client)?, "ok ");
    client.send_text("there")?;
    assert_eq!(text(&mut client)?, "there");
    assert_eq!(text(&mut client)?, "err timeout no message came in time");
    assert_eq!(client.next_close()?, Some(1000));
    let mut client = eyelet.websocket("/close", &[], &[])?;
    assert_eq!(client.next_close()?, Some(4001));
    Ok(())
}

#[test]
fn more_messages_than_may_wait_end_the_connection() -> Result<()> {
    let (eyelet, _folder) = start_script(SMALL, &[])?;
    let mut client = eyelet.websocket("/flood", &[], &[])?;
    for _ in 0..40 {
        client.send(Opcode::Binary, &[7; 4096])?;
    }
    assert_eq!(client.next_close()?, Some(1009));
    Ok(())
}

#[test]
fn areas_are_listed_and_read() -> Result<()> {
    let (eyelet, _folder) = start_script(SMALL, &["--stream", "rgba"])?;
    let areas = eyelet.get("/areas")?.text();
    let lines: Vec<&str> = areas.lines().collect();
    assert_eq!(lines.len(), 3, "{areas}");
    assert!(lines[0].starts_with("0 camera camera live "), "{areas}");
    assert!(lines[1].starts_with("1 camera-rgba derived "), "{areas}");
    // The ground of the stamp is black: Y' 16, Cb and Cr 128.
    assert_eq!(eyelet.get("/read")?.body, [16, 128, 16, 128]);
    let picture = eyelet.get("/picture")?;
    assert_eq!(picture.header("content-type"), Some("image/jpeg"));
    assert!(picture.body.starts_with(&[0xFF, 0xD8]) && picture.body.ends_with(&[0xFF, 0xD9]));
    let mut client = eyelet.websocket("/part", &[], &[])?;
    assert_eq!(client.next_binary()?.len(), 100);
    assert_eq!(client.next_binary()?.len(), 64 * 48 * 2 - 6000);
    Ok(())
}

#[test]
fn counters_are_shared_and_their_changes_wake_who_waits() -> Result<()> {
    let (eyelet, _folder) = start_script(SMALL, &["--area", "counters=32", "--processes", "8"])?;
    let addr = eyelet.addr();
    let mut watcher = eyelet.websocket("/watch-counter", &[], &[])?;
    assert_eq!(text(&mut watcher)?, "0");
    let counting: Vec<_> = (0..6)
        .map(|_| std::thread::spawn(move || exchange(addr, "GET", "/count", &[], b"")))
        .collect();
    for thread in counting {
        let answer = thread.join().map_err(|_| anyhow::anyhow!("a thread failed"))??;
        assert_eq!(answer.status, 200);
    }
    while text(&mut watcher)? != "42" {}
    watcher.send_text("hello")?;
    // On its way up and down again the counter may have been 42 before, and a slow watcher still tells of it.
    let mut told = text(&mut watcher)?;
    while told.parse::<u32>().is_ok_and(|count| count <= 45) {
        told = text(&mut watcher)?;
    }
    assert_eq!(told, "said hello");
    assert_eq!(eyelet.get("/put")?.text(), "whole,out-of-range,out-of-range,out-of-range,refused");
    let area = eyelet.status()?["areas"][0].clone();
    assert_eq!((&area["name"], &area["len"]), (&"counters".into(), &32.into()));
    assert!(area["requests"].as_u64() >= Some(60), "{area}");
    Ok(())
}

#[test]
fn areas_are_changed_by_http_where_that_is_allowed() -> Result<()> {
    let words = ["--area", "open=16", "--area", "shut=16", "--api-write", "open"];
    let eyelet = start(SMALL, &words)?;
    let ask = |method, path, headers: &[(&str, &str)], body: &[u8]| {
        exchange(eyelet.addr(), method, path, headers, body)
    };
    let areas: serde_json::Value = serde_json::from_str(&eyelet.get("/-/api/areas")?.text())?;
    assert_eq!(areas["areas"][2]["name"], "open");
    assert_eq!(ask("PUT", "/-/api/areas/open?pos=2", &[], b"data")?.status, 200);
    assert_eq!(eyelet.get("/-/api/areas/open?pos=1&len=6")?.body, b"\0data\0");
    let added = ask("POST", "/-/api/areas/2?pos=8&bits=16&add=-3", &[], b"")?;
    assert_eq!(serde_json::from_str::<serde_json::Value>(&added.text())?["value"], -3);
    assert_eq!(eyelet.get("/-/api/areas/shut")?.body, [0; 16]);
    for (method, path, status) in [
        ("PUT", "/-/api/areas/shut", 403),
        ("POST", "/-/api/areas/shut", 403),
        ("DELETE", "/-/api/areas/open", 405),
        ("GET", "/-/api/areas/nothing", 404),
        ("GET", "/-/api/areas/camera", 404),
        ("GET", "/-/api/areas/open?pos=17", 416),
        ("GET", "/-/api/areas/open?pos=1.5", 400),
        ("POST", "/-/api/areas/open?bits=9", 400),
        ("GET", "/-/api/areasx", 404),
    ] {
        assert_eq!(ask(method, path, &[], b"")?.status, status, "{method} {path}");
    }
    let evil = [("Origin", "http://evil.example")];
    assert_eq!(ask("PUT", "/-/api/areas/open", &evil, b"x")?.status, 403);
    assert_eq!(ask("PUT", "/-/api/areas/open", &[], &[0; 70_000])?.status, 413);
    Ok(())
}

#[test]
fn what_keeps_the_counters_may_die_and_they_begin_anew() -> Result<()> {
    let (eyelet, _folder) = start_script(SMALL, &["--area", "counters=32"])?;
    assert_eq!(eyelet.get("/count")?.text(), "7");
    assert_eq!(eyelet.get("/count")?.text(), "14");
    let mut watcher = eyelet.websocket("/watch-counter", &[], &[])?;
    assert_eq!(text(&mut watcher)?, "14");
    let status = eyelet.status()?;
    let pid = crate::support::process(&status, "keep")?["pid"].as_u64().context("no pid")?;
    Process::of(u32::try_from(pid)?).context("it is gone")?.signal(Signal::KILL)?;
    eyelet.wait_line(|line| line.contains("begins anew"))?;
    assert_eq!(text(&mut watcher)?, "0");
    assert_eq!(eyelet.get("/count")?.text(), "7");
    Ok(())
}

#[test]
fn each_mistake_is_a_value_with_a_kind_and_the_request_goes_on() -> Result<()> {
    let (eyelet, _folder) = start_script(SMALL, &[])?;
    let answer = eyelet.get("/errors")?;
    // The last one was no verb: nobody knows what would follow it.
    assert_eq!(answer.status, 502);
    let (eyelet, folder) = start_script(SMALL, &[])?;
    let script = SCRIPT.replace(" 'sing'", "");
    std::fs::write(folder.path().join("app.sh"), script)?;
    let answer = eyelet.get("/errors")?.text();
    let kinds: Vec<&str> =
        answer.lines().filter_map(|line| line.strip_prefix("err ")?.split(' ').next()).collect();
    let expected = [
        "no-area",
        "no-area",
        "out-of-range",
        "out-of-range",
        "refused",
        "bad-state",
        "timeout",
        "bad-state",
        "bad-request",
    ];
    assert_eq!(kinds, expected, "{answer}");
    Ok(())
}

#[test]
fn a_viewer_gets_the_rate_that_its_address_asks_for() -> Result<()> {
    let (eyelet, _folder) = start_script("test:64x48@30", &[])?;
    let format = Format::packed(FourCc::YUYV, 64, 48);
    for path in ["/wait?fps=5", "/follow?fps=5"] {
        let mut viewer = eyelet.websocket(path, &[], &[])?;
        let mut last = stamp(&viewer.next_binary()?, &format)?;
        for _ in 0..4 {
            let next = stamp(&viewer.next_binary()?, &format)?;
            assert!((4..=30).contains(&(next - last)), "{path}: {last}, {next}");
            last = next;
        }
    }
    Ok(())
}

#[test]
fn following_sends_every_frame_and_a_viewer_that_leaves_makes_room() -> Result<()> {
    let (eyelet, _folder) = start_script("test:64x48@30", &[])?;
    let format = Format::packed(FourCc::YUYV, 64, 48);
    for _ in 0..6 {
        let mut viewer = eyelet.websocket("/follow", &[], &[])?;
        let first = stamp(&viewer.next_binary()?, &format)?;
        let mut last = first;
        for _ in 0..20 {
            last = stamp(&viewer.next_binary()?, &format)?;
        }
        // A frame or two may be lost to a machine that does other things as well.
        assert!((20..=23).contains(&(last - first)), "{first}, {last}");
    }
    Ok(())
}

/// What holds an answer back is a wait that nothing ends but its own time.
#[test]
fn a_send_and_the_wait_behind_it_are_answered_by_one_write_unless_the_send_fails() -> Result<()> {
    let (eyelet, _folder) = start_script(SMALL, &["--area", "counters=64"])?;
    let mut client = eyelet.websocket("/together", &[], &[])?;
    let Some(Message::Binary(bytes)) = client.next_message(DEADLINE)? else {
        anyhow::bail!("no bytes")
    };
    assert_eq!(bytes.len(), 4);
    let told = text(&mut client)?;
    let (sequence, rest) = told.split_once('|').context("one answer only")?;
    assert!(sequence.strip_prefix("ok ").is_some_and(|word| word.parse::<u64>().is_ok()), "{told}");
    let (timeout, rest) = rest.split_once('|').context("the wait's is not with it")?;
    assert_eq!(timeout, "err timeout no newer frame came in time");
    let (failed, stopped) = rest.split_once('|').context("no answer")?;
    assert!(failed.starts_with("err out-of-range "), "{told}");
    assert_eq!(stopped, "err stopped the app wants it no more");
    Ok(())
}

#[test]
fn the_app_can_stop_what_it_waits_for() -> Result<()> {
    let (eyelet, _folder) = start_script(SMALL, &[])?;
    let mut client = eyelet.websocket("/stop", &[], &[])?;
    assert_eq!(text(&mut client)?, "err stopped the app wants it no more");
    let mut frames = 0;
    let told = loop {
        match client.next_message(DEADLINE)?.context("nothing came")? {
            Message::Binary(_) => frames += 1,
            Message::Text(text) => break text,
            other => anyhow::bail!("came {other:?}"),
        }
        if frames == 1 {
            // While frames are followed, messages wait.
            client.send_text("kept")?;
        }
    };
    assert_eq!(told, "err stopped the app wants it no more");
    assert!(frames > 0);
    assert_eq!(text(&mut client)?, "kept");
    assert_eq!(text(&mut client)?, "still");
    assert_eq!(client.next_close()?, Some(1000));
    Ok(())
}

#[test]
fn the_example_in_shell_shows_the_picture_and_counts_its_visitors() -> Result<()> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/sh/eyetoy.sh");
    let words = ["--script", script, "--processes", "3", "--area", "visits=8"];
    let eyelet = start(SMALL, &words)?;
    for visit in 1..=3 {
        let page = eyelet.get("/")?.text();
        assert!(page.contains(&format!("visit {visit}")), "{page}");
    }
    let mut viewer = eyelet.websocket("/stream", &[], &[])?;
    for _ in 0..5 {
        assert_eq!(viewer.next_binary()?.len(), 64 * 48 * 2);
    }
    use std::io::{Read as _, Write as _};
    let mut stream = eyelet.raw()?;
    write!(stream, "GET /pictures HTTP/1.1\r\nHost: {}\r\n\r\n", eyelet.addr())?;
    let (mut answer, mut buffer) = (Vec::new(), vec![0; 65_536]);
    while answer.windows(2).filter(|bytes| *bytes == [0xFF, 0xD9]).count() < 3 {
        let read = stream.read(&mut buffer)?;
        anyhow::ensure!(read > 0, "the answer has ended");
        answer.extend_from_slice(&buffer[..read]);
    }
    assert!(answer.starts_with(b"HTTP/1.1 200 "), "{}", answer[..100].escape_ascii());
    Ok(())
}

#[test]
fn the_doorbell_in_shell_shows_the_camera_when_the_button_is_pressed() -> Result<()> {
    use std::io::{Read as _, Write as _};
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/sh/doorbell.sh");
    // As with a chip, but that HTTP presses the button.
    let words = ["--script", script, "--processes", "2", "--area", "gpio=2", "--api-write", "gpio"];
    let eyelet = start(SMALL, &words)?;
    let send =
        |method: &str, path: &str, body: &[u8]| exchange(eyelet.addr(), method, path, &[], body);
    assert!(eyelet.get("/")?.text().contains("<img src=/door"));
    let lamp = send("POST", "/lamp", b"")?;
    assert_eq!((lamp.status, lamp.text().as_str()), (200, "1"));
    assert_eq!(eyelet.get("/-/api/areas/gpio")?.body, [0, 1]);
    let mut door = eyelet.raw()?;
    write!(door, "GET /door HTTP/1.1\r\nHost: {}\r\n\r\n", eyelet.addr())?;
    let mut answer = vec![0; 13];
    door.read_exact(&mut answer)?;
    assert_eq!(answer, b"HTTP/1.1 200 ");
    assert_eq!(send("PUT", "/-/api/areas/gpio", &[1])?.status, 200);
    let mut buffer = [0; 4096];
    while !answer.windows(2).any(|bytes| bytes == [0xFF, 0xD9]) {
        let read = door.read(&mut buffer)?;
        anyhow::ensure!(read > 0, "the answer has ended");
        answer.extend_from_slice(&buffer[..read]);
    }
    Ok(())
}
