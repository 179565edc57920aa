//! What stands behind the `?` of an address.

use std::borrow::Cow;
use std::time::Duration;

use hyper::StatusCode;

use crate::serve::answer::{Answer, plain};

/// Most frames a second that somebody may ask for at most: no camera gives more.
const MAX_FPS: f64 = 1000.0;
/// Least of the same: one frame in a quarter of an hour.
const MIN_FPS: f64 = 0.001;

/// The parameters of a request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Query<'a>(&'a str);

impl<'a> Query<'a> {
    /// Takes what stands behind the `?`.
    pub(crate) fn new(text: Option<&'a str>) -> Self {
        Self(text.unwrap_or(""))
    }

    /// Gives the first value of a name.
    pub(crate) fn get(self, wanted: &str) -> Option<Cow<'a, str>> {
        form_urlencoded::parse(self.0.as_bytes())
            .find_map(|(name, value)| (name == wanted).then_some(value))
    }

    /// Tells whether a name is switched on.
    pub(crate) fn is_on(self, wanted: &str) -> bool {
        matches!(self.get(wanted).as_deref(), Some("1" | "true" | "yes" | "on" | ""))
    }

    /// Reads a number within a range.
    ///
    /// # Errors
    /// The answer 400 that says what it may be.
    pub(crate) fn number(
        self,
        wanted: &str,
        range: std::ops::RangeInclusive<f64>,
    ) -> Result<Option<f64>, Box<Answer>> {
        let Some(text) = self.get(wanted) else { return Ok(None) };
        let number = text.parse().ok().filter(|number| range.contains(number));
        number.map(Some).ok_or_else(|| {
            let (least, most) = (range.start(), range.end());
            let text = format!("`{wanted}` is a number from {least} to {most}");
            Box::new(plain(StatusCode::BAD_REQUEST, &text))
        })
    }

    /// Reads `fps=`: the least time from frame to frame.
    ///
    /// # Errors
    /// As [`number`](Self::number).
    pub(crate) fn least_interval(self) -> Result<Option<Duration>, Box<Answer>> {
        let fps = self.number("fps", MIN_FPS..=MAX_FPS)?;
        Ok(fps.map(|fps| Duration::from_secs_f64(1.0 / fps)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_found_by_name_and_decoded() {
        let query = Query::new(Some("action=stream&key=a%20b&advance=1&zero=0"));
        assert_eq!(query.get("action").unwrap(), "stream");
        assert_eq!(query.get("key").unwrap(), "a b");
        assert!(query.is_on("advance") && !query.is_on("zero") && !query.is_on("none"));
        assert_eq!(Query::new(None).get("x"), None);
    }

    #[test]
    fn a_number_out_of_range_is_a_mistake_of_the_client() {
        let least = |text| Query::new(Some(text)).least_interval();
        assert_eq!(least("fps=10").unwrap(), Some(Duration::from_millis(100)));
        assert_eq!(least("").unwrap(), None);
        for wrong in ["fps=0", "fps=-1", "fps=1e9", "fps=nan", "fps=inf", "fps=", "fps=ten"] {
            assert_eq!(least(wrong).unwrap_err().status(), StatusCode::BAD_REQUEST, "{wrong}");
        }
    }
}
