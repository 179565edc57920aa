//! The cable: attaches the camera to the virtual host controller and serves its requests in time.

use std::collections::VecDeque;
use std::fs;
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::camera::{BULK_BYTES, Camera};
use crate::options::Options;
use crate::usbip::{
    Request, Unlinked, Wish, put_control_answer, put_data_answer, put_unlink_answer,
};

/// Where `vhci_hcd` takes and gives up devices.
const CONTROLLER: &str = "/sys/devices/platform/vhci_hcd.0";
/// The device's address on its bus; any works, one camera per port.
const DEVICE_ID: u32 = 1 << 16 | 2;
/// `USB_SPEED_HIGH`: 480 Mbit/s.
const HIGH_SPEED: u32 = 3;
/// One microframe: each isochronous packet has one.
const MICROFRAME: Duration = Duration::from_micros(125);
/// A bus this late behind the clock has lost its time: it starts anew instead of rushing.
const LATE: Duration = Duration::from_millis(20);
/// A bulk wish that nothing is due for is looked at again after this.
const BULK_PAUSE: Duration = Duration::from_millis(2);
/// Without wishes nothing happens by itself but the unplugging.
const IDLE_PAUSE: Duration = Duration::from_millis(50);
/// Answers are written out when they are this many bytes, even if more could be said.
const WRITE_BYTES: usize = 256 * 1024;

/// Plugs a camera in and serves it until it is unplugged: by itself after `unplug_after`, or by the kernel (an error).
pub(crate) fn plug(options: &Options, unplug_after: Option<Duration>) -> io::Result<()> {
    let (mut cable, kernel_end) = UnixStream::pair()?;
    let fd = kernel_end.as_raw_fd();
    fs::write(
        format!("{CONTROLLER}/attach"),
        format!("{} {fd} {DEVICE_ID} {HIGH_SPEED}\n", options.port),
    )
    .map_err(|e| io::Error::new(e.kind(), format!("failed to attach to `{CONTROLLER}`: {e}")))?;
    drop(kernel_end); // the kernel has its own reference
    eprintln!("uvcsim: plugged in");
    let born = Instant::now();
    let mut device = Device::new(options.clone());
    loop {
        if unplug_after.is_some_and(|limit| born.elapsed() > limit) {
            fs::write(format!("{CONTROLLER}/detach"), format!("{}\n", options.port))?;
            eprintln!("uvcsim: unplugged");
            return Ok(());
        }
        let mut answers = Vec::new();
        let pause = device.fulfil(&mut answers);
        cable.write_all(&answers).map_err(name_the_end)?;
        if is_readable(&cable, pause.min(IDLE_PAUSE))? {
            let mut answers = Vec::new();
            let request = Request::read(&mut cable).map_err(name_the_end)?;
            device.serve(request, &mut answers);
            cable.write_all(&answers).map_err(name_the_end)?;
        }
    }
}

/// The kernel closes its end when someone writes to the controller's `detach`.
fn name_the_end(error: io::Error) -> io::Error {
    use io::ErrorKind::{BrokenPipe, ConnectionReset, UnexpectedEof};
    match error.kind() {
        kind @ (UnexpectedEof | BrokenPipe | ConnectionReset) => {
            io::Error::new(kind, "unplugged from outside")
        }
        _ => error,
    }
}

fn is_readable(cable: &UnixStream, within: Duration) -> io::Result<bool> {
    let within = Timespec { tv_sec: 0, tv_nsec: within.subsec_nanos().into() };
    let ready = poll(&mut [PollFd::new(cable, PollFlags::IN)], Some(&within))?;
    Ok(ready > 0)
}

/// The camera with the host's wishes, oldest first.
struct Device {
    camera: Camera,
    wishes: VecDeque<Wish>,
    /// The time on the bus: when the oldest wish's first packet is due.
    bus: Instant,
}

impl Device {
    fn new(options: Options) -> Self {
        Self { camera: Camera::new(options), wishes: VecDeque::new(), bus: Instant::now() }
    }

    /// Takes a request in; answers what can be answered at once.
    fn serve(&mut self, request: Request, answers: &mut Vec<u8>) {
        match request {
            Request::Control { sequence, setup, data } => {
                let answer = self.camera.control(setup, &data);
                let answer = answer.as_ref().map(Vec::as_slice).map_err(|status| *status);
                put_control_answer(answers, sequence, data.len(), answer);
            }
            Request::Data(wish) => {
                if self.wishes.is_empty() {
                    self.catch_up(Instant::now());
                }
                self.wishes.push_back(wish);
            }
            Request::Unlink { sequence, victim } => {
                let before = self.wishes.len();
                self.wishes.retain(|wish| wish.sequence != victim);
                let is_found = self.wishes.len() < before;
                let unlinked = if is_found { Unlinked::InTime } else { Unlinked::TooLate };
                put_unlink_answer(answers, sequence, unlinked);
            }
        }
    }

    /// Answers the wishes whose time has come; returns how long to wait for the next.
    fn fulfil(&mut self, answers: &mut Vec<u8>) -> Duration {
        while let Some(wish) = self.wishes.front() {
            let now = Instant::now();
            let mut data = Vec::with_capacity(wish.len);
            let mut filled = Vec::new();
            if wish.packets.is_empty() {
                let capacity = wish.len.min(BULK_BYTES.into());
                if self.camera.put_payload(&mut data, capacity, now) == 0 {
                    return BULK_PAUSE;
                }
            } else {
                let count = u32::try_from(wish.packets.len()).expect("a few packets");
                let end = self.bus + MICROFRAME * count;
                if now < end {
                    return end - now;
                }
                for (packet, slot) in wish.packets.iter().zip(0..) {
                    let capacity = usize::try_from(packet.len).unwrap_or(0);
                    let at = self.bus + MICROFRAME * slot;
                    filled.push(self.camera.put_payload(&mut data, capacity, at));
                }
                self.bus = end;
            }
            put_data_answer(answers, wish, &data, &filled);
            self.wishes.pop_front();
            self.catch_up(now);
            if answers.len() > WRITE_BYTES {
                return Duration::ZERO;
            }
        }
        IDLE_PAUSE
    }

    /// Sets the bus to `now` if it is too late to be made up for.
    fn catch_up(&mut self, now: Instant) {
        if now > self.bus + LATE {
            self.bus = now;
        }
    }
}
