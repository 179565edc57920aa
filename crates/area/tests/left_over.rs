//! What an owner must not leave behind.
#![allow(clippy::unwrap_used, reason = "a failed step of a helper is a failed test")]

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use eyelet_area::{
    ErrorKind, Event, Format, FourCc, Frame, FrameBuilder, Limits, MonotonicNs, Owner, Subscriber,
    listen, message,
};
use rustix::event::{Timespec, epoll};
use rustix::net::{
    AddressFamily, SendFlags, Shutdown, SocketAddrUnix, SocketFlags, SocketType, shutdown,
};

const NOW: Timespec = Timespec { tv_sec: 0, tv_nsec: 0 };

fn area() -> (tempfile::TempDir, PathBuf, Owner) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("area");
    let owner = Owner::new(listen(&path, 0o600).unwrap(), 0).unwrap();
    (folder, path, owner)
}

fn frame() -> Frame {
    let mut builder = FrameBuilder::new().unwrap();
    builder.write(&[7; 64]).unwrap();
    builder.seal(Format::packed(FourCc::GREY, 8, 8), MonotonicNs::now()).unwrap()
}

fn connect(path: &Path) -> OwnedFd {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket =
        rustix::net::socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None).unwrap();
    rustix::net::connect(&socket, &SocketAddrUnix::new(path).unwrap()).unwrap();
    socket
}

#[test]
fn who_waits_for_the_edge_forgets_nobody() {
    let (_folder, path, owner) = area();
    let mut owner = owner.with_limits(Limits { subscribers: 1000 });
    let set = epoll::create(epoll::CreateFlags::CLOEXEC).unwrap();
    let flags = epoll::EventFlags::IN | epoll::EventFlags::ET;
    epoll::add(&set, &owner, epoll::EventData::new_u64(0), flags).unwrap();
    let _crowd: Vec<_> = (0..120).map(|_| connect(&path)).collect();
    // As tokio's AsyncFd: one turn for each edge.
    let mut events = Vec::with_capacity(1);
    while epoll::wait(&set, rustix::buffer::spare_capacity(&mut events), Some(&NOW)).unwrap() > 0 {
        events.clear();
        owner.turn().unwrap();
    }
    assert_eq!(owner.subscribers(), 120);
}

#[test]
fn a_subscriber_that_only_grants_pins_a_handful_of_frames() {
    let (_folder, path, mut owner) = area();
    let peer = connect(&path);
    let mut good = Subscriber::connect(&path).unwrap();
    for _ in 0..500 {
        // Its own socket may be full as well: then it has granted enough.
        rustix::net::send(&peer, &message::encode_credit(1, false), SendFlags::DONTWAIT).ok();
        good.grant(1).unwrap();
        if !owner.turn().unwrap().refused.is_empty() {
            break;
        }
        owner.publish(frame());
        while let Some(event) = good.try_receive().unwrap() {
            assert!(!matches!(event, Event::Closed | Event::Frame { missed: 1.., .. }));
        }
    }
    let mut pinned = 0;
    let mut buffer = [0; 256];
    while let Ok((1.., len)) =
        rustix::net::recv(&peer, &mut buffer, rustix::net::RecvFlags::DONTWAIT)
    {
        pinned += usize::from(len == message::FRAME_MESSAGE_LEN);
    }
    assert!((2..=8).contains(&pinned), "{pinned} frames were on their way");
}

#[test]
fn a_subscriber_that_hears_no_more_is_no_demand() {
    let (_folder, path, mut owner) = area();
    let peer = connect(&path);
    rustix::net::send(&peer, &message::encode_credit(2, false), SendFlags::empty()).unwrap();
    owner.turn().unwrap();
    assert_eq!(owner.demand(), 1);
    shutdown(&peer, Shutdown::Read).unwrap();
    owner.publish(frame());
    assert_eq!(owner.turn().unwrap().left, 1);
    assert_eq!((owner.subscribers(), owner.demand()), (0, 0));
}

#[test]
fn a_generation_that_does_not_fit_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let own = |name: &str, generation| {
        Owner::new(listen(&folder.path().join(name), 0o600).unwrap(), generation)
    };
    assert_eq!(own("last", (1 << 24) - 1).unwrap().sequence() >> 40, (1 << 24) - 1);
    assert_eq!(own("next", 1 << 24).unwrap_err().kind(), ErrorKind::TooLarge);
}
