//! How a transaction begins: for requests or for the engines, and for leases on connections of their own.

use super::{Begun, Db, Dialect, Tx};
use crate::store::StoreError;

impl Db {
    /// Begins a transaction that writes.
    pub(in crate::store) async fn write(&self) -> Result<Tx, StoreError> {
        Ok(self.begun(match self.dialect() {
            Dialect::Sqlite(db) => Begun::Sqlite(db.write().await?),
            Dialect::Postgres(db) => Begun::Postgres(db.write(self.purpose).await?),
        }))
    }

    /// Begins a transaction that reads one unmoving picture of the database.
    pub(in crate::store) async fn read(&self) -> Result<Tx, StoreError> {
        Ok(self.begun(match self.dialect() {
            Dialect::Sqlite(db) => Begun::Sqlite(db.read().await?),
            Dialect::Postgres(db) => Begun::Postgres(db.read(self.purpose).await?),
        }))
    }

    /// Begins one that writes what keeps a lease: on a connection that is there for nothing else, and
    /// given up on, as a whole, after a fraction of a lease.
    pub(in crate::store) async fn write_lease(&self) -> Result<Tx, StoreError> {
        match self.dialect() {
            Dialect::Sqlite(_) => self.write().await,
            Dialect::Postgres(db) => Ok(self.begun(Begun::Postgres(db.write_lease().await?))),
        }
    }

    /// The same for one that reads.
    pub(in crate::store) async fn read_lease(&self) -> Result<Tx, StoreError> {
        match self.dialect() {
            Dialect::Sqlite(_) => self.read().await,
            Dialect::Postgres(db) => Ok(self.begun(Begun::Postgres(db.read_lease().await?))),
        }
    }

    /// Begins one that takes a lease, which may wait for a commit: on a connection that neither requests
    /// nor renewals use.
    pub(in crate::store) async fn write_taking(&self) -> Result<Tx, StoreError> {
        match self.dialect() {
            Dialect::Sqlite(_) => self.write().await,
            Dialect::Postgres(db) => Ok(self.begun(Begun::Postgres(db.write_taking().await?))),
        }
    }

    /// The same for one that reads.
    pub(in crate::store) async fn read_taking(&self) -> Result<Tx, StoreError> {
        match self.dialect() {
            Dialect::Sqlite(_) => self.read().await,
            Dialect::Postgres(db) => Ok(self.begun(Begun::Postgres(db.read_taking().await?))),
        }
    }
}
