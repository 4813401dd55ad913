//! What a transaction runs under, said in one message with its `begin`.
//!
//! Nothing of it is set for a session: behind a pooler a session is shared with strangers, and what
//! an operator set for a role or a database must not change what a commit means.
//!
//! A lock that nobody gives back in time belongs to a replica that hangs; a transaction that is left
//! idle is ended by the server, so that a frozen process keeps nobody out for longer. A server that is
//! set to answer commits before they are durable is overruled.
//!
//! Each message first ends what is left of another: a request that is given up while its `begin` is on the
//! way hands its connection back to the pool with a transaction that the driver knows nothing of, and
//! whoever begins next would find himself in it. The first `begin` keeps the server from warning where
//! nothing is left, as it nearly always is.
//!
//! A transaction that writes has no `statement_timeout` at the server, whatever the role has: it
//! would end the wait of a commit for a synchronous standby, and the server would answer such a commit
//! as done. Its statements are bounded by the locks' time and by how long we wait for an answer; who
//! has given up is noticed by the server while a statement still runs (PostgreSQL 14 and later).

use crate::store::StoreConfig;
use std::time::Duration;

/// The statements that begin a transaction.
#[derive(Debug)]
pub(super) struct Session {
    /// One that writes, at read committed.
    pub(super) write: String,
    /// One that takes a lease: it waits no longer for what others have locked than a renewal may take,
    /// because it is asked again.
    pub(super) take: String,
    /// One that reads an unmoving picture.
    pub(super) read: String,
}

impl Session {
    pub(super) fn new(config: &StoreConfig) -> Self {
        let idle = format!(
            "set local idle_in_transaction_session_timeout = {}",
            ms(config.idle_in_transaction_timeout)
        );
        let writing = |lock_timeout: Duration| {
            format!(
                "begin; rollback; begin isolation level read committed read write; \
             set local lock_timeout = {}; set local statement_timeout = 0; {idle}; \
             select case when current_setting('synchronous_commit') = 'off' \
             then set_config('synchronous_commit', 'on', true) end, \
             case when current_setting('server_version_num')::integer >= 140000 \
             then set_config('client_connection_check_interval', '1s', true) end",
                ms(lock_timeout)
            )
        };
        let read = format!(
            "begin; rollback; begin isolation level repeatable read read only; \
             set local statement_timeout = {}; {idle}",
            ms(config.statement_timeout)
        );
        Self {
            write: writing(config.lock_timeout),
            take: writing(config.lock_timeout.min(config.lease_patience)),
            read,
        }
    }
}

/// Whole milliseconds, of which the server takes as many as 31 bits hold; none would mean for ever.
fn ms(time: Duration) -> i32 {
    i32::try_from(time.as_millis()).unwrap_or(i32::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_time_becomes_for_ever() {
        assert_eq!(ms(Duration::ZERO), 1);
        assert_eq!(ms(Duration::from_micros(1)), 1);
        assert_eq!(ms(Duration::from_secs(10)), 10_000);
        assert_eq!(ms(Duration::MAX), i32::MAX);
    }
}
