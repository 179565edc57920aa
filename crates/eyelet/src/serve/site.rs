//! The built-in site: the page at `/` and the player's modules, embedded in the executable.

use bytes::Bytes;
use hyper::StatusCode;
use hyper::header::{self, HeaderValue};

use crate::serve::answer::{Answer, plain, whole};

/// Nothing from elsewhere, nothing inline; the picture comes over a socket of the same origin.
const POLICY: &str = "default-src 'self'; img-src 'self' blob: data:; connect-src 'self'; base-uri 'none'; \
                      form-action 'none'; frame-ancestors 'self'";

struct File {
    /// Its address below `/-/`.
    path: &'static str,
    content_type: &'static str,
    bytes: &'static [u8],
}

const SCRIPT: &str = "text/javascript; charset=utf-8";

macro_rules! file {
    ($path:literal, $content_type:expr) => {
        File {
            path: $path,
            content_type: $content_type,
            bytes: include_bytes!(concat!("../../../../web/", $path)),
        }
    };
}

static INDEX: File = file!("app/index.html", "text/html; charset=utf-8");

static FILES: &[File] = &[
    file!("app/app.js", SCRIPT),
    file!("app/style.css", "text/css; charset=utf-8"),
    file!("core/backoff.js", SCRIPT),
    file!("core/client.js", SCRIPT),
    file!("core/clock.js", SCRIPT),
    file!("core/colour.js", SCRIPT),
    file!("core/decoders/grey.js", SCRIPT),
    file!("core/decoders/index.js", SCRIPT),
    file!("core/decoders/jpeg.js", SCRIPT),
    file!("core/decoders/nv12.js", SCRIPT),
    file!("core/decoders/packed422.js", SCRIPT),
    file!("core/decoders/raster.js", SCRIPT),
    file!("core/decoders/rgb24.js", SCRIPT),
    file!("core/decoders/uyvy.js", SCRIPT),
    file!("core/decoders/yuyv.js", SCRIPT),
    file!("core/meter.js", SCRIPT),
    file!("core/protocol.js", SCRIPT),
    file!("core/view.js", SCRIPT),
];

/// Answers an address outside `/-/`: the page at `/`.
pub(super) fn page(path: &str, known: Option<&HeaderValue>) -> Option<Answer> {
    matches!(path, "/" | "/index.html").then(|| answer(&INDEX, known))
}

/// Answers an address below `/-/`: the page's files.
pub(super) fn file(own: &str, known: Option<&HeaderValue>) -> Option<Answer> {
    FILES.iter().find(|file| file.path == own).map(|file| answer(file, known))
}

fn answer(file: &File, known: Option<&HeaderValue>) -> Answer {
    let tag = entity_tag(file.bytes);
    let is_known = known.is_some_and(|known| known.as_bytes() == tag.as_bytes());
    let mut answer = if is_known {
        let mut answer = plain(StatusCode::NOT_MODIFIED, "");
        *answer.body_mut() = http_body_util::Full::default();
        answer
    } else {
        whole(StatusCode::OK, file.content_type, Bytes::from_static(file.bytes))
    };
    let headers = answer.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert(header::ETAG, tag);
    }
    answer
}

/// Names a file's content. Not a secret and not a signature: another content has another name.
fn entity_tag(bytes: &[u8]) -> String {
    // Source: FNV-1a, 64 bits; http://www.isthe.com/chongo/tech/comp/fnv
    let hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("\"{hash:016x}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_the_player_is_served() {
        let root = std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../web"));
        let mut found = 0;
        for folder in ["app", "core", "core/decoders"] {
            for entry in std::fs::read_dir(root.join(folder)).unwrap() {
                let name = entry.unwrap().file_name().into_string().unwrap();
                let path = format!("{folder}/{name}");
                if path == INDEX.path || !(name.ends_with(".js") || name.ends_with(".css")) {
                    continue;
                }
                found += 1;
                assert!(FILES.iter().any(|file| file.path == path), "{path} is not served");
            }
        }
        assert_eq!(found, FILES.len());
    }

    #[test]
    fn a_known_file_is_not_sent_again() {
        let first = file("app/app.js", None).unwrap();
        let again = file("app/app.js", first.headers().get(header::ETAG)).unwrap();
        assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
    }
}
