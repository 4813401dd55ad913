//! The audit log as it is looked at, a page at a time.

use super::chain::{Content, SAID_BY};
use super::{Actor, COLUMNS};
use crate::store::Store;
use crate::store::db::Row;
use crate::store::error::StoreError;
use crate::store::list::{PAGE_MAX, PageOf, Statement};
use serde_json::Value as Json;
use xrpayd_core::ids::UnixMs;

/// An entry of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// Its place; the first is 1 and none is left out.
    pub sequence: i64,
    /// When it was written, by the clock of who did.
    pub at: UnixMs,
    /// Who changed something.
    pub actor: Actor,
    /// What was done, such as `key.created`.
    pub action: String,
    /// What it is about.
    pub subject: String,
    /// What was before and after, and why.
    pub data: Json,
    /// The hash of the entry before it.
    pub prev_hash: [u8; 32],
    /// Its hash.
    pub hash: [u8; 32],
}

/// Which entries a page holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AuditFilter {
    /// Those of one action.
    pub action: Option<String>,
    /// Those about one thing.
    pub subject: Option<String>,
    /// Those at or after this instant.
    pub since: Option<UnixMs>,
}

/// Where a page begins, and which way it goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuditFrom {
    /// The newest first.
    Newest,
    /// The newest first of those before this sequence.
    Before(i64),
    /// The oldest first of those after this sequence.
    After(i64),
}

/// An entry as it stands in the database: what was hashed, and the hashes.
pub(super) struct Found {
    pub(super) content: Content,
    pub(super) prev_hash: [u8; 32],
    pub(super) hash: [u8; 32],
}

/// An entry's columns.
pub(super) fn found(row: &Row) -> Result<Found, StoreError> {
    Ok(Found {
        content: Content {
            sequence: row.int("sequence")?,
            at: row.int("at")?,
            actor: row.text("actor")?,
            actor_id: row.text_or_null("actor_id")?,
            actor_client: row.text_or_null("actor_client")?,
            action: row.text("action")?,
            object: row.text("object")?,
            data: row.text("data")?,
        },
        prev_hash: row.hash("prev_hash")?,
        hash: row.hash("hash")?,
    })
}

fn decode(row: &Row) -> Result<AuditEntry, StoreError> {
    let Found {
        content,
        prev_hash,
        hash,
    } = found(row)?;
    let sequence = content.sequence;
    let bad = |why: String| StoreError::corrupt(format!("audit entry {sequence}"), why);
    let data: Json = serde_json::from_str(&content.data).map_err(|error| bad(error.to_string()))?;
    let actor = match (
        content.actor.as_str(),
        content.actor_id,
        content.actor_client,
    ) {
        ("key", Some(id), Some(client)) => Actor::Key { id, client },
        ("cli", Some(uid), None) => {
            let uid = uid.parse();
            let uid = uid.map_err(|_| bad("its user is no number".to_owned()))?;
            let said = data[SAID_BY].as_str().map(str::to_owned);
            Actor::Cli { uid, said }
        }
        ("daemon", None, None) => Actor::Daemon,
        (kind, _, _) => return Err(bad(format!("its actor, a {kind}"))),
    };
    Ok(AuditEntry {
        sequence,
        at: UnixMs(content.at),
        actor,
        action: content.action,
        subject: content.object,
        data,
        prev_hash,
        hash,
    })
}

impl Store {
    /// A page of the audit log, with the sequence of its last entry where there are more.
    ///
    /// # Errors
    /// The database does not answer, or holds an entry that cannot be read.
    pub async fn audit_entries(
        &self,
        filter: &AuditFilter,
        from: AuditFrom,
        limit: u32,
    ) -> Result<PageOf<AuditEntry, i64>, StoreError> {
        let limit = limit.clamp(1, PAGE_MAX);
        let mut s = Statement::default();
        let (bound, sequence, order) = match from {
            AuditFrom::Newest => ("<", i64::MAX, "desc"),
            AuditFrom::Before(sequence) => ("<", sequence, "desc"),
            AuditFrom::After(sequence) => (">", sequence, "asc"),
        };
        let place = s.bind(sequence);
        s.require(format!("sequence {bound} {place}"));
        if let Some(action) = &filter.action {
            s.equal("action", action.as_str());
        }
        if let Some(subject) = &filter.subject {
            s.sieve("object", subject.as_str());
        }
        if let Some(since) = filter.since {
            let place = s.bind(since.0);
            s.require(format!("at >= {place}"));
        }
        let most = s.bind(limit.saturating_add(1));
        let (sql, values) = s.select(
            &format!("{COLUMNS} from audit_log"),
            &format!("order by sequence {order} limit {most}"),
        );
        let mut tx = self.db().read().await?;
        let rows = tx.fetch(sql, values).await?;
        tx.end().await?;
        let mut items = rows.iter().map(decode).collect::<Result<Vec<_>, _>>()?;
        let held = usize::try_from(limit).unwrap_or(usize::MAX);
        let has_more = items.len() > held;
        items.truncate(held);
        let next = items.last().map(|last| last.sequence);
        Ok(PageOf {
            next: next.filter(|_| has_more),
            items,
        })
    }
}
