//! `/-/metrics`: what Prometheus and its like collect. Normative: `docs/ref/metrics.md`.

mod families;
mod usage;

use std::fmt;

use bytes::Bytes;
use hyper::StatusCode;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::registry::Registry;

use crate::serve::Server;
use crate::serve::answer::{Answer, plain, whole};
use families::Family;

/// OpenMetrics 1.0, which Prometheus reads since version 2.5.
const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// `GET /-/metrics`: of the whole program, whichever serve process answers.
pub(super) async fn answer(server: &Server) -> Answer {
    let Some(status) = server.line.status().await else {
        let text = "the supervisor does not answer; try again";
        return plain(StatusCode::SERVICE_UNAVAILABLE, text);
    };
    let places: Vec<_> = server.feeds().iter().map(|feed| feed.place()).collect();
    let places = places.iter().map(|place| &**place);
    match encode(families::gather(&status, places, &server.limits())) {
        Ok(text) => whole(StatusCode::OK, CONTENT_TYPE, Bytes::from(text)),
        Err(e) => plain(StatusCode::INTERNAL_SERVER_ERROR, &format!("no metrics: {e}")),
    }
}

fn encode(families: Vec<Family>) -> Result<String, fmt::Error> {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Scrape(families)));
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry)?;
    Ok(text)
}

/// What was gathered for one request.
#[derive(Debug)]
struct Scrape(Vec<Family>);

impl Collector for Scrape {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        self.0.iter().try_for_each(|family| family.encode(&mut encoder))
    }
}

/// A number as metrics have them: exact up to 2^53, above that nobody looks at the last digit.
#[expect(clippy::cast_precision_loss, reason = "see above")]
fn real(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_anything_in_it_is_a_label() {
        let family =
            Family::gauge("eyelet_x", "Something", [(vec![("role", "a\"b\\\n".to_owned())], 1.5)]);
        let text = encode(vec![family]).unwrap();
        assert!(text.contains("# HELP eyelet_x Something\n# TYPE eyelet_x gauge\n"), "{text}");
        assert!(text.contains("eyelet_x{role=\"a\\\"b\\\\\\n\"} 1.5\n"), "{text}");
        assert!(text.ends_with("# EOF\n"), "{text}");
    }
}
