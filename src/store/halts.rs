//! Whether a wallet is halted: the operator's word and the engine's, read by both. Each change of it is in
//! the audit log.

use super::audit::{self, Actor, Audited};
use super::db::Tx;
use super::hints::Hint;
use super::lease::Tenure;
use super::{Store, StoreError};
use serde_json::json;
use std::collections::BTreeMap;
use xrpayd_core::ids::{LedgerIndex, TxHash, UnixMs};

impl Store {
    /// Why the wallet signs nothing, where it does not. A wallet that is not known is not halted.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn halt_reason(&self, wallet: &str) -> Result<Option<String>, StoreError> {
        let mut tx = self.db().read().await?;
        let sql = "select halted_reason from wallets where name = $1";
        let row = tx.fetch_optional(sql, vec![wallet.into()]).await?;
        match row {
            Some(row) => row.text_or_null("halted_reason"),
            None => Ok(None),
        }
    }

    /// Why each wallet is halted that is.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn halts(&self) -> Result<BTreeMap<String, String>, StoreError> {
        let mut tx = self.db().read().await?;
        let sql = "select name, halted_reason from wallets where halted_reason is not null";
        let rows = tx.fetch(sql, Vec::new()).await?;
        tx.end().await?;
        rows.iter()
            .map(|row| Ok((row.text("name")?, row.text("halted_reason")?)))
            .collect()
    }

    /// How many transactions of the wallet are signed and have no end yet.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn open_attempts(&self, wallet: &str) -> Result<u64, StoreError> {
        let mut tx = self.db().read().await?;
        let sql = "select count(*) as n from attempts where wallet = $1 and open = 1";
        let row = tx.fetch_optional(sql, vec![wallet.into()]).await?;
        tx.end().await?;
        row.map_or(Ok(0), |row| row.uint("n").map(u64::from))
    }

    /// Stops a wallet's signing for a reason, or lets it sign again, as `actor`.
    ///
    /// # Errors
    /// The wallet is not known, or the database could not write.
    pub async fn set_halt(
        &self,
        wallet: &str,
        reason: Option<&str>,
        actor: &Actor,
        now: UnixMs,
    ) -> Result<(), StoreError> {
        let mut tx = self.db().write().await?;
        let noted = write(&mut tx, wallet, reason, actor, now).await?;
        audit::note(&mut tx, noted.into_iter().collect()).await?;
        // An engine knows of its own halts, and would begin anew at each of them.
        if *actor != Actor::Daemon {
            tx.will_hint(Hint::Changed(wallet.to_owned()));
        }
        tx.commit().await
    }

    /// Stops the signing of the wallet that an engine holds.
    ///
    /// # Errors
    /// The wallet is no longer held under `tenure`, is not known, or the database could not write.
    pub async fn halt_held(
        &self,
        tenure: &Tenure,
        reason: &str,
        now: UnixMs,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin_held(tenure).await?;
        let noted = write(&mut tx, &tenure.wallet, Some(reason), &Actor::Daemon, now).await?;
        audit::note(&mut tx, noted.into_iter().collect()).await?;
        tx.commit().await
    }

    /// Stops a wallet's signing where nothing has stopped it yet: the first reason stands until a person
    /// resumes the wallet. Whether this one does is answered. Nor does it where a person has resumed the
    /// wallet since `accepted` was read, the ledger up to which strangers' transactions are accepted:
    /// what was found before that word is found again where it still holds.
    ///
    /// # Errors
    /// The database could not write.
    pub async fn halt_unless_halted(
        &self,
        wallet: &str,
        reason: &str,
        accepted: Option<LedgerIndex>,
        now: UnixMs,
    ) -> Result<bool, StoreError> {
        let mut tx = self.db().write().await?;
        let sql = "update wallets set halted_reason = $2, halted_at = $3 \
            where name = $1 and halted_reason is null and coalesce(foreign_accepted, 0) = $4";
        let accepted = accepted.map_or(0, |ledger| ledger.0);
        let values = vec![wallet.into(), reason.into(), now.0.into(), accepted.into()];
        let is_news = tx.execute(sql, values).await? == 1;
        if is_news {
            let halted = noted(wallet, (None, Some(reason)), &Actor::Daemon, now);
            audit::note(&mut tx, vec![halted]).await?;
            tx.will_hint(Hint::Changed(wallet.to_owned()));
        }
        tx.commit().await?;
        Ok(is_news)
    }
}

/// Why a wallet is halted, read under the lock of its row.
pub(super) async fn locked(tx: &mut Tx, wallet: &str) -> Result<Option<String>, StoreError> {
    let lock = tx.for_update();
    let sql = format!("select halted_reason from wallets where name = $1{lock}");
    let row = tx.fetch_optional(sql, vec![wallet.into()]).await?;
    let row = row.ok_or_else(|| StoreError::UnknownWallet(wallet.to_owned()))?;
    row.text_or_null("halted_reason")
}

/// Halts a wallet or lets it go on; answers with what the audit log is to be told, which is nothing where
/// it stood so before: an engine finds the same reason again at every try. An engine's own reason never
/// takes the place of one that stands: a person is told the first, and it may be the operator's.
pub(super) async fn write(
    tx: &mut Tx,
    wallet: &str,
    reason: Option<&str>,
    actor: &Actor,
    now: UnixMs,
) -> Result<Option<Audited>, StoreError> {
    let before = locked(tx, wallet).await?;
    match reason {
        Some(_) if *actor == Actor::Daemon && before.is_some() => return Ok(None),
        Some(reason) => {
            let sql = "update wallets set halted_reason = $2, halted_at = $3 where name = $1";
            let values = vec![wallet.into(), reason.into(), now.0.into()];
            tx.execute(sql, values).await?
        }
        None => take_back(tx, wallet).await?,
    };
    let is_news = before.as_deref() != reason;
    Ok(is_news.then(|| noted(wallet, (before.as_deref(), reason), actor, now)))
}

/// Lets a wallet go on that stood halted for `reason`, whose person has accepted these transactions.
pub(super) async fn lift(
    tx: &mut Tx,
    wallet: &str,
    reason: &str,
    accepted: &[TxHash],
    (actor, now): (&Actor, UnixMs),
) -> Result<Audited, StoreError> {
    take_back(tx, wallet).await?;
    let mut noted = noted(wallet, (Some(reason), None), actor, now);
    if !accepted.is_empty() {
        let hashes: Vec<String> = accepted.iter().map(TxHash::to_string).collect();
        noted.data["accepted"] = json!(hashes);
    }
    Ok(noted)
}

/// Who resumes a wallet has seen what it sent past the daemon, as far as that is booked.
async fn take_back(tx: &mut Tx, wallet: &str) -> Result<u64, StoreError> {
    let sql = "update wallets set halted_reason = null, halted_at = null, \
        foreign_accepted = cursor_at where name = $1";
    tx.execute(sql, vec![wallet.into()]).await
}

fn noted(
    wallet: &str,
    (before, after): (Option<&str>, Option<&str>),
    actor: &Actor,
    at: UnixMs,
) -> Audited {
    let action = match after {
        Some(_) => "wallet.halted",
        None => "wallet.resumed",
    };
    Audited {
        at,
        actor: actor.clone(),
        action,
        object: wallet.to_owned(),
        data: json!({ "reason": { "before": before, "after": after } }),
    }
}
