//! Who is there and who holds what: the rows of replicas, leases and of every taking, as they are read by
//! health, by whoever spreads the wallets, and by auditors.
//!
//! Times that count are durations, reckoned by the database's clock.

use super::{epoch_of, millis};
use crate::store::db::{Row, Tx};
use crate::store::limits;
use crate::store::{Store, StoreError};
use std::time::Duration;
use xrpayd_core::ids::UnixMs;

/// A replica that was silent for this long is forgotten.
const FORGOTTEN_AFTER_MS: i64 = 24 * 60 * 60 * 1_000;

/// One process that serves the database, as it says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replica {
    /// Its identity: another one with every start.
    pub id: String,
    /// Its name, as it is shown.
    pub name: String,
    /// Which version of the program it runs.
    pub version: String,
    /// Whether it is about to end.
    pub is_draining: bool,
}

/// One process that serves the database, as the database has seen it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplicaSeen {
    /// What it says of itself.
    pub replica: Replica,
    /// When it started.
    pub started_at: UnixMs,
    /// For how long nothing was heard of it.
    pub silent: Duration,
}

/// The lease of one wallet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// The wallet.
    pub wallet: String,
    /// The replica that has it, where one does; it may have been silent for too long.
    pub holder: Option<String>,
    /// How often it has been taken.
    pub epoch: u64,
    /// For how long it lasts if it is not renewed; nothing where it has run out.
    pub left: Duration,
    /// When it was taken last.
    pub taken_at: UnixMs,
}

/// Who is there and who holds what, at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LeaseBoard {
    /// By wallet.
    pub leases: Vec<Lease>,
    /// By identity.
    pub replicas: Vec<ReplicaSeen>,
}

/// How a tenure ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndedAs {
    /// Its holder gave it back, or took it anew.
    Released,
    /// Its holder was silent for too long, and another took it.
    Expired,
    /// Its holder was known to be dead.
    TakenOver,
}

impl EndedAs {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Released => "released",
            Self::Expired => "expired",
            Self::TakenOver => "taken_over",
        }
    }
}

/// One taking of a lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseTerm {
    /// The wallet.
    pub wallet: String,
    /// The how manieth taking of it this is.
    pub epoch: u64,
    /// Who took it.
    pub holder: String,
    /// When.
    pub taken_at: UnixMs,
    /// When and how it ended, where it has.
    pub ended: Option<(UnixMs, EndedAs)>,
}

impl Store {
    /// Enters a replica that begins, and forgets those that nothing was heard of for a day.
    ///
    /// # Errors
    /// The database could not write.
    pub async fn enter_replica(&self, replica: &Replica) -> Result<(), StoreError> {
        let mut tx = self.db().write_lease().await?;
        let now = tx.now_ms();
        let sql = format!("delete from replicas where seen_at < {now} - $1");
        tx.execute(sql, vec![FORGOTTEN_AFTER_MS.into()]).await?;
        say_alive(&mut tx, replica).await?;
        tx.commit().await
    }

    /// Strikes out a replica that has ended.
    ///
    /// # Errors
    /// The database could not write.
    pub async fn leave_replica(&self, id: &str) -> Result<(), StoreError> {
        let mut tx = self.db().write_lease().await?;
        limits::words::take_back(&mut tx, id).await?;
        let sql = "delete from replicas where id = $1";
        tx.execute(sql, vec![id.into()]).await?;
        tx.commit().await
    }

    /// Who is there and who holds what.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn lease_board(&self) -> Result<LeaseBoard, StoreError> {
        let mut tx = self.db().read_lease().await?;
        let now = tx.now_ms();
        let sql = format!(
            "select wallet, holder, epoch, expires_at - {now} as left_ms, ttl_ms, taken_at \
             from leases order by wallet"
        );
        let leases = tx.fetch(sql, vec![]).await?;
        let sql = format!(
            "select id, name, version, is_draining, started_at, {now} - seen_at as silent_ms \
             from replicas order by id"
        );
        let replicas = tx.fetch(sql, vec![]).await?;
        tx.end().await?;
        let replicas = replicas.iter().map(replica_from);
        Ok(LeaseBoard {
            leases: leases.iter().map(lease_from).collect::<Result<_, _>>()?,
            replicas: replicas.collect::<Result<_, _>>()?,
        })
    }

    /// Every taking of a wallet's lease, the oldest first.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn lease_log(&self, wallet: &str) -> Result<Vec<LeaseTerm>, StoreError> {
        let mut tx = self.db().read().await?;
        let sql = "select wallet, epoch, holder, taken_at, ended_at, ended_as from lease_log \
            where wallet = $1 order by epoch";
        let rows = tx.fetch(sql, vec![wallet.into()]).await?;
        tx.end().await?;
        rows.iter().map(term_from).collect()
    }
}

/// Writes what a replica says of itself, and that it was heard of just now.
pub(in crate::store) async fn say_alive(tx: &mut Tx, replica: &Replica) -> Result<(), StoreError> {
    let heard = "update set seen_at = excluded.seen_at, is_draining = excluded.is_draining";
    enter(tx, replica, heard).await
}

/// Sees to it that it is known, and says nothing of one that is.
pub(in crate::store) async fn exists(tx: &mut Tx, replica: &Replica) -> Result<(), StoreError> {
    enter(tx, replica, "nothing").await
}

async fn enter(tx: &mut Tx, replica: &Replica, where_known: &str) -> Result<(), StoreError> {
    let now = tx.now_ms();
    let sql = format!(
        "insert into replicas (id, name, version, is_draining, started_at, seen_at) \
         values ($1, $2, $3, $4, {now}, {now}) on conflict (id) do {where_known}"
    );
    let values = vec![
        replica.id.as_str().into(),
        replica.name.as_str().into(),
        replica.version.as_str().into(),
        replica.is_draining.into(),
    ];
    tx.execute(sql, values).await?;
    Ok(())
}

fn lease_from(row: &Row) -> Result<Lease, StoreError> {
    Ok(Lease {
        wallet: row.text("wallet")?,
        holder: Some(row.text("holder")?).filter(|holder| !holder.is_empty()),
        epoch: epoch_of(row)?,
        left: millis(row.int("left_ms")?.min(row.int("ttl_ms")?)),
        taken_at: UnixMs(row.int("taken_at")?),
    })
}

fn replica_from(row: &Row) -> Result<ReplicaSeen, StoreError> {
    Ok(ReplicaSeen {
        replica: Replica {
            id: row.text("id")?,
            name: row.text("name")?,
            version: row.text("version")?,
            is_draining: row.int("is_draining")? != 0,
        },
        started_at: UnixMs(row.int("started_at")?),
        // Whoever was heard of in what is the future by now, as the clock went back, has said nothing
        // since.
        silent: millis(row.int("silent_ms")?.saturating_abs()),
    })
}

fn term_from(row: &Row) -> Result<LeaseTerm, StoreError> {
    let ended = match (row.int_or_null("ended_at")?, row.text_or_null("ended_as")?) {
        (None, None) => None,
        (Some(at), Some(word)) => Some((UnixMs(at), ended_from(&word)?)),
        _ => return Err(StoreError::corrupt("lease_log", "one half of an end")),
    };
    Ok(LeaseTerm {
        wallet: row.text("wallet")?,
        epoch: epoch_of(row)?,
        holder: row.text("holder")?,
        taken_at: UnixMs(row.int("taken_at")?),
        ended,
    })
}

fn ended_from(word: &str) -> Result<EndedAs, StoreError> {
    [EndedAs::Released, EndedAs::Expired, EndedAs::TakenOver]
        .into_iter()
        .find(|how| how.as_str() == word)
        .ok_or_else(|| StoreError::corrupt("lease_log.ended_as", word))
}
