//! What the listener grants a stranger before anybody knows who asks: sizes, times and places.
//!
//! Every bound has a setting under `http`. Whatever exceeds one is answered where the connection can
//! still carry an answer, and is let go where it cannot.

use std::time::Duration;

/// The longest request line. Longer than any path and query of the API, and what proxies let pass.
pub const LINE_BYTES_MAX: usize = 8 * 1024;
/// The fewest bytes of a second at which a body may arrive once [`BODY_GRACE`] is over.
pub const BODY_BYTES_PER_SECOND_MIN: u64 = 1024;
/// How long a body may be slower than that.
pub const BODY_GRACE: Duration = Duration::from_secs(5);
/// How long an answer may wait for a reader who takes nothing of it.
pub const WRITE_STALL_MAX: Duration = Duration::from_secs(60);

/// The bounds of a listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edges {
    /// The longest head of a request, in bytes.
    pub head_bytes_max: usize,
    /// The most fields in it.
    pub fields_max: usize,
    /// How long it may take to arrive, from its first byte on, or from the connection's beginning.
    pub head_timeout: Duration,
    /// How long a connection may stand without a request after it was answered one.
    pub idle_timeout: Duration,
    /// The most connections at once: each costs some kilobytes and a descriptor.
    pub connections_max: usize,
    /// The most of them from one address; of an IPv6 address the first half counts.
    pub connections_per_address: usize,
    /// The origins of pages that may read the answers. None, unless they are named.
    pub cors_origins: Vec<String>,
}

impl Default for Edges {
    fn default() -> Self {
        Self {
            head_bytes_max: 16 * 1024,
            fields_max: 100,
            head_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(75),
            connections_max: 4_096,
            connections_per_address: 1_024,
            cors_origins: Vec::new(),
        }
    }
}
