//! Whether a wallet is halted: the operator's word and the engine's, read by both.

use super::{Store, StoreError};

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
}
