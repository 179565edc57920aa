//! The connectors of a capture card. A camera has one, or says nothing about it.

use std::os::fd::AsFd;

use crate::device::Device;
use crate::error::Result;
use crate::format::MAX_LISTED;
use crate::ioctl::{self, input as raw};

/// One connector.
///
/// Source: `struct v4l2_input`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Input {
    /// Its position, which [`Device::set_input`] takes.
    pub index: u32,
    /// The driver's words for it: `HDMI 0`.
    pub name: String,
    /// Nothing arrives there (no power, no signal, no lock), as far as the driver knows; it knows only of the input in use.
    pub has_no_signal: bool,
    /// It has digital timings, to be [detected](Device::detect_signal) and set.
    pub has_timings: bool,
}

impl Input {
    fn new(raw: &raw::Input) -> Self {
        // `V4L2_IN_ST_NO_POWER`, `_NO_SIGNAL`, `_NO_H_LOCK`, `_NO_V_LOCK`, `_NO_STD_LOCK`, `_NO_SYNC`, `_NO_CARRIER`.
        const NOTHING_ARRIVES: u32 = 0x1 | 0x2 | 0x100 | 0x400 | 0x800 | 0x1_0000 | 0x4_0000;
        // `V4L2_IN_CAP_DV_TIMINGS`.
        const HAS_TIMINGS: u32 = 0x2;
        Self {
            index: raw.index,
            name: ioctl::text(&raw.name),
            has_no_signal: raw.status & NOTHING_ARRIVES != 0,
            has_timings: raw.capabilities & HAS_TIMINGS != 0,
        }
    }
}

impl Device {
    /// Lists the inputs; empty where the driver has none.
    ///
    /// # Errors
    /// [`ErrorKind::Gone`](crate::ErrorKind::Gone) if the device was unplugged.
    pub fn inputs(&self) -> Result<Vec<Input>> {
        let mut inputs = Vec::new();
        for index in 0..MAX_LISTED {
            let found = raw::at(self.as_fd(), index);
            let Some(raw) = found.map_err(|errno| self.failed("list the inputs of", errno))? else {
                break;
            };
            inputs.push(Input::new(&raw));
        }
        Ok(inputs)
    }

    /// The position of the input in use; 0 where the driver has none.
    ///
    /// # Errors
    /// [`ErrorKind::Gone`](crate::ErrorKind::Gone) if the device was unplugged.
    pub fn input(&self) -> Result<u32> {
        raw::current(self.as_fd()).map_err(|errno| self.failed("read the input of", errno))
    }

    /// Selects an input; format, interval and controls may change with it.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`](crate::ErrorKind::InvalidInput) for a position that does not exist,
    /// [`ErrorKind::Busy`](crate::ErrorKind::Busy) while somebody streams.
    pub fn set_input(&mut self, index: u32) -> Result<()> {
        raw::select(self.as_fd(), index)
            .map_err(|errno| self.failed(format!("select input {index} of"), errno))
    }
}
