//! SIGHUP: what has changed in the file is changed, and nobody else notices.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use eyelet_area::GENERATION_SHIFT;
use eyelet_harness::{Eyelet, Signal, WsClient, exchange, wait_until};
use serde_json::json;

use crate::support::{BIN, V1, Witness, process, read_to_end};

/// A running program and its file.
struct Run {
    eyelet: Eyelet,
    file: PathBuf,
    _folder: tempfile::TempDir,
}

impl Run {
    fn start(text: &str) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("eyelet.toml");
        std::fs::write(&file, text)?;
        let words = ["--config", file.to_str().context("no text")?];
        let eyelet = Eyelet::start(Path::new(BIN), &words)?;
        Ok(Self { eyelet, file, _folder: folder })
    }

    /// Writes the file anew and has it read; gives what is logged of it.
    fn reload(&self, text: &str) -> Result<String> {
        // As an editor does: whole or not at all.
        let new = self.file.with_extension("new");
        std::fs::write(&new, text)?;
        std::fs::rename(&new, &self.file)?;
        let count = self.eyelet.lines().len();
        self.eyelet.signal(Signal::HUP)?;
        let is_end = |line: &str| {
            ["the configuration is", "nothing has changed:"].iter().any(|end| line.contains(end))
        };
        let end = self.eyelet.wait_line_after(count, is_end)?;
        let lines = self.eyelet.lines();
        let said = lines.get(count..).unwrap_or_default().join("\n");
        ensure!(said.contains(&end), "{said}");
        Ok(said)
    }

    fn pid(&self, role: &str) -> Result<u32> {
        let found = self.eyelet.role(role);
        Ok(found.first().with_context(|| format!("no {role}"))?.pid)
    }

    fn ids(&self) -> Result<Vec<String>> {
        let areas = self.eyelet.get("/-/api/areas")?.json()?;
        let areas = areas["areas"].as_array().context("no areas")?;
        Ok(areas
            .iter()
            .map(|a| format!("{}={}", a["id"], a["name"].as_str().unwrap_or("")))
            .collect())
    }
}

/// Listens on a free port; `more` comes at the top.
fn text(more: &str, rest: &str) -> String {
    format!(
        "listen = ['127.0.0.1:0']\n{more}\n[[source]]\nname = 'front'\nfrom = 'test:64x48@30'\n{rest}"
    )
}

fn second(fps: u32) -> String {
    format!("[[source]]\nname = 'back'\nfrom = 'test:64x48@{fps}'\n")
}

#[test]
fn a_viewer_does_not_notice_twenty_reloads_that_change_other_things() -> Result<()> {
    let run = Run::start(&text("", &second(10)))?;
    let (serve, front) = (run.pid("serve 0")?, run.pid("capture 0")?);
    let witness = Witness::start(&run.eyelet)?;
    for turn in 0..20 {
        let said = match turn % 4 {
            0 => run.reload(&text("", &second(11)))?,
            1 => run.reload(&text(
                "allow-origin = ['https://a.example']\n[limits]\nheld-bytes = '16M'",
                "",
            ))?,
            2 => run.reload(
                &text("listen = ['127.0.0.1:0', '127.0.0.1:0']", "").replacen("listen", "#", 1),
            )?,
            _ => {
                run.reload(&text("", &(second(10) + "[[stream]]\nkind = 'rgba'\nof = 'back'\n")))?
            }
        };
        ensure!(said.contains("the configuration is another one"), "{turn}: {said}");
    }
    let seen = witness.finish()?;
    ensure!(seen.frames >= 60, "{seen:?}");
    ensure!(
        run.pid("serve 0")? == serve && run.pid("capture 0")? == front,
        "{:?}",
        run.eyelet.children()
    );
    let status = run.eyelet.status()?;
    ensure!(process(&status, "serve 0")?["restarts"] == 0, "{status}");
    ensure!(run.eyelet.stop()?.success());
    Ok(())
}

#[test]
fn a_wrong_file_changes_nothing_and_every_mistake_is_told() -> Result<()> {
    let run = Run::start(&text("", ""))?;
    let before = run.ids()?;
    let said = run.reload(&text("serve-processes = 0\nlan = 'loud'", &second(0)))?;
    for needle in [
        "eyelet.toml:2: serve-processes",
        "eyelet.toml:3: lan",
        "eyelet.toml:9: from: `0` is no frame rate",
    ] {
        ensure!(said.contains(needle), "{needle}: {said}");
    }
    ensure!(said.contains("nothing has changed"), "{said}");
    // So does one that is right and cannot be had.
    let taken = std::net::TcpListener::bind("127.0.0.1:0")?;
    let other = text("", &second(5)).replacen("127.0.0.1:0", &taken.local_addr()?.to_string(), 1);
    let said = run.reload(&other)?;
    ensure!(
        said.contains("another program has it") && said.contains("nothing has changed"),
        "{said}"
    );
    let said = run.reload(&text("runtime-dir = '/elsewhere'", ""))?;
    ensure!(said.contains("the configuration is the same"), "an option counts more: {said}");
    ensure!(run.ids()? == before);
    V1::watch(&run.eyelet)?.frame()?;
    Ok(())
}

#[test]
fn what_nothing_is_changed_by_says_so() -> Result<()> {
    let run = Run::start(&text("", ""))?;
    let said = run.reload(&text("# a remark", ""))?;
    ensure!(said.contains("the configuration is the same, and there is no app"), "{said}");
    Ok(())
}

#[test]
fn cameras_come_and_go_and_ids_stay() -> Result<()> {
    let run = Run::start(&text("", &second(10)))?;
    ensure!(run.ids()? == ["0=front", "1=back", "2=front-jpeg", "3=back-jpeg"]);
    let mut viewer = V1::connect(&run.eyelet)?;
    viewer.start(json!({"stream": 1}))?;
    viewer.frame()?;
    let mut bare = run.eyelet.websocket("/-/ws?stream=back", &[], &[])?;
    bare.next_binary()?;
    let mut mjpeg = run.eyelet.raw()?;
    std::io::Write::write_all(
        &mut mjpeg,
        b"GET /-/stream.mjpg?stream=back HTTP/1.1\r\nHost: localhost\r\n\r\n",
    )?;

    let said = run.reload(&text("", &second(10).replace("back", "third")))?;
    ensure!(said.contains("ended capture 1, encode 3; started capture 4, encode 5"), "{said}");
    ensure!(
        run.ids()? == ["0=front", "2=front-jpeg", "4=third", "5=third-jpeg"],
        "{:?}",
        run.ids()?
    );
    // Its viewers are told.
    let told = viewer.text("error")?;
    ensure!(told["code"] == "no_stream", "{told}");
    ensure!(closed(&mut bare)? == Some(1001));
    read_to_end(&mut mjpeg)?;
    // The same connection can watch what has come, which has a socket of its own.
    viewer.start(json!({"stream": 4}))?;
    viewer.frame()?;
    ensure!(run.eyelet.folder().join("run/4-third").exists());
    ensure!(!run.eyelet.folder().join("run/1-back").exists());
    let gone = || run.eyelet.role("capture 1").is_empty() && run.eyelet.role("encode 3").is_empty();
    run.eyelet.wait_until("end of what was taken away", gone)?;
    let status = run.eyelet.status()?;
    ensure!(process(&status, "capture 1").is_err(), "{status}");
    ensure!(run.eyelet.stop()?.success());
    Ok(())
}

/// Reads to the close frame.
fn closed(viewer: &mut WsClient) -> Result<Option<u16>> {
    viewer.next_close()
}

#[test]
fn a_changed_camera_and_stream_start_again_in_their_areas_and_their_viewers_stay() -> Result<()> {
    let small = |width: u32| {
        format!("[[stream]]\nname = 'small'\nkind = 'jpeg'\nof = 'front'\nwidth = {width}\n")
    };
    let run = Run::start(&text("", &small(32)))?;
    let mut viewer = V1::watch(&run.eyelet)?;
    viewer.frame()?;
    let mut pictures = run.eyelet.websocket("/-/ws?stream=small", &[], &[])?;
    pictures.next_binary()?;
    let said = run.reload(&text("", &small(16)).replace("@30", "@29"))?;
    ensure!(said.contains("replaced capture 0, encode 1"), "{said}");
    viewer.frame_that(|frame| frame.header.sequence >> GENERATION_SHIFT == 1)?;
    let is_smaller = || {
        let snapshot = run.eyelet.get("/-/snapshot.jpg?stream=small");
        snapshot.is_ok_and(|answer| answer.header("x-eyelet-width") == Some("16"))
    };
    run.eyelet.wait_until("smaller picture", is_smaller)?;
    for _ in 0..20 {
        pictures.next_binary()?;
    }
    let status = run.eyelet.status()?;
    ensure!(status["streams"][0]["id"] == 1, "{status}");
    for (role, restarts) in [("serve 0", 0), ("capture 0", 1), ("encode 1", 1), ("encode 2", 0)] {
        ensure!(process(&status, role)?["restarts"] == restarts, "{role}: {status}");
    }
    Ok(())
}

#[test]
fn limits_and_rules_take_effect_at_once() -> Result<()> {
    let areas = "[[area]]\nname = 'n'\nbytes = 8\n";
    let run = Run::start(&text("", areas))?;
    let addr = run.eyelet.addr();
    let put = || exchange(addr, "PUT", "/-/api/areas/n", &[], b"12345678");
    ensure!(put()?.status == 403);
    let origin = [("Origin", "https://a.example")];
    ensure!(run.eyelet.websocket("/-/ws", &["eyelet.v1"], &origin).is_err());

    let rules =
        "api-write = ['n']\nallow-origin = ['https://a.example']\n[limits]\nconnections = 2";
    run.reload(&text(rules, areas))?;
    ensure!(put()?.status == 200);
    let _one = V1::over(run.eyelet.websocket("/-/ws", &["eyelet.v1"], &origin)?)?;
    let _two = V1::connect(&run.eyelet)?;
    let refused = || run.eyelet.get("/-/healthz").is_ok_and(|answer| answer.status == 503);
    run.eyelet.wait_until("refusal", refused)?;
    // And back: what was written is there still.
    run.reload(&text("", areas))?;
    ensure!(run.eyelet.get("/-/api/areas/n")?.body == b"12345678");
    ensure!(put()?.status == 403);
    Ok(())
}

#[test]
fn application_areas_come_and_go_and_the_others_keep_what_they_have() -> Result<()> {
    let area = |name: &str| format!("[[area]]\nname = '{name}'\nbytes = 4\n");
    let run = Run::start(&text("api-write = ['n']", &area("n")))?;
    exchange(run.eyelet.addr(), "PUT", "/-/api/areas/n", &[], b"abcd")?;
    let keep = run.pid("keep")?;
    run.reload(&text("api-write = ['m']", &(area("n") + &area("m"))))?;
    ensure!(exchange(run.eyelet.addr(), "PUT", "/-/api/areas/m", &[], b"efgh")?.status == 200);
    ensure!(run.eyelet.get("/-/api/areas/n")?.body == b"abcd");
    let said = run.reload(&text("", &(area("m") + "# \n" + &area("n").replace('4', "5"))))?;
    ensure!(said.contains("give it another name, or restart"), "{said}");
    run.reload(&text("", &area("m")))?;
    ensure!(run.eyelet.get("/-/api/areas/m")?.body == b"efgh");
    ensure!(run.eyelet.get("/-/api/areas/n")?.status == 404);
    ensure!(run.pid("keep")? == keep);
    // Without any there is nobody who keeps them.
    run.reload(&text("", ""))?;
    run.eyelet.wait_until("end of the keep role", || run.eyelet.role("keep").is_empty())?;
    Ok(())
}

#[test]
fn listeners_and_serve_processes_come_and_go() -> Result<()> {
    let run = Run::start(&text("serve-processes = 2", ""))?;
    let first = run.eyelet.addr();
    let said =
        run.reload(&text("serve-processes = 1", "").replacen("'127", "'127.0.0.1:0', '127", 1))?;
    ensure!(said.contains("ended serve 1") && said.contains("listening on 127.0.0.1:0"), "{said}");
    let line = run.eyelet.wait_line_after(0, |line| {
        line.strip_prefix("listening on http://").is_some_and(|addr| addr != first.to_string())
    })?;
    let new = line.trim_start_matches("listening on http://").parse()?;
    run.eyelet.wait_until("end of a serve process", || run.eyelet.role("serve").len() == 1)?;
    for addr in [first, new] {
        ensure!(exchange(addr, "GET", "/-/healthz", &[], &[])?.status == 200, "{addr}");
    }
    let mut watching = V1::watch(&run.eyelet)?;
    watching.frame()?;
    // The first goes; who is connected stays.
    let said = run.reload(&text("serve-processes = 3", "").replacen("0.0.1:0", "0.0.2:0", 1))?;
    ensure!(said.contains("started serve 1, serve 2"), "{said}");
    wait_until("end of a listener", || std::net::TcpStream::connect(first).is_err())?;
    watching.frame()?;
    run.eyelet.wait_until("serve processes", || run.eyelet.role("serve").len() == 3)?;
    Ok(())
}

#[test]
fn mules_that_stay_are_left_alone() -> Result<()> {
    let mule = |word: &str| format!("[[mule]]\ncommand = 'sh -c \"exec sleep {word}\"'\n");
    let run = Run::start(&text("", &(mule("1000") + &mule("1001"))))?;
    let sleeps = |word: &str| {
        let is_it = |p: &&eyelet_harness::Process| {
            std::fs::read(format!("/proc/{}/cmdline", p.pid))
                .is_ok_and(|line| line == format!("sleep\0{word}\0").as_bytes())
        };
        run.eyelet.children().iter().find(is_it).map(|p| p.pid)
    };
    let both = || sleeps("1000").is_some() && sleeps("1001").is_some();
    run.eyelet.wait_until("mules", both)?;
    let kept = sleeps("1001");
    run.reload(&text("", &(mule("1002") + &mule("1001"))))?;
    let changed = || sleeps("1000").is_none() && sleeps("1002").is_some();
    run.eyelet.wait_until("other mules", changed)?;
    ensure!(sleeps("1001") == kept);
    Ok(())
}

/// Answers its word; at `/slow` when a file is there.
const APP: &str = r#"
say() { printf '%s %s\n%s' "$1" "${#2}" "$2"; read -r answer; }
say head 'HTTP/1.1 200 OK

'
if [ "$PATH_INFO" = /slow ]; then
    : > "$2/waits"
    until [ -e "$2/go" ]; do sleep 0.05; done
fi
say body "$1"
echo end
"#;

#[test]
fn an_app_comes_is_replaced_while_its_requests_end_and_goes() -> Result<()> {
    let run = Run::start(&text("", ""))?;
    let folder = run.eyelet.folder();
    std::fs::write(folder.join("app.sh"), APP)?;
    let app = |word: &str| {
        format!(
            "[app]\nprocesses = 4\nscript = ['sh', 'app.sh', '{word}', '{}']\n",
            folder.display()
        )
    };
    let says = |word: &str| run.eyelet.get("/").is_ok_and(|answer| answer.text().contains(word));
    ensure!(says("<html"));
    let said = run.reload(&text("", &app("one")))?;
    ensure!(said.contains("started app"), "{said}");
    run.eyelet.wait_until("app", || says("one"))?;

    let addr = run.eyelet.addr();
    let slow = std::thread::spawn(move || exchange(addr, "GET", "/slow", &[], &[]));
    run.eyelet.wait_until("slow request", || folder.join("waits").exists())?;
    let said = run.reload(&text("", &app("two")))?;
    ensure!(said.contains("replaced app"), "{said}");
    run.eyelet.wait_until("other app", || says("two"))?;
    std::fs::write(folder.join("go"), "")?;
    let slow = slow.join().map_err(|_| anyhow::anyhow!("the client panicked"))??;
    ensure!(slow.text() == "one", "{slow:?}");
    // Only its own end may end the old host.
    run.eyelet.wait_until("end of the old host", || run.eyelet.role("app").len() == 1)?;
    ensure!(says("two"));
    run.reload(&text("", ""))?;
    run.eyelet.wait_until("page", || says("<html"))?;
    Ok(())
}

#[test]
fn a_source_that_cannot_be_does_not_end_what_was_there_before() -> Result<()> {
    let run = Run::start(&text("", ""))?;
    let mut viewer = V1::watch(&run.eyelet)?;
    viewer.frame()?;
    let wrong = "[[source]]\nname = 'film'\nfrom = 'file:/nowhere/clip.y4m'\n";
    run.reload(&text("", wrong))?;
    run.eyelet.wait_line(|line| line.contains("ERROR") && line.contains("/nowhere/clip.y4m"))?;
    for _ in 0..30 {
        viewer.frame()?;
    }
    ensure!(run.eyelet.exit_status()?.is_none());
    Ok(())
}
