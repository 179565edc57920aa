//! Owner and subscriber need no runtime, and any runtime that waits for descriptors will do.
#![allow(clippy::unwrap_used, reason = "a failed step of a helper is a failed test")]
#![allow(
    deprecated,
    reason = "`register` is unsafe; `Raw` has one open descriptor for its whole life"
)]

use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::path::Path;
use std::time::Duration;

use eyelet_area::{
    Event, Format, FourCc, Frame, FrameBuilder, Limits, MonotonicNs, Owner, Subscriber, listen,
};
use rustix::event::{PollFd, PollFlags, poll};
use tokio::io::unix::AsyncFd;

const DEADLINE: Duration = Duration::from_secs(30);
/// More than one turn of an owner lets in.
const SUBSCRIBERS: usize = 120;
const FRAMES: u8 = 20;

fn owner(path: &Path) -> Owner {
    let owner = Owner::new(listen(path, 0o600).unwrap(), 0).unwrap();
    owner.with_limits(Limits { subscribers: SUBSCRIBERS })
}

fn frame(n: u8) -> Frame {
    let mut builder = FrameBuilder::new().unwrap();
    builder.write(&[n; 64]).unwrap();
    builder.seal(Format::packed(FourCc::GREY, 8, 8), MonotonicNs::now()).unwrap()
}

/// What tokio asks of a descriptor's owner.
struct Raw<T>(T);

impl<T: AsFd> AsRawFd for Raw<T> {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_fd().as_raw_fd()
    }
}

/// Waits for the next event as a task of tokio. Reads to the end before it waits, as its readiness is an edge.
async fn next(subscriber: &mut AsyncFd<Raw<Subscriber>>) -> Event {
    loop {
        let mut guard = subscriber.readable_mut().await.unwrap();
        match guard.get_inner_mut().0.try_receive().unwrap() {
            Some(event) => return event,
            None => guard.clear_ready(),
        }
    }
}

async fn own(owner: Owner) {
    let mut owner = AsyncFd::new(Raw(owner)).unwrap();
    let mut published = 0;
    while published < FRAMES {
        let mut guard = owner.readable_mut().await.unwrap();
        guard.clear_ready();
        let owner = &mut guard.get_inner_mut().0;
        owner.turn().unwrap();
        if owner.demand() == SUBSCRIBERS {
            published += 1;
            owner.publish(frame(published));
        }
    }
}

#[test]
fn tokio_drives_an_owner_and_its_subscribers() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("area");
    let owner = owner(&path);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let subscribers: Vec<_> = (0..SUBSCRIBERS)
            .map(|_| {
                let mut subscriber =
                    AsyncFd::new(Raw(Subscriber::connect(&path).unwrap())).unwrap();
                tokio::spawn(async move {
                    subscriber.get_mut().0.grant(1).unwrap();
                    assert!(matches!(next(&mut subscriber).await, Event::State(_)));
                    for n in 1..=FRAMES {
                        let event = next(&mut subscriber).await;
                        let Event::Frame { frame, missed: 0 } = event else { panic!("{event:?}") };
                        assert_eq!(frame.bytes().unwrap(), [n; 64]);
                        subscriber.get_mut().0.grant(1).unwrap();
                    }
                    assert!(matches!(next(&mut subscriber).await, Event::Closed));
                })
            })
            .collect();
        let all = async {
            own(owner).await;
            for subscriber in subscribers {
                subscriber.await.unwrap();
            }
        };
        tokio::time::timeout(DEADLINE, all).await.expect("nobody is forgotten");
    });
}

#[test]
fn poll_alone_drives_an_owner_and_a_subscriber() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("area");
    let mut owner = owner(&path);
    let receiver = std::thread::spawn(move || {
        let mut subscriber = Subscriber::connect(&path).unwrap();
        subscriber.grant(1).unwrap();
        let state = subscriber.receive(DEADLINE).unwrap();
        assert!(matches!(state, Some(Event::State(_))), "{state:?}");
        for n in 1..=FRAMES {
            let event = subscriber.receive(DEADLINE).unwrap();
            let Some(Event::Frame { frame, missed: 0 }) = event else { panic!("{event:?}") };
            assert_eq!(frame.bytes().unwrap(), [n; 64]);
            subscriber.grant(1).unwrap();
        }
        // Longer than a clock can count: the end comes all the same.
        let end = subscriber.receive(Duration::MAX).unwrap();
        assert!(matches!(end, Some(Event::Closed)), "{end:?}");
    });
    let mut published = 0;
    while published < FRAMES {
        let timeout = DEADLINE.try_into().unwrap();
        let ready =
            poll(&mut [PollFd::from_borrowed_fd(owner.as_fd(), PollFlags::IN)], Some(&timeout));
        assert_eq!(ready, Ok(1));
        owner.turn().unwrap();
        if owner.demand() == 1 {
            published += 1;
            owner.publish(frame(published));
        }
    }
    drop(owner);
    receiver.join().unwrap();
}
