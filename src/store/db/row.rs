//! Typed reading of a row, alike on both dialects: what is not what it should be is an error and names
//! its column.

use crate::store::error::StoreError;
use sqlx::Row as _;

/// One row of either dialect.
pub(in crate::store) enum Row {
    Sqlite(sqlx::sqlite::SqliteRow),
    Postgres(sqlx::postgres::PgRow),
}

macro_rules! getter {
    ($(#[$doc:meta])* $name:ident -> $type:ty) => {
        $(#[$doc])*
        pub(in crate::store) fn $name(&self, column: &str) -> Result<$type, StoreError> {
            match self {
                Self::Sqlite(row) => Ok(row.try_get(column)?),
                Self::Postgres(row) => Ok(row.try_get(column)?),
            }
        }
    };
}

impl Row {
    getter!(/// A whole number.
        int -> i64);
    getter!(/// A whole number or null.
        int_or_null -> Option<i64>);
    getter!(/// A text.
        text -> String);
    getter!(/// A text or null.
        text_or_null -> Option<String>);
    getter!(/// Bytes.
        blob -> Vec<u8>);
    getter!(/// Bytes or null.
        blob_or_null -> Option<Vec<u8>>);

    /// A whole number that fits 32 bits.
    pub(in crate::store) fn uint(&self, column: &str) -> Result<u32, StoreError> {
        narrow(column, self.int(column)?)
    }

    /// A whole number that fits 32 bits, or null.
    pub(in crate::store) fn uint_or_null(&self, column: &str) -> Result<Option<u32>, StoreError> {
        let value = self.int_or_null(column)?;
        value.map(|value| narrow(column, value)).transpose()
    }

    /// Exactly 32 bytes.
    pub(in crate::store) fn hash(&self, column: &str) -> Result<[u8; 32], StoreError> {
        let bytes = self.blob(column)?;
        let len = bytes.len();
        bytes
            .try_into()
            .map_err(|_| StoreError::corrupt(format!("a column {column}"), format!("{len} bytes")))
    }
}

fn narrow(column: &str, value: i64) -> Result<u32, StoreError> {
    u32::try_from(value).map_err(|_| {
        StoreError::corrupt(
            format!("a column {column}"),
            format!("{value} is out of range"),
        )
    })
}
