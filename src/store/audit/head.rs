//! The head of the audit log: its last entry, in one number and one hash.
//!
//! Whoever keeps a head outside of the database can tell later that everything up to it is as it was,
//! whatever was done to the database since.

use super::chain::FIRST_PREV_HASH;
use crate::store::Store;
use crate::store::db::Tx;
use crate::store::error::StoreError;
use std::fmt;
use std::str::FromStr;

/// How far the log goes, and the hash of its last entry. Written as `SEQUENCE:HASH`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuditHead {
    /// The sequence of the last entry; 0 where there is none.
    pub sequence: i64,
    /// Its hash.
    pub hash: [u8; 32],
}

impl AuditHead {
    /// The head of a log without an entry.
    pub(super) const EMPTY: Self = Self {
        sequence: 0,
        hash: FIRST_PREV_HASH,
    };
}

impl fmt::Display for AuditHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.sequence, hex::encode(self.hash))
    }
}

impl FromStr for AuditHead {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const WANTED: &str = "must be SEQUENCE:HASH, a number and 64 hex digits";
        let (sequence, hash) = text.split_once(':').ok_or(WANTED)?;
        let is_number = sequence.bytes().all(|byte| byte.is_ascii_digit());
        let sequence = sequence.parse().ok().filter(|_| is_number).ok_or(WANTED)?;
        let hash: Vec<u8> = hex::decode(hash).map_err(|_| WANTED)?;
        let hash = hash.try_into().map_err(|_| WANTED)?;
        Ok(Self { sequence, hash })
    }
}

/// The head as it stands; `lock` are the words that keep it until the transaction ends.
pub(super) async fn read(tx: &mut Tx, lock: &str) -> Result<Option<AuditHead>, StoreError> {
    let sql = format!("select sequence, hash from audit_head where mark = 'head'{lock}");
    let row = tx.fetch_optional(sql, Vec::new()).await?;
    let decode = |row: crate::store::db::Row| {
        Ok(AuditHead {
            sequence: row.int("sequence")?,
            hash: row.hash("hash")?,
        })
    };
    row.map(decode).transpose()
}

impl Store {
    /// The head of the audit log as it stands; none where its row is missing, which is a fault that
    /// [`Store::verify_audit`] names.
    ///
    /// # Errors
    /// The database does not answer, or holds a head that cannot be read.
    pub async fn audit_head(&self) -> Result<Option<AuditHead>, StoreError> {
        let mut tx = self.db().read().await?;
        let head = read(&mut tx, "").await?;
        tx.end().await?;
        Ok(head)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_as_it_is_written_and_nothing_else_is() {
        let head = AuditHead {
            sequence: 42,
            hash: [0xAB; 32],
        };
        assert_eq!(head.to_string().parse(), Ok(head));
        assert_eq!(AuditHead::EMPTY.to_string().parse(), Ok(AuditHead::EMPTY));
        let hash = "ab".repeat(32);
        let more = format!("{hash}00");
        for bad in [
            String::new(),
            "42".to_owned(),
            format!(":{hash}"),
            format!("-1:{hash}"),
            format!("+1:{hash}"),
            format!("1:{more}"),
            format!("1:{}", &hash[2..]),
            format!("1:{}zz", &hash[2..]),
            format!("1 :{hash}"),
        ] {
            assert!(bad.parse::<AuditHead>().is_err(), "{bad}");
        }
    }
}
