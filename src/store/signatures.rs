//! Signatures of requests that were used: each is good once, on whichever replica and over any restart.
//!
//! The constraint of the table decides, in a transaction of its own, before anything else is done for
//! the request. A request that fails afterwards has used its signature up and is signed anew.

use super::Store;
use super::error::StoreError;
use xrpayd_core::ids::UnixMs;

impl Store {
    /// Uses a signature up, which nobody believes any more after `until`; `false` where it was used
    /// before.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn use_signature(&self, tag: [u8; 32], until: UnixMs) -> Result<bool, StoreError> {
        let mut tx = self.db().write().await?;
        let once = "insert into used_signatures (tag, believed_until) values ($1, $2) \
            on conflict (tag) do nothing";
        let written = tx.execute(once, vec![tag.into(), until.0.into()]).await?;
        tx.commit().await?;
        Ok(written == 1)
    }

    /// Forgets the signatures that nobody believes any more since `before`; how many they were.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn forget_signatures(&self, before: UnixMs) -> Result<u64, StoreError> {
        let mut tx = self.db().write().await?;
        let forget = "delete from used_signatures where believed_until < $1";
        let forgotten = tx.execute(forget, vec![before.0.into()]).await?;
        tx.commit().await?;
        Ok(forgotten)
    }
}
