//! Whether a wallet is halted: the operator's word and the engine's, read by both.

use super::{Store, StoreError};
use xrpayd_core::ids::{LedgerIndex, UnixMs};

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
        let written = tx.execute(sql, values).await?;
        tx.commit().await?;
        Ok(written == 1)
    }
}
