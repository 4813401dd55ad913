//! The schema that a database is at, before anything opens it: opening brings it up to date, and whoever
//! only wants to take its books elsewhere has not asked for that.

use super::CopyError;
use crate::store::error::StoreError;
use crate::store::{Schema, Store, StoreConfig};

impl Store {
    /// Whether a database has books in a schema that this program can copy, without changing anything.
    ///
    /// # Errors
    /// There is none, or it is at another schema.
    pub async fn can_be_source(config: &StoreConfig) -> Result<(), CopyError> {
        let Schema { found, known } = Self::schema(config).await?;
        match found {
            None => Err(CopyError::NothingToCopy),
            Some(found) if found < known => Err(CopyError::Older { found, known }),
            Some(found) if found > known => Err(StoreError::Newer { found, known }.into()),
            Some(_) => Ok(()),
        }
    }
}
