//! What the payments made at a stage came to: counted in the database, by an index that holds nothing
//! but ends, so every replica measures the same and a restart forgets nothing.

use super::{IncidentKind, StageInForce};
use crate::store::Store;
use crate::store::db::{Row, Tx, Value};
use crate::store::error::StoreError;
use xrpayd_core::ids::UnixMs;
use xrpayd_core::rollout::{Measured, Outcome, Tally};

/// The ends of payments that were accepted at a stage, by what they count as.
const ENDS: &str = "select outcome, count(*) as n, \
    cast(coalesce(sum(case when approve_by is null then 1 else 0 end), 0) as bigint) as timed, \
    cast(coalesce(sum(case when approve_by is null and updated_at - created_at <= $3 then 1 else 0 end), 0) \
    as bigint) as in_time \
    from payments where outcome is not null and stage = $1 and updated_at >= $2 and created_at >= $2 \
    group by outcome";

/// Those that should have had their end and have none. An approval is no fault of anybody's speed.
const OVERDUE: &str = "select count(*) as n from payments where status = 'processing' \
    and stage = $1 and created_at >= $2 and created_at < $3 and approve_by is null";

const INCIDENTS: &str = "select count(*) as n, \
    cast(coalesce(sum(case when closed_at is null then 1 else 0 end), 0) as bigint) as standing \
    from rollout_incidents where kind = $1 and (reported_at >= $2 or closed_at is null)";

const HALTED: &str = "select count(*) as n from wallets where halted_reason is not null";

const BURNT: &str = "select outcome, count(*) as n, \
    cast(coalesce(sum(case when updated_at >= $3 then 1 else 0 end), 0) as bigint) as lately \
    from payments where outcome is not null and stage = $1 and updated_at >= $2 group by outcome";

impl Store {
    /// What was seen at a stage since it came into force. Payments have had their end in time where it
    /// came within `within_ms` of their acceptance.
    ///
    /// # Errors
    /// The database does not answer, or holds a count that cannot be read.
    pub async fn measure(
        &self,
        stage: &StageInForce,
        within_ms: i64,
        now: UnixMs,
    ) -> Result<Measured, StoreError> {
        let (name, since) = (stage.stage.as_str(), stage.since);
        let mut measured = Measured {
            since,
            now,
            ..Measured::default()
        };
        let mut tx = self.db().read().await?;
        let values = vec![name.into(), since.0.into(), within_ms.into()];
        for row in tx.fetch(ENDS, values).await? {
            let Some(slot) = counted(&mut measured.ended, &row)? else {
                continue;
            };
            *slot = number(&row, "n")?;
            measured.timed = measured.timed.saturating_add(number(&row, "timed")?);
            measured.in_time = measured.in_time.saturating_add(number(&row, "in_time")?);
        }
        let due = now.plus_ms(within_ms.saturating_neg());
        let values = vec![name.into(), since.0.into(), due.0.into()];
        measured.overdue = count(&mut tx, OVERDUE, values).await?;
        let (security, _) = reported(&mut tx, IncidentKind::Security, since).await?;
        // A wallet that stands halted is one that nobody has reported yet.
        let halted = count(&mut tx, HALTED, Vec::new()).await?;
        measured.security_incidents = security.saturating_add(halted);
        (measured.alerts, measured.alerts_unacknowledged) =
            reported(&mut tx, IncidentKind::Alert, since).await?;
        tx.end().await?;
        Ok(measured)
    }

    /// How the payments of a stage ended since two instants; the first is not the later one.
    ///
    /// # Errors
    /// The database does not answer, or holds a count that cannot be read.
    pub async fn ends_since(
        &self,
        stage: &str,
        long_from: UnixMs,
        short_from: UnixMs,
    ) -> Result<(Tally, Tally), StoreError> {
        let mut tx = self.db().read().await?;
        let values = vec![stage.into(), long_from.0.into(), short_from.0.into()];
        let rows = tx.fetch(BURNT, values).await?;
        tx.end().await?;
        let (mut long, mut short) = (Tally::default(), Tally::default());
        for row in &rows {
            if let Some(slot) = counted(&mut long, row)? {
                *slot = number(row, "n")?;
            }
            if let Some(slot) = counted(&mut short, row)? {
                *slot = number(row, "lately")?;
            }
        }
        Ok((long, short))
    }
}

/// Where a row of this outcome is counted, where it is.
fn counted<'a>(tally: &'a mut Tally, row: &Row) -> Result<Option<&'a mut u64>, StoreError> {
    let word = row.text("outcome")?;
    let mut all = Outcome::ALL.into_iter();
    match all.find(|outcome| outcome.as_str() == word) {
        Some(Outcome::Delivered) => Ok(Some(&mut tally.delivered)),
        Some(Outcome::Fault) => Ok(Some(&mut tally.faults)),
        Some(Outcome::Refused | Outcome::CalledOff) => Ok(None),
        None => Err(StoreError::corrupt(
            "a payment's outcome",
            format!("it is {word}"),
        )),
    }
}

/// Those of a kind that belong to the stage or are not closed, and how many of them are not.
async fn reported(
    tx: &mut Tx,
    kind: IncidentKind,
    since: UnixMs,
) -> Result<(u64, u64), StoreError> {
    let values = vec![kind.as_str().into(), since.0.into()];
    let row = tx.fetch_optional(INCIDENTS, values).await?;
    let row = row.ok_or_else(|| StoreError::corrupt("the incidents", "a count is no row"))?;
    Ok((number(&row, "n")?, number(&row, "standing")?))
}

async fn count(tx: &mut Tx, sql: &'static str, values: Vec<Value>) -> Result<u64, StoreError> {
    let row = tx.fetch_optional(sql, values).await?;
    row.map_or(Ok(0), |row| number(&row, "n"))
}

fn number(row: &Row, column: &str) -> Result<u64, StoreError> {
    let found = row.int(column)?;
    let bad = |_| StoreError::corrupt(format!("a count {column}"), format!("{found}"));
    u64::try_from(found).map_err(bad)
}
