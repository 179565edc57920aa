//! The built-in site: the page at `/` and the player's modules, embedded in the executable as they are sent.

use std::io::Read as _;

use bytes::Bytes;
use hyper::StatusCode;
use hyper::header::{self, HeaderMap, HeaderValue};

use crate::serve::answer::{Answer, plain, whole};

/// Nothing from elsewhere, nothing inline; the picture comes over a socket of the same origin, and is converted by
/// WebAssembly.
const POLICY: &str = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; img-src 'self' blob: data:; \
                      connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'self'";

struct File {
    /// Its address below `/-/`.
    path: &'static str,
    content_type: &'static str,
    gzip: &'static [u8],
}

static FILES: &[File] = include!(concat!(env!("OUT_DIR"), "/site.rs"));

const INDEX: &str = "app/index.html";

/// Stands in the addresses by which the page asks for its files: another executable has another, so that a browser may
/// keep them for ever.
const VERSION: &str = env!("EYELET_SITE_VERSION");

/// Answers an address outside `/-/`: the page at `/`.
pub(super) fn page(path: &str, request: &HeaderMap) -> Option<Answer> {
    matches!(path, "/" | "/index.html").then(|| find(INDEX, request)).flatten()
}

/// Answers an address below `/-/`: the page's files.
pub(super) fn file(own: &str, request: &HeaderMap) -> Option<Answer> {
    let kept = own.strip_prefix(VERSION).and_then(|own| own.strip_prefix('/'));
    let mut answer = find(kept.unwrap_or(own), request).filter(|_| kept.unwrap_or(own) != INDEX)?;
    if kept.is_some() {
        let for_a_year = HeaderValue::from_static("public, max-age=31536000, immutable");
        answer.headers_mut().insert(header::CACHE_CONTROL, for_a_year);
    }
    Some(answer)
}

fn find(path: &str, request: &HeaderMap) -> Option<Answer> {
    FILES.iter().find(|file| file.path == path).map(|file| answer(file, request))
}

fn answer(file: &File, request: &HeaderMap) -> Answer {
    let tag = entity_tag(file.gzip);
    let is_known =
        request.get(header::IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == tag.as_bytes());
    let takes_gzip = takes_gzip(request);
    let mut answer = if is_known {
        let mut answer = plain(StatusCode::NOT_MODIFIED, "");
        *answer.body_mut() = http_body_util::Full::default();
        answer
    } else if takes_gzip {
        whole(StatusCode::OK, file.content_type, Bytes::from_static(file.gzip))
    } else {
        match inflate(file.gzip) {
            Ok(bytes) => whole(StatusCode::OK, file.content_type, bytes),
            Err(error) => plain(
                StatusCode::INTERNAL_SERVER_ERROR,
                &format!("{} cannot be unpacked: {error}", file.path),
            ),
        }
    };
    let headers = answer.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    // With `no-referrer` the page's form would not say whose it is.
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    if file.path != INDEX {
        // Pages of other sites embed the player: there is no secret in it.
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        headers.insert("cross-origin-resource-policy", HeaderValue::from_static("cross-origin"));
    }
    if takes_gzip && !is_known {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert(header::ETAG, tag);
    }
    answer
}

/// Whether the client unpacks, as every browser does.
///
/// Source: RFC 9110 section 12.5.3; a weight of 0 means "not this".
fn takes_gzip(request: &HeaderMap) -> bool {
    request.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok()).any(
        |value| {
            value.split(',').any(|coding| {
                let mut parts = coding.split(';').map(str::trim);
                let is_gzip = parts.next().is_some_and(|name| name.eq_ignore_ascii_case("gzip"));
                let is_refused = parts
                    .filter_map(|parameter| parameter.strip_prefix("q="))
                    .any(|weight| weight.parse::<f32>().is_ok_and(|weight| weight == 0.0));
                is_gzip && !is_refused
            })
        },
    )
}

fn inflate(gzip: &[u8]) -> std::io::Result<Bytes> {
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(gzip).read_to_end(&mut bytes)?;
    Ok(bytes.into())
}

/// Names a file's content, however it is encoded. Not a secret and not a signature: another content has another name.
fn entity_tag(bytes: &[u8]) -> String {
    // Source: FNV-1a, 64 bits; http://www.isthe.com/chongo/tech/comp/fnv
    let hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("W/\"{hash:016x}\"")
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::*;

    fn asking(name: header::HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_str(value).unwrap())])
    }

    fn body(answer: Answer) -> Bytes {
        // A whole body is there at once.
        let collected = answer.into_body().collect();
        tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap()
            .block_on(collected)
            .unwrap()
            .to_bytes()
    }

    fn source(path: &str) -> Vec<u8> {
        std::fs::read(
            std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../web")).join(path),
        )
        .unwrap()
    }

    /// Lines without what is not sent: spaces at their ends, comments, and types.
    fn code(text: &[u8]) -> Vec<String> {
        let text = std::str::from_utf8(text).unwrap();
        let is_code = |line: &&str| {
            !line.is_empty() && !["//", "/*", "*"].iter().any(|start| line.starts_with(start))
        };
        let has_types = |line: &&str| line.contains("/** @") || line.contains(" // ");
        text.lines()
            .map(str::trim)
            .filter(is_code)
            .filter(|line| !has_types(line))
            .map(str::to_owned)
            .collect()
    }

    #[test]
    fn every_file_of_the_player_is_served_with_all_of_its_code() {
        for path in [
            "app/app.js",
            "app/style.css",
            "core/decoders/yuyv.js",
            "core/element/element.js",
            "eyelet.js",
        ] {
            let sent = body(file(path, &HeaderMap::new()).unwrap());
            let mut sent = code(&sent).into_iter();
            for line in code(&source(path)) {
                assert!(sent.any(|sent| sent == line), "{path} lacks {line}");
            }
        }
        assert!(page("/", &HeaderMap::new()).is_some());
        for path in [
            "package.json",
            "test/view.test.js",
            "core/simd/kernel.wat",
            INDEX,
            "",
            "../Cargo.toml",
        ] {
            assert!(file(path, &HeaderMap::new()).is_none(), "{path}");
        }
    }

    #[test]
    fn the_page_names_every_module_that_it_needs_by_addresses_to_keep() {
        let index =
            String::from_utf8(body(page("/", &HeaderMap::new()).unwrap()).to_vec()).unwrap();
        let named: Vec<&str> =
            index.split('"').filter_map(|part| part.strip_prefix("-/")).collect();
        for path in named.iter().filter(|path| path.ends_with(".js") || path.ends_with(".css")) {
            let kept =
                file(path, &HeaderMap::new()).unwrap_or_else(|| panic!("{path} is not there"));
            assert!(
                kept.headers()[header::CACHE_CONTROL].to_str().unwrap().contains("immutable"),
                "{path}"
            );
        }
        for module in [
            "app/app.js",
            "app/style.css",
            "eyelet.js",
            "core/element/element.js",
            "core/remote.js",
        ] {
            assert!(named.contains(&format!("{VERSION}/{module}").as_str()), "{module}");
        }
        assert!(!named.iter().any(|path| path.ends_with("decoders/yuyv.js")), "the worker's own");
    }

    #[test]
    fn who_unpacks_is_sent_less() {
        let packed =
            file("core/view.js", &asking(header::ACCEPT_ENCODING, "br, gzip;q=0.8")).unwrap();
        assert_eq!(packed.headers()[header::CONTENT_ENCODING], "gzip");
        let plain = file("core/view.js", &HeaderMap::new()).unwrap();
        assert_eq!(inflate(&body(packed)).unwrap(), body(plain));
        for refusing in ["identity", "gzip;q=0", "xgzip"] {
            let plain = file("core/view.js", &asking(header::ACCEPT_ENCODING, refusing)).unwrap();
            assert!(plain.headers().get(header::CONTENT_ENCODING).is_none(), "{refusing}");
        }
    }

    /// What a phone on a thin line loads before it sees anything.
    #[test]
    fn the_whole_page_is_below_forty_kilobytes() {
        let is_page = |file: &&File| !file.path.starts_with("login/");
        let sent: usize = FILES.iter().filter(is_page).map(|file| file.gzip.len()).sum();
        assert!(sent < 40_000, "{sent} bytes");
    }

    #[test]
    fn a_known_file_is_not_sent_again() {
        let first = file("app/app.js", &HeaderMap::new()).unwrap();
        let tag = first.headers()[header::ETAG].to_str().unwrap().to_owned();
        let again = file("app/app.js", &asking(header::IF_NONE_MATCH, &tag)).unwrap();
        assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
    }
}
