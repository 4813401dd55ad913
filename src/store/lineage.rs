//! Whether the database is still the one that a wallet was last worked on in.
//!
//! A standby that is promoted before it has received everything is a database that went back: commits
//! that were answered are gone, and an attempt among them may be in flight that no table knows of. The
//! same is true of a copy that is put in the database's place. PostgreSQL tells them apart by itself:
//! every promotion and every recovery to a point in time begins a timeline of its own, and a dump is
//! restored into another database or another system. System, database and timeline together are the
//! *lineage*.
//!
//! Owns the column `leases.lineage`. Whatever an engine writes is held against it in the same transaction
//! ([`Store::begin_held`]), so that a server which changed behind a proxy, or between two statements, is
//! noticed before anything is signed there. An engine that begins takes the lineage over together with a
//! wait that outlasts everything which may be in flight. A row without one is from before there were any.

use super::db::Tx;
use super::lease::Tenure;
use super::{Store, StoreError, events};
use xrpayd_core::ids::LedgerIndex;

/// The lineage as SQL says it, on a server that has the functions for it.
pub(super) const OF_POSTGRES: &str = "((select system_identifier::text from pg_control_system()) \
     || '/' || (select oid::text from pg_database where datname = current_database()) \
     || '/' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))";
/// On a server that has not: there is only one, as far as anybody can tell.
pub(super) const OF_OTHERS: &str = "'unknown'";
/// The lineage of a file.
pub(super) const OF_FILES: &str = "'file'";

/// So many takings of a lease belong to one timeline: epochs that a promotion has lost are not given
/// out again to somebody else.
const EPOCHS_OF_TIMELINE: i64 = 1_000_000_000;

/// One unbroken history of a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lineage(String);

impl Lineage {
    pub(super) const fn new(text: String) -> Self {
        Self(text)
    }

    /// As it is shown: system, database and timeline.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The epochs of leases that are taken in this lineage, after another, are above this one.
    pub(super) fn epoch_floor(&self) -> i64 {
        let timeline = self.0.rsplit_once('/').map_or("", |(_, timeline)| timeline);
        let timeline = i64::from_str_radix(timeline, 16).unwrap_or(1);
        timeline
            .saturating_sub(1)
            .saturating_mul(EPOCHS_OF_TIMELINE)
    }
}

/// The history in which a wallet was last worked on, beside the one that is there now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Descent {
    /// Where the wallet was last worked on; `None` where nobody has said yet.
    pub known: Option<Lineage>,
    /// Where we are.
    pub here: Lineage,
}

impl Descent {
    /// Whether what was committed last may be gone.
    #[must_use]
    pub fn is_broken(&self) -> bool {
        self.known.as_ref().is_some_and(|known| *known != self.here)
    }
}

impl Store {
    /// Where a wallet was last worked on, and where we are.
    ///
    /// # Errors
    /// The wallet is no longer held under `tenure`, or the database does not answer.
    pub async fn descent(&self, tenure: &Tenure) -> Result<Descent, StoreError> {
        // A transaction that could write: a standby that was left behind is not asked.
        let (tx, descent) = self.begin_held_anywhere(tenure).await?;
        tx.end().await?;
        Ok(descent)
    }

    /// From now on the wallet is worked on `here`, and signs nothing before its journal is at
    /// `sign_from`, unless it waits for longer already.
    ///
    /// # Errors
    /// The wallet is no longer held under `tenure`, the database is another one by now, or it could not
    /// write.
    pub async fn settle_lineage(
        &self,
        tenure: &Tenure,
        here: &Lineage,
        sign_from: Option<LedgerIndex>,
    ) -> Result<(), StoreError> {
        let wallet = tenure.wallet.as_str();
        let (mut tx, descent) = self.begin_held_anywhere(tenure).await?;
        if descent.here != *here {
            tx.end().await?;
            return Err(StoreError::HistoryBroken(wallet.to_owned()));
        }
        let settle = "update leases set lineage = $2 where wallet = $1";
        tx.execute(settle, vec![wallet.into(), here.as_str().into()])
            .await?;
        if let Some(from) = sign_from {
            make_wait(&mut tx, wallet, from).await?;
        }
        // Whoever has read what is gone can go on from there at once, and not only after the next event.
        events::draw(&mut tx, 0).await?;
        tx.commit().await
    }

    /// Those of `wallets` that nobody has gone on with since the database became another one.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn left_behind(&self, wallets: &[String]) -> Result<Vec<String>, StoreError> {
        let mut tx = self.db().write().await?;
        let here = tx.lineage();
        let sql = format!("select wallet from leases where lineage <> {here} order by wallet");
        let rows = tx.fetch(sql, Vec::new()).await?;
        tx.end().await?;
        let names = rows.iter().map(|row| row.text("wallet"));
        let names: Result<Vec<String>, StoreError> = names.collect();
        Ok(names?
            .into_iter()
            .filter(|name| wallets.contains(name))
            .collect())
    }
}

/// The wallet signs nothing before its journal is at `from`, unless it waits for longer already.
pub(super) async fn make_wait(
    tx: &mut Tx,
    wallet: &str,
    from: LedgerIndex,
) -> Result<(), StoreError> {
    let sql = "update wallets set sign_from = $2 \
               where name = $1 and (sign_from is null or sign_from < $2)";
    tx.execute(sql, vec![wallet.into(), from.0.into()]).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn epochs_of_a_later_timeline_are_above_those_of_an_earlier_one() {
        let floor = |text: &str| Lineage::new(text.to_owned()).epoch_floor();
        assert_eq!(floor("7301/16384/00000001"), 0);
        assert_eq!(floor("7301/16384/00000002"), EPOCHS_OF_TIMELINE);
        assert_eq!(floor("7301/16384/0000000B"), 10 * EPOCHS_OF_TIMELINE);
        assert_eq!([floor("file"), floor("unknown"), floor("")], [0; 3]);
    }
}
