//! The rows of `[store]` that are about backups.

use super::{Kind, Setting, row};

/// Every setting of them.
pub(super) const ROWS: &[Setting] = &[
    row(
        "store.backup_dir",
        Kind::Text,
        "A folder into which the daemon backs up an SQLite database by itself, while it pays: on another disk than the database's, or one that is carried off. Left out, it takes none. PostgreSQL is backed up by its own tools, and a daemon on it does not start with this set.",
    ),
    row(
        "store.backup_every",
        Kind::Duration,
        "How often it takes one; a minute at least. What the last one is older than is what a lost disk costs.",
    ),
    row(
        "store.backup_keep",
        Kind::Duration,
        "How old a backup has to be before it is taken away.",
    ),
    row(
        "store.backup_keep_min",
        Kind::Number,
        "How many younger ones that were found whole have to stay for that: where backups have stopped coming, none goes.",
    ),
    row(
        "store.backup_key",
        Kind::Secret,
        "The key that backups are sealed with: 32 random bytes in base64, as from `openssl rand -base64 32`. Left out, they lie in the clear, readable by their owner. Once it is set, one that lies in the clear is put back only with `--accept-unsealed`. Without the key a sealed backup is lost: keep it in two other places.",
    ),
];
