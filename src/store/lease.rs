//! Leases: who may write a wallet.
//!
//! One row a wallet, with its holder, an epoch that grows by one with every taking, and the time at which
//! it runs out by the database's own clock; no caller's clock is asked. Everything that an engine writes
//! begins with [`Store::begin_held`], which locks the wallet's row, before any other, against a taking:
//! whoever takes the lease waits for a commit that is under way, and what comes after him under an older
//! epoch is refused and writes nothing. Renewing does not wait for commits, nor they for it.
//!
//! A database's clock may go back, at a fail-over to a machine whose clock is behind. No lease lasts
//! longer from any moment than it was taken for, so whoever finds one that would cuts it.
//!
//! Owns the tables `leases`, `lease_log` and `replicas`. Each method is one transaction. A taking whose
//! answer is lost is done or not; taking again is right either way, under a further epoch.

mod board;

pub(super) use board::{exists, say_alive};

pub use board::{EndedAs, Lease, LeaseBoard, LeaseTerm, Replica, ReplicaSeen};

use super::db::{Columns, Kind, Row, Tx, TxOn, Value};
use super::lineage::{Descent, Lineage};
use super::{Store, StoreError};
use std::time::Duration;

/// What an engine writes under: one taking of a wallet's lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tenure {
    /// The wallet.
    pub wallet: String,
    /// The how manieth taking of it this is.
    pub epoch: u64,
    /// Who took it: a database that went back may give an epoch out again, to somebody else.
    pub holder: String,
}

impl Tenure {
    pub(super) fn epoch_value(&self) -> Value {
        self.epoch_number().into()
    }

    fn epoch_number(&self) -> i64 {
        i64::try_from(self.epoch).unwrap_or(i64::MAX)
    }

    /// The tenure that a row tells of.
    fn of(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            wallet: row.text("wallet")?,
            epoch: epoch_of(row)?,
            holder: row.text("holder")?,
        })
    }
}

/// What came of trying to take a lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Taken {
    /// It is the caller's.
    Yes(Tenure),
    /// It is another's, for now.
    HeldBy {
        /// Whose.
        holder: String,
        /// For how long at least.
        left: Duration,
    },
}

/// On what ground a lease is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// Nobody holds it, or whoever did has been silent for too long, by the database's clock.
    Vacant,
    /// Whoever held it is dead, as the caller has proved: it alone has the database.
    Orphaned,
}

const RENEWED: Columns = &[
    ("wallet", Kind::Text),
    ("epoch", Kind::Int),
    ("holder", Kind::Text),
    ("ttl_ms", Kind::Int),
];

/// How a lease stands at this moment.
struct Stand {
    holder: String,
    epoch: i64,
    left_ms: i64,
    ttl_ms: i64,
    descent: Descent,
}

impl Stand {
    /// What keeps `replica` from taking it. A replica's own lease is no obstacle to itself: it asks only
    /// when none of its engines works.
    fn obstacle(&self, replica: &str) -> Option<Taken> {
        let is_anothers = !self.holder.is_empty() && self.holder != replica;
        (is_anothers && self.left_ms > 0).then(|| Taken::HeldBy {
            holder: self.holder.clone(),
            left: millis(self.left_ms.min(self.ttl_ms)),
        })
    }

    /// Whether it would last longer than it was taken for: the clock went back.
    const fn is_stretched(&self) -> bool {
        self.left_ms > self.ttl_ms
    }

    /// The epoch of the next taking. A promotion may have lost some that were given out.
    fn next_epoch(&self) -> i64 {
        let next = self.epoch.saturating_add(1);
        match self.descent.is_broken() {
            true => next.max(self.descent.here.epoch_floor()),
            false => next,
        }
    }

    fn ends_as(&self, replica: &str) -> EndedAs {
        match self.left_ms {
            ..=0 => EndedAs::Expired,
            _ if self.holder == replica => EndedAs::Released,
            _ => EndedAs::TakenOver,
        }
    }
}

impl Store {
    /// Whether no other process can be using the database as a daemon does: then whoever held a lease
    /// before this process is dead.
    #[must_use]
    pub fn is_alone(&self) -> bool {
        self.file().is_some()
    }

    /// Takes the lease of `wallet` for `replica`, for `ttl` from now on. A taking waits for a commit of
    /// the last holder that is under way, for a part of a lease at most, and for nothing else: what it
    /// needs it has to itself.
    ///
    /// # Errors
    /// The database could not write.
    pub async fn take_lease(
        &self,
        wallet: &str,
        replica: &str,
        ttl: Duration,
        claim: Claim,
    ) -> Result<Taken, StoreError> {
        if claim == Claim::Vacant {
            // Seen without a lock first: who only looks holds up no commit.
            let mut tx = self.db().read_taking().await?;
            let stand = stand_of(&mut tx, wallet, "").await?;
            tx.end().await?;
            if stand.as_ref().is_some_and(Stand::is_stretched) {
                self.cut_lease(wallet).await?;
            }
            if let Some(obstacle) = stand.and_then(|stand| stand.obstacle(replica)) {
                return Ok(obstacle);
            }
        }
        let mut tx = self.db().write_taking().await?;
        let first = "insert into leases (wallet) values ($1) on conflict (wallet) do nothing";
        tx.execute(first, vec![wallet.into()]).await?;
        let lock = tx.for_update();
        let stand = stand_of(&mut tx, wallet, lock).await?.ok_or_else(|| {
            StoreError::corrupt(format!("the lease of {wallet}"), "it is gone at once")
        })?;
        let obstacle = stand.obstacle(replica);
        if let Some(obstacle) = obstacle.filter(|_| claim == Claim::Vacant) {
            tx.end().await?;
            return Ok(obstacle);
        }
        if !stand.holder.is_empty() {
            end_term(&mut tx, wallet, stand.epoch, stand.ends_as(replica)).await?;
        }
        let now = tx.now_ms();
        let sql = format!(
            "update leases set holder = $2, epoch = $4, ttl_ms = $3, \
             expires_at = {now} + $3, taken_at = {now} where wallet = $1 \
             returning wallet, epoch, holder, taken_at"
        );
        let values = vec![
            wallet.into(),
            replica.into(),
            ttl_value(ttl),
            stand.next_epoch().into(),
        ];
        let row = tx.fetch_optional(sql, values).await?.ok_or_else(|| {
            StoreError::corrupt(format!("the lease of {wallet}"), "it is gone at once")
        })?;
        let tenure = Tenure::of(&row)?;
        let sql = "insert into lease_log (wallet, epoch, holder, taken_at) values ($1, $2, $3, $4)";
        let values = vec![
            wallet.into(),
            tenure.epoch_value(),
            replica.into(),
            row.int("taken_at")?.into(),
        ];
        tx.execute(sql, values).await?;
        tx.commit().await?;
        Ok(Taken::Yes(tenure))
    }

    /// Lets a lease last no longer from now on than it was taken for. Like a renewal it waits for no
    /// commit.
    async fn cut_lease(&self, wallet: &str) -> Result<(), StoreError> {
        let mut tx = self.db().write_lease().await?;
        let now = tx.now_ms();
        let sql = format!(
            "update leases set expires_at = {now} + ttl_ms \
             where wallet = $1 and expires_at > {now} + ttl_ms"
        );
        tx.execute(sql, vec![wallet.into()]).await?;
        tx.commit().await
    }

    /// Renews what `replica` holds, for `ttl` from now on, and says that it lives; answers with the
    /// tenures that are still its own. One that ran out and that nobody took is renewed like the others.
    ///
    /// # Errors
    /// The database could not write.
    pub async fn renew_leases(
        &self,
        replica: &Replica,
        ttl: Duration,
        held: &[Tenure],
    ) -> Result<Vec<Tenure>, StoreError> {
        let mut tx = self.db().write_lease().await?;
        let now = tx.now_ms();
        let sql = format!(
            "update leases set expires_at = {now} + v.ttl_ms, ttl_ms = v.ttl_ms from v \
             where leases.wallet = v.wallet and leases.epoch = v.epoch \
             and leases.holder = v.holder returning leases.wallet as wallet, \
             leases.epoch as epoch, leases.holder as holder"
        );
        let row = |tenure: &Tenure| {
            vec![
                tenure.wallet.as_str().into(),
                tenure.epoch_value(),
                tenure.holder.as_str().into(),
                ttl_value(ttl),
            ]
        };
        let rows = held.iter().map(row).collect();
        let rows = tx.fetch_with(RENEWED, rows, &sql).await?;
        board::say_alive(&mut tx, replica).await?;
        tx.commit().await?;
        rows.iter().map(Tenure::of).collect()
    }

    /// Gives a lease back: whoever asks next gets it at once. Nothing is done where it is another's by
    /// now. Whether it was given back is answered.
    ///
    /// # Errors
    /// The database could not write.
    pub async fn release_lease(&self, tenure: &Tenure) -> Result<bool, StoreError> {
        let mut tx = self.db().write_lease().await?;
        let now = tx.now_ms();
        let sql = format!(
            "update leases set holder = '', expires_at = {now} \
             where wallet = $1 and epoch = $2 and holder = $3"
        );
        let values = vec![
            tenure.wallet.as_str().into(),
            tenure.epoch_value(),
            tenure.holder.as_str().into(),
        ];
        let is_released = tx.execute(sql, values).await? == 1;
        if is_released {
            let epoch = tenure.epoch_number();
            end_term(&mut tx, &tenure.wallet, epoch, EndedAs::Released).await?;
        }
        tx.commit().await?;
        Ok(is_released)
    }

    /// Begins a transaction of the engine that holds a wallet: nobody takes the lease before it ends.
    ///
    /// # Errors
    /// The wallet is no longer held under this tenure, the database is not the one that it was last
    /// worked on in, or the database does not answer.
    pub(super) async fn begin_held(&self, tenure: &Tenure) -> Result<Tx, StoreError> {
        let (tx, descent) = self.begin_held_anywhere(tenure).await?;
        if descent.is_broken() {
            tx.end().await?;
            return Err(StoreError::HistoryBroken(tenure.wallet.clone()));
        }
        Ok(tx)
    }

    /// The same wherever the wallet was last worked on, and that beside where we are.
    pub(super) async fn begin_held_anywhere(
        &self,
        tenure: &Tenure,
    ) -> Result<(Tx, Descent), StoreError> {
        let mut tx = self.db().write().await?;
        let here = tx.lineage();
        let sql = match &tx.on {
            TxOn::Sqlite(_) => format!(
                "select wallet, epoch, holder, lineage, {here} as here from leases where wallet = $1"
            ),
            // A process that freezes in the middle of a transaction would hold the taking up for as long
            // as the server lets transactions idle: this one is ended before the lease runs out. So it is
            // where the server is stuck with an answer that nobody takes, which is no idling: what is
            // sent and not received for as long breaks the connection. And so it is where a statement
            // of it waits for a lock, which may come after half of that, and idles only then.
            TxOn::Postgres(_) => format!(
                "select wallet, epoch, holder, lineage, {here} as here, \
                 set_config('lock_timeout', least(greatest(ttl_ms / 4, 500), extract(epoch from \
                 current_setting('lock_timeout')::interval) * 1000)::bigint::text, true), \
                 set_config('idle_in_transaction_session_timeout', \
                 greatest(ttl_ms / 2, 1000)::text, true), \
                 set_config('tcp_user_timeout', greatest(ttl_ms / 2, 1000)::text, true) \
                 from leases where wallet = $1 for key share"
            ),
        };
        let values = vec![tenure.wallet.as_str().into()];
        let row = tx.fetch_optional(sql, values).await?;
        if let Some(row) = row
            && Tenure::of(&row)? == *tenure
        {
            return Ok((tx, descent_of(&row)?));
        }
        tx.end().await?;
        Err(StoreError::LeaseLost(tenure.wallet.clone()))
    }
}

async fn stand_of(
    tx: &mut Tx,
    wallet: &str,
    lock: &'static str,
) -> Result<Option<Stand>, StoreError> {
    let (now, here) = (tx.now_ms(), tx.lineage());
    let sql = format!(
        "select holder, epoch, expires_at - {now} as left_ms, ttl_ms, lineage, {here} as here \
         from leases where wallet = $1{lock}"
    );
    let row = tx.fetch_optional(sql, vec![wallet.into()]).await?;
    row.map(|row| {
        Ok(Stand {
            holder: row.text("holder")?,
            epoch: row.int("epoch")?,
            left_ms: row.int("left_ms")?,
            ttl_ms: row.int("ttl_ms")?,
            descent: descent_of(&row)?,
        })
    })
    .transpose()
}

fn descent_of(row: &Row) -> Result<Descent, StoreError> {
    Ok(Descent {
        known: row.text_or_null("lineage")?.map(Lineage::new),
        here: Lineage::new(row.text("here")?),
    })
}

async fn end_term(tx: &mut Tx, wallet: &str, epoch: i64, how: EndedAs) -> Result<(), StoreError> {
    let now = tx.now_ms();
    let sql = format!(
        "update lease_log set ended_at = {now}, ended_as = $3 \
         where wallet = $1 and epoch = $2 and ended_at is null"
    );
    let values = vec![wallet.into(), epoch.into(), how.as_str().into()];
    tx.execute(sql, values).await?;
    Ok(())
}

fn epoch_of(row: &Row) -> Result<u64, StoreError> {
    let epoch = row.int("epoch")?;
    u64::try_from(epoch).map_err(|_| StoreError::corrupt("an epoch", epoch.to_string()))
}

/// A time that is left, where any is.
fn millis(ms: i64) -> Duration {
    Duration::from_millis(u64::try_from(ms).unwrap_or(0))
}

fn ttl_value(ttl: Duration) -> Value {
    i64::try_from(ttl.as_millis()).unwrap_or(i64::MAX).into()
}
