//! A witness on the area itself.

use eyelet_area::{ErrorKind, Event, Frame, Subscriber};

use super::{End, LOOK_EVERY, Number, Post, Sighting};

/// Frames that it takes at a time, as roles do.
const CREDIT: u32 = 2;

/// One connection, from the first credit to the owner's end.
pub(super) fn watch(post: &Post) -> End {
    let mut subscriber = match Subscriber::connect(&post.area) {
        Ok(subscriber) => subscriber,
        // The socket is there always, but a stopped owner lets nobody in, and the queue is short.
        Err(error) if error.kind() == ErrorKind::NoOwner => return End::Lost,
        Err(error) => return End::Wrong(format!("{}: not let in: {error}", post.name)),
    };
    if subscriber.grant(CREDIT).is_err() {
        return End::Lost;
    }
    post.connected(None);
    while !post.is_leaving() {
        match subscriber.receive(LOOK_EVERY) {
            Ok(Some(Event::Frame { frame, .. })) => {
                if let Err(end) = on_frame(post, &frame) {
                    return end;
                }
                drop(frame);
                if subscriber.grant(1).is_err() {
                    return End::Lost;
                }
            }
            Ok(Some(Event::Closed)) => return End::Lost,
            Ok(_) => {}
            Err(error) => return End::Wrong(format!("{}: not to be believed: {error}", post.name)),
        }
    }
    End::Wanted
}

fn on_frame(post: &Post, frame: &Frame) -> Result<(), End> {
    let wrong = |what: String| End::Wrong(format!("{}: {what}", post.name));
    let bytes = frame.bytes().map_err(|error| wrong(format!("cannot be mapped: {error}")))?;
    post.kind.check(bytes).map_err(wrong)?;
    let info = frame.info();
    let number = Number::Sequence(info.sequence);
    post.saw(Sighting { number, captured_us: info.captured_at.0 / 1000 })
}
