//! What can be tested without a camera; the rest runs in the virtual machine.

use eyelet_area::{Format, FourCc, Matrix, Range};
use eyelet_v4l2::colour;
use eyelet_v4l2::interval::{Interval, Intervals};
use eyelet_v4l2::size::Sizes;

use super::negotiate::{Fit, choose, described, offers_rate, offers_size};
use super::*;
use crate::config::source::Fps;

fn chosen(
    wished: Option<FourCc>,
    offered: &[(&[u8; 4], Fit)],
) -> std::result::Result<String, String> {
    let codes: Vec<_> = offered.iter().map(|(code, _)| **code).collect();
    let fit =
        |code| offered.iter().find(|(c, _)| **c == code).map_or(Fit::OtherSize, |(_, fit)| *fit);
    choose(wished, &codes, fit).map(|code| FourCc(code).to_string())
}

#[test]
fn raw_is_preferred_where_it_comes_in_that_size_and_rate() {
    use Fit::{All, OtherRate, OtherSize};
    let ok = |text: &str| Ok(text.to_owned());
    assert_eq!(chosen(None, &[(b"MJPG", All), (b"YUYV", All)]), ok("YUYV"));
    assert_eq!(chosen(None, &[(b"MJPG", All), (b"YUYV", OtherRate)]), ok("MJPG"));
    assert_eq!(chosen(None, &[(b"MJPG", OtherSize), (b"YUYV", OtherRate)]), ok("YUYV"));
    assert_eq!(
        chosen(None, &[(b"pRAA", All), (b"H264", OtherSize), (b"GREY", OtherSize)]),
        ok("GREY")
    );
}

#[test]
fn what_is_wished_is_taken_under_all_its_names() {
    let offered = [(b"NM12", Fit::OtherSize), (b"YUYV", Fit::All), (b"JPEG", Fit::All)];
    assert_eq!(chosen(Some(FourCc::NV12), &offered), Ok("NM12".to_owned()));
    assert_eq!(chosen(Some(FourCc::MJPEG), &offered), Ok("JPEG".to_owned()));
}

#[test]
fn what_is_not_there_says_what_is() {
    let refused = |wished, offered| chosen(wished, offered).unwrap_err();
    let offered = [(b"YUYV", Fit::All), (b"BA81", Fit::All)];
    assert_eq!(refused(Some(FourCc::MJPEG), &offered), "does not offer MJPG; it offers YUYV, BA81");
    assert!(refused(Some(FourCc(*b"BA81")), &offered).contains("not carried; there are YUYV"));
    assert!(refused(None, &offered[1..]).starts_with("offers only BA81"));
}

#[test]
fn lists_of_sizes_and_rates_are_understood() {
    let vga = [Sizes::Discrete { width: 640, height: 480 }];
    assert!(offers_size(&vga, (640, 480)) && !offers_size(&vga, (640, 360)));
    assert!(offers_size(&[], (1, 1)), "no list is no reason against");
    let at = |fps| [Intervals::Discrete(Interval::of_fps(fps))];
    let thirty = Fps { frames: 30, seconds: 1 };
    assert!(
        offers_rate(&at(30), thirty)
            && offers_rate(&at(60), thirty)
            && !offers_rate(&at(15), thirty)
    );
    assert!(offers_rate(
        &[Intervals::Discrete(Interval { numerator: 333_333, denominator: 10_000_000 })],
        thirty
    ));
}

#[test]
fn colour_is_what_the_driver_says() {
    let hd = (colour::Matrix::Bt709, colour::Range::Full);
    let format = described(FourCc::YUYV, (2, 2), hd);
    assert_eq!((format.matrix, format.range), (Matrix::Bt709, Range::Full));
    let rgb = described(FourCc::RGB24, (2, 2), hd);
    assert_eq!(rgb, Format::packed(FourCc::RGB24, 2, 2));
}

#[test]
fn a_stamp_of_another_clock_is_not_believed() {
    let now = MonotonicNs(10_000_000_000_000);
    assert_eq!(believed(Some(MonotonicNs(9_999_000_000_000)), now), MonotonicNs(9_999_000_000_000));
    for stamp in [None, Some(MonotonicNs(now.0 + 1)), Some(MonotonicNs(1))] {
        assert_eq!(believed(stamp, now), now);
    }
}

#[test]
fn slow_cameras_get_more_time() {
    assert_eq!(stall(Duration::ZERO), Duration::from_secs(2));
    assert_eq!(stall(Duration::from_secs(1)), Duration::from_secs(20));
}
