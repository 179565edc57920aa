//! A Perl script decides what a viewer gets.

use std::io::Write as _;
use std::net::Shutdown;

use anyhow::{Context as _, Result};
use eyelet_area::{Format, FourCc};
use eyelet_harness::wire::websocket::Message;
use eyelet_harness::{DEADLINE, Eyelet, Process, Refused, Signal, WsClient, exchange, process};

use crate::support::{SMALL, V1, VGA, VGA_LEN, stamp, start};

/// The old loop, and whatever else an app may do.
const SCRIPT: &str = r#"
use strict;
use warnings;
use POSIX ();

my %answers = (
    '/stream' => sub {
        my $env = shift;
        uwsgi::websocket_handshake($env->{HTTP_SEC_WEBSOCKET_KEY}, $env->{HTTP_ORIGIN}, '');
        while (1) {
            uwsgi::sharedarea_wait(0, 10);
            uwsgi::websocket_send_binary_from_sharedarea(0, 0);
        }
    },
    '/echo' => sub {
        my $env = shift;
        read $env->{'psgi.input'}, my $body, $env->{CONTENT_LENGTH} || 0;
        return [201, ['Content-Type' => 'text/plain', 'X-Query' => $env->{QUERY_STRING}], [$body]];
    },
    '/die'  => sub { die "the script is wrong\n" },
    '/exit' => sub { POSIX::_exit(3) },
    '/'     => sub { [200, ['Content-Type' => 'text/html'], ['<p>', 'the page']] },
);

sub {
    my $env = shift;
    my $answer = $answers{$env->{PATH_INFO}} or return [404, [], ["not here\n"]];
    return $answer->($env);
};
"#;

/// Starts the program with the script, in so many places.
fn start_app(source: &str, places: &str) -> Result<(Eyelet, tempfile::TempDir)> {
    let perl = std::process::Command::new("perl").arg("-e1").status();
    perl.context("these tests need perl: apt-get install perl")?;
    let folder = tempfile::tempdir()?;
    let script = folder.path().join("app.pl");
    std::fs::write(&script, SCRIPT)?;
    let script = script.to_str().context("the temporary folder's name")?;
    let eyelet = start(source, &["--psgi", script, "--processes", places])?;
    Ok((eyelet, folder))
}

fn stream(eyelet: &Eyelet) -> Result<WsClient> {
    eyelet.websocket("/stream", &[], &[])
}

/// Gives the process that started the app's others.
fn host(eyelet: &Eyelet) -> Option<Process> {
    let status = eyelet.status().ok()?;
    let pid = crate::support::process(&status, "app").ok()?["pid"].as_u64()?;
    Process::of(u32::try_from(pid).ok()?)
}

#[test]
fn the_app_answers_everything_that_is_not_ours() -> Result<()> {
    let (eyelet, _folder) = start_app(SMALL, "1")?;
    let page = eyelet.get("/")?;
    assert_eq!((page.status, page.text().as_str()), (200, "<p>the page"));
    assert_eq!(page.header("content-type"), Some("text/html"));
    let headers = [("Content-Type", "text/plain")];
    let echo = exchange(eyelet.addr(), "POST", "/echo?a=b", &headers, b"hello")?;
    assert_eq!((echo.status, echo.text().as_str()), (201, "hello"));
    assert_eq!(echo.header("x-query"), Some("a=b"));
    let head = exchange(eyelet.addr(), "HEAD", "/", &[], &[])?;
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(eyelet.get("/nothing")?.status, 404);
    let long = vec![b'x'; (1 << 20) + 1];
    assert_eq!(exchange(eyelet.addr(), "POST", "/echo", &[], &long)?.status, 413);
    // What is ours stays ours.
    assert_eq!(eyelet.get("/-/healthz")?.text(), "ok\n");
    V1::watch(&eyelet)?.frame()?;
    Ok(())
}

#[test]
fn the_old_loop_sends_every_frame_whole() -> Result<()> {
    let (eyelet, _folder) = start_app(VGA, "1")?;
    let mut viewer = stream(&eyelet)?;
    let format = Format::packed(FourCc::YUYV, 640, 480);
    let (mut first, mut last) = (0, 0);
    for _ in 0..90 {
        let message = viewer.next_message(DEADLINE)?.context("no frame")?;
        let Message::Binary(frame) = message else { anyhow::bail!("came {message:?}") };
        assert_eq!(frame.len(), VGA_LEN);
        let stamp = stamp(&frame, &format)?;
        first = if first == 0 { stamp } else { first };
        assert!(stamp > last, "{stamp} after {last}");
        last = stamp;
    }
    // A frame or two may be lost to a machine that does other things as well.
    assert!(last - first <= 89 + 2, "{} frames were left out", last - first - 89);
    Ok(())
}

#[test]
fn what_goes_wrong_in_the_app_is_the_servers_failure() -> Result<()> {
    let (eyelet, _folder) = start_app(SMALL, "2")?;
    // No handshake without a key.
    assert_eq!(eyelet.get("/stream")?.status, 500);
    assert_eq!(eyelet.get("/die")?.status, 500);
    eyelet.wait_line(|line| line.contains("the script is wrong"))?;
    assert_eq!(eyelet.get("/exit")?.status, 502);
    assert_eq!(eyelet.get("/")?.status, 200);
    let refused = eyelet.websocket("/die", &[], &[]).err().context("it was accepted")?;
    assert_eq!(refused.downcast_ref::<Refused>().map(|refused| refused.0.status), Some(500));
    let evil = eyelet.websocket("/stream", &[], &[("Origin", "http://evil.example")]);
    let refused = evil.err().context("it was accepted")?;
    assert_eq!(refused.downcast_ref::<Refused>().map(|refused| refused.0.status), Some(403));
    Ok(())
}

#[test]
fn a_viewer_that_leaves_makes_room_at_once() -> Result<()> {
    let (eyelet, _folder) = start_app(SMALL, "1")?;
    // In order, by a reset, and by half a connection.
    for leave in 0..3 {
        let mut viewer = stream(&eyelet)?;
        viewer.next_binary()?;
        match leave {
            0 => viewer.send_close(1000, "")?,
            1 => drop(viewer),
            _ => viewer.socket().shutdown(Shutdown::Both)?,
        }
    }
    stream(&eyelet)?.next_binary()?;
    Ok(())
}

#[test]
fn a_viewer_that_leaves_while_no_frame_comes_makes_room_as_well() -> Result<()> {
    let (eyelet, _folder) = start_app("v4l2:/dev/video99", "1")?;
    for _ in 0..3 {
        drop(stream(&eyelet)?);
    }
    Ok(())
}

#[test]
fn a_page_is_answered_while_all_places_stream() -> Result<()> {
    let (eyelet, _folder) = start_app(SMALL, "1")?;
    let mut viewer = stream(&eyelet)?;
    viewer.next_binary()?;
    for _ in 0..3 {
        assert_eq!(eyelet.get("/")?.status, 200);
        viewer.next_binary()?;
    }
    Ok(())
}

#[test]
fn who_finds_all_places_taken_is_told_so() -> Result<()> {
    let (eyelet, _folder) = start_app(SMALL, "1")?;
    let mut viewer = stream(&eyelet)?;
    viewer.next_binary()?;
    let refused = stream(&eyelet).err().context("it was accepted")?;
    let refused = refused.downcast_ref::<Refused>().context("not refused")?;
    assert_eq!(refused.0.status, 503);
    assert!(refused.0.text().contains("--processes"), "{refused}");
    viewer.next_binary()?;
    Ok(())
}

#[test]
fn a_host_that_is_killed_takes_its_requests_along_and_comes_back() -> Result<()> {
    let (eyelet, _folder) = start_app(SMALL, "2")?;
    let mut ours = V1::watch(&eyelet)?;
    ours.frame()?;
    let mut of_the_app = stream(&eyelet)?;
    of_the_app.next_binary()?;
    let killed = host(&eyelet).context("no host")?;
    let workers = process::descendants(killed.pid);
    assert!(!workers.is_empty());
    killed.signal(Signal::KILL)?;
    assert_eq!(of_the_app.next_close()?, Some(1011));
    eyelet.wait_until("end of the workers", || !workers.iter().any(Process::is_alive))?;
    let is_back = || host(&eyelet).is_some_and(|now| now.pid != killed.pid);
    eyelet.wait_until("new host", is_back)?;
    assert_eq!(eyelet.get("/")?.status, 200);
    stream(&eyelet)?.next_binary()?;
    let status = eyelet.status()?;
    assert_eq!(crate::support::process(&status, "app")?["restarts"], 1, "{status}");
    assert_eq!(crate::support::process(&status, "serve 0")?["restarts"], 0, "{status}");
    assert!(ours.frame()?.header.sequence > 0);
    Ok(())
}

#[test]
fn a_worker_that_is_killed_ends_one_request() -> Result<()> {
    let (eyelet, _folder) = start_app(SMALL, "2")?;
    let mut first = stream(&eyelet)?;
    let mut second = stream(&eyelet)?;
    first.next_binary()?;
    second.next_binary()?;
    assert_eq!(eyelet.get("/exit")?.status, 502);
    for _ in 0..10 {
        first.next_binary()?;
        second.next_binary()?;
    }
    Ok(())
}

#[test]
fn at_the_end_the_apps_viewers_are_told_and_nothing_is_left() -> Result<()> {
    let (eyelet, _folder) = start_app(SMALL, "1")?;
    let mut viewer = stream(&eyelet)?;
    viewer.next_binary()?;
    // A page that is never asked for does not keep it.
    let mut begun = eyelet.raw()?;
    begun.write_all(b"GET / HT")?;
    eyelet.signal(Signal::TERM)?;
    assert_eq!(viewer.next_close()?, Some(1001));
    assert_eq!(eyelet.wait_end()?.code(), Some(0));
    Ok(())
}

#[test]
fn a_changed_script_is_loaded_on_a_signal_and_a_broken_one_is_not() -> Result<()> {
    let (eyelet, folder) = start_app(SMALL, "1")?;
    let mut viewer = stream(&eyelet)?;
    let script = folder.path().join("app.pl");
    let supervisor = Process::of(eyelet.pid()).context("it is gone")?;
    std::fs::write(&script, "sub { this is no Perl")?;
    supervisor.signal(Signal::HUP)?;
    eyelet.wait_line(|line| line.contains("the one before goes on"))?;
    assert_eq!(eyelet.get("/")?.text(), "<p>the page");
    std::fs::write(&script, SCRIPT.replace("the page", "another page"))?;
    supervisor.signal(Signal::HUP)?;
    eyelet.wait_until("the new script", || {
        eyelet.get("/").is_ok_and(|page| page.text() == "<p>another page")
    })?;
    // What was under way goes on with the old one.
    viewer.next_binary()?;
    Ok(())
}
