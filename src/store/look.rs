//! A look at a database before anything opens it, and at its server: opening brings the schema up to
//! date, and whoever only looks has not asked for that.

use super::error::StoreError;
use super::{Store, StoreConfig, db, migrations, postgres, sqlite};

/// The schema of a database beside this program's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Schema {
    /// What it is at; none where there is no database, or an empty one.
    pub found: Option<i64>,
    /// The newest that this program knows.
    pub known: i64,
}

/// What a database server is set to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerSettings {
    /// The most connections that ordinary users may have.
    pub connections_max: u32,
    /// Whether what was committed is on the disk, and survives a torn page.
    pub is_durable: bool,
}

impl Store {
    /// The schema that a database is at. Nothing is made or changed.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn schema(config: &StoreConfig) -> Result<Schema, StoreError> {
        let found = if config.url.starts_with("sqlite:") {
            sqlite::schema(config).await?
        } else {
            postgres::schema(config).await?
        };
        Ok(Schema {
            found,
            known: migrations::known(),
        })
    }

    /// What the database's server is set to; none where the database is a file.
    ///
    /// # Errors
    /// The server does not answer, or not with what was asked for.
    pub async fn server_settings(&self) -> Result<Option<ServerSettings>, StoreError> {
        if matches!(self.db().dialect(), db::Dialect::Sqlite(_)) {
            return Ok(None);
        }
        let mut tx = self.db().read().await?;
        let sql = "select current_setting('max_connections')::bigint \
            - current_setting('superuser_reserved_connections')::bigint as connections, \
            case when current_setting('fsync') = 'on' and current_setting('full_page_writes') = 'on' \
            then 1 else 0 end::bigint as durable";
        let row = tx.fetch_optional(sql, Vec::new()).await?;
        tx.end().await?;
        let row = row.ok_or_else(|| StoreError::corrupt("settings", "the server tells none"))?;
        let connections = row.int("connections")?;
        Ok(Some(ServerSettings {
            connections_max: u32::try_from(connections)
                .map_err(|_| StoreError::corrupt("max_connections", connections.to_string()))?,
            is_durable: row.int("durable")? == 1,
        }))
    }
}
