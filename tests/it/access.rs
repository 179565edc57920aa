//! Who may watch and who may change something: users, tokens, sessions, links; names and sites.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use eyelet_harness::{Eyelet, Response, Signal, exchange};
use serde_json::json;

use crate::support::{BIN, SMALL, V1, ask, process, read_head, run};

const PASSWORD: &str = "correct horse battery";
const WRONG: &str = "hunter2-hunter2";

/// A file with `ann`, who may watch, and `bob`, who may control, both with the same password, and `robot`, who has a token.
struct Users {
    folder: tempfile::TempDir,
    token: String,
}

impl Users {
    fn make() -> Result<Self> {
        let mut users = Self { folder: tempfile::tempdir()?, token: String::new() };
        users.add("ann", "view", Some(PASSWORD))?;
        users.add("bob", "control", Some(PASSWORD))?;
        users.token = users.add("robot", "control", None)?;
        Ok(users)
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("users")
    }

    /// Adds a user with a password, or gives the token.
    fn add(&self, name: &str, rights: &str, password: Option<&str>) -> Result<String> {
        let how = if password.is_some() { "--password-stdin" } else { "--token" };
        let mut child = Command::new(BIN)
            .args(["user", "add", name, "--rights", rights, how, "--file"])
            .arg(self.file())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut stdin = child.stdin.take().context("no standard input")?;
        stdin.write_all(format!("{}\n", password.unwrap_or_default()).as_bytes()).ok();
        drop(stdin);
        let output = child.wait_with_output()?;
        ensure!(output.status.success(), "{output:?}");
        Ok(String::from_utf8(output.stdout)?.trim().to_owned())
    }

    fn start(&self, more: &[&str]) -> Result<Eyelet> {
        let file = self.file();
        let words = ["--listen", "127.0.0.1:0", "--source", SMALL, "--users"];
        let words = [&words[..], &[file.to_str().context("no text")?], more].concat();
        Eyelet::start(Path::new(BIN), &words)
    }
}

fn basic(name: &str, password: &str) -> String {
    use base64::Engine as _;
    let said = base64::engine::general_purpose::STANDARD.encode(format!("{name}:{password}"));
    format!("Basic {said}")
}

fn get(eyelet: &Eyelet, path: &str, headers: &[(&str, &str)]) -> Result<Response> {
    exchange(eyelet.addr(), "GET", path, headers, &[])
}

/// Asks as a user.
fn get_as(eyelet: &Eyelet, path: &str, name: &str, password: &str) -> Result<Response> {
    get(eyelet, path, &[("Authorization", &basic(name, password))])
}

/// Fills in the form; gives the answer, and the cookie if there is one.
fn log_in(eyelet: &Eyelet, form: &str) -> Result<(Response, String)> {
    let own = format!("http://{}", eyelet.addr());
    let headers = [("Origin", own.as_str()), ("Content-Type", "application/x-www-form-urlencoded")];
    let answer = exchange(eyelet.addr(), "POST", "/-/login", &headers, form.as_bytes())?;
    let cookie = answer.header("set-cookie").unwrap_or_default();
    let cookie = cookie.split(';').next().unwrap_or_default().to_owned();
    Ok((answer, cookie))
}

#[test]
fn nobody_sees_anything_without_showing_who_it_is() -> Result<()> {
    let users = Users::make()?;
    let eyelet = users.start(&["--area", "counters=8"])?;
    let public = ["/-/healthz", "/-/login", "/-/logout", "/-/enter"];
    let addresses = eyelet::serve::addresses().map(|(path, _)| path.replace("{name}", "counters"));
    let familiar = ["/", "/stream", "/snapshot", "/state", "/?action=stream", "/?action=snapshot"];
    let all = addresses.chain(familiar.map(str::to_owned));
    for path in all.filter(|path| !public.contains(&path.as_str())) {
        let refused = get(&eyelet, &path, &[])?;
        assert_eq!(refused.status, 401, "{path}");
        let how = refused.header("www-authenticate").unwrap_or_default();
        assert!(how.starts_with("Basic realm="), "{path}: {how}");
        for (name, password) in [("ann", WRONG), ("nobody", PASSWORD), ("robot", PASSWORD)] {
            // One of each is enough: after ten one has to wait.
            if path == "/" {
                assert_eq!(get_as(&eyelet, &path, name, password)?.status, 401, "{name}");
            }
        }
    }
    for path in public.iter().filter(|path| **path != "/-/logout").chain(&["/-/eyelet.js"]) {
        assert_eq!(get(&eyelet, path, &[])?.status, 200, "{path}");
    }
    for path in ["/", "/-/api/status", "/-/frame", "/-/snapshot.jpg", "/state", "/-/metrics"] {
        assert_eq!(get_as(&eyelet, path, "ann", PASSWORD)?.status, 200, "{path}");
    }
    // A page's own requests do not make the browser ask for a password in a window of its own.
    let of_page = get(&eyelet, "/-/api/status", &[("Sec-Fetch-Mode", "cors")])?;
    assert_eq!(of_page.header("www-authenticate"), Some("Bearer realm=\"Eyelet\""));
    Ok(())
}

#[test]
fn streams_open_to_each_way_of_showing_who_one_is() -> Result<()> {
    let users = Users::make()?;
    let eyelet = users.start(&["--serve-processes", "2"])?;
    let (_, cookie) = log_in(&eyelet, &format!("name=ann&password={PASSWORD}"))?;
    let ways = [
        ("Authorization", basic("ann", PASSWORD)),
        ("Authorization", format!("Bearer {}", users.token)),
        ("Authorization", basic("whoever", &users.token)),
        ("Cookie", format!("other=1; {cookie}")),
    ];
    // More than once, as several processes answer.
    for (name, value) in ways.iter().cycle().take(12) {
        let mut viewer = V1::over(eyelet.websocket("/-/ws", &["eyelet.v1"], &[(name, value)])?)?;
        viewer.say(&json!({"t": "start"}))?;
        viewer.frame()?;
    }
    let by_address = format!("/-/ws?token={}", users.token);
    eyelet.websocket(&by_address, &[], &[])?.next_binary()?;
    let mut stream = eyelet.raw()?;
    write!(stream, "GET /-/stream.mjpg?token={} HTTP/1.1\r\nHost: localhost\r\n\r\n", users.token)?;
    assert!(read_head(&mut stream)?.starts_with("HTTP/1.1 200"));
    for wrong in ["/-/ws", "/-/ws?token=eyelet_0", "/-/ws?token="] {
        assert!(eyelet.websocket(wrong, &[], &[]).is_err(), "{wrong}");
    }
    Ok(())
}

#[test]
fn a_browser_is_led_to_the_form() -> Result<()> {
    let users = Users::make()?;
    let eyelet = users.start(&[])?;
    let browser = [("Accept", "text/html,*/*;q=0.8"), ("Sec-Fetch-Mode", "navigate")];
    let led = get(&eyelet, "/?stream=camera", &browser)?;
    let to = led.header("location").unwrap_or_default();
    assert_eq!((led.status, to), (303, "-/login?next=%2F%3Fstream%3Dcamera"));
    let deep = get(&eyelet, "/-/snapshot.jpg", &browser)?;
    assert_eq!(deep.header("location"), Some("../-/login?next=%2F-%2Fsnapshot.jpg"));
    let form = get(&eyelet, "/-/login?next=%2F%3Fstream%3Dcamera", &browser)?;
    assert!(form.text().contains("value=\"/?stream=camera\""), "{}", form.text());
    let policy = form.header("content-security-policy").unwrap_or_default();
    assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"));

    Ok(())
}

#[test]
fn a_login_opens_a_session_that_every_process_knows() -> Result<()> {
    let users = Users::make()?;
    let eyelet = users.start(&[])?;
    let (wrong, cookie) = log_in(&eyelet, &format!("name=ann&password={WRONG}&next=/"))?;
    assert!(wrong.status == 401 && cookie.is_empty() && !wrong.text().contains(WRONG));
    let (right, cookie) =
        log_in(&eyelet, &format!("name=ann&password={PASSWORD}&next=/?stream=camera"))?;
    assert_eq!((right.status, right.header("location")), (303, Some("../?stream=camera")));
    let set = right.header("set-cookie").unwrap_or_default();
    assert!(set.contains("; HttpOnly") && set.contains("; SameSite=Lax"), "{set}");
    assert!(set.starts_with(&format!("eyelet-{}=", eyelet.addr().port())), "{set}");
    for elsewhere in ["//evil.example", "https://evil.example/", "/%5Cevil.example"] {
        let form = format!("name=ann&password={PASSWORD}&next={elsewhere}");
        assert_eq!(log_in(&eyelet, &form)?.0.header("location"), Some("../"), "{elsewhere}");
    }
    let session = get(&eyelet, "/-/api/session", &[("Cookie", &cookie)])?.json()?;
    assert_eq!(session, json!({"user": "ann", "rights": "view", "has_users": true}));
    assert_eq!(get(&eyelet, "/", &[("Cookie", &cookie)])?.status, 200);
    let changed = cookie.replace("ann", "bob");
    assert_eq!(get(&eyelet, "/", &[("Cookie", &changed)])?.status, 401);

    // A process that is started again knows it as well.
    eyelet.kill_role("serve 0")?;
    eyelet.wait_until("the next process", || {
        get(&eyelet, "/", &[("Cookie", &cookie)]).is_ok_and(|answer| answer.status == 200)
    })?;
    let out = exchange(eyelet.addr(), "POST", "/-/logout", &[("Cookie", &cookie)], &[])?;
    assert!(out.header("set-cookie").unwrap_or_default().contains("Max-Age=0"), "{out:?}");
    let foreign = [("Origin", "http://evil.example")];
    for (path, body) in
        [("/-/login", "name=ann&password=x"), ("/-/logout", ""), ("/-/enter", "key=x")]
    {
        let refused = exchange(eyelet.addr(), "POST", path, &foreign, body.as_bytes())?;
        assert_eq!(refused.status, 403, "{path}");
    }
    Ok(())
}

#[test]
fn who_may_watch_changes_nothing() -> Result<()> {
    let users = Users::make()?;
    let eyelet = users.start(&["--area", "data=8", "--api-write", "data", "--area", "shut=8"])?;
    let change = |method: &str, path: &str, headers: &[(&str, &str)]| {
        Ok::<_, anyhow::Error>(
            exchange(eyelet.addr(), method, path, headers, b"{\"brightness\":1}")?.status,
        )
    };
    let (ann, bob) = (basic("ann", PASSWORD), basic("bob", PASSWORD));
    let robot = format!("Bearer {}", users.token);
    for (method, path) in [
        ("PUT", "/-/api/controls"),
        ("DELETE", "/-/api/controls"),
        ("PUT", "/-/api/areas/data?pos=0"),
        ("POST", "/-/api/areas/data"),
    ] {
        assert_eq!(change(method, path, &[])?, 401, "{method} {path}");
        assert_eq!(change(method, path, &[("Authorization", &ann)])?, 403, "{method} {path}");
        let expected = if path.ends_with("pos=0") { 416 } else { 200 };
        assert_eq!(change(method, path, &[("Authorization", &bob)])?, expected, "{method} {path}");
        assert_eq!(
            change(method, path, &[("Authorization", &robot)])?,
            expected,
            "{method} {path}"
        );
        let foreign = [("Authorization", bob.as_str()), ("Origin", "http://evil.example")];
        assert_eq!(change(method, path, &foreign)?, 403, "{method} {path}");
    }
    assert_eq!(change("PUT", "/-/api/areas/shut", &[("Authorization", &bob)])?, 403);
    let shown = |name| get_as(&eyelet, "/-/api/controls", name, PASSWORD)?.json();
    assert_eq!(
        (&shown("ann")?["writable"], &shown("bob")?["writable"]),
        (&json!(false), &json!(true))
    );
    Ok(())
}

#[test]
fn the_nameless_may_watch_where_that_is_said_and_nothing_else() -> Result<()> {
    let users = Users::make()?;
    let eyelet = users.start(&["--anonymous", "view"])?;
    V1::watch(&eyelet)?.frame()?;
    assert_eq!(get(&eyelet, "/", &[])?.status, 200);
    let session = get(&eyelet, "/-/api/session", &[])?.json()?;
    assert_eq!(session, json!({"user": null, "rights": "view", "has_users": true}));
    let set = |headers: &[(&str, &str)]| {
        exchange(eyelet.addr(), "PUT", "/-/api/controls", headers, b"{\"brightness\":1}")
    };
    assert_eq!(set(&[])?.status, 401);
    assert_eq!(set(&[("Authorization", &basic("bob", PASSWORD))])?.status, 200);
    // Who shows something wrong is told so.
    assert_eq!(get_as(&eyelet, "/", "bob", WRONG)?.status, 401);
    // An old session is none.
    assert_eq!(get(&eyelet, "/", &[("Cookie", "eyelet=ann.1.00")])?.status, 200);
    Ok(())
}

#[test]
fn guesses_are_few_and_nothing_that_was_shown_is_logged() -> Result<()> {
    let users = Users::make()?;
    let eyelet = users.start(&[])?;
    assert_eq!(get_as(&eyelet, "/", "bob", PASSWORD)?.status, 200);
    let (_, cookie) = log_in(&eyelet, &format!("name=ann&password={PASSWORD}"))?;
    users.add("cid", "view", Some(PASSWORD))?;
    let count = eyelet.line_count();
    eyelet.signal(Signal::HUP)?;
    eyelet.wait_line_after(count, |line| line.contains("the configuration is another one"))?;
    let mut guesses = 0;
    // A slow machine is forgiven some meanwhile.
    while get_as(&eyelet, "/", "ann", &format!("{WRONG}{guesses}"))?.status == 401 {
        guesses += 1;
        ensure!(guesses < 200, "nobody ends it");
    }
    assert!(guesses >= 10, "{guesses}");
    // The right one as well, of somebody who was not let in before.
    let late = get_as(&eyelet, "/", "cid", PASSWORD)?;
    let wait: u64 = late.header("retry-after").context("when to come again")?.parse()?;
    assert!(late.status == 429 && (1..=10).contains(&wait), "{late:?}");
    let (form, _) = log_in(&eyelet, &format!("name=cid&password={PASSWORD}"))?;
    assert_eq!(form.status, 429);
    let token = get(&eyelet, "/", &[("Authorization", "Bearer eyelet_0")])?;
    assert_eq!(token.status, 429);
    // Who was let in before is not shut out by somebody at the same address.
    assert_eq!(get_as(&eyelet, "/", "bob", PASSWORD)?.status, 200);
    assert_eq!(get(&eyelet, "/", &[("Cookie", &cookie)])?.status, 200);
    assert_eq!(
        get(&eyelet, "/", &[("Authorization", &format!("Bearer {}", users.token))])?.status,
        200
    );
    let lines = eyelet.lines().join("\n");
    assert!(lines.contains("a login from 127.0.0.1 was refused"), "{lines}");
    let session = cookie.split('=').nth(1).context("no session")?;
    for secret in
        [PASSWORD, WRONG, &users.token, session, "argon2", "sha256", &basic("bob", PASSWORD)[6..]]
    {
        assert!(!lines.contains(secret), "{secret} is in {lines}");
    }
    Ok(())
}

#[test]
fn whoever_is_taken_out_of_the_file_is_sent_away_and_nobody_else() -> Result<()> {
    let users = Users::make()?;
    let eyelet = users.start(&[])?;
    let watch = |name: &str| -> Result<V1> {
        let said = basic(name, PASSWORD);
        let ws = eyelet.websocket("/-/ws", &["eyelet.v1"], &[("Authorization", &said)])?;
        let mut viewer = V1::over(ws)?;
        viewer.say(&json!({"t": "start"}))?;
        viewer.frame()?;
        Ok(viewer)
    };
    let (mut ann, mut bob) = (watch("ann")?, watch("bob")?);
    let (_, cookie) = log_in(&eyelet, &format!("name=ann&password={PASSWORD}"))?;
    let removed =
        run(&["user", "remove", "ann", "--file", users.file().to_str().context("text")?])?;
    assert_eq!(removed.code, Some(0), "{removed:?}");
    let count = eyelet.line_count();
    eyelet.signal(Signal::HUP)?;
    eyelet.wait_line_after(count, |line| line.contains("the configuration is another one"))?;
    let end = std::iter::from_fn(|| ann.frame().ok()).take(1000).count();
    assert!(end < 1000, "ann goes on");
    for _ in 0..60 {
        bob.frame()?;
    }
    assert_eq!(get_as(&eyelet, "/", "ann", PASSWORD)?.status, 401);
    assert_eq!(get(&eyelet, "/", &[("Cookie", &cookie)])?.status, 401);
    // A file that is wrong lets nobody else in, and nobody out.
    std::fs::write(users.file(), "bob:nonsense\n")?;
    let count = eyelet.line_count();
    eyelet.signal(Signal::HUP)?;
    eyelet.wait_line_after(count, |line| line.contains("nothing has changed"))?;
    assert_eq!(get_as(&eyelet, "/", "bob", PASSWORD)?.status, 200);
    Ok(())
}

/// The last link that was printed.
fn printed_link(eyelet: &Eyelet) -> Option<String> {
    let lines = eyelet.lines();
    let found = lines
        .iter()
        .rev()
        .find_map(|line| line.split(' ').find(|word| word.contains("/-/enter?key=")));
    found.map(str::to_owned)
}

#[test]
fn the_link_that_lan_prints_lets_one_in_once() -> Result<()> {
    let words = ["--listen", ":0", "--source", SMALL, "--lan", "--anonymous", "none"];
    let eyelet = Eyelet::start(Path::new(BIN), &words)?;
    eyelet
        .wait_line(|line| line.starts_with("open http") || line.starts_with("no other device"))?;
    let Some(link) = printed_link(&eyelet) else {
        // A machine without a network prints none.
        assert!(eyelet.lines().iter().any(|line| line.starts_with("no other device")));
        return Ok(());
    };
    assert!(!eyelet.lines().iter().any(|line| line.contains("everybody who reaches")));
    let key = |link: &str| link.rsplit("key=").next().unwrap_or_default().to_owned();
    assert_eq!(get(&eyelet, "/", &[])?.status, 401);
    let page = get(&eyelet, &format!("/-/enter?key={}", key(&link)), &[])?;
    // Looking at it, as programs do that show what is behind a link, uses nothing up.
    assert!(page.status == 200 && page.text().contains(&key(&link)), "{}", page.text());
    let enter = |key: &str| {
        exchange(eyelet.addr(), "POST", "/-/enter", &[], format!("key={key}").as_bytes())
    };
    assert_eq!(enter("0")?.status, 403);
    let entered = enter(&key(&link))?;
    assert_eq!((entered.status, entered.header("location")), (303, Some("../")));
    let cookie = entered.header("set-cookie").and_then(|cookie| cookie.split(';').next());
    let cookie = cookie.context("no cookie")?;
    let session = get(&eyelet, "/-/api/session", &[("Cookie", cookie)])?.json()?;
    assert_eq!(session, json!({"user": "~link", "rights": "control", "has_users": true}));
    assert_eq!(enter(&key(&link))?.status, 403, "it was used");
    eyelet
        .wait_until("the next link", || printed_link(&eyelet).is_some_and(|next| next != link))?;
    let next = printed_link(&eyelet).context("no next link")?;
    assert_eq!(enter(&key(&next))?.status, 303);
    Ok(())
}

#[test]
fn another_sites_name_that_leads_here_is_not_answered() -> Result<()> {
    let eyelet = crate::support::start(SMALL, &["--allow-host", "cam.example.org"])?;
    for path in
        ["/", "/-/ws", "/-/snapshot.jpg", "/stream", "/-/healthz", "/-/eyelet.js", "/-/api/status"]
    {
        let refused = get(&eyelet, path, &[("Host", "evil.example")])?;
        assert!(
            refused.status == 421 && refused.text().contains("--allow-host"),
            "{path} {refused:?}"
        );
    }
    for host in ["cam.example.org", "localhost:9090", "printer.local", "[::1]:80", "192.0.2.1"] {
        assert_eq!(get(&eyelet, "/-/healthz", &[("Host", host)])?.status, 200, "{host}");
    }
    assert_eq!(ask(&eyelet, "GET /-/healthz HTTP/1.0\r\n\r\n")?.status, 200);
    let twice = "GET /-/healthz HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n";
    assert_eq!(ask(&eyelet, twice)?.status, 400);
    let whole = "GET http://evil.example/-/healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
    assert_eq!(ask(&eyelet, whole)?.status, 421);
    Ok(())
}

#[test]
fn only_pages_of_named_sites_read_what_they_get() -> Result<()> {
    let eyelet = crate::support::start(SMALL, &["--allow-origin", "https://a.example"])?;
    let site = |origin: &str, path: &str| get(&eyelet, path, &[("Origin", origin)]);
    for path in
        ["/-/api/status", "/-/snapshot.jpg", "/-/frame", "/state", "/snapshot", "/-/nothing"]
    {
        let named = site("https://a.example", path)?;
        let header = |name| named.header(name);
        assert_eq!(header("access-control-allow-origin"), Some("https://a.example"), "{path}");
        assert_eq!(header("access-control-allow-credentials"), Some("true"), "{path}");
        assert!(header("vary").is_some_and(|vary| vary.contains("origin")), "{path}");
        let other = site("https://b.example", path)?;
        assert_eq!(other.header("access-control-allow-origin"), None, "{path}");
    }
    let head_of = |origin: &str| {
        let mut stream = eyelet.raw()?;
        write!(stream, "GET /stream HTTP/1.1\r\nHost: localhost\r\nOrigin: {origin}\r\n\r\n")?;
        read_head(&mut stream)
    };
    assert!(
        head_of("https://a.example")?
            .contains("access-control-allow-origin: https://a.example\r\n")
    );
    assert!(!head_of("https://b.example")?.contains("access-control"));
    let preflight = |origin: &str| {
        let headers = [("Origin", origin), ("Access-Control-Request-Method", "GET")];
        exchange(eyelet.addr(), "OPTIONS", "/-/api/status", &headers, &[])
    };
    assert_eq!(preflight("https://a.example")?.status, 204);
    assert_eq!(preflight("https://b.example")?.status, 403);
    Ok(())
}

#[test]
fn every_answer_says_what_a_browser_may_do_with_it() -> Result<()> {
    let eyelet = crate::support::start(SMALL, &[])?;
    let answers = ["/", "/-/eyelet.js", "/-/api/status", "/-/snapshot.jpg", "/nothing", "/-/ws"];
    for path in answers {
        let answer = get(&eyelet, path, &[])?;
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
        let is_ours = path == "/" || path.ends_with(".js");
        let referrer = if is_ours { "same-origin" } else { "no-referrer" };
        assert_eq!(answer.header("referrer-policy"), Some(referrer), "{path}");
        let policy = answer.header("content-security-policy").unwrap_or_default();
        let is_picture = path.ends_with("jpg");
        assert_eq!(policy.is_empty(), is_picture, "{path}: {policy}");
        assert!(!policy.contains("unsafe-inline") && !policy.contains('*'), "{path}: {policy}");
        let embeds = answer.header("cross-origin-resource-policy");
        assert_eq!(embeds == Some("cross-origin"), is_picture || path.ends_with(".js"), "{path}");
    }
    Ok(())
}

#[test]
fn an_app_learns_who_asks_and_cannot_be_told_another() -> Result<()> {
    let users = Users::make()?;
    let script = users.folder.path().join("app.pl");
    std::fs::write(
        &script,
        "sub { [200, [], [join ',', map { $_[0]{$_} // '' } qw(REMOTE_USER EYELET_RIGHTS)]] }",
    )?;
    let eyelet = users.start(&["--psgi", script.to_str().context("text")?])?;
    assert_eq!(get(&eyelet, "/", &[])?.status, 401);
    let (ann, bob) = (basic("ann", PASSWORD), basic("bob", PASSWORD));
    let forged = [
        ("Authorization", ann.as_str()),
        ("Remote-User", "bob"),
        ("REMOTE_USER", "bob"),
        ("Eyelet-Rights", "control"),
    ];
    assert_eq!(get(&eyelet, "/", &forged)?.text(), "ann,view");
    assert_eq!(get(&eyelet, "/", &[("Authorization", &bob)])?.text(), "bob,control");
    let status = get_as(&eyelet, "/-/api/status", "ann", PASSWORD)?.json()?;
    assert!(process(&status, "app").is_ok());
    Ok(())
}

#[test]
fn only_serving_processes_know_the_secrets() -> Result<()> {
    let users = Users::make()?;
    let eyelet = users.start(&["--mule", "sleep 1000"])?;
    get_as(&eyelet, "/-/frame", "ann", PASSWORD)?;
    let hashes = std::fs::read_to_string(users.file())?;
    let hash = hashes.lines().next().and_then(|line| line.rsplit('$').next()).context("no hash")?;
    let mut looked = 0;
    for child in eyelet.children() {
        let of =
            |what: &str| std::fs::read(format!("/proc/{}/{what}", child.pid)).unwrap_or_default();
        for what in ["environ", "cmdline"] {
            let text = String::from_utf8_lossy(&of(what)).into_owned();
            assert!(!text.contains(hash) && !text.contains("argon2"), "{child:?} {what}");
            looked += 1;
        }
    }
    assert!(looked >= 6, "{looked}");
    Ok(())
}

#[test]
fn a_wrong_file_of_users_is_told_line_by_line_and_nothing_starts() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("users");
    let file = file.to_str().context("text")?;
    let words = ["--users", file, "--source", SMALL, "--listen", "127.0.0.1:0"];
    let missing = run(&words)?;
    assert!(missing.code == Some(2) && missing.stderr.contains("eyelet user add"), "{missing:?}");
    std::fs::write(file, "ann:view:hunter2\nbob:root:x\n")?;
    let wrong = run(&words)?;
    assert_eq!(wrong.code, Some(2));
    for needle in [format!("{file}:1: "), format!("{file}:2: ")] {
        assert!(wrong.stderr.contains(&needle), "{}", wrong.stderr);
    }
    assert!(!wrong.stderr.contains("hunter2"), "{}", wrong.stderr);
    let alone = run(&["--anonymous", "none", "--source", SMALL])?;
    assert!(alone.code == Some(2) && alone.stderr.contains("lets nobody in"), "{alone:?}");
    // The same by the file that names it, without starting anything.
    let config = folder.path().join("eyelet.toml");
    std::fs::write(&config, format!("users = {file:?}\n"))?;
    let checked = run(&["check", config.to_str().context("text")?])?;
    assert!(checked.code == Some(2) && checked.stderr.contains(":2: "), "{checked:?}");
    Ok(())
}

#[test]
fn users_are_listed_without_their_secrets() -> Result<()> {
    let users = Users::make()?;
    let file = users.file();
    let file = file.to_str().context("text")?;
    let listed = run(&["user", "list", "--file", file])?;
    assert_eq!(
        listed.stdout,
        "ann  view  password\nbob  control  password\nrobot  control  token\n"
    );
    let unknown = run(&["user", "remove", "eve", "--file", file])?;
    assert!(unknown.code == Some(1) && unknown.stderr.contains("no user `eve`"), "{unknown:?}");
    let named = run(&["user", "add", "a b", "--token", "--file", file])?;
    assert!(named.code == Some(2) && named.stderr.contains("a user's name"), "{named:?}");
    let asked = run(&["user", "add", "eve", "--file", file])?;
    assert!(asked.code == Some(2) && asked.stderr.contains("--password-stdin"), "{asked:?}");
    Ok(())
}
