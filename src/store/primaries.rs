//! Whether the database that is written to is still the one that everybody else writes to.
//!
//! A standby that is promoted while the old primary lives makes two databases of one. Whoever hangs on the
//! old one sees no error: so the other servers that the URL names are looked at now and then, whoever was
//! promoted last is gone to, and the lineage ([`super::lineage`]) keeps the wallets from signing there
//! before everything that the old one has sent must have shown. A URL that names one server leaves this
//! to whoever moves its address.

use super::Store;
use super::db::Dialect;
use super::error::StoreError;

impl Store {
    /// Looks at all servers that the URL names, and goes to the one that was promoted last.
    ///
    /// # Errors
    /// None of them is a primary, or none answers.
    pub async fn survey_primaries(&self) -> Result<(), StoreError> {
        match self.db().dialect() {
            Dialect::Sqlite(_) => Ok(()),
            Dialect::Postgres(db) => db.survey().await,
        }
    }

    /// The servers that took writes when they were looked at last, though another has succeeded them.
    #[must_use]
    pub fn rival_primaries(&self) -> Vec<String> {
        match self.db().dialect() {
            Dialect::Sqlite(_) => Vec::new(),
            Dialect::Postgres(db) => db.rivals(),
        }
    }
}
