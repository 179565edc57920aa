//! A camera's panel: a thread that asks the device, so that frames never wait for a control.
//!
//! A USB camera answers in milliseconds, or not for seconds. The thread has the device open a second time, as V4L2
//! allows: its calls and its events are apart from those of the frames.

use std::collections::VecDeque;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, SyncSender, TryRecvError, channel, sync_channel};
use std::time::{Duration, Instant};

use eyelet_v4l2::Device;
use eyelet_v4l2::event::{Kind, Topic};
use rustix::event::{EventfdFlags, PollFd, PollFlags, eventfd, poll};

use super::controls::DeviceControls;
use crate::due;
use crate::error::Error;
use crate::panel::{Controls as _, Job, News, Panel, perform};

/// Jobs that wait for a slow device; more come from somebody who does not wait for answers.
const MOST_WAITING: usize = 16;

/// Changes by others are looked at no more often: a slider elsewhere makes a hundred in a second, and some drivers change
/// a control with every frame.
const LOOK_INTERVAL: Duration = Duration::from_millis(200);

type Asked = (Option<u64>, Job);

/// The panel of a camera.
#[derive(Debug)]
pub(super) struct DevicePanel {
    /// None when the thread is to end.
    jobs: Option<SyncSender<Asked>>,
    news: Receiver<News>,
    /// Answered here, as the device is behind.
    refused: VecDeque<News>,
    /// Wakes the thread.
    bell: Arc<OwnedFd>,
    /// Rung by the thread when there are news.
    rung: Arc<OwnedFd>,
}

impl DevicePanel {
    /// Opens the device once more and starts its thread; none where that cannot be had, which the log says.
    pub(super) fn start(path: &Path) -> Option<Self> {
        let started = Self::try_start(path);
        started.map_err(|e| log::warn!("source={} has no controls: {e}", path.display())).ok()
    }

    fn try_start(path: &Path) -> Result<Self, String> {
        let device = Device::open(path).map_err(|e| e.to_string())?;
        let new_bell = || -> Result<_, String> {
            let bell = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK);
            bell.map(Arc::new).map_err(|e| e.to_string())
        };
        let (bell, rung) = (new_bell()?, new_bell()?);
        let (jobs, asked) = sync_channel(MOST_WAITING);
        let (tell, news) = channel();
        let desk = Desk { asked, tell, bell: Arc::clone(&bell), rung: Arc::clone(&rung) };
        let thread = std::thread::Builder::new().name("controls".to_owned());
        // Nobody waits for its end: a device that does not answer may hold it up.
        thread.spawn(move || desk.work(&device)).map_err(|e| e.to_string())?;
        Ok(Self { jobs: Some(jobs), news, refused: VecDeque::new(), bell, rung })
    }
}

impl AsFd for DevicePanel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.rung.as_fd()
    }
}

impl Panel for DevicePanel {
    fn ask(&mut self, tag: Option<u64>, job: Job) {
        let sent = self.jobs.as_ref().is_some_and(|jobs| jobs.try_send((tag, job)).is_ok());
        if sent {
            ring(&self.bell);
        } else {
            let text = "the camera has not answered what was asked of its controls before";
            self.refused.push_back(News { tag, outcome: Err(Error::unavailable(text)) });
        }
    }

    fn news(&mut self) -> Option<News> {
        hush(&self.rung);
        self.refused.pop_front().or_else(|| self.news.try_recv().ok())
    }
}

impl Drop for DevicePanel {
    fn drop(&mut self) {
        self.jobs = None;
        ring(&self.bell);
    }
}

/// The thread's side.
struct Desk {
    asked: Receiver<Asked>,
    tell: Sender<News>,
    bell: Arc<OwnedFd>,
    rung: Arc<OwnedFd>,
}

/// What a wait ended with.
struct Woken {
    has_event: bool,
    is_broken: bool,
}

impl Desk {
    /// Works until the camera is closed.
    fn work(self, device: &Device) {
        let mut controls = DeviceControls::of(device);
        let mut tells_events = controls.list().is_ok() && subscribe(device, &controls);
        // When changes by others are to be looked at.
        let mut look_at: Option<Instant> = None;
        loop {
            let woken = self.wait(device, tells_events, look_at);
            tells_events &= !woken.is_broken;
            hush(&self.bell);
            loop {
                match self.asked.try_recv() {
                    Ok((tag, job)) => self.answer(&mut controls, tag, &job),
                    Err(TryRecvError::Empty) => break,
                    Err(TryRecvError::Disconnected) => return,
                }
            }
            if woken.has_event && has_changed(device) {
                look_at = look_at.or_else(|| Some(Instant::now() + LOOK_INTERVAL));
            }
            if look_at.is_some_and(|at| at <= Instant::now()) {
                look_at = None;
                self.answer(&mut controls, None, &Job::List);
            }
        }
    }

    fn wait(&self, device: &Device, tells_events: bool, look_at: Option<Instant>) -> Woken {
        let mut fds = vec![PollFd::new(&self.bell, PollFlags::IN)];
        if tells_events {
            fds.push(PollFd::new(device, PollFlags::PRI));
        }
        // An interrupted wait finds nothing, and is begun again.
        poll(&mut fds, due::within(look_at).as_ref()).ok();
        let found = fds.get(1).map_or(PollFlags::empty(), PollFd::revents);
        let has_event = found.contains(PollFlags::PRI);
        // A device that is gone says so for ever.
        let is_broken = !has_event && !found.is_empty();
        Woken { has_event, is_broken }
    }

    fn answer(&self, controls: &mut DeviceControls<'_>, tag: Option<u64>, job: &Job) {
        let outcome = perform(controls, job).map(|mut done| {
            done.keep_within_message();
            done
        });
        // Whoever asked may have closed the camera.
        self.tell.send(News { tag, outcome }).ok();
        ring(&self.rung);
    }
}

/// Asks to be told of changes by others; true if the driver tells of any.
fn subscribe(device: &Device, controls: &DeviceControls<'_>) -> bool {
    let subscribed = |number| device.subscribe(Topic::Control(number)).is_ok();
    controls.numbers().filter(|number| subscribed(*number)).count() > 0
}

/// Takes all events; true if one was of a control.
fn has_changed(device: &Device) -> bool {
    let mut has_changed = false;
    while let Ok(Some(event)) = device.dequeue_event() {
        has_changed |= matches!(event.kind, Kind::Control { .. });
    }
    has_changed
}

fn ring(bell: &OwnedFd) {
    // It can only be full of rings already.
    rustix::io::write(bell, &1u64.to_ne_bytes()).ok();
}

fn hush(bell: &OwnedFd) {
    rustix::io::read(bell, &mut [0; 8]).ok();
}
