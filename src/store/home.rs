//! Whose a database is: the profile and the network that it was begun for. One row, written by the
//! first daemon that starts on it.

use super::db::{Row, Tx};
use super::{Store, StoreError};
use xrpayd_core::ids::UnixMs;

/// The profile and the network of a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Home {
    /// The profile, as `production`.
    pub profile: String,
    /// The network's identifier.
    pub network_id: u32,
}

impl Store {
    /// Whose the database is, where a daemon has started on it.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn home(&self) -> Result<Option<Home>, StoreError> {
        let mut tx = self.db().read().await?;
        read(&mut tx).await
    }

    /// Makes the database somebody's where it is nobody's, and says whose it is now.
    ///
    /// # Errors
    /// The database could not write.
    pub async fn settle(&self, home: &Home, now: UnixMs) -> Result<Home, StoreError> {
        let mut tx = self.db().write().await?;
        let sql = "insert into home (mark, profile, network_id, since) values ('home', $1, $2, $3) \
            on conflict do nothing";
        let values = vec![
            home.profile.as_str().into(),
            home.network_id.into(),
            now.0.into(),
        ];
        tx.execute(sql, values).await?;
        let settled = read(&mut tx).await?;
        tx.commit().await?;
        settled.ok_or_else(|| StoreError::corrupt("home", "the row that was just written is gone"))
    }

    /// Gives the database of one profile to another; whether it was the one's.
    ///
    /// # Errors
    /// The database could not write.
    pub async fn move_home(&self, from: &str, to: &str) -> Result<bool, StoreError> {
        let mut tx = self.db().write().await?;
        let sql = "update home set profile = $2 where profile = $1";
        let moved = tx.execute(sql, vec![from.into(), to.into()]).await?;
        tx.commit().await?;
        Ok(moved == 1)
    }
}

/// Whose the database is, within a transaction.
pub(super) async fn read(tx: &mut Tx) -> Result<Option<Home>, StoreError> {
    let sql = "select profile, network_id from home where mark = 'home'";
    let row = tx.fetch_optional(sql, vec![]).await?;
    row.as_ref().map(decode).transpose()
}

fn decode(row: &Row) -> Result<Home, StoreError> {
    let network_id = row.int("network_id")?;
    Ok(Home {
        profile: row.text("profile")?,
        network_id: u32::try_from(network_id)
            .map_err(|_| StoreError::corrupt("home.network_id", network_id.to_string()))?,
    })
}
