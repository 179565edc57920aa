//! What is compared.

/// A server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Eyelet,
    /// The loop of `write`; the others likewise.
    Write,
    Sendfile,
    Tee,
    /// uWSGI with coroutines, as the article had it: it waits 50 ms for a frame.
    UwsgiArticle,
    /// The same, looking every 5 ms, so that it has every frame.
    UwsgiFast,
    Ustreamer,
}

impl Kind {
    /// Names it in tables.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Eyelet => "eyelet",
            Self::Write => "bare write",
            Self::Sendfile => "bare sendfile",
            Self::Tee => "bare tee",
            Self::UwsgiArticle => "uwsgi 50 ms",
            Self::UwsgiFast => "uwsgi 5 ms",
            Self::Ustreamer => "ustreamer",
        }
    }
}
