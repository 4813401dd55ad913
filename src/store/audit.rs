//! The audit log: who changed what may be done with money, and what was before and after.
//!
//! Owns `audit_log` and its head. An entry is written in the transaction of the change that it tells
//! of, by [`note`], so there is no change without its entry and no entry without its change. Each names
//! the hash of the one before it ([`chain`]); the head's row stays locked from there to the commit, so
//! the order of the sequences is the order of the commits, whatever the number of replicas.
//!
//! What a payment goes through by itself is not here but in the feed: accepting and settling never
//! wait for the head. On failure nothing of the transaction is written.

mod chain;
mod form;
mod guards;
mod head;
mod list;
mod service;
mod verify;

pub use form::{ActorForm, AuditForm};
pub use head::AuditHead;
pub use list::{AuditEntry, AuditFilter, AuditFrom};
pub use verify::{AuditFault, AuditReport};

use super::db::{Columns, Kind, Tx, Value};
use super::error::StoreError;
use chain::Content;
use serde_json::Value as Json;
use std::fmt;
use xrpayd_core::ids::UnixMs;

/// Who changed something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    /// A client's key, by the API.
    Key {
        /// The public part of the key.
        id: String,
        /// The client that it speaks for.
        client: String,
    },
    /// An operator on the machine, by a command.
    Cli {
        /// The user that ran it.
        uid: u32,
        /// The name that he gave, or that `sudo` did: said, and not proven.
        said: Option<String>,
    },
    /// The daemon, by itself.
    Daemon,
}

/// `key:<id>`, `cli:<uid>`, with the name that was given, or `daemon`.
impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key { id, .. } => write!(f, "key:{id}"),
            Self::Cli { uid, said: None } => write!(f, "cli:{uid}"),
            Self::Cli {
                uid,
                said: Some(name),
            } => write!(f, "cli:{uid} (says {name})"),
            Self::Daemon => f.write_str("daemon"),
        }
    }
}

/// A change that is to be written into the log.
#[derive(Debug, Clone)]
pub(super) struct Audited {
    /// When it was made.
    pub at: UnixMs,
    /// By whom.
    pub actor: Actor,
    /// What was done, such as `key.created`.
    pub action: &'static str,
    /// What it is about.
    pub object: String,
    /// What was before and after, and why; never a secret.
    pub data: Json,
}

/// The columns of an entry, as they are read.
const COLUMNS: &str =
    "sequence, at, actor, actor_id, actor_client, action, object, data, prev_hash, hash";

/// The same, as they are written.
const NEW: Columns = &[
    ("sequence", Kind::Int),
    ("at", Kind::Int),
    ("actor", Kind::Text),
    ("actor_id", Kind::Text),
    ("actor_client", Kind::Text),
    ("action", Kind::Text),
    ("object", Kind::Text),
    ("data", Kind::Text),
    ("prev_hash", Kind::Blob),
    ("hash", Kind::Blob),
];

/// Chains entries to the log, in their order, as the last that a transaction writes but for what it
/// tells the feed.
pub(super) async fn note(tx: &mut Tx, entries: Vec<Audited>) -> Result<(), StoreError> {
    if entries.is_empty() {
        return Ok(());
    }
    let lock = tx.for_update();
    let head = head::read(tx, lock).await?.ok_or_else(|| {
        let why = "its head is missing; `xrpayd audit verify` tells more";
        StoreError::corrupt("the audit log", why)
    })?;
    let (mut sequence, mut prev_hash) = (head.sequence, head.hash);
    let mut rows = Vec::with_capacity(entries.len());
    for entry in entries {
        sequence = sequence.saturating_add(1);
        let content = Content::of(sequence, entry);
        content.refuse_nul()?;
        let hash = chain::hash(&prev_hash, &content);
        rows.push(row(content, prev_hash, hash));
        prev_hash = hash;
    }
    tx.insert("audit_log", NEW, rows, "").await?;
    let grow =
        "update audit_head set sequence = $1, hash = $2 where mark = 'head' and sequence = $3";
    let values = vec![sequence.into(), prev_hash.into(), head.sequence.into()];
    if tx.execute(grow, values).await? == 1 {
        Ok(())
    } else {
        let why = "its head moved while it was locked";
        Err(StoreError::corrupt("the audit log", why))
    }
}

fn row(content: Content, prev_hash: [u8; 32], hash: [u8; 32]) -> Vec<Value> {
    vec![
        content.sequence.into(),
        content.at.into(),
        content.actor.into(),
        content.actor_id.into(),
        content.actor_client.into(),
        content.action.into(),
        content.object.into(),
        content.data.into(),
        prev_hash.into(),
        hash.into(),
    ]
}
