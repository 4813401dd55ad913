//! What the section `store` says.

use crate::config::secrets::SecretRef;
use crate::config::url::StoreUrl;
use std::path::PathBuf;
use std::time::Duration;

/// What lies between the daemon and PostgreSQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pooler {
    /// Nothing, or a pooler that leaves a connection to us for as long as ours lives.
    None,
    /// A pooler that deals out connections by the transaction.
    Transaction,
}

impl Pooler {
    /// Every choice with its name in the configuration.
    pub const ALL: [(&'static str, Self); 2] =
        [("none", Self::None), ("transaction", Self::Transaction)];
}

/// Section `store`.
#[derive(Debug, Clone)]
pub struct StoreSettings {
    /// Where the database is.
    pub url: StoreUrl,
    /// Where the hints of other replicas are listened for, where that is another way to the same database.
    pub listen_url: Option<StoreUrl>,
    /// The most connections that are held.
    pub max_connections: u32,
    /// How long an idle connection is kept.
    pub idle_timeout: Duration,
    /// How long a request waits for a connection.
    pub acquire_timeout: Duration,
    /// How long a statement or a commit may take.
    pub statement_timeout: Duration,
    /// How long a statement waits for what others have locked.
    pub lock_timeout: Duration,
    /// How long the server leaves a transaction alone that nobody goes on with.
    pub idle_in_transaction_timeout: Duration,
    /// What lies between the daemon and the server.
    pub pooler: Pooler,
    /// A standby of the server that lists are read on.
    pub read_url: Option<StoreUrl>,
    /// How long a list waits for the standby to catch up.
    pub read_lag: Duration,
    /// How many daemons share the database.
    pub replicas: u32,
    /// Where this machine writes down what it signed last, outside the database.
    pub last_run_dir: Option<PathBuf>,
    /// The daemon's own backups.
    pub backups: Backups,
}

/// What section `store` says of the backups that the daemon takes of an SQLite database.
#[derive(Debug, Clone)]
pub struct Backups {
    /// Where they go; none are taken without.
    pub dir: Option<PathBuf>,
    /// How often one is taken.
    pub every: Duration,
    /// How old one has to be before it may go.
    pub keep: Duration,
    /// How many younger ones have to stay.
    pub keep_min: u32,
    /// What they are sealed with.
    pub key: Option<SecretRef>,
}

impl StoreSettings {
    /// Every URL with its setting.
    pub fn urls(&self) -> impl Iterator<Item = (&'static str, &StoreUrl)> {
        let listen = self.listen_url.as_ref();
        let read = self.read_url.as_ref();
        std::iter::once(("store.url", &self.url))
            .chain(listen.map(|url| ("store.listen_url", url)))
            .chain(read.map(|url| ("store.read_url", url)))
    }
}
