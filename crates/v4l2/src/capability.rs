//! What a node is: a camera, or one of the many other things that are called `/dev/videoN`.

use std::fmt;

use crate::colour::is_bayer;
use crate::format::Description;
use crate::ioctl::{self, BufType};

/// `V4L2_CAP_*`.
mod bit {
    pub(super) const VIDEO_CAPTURE: u32 = 0x0000_0001;
    pub(super) const VIDEO_OUTPUT: u32 = 0x0000_0002;
    pub(super) const VIDEO_CAPTURE_MPLANE: u32 = 0x0000_1000;
    pub(super) const VIDEO_OUTPUT_MPLANE: u32 = 0x0000_2000;
    pub(super) const VIDEO_M2M_MPLANE: u32 = 0x0000_4000;
    pub(super) const VIDEO_M2M: u32 = 0x0000_8000;
    pub(super) const META_CAPTURE: u32 = 0x0080_0000;
    pub(super) const STREAMING: u32 = 0x0400_0000;
    pub(super) const META_OUTPUT: u32 = 0x0800_0000;
    pub(super) const TOUCH: u32 = 0x1000_0000;
    pub(super) const IO_MC: u32 = 0x2000_0000;
    pub(super) const DEVICE_CAPS: u32 = 0x8000_0000;
}

/// The driver's name of `v4l2loopback`, whose nodes are cameras although they may announce everything.
const LOOPBACK: &str = "v4l2 loopback";

/// Drivers whose capture nodes are the end of a processor and give nothing unless somebody feeds its other nodes: the ISP
/// of the Raspberry Pi 1 to 4, which does not announce it, and that of the Pi 5.
const IMAGE_PROCESSORS: [&str; 2] = ["bcm2835-isp", "pispbe"];

/// Who the driver of a node is and what the node can do.
///
/// Source: `struct v4l2_capability`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Capability {
    /// The driver's name: `uvcvideo`.
    pub driver: String,
    /// The device's name, often the camera's own words for itself.
    pub card: String,
    /// Where it is connected, in the driver's words: `usb-0000:00:14.0-2`.
    pub bus: String,
    /// The version of the kernel, or of a driver from outside of it: major, minor, patch.
    pub version: (u8, u8, u8),
    /// What this node can do: the bits `V4L2_CAP_*`.
    pub device_caps: u32,
}

/// Why a node is not taken for a camera.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NotCamera {
    /// It gives or takes metadata; every `uvcvideo` camera has such a second node.
    Metadata,
    /// It encodes, decodes or scales what a program feeds it.
    Codec,
    /// It is one end of an image signal processor.
    ImageProcessor,
    /// It shows video.
    Output,
    /// It is a touch pad or screen.
    Touch,
    /// It has to be set up with other nodes through the media controller, as `libcamera` does.
    MediaController,
    /// It gives only what a sensor sees before any processing, which is `libcamera`'s work too.
    RawBayerOnly,
    /// It captures video and offers no format: nothing connected, or a driver that waits for something.
    NoFormats,
    /// It captures video, but not into mapped buffers.
    NoStreaming,
    /// It does none of that: teletext, radio.
    Other,
}

impl Capability {
    pub(crate) fn new(raw: &ioctl::capability::Capability) -> Self {
        // Kernels before 3.4 have only the capabilities of the whole device.
        let has_own = raw.capabilities & bit::DEVICE_CAPS != 0;
        let [_, major, minor, patch] = raw.version.to_be_bytes();
        Self {
            driver: ioctl::text(&raw.driver),
            card: ioctl::text(&raw.card),
            bus: ioctl::text(&raw.bus_info),
            version: (major, minor, patch),
            device_caps: if has_own { raw.device_caps } else { raw.capabilities },
        }
    }

    fn has(&self, any_of: u32) -> bool {
        self.device_caps & any_of != 0
    }

    /// Whether it captures video.
    #[must_use]
    pub fn is_capture(&self) -> bool {
        self.has(bit::VIDEO_CAPTURE | bit::VIDEO_CAPTURE_MPLANE)
    }

    /// Whether its buffers may have several planes.
    #[must_use]
    pub fn is_multi_planar(&self) -> bool {
        self.buf_type() == Some(BufType::Multi)
    }

    /// Whether it gives frames into mapped buffers.
    #[must_use]
    pub fn is_streaming(&self) -> bool {
        self.has(bit::STREAMING)
    }

    /// Whether it gives or takes metadata.
    #[must_use]
    pub fn is_metadata(&self) -> bool {
        self.has(bit::META_CAPTURE | bit::META_OUTPUT)
    }

    /// Whether it shows video.
    #[must_use]
    pub fn is_output(&self) -> bool {
        self.has(bit::VIDEO_OUTPUT | bit::VIDEO_OUTPUT_MPLANE)
    }

    /// Whether it turns video that is fed to it into other video (memory to memory).
    #[must_use]
    pub fn is_codec(&self) -> bool {
        let both_ways = self.is_capture() && self.is_output();
        (both_ways || self.has(bit::VIDEO_M2M | bit::VIDEO_M2M_MPLANE)) && self.driver != LOOPBACK
    }

    /// Whether it is a touch device.
    #[must_use]
    pub fn is_touch(&self) -> bool {
        self.has(bit::TOUCH)
    }

    /// Whether it needs to be set up through the media controller.
    #[must_use]
    pub fn needs_media_controller(&self) -> bool {
        self.has(bit::IO_MC)
    }

    /// The interface to capture with; the simple one where there are both.
    pub(crate) fn buf_type(&self) -> Option<BufType> {
        if self.has(bit::VIDEO_CAPTURE) {
            Some(BufType::Single)
        } else {
            self.has(bit::VIDEO_CAPTURE_MPLANE).then_some(BufType::Multi)
        }
    }

    /// Why this node, with these formats, is not taken for a camera unasked; `None` for a camera.
    ///
    /// Who names a node wants that node: [`Device::open`](crate::Device::open) refuses only what cannot capture.
    #[must_use]
    pub fn not_camera(&self, formats: &[Description]) -> Option<NotCamera> {
        if self.is_codec() {
            Some(NotCamera::Codec)
        } else if IMAGE_PROCESSORS.contains(&self.driver.as_str()) {
            Some(NotCamera::ImageProcessor)
        } else if self.is_touch() {
            Some(NotCamera::Touch)
        } else if let Some(reason) = self.no_capture() {
            Some(reason)
        } else if self.needs_media_controller() {
            Some(NotCamera::MediaController)
        } else if formats.is_empty() {
            Some(NotCamera::NoFormats)
        } else if formats.iter().all(|format| is_bayer(format.fourcc)) {
            Some(NotCamera::RawBayerOnly)
        } else {
            None
        }
    }

    /// Why nothing can be captured from this node at all.
    pub(crate) fn no_capture(&self) -> Option<NotCamera> {
        if self.is_capture() {
            (!self.is_streaming()).then_some(NotCamera::NoStreaming)
        } else if self.is_metadata() {
            Some(NotCamera::Metadata)
        } else if self.is_codec() {
            Some(NotCamera::Codec)
        } else if self.is_output() {
            Some(NotCamera::Output)
        } else {
            Some(NotCamera::Other)
        }
    }
}

impl fmt::Display for NotCamera {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Metadata => "metadata, not video",
            Self::Codec => "a codec or scaler, which works on what it is fed",
            Self::ImageProcessor => "part of an image signal processor",
            Self::Output => "a video output",
            Self::Touch => "a touch device",
            Self::MediaController => "needs setting up through the media controller (libcamera)",
            Self::RawBayerOnly => "gives raw sensor data only (libcamera)",
            Self::NoFormats => "offers no format",
            Self::NoStreaming => "does not stream into mapped buffers",
            Self::Other => "no video capture",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn capability(driver: &str, device_caps: u32) -> Capability {
        let raw = ioctl::capability::Capability::sample(driver, bit::DEVICE_CAPS, device_caps);
        Capability::new(&raw)
    }

    fn formats(codes: &[&[u8; 4]]) -> Vec<Description> {
        let one = |&&fourcc: &&[u8; 4]| Description {
            fourcc,
            text: String::new(),
            is_compressed: false,
            is_emulated: false,
        };
        codes.iter().map(one).collect()
    }

    fn reason(driver: &str, device_caps: u32, codes: &[&[u8; 4]]) -> Option<NotCamera> {
        capability(driver, device_caps).not_camera(&formats(codes))
    }

    #[test]
    fn webcam_is_a_camera_and_its_second_node_is_not() {
        assert_eq!(reason("uvcvideo", 0x0420_0001, &[b"MJPG", b"YUYV"]), None);
        assert_eq!(reason("uvcvideo", 0x04a0_0000, &[]), Some(NotCamera::Metadata));
    }

    #[test]
    fn nodes_of_a_raspberry_pi_are_told_apart() {
        assert_eq!(reason("bcm2835-codec", 0x0420_4000, &[b"H264"]), Some(NotCamera::Codec));
        assert_eq!(reason("bcm2835-isp", 0x0420_0001, &[b"YUYV"]), Some(NotCamera::ImageProcessor));
        assert_eq!(reason("unicam", 0x2520_0001, &[b"pRAA"]), Some(NotCamera::MediaController));
        assert_eq!(
            reason("unicam", 0x0520_0001, &[b"pRAA", b"RG10"]),
            Some(NotCamera::RawBayerOnly)
        );
        assert_eq!(reason("bm2835 mmal", 0x0520_0005, &[b"YU12", b"H264"]), None);
    }

    #[test]
    fn loopback_is_a_camera_whatever_it_announces() {
        assert_eq!(reason("v4l2 loopback", 0x0520_8003, &[b"YUYV"]), None);
        assert_eq!(reason("v4l2 loopback", 0x0520_8002, &[]), Some(NotCamera::Output));
        assert_eq!(reason("vicodec", 0x0420_0003, &[b"YU12"]), Some(NotCamera::Codec));
    }

    #[test]
    fn other_nodes_say_why() {
        assert_eq!(reason("vivid", 0x0520_0002, &[]), Some(NotCamera::Output));
        assert_eq!(reason("atmel_mxt_ts", 0x1520_0001, &[b"TD16"]), Some(NotCamera::Touch));
        assert_eq!(reason("vivid", 0x0521_0010, &[]), Some(NotCamera::Other));
        assert_eq!(reason("old", 0x0120_0001, &[b"YUYV"]), Some(NotCamera::NoStreaming));
        assert_eq!(reason("hdmi", 0x0420_0001, &[]), Some(NotCamera::NoFormats));
    }

    #[test]
    fn simple_interface_is_preferred() {
        assert_eq!(capability("x", 0x0400_0001).buf_type(), Some(BufType::Single));
        assert_eq!(capability("x", 0x0400_1000).buf_type(), Some(BufType::Multi));
        assert_eq!(capability("x", 0x0400_1001).buf_type(), Some(BufType::Single));
        assert_eq!(capability("x", 0x0400_0000).buf_type(), None);
    }

    #[test]
    fn old_kernels_have_only_the_capabilities_of_the_whole() {
        let raw = ioctl::capability::Capability::sample("old", 0x0400_0001, 0xdead_beef);
        assert_eq!(Capability::new(&raw).device_caps, 0x0400_0001);
    }

    #[test]
    fn names_are_cut_at_the_end_and_cleaned() {
        assert_eq!(ioctl::text(b"UVC Camera\0junk"), "UVC Camera");
        assert_eq!(ioctl::text(b"no end"), "no end");
        assert_eq!(ioctl::text(b"\0"), "");
        assert_eq!(ioctl::text(b" a\x1b[2Jb \0"), "a\u{fffd}[2Jb");
        assert_eq!(ioctl::text(b"caf\xe9\0"), "caf\u{fffd}");
    }
}
