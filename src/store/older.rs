//! Whether the database is as new as the machine's last run, and the wait where it is not.
//!
//! Each call is a transaction of its own.

use super::Store;
use super::attempts::slot_columns;
use super::error::StoreError;
use super::lease::Tenure;
use super::lineage;
use xrpayd_core::ids::{LedgerIndex, TxHash};
use xrpayd_core::payment::Slot;

impl Store {
    /// Whether the attempt with this hash was ever signed, as far as this database knows.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn knows_attempt(
        &self,
        wallet: &str,
        slot: Slot,
        hash: TxHash,
    ) -> Result<bool, StoreError> {
        let (kind, number) = slot_columns(slot);
        let mut tx = self.db().read().await?;
        let row = tx
            .fetch_optional(
                "select slot from attempts \
                 where wallet = $1 and slot_kind = $2 and slot = $3 and hash = $4",
                vec![wallet.into(), kind.into(), number.into(), hash.0.into()],
            )
            .await?;
        tx.end().await?;
        Ok(row.is_some())
    }

    /// The wallet signs nothing before its journal is at `from`, unless it waits for longer already.
    ///
    /// # Errors
    /// The wallet is no longer held under `tenure`, or the database could not write.
    pub async fn wait_to_sign(&self, tenure: &Tenure, from: LedgerIndex) -> Result<(), StoreError> {
        let mut tx = self.begin_held(tenure).await?;
        lineage::make_wait(&mut tx, &tenure.wallet, from).await?;
        tx.commit().await
    }
}
