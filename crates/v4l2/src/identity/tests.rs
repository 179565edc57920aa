use std::os::unix::fs::symlink;

use tempfile::TempDir;

use super::*;

/// A sysfs that a test fills.
struct Sysfs(TempDir);

impl Sysfs {
    fn new() -> Self {
        let root = tempfile::tempdir().expect("a folder");
        fs::create_dir_all(root.path().join(CLASS)).expect("a folder");
        fs::create_dir_all(root.path().join("devices")).expect("a folder");
        Self(root)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Adds a node of the device at a place; nodes of class folders are links, as in the real one.
    fn node(&self, number: u32, name: &str, index: u32, place: &str) -> &Self {
        let device = self.path().join("devices").join(place);
        let node = device.join(format!("video4linux/video{number}"));
        fs::create_dir_all(&node).expect("a folder");
        fs::write(node.join("name"), format!("{name}\n")).expect("a name");
        fs::write(node.join("index"), format!("{index}\n")).expect("an index");
        symlink(&device, node.join("device")).expect("a link");
        let class = self.path().join(CLASS).join(format!("video{number}"));
        symlink(&node, class).expect("a link");
        self
    }

    /// Makes the folder a USB device.
    fn usb(&self, place: &str, serial: Option<&str>) -> &Self {
        let device = self.path().join("devices").join(place);
        fs::create_dir_all(&device).expect("a folder");
        fs::write(device.join("idVendor"), "1415\n").expect("a vendor");
        fs::write(device.join("idProduct"), "2000\n").expect("a product");
        if let Some(serial) = serial {
            fs::write(device.join("serial"), format!("{serial}\n")).expect("a serial number");
        }
        self
    }

    fn read(&self, node: &str) -> Identity {
        Identity::read(self.path(), node).expect("a node")
    }

    fn find(&self, identity: &Identity) -> Option<String> {
        find_in(self.path(), identity).expect("a list")
    }
}

const NAME: &str = "USB Camera-B4.09.24.1";

#[test]
fn usb_camera_is_read_through_its_interface() {
    let sysfs = Sysfs::new();
    sysfs.usb("pci0/usb1/1-2", Some("SIM0001")).node(3, NAME, 0, "pci0/usb1/1-2/1-2:1.0");
    let usb = Usb {
        vendor: "1415".to_owned(),
        product: "2000".to_owned(),
        serial: Some("SIM0001".to_owned()),
    };
    let expected = Identity {
        name: NAME.to_owned(),
        index: 0,
        place: Some("pci0/usb1/1-2/1-2:1.0".to_owned()),
        usb: Some(usb),
    };
    assert_eq!(sysfs.read("video3"), expected);
}

#[test]
fn platform_device_has_a_place_and_no_usb() {
    let sysfs = Sysfs::new();
    sysfs.node(0, "vivid-000-vid-cap", 0, "platform/vivid.0");
    let identity = sysfs.read("video0");
    assert_eq!(identity.place.as_deref(), Some("platform/vivid.0"));
    assert_eq!(identity.usb, None);
}

#[test]
fn hostile_serial_number_is_cleaned() {
    let sysfs = Sysfs::new();
    sysfs.usb("usb1/1-2", Some("\x1b]0;x\x07")).node(0, NAME, 0, "usb1/1-2/1-2:1.0");
    let usb = sysfs.read("video0").usb.expect("a USB device");
    assert_eq!(usb.serial.as_deref(), Some("\u{fffd}]0;x\u{fffd}"));
}

#[test]
fn camera_is_found_under_another_number() {
    let before = Sysfs::new();
    before.node(0, "vivid-000-vid-cap", 0, "platform/vivid.0");
    let identity = before.read("video0");
    let after = Sysfs::new();
    after.node(1, "vivid-000-vid-cap", 0, "platform/vivid.0");
    after.node(2, "vivid-001-vid-cap", 0, "platform/vivid.1");
    assert_eq!(after.find(&identity).as_deref(), Some("video1"));
    assert_eq!(Sysfs::new().find(&identity), None);
}

#[test]
fn serial_number_follows_a_camera_to_another_socket() {
    let before = Sysfs::new();
    before.usb("usb1/1-1", Some("A")).node(0, NAME, 0, "usb1/1-1/1-1:1.0");
    let identity = before.read("video0");
    let after = Sysfs::new();
    after.usb("usb1/1-1", Some("B")).node(0, NAME, 0, "usb1/1-1/1-1:1.0");
    after.usb("usb1/1-3", Some("A")).node(2, NAME, 0, "usb1/1-3/1-3:1.0");
    assert_eq!(after.find(&identity).as_deref(), Some("video2"));
    assert_eq!(identity.likeness(&after.read("video2")), Likeness::Serial);
    assert_eq!(identity.likeness(&after.read("video0")), Likeness::Different);
}

#[test]
fn cameras_with_the_same_serial_number_are_told_apart_by_their_place() {
    let sysfs = Sysfs::new();
    sysfs.usb("usb1/1-1", Some("SN0001")).node(0, NAME, 0, "usb1/1-1/1-1:1.0");
    sysfs.usb("usb1/1-2", Some("SN0001")).node(2, NAME, 0, "usb1/1-2/1-2:1.0");
    assert_eq!(sysfs.find(&sysfs.read("video0")).as_deref(), Some("video0"));
    assert_eq!(sysfs.find(&sysfs.read("video2")).as_deref(), Some("video2"));
}

#[test]
fn camera_without_serial_number_is_taken_elsewhere_if_it_is_the_only_one() {
    let before = Sysfs::new();
    before.usb("usb1/1-1", None).node(0, NAME, 0, "usb1/1-1/1-1:1.0");
    let identity = before.read("video0");
    let after = Sysfs::new();
    after.usb("usb1/1-3", None).node(5, NAME, 0, "usb1/1-3/1-3:1.0");
    assert_eq!(after.find(&identity).as_deref(), Some("video5"));
    after.usb("usb1/1-4", None).node(6, NAME, 0, "usb1/1-4/1-4:1.0");
    assert_eq!(after.find(&identity), None, "either could be it");
}

#[test]
fn metadata_node_is_not_its_camera() {
    let sysfs = Sysfs::new();
    sysfs.usb("usb1/1-1", Some("A"));
    sysfs.node(0, NAME, 0, "usb1/1-1/1-1:1.0").node(1, NAME, 1, "usb1/1-1/1-1:1.0");
    assert_eq!(sysfs.find(&sysfs.read("video1")).as_deref(), Some("video1"));
    assert_eq!(sysfs.find(&sysfs.read("video0")).as_deref(), Some("video0"));
}

#[test]
fn likeness_goes_both_ways_and_is_greatest_with_oneself() {
    let sysfs = Sysfs::new();
    sysfs.usb("usb1/1-1", Some("A")).node(0, NAME, 0, "usb1/1-1/1-1:1.0");
    sysfs.usb("usb1/1-2", None).node(2, NAME, 0, "usb1/1-2/1-2:1.0");
    let (one, two) = (sysfs.read("video0"), sysfs.read("video2"));
    assert_eq!(one.likeness(&one), Likeness::Same);
    assert_eq!(two.likeness(&two), Likeness::Place);
    assert_eq!(one.likeness(&two), two.likeness(&one));
}

#[test]
fn nodes_are_listed_by_number_and_others_are_not() {
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["video10", "video2", "vbi0", "video", "videoX", "v4l-subdev0", "radio0"] {
        fs::write(folder.path().join(name), "").expect("a node");
    }
    assert_eq!(nodes(folder.path()).expect("a list"), ["video2", "video10"]);
    assert!(nodes(&folder.path().join("missing")).expect("an empty list").is_empty());
}

#[test]
fn unknown_node_is_not_found() {
    let sysfs = Sysfs::new();
    let error = Identity::read(sysfs.path(), "video7").expect_err("no such node");
    assert_eq!(error.kind(), ErrorKind::NotFound);
}
