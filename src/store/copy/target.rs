//! The end that the books come to: empty at first, then full and not believed yet, then their home.

use super::{CopyError, Progress, TableSum, books, catalog, note, rows};
use crate::store::audit::Actor;
use crate::store::db::{Tx, TxOn};
use crate::store::error::StoreError;
use crate::store::moves::{self, Move, MoveState, Whereabouts};
use crate::store::{Store, home, migrations};
use serde_json::json;
use xrpayd_core::ids::UnixMs;

/// The tables that a fresh database has rows in; as long as all others are empty, those are as they were.
const WITH_FRESH_ROWS: [&str; 6] = [
    "audit_head",
    "feed",
    "heartbeat",
    "limit_state",
    "pauses",
    "rollout",
];

impl Store {
    /// Makes this database the target of a copy: no daemon starts on it until that has come to its end.
    /// Says how far the copy is, where it was cut short.
    ///
    /// # Errors
    /// The database is not empty, or is another copy's.
    pub async fn await_books(
        &self,
        leaving: &Move,
        source: &str,
        now: UnixMs,
    ) -> Result<MoveState, CopyError> {
        let mut tx = self.db().write().await?;
        match moves::whereabouts(&mut tx).await? {
            Whereabouts::Arriving(known) if known.id == leaving.id => {
                tx.end().await?;
                return Ok(known.state);
            }
            Whereabouts::Arrived(known) if known.id == leaving.id => {
                tx.end().await?;
                return Ok(MoveState::Done);
            }
            // What left its source for a copy that is not here lived on elsewhere.
            _ if leaving.state == MoveState::Done => return Err(CopyError::Left(leaving.clone())),
            Whereabouts::Arriving(known) => return Err(CopyError::TargetHalfDone(known)),
            Whereabouts::Leaving(_) | Whereabouts::Here | Whereabouts::Arrived(_) => {}
        }
        if home::read(&mut tx).await?.is_some() {
            return Err(CopyError::TargetInUse);
        }
        for table in books(catalog::read(&mut tx).await?) {
            let is_fresh = WITH_FRESH_ROWS.contains(&table.name.as_str());
            if !is_fresh && !rows::is_empty(&mut tx, &table).await? {
                return Err(CopyError::TargetNotEmpty { table: table.name });
            }
        }
        let one = Move {
            id: leaving.id.clone(),
            other: source.to_owned(),
            at: now,
            state: MoveState::Open,
        };
        moves::begin(&mut tx, "from", &one).await?;
        tx.commit().await?;
        Ok(MoveState::Open)
    }

    /// Copies every row of the books from `source`, which is retired, into this database, in one
    /// transaction here. Sums up what was read there.
    ///
    /// # Errors
    /// Nothing has been written then, unless [`StoreError::effect_unknown`] says that it may have been.
    pub async fn fill_from(
        &self,
        source: &Store,
        id: &str,
        now: UnixMs,
        progress: &mut Progress<'_>,
    ) -> Result<Vec<TableSum>, CopyError> {
        let mut from = source.db().read().await?;
        let mut to = self.db().write().await?;
        let tables = catalog::read(&mut from).await?;
        if let Some(what) = catalog::difference(&tables, &catalog::read(&mut to).await?) {
            return Err(CopyError::SchemasDiffer(what));
        }
        let mut sums = Vec::with_capacity(tables.len());
        for table in books(tables) {
            sums.push(rows::copy(&mut from, &mut to, &table, progress).await?);
        }
        from.end().await?;
        let step = (MoveState::Open, MoveState::Filled);
        if !moves::advance(&mut to, (id, "from"), step, now).await? {
            return Err(CopyError::Overtaken);
        }
        to.commit().await?;
        Ok(sums)
    }

    /// The books are this database's from now on, and daemons may start on it. A wallet that was last
    /// worked on in the history that `source` still has waits for nothing here: all of that has come.
    ///
    /// # Errors
    /// The copy was cleared meanwhile, or a database did not answer.
    pub async fn take_over(
        &self,
        source: &Store,
        leaving: &Move,
        by: Actor,
        now: UnixMs,
    ) -> Result<(), CopyError> {
        let mut from = source.db().read().await?;
        let history = format!("select {} as lineage", from.lineage());
        let history = from.fetch_optional(history, Vec::new()).await?;
        let history = history.map_or(Ok(None), |row| row.text_or_null("lineage"))?;
        from.end().await?;
        let mut tx = self.db().write().await?;
        let step = (MoveState::Filled, MoveState::Done);
        if !moves::advance(&mut tx, (&leaving.id, "from"), step, now).await? {
            return Err(CopyError::Overtaken);
        }
        for whole in [
            "update leases set lineage = null where lineage = $1",
            "update feed set lineage = null where lineage = $1",
        ] {
            tx.execute(whole, vec![history.clone().into()]).await?;
        }
        let data = json!({ "copy": leaving.id });
        note(&mut tx, "store.taken_over", by, data, now).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Makes a copy that no daemon has started on unusable again, so that its source can be taken back.
    ///
    /// # Errors
    /// A daemon has started on it, or it is no copy of that source.
    pub async fn give_back(&self, leaving: &Move, now: UnixMs) -> Result<(), CopyError> {
        let mut tx = self.db().write().await?;
        match moves::whereabouts(&mut tx).await? {
            // It is not believed yet, and will not be: its source is taken back.
            Whereabouts::Arriving(known) if known.id == leaving.id => {
                tx.end().await?;
                return Ok(());
            }
            Whereabouts::Arrived(known) if known.id == leaving.id => {}
            Whereabouts::Here | Whereabouts::Leaving(_) => {
                let is_its = moves::came_by(&mut tx, &leaving.id).await?;
                return Err(if is_its {
                    CopyError::CopyInUse
                } else {
                    CopyError::NotTheCopy
                });
            }
            Whereabouts::Arrived(_) | Whereabouts::Arriving(_) => {
                return Err(CopyError::NotTheCopy);
            }
        }
        let step = (MoveState::Done, MoveState::Filled);
        if !moves::advance(&mut tx, (&leaving.id, "from"), step, now).await? {
            return Err(CopyError::CopyInUse);
        }
        tx.commit().await?;
        Ok(())
    }

    /// Drops everything in a database that holds what a copy left which did not come to its end; the next
    /// time it is opened it is a fresh one. Whether there was such a copy.
    ///
    /// # Errors
    /// The database could not do it; it is as before then.
    pub async fn clear_half_done(&self) -> Result<bool, StoreError> {
        let mut tx = self.db().write().await?;
        let Whereabouts::Arriving(_) = moves::whereabouts(&mut tx).await? else {
            tx.end().await?;
            return Ok(false);
        };
        // Those that refer to others go before them.
        for table in catalog::read(&mut tx).await?.iter().rev() {
            let sql = format!("drop table {}", table.quoted());
            tx.execute(sql, Vec::new()).await?;
        }
        drop_functions(&mut tx).await?;
        let sql = format!("drop table {}", migrations::TABLE);
        tx.execute(sql, Vec::new()).await?;
        tx.commit().await?;
        Ok(true)
    }
}

/// Drops what the triggers called; the migrations make it anew.
async fn drop_functions(tx: &mut Tx) -> Result<(), StoreError> {
    if let TxOn::Sqlite(_) = &tx.on {
        return Ok(());
    }
    let sql = "select p.oid::regprocedure::text as name from pg_proc p \
        join pg_namespace n on n.oid = p.pronamespace join pg_language l on l.oid = p.prolang \
        where n.nspname = current_schema() and l.lanname = 'plpgsql' \
        and p.prorettype = 'trigger'::regtype \
        and not exists (select 1 from pg_depend d where d.objid = p.oid and d.deptype = 'e')";
    for row in tx.fetch(sql, Vec::new()).await? {
        let name = row.text("name")?;
        tx.execute(format!("drop function {name}"), Vec::new())
            .await?;
    }
    Ok(())
}
