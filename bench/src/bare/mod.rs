//! Servers that do nothing but send: one thread, no HTTP to speak of, one call per frame and viewer.
//!
//! They speak just enough of bare WebSocket and of multipart for `eyelet watch`, so that Eyelet and the kernel's calls
//! are measured by the same tool, on the same bytes. What they lack is what Eyelet's work costs.

mod greeting;
mod message;
mod viewer;

use std::mem::MaybeUninit;
use std::net::{Ipv4Addr, TcpListener};
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::str::FromStr;

use anyhow::{Context as _, Error, Result, bail};
use rustix::event::epoll::{self, Event, EventData, EventFlags};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};

use crate::picture::{Content, Picture};
use message::{Framing, Message};
use viewer::Viewer;

const FPS: i64 = 30;
/// Viewers that may wait to be let in: all come at once.
const BACKLOG: i32 = 4096;
const LISTENER: u64 = u64::MAX;
const TIMER: u64 = u64::MAX - 1;

/// The call that sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// `send` of a buffer: the kernel copies.
    Write,
    /// `sendfile` from a fresh sealed memfd.
    Sendfile,
    /// `tee` of a pipe that holds the memfd's pages, and `splice`.
    Tee,
}

impl FromStr for Way {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "write" => Ok(Self::Write),
            "sendfile" => Ok(Self::Sendfile),
            "tee" => Ok(Self::Tee),
            _ => bail!("`{text}` is no way of sending: there are write, sendfile and tee"),
        }
    }
}

/// Gives a descriptor that becomes readable with every frame that is due.
pub(crate) fn ticks() -> Result<OwnedFd> {
    let timer = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::CLOEXEC)?;
    let interval = Timespec { tv_sec: 0, tv_nsec: 1_000_000_000 / FPS };
    let times = Itimerspec { it_interval: interval, it_value: interval };
    timerfd_settime(&timer, TimerfdTimerFlags::empty(), &times)?;
    Ok(timer)
}

/// Listens on a free port, says where, and sends until it is killed.
pub(crate) fn run(way: Way, content: Content) -> Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("failed to listen")?;
    rustix::net::listen(&listener, BACKLOG)?;
    listener.set_nonblocking(true)?;
    let (epoll, timer) = (epoll::create(epoll::CreateFlags::CLOEXEC)?, ticks()?);
    epoll::add(&epoll, &listener, EventData::new_u64(LISTENER), EventFlags::IN)?;
    epoll::add(&epoll, &timer, EventData::new_u64(TIMER), EventFlags::IN)?;
    println!("listening on http://{}", listener.local_addr()?);
    let mut server = Server {
        way,
        picture: Picture::new(content)?,
        newest: [None, None],
        viewers: Vec::new(),
        epoll,
    };
    let mut buffer = [MaybeUninit::<Event>::uninit(); 1024];
    loop {
        let (events, _) = epoll::wait(&server.epoll, &mut buffer, None)?;
        for event in events {
            match event.data.u64() {
                LISTENER => server.welcome(&listener)?,
                TIMER => {
                    rustix::io::read(&timer, &mut [0; 8])?;
                    server.publish()?;
                }
                at => server.go_on(usize::try_from(at)?, event.flags),
            }
        }
    }
}

struct Server {
    way: Way,
    picture: Picture,
    /// The newest frame, for each framing that somebody wants.
    newest: [Option<Rc<Message>>; 2],
    /// By their number; `None` where one has left.
    viewers: Vec<Option<Viewer>>,
    epoll: OwnedFd,
}

impl Server {
    fn welcome(&mut self, listener: &TcpListener) -> Result<()> {
        while let Ok((stream, _)) = listener.accept() {
            let Some((stream, framing)) = greeting::greet(stream) else { continue };
            let flags = EventFlags::OUT | EventFlags::RDHUP | EventFlags::ET;
            let number = EventData::new_u64(self.viewers.len() as u64);
            epoll::add(&self.epoll, &stream, number, flags)?;
            self.viewers.push(Some(Viewer::new(stream, framing)));
        }
        Ok(())
    }

    fn publish(&mut self) -> Result<()> {
        let payload = self.picture.next();
        for framing in [Framing::WebSocket, Framing::Multipart] {
            let is_wanted = self.viewers.iter().flatten().any(|v| v.framing == framing);
            let newest = &mut self.newest[framing as usize];
            let old = newest.take().filter(|_| is_wanted);
            if is_wanted {
                *newest = Some(Rc::new(Message::new(self.way, framing, payload, old)?));
            }
        }
        for viewer in &mut self.viewers {
            let newest = viewer.as_ref().and_then(|v| self.newest[v.framing as usize].as_ref());
            let Some(newest) = newest else { continue };
            if viewer.as_mut().is_some_and(|v| !v.is_busy() && v.send(newest).is_err()) {
                *viewer = None;
            }
        }
        Ok(())
    }

    fn go_on(&mut self, at: usize, flags: EventFlags) {
        let Some(place) = self.viewers.get_mut(at) else { return };
        let Some(viewer) = place else { return };
        let has_left = flags.intersects(EventFlags::RDHUP | EventFlags::HUP | EventFlags::ERR);
        let newest = self.newest[viewer.framing as usize].as_ref();
        if has_left || viewer.go_on(newest).is_err() {
            *place = None;
        }
    }
}
