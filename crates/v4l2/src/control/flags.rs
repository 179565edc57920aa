//! What can be done with a control now.

/// What can be done with a control: the bits `V4L2_CTRL_FLAG_*`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flags(u32);

impl Flags {
    /// It does nothing on this device.
    #[must_use]
    pub fn is_disabled(self) -> bool {
        self.0 & 0x01 != 0
    }

    /// It cannot be set while somebody streams.
    #[must_use]
    pub fn is_grabbed(self) -> bool {
        self.0 & 0x02 != 0
    }

    /// It can only be read.
    #[must_use]
    pub fn is_read_only(self) -> bool {
        self.0 & 0x04 != 0
    }

    /// It has no effect until another one is set otherwise, as exposure while that is automatic.
    #[must_use]
    pub fn is_inactive(self) -> bool {
        self.0 & 0x10 != 0
    }

    /// It can only be set.
    #[must_use]
    pub fn is_write_only(self) -> bool {
        self.0 & 0x40 != 0
    }

    /// The device changes it by itself, without an event.
    #[must_use]
    pub fn is_volatile(self) -> bool {
        self.0 & 0x80 != 0
    }

    /// All bits.
    #[must_use]
    pub fn bits(self) -> u32 {
        self.0
    }

    pub(crate) fn new(bits: u32) -> Self {
        Self(bits)
    }
}
