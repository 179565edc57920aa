//! The description at `/-/api/openapi.json` and the server say the same.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, bail, ensure};
use eyelet_harness::{Eyelet, Response, exchange};
use serde_json::{Value, json};

use crate::support::{SMALL, ask, read_answer, start};

const PATH: &str = "/-/api/openapi.json";
const METHODS: [&str; 5] = ["GET", "PUT", "POST", "DELETE", "PATCH"];

/// One request of the test: a documented method and path, the address in fact, the body, the status that it must get.
type Case = (&'static str, &'static str, &'static str, &'static [u8], u16);

const CASES: &[Case] = &[
    ("GET", "/-/ws", "/-/ws", b"", 426),
    ("GET", "/-/ws", "/-/ws?stream=nothing", b"", 404),
    ("GET", "/-/ws", "/-/ws?fps=0", b"", 400),
    ("GET", "/-/stream.mjpg", "/-/stream.mjpg?stream=nothing", b"", 404),
    ("GET", "/-/stream.mjpg", "/-/stream.mjpg?fps=x", b"", 400),
    ("GET", "/-/snapshot.jpg", "/-/snapshot.jpg?width=32", b"", 200),
    ("GET", "/-/stream.h264", "/-/stream.h264", b"", 404),
    ("GET", "/-/stream.h264", "/-/stream.h264?stream=nothing", b"", 404),
    ("GET", "/-/snapshot.jpg", "/-/snapshot.jpg?width=0", b"", 400),
    ("GET", "/-/snapshot.jpg", "/-/snapshot.jpg?stream=nothing", b"", 404),
    ("GET", "/-/snapshot.jpg", "/-/snapshot.jpg?stream=shown", b"", 503),
    ("GET", "/-/snapshot.png", "/-/snapshot.png", b"", 200),
    ("GET", "/-/snapshot.png", "/-/snapshot.png?stream=nothing", b"", 404),
    ("GET", "/-/snapshot.png", "/-/snapshot.png?stream=shown", b"", 503),
    ("GET", "/-/frame", "/-/frame?max_age=0", b"", 200),
    ("GET", "/-/frame", "/-/frame?format=jpeg", b"", 200),
    ("GET", "/-/frame", "/-/frame?max_age=x", b"", 400),
    ("GET", "/-/frame", "/-/frame?format=h264", b"", 404),
    ("GET", "/-/frame", "/-/frame?stream=shown", b"", 503),
    ("GET", "/-/healthz", "/-/healthz", b"", 200),
    ("GET", "/-/login", "/-/login", b"", 404),
    ("POST", "/-/login", "/-/login", b"name=a&password=b", 404),
    ("POST", "/-/logout", "/-/logout", b"", 303),
    ("GET", "/-/enter", "/-/enter?key=a", b"", 404),
    ("POST", "/-/enter", "/-/enter", b"key=a", 404),
    ("GET", "/-/api/session", "/-/api/session", b"", 200),
    ("GET", "/-/metrics", "/-/metrics", b"", 200),
    ("GET", "/-/api/status", "/-/api/status", b"", 200),
    ("GET", PATH, PATH, b"", 200),
    ("GET", "/-/api/areas", "/-/api/areas", b"", 200),
    ("GET", "/-/api/areas/{name}", "/-/api/areas/counters", b"", 200),
    ("GET", "/-/api/areas/{name}", "/-/api/areas/counters?len=1.5", b"", 400),
    ("GET", "/-/api/areas/{name}", "/-/api/areas/nothing", b"", 404),
    ("GET", "/-/api/areas/{name}", "/-/api/areas/counters?pos=99", b"", 416),
    ("PUT", "/-/api/areas/{name}", "/-/api/areas/counters", b"hello", 200),
    ("PUT", "/-/api/areas/{name}", "/-/api/areas/counters?pos=-1", b"hello", 400),
    ("PUT", "/-/api/areas/{name}", "/-/api/areas/shut", b"hello", 403),
    ("PUT", "/-/api/areas/{name}", "/-/api/areas/nothing", b"hello", 404),
    ("PUT", "/-/api/areas/{name}", "/-/api/areas/counters", &[0; 70_000], 413),
    ("PUT", "/-/api/areas/{name}", "/-/api/areas/counters?pos=60", b"hello", 416),
    ("POST", "/-/api/areas/{name}", "/-/api/areas/counters?add=2", b"", 200),
    ("POST", "/-/api/areas/{name}", "/-/api/areas/counters?bits=7", b"", 400),
    ("POST", "/-/api/areas/{name}", "/-/api/areas/shut", b"", 403),
    ("POST", "/-/api/areas/{name}", "/-/api/areas/nothing", b"", 404),
    ("POST", "/-/api/areas/{name}", "/-/api/areas/counters?pos=60", b"", 416),
    ("GET", "/-/api/controls", "/-/api/controls?stream=camera-jpeg", b"", 200),
    ("GET", "/-/api/controls", "/-/api/controls?stream=counters", b"", 404),
    ("PUT", "/-/api/controls", "/-/api/controls", b"{\"brightness\":1,\"x\":2}", 200),
    ("PUT", "/-/api/controls", "/-/api/controls", b"{\"x\":2}", 400),
    ("PUT", "/-/api/controls", "/-/api/controls", b"{", 400),
    ("PUT", "/-/api/controls", "/-/api/controls?stream=7", b"{}", 404),
    ("PUT", "/-/api/controls", "/-/api/controls", &[b' '; 5000], 413),
    ("DELETE", "/-/api/controls", "/-/api/controls", b"", 200),
    ("DELETE", "/-/api/controls", "/-/api/controls?stream=7", b"", 404),
];

/// What takes more than a request: another client, another command line, a process that stands still.
const ELSEWHERE: &[(&str, &str, u16)] = &[
    ("GET", "/-/ws", 101),
    ("GET", "/-/ws", 403),
    ("GET", "/-/stream.mjpg", 200),
    ("GET", "/-/stream.h264", 200),
    ("GET", "/-/stream.h264", 400),
    ("GET", "/-/stream.h264", 503),
    // With users: the tests of access.
    ("GET", "/-/login", 200),
    ("POST", "/-/login", 303),
    ("POST", "/-/login", 400),
    ("POST", "/-/login", 401),
    ("POST", "/-/login", 403),
    ("POST", "/-/login", 408),
    ("POST", "/-/login", 413),
    ("POST", "/-/login", 429),
    ("POST", "/-/login", 503),
    ("POST", "/-/logout", 403),
    ("GET", "/-/enter", 200),
    ("POST", "/-/enter", 303),
    ("POST", "/-/enter", 400),
    ("POST", "/-/enter", 403),
    ("POST", "/-/enter", 408),
    ("POST", "/-/enter", 413),
    ("GET", "/-/api/status", 503),
    ("GET", "/-/metrics", 503),
    ("GET", "/-/api/areas/{name}", 502),
    ("PUT", "/-/api/areas/{name}", 408),
    ("PUT", "/-/api/areas/{name}", 502),
    ("POST", "/-/api/areas/{name}", 502),
    ("GET", "/-/api/controls", 503),
    ("GET", "/-/api/controls", 504),
    ("PUT", "/-/api/controls", 403),
    ("PUT", "/-/api/controls", 408),
    ("PUT", "/-/api/controls", 503),
    ("PUT", "/-/api/controls", 504),
    ("DELETE", "/-/api/controls", 403),
    ("DELETE", "/-/api/controls", 503),
    ("DELETE", "/-/api/controls", 504),
];

fn serve() -> Result<Eyelet> {
    let areas = ["--area", "counters=64", "--area", "shut=8", "--api-write", "counters"];
    let more = [&areas[..], &["--mule", "shown=sleep 1000", "--stream", "rgba"]].concat();
    start(SMALL, &more)
}

fn description(eyelet: &Eyelet) -> Result<Value> {
    eyelet.get(PATH)?.json()
}

/// Follows a `$ref` inside the description.
fn resolve<'a>(doc: &'a Value, value: &'a Value) -> Result<&'a Value> {
    match value["$ref"].as_str() {
        Some(to) => doc.pointer(to.trim_start_matches('#')).with_context(|| format!("no {to}")),
        None => Ok(value),
    }
}

/// Every method, path and status of the description.
fn documented(doc: &Value) -> Result<BTreeSet<(String, String, u16)>> {
    let mut all = BTreeSet::new();
    for (path, item) in doc["paths"].as_object().context("no paths")? {
        for method in METHODS {
            let Some(operation) = item.get(method.to_lowercase()) else { continue };
            for status in operation["responses"].as_object().context("no responses")?.keys() {
                all.insert((method.to_owned(), path.clone(), status.parse()?));
            }
        }
    }
    Ok(all)
}

/// Checks an answer against what the description says of this status.
fn fits(doc: &Value, method: &str, path: &str, answer: &Response) -> Result<()> {
    let operation = &doc["paths"][path][method.to_lowercase()];
    let said = &operation["responses"][answer.status.to_string()];
    ensure!(!said.is_null(), "{} is not documented: {}", answer.status, answer.text());
    let said = resolve(doc, said)?;
    let kind = answer.header("content-type").context("no content type")?;
    let kind = kind.split(';').next().unwrap_or_default();
    let content = said["content"].get(kind);
    let content = content.with_context(|| format!("{kind} is not documented in {said}"))?;
    if kind == "application/json" {
        // The references in it lead into the description.
        let mut schema = content["schema"].clone();
        schema["components"] = doc["components"].clone();
        let validator = jsonschema::validator_for(&schema)?;
        let body = answer.json()?;
        let wrong: Vec<String> = validator
            .iter_errors(&body)
            .map(|error| format!("{} at {}", error, error.instance_path()))
            .collect();
        ensure!(wrong.is_empty(), "{body} does not fit: {}", wrong.join("; "));
    } else if kind == "text/plain" {
        ensure!(answer.text().lines().count() == 1, "not one line: {}", answer.text());
    }
    Ok(())
}

#[test]
fn every_answer_is_as_described() -> Result<()> {
    let eyelet = serve()?;
    let doc = description(&eyelet)?;
    let mut left = documented(&doc)?;
    for (method, path, address, body, status) in CASES {
        let answer = exchange(eyelet.addr(), method, address, &[], body)
            .with_context(|| format!("{method} {address}"))?;
        assert_eq!(answer.status, *status, "{method} {address}: {}", answer.text());
        fits(&doc, method, path, &answer).with_context(|| format!("{method} {address}"))?;
        left.remove(&((*method).to_owned(), (*path).to_owned(), *status));
    }
    for (method, path, status) in ELSEWHERE {
        let known = left.remove(&((*method).to_owned(), (*path).to_owned(), *status));
        assert!(known, "{method} {path} {status} is not documented, or tried above");
    }
    assert!(left.is_empty(), "documented and never tried: {left:?}");
    Ok(())
}

#[test]
fn answers_of_other_clients_are_as_described() -> Result<()> {
    let eyelet = serve()?;
    let doc = description(&eyelet)?;
    let evil = [("Origin", "http://evil.example")];
    for (method, path) in [("PUT", "/-/api/controls"), ("DELETE", "/-/api/controls")] {
        let answer = exchange(eyelet.addr(), method, path, &evil, b"{}")?;
        assert_eq!(answer.status, 403);
        fits(&doc, method, path, &answer)?;
    }
    let head = exchange(eyelet.addr(), "HEAD", "/-/stream.mjpg", &[], &[])?;
    assert_eq!(head.status, 200);
    fits(&doc, "GET", "/-/stream.mjpg", &head)?;
    let upgrade = "GET /-/ws HTTP/1.1\r\nHost: localhost\r\nOrigin: http://b\r\nUpgrade: websocket\r\n\
         Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    let refused = ask(&eyelet, upgrade)?;
    assert_eq!(refused.status, 403);
    fits(&doc, "GET", "/-/ws", &refused)?;
    let mut stream = eyelet.raw()?;
    std::io::Write::write_all(&mut stream, crate::support::UPGRADE.as_bytes())?;
    assert_eq!(read_answer(&mut stream)?.status, 101);
    let away = start("v4l2:/dev/nothing-there", &[])?;
    for method in ["GET", "PUT", "DELETE"] {
        let answer = exchange(away.addr(), method, "/-/api/controls", &[], b"{}")?;
        assert_eq!(answer.status, 503);
        fits(&doc, method, "/-/api/controls", &answer)?;
    }
    fits(&doc, "GET", "/-/api/status", &away.get("/-/api/status")?)
}

#[test]
fn every_address_is_described_with_its_methods() -> Result<()> {
    let eyelet = serve()?;
    let doc = description(&eyelet)?;
    let described = documented(&doc)?;
    let described: BTreeSet<(&str, &str)> =
        described.iter().map(|(method, path, _)| (path.as_str(), method.as_str())).collect();
    let addresses: Vec<(String, &str)> = eyelet::serve::addresses().collect();
    let known: BTreeSet<(&str, &str)> = addresses
        .iter()
        .flat_map(|(path, methods)| methods.split(", ").map(|method| (path.as_str(), method)))
        .filter(|(_, method)| *method != "HEAD")
        .collect();
    assert_eq!(described, known);
    for (path, methods) in &addresses {
        let address = path.replace("{name}", "counters");
        for method in METHODS.into_iter().filter(|method| !methods.contains(method)) {
            let answer = exchange(eyelet.addr(), method, &address, &[], &[])?;
            assert_eq!(
                (answer.status, answer.header("allow")),
                (405, Some(*methods)),
                "{method} {path}"
            );
        }
    }
    Ok(())
}

#[test]
fn the_description_is_whole() -> Result<()> {
    let eyelet = serve()?;
    let doc = description(&eyelet)?;
    let version = json!(env!("CARGO_PKG_VERSION"));
    assert_eq!((&doc["openapi"], &doc["info"]["version"]), (&json!("3.1.0"), &version));
    // Every reference leads somewhere, and every component is used.
    let mut used = BTreeSet::new();
    let mut open = vec![&doc];
    while let Some(value) = open.pop() {
        if let Some(to) = value["$ref"].as_str() {
            if doc.pointer(to.trim_start_matches('#')).is_none() {
                bail!("{to} leads nowhere");
            }
            used.insert(to.to_owned());
        }
        if let Some(schemes) = value["security"].as_array() {
            let names =
                schemes.iter().filter_map(Value::as_object).flat_map(|scheme| scheme.keys());
            used.extend(names.map(|name| format!("#/components/securitySchemes/{name}")));
        }
        match value {
            Value::Object(object) => open.extend(object.values()),
            Value::Array(array) => open.extend(array),
            _ => {}
        }
    }
    for (kind, components) in doc["components"].as_object().context("no components")? {
        for name in components.as_object().context("no names")?.keys() {
            assert!(used.contains(&format!("#/components/{kind}/{name}")), "{name} is not used");
        }
    }
    Ok(())
}

#[test]
fn the_status_tells_a_page_all_that_it_needs_to_share() -> Result<()> {
    let eyelet = start("front=test:64x48@30", &["--stream", "rgba", "--stream", "jpeg?width=32"])?;
    let status = eyelet.status()?;
    let formats = |stream: &Value| -> Vec<String> {
        let all = stream["formats"].as_array().into_iter().flatten();
        all.map(|format| {
            format!(
                "{} {}x{}@{}",
                format["format"], format["width"], format["height"], format["fps"]
            )
        })
        .collect()
    };
    // Nobody has watched yet.
    let source = &status["sources"][0];
    assert_eq!(
        formats(source),
        [r#""yuyv" 64x48@30.0"#, r#""rgba" 64x48@30.0"#, r#""jpeg" 64x48@30.0"#]
    );
    let narrow = &status["streams"][1];
    assert_eq!(
        (&narrow["of"], formats(narrow)),
        (&json!(0), vec![r#""jpeg" 32x24@30.0"#.to_owned()])
    );
    for stream in [source, narrow] {
        for (kind, status) in
            [("mjpeg", 200), ("jpeg", 200), ("png", 200), ("frame", 200), ("websocket", 405)]
        {
            let address = stream["addresses"][kind].as_str().with_context(|| kind.to_owned())?;
            let head = exchange(eyelet.addr(), "HEAD", address, &[], &[])?;
            assert_eq!(head.status, status, "{address}");
        }
    }
    Ok(())
}
