//! The time that all processes on one database agree on.

use super::Store;
use super::error::StoreError;
use xrpayd_core::ids::UnixMs;

impl Store {
    /// What the database's clock shows; none where one process alone has the database, whose own clock is
    /// the one that counts.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn shared_time(&self) -> Result<Option<UnixMs>, StoreError> {
        if self.is_alone() {
            return Ok(None);
        }
        let mut tx = self.db().read_lease().await?;
        let sql = format!("select {} as now_ms", tx.now_ms());
        let row = tx.fetch_optional(sql, Vec::new()).await?;
        tx.end().await?;
        row.map(|row| row.int("now_ms").map(UnixMs)).transpose()
    }
}
