//! The words of single values: numbers, times, sizes.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use crate::error::{Error, Result};

/// Reads whole numbers of a range.
pub fn number<T>(range: RangeInclusive<T>) -> impl Fn(&str) -> Result<T> + Clone
where
    T: FromStr + PartialOrd + Display + Clone,
{
    move |text| {
        let number = text.trim().parse().ok().filter(|number| range.contains(number));
        number.ok_or_else(|| {
            Error::usage(format!("takes {} to {}, not `{text}`", range.start(), range.end()))
        })
    }
}

/// Reads a time from the first to the last of these seconds: `5`, `0.2`, `200 ms`, `2 min`.
pub fn seconds(range: RangeInclusive<f64>) -> impl Fn(&str) -> Result<Duration> + Clone {
    move |text| {
        let number = text.trim().parse().ok().and_then(|s| Duration::try_from_secs_f64(s).ok());
        let time = number.or_else(|| humantime::parse_duration(text).ok());
        time.filter(|time| range.contains(&time.as_secs_f64())).ok_or_else(|| {
            let (least, most) = (range.start(), range.end());
            let form = "as `5`, `0.2`, `200 ms` or `2 min`";
            Error::usage(format!("takes {least} to {most} seconds, {form}, not `{text}`"))
        })
    }
}

/// Reads a number of bytes of a range: `4096`, `0x1000`, `64k`, `32M`.
pub fn bytes(range: RangeInclusive<u64>) -> impl Fn(&str) -> Result<u64> {
    move |text| {
        bytes_of(text.trim()).filter(|len| range.contains(len)).ok_or_else(|| {
            let (least, most) = (range.start(), range.end());
            let form = "as `4096`, `64k` or `32M`";
            Error::usage(format!("takes {least} to {most} bytes, {form}, not `{text}`"))
        })
    }
}

fn bytes_of(word: &str) -> Option<u64> {
    if let Some(digits) = word.strip_prefix("0x") {
        return u64::from_str_radix(digits, 16).ok();
    }
    let (digits, unit) = match word.char_indices().last()? {
        (at, 'k' | 'K') => (&word[..at], 1 << 10),
        (at, 'm' | 'M') => (&word[..at], 1 << 20),
        _ => (word, 1),
    };
    digits.parse::<u64>().ok()?.checked_mul(unit)
}

/// Reads `true` and `false`.
///
/// # Errors
/// A usage error for anything else.
pub fn truth(text: &str) -> Result<bool> {
    text.parse().map_err(|_| Error::usage(format!("takes true or false, not `{text}`")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_the_range_is_read_and_all_else_is_told_the_range() {
        assert_eq!(number(1..=9_u32)("9"), Ok(9));
        assert_eq!(seconds(0.0..=60.0)("0.2"), Ok(Duration::from_millis(200)));
        assert_eq!(seconds(0.0..=120.0)("2 min"), Ok(Duration::from_secs(120)));
        assert_eq!(seconds(0.0..=1.0)("200ms"), Ok(Duration::from_millis(200)));
        let sizes = ["4096", "0x10", "64k", "1M"].map(|word| bytes(1..=1 << 20)(word).ok());
        assert_eq!(sizes, [Some(4096), Some(16), Some(65_536), Some(1 << 20)]);
        for (error, needle) in [
            (number(1..=9_u32)("10").unwrap_err(), "takes 1 to 9, not `10`"),
            (number(1..=9_u32)("-1").unwrap_err(), "takes 1 to 9"),
            (seconds(0.1..=60.0)("61").unwrap_err(), "takes 0.1 to 60 seconds"),
            (seconds(0.1..=60.0)("soon").unwrap_err(), "not `soon`"),
            (bytes(1..=1 << 20)("2M").unwrap_err(), "takes 1 to 1048576 bytes"),
            (truth("yes").unwrap_err(), "true or false"),
        ] {
            assert!(error.to_string().contains(needle), "{error}");
        }
        for word in ["", "k", "-1", "1.5k", "1g", "0xg", "99999999999999999999M"] {
            assert!(bytes(0..=u64::MAX)(word).is_err(), "{word}");
        }
    }
}
