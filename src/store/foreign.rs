//! What a wallet's account sent that nothing here signed, and the word of the person who accepts it.
//!
//! Owns how far that word reaches: `foreign_accepted`, a ledger. A wallet is resumed in one transaction that
//! holds its row and reads what is booked: what was not shown to the person who resumes it keeps it halted.

use super::audit::{self, Actor, Audited};
use super::db::{Row, Tx};
use super::hints::Hint;
use super::journal::delivered_from;
use super::payments::drops_from;
use super::{Store, StoreError, halts};
use serde_json::json;
use std::collections::BTreeSet;
use xrpayd_core::ids::{LedgerIndex, TxHash, UnixMs};
use xrpayd_core::journal::Delivered;
use xrpayd_core::money::Drops;

/// How many are read at a time. A person who has more than that before him goes on from there.
pub const FOREIGN_MAX: usize = 1_000;

/// A transaction that a wallet's account sent and that this database did not sign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignTx {
    /// The transaction.
    pub hash: TxHash,
    /// The ledger that holds it.
    pub ledger_index: LedgerIndex,
    /// Its type by name.
    pub kind: String,
    /// The result in the validated metadata.
    pub result: String,
    /// Where it paid to.
    pub destination: Option<String>,
    /// What was delivered.
    pub delivered: Delivered,
    /// The fee that was burned.
    pub fee: Drops,
    /// Whether it bears the mark of a payment, of which this database knows nothing.
    pub is_marked: bool,
}

/// What became of a person's word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resumed {
    /// It was not halted.
    WasNot,
    /// It stays halted: these were not accepted.
    Not(Vec<ForeignTx>),
    /// It stays halted: what was named is accepted, and there is more.
    InPart,
    /// It may sign again; it was halted for this.
    Yes(String),
}

impl Store {
    /// The transactions in a wallet's journal that it sent and that were not signed here, since a person
    /// accepted such last, oldest first; [`FOREIGN_MAX`] at most. A payment of an earlier life of the
    /// database is among them until somebody asks for it again.
    ///
    /// # Errors
    /// The database does not answer, or holds something that cannot be read.
    pub async fn foreign_transactions(&self, wallet: &str) -> Result<Vec<ForeignTx>, StoreError> {
        let mut tx = self.db().read().await?;
        let found = foreign(&mut tx, wallet, FOREIGN_MAX).await?;
        tx.end().await?;
        Ok(found)
    }

    /// Lets a wallet sign again, as `actor`, where everything that its account sent past this database is
    /// among `accepted`; else nothing changes. What is booked while the person reads keeps it halted too.
    ///
    /// # Errors
    /// The wallet is not known, or the database could not write.
    pub async fn resume_wallet(
        &self,
        wallet: &str,
        accepted: &BTreeSet<TxHash>,
        actor: &Actor,
        now: UnixMs,
    ) -> Result<Resumed, StoreError> {
        let mut tx = self.db().write().await?;
        let reason = halts::locked(&mut tx, wallet).await?;
        let Some(reason) = reason else {
            tx.end().await?;
            return Ok(Resumed::WasNot);
        };
        let mut known = foreign(&mut tx, wallet, FOREIGN_MAX + 1).await?;
        let more_from = known.get(FOREIGN_MAX).map(|next| next.ledger_index);
        // What is accepted is accepted by whole ledgers.
        known.retain(|theirs| more_from.is_none_or(|from| theirs.ledger_index < from));
        let unnamed: Vec<ForeignTx> = known
            .iter()
            .filter(|theirs| !accepted.contains(&theirs.hash))
            .cloned()
            .collect();
        if !unnamed.is_empty() {
            tx.end().await?;
            return Ok(Resumed::Not(unnamed));
        }
        if let Some(from) = more_from {
            let sql = "update wallets set foreign_accepted = $2 where name = $1";
            let through = i64::from(from.0).saturating_sub(1);
            tx.execute(sql, vec![wallet.into(), through.into()]).await?;
            let hashes: Vec<String> = known.iter().map(|theirs| theirs.hash.to_string()).collect();
            let noted = Audited {
                at: now,
                actor: actor.clone(),
                action: "wallet.foreign_accepted",
                object: wallet.to_owned(),
                data: json!({ "accepted": hashes }),
            };
            audit::note(&mut tx, vec![noted]).await?;
            tx.commit().await?;
            return Ok(Resumed::InPart);
        }
        let hashes: Vec<TxHash> = known.iter().map(|theirs| theirs.hash).collect();
        let noted = halts::lift(&mut tx, wallet, &reason, &hashes, (actor, now)).await?;
        audit::note(&mut tx, vec![noted]).await?;
        tx.will_hint(Hint::Changed(wallet.to_owned()));
        tx.commit().await?;
        Ok(Resumed::Yes(reason))
    }
}

async fn foreign(tx: &mut Tx, wallet: &str, limit: usize) -> Result<Vec<ForeignTx>, StoreError> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = tx
        .fetch(
            "select j.hash, j.ledger_index, j.transaction_type, j.result, j.destination, \
             j.delivered_kind, j.delivered_value, j.fee_drops, \
             cast(case when exists (select 1 from remembered r where r.wallet = j.wallet and r.hash = j.hash) \
                 then 1 else 0 end as bigint) as marked \
             from wallets w \
             join journal_entries j on j.wallet = w.name and j.sender = w.account \
             where w.name = $1 and j.ledger_index > coalesce(w.foreign_accepted, 0) \
             and not exists (select 1 from attempts a where a.wallet = j.wallet \
                 and a.slot_kind = j.slot_kind and a.slot = j.slot and a.hash = j.hash) \
             order by j.ledger_index, j.tx_index limit $2",
            vec![wallet.into(), limit.into()],
        )
        .await?;
    rows.iter().map(decode).collect()
}

fn decode(row: &Row) -> Result<ForeignTx, StoreError> {
    Ok(ForeignTx {
        hash: TxHash(row.hash("hash")?),
        ledger_index: LedgerIndex(row.uint("ledger_index")?),
        kind: row.text("transaction_type")?,
        result: row.text("result")?,
        destination: row.text_or_null("destination")?,
        delivered: delivered_from(row)?,
        fee: drops_from("fee_drops", row.int("fee_drops")?)?,
        is_marked: row.int("marked")? == 1,
    })
}
