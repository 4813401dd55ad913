//! What people said of the checklist's items that no program can answer.
//!
//! Rows are only ever added, each in one transaction with its entry in the audit log; the newest of an
//! item counts. On failure nothing is written.

use super::audit::{self, Actor, Audited};
use super::error::StoreError;
use super::{Store, db::Row};
use crate::rfc3339::Rfc3339;
use serde_json::json;
use xrpayd_core::ids::UnixMs;

/// A person's word on an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedItem {
    /// Which item.
    pub item: String,
    /// Who said it.
    pub by: String,
    /// When.
    pub at: UnixMs,
    /// Until when it holds.
    pub until: UnixMs,
    /// What was said besides.
    pub note: Option<String>,
    /// What it was said about, where the item is about something that may change.
    pub about: Option<String>,
}

impl Store {
    /// Writes down what a person said of each item, as `actor`. Of two words on an item in one
    /// millisecond the later is written a millisecond later.
    ///
    /// # Errors
    /// The database could not write.
    pub async fn sign_items(&self, signed: &[SignedItem], actor: &Actor) -> Result<(), StoreError> {
        let mut tx = self.db().write().await?;
        let mut entries = Vec::with_capacity(signed.len());
        for word in signed {
            let sql = "insert into sign_offs (item, at, signed_by, note, until, actor, about) \
                select $1, case when max(at) >= $2 then max(at) + 1 else $2 end, $3, $4, \
                case when max(at) >= $5 then max(at) + 1 else $5 end, $6, $7 from sign_offs where item = $1";
            let values = vec![
                word.item.as_str().into(),
                word.at.0.into(),
                word.by.as_str().into(),
                word.note.clone().into(),
                word.until.0.into(),
                actor.to_string().into(),
                word.about.clone().into(),
            ];
            tx.execute(sql, values).await?;
            entries.push(Audited {
                at: word.at,
                actor: actor.clone(),
                action: "preflight.signed",
                object: word.item.clone(),
                data: json!({ "by": word.by, "until": Rfc3339(word.until), "note": word.note, "about": word.about }),
            });
        }
        audit::note(&mut tx, entries).await?;
        tx.commit().await
    }

    /// The newest word on each item.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn signed_items(&self) -> Result<Vec<SignedItem>, StoreError> {
        let mut tx = self.db().read().await?;
        let sql = "select s.item, s.at, s.signed_by, s.note, s.until, s.about from sign_offs s \
            where s.at = (select max(n.at) from sign_offs n where n.item = s.item) order by s.item";
        let rows = tx.fetch(sql, Vec::new()).await?;
        tx.end().await?;
        rows.iter().map(decode).collect()
    }
}

fn decode(row: &Row) -> Result<SignedItem, StoreError> {
    Ok(SignedItem {
        item: row.text("item")?,
        by: row.text("signed_by")?,
        at: UnixMs(row.int("at")?),
        until: UnixMs(row.int("until")?),
        note: row.text_or_null("note")?,
        about: row.text_or_null("about")?,
    })
}
