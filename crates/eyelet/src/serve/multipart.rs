//! Pictures one after the other in one HTTP answer: `multipart/x-mixed-replace`, the words of it. H.264 needs none.
//!
//! A part states its length, and the boundary comes right behind the picture, so that a client need not wait for the
//! next one to know where this one ends. Source: RFC 2046, section 5.1; the header fields are those that ustreamer and
//! mjpg-streamer send, which clients know.

use std::fmt::Write;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use eyelet_area::{FrameInfo, MonotonicNs};

use crate::serve::cors::Reader;

/// Separates the parts; the one that ustreamer and mjpg-streamer use, as some clients look for it and not for the header.
const BOUNDARY: &str = "boundarydonotcross";
/// Ends a part and begins the next.
pub(crate) const BOUNDARY_LINE: &[u8] = b"\r\n--boundarydonotcross\r\n";

/// What a client wants to be different.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Style {
    /// The head of the next part comes right behind this one: Chromium shows a picture only when it has seen that.
    /// Nothing can be said in it of a picture that is not there yet, its length least of all.
    pub(crate) is_advanced: bool,
    /// The parts have the `X-UStreamer-` fields.
    pub(crate) has_extra: bool,
    /// The parts are empty: for who counts frames only.
    pub(crate) is_empty: bool,
    /// There is nothing around the frames: they are H.264, which tells them apart itself.
    pub(crate) is_bare: bool,
    /// `NAME=VALUE` of a cookie by which the client finds itself in `/state`.
    pub(crate) cookie: Option<String>,
    /// The site whose page may read it.
    pub(crate) reader: Reader,
}

impl Style {
    /// Tells whether the parts are the same for all who have this style.
    pub(crate) fn is_common(&self) -> bool {
        !(self.is_advanced || self.has_extra || self.is_empty || self.is_bare)
    }

    /// Gives the head of the answer, up to the first boundary.
    pub(crate) fn answer_head(&self, is_http_1_1: bool) -> String {
        let version = if is_http_1_1 { "HTTP/1.1" } else { "HTTP/1.0" };
        let cookie = match &self.cookie {
            Some(cookie) => format!("Set-Cookie: {cookie}; path=/; max-age=30; SameSite=Lax\r\n"),
            None => String::new(),
        };
        // Registered for RTP (RFC 6184); clients look at the bytes anyway.
        let content_type = match self.is_bare {
            true => "video/h264".to_owned(),
            false => format!("multipart/x-mixed-replace;boundary={BOUNDARY}"),
        };
        format!(
            "{version} 200 OK\r\nConnection: close\r\nCache-Control: no-store, no-cache, must-revalidate, max-age=0\r\n\
             Pragma: no-cache\r\nExpires: Mon, 3 Jan 2000 12:34:56 GMT\r\nX-Accel-Buffering: no\r\n\
             X-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer\r\n\
             Cross-Origin-Resource-Policy: cross-origin\r\n{}{cookie}\
             Content-Type: {content_type}\r\n\r\n",
            self.reader.lines()
        )
    }

    /// Gives what comes before the first part's picture and would come before the first part.
    pub(crate) fn opening(&self) -> String {
        if self.is_bare {
            return String::new();
        }
        let head = if self.is_advanced { ADVANCED_HEAD } else { "" };
        format!("--{BOUNDARY}\r\n{head}")
    }

    /// Gives what comes right before a picture.
    pub(crate) fn part_head(&self, info: &FrameInfo, client_fps: u32, dropped: u64) -> String {
        if self.is_advanced || self.is_bare {
            return String::new();
        }
        let mut head = if self.is_empty { head_of_len(info, 0) } else { part_head(info) };
        if self.has_extra {
            head.truncate(head.len() - 2);
            // Writing to a string cannot fail.
            write_extra(&mut head, info, client_fps, dropped).ok();
            head.push_str("\r\n");
        }
        head
    }

    /// Gives what comes right behind a picture.
    pub(crate) fn tail(&self) -> &'static [u8] {
        match self {
            Self { is_bare: true, .. } => &[],
            Self { is_advanced: true, .. } => ADVANCED_TAIL,
            _ => BOUNDARY_LINE,
        }
    }
}

const ADVANCED_HEAD: &str = "Content-Type: image/jpeg\r\n\r\n";
const ADVANCED_TAIL: &[u8] = b"\r\n--boundarydonotcross\r\nContent-Type: image/jpeg\r\n\r\n";

/// Gives the head of a part that is the same for everybody.
pub(crate) fn part_head(info: &FrameInfo) -> String {
    head_of_len(info, info.len)
}

fn head_of_len(info: &FrameInfo, len: u64) -> String {
    let stamp = captured_since_epoch(info.captured_at);
    format!(
        "Content-Type: image/jpeg\r\nContent-Length: {len}\r\nX-Timestamp: {}.{:06}\r\n\r\n",
        stamp.as_secs(),
        stamp.subsec_micros()
    )
}

fn write_extra(
    head: &mut String,
    info: &FrameInfo,
    client_fps: u32,
    dropped: u64,
) -> std::fmt::Result {
    let now = MonotonicNs::now();
    let seconds = |at: MonotonicNs| Duration::from_nanos(at.0).as_secs_f64();
    let latency = Duration::from_nanos(now.0.saturating_sub(info.captured_at.0)).as_secs_f64();
    write!(
        head,
        "X-UStreamer-Online: true\r\nX-UStreamer-Dropped: {dropped}\r\nX-UStreamer-Width: {}\r\n\
         X-UStreamer-Height: {}\r\nX-UStreamer-Client-FPS: {client_fps}\r\n",
        info.format.width, info.format.height
    )?;
    let (captured, published, sent) =
        (seconds(info.captured_at), seconds(info.published_at), seconds(now));
    for (name, at) in [
        ("Grab-Time", captured),
        ("Encode-Begin-Time", captured),
        ("Encode-End-Time", published),
        ("Expose-Begin-Time", published),
        ("Expose-Cmp-Time", published),
        ("Expose-End-Time", published),
        ("Send-Time", sent),
        ("Latency", latency),
    ] {
        write!(head, "X-UStreamer-{name}: {at:.6}\r\n")?;
    }
    Ok(())
}

/// Says on the clock of the wall when something happened.
pub(crate) fn captured_since_epoch(captured_at: MonotonicNs) -> Duration {
    let age = Duration::from_nanos(MonotonicNs::now().0.saturating_sub(captured_at.0));
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    now.saturating_sub(age)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info() -> FrameInfo {
        let mut builder = eyelet_area::FrameBuilder::new().unwrap();
        builder.write(b"jpeg").unwrap();
        let format = eyelet_area::Format::packed(eyelet_area::FourCc::MJPEG, 640, 480);
        *builder.seal(format, MonotonicNs::now()).unwrap().info()
    }

    #[test]
    fn a_part_states_its_length_and_time() {
        let head = Style::default().part_head(&info(), 0, 0);
        assert!(head.starts_with("Content-Type: image/jpeg\r\nContent-Length: 4\r\nX-Timestamp: "));
        assert!(head.ends_with("\r\n\r\n"));
    }

    #[test]
    fn an_advanced_head_says_nothing_of_the_next_picture() {
        let style = Style { is_advanced: true, has_extra: true, ..Style::default() };
        assert_eq!(style.part_head(&info(), 0, 0), "");
        let tail = String::from_utf8(style.tail().to_vec()).unwrap();
        assert!(tail.ends_with("\r\n\r\n") && !tail.contains("Length"));
        assert!(style.opening().ends_with("\r\n\r\n"));
    }

    #[test]
    fn around_h264_there_is_nothing() {
        let style = Style { is_bare: true, ..Style::default() };
        assert!(style.answer_head(true).ends_with("Content-Type: video/h264\r\n\r\n"));
        assert_eq!(style.opening() + &style.part_head(&info(), 0, 0), "");
        assert!(style.tail().is_empty() && !style.is_common());
    }

    #[test]
    fn extra_fields_belong_to_the_same_head() {
        let style = Style { has_extra: true, ..Style::default() };
        let head = style.part_head(&info(), 29, 3);
        assert_eq!(head.matches("\r\n\r\n").count(), 1);
        for line in
            ["X-UStreamer-Width: 640", "X-UStreamer-Client-FPS: 29", "X-UStreamer-Dropped: 3"]
        {
            assert!(head.contains(line), "{line} in {head}");
        }
    }

    #[test]
    fn the_boundary_is_the_one_that_the_head_names() {
        let head = Style::default().answer_head(true);
        assert!(head.contains(&format!("boundary={BOUNDARY}\r\n")));
        assert_eq!(BOUNDARY_LINE, format!("\r\n--{BOUNDARY}\r\n").as_bytes());
        assert!(ADVANCED_TAIL.ends_with(ADVANCED_HEAD.as_bytes()));
        assert!(ADVANCED_TAIL.starts_with(BOUNDARY_LINE));
    }
}
