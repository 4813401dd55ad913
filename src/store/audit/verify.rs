//! Whether the audit log is as it was written: every entry, its links, its end, and what guards it.
//!
//! The log is read in pages, each in a transaction of its own; the last one sees its rows and the head in
//! one unmoving picture, so a log that grows meanwhile is no fault. What breaks the chain first ends the
//! reading, because nothing after it can be told from a forgery. A whole log that was written anew by one
//! who knows how is told only by a head that was kept outside of the database.

use super::chain;
use super::head::{self, AuditHead};
use super::list::{Found, found};
use super::{COLUMNS, guards};
use crate::store::Store;
use crate::store::db::{Row, Tx};
use crate::store::error::StoreError;

/// How many entries are held in memory at a time.
const PAGE: u32 = 1_000;

/// What is wrong with the log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuditFault {
    /// Entries are missing before this one.
    #[error("entry {sequence} comes after entry {after}: what was between them is missing")]
    Missing {
        /// The last entry that is in its place.
        after: i64,
        /// The next that is there.
        sequence: i64,
    },
    /// An entry that is in no place of the log.
    #[error("entry {sequence} is in no place of the log, which begins with 1")]
    Misplaced {
        /// Its number.
        sequence: i64,
    },
    /// An entry cannot be read.
    #[error("entry {sequence} cannot be read: {why}")]
    Unreadable {
        /// Which.
        sequence: i64,
        /// What is wrong with it.
        why: String,
    },
    /// An entry does not follow the one before it.
    #[error(
        "entry {sequence} does not follow from the entry before it: one of them was put in, moved or changed"
    )]
    Unlinked {
        /// Which.
        sequence: i64,
    },
    /// An entry is not what was hashed.
    #[error("entry {sequence} was changed: it is not what its hash was made of")]
    Changed {
        /// Which.
        sequence: i64,
    },
    /// An entry is not the one of a head that was kept outside.
    #[error(
        "entry {sequence} is not the one that was kept outside: everything up to it may have been written anew"
    )]
    NotAsKept {
        /// Which.
        sequence: i64,
    },
    /// The log ends before a head that was kept outside.
    #[error(
        "the log ends with entry {last}, and entry {kept} was kept outside: its end was cut off"
    )]
    ShorterThanKept {
        /// The last entry.
        last: i64,
        /// The one that was kept.
        kept: i64,
    },
    /// The log ends before its own head.
    #[error("the log ends with entry {last}, and its head names entry {head}: its end was cut off")]
    CutOff {
        /// The last entry.
        last: i64,
        /// What the head says.
        head: i64,
    },
    /// The log goes on after its head.
    #[error(
        "the log goes on to entry {last}, and its head names entry {head}: its end was put in, or its head put back"
    )]
    BeyondHead {
        /// The last entry.
        last: i64,
        /// What the head says.
        head: i64,
    },
    /// The head does not name the hash of the last entry.
    #[error("the head does not name the hash of the last entry, {last}")]
    HeadChanged {
        /// The last entry.
        last: i64,
    },
    /// The head's row is missing.
    #[error("the head of the log is missing; its last entry is {last}")]
    NoHead {
        /// The last entry.
        last: i64,
    },
    /// The head's row cannot be read.
    #[error("the head of the log cannot be read: {why}")]
    HeadUnreadable {
        /// What is wrong with it.
        why: String,
    },
    /// A trigger that refuses changes is gone, or is another.
    #[error("the trigger {name} is missing or was changed: the database does not guard the log")]
    Unguarded {
        /// Which.
        name: &'static str,
    },
}

impl AuditFault {
    /// The kind of fault, for a program.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Missing { .. } => "missing",
            Self::Misplaced { .. } => "misplaced",
            Self::Unreadable { .. } => "unreadable",
            Self::Unlinked { .. } => "unlinked",
            Self::Changed { .. } => "changed",
            Self::NotAsKept { .. } => "not_as_kept",
            Self::ShorterThanKept { .. } => "shorter_than_kept",
            Self::CutOff { .. } => "cut_off",
            Self::BeyondHead { .. } => "beyond_head",
            Self::HeadChanged { .. } => "head_changed",
            Self::NoHead { .. } => "no_head",
            Self::HeadUnreadable { .. } => "head_unreadable",
            Self::Unguarded { .. } => "unguarded",
        }
    }

    /// The entry at which it shows, where it is one's: for what is missing, the first that is.
    #[must_use]
    pub const fn sequence(&self) -> Option<i64> {
        match self {
            Self::Missing { after, .. } => Some(after.saturating_add(1)),
            Self::Misplaced { sequence }
            | Self::Unreadable { sequence, .. }
            | Self::Unlinked { sequence }
            | Self::Changed { sequence }
            | Self::NotAsKept { sequence } => Some(*sequence),
            Self::ShorterThanKept { last, .. } | Self::CutOff { last, .. } => {
                Some(last.saturating_add(1))
            }
            Self::BeyondHead { head, .. } => Some(head.saturating_add(1)),
            Self::HeadChanged { .. }
            | Self::NoHead { .. }
            | Self::HeadUnreadable { .. }
            | Self::Unguarded { .. } => None,
        }
    }
}

/// What a verification found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditReport {
    /// How far the log is whole: its last entry, where nothing breaks it.
    pub head: AuditHead,
    /// What is wrong with it, the first break of the chain first; nothing where it is whole.
    pub faults: Vec<AuditFault>,
}

/// The walk along the log.
struct Walk<'a> {
    /// The last entry that is in its place.
    at: AuditHead,
    /// Heads that were kept outside.
    kept: &'a [AuditHead],
}

impl Store {
    /// Reads the whole audit log and holds it against its hashes, its head and heads that were `kept`
    /// outside of the database.
    ///
    /// # Errors
    /// The database does not answer. Whatever is wrong with the log is part of the answer.
    pub async fn verify_audit(&self, kept: &[AuditHead]) -> Result<AuditReport, StoreError> {
        let mut walk = Walk {
            at: AuditHead::EMPTY,
            kept,
        };
        let mut faults = Vec::new();
        faults.extend(walk.held_against_kept());
        let mut unguarded = Vec::new();
        while faults.is_empty() {
            let mut tx = self.db().read().await?;
            let rows = page(&mut tx, walk.at.sequence).await?;
            let is_last = rows.len() < usize::try_from(PAGE).unwrap_or(usize::MAX);
            let broken = rows.iter().find_map(|row| walk.take(row).err());
            let is_broken = broken.is_some();
            faults.extend(broken);
            if is_last && !is_broken {
                faults.extend(end(&mut tx, &walk).await?);
            }
            if is_last || is_broken {
                unguarded = guards::fallen(&mut tx).await?;
                tx.end().await?;
                break;
            }
            tx.end().await?;
        }
        let unguarded = unguarded.into_iter();
        faults.extend(unguarded.map(|name| AuditFault::Unguarded { name }));
        Ok(AuditReport {
            head: walk.at,
            faults,
        })
    }
}

/// The next entries. Those with numbers that no entry has are among the first of them.
async fn page(tx: &mut Tx, after: i64) -> Result<Vec<Row>, StoreError> {
    let whole = if after == 0 {
        ""
    } else {
        "where sequence > $2 "
    };
    let sql = format!("select {COLUMNS} from audit_log {whole}order by sequence limit $1");
    let mut values = vec![PAGE.into()];
    if after != 0 {
        values.push(after.into());
    }
    tx.fetch(sql, values).await
}

/// Holds the end of the log against its head, and against what was kept of it.
async fn end(tx: &mut Tx, walk: &Walk<'_>) -> Result<Vec<AuditFault>, StoreError> {
    let at = walk.at;
    let last = at.sequence;
    let mut faults = Vec::new();
    match head::read(tx, "").await {
        Ok(Some(head)) if head.sequence > last => faults.push(AuditFault::CutOff {
            last,
            head: head.sequence,
        }),
        Ok(Some(head)) if head.sequence < last => faults.push(AuditFault::BeyondHead {
            last,
            head: head.sequence,
        }),
        Ok(Some(head)) if head.hash != at.hash => faults.push(AuditFault::HeadChanged { last }),
        Ok(Some(_)) => {}
        Ok(None) => faults.push(AuditFault::NoHead { last }),
        Err(StoreError::Corrupt { what, why }) => {
            let why = format!("{what}: {why}");
            faults.push(AuditFault::HeadUnreadable { why });
        }
        Err(other) => return Err(other),
    }
    let beyond = walk.kept.iter().map(|kept| kept.sequence);
    let beyond = beyond.filter(|kept| *kept > last).min();
    faults.extend(beyond.map(|kept| AuditFault::ShorterThanKept { last, kept }));
    Ok(faults)
}

impl Walk<'_> {
    /// Takes the next entry, or says what is wrong with it.
    fn take(&mut self, row: &Row) -> Result<(), AuditFault> {
        let after = self.at.sequence;
        let expected = after.saturating_add(1);
        let sequence = row
            .int("sequence")
            .map_err(|error| AuditFault::Unreadable {
                sequence: expected,
                why: error.to_string(),
            })?;
        if sequence < expected {
            return Err(AuditFault::Misplaced { sequence });
        }
        if sequence > expected {
            return Err(AuditFault::Missing { after, sequence });
        }
        let Found {
            content,
            prev_hash,
            hash,
        } = found(row).map_err(|error| AuditFault::Unreadable {
            sequence,
            why: error.to_string(),
        })?;
        if prev_hash != self.at.hash {
            return Err(AuditFault::Unlinked { sequence });
        }
        if hash != chain::hash(&prev_hash, &content) {
            return Err(AuditFault::Changed { sequence });
        }
        self.at = AuditHead { sequence, hash };
        self.held_against_kept().map_or(Ok(()), Err)
    }

    /// What was kept of the place where the walk is, and is another.
    fn held_against_kept(&self) -> Option<AuditFault> {
        let at = self.at;
        let mut kept = self.kept.iter();
        kept.any(|kept| kept.sequence == at.sequence && kept.hash != at.hash)
            .then_some(AuditFault::NotAsKept {
                sequence: at.sequence,
            })
    }
}
