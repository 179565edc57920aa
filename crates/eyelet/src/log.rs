//! The log's sink: one line for each event on standard error.
//!
//! `2026-11-23T04:30:00.123Z mono=512.345 INFO capture pid=4711: text`. Libraries do not log; what a child says goes to
//! the same standard error unchanged. Never frame bytes, tokens or query strings.

use std::io::Write;
use std::sync::OnceLock;
use std::time::{SystemTime, UNIX_EPOCH};

use eyelet_area::MonotonicNs;
use log::{LevelFilter, Log, Metadata, Record};

struct Sink {
    role: String,
    pid: u32,
}

static SINK: OnceLock<Sink> = OnceLock::new();

/// Starts logging as `role`; the level is that of `EYELET_LOG` (error, warn, info, debug), info by default.
///
/// A second call changes nothing.
pub fn start(role: &str) {
    let level = std::env::var("EYELET_LOG").ok().and_then(|l| l.parse().ok());
    let sink = SINK.get_or_init(|| Sink { role: role.to_owned(), pid: std::process::id() });
    if log::set_logger(sink).is_ok() {
        log::set_max_level(level.unwrap_or(LevelFilter::Info));
    }
}

impl Log for Sink {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let mono = MonotonicNs::now().0 / 1_000_000;
        let line = format!(
            "{} mono={}.{:03} {} {} pid={}: {}\n",
            utc(wall.as_secs(), wall.subsec_millis()),
            mono / 1000,
            mono % 1000,
            record.level(),
            self.role,
            self.pid,
            record.args().to_string().replace(['\n', '\r'], " "),
        );
        // One write, so that lines of several processes do not mix. Nobody is left to tell when it fails.
        std::io::stderr().write_all(line.as_bytes()).ok();
    }

    fn flush(&self) {}
}

/// Writes seconds since 1970 as RFC 3339 in UTC.
///
/// Source: the proleptic Gregorian calendar, in years that begin on 1 March, so that the leap day is the last.
fn utc(secs: u64, millis: u32) -> String {
    let (days, of_day) = (secs / 86_400, secs % 86_400);
    let since_march_of_year_0 = days + 719_468;
    let era = since_march_of_year_0 / 146_097;
    let of_era = since_march_of_year_0 % 146_097;
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
}

#[cfg(test)]
mod tests {
    use super::utc;

    #[test]
    fn dates_are_right_around_leap_days() {
        assert_eq!(utc(0, 0), "1970-01-01T00:00:00.000Z");
        assert_eq!(utc(951_782_399, 999), "2000-02-28T23:59:59.999Z");
        assert_eq!(utc(951_782_400, 0), "2000-02-29T00:00:00.000Z");
        assert_eq!(utc(1_709_251_199, 0), "2024-02-29T23:59:59.000Z");
        assert_eq!(utc(1_798_761_600, 0), "2027-01-01T00:00:00.000Z");
    }
}
