//! Which backups were taken of this database, and what is said of a database that is one itself.
//!
//! Owns `backups`: a row for each copy that somebody told of, with its entry in the audit log, in one
//! transaction. The copies themselves lie elsewhere and may be gone; a row says what was true when it was
//! written. What is restored knows nothing of the backup it came from: its row was written after it.

use super::audit::{self, Actor, Audited};
use super::db::Row;
use super::error::StoreError;
use super::{Store, home};
use crate::rfc3339::Rfc3339;
use serde_json::json;
use xrpayd_core::ids::UnixMs;

/// A copy of the database that lies somewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backup {
    /// Its identifier, `bak_…`.
    pub id: String,
    /// How it was taken, such as `sqlite` or `pg_dump`.
    pub kind: String,
    /// Where it lies.
    pub place: String,
    /// The moment that it shows.
    pub taken_at: UnixMs,
    /// When it was complete.
    pub ended_at: UnixMs,
    /// When it was found whole; none where nobody has looked.
    pub verified_at: Option<UnixMs>,
    /// How long its file is and the SHA-256 of it, where it is one file.
    pub file: Option<(u64, [u8; 32])>,
    /// Who took it.
    pub by: String,
}

/// What stands in a row, in the order in which it is written.
const COLUMNS: &str = "id, kind, place, taken_at, ended_at, verified_at, bytes, sha256, actor";

impl Store {
    /// Writes down that a backup was taken, and notes it in the audit log.
    ///
    /// # Errors
    /// The database could not write, or cannot hold the texts.
    pub async fn record_backup(&self, backup: &Backup, actor: &Actor) -> Result<(), StoreError> {
        for (field, text) in [("the kind", &backup.kind), ("the place", &backup.place)] {
            if text.contains('\0') {
                return Err(StoreError::NulInText { field });
            }
        }
        let (bytes, sha256) = backup.file.unzip();
        let bytes = bytes.map(|bytes| i64::try_from(bytes).unwrap_or(i64::MAX));
        let verified_at = backup.verified_at.map(|at| at.0);
        let values = vec![
            backup.id.as_str().into(),
            backup.kind.as_str().into(),
            backup.place.as_str().into(),
            backup.taken_at.0.into(),
            backup.ended_at.0.into(),
            verified_at.into(),
            bytes.into(),
            sha256.map(|hash| hash.to_vec()).into(),
            backup.by.as_str().into(),
        ];
        let entry = Audited {
            at: backup.ended_at,
            actor: actor.clone(),
            action: "store.backed_up",
            object: backup.id.clone(),
            data: json!({
                "kind": backup.kind,
                "place": backup.place,
                "taken_at": Rfc3339(backup.taken_at).to_string(),
                "verified": backup.verified_at.is_some(),
                "bytes": bytes,
                "sha256": sha256.map(hex::encode),
            }),
        };
        let mut tx = self.db().write().await?;
        let sql =
            format!("insert into backups ({COLUMNS}) values ($1, $2, $3, $4, $5, $6, $7, $8, $9)");
        tx.execute(sql, values).await?;
        audit::note(&mut tx, vec![entry]).await?;
        tx.commit().await
    }

    /// The moment that the newest backup shows which was found whole, as of `now`: what a clock that was
    /// ahead once wrote down is no backup of tomorrow.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn last_good_backup(&self, now: UnixMs) -> Result<Option<UnixMs>, StoreError> {
        let mut tx = self.db().read().await?;
        let sql = "select taken_at from backups where verified_at is not null and taken_at <= $1 \
                   order by taken_at desc limit 1";
        let row = tx.fetch_optional(sql, vec![now.0.into()]).await?;
        tx.end().await?;
        row.map(|row| row.int("taken_at").map(UnixMs)).transpose()
    }

    /// The newest backups, at most `limit`, the newest first.
    ///
    /// # Errors
    /// The database does not answer, or holds what cannot be read.
    pub async fn backups(&self, limit: u32) -> Result<Vec<Backup>, StoreError> {
        let mut tx = self.db().read().await?;
        let sql = format!("select {COLUMNS} from backups order by taken_at desc, id desc limit $1");
        let rows = tx.fetch(sql, vec![limit.into()]).await?;
        tx.end().await?;
        rows.iter().map(decode).collect()
    }

    /// Says that this database was restored from a backup: every wallet was last worked on in another
    /// history of it, so none signs before nothing can be in flight that it does not know. To be said
    /// before the first daemon starts on it.
    ///
    /// # Errors
    /// It has no books, or could not write.
    pub async fn mark_restored(
        &self,
        id: &str,
        actor: &Actor,
        now: UnixMs,
    ) -> Result<u64, StoreError> {
        let mut tx = self.db().write().await?;
        if home::read(&mut tx).await?.is_none() {
            let why = "no daemon has ever run on the database that it was taken of";
            return Err(StoreError::corrupt("the backup", why));
        }
        let restored = format!("restored/{id}");
        let sql = "update leases set lineage = $1";
        let wallets = tx.execute(sql, vec![restored.as_str().into()]).await?;
        let entry = Audited {
            at: now,
            actor: actor.clone(),
            action: "store.restored",
            object: id.to_owned(),
            data: json!({ "wallets": wallets }),
        };
        audit::note(&mut tx, vec![entry]).await?;
        // And no sequence that a reader was told since is given to something else, not even by another
        // restore of the same backup: from here on each is beyond this moment in milliseconds, as no feed
        // draws one every millisecond.
        let sql = "update feed set lineage = $1, \
                   sequence = case when sequence < $2 then $2 else sequence end where mark = 'drawn'";
        tx.execute(sql, vec![restored.into(), now.0.into()]).await?;
        tx.commit().await?;
        Ok(wallets)
    }
}

fn decode(row: &Row) -> Result<Backup, StoreError> {
    let bytes = row.int_or_null("bytes")?;
    let file = match bytes {
        None => None,
        Some(bytes) => {
            let length = u64::try_from(bytes)
                .map_err(|_| StoreError::corrupt("backups.bytes", bytes.to_string()))?;
            Some((length, row.hash("sha256")?))
        }
    };
    Ok(Backup {
        id: row.text("id")?,
        kind: row.text("kind")?,
        place: row.text("place")?,
        taken_at: UnixMs(row.int("taken_at")?),
        ended_at: UnixMs(row.int("ended_at")?),
        verified_at: row.int_or_null("verified_at")?.map(UnixMs),
        file,
        by: row.text("actor")?,
    })
}
