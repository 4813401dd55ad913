//! What the holder of a wallet shows of it, for the replicas that do not hold it.
//!
//! One row a wallet, written by the replica that has its lease and read by all others. A picture and
//! nothing more: nothing that is signed, booked or decided is decided by it, but whether other wallets
//! may sign ([`LaneView::is_current`]). Owns the table `lane_views`; what is in a view is its writer's
//! and reader's affair. What a replica writes that has just lost the lease is told apart by its epoch.

use super::db::{Columns, Kind};
use super::{Store, StoreError, Tenure};
use std::time::Duration;

/// A wallet as its holder showed it last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaneView {
    /// The wallet.
    pub wallet: String,
    /// What is shown.
    pub view: String,
    /// How long ago it was written, by the database's clock.
    pub age: Duration,
    /// Whether who wrote it holds the wallet to this moment.
    pub is_current: bool,
}

const WRITTEN: Columns = &[
    ("wallet", Kind::Text),
    ("epoch", Kind::Int),
    ("view", Kind::Text),
];

impl Store {
    /// Shows wallets as their holder; of one that is another's by now nothing is written.
    ///
    /// # Errors
    /// The database could not write.
    pub async fn show_lanes(&self, views: &[(Tenure, String)]) -> Result<(), StoreError> {
        let mut tx = self.db().write().await?;
        let now = tx.now_ms();
        let sql = format!(
            "insert into lane_views (wallet, epoch, view, written_at) \
             select v.wallet, v.epoch, v.view, {now} from v \
             join leases l on l.wallet = v.wallet and l.epoch = v.epoch \
             where l.holder <> '' order by v.wallet \
             on conflict (wallet) do update set epoch = excluded.epoch, view = excluded.view, \
             written_at = excluded.written_at where lane_views.epoch <= excluded.epoch"
        );
        let row = |(tenure, view): &(Tenure, String)| {
            vec![
                tenure.wallet.as_str().into(),
                tenure.epoch_value(),
                view.as_str().into(),
            ]
        };
        let rows = views.iter().map(row).collect();
        tx.execute_with(WRITTEN, rows, &sql).await?;
        tx.commit().await
    }

    /// Every wallet as its holder showed it last.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn shown_lanes(&self) -> Result<Vec<LaneView>, StoreError> {
        let mut tx = self.db().read().await?;
        let now = tx.now_ms();
        let sql = format!(
            "select s.wallet as wallet, s.view as view, {now} - s.written_at as age_ms, \
             cast(case when l.epoch = s.epoch and l.holder <> '' and l.expires_at > {now} \
             then 1 else 0 end as bigint) as is_current \
             from lane_views s left join leases l on l.wallet = s.wallet order by s.wallet"
        );
        let rows = tx.fetch(sql, Vec::new()).await?;
        tx.end().await?;
        let decode = |row: &super::db::Row| {
            Ok(LaneView {
                wallet: row.text("wallet")?,
                view: row.text("view")?,
                // A clock that was set back makes nothing younger than new.
                age: Duration::from_millis(u64::try_from(row.int("age_ms")?).unwrap_or(0)),
                is_current: row.uint("is_current")? == 1,
            })
        };
        rows.iter().map(decode).collect()
    }
}
