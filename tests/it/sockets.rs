//! Other sockets than plain TCP: TLS, and Unix sockets.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use eyelet_harness::{Bridge, Eyelet, Signal, WsClient, exchange};
use serde_json::json;

use crate::support::{BIN, SMALL, V1, VGA, VGA_LEN, read_head, run};

/// A running program that has made a certificate of its own.
struct Tls {
    eyelet: Eyelet,
    state: tempfile::TempDir,
}

impl Tls {
    fn start(source: &str, more: &[&str]) -> Result<Self> {
        let state = tempfile::tempdir()?;
        let words = ["--listen", "127.0.0.1:0", "--tls-self-signed", "--source", source];
        let variables = [("STATE_DIRECTORY", state.path().as_os_str())];
        let eyelet = Eyelet::start_with(Path::new(BIN), &[&words[..], more].concat(), &variables)?;
        Ok(Self { eyelet, state })
    }

    fn bridge(&self) -> Result<Bridge> {
        Bridge::to_tls(self.eyelet.addr(), &fs::read(self.state.path().join("certificate.pem"))?)
    }
}

fn watch(bridge: &Bridge) -> Result<V1> {
    let ws = WsClient::connect(bridge.addr(), "/-/ws", &["eyelet.v1"], &[])?;
    let mut viewer = V1::over(ws)?;
    viewer.say(&json!({"t": "start"}))?;
    Ok(viewer)
}

/// Each kind of answer comes whole: pages, snapshots, frames that are verified, streams without end.
fn everything_comes(bridge: &Bridge) -> Result<()> {
    let get = |path: &str| exchange(bridge.addr(), "GET", path, &[], &[]);
    assert!(get("/")?.text().contains("<title>Eyelet</title>"));
    assert_eq!(get("/-/frame")?.body.len(), VGA_LEN);
    assert!(get("/-/snapshot.jpg")?.body.starts_with(&[0xff, 0xd8]));
    let mut viewer = watch(bridge)?;
    let first = viewer.frame()?.header.sequence;
    for _ in 0..60 {
        viewer.frame()?;
    }
    ensure!(viewer.frame()?.header.sequence > first, "the sequence stands still");
    let mut bare = WsClient::connect(bridge.addr(), "/-/ws", &[], &[])?;
    assert_eq!(bare.next_binary()?.len(), VGA_LEN);
    let mut stream = std::net::TcpStream::connect(bridge.addr())?;
    stream.write_all(b"GET /-/stream.mjpg HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
    assert!(read_head(&mut stream)?.contains("multipart/x-mixed-replace"));
    let mut bytes = vec![0; 100_000];
    stream.read_exact(&mut bytes)?;
    let heads = bytes.windows(3).filter(|bytes| *bytes == [0xff, 0xd8, 0xff]).count();
    ensure!(heads > 1, "{heads} pictures");
    Ok(())
}

#[test]
fn everything_comes_through_tls() -> Result<()> {
    let tls = Tls::start(VGA, &[])?;
    let printed = format!("listening on https://{}", tls.eyelet.addr());
    assert!(tls.eyelet.lines().contains(&printed));
    everything_comes(&tls.bridge()?)?;
    let lines = tls.eyelet.lines().join("\n");
    assert!(lines.contains("certificate's SHA-256 is ") && !lines.contains("PRIVATE"), "{lines}");
    Ok(())
}

#[test]
fn who_reads_slowly_through_tls_gets_the_newest_and_disturbs_nobody() -> Result<()> {
    let tls = Tls::start(VGA, &[])?;
    let bridge = tls.bridge()?;
    let mut quick = watch(&bridge)?;
    let ws = WsClient::connect_keeping_little(bridge.addr(), "/-/ws", &["eyelet.v1"])?;
    let mut slow = V1::over(ws)?;
    slow.say(&json!({"t": "start"}))?;
    slow.frame()?;
    for turn in 0..4 {
        let mut before = quick.frame()?.header.sequence;
        let mut missing = 0;
        for _ in 0..30 {
            let sequence = quick.frame()?.header.sequence;
            missing += sequence - before - 1;
            before = sequence;
        }
        ensure!(missing <= 3, "{missing} of 30 are missing");
        // What waits on its way is old; what comes behind it is not.
        let mut last = 0;
        for _ in 0..6 {
            last = slow.frame()?.header.sequence;
        }
        ensure!(last + 6 >= before, "turn {turn}: {last} when {before} was there");
    }
    Ok(())
}

#[test]
fn another_certificate_is_taken_while_streams_go_on_and_a_wrong_one_is_not() -> Result<()> {
    let tls = Tls::start(SMALL, &[])?;
    let (old, path) = (tls.bridge()?, tls.state.path().join("certificate.pem"));
    let mut viewer = watch(&old)?;
    viewer.frame()?;
    let reload = |needle: &str| {
        let count = tls.eyelet.line_count();
        tls.eyelet.signal(Signal::HUP)?;
        tls.eyelet.wait_line_after(count, |line| line.contains(needle)).map(drop)
    };
    let good = fs::read(&path)?;
    fs::write(&path, "nonsense")?;
    reload("nothing has changed")?;
    assert_eq!(exchange(old.addr(), "GET", "/-/healthz", &[], &[])?.status, 200);
    fs::remove_file(&path)?;
    reload("the configuration is another one")?;
    ensure!(fs::read(&path)? != good, "no other certificate was made");
    assert!(
        exchange(old.addr(), "GET", "/-/healthz", &[], &[]).is_err(),
        "it still has the old one"
    );
    assert_eq!(exchange(tls.bridge()?.addr(), "GET", "/-/healthz", &[], &[])?.status, 200);
    for _ in 0..30 {
        viewer.frame()?;
    }
    Ok(())
}

#[test]
fn who_speaks_no_tls_is_told_or_cut_off() -> Result<()> {
    let tls = Tls::start(SMALL, &["--set", "limits.head-timeout=1"])?;
    let mut plain = tls.eyelet.raw()?;
    plain.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
    let head = read_head(&mut plain)?;
    assert!(head.starts_with("HTTP/1.1 400"), "{head}");
    for said in [&[][..], &[22, 3, 1, 2, 0], &[22, 3, 1, 0, 1, 0], &[255; 1000]] {
        let mut stream = tls.eyelet.raw()?;
        stream.write_all(said)?;
        // An alert may come before the end.
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).ok();
        ensure!(rest.len() < 1000, "{} bytes", rest.len());
    }
    watch(&tls.bridge()?)?.frame()?;
    Ok(())
}

#[test]
fn wrong_certificates_are_told_before_anything_happens() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let path = |name: &str| folder.path().join(name).to_str().map(str::to_owned).context("text");
    let (certificate, key) = (path("a.pem")?, path("b.pem")?);
    fs::write(&certificate, "x")?;
    fs::write(&key, "y")?;
    let missing = path("c.pem")?;
    for (words, needle) in [
        (&["--tls-certificate", &certificate, "--tls-key", &missing][..], "failed to read the key"),
        (&["--tls-certificate", &certificate, "--tls-key", &key], "no certificate in PEM"),
        (&["--tls-certificate", &certificate], "--tls-key"),
        (&["--set", &format!("tls.key={key}")], "needs its certificate"),
    ] {
        let ended = run(&[&["--source", SMALL, "--listen", "127.0.0.1:0"], words].concat())?;
        assert!(ended.code == Some(2) && ended.stderr.contains(needle), "{words:?}: {ended:?}");
    }
    Ok(())
}

#[test]
fn an_app_and_a_session_know_that_nobody_reads_along() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let script = folder.path().join("app.pl");
    fs::write(&script, "sub { [200, [], [join ',', @{$_[0]}{qw(psgi.url_scheme HTTPS)}]] }")?;
    let script = script.to_str().context("text")?;
    let tls = Tls::start(SMALL, &["--psgi", script])?;
    let bridge = tls.bridge()?;
    assert_eq!(exchange(bridge.addr(), "GET", "/", &[], &[])?.text(), "https,on");

    let users = folder.path().join("users");
    let users = users.to_str().context("text")?;
    let token = run(&["user", "add", "ann", "--token", "--file", users])?.stdout;
    let tls = Tls::start(SMALL, &["--users", users])?;
    let form = format!("name=ann&password={}", token.trim());
    let entered = exchange(tls.bridge()?.addr(), "POST", "/-/login", &[], form.as_bytes())?;
    let cookie = entered.header("set-cookie").unwrap_or_default();
    assert!(entered.status == 303 && cookie.ends_with("; Secure"), "{entered:?}");
    Ok(())
}

#[test]
fn a_flood_through_tls_does_not_keep_frames_from_others() -> Result<()> {
    let tls = Tls::start(SMALL, &[])?;
    let bridge = tls.bridge()?;
    let mut viewer = watch(&bridge)?;
    let sequence = viewer.frame()?.header.sequence;
    let mut flooding = WsClient::connect(bridge.addr(), "/-/ws", &["eyelet.v1"], &[])?;
    // A masked ping, again and again, until the program ends.
    let flood = [0x89, 0x80, 0, 0, 0, 0].repeat(1000);
    let thread = std::thread::spawn(move || while flooding.send_raw(&flood).is_ok() {});
    viewer.frame_that(|frame| frame.header.sequence > sequence + 60)?;
    assert_eq!(exchange(bridge.addr(), "GET", "/-/healthz", &[], &[])?.status, 200);
    drop((tls, bridge));
    assert!(thread.join().is_ok());
    Ok(())
}

/// A running program that listens on a Unix socket as well.
fn start_unix(source: &str, options: &str) -> Result<(Eyelet, PathBuf, tempfile::TempDir)> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("http.sock");
    let listen = format!("unix:{}{options}", path.display());
    let words = ["--listen", "127.0.0.1:0", "--listen", &listen, "--source", source];
    Ok((Eyelet::start(Path::new(BIN), &words)?, path, folder))
}

#[test]
fn everything_comes_through_a_unix_socket() -> Result<()> {
    let (eyelet, path, _folder) = start_unix(VGA, "")?;
    let printed = format!("listening on unix:{}", path.display());
    eyelet.wait_line(|line| line == printed)?;
    let bridge = Bridge::to_unix(&path)?;
    everything_comes(&bridge)?;
    // Whoever reaches it is on this machine.
    let set = exchange(bridge.addr(), "PUT", "/-/api/controls", &[("Host", "localhost")], b"{}")?;
    assert_eq!(set.status, 200, "{}", set.text());
    drop(bridge);
    eyelet.stop()?;
    ensure!(!path.exists(), "the socket is still there");
    Ok(())
}

#[test]
fn a_unix_socket_is_for_whom_it_says_and_takes_nothing_elses_place() -> Result<()> {
    let mode =
        |path: &Path| Ok::<_, anyhow::Error>(fs::metadata(path)?.permissions().mode() & 0o777);
    let (_eyelet, path, _folder) = start_unix(SMALL, "")?;
    assert_eq!(mode(&path)?, 0o600);
    let group = rustix::process::getgid().as_raw();
    let (_eyelet, shared, folder) = start_unix(SMALL, &format!("?mode=660&group={group}"))?;
    assert_eq!(mode(&shared)?, 0o660);
    let again =
        |path: &Path| run(&["--listen", &format!("unix:{}", path.display()), "--source", SMALL]);
    let taken = again(&shared)?;
    assert!(taken.code == Some(1) && taken.stderr.contains("another program's"), "{taken:?}");
    let file = folder.path().join("file");
    fs::write(&file, "mine")?;
    let refused = again(&file)?;
    assert!(refused.code == Some(1) && refused.stderr.contains("no socket"), "{refused:?}");
    assert_eq!(fs::read_to_string(&file)?, "mine");
    let nobody = run(&["--listen", "unix:/tmp/x?group=no-such-group", "--source", SMALL])?;
    assert!(nobody.stderr.contains("no group `no-such-group`"), "{nobody:?}");
    Ok(())
}

#[test]
fn a_unix_socket_that_nobody_answers_on_is_replaced() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("http.sock");
    drop(UnixListener::bind(&path)?);
    ensure!(fs::metadata(&path)?.file_type().is_socket(), "nothing was left");
    let listen = format!("unix:{}", path.display());
    let words = ["--listen", "127.0.0.1:0", "--listen", &listen, "--source", SMALL];
    let _eyelet = Eyelet::start(Path::new(BIN), &words)?;
    let bridge = Bridge::to_unix(&path)?;
    assert_eq!(exchange(bridge.addr(), "GET", "/-/healthz", &[], &[])?.status, 200);
    Ok(())
}
