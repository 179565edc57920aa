//! Where the frames of an area come from.

use serde::{Deserialize, Serialize};

use crate::config::stream;

/// Where an area's frames come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// A source gives them.
    Camera,
    /// They are made from another area's.
    Derived(Made),
    /// A program of the user's owns the area.
    Mule {
        /// Which of the mules.
        mule: usize,
    },
    /// They are states of application data.
    App {
        /// Bytes.
        len: u64,
    },
}

impl Origin {
    /// Names it as an app's `areas` does.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Camera => "camera",
            Self::Derived(_) => "derived",
            Self::Mule { .. } => "mule",
            Self::App { .. } => "app",
        }
    }

    /// Tells whether what it gives is for the eye, and made from nothing else here.
    #[must_use]
    pub fn is_shown_first(self) -> bool {
        matches!(self, Self::Camera | Self::Mule { .. })
    }

    /// Tells whether its owner may take requests to change it.
    #[must_use]
    pub fn may_take_requests(self) -> bool {
        matches!(self, Self::App { .. } | Self::Mule { .. })
    }
}

/// How a derived stream comes about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Made {
    /// The id of the area that its frames are made from.
    pub of: usize,
    /// What is made of them.
    pub kind: stream::Kind,
}
