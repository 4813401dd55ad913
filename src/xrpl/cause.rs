//! Why a server is not fit, as one closed set: the same word in views, logs and the wait before the
//! next attempt. Pure.

use std::time::Duration;

/// Why a server is in the state in which it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cause {
    /// Its name cannot be resolved.
    Dns,
    /// Nothing listens there.
    ConnectionRefused,
    /// There is no way to it.
    Unreachable,
    /// The connection did not stand in time.
    ConnectTimeout,
    /// The two sides cannot agree on TLS.
    Tls,
    /// Its certificate is not one that we trust.
    Certificate,
    /// Its certificate is for another name.
    CertificateName,
    /// Its key is none of those that were pinned.
    CertificatePin,
    /// It answered the handshake with another HTTP status.
    Http,
    /// It refuses us for now: HTTP 429 or 503, or close 1008.
    TurnedAway,
    /// It closed the connection.
    Closed,
    /// The connection broke.
    Broken,
    /// A message was larger than is taken.
    TooLarge,
    /// It does not answer, or not even pings.
    NoAnswer,
    /// What it says of itself cannot be used.
    BadGreeting,
    /// It is of another network.
    WrongNetwork,
    /// It cannot follow the network's rules any more.
    AmendmentBlocked,
    /// It is not in sync with its network.
    NotSynced,
    /// It holds no ledgers.
    NoHistory,
    /// It is several ledgers behind the others.
    Lagging,
    /// It tells of no new ledger.
    Silent,
    /// It asked us to slow down.
    Throttled,
    /// Nothing at all comes in while an answer is owed.
    Mute,
    /// It was proven wrong.
    Quarantined,
    /// It was taken out of the configuration.
    Removed,
}

/// When a server is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Retry {
    /// After this at first, then after twice as long each time.
    Doubling(Duration),
    /// The same, and at once as one that has failed often.
    LeaveAlone(Duration),
    /// At long intervals: only its operator can mend it.
    Seldom(Duration),
    /// When our own configuration has changed.
    WhenToldTo,
}

impl Cause {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Dns => "dns",
            Self::ConnectionRefused => "connection_refused",
            Self::Unreachable => "unreachable",
            Self::ConnectTimeout => "connect_timeout",
            Self::Tls => "tls",
            Self::Certificate => "certificate",
            Self::CertificateName => "certificate_name",
            Self::CertificatePin => "certificate_pin",
            Self::Http => "http",
            Self::TurnedAway => "turned_away",
            Self::Closed => "closed",
            Self::Broken => "broken",
            Self::TooLarge => "too_large",
            Self::NoAnswer => "no_answer",
            Self::BadGreeting => "bad_greeting",
            Self::WrongNetwork => "wrong_network",
            Self::AmendmentBlocked => "amendment_blocked",
            Self::NotSynced => "not_synced",
            Self::NoHistory => "no_history",
            Self::Lagging => "lagging",
            Self::Silent => "silent",
            Self::Throttled => "throttled",
            Self::Mute => "mute",
            Self::Quarantined => "quarantined",
            Self::Removed => "removed",
        }
    }

    /// When a server whose connection ended for this is tried again. What a restart cures is tried
    /// soon; what a person has to mend is not worth a knock every second.
    pub(super) const fn retry(self) -> Retry {
        match self {
            Self::ConnectionRefused
            | Self::Unreachable
            | Self::ConnectTimeout
            | Self::Closed
            | Self::Broken
            | Self::TooLarge
            | Self::NoAnswer
            | Self::BadGreeting
            | Self::NotSynced
            | Self::NoHistory
            | Self::Lagging
            | Self::Silent
            | Self::Throttled
            | Self::Mute
            | Self::Quarantined => Retry::Doubling(Duration::from_millis(200)),
            Self::Dns => Retry::Doubling(Duration::from_secs(1)),
            Self::Http => Retry::Doubling(Duration::from_secs(2)),
            Self::Tls | Self::Certificate | Self::CertificateName | Self::CertificatePin => {
                Retry::Doubling(Duration::from_secs(5))
            }
            Self::TurnedAway => Retry::LeaveAlone(Duration::from_secs(5)),
            Self::AmendmentBlocked => Retry::Seldom(Duration::from_secs(60)),
            Self::WrongNetwork | Self::Removed => Retry::WhenToldTo,
        }
    }
}
