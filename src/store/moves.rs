//! Where the books are kept: in this database, in another one that they were copied to, or in neither
//! while a copy is under way.
//!
//! Owns `moves`. A daemon asks before it does anything else, and ends where the books are not here. What
//! is written here is half of a copy; [`super::copy`] brings the two ends together.

use super::Store;
use super::db::{Row, Tx};
use super::error::StoreError;
use xrpayd_core::ids::UnixMs;

/// One end of a copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Move {
    /// The same at both ends.
    pub id: String,
    /// The other end, without its password.
    pub other: String,
    /// When the copy began.
    pub at: UnixMs,
    /// How far it is.
    pub state: MoveState,
}

/// How far a copy is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MoveState {
    /// Rows are on their way.
    Open,
    /// All rows have come, and are not yet held against where they come from.
    Filled,
    /// The books are at the other end, or at this one.
    Done,
}

impl MoveState {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Filled => "filled",
            Self::Done => "done",
        }
    }
}

/// Where the books are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whereabouts {
    /// Here.
    Here,
    /// Here since a copy after which no daemon has started yet.
    Arrived(Move),
    /// They are going to another database, or are gone.
    Leaving(Move),
    /// They are coming from another database, and are not all here.
    Arriving(Move),
}

impl Whereabouts {
    /// Whether books are coming that are not all here, or not yet believed.
    #[must_use]
    pub const fn is_arriving(&self) -> bool {
        matches!(self, Self::Arriving(_))
    }
}

impl Store {
    /// Where the books are kept that this database has or had.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn whereabouts(&self) -> Result<Whereabouts, StoreError> {
        let mut tx = self.db().read().await?;
        let found = told(&mut tx, "").await?;
        tx.end().await?;
        Ok(found)
    }

    /// A daemon starts on books that came by this copy; `false` where the copy has been taken back since.
    ///
    /// # Errors
    /// The database could not write.
    pub async fn use_arrived(&self, id: &str, now: UnixMs) -> Result<bool, StoreError> {
        let mut tx = self.db().write().await?;
        let sql = "update moves set used_at = coalesce(used_at, $2) \
            where id = $1 and side = 'from' and state = 'done'";
        let used = tx.execute(sql, vec![id.into(), now.0.into()]).await?;
        tx.commit().await?;
        Ok(used == 1)
    }
}

/// The same within a transaction that writes, and until that ends.
pub(super) async fn whereabouts(tx: &mut Tx) -> Result<Whereabouts, StoreError> {
    let lock = tx.for_update();
    told(tx, lock).await
}

async fn told(tx: &mut Tx, lock: &str) -> Result<Whereabouts, StoreError> {
    let sql = format!(
        "select id, side, state, other, at from moves \
         where side = 'to' or state <> 'done' or used_at is null{lock}"
    );
    let mut found = Whereabouts::Here;
    for row in &tx.fetch(sql, Vec::new()).await? {
        let one = decode(row)?;
        found = match (row.text("side")?.as_str(), one.state, found) {
            // Books that never came whole cannot have left.
            ("from", MoveState::Open | MoveState::Filled, _) => Whereabouts::Arriving(one),
            ("to", _, Whereabouts::Here | Whereabouts::Arrived(_)) => Whereabouts::Leaving(one),
            ("from", MoveState::Done, Whereabouts::Here) => Whereabouts::Arrived(one),
            (_, _, found) => found,
        };
    }
    Ok(found)
}

/// Writes one end down; the database has none on that side that is under way.
pub(super) async fn begin(tx: &mut Tx, side: &str, one: &Move) -> Result<(), StoreError> {
    let sql = "insert into moves (id, side, state, other, at) values ($1, $2, $3, $4, $5)";
    let values = vec![
        one.id.as_str().into(),
        side.into(),
        one.state.as_str().into(),
        one.other.as_str().into(),
        one.at.0.into(),
    ];
    tx.execute(sql, values).await.map(|_| ())
}

/// Brings one end from one state to the next; whether it was in the one.
pub(super) async fn advance(
    tx: &mut Tx,
    (id, side): (&str, &str),
    (from, to): (MoveState, MoveState),
    now: UnixMs,
) -> Result<bool, StoreError> {
    let done_at = (to == MoveState::Done).then_some(now.0);
    let sql = "update moves set state = $4, done_at = $5 \
        where id = $1 and side = $2 and state = $3 and used_at is null";
    let values = vec![
        id.into(),
        side.into(),
        from.as_str().into(),
        to.as_str().into(),
        done_at.into(),
    ];
    Ok(tx.execute(sql, values).await? == 1)
}

/// Books that came are here for good: the copy that brought them is not taken back any more.
pub(super) async fn settle(tx: &mut Tx, id: &str, now: UnixMs) -> Result<(), StoreError> {
    let sql = "update moves set used_at = coalesce(used_at, $2) where id = $1 and side = 'from'";
    let values = vec![id.into(), now.0.into()];
    tx.execute(sql, values).await.map(|_| ())
}

/// Whether the books came by this copy.
pub(super) async fn came_by(tx: &mut Tx, id: &str) -> Result<bool, StoreError> {
    let sql = "select 1 as there from moves where id = $1 and side = 'from'";
    Ok(tx.fetch_optional(sql, vec![id.into()]).await?.is_some())
}

/// Forgets one end; whether it was there in that state.
pub(super) async fn forget(
    tx: &mut Tx,
    (id, side): (&str, &str),
    state: MoveState,
) -> Result<bool, StoreError> {
    let sql = "delete from moves where id = $1 and side = $2 and state = $3 and used_at is null";
    let values = vec![id.into(), side.into(), state.as_str().into()];
    Ok(tx.execute(sql, values).await? == 1)
}

fn decode(row: &Row) -> Result<Move, StoreError> {
    let state = match row.text("state")?.as_str() {
        "open" => MoveState::Open,
        "filled" => MoveState::Filled,
        "done" => MoveState::Done,
        other => return Err(StoreError::corrupt("moves.state", other)),
    };
    Ok(Move {
        id: row.text("id")?,
        other: row.text("other")?,
        at: UnixMs(row.int("at")?),
        state,
    })
}
