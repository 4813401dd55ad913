//! The stage in force: one row that every process on the database goes by, and its history.
//!
//! A change of stage locks the limits' row first, as every accept does, and an accept reads the stage
//! under that lock: what commits after a change has seen it. A change is made from the version that
//! was read, so two of them at once are one, and it is written with its audit entry and its event.
//!
//! On failure nothing changes. A row that is missing is an error of every accept, and never a stage.

mod evidence;
mod incidents;
#[cfg(test)]
mod plans;

pub use incidents::{Closing, Incident, IncidentKind};

use super::audit::{self, Actor, Audited};
use super::db::{Row, Tx};
use super::error::StoreError;
use super::events::{self, HOUSE, News};
use super::hints::Hint;
use super::{Store, limits, retry};
use crate::rfc3339::Rfc3339;
use serde_json::{Value as Json, json};
use xrpayd_core::ids::UnixMs;

/// The stage in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StageInForce {
    /// Its name.
    pub stage: String,
    /// Since when.
    pub since: UnixMs,
    /// Grows by one with every change.
    pub version: u32,
}

/// How a stage came into force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The database began with it.
    Began,
    /// From the one below.
    Promoted,
    /// From one above.
    Demoted,
}

/// A change of stage that is to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StageChange {
    /// What it is made from: where this is not in force any more, nothing changes.
    pub from: StageInForce,
    /// The stage that is to be in force.
    pub to: String,
    /// Up or down.
    pub step: Step,
    /// When.
    pub at: UnixMs,
    /// By whom.
    pub by: Actor,
    /// Why, in that person's words.
    pub reason: Option<String>,
    /// Why although the criteria are not met.
    pub override_reason: Option<String>,
    /// What was measured.
    pub evidence: Json,
}

/// What came of a change of stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StageOutcome {
    /// It is done; what is in force now.
    Changed(StageInForce),
    /// Somebody else was first; what is in force now.
    Moved(StageInForce),
}

/// A change of stage that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StageRecord {
    /// The version that it made.
    pub version: u32,
    /// When.
    pub at: UnixMs,
    /// Up or down.
    pub step: Step,
    /// The stage before; none where the database began.
    pub from: Option<String>,
    /// The stage after.
    pub to: String,
    /// By whom, as [`Actor`] shows itself.
    pub by: String,
    /// Why.
    pub reason: Option<String>,
    /// Why although the criteria were not met.
    pub override_reason: Option<String>,
    /// What was measured.
    pub evidence: Json,
}

impl Step {
    const ALL: [Self; 3] = [Self::Began, Self::Promoted, Self::Demoted];

    /// The word of the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Began => "began",
            Self::Promoted => "promoted",
            Self::Demoted => "demoted",
        }
    }

    const fn action(self) -> &'static str {
        match self {
            Self::Began => "stage.began",
            Self::Promoted => "stage.promoted",
            Self::Demoted => "stage.demoted",
        }
    }
}

/// The stage in force, as of this transaction; none before a daemon has begun the rollout.
pub(super) async fn in_force(tx: &mut Tx) -> Result<Option<StageInForce>, StoreError> {
    read(tx, "").await
}

async fn read(tx: &mut Tx, lock: &str) -> Result<Option<StageInForce>, StoreError> {
    let sql = format!("select stage, since, version from rollout where scope = 'all'{lock}");
    let row = tx.fetch_optional(sql, Vec::new()).await?;
    let row = row.ok_or_else(|| StoreError::corrupt("the rollout", "its row is missing"))?;
    let found = StageInForce {
        stage: row.text("stage")?,
        since: UnixMs(row.int("since")?),
        version: row.uint("version")?,
    };
    Ok((found.version > 0).then_some(found))
}

impl Store {
    /// The stage in force; none before a daemon has begun the rollout.
    ///
    /// # Errors
    /// The database does not answer, or lacks the row.
    pub async fn stage_in_force(&self) -> Result<Option<StageInForce>, StoreError> {
        let mut tx = self.db().read().await?;
        let found = in_force(&mut tx).await?;
        tx.end().await?;
        Ok(found)
    }

    /// Begins the rollout at a stage where it has not begun; the stage in force afterwards.
    ///
    /// # Errors
    /// The database could not write; the same again tells whether it did.
    pub async fn begin_rollout(
        &self,
        first: &str,
        now: UnixMs,
    ) -> Result<StageInForce, StoreError> {
        let mut tx = self.db().write().await?;
        limits::lock(&mut tx).await?;
        let lock = tx.for_update();
        if let Some(known) = read(&mut tx, lock).await? {
            tx.end().await?;
            return Ok(known);
        }
        let record = StageRecord {
            version: 1,
            at: now,
            step: Step::Began,
            from: None,
            to: first.to_owned(),
            by: Actor::Daemon.to_string(),
            reason: None,
            override_reason: None,
            evidence: json!([]),
        };
        write(&mut tx, 0, &record).await?;
        audit::note(&mut tx, vec![audited(&record, Actor::Daemon)]).await?;
        tx.commit().await?;
        Ok(record.in_force())
    }

    /// Changes the stage. Once this is answered nothing is accepted by the stage before, by any process
    /// on this database.
    ///
    /// # Errors
    /// The database could not write; what is in force then tells whether it did.
    pub async fn change_stage(&self, change: &StageChange) -> Result<StageOutcome, StoreError> {
        let texts = [&change.reason, &change.override_reason];
        if texts.into_iter().flatten().any(|text| text.contains('\0')) {
            let field = "reason";
            return Err(StoreError::NulInText { field });
        }
        retry::while_contended(|| self.change_stage_once(change)).await
    }

    async fn change_stage_once(&self, change: &StageChange) -> Result<StageOutcome, StoreError> {
        let mut tx = self.db().write().await?;
        limits::lock(&mut tx).await?;
        let lock = tx.for_update();
        let found = read(&mut tx, lock).await?;
        let missing = || StoreError::corrupt("the rollout", "it has not begun");
        let found = found.ok_or_else(missing)?;
        if found != change.from {
            tx.end().await?;
            return Ok(StageOutcome::Moved(found));
        }
        let record = StageRecord {
            version: found.version.saturating_add(1),
            at: change.at,
            step: change.step,
            from: Some(found.stage),
            to: change.to.clone(),
            by: change.by.to_string(),
            reason: change.reason.clone(),
            override_reason: change.override_reason.clone(),
            evidence: change.evidence.clone(),
        };
        write(&mut tx, found.version, &record).await?;
        audit::note(&mut tx, vec![audited(&record, change.by.clone())]).await?;
        events::tell(&mut tx, vec![news(&record)]).await?;
        tx.will_hint(Hint::Switches);
        tx.commit().await?;
        Ok(StageOutcome::Changed(record.in_force()))
    }

    /// The newest changes of stage, the newest first.
    ///
    /// # Errors
    /// The database does not answer, or holds one that cannot be read.
    pub async fn stage_records(&self, limit: u32) -> Result<Vec<StageRecord>, StoreError> {
        let mut tx = self.db().read().await?;
        let rows = tx
            .fetch(
                "select version, at, kind, from_stage, to_stage, actor, reason, override_reason, \
                 evidence from rollout_changes order by version desc limit $1",
                vec![limit.into()],
            )
            .await?;
        tx.end().await?;
        rows.iter().map(decode).collect()
    }
}

impl StageRecord {
    fn in_force(&self) -> StageInForce {
        StageInForce {
            stage: self.to.clone(),
            since: self.at,
            version: self.version,
        }
    }
}

async fn write(tx: &mut Tx, before: u32, record: &StageRecord) -> Result<(), StoreError> {
    let sql = "update rollout set stage = $1, since = $2, version = $3 \
        where scope = 'all' and version = $4";
    let values = vec![
        record.to.as_str().into(),
        record.at.0.into(),
        record.version.into(),
        before.into(),
    ];
    if tx.execute(sql, values).await? != 1 {
        let why = "its row moved while it was locked";
        return Err(StoreError::corrupt("the rollout", why));
    }
    let sql = "insert into rollout_changes (version, at, kind, from_stage, to_stage, actor, reason, \
        override_reason, evidence) values ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    let values = vec![
        record.version.into(),
        record.at.0.into(),
        record.step.as_str().into(),
        record.from.clone().into(),
        record.to.as_str().into(),
        record.by.as_str().into(),
        record.reason.clone().into(),
        record.override_reason.clone().into(),
        record.evidence.to_string().into(),
    ];
    tx.execute(sql, values).await?;
    Ok(())
}

/// The change as the feed tells it.
fn news(record: &StageRecord) -> News {
    News {
        object: "rollout",
        object_id: "rollout".to_owned(),
        client: HOUSE.to_owned(),
        version: record.version,
        type_: "rollout.changed".to_owned(),
        at: record.at,
        data: json!({
            "stage": record.to,
            "previous_stage": record.from,
            "change": record.step.as_str(),
            "overridden": record.override_reason.is_some(),
            "at": Rfc3339(record.at),
        }),
    }
}

fn audited(record: &StageRecord, actor: Actor) -> Audited {
    Audited {
        at: record.at,
        actor,
        action: record.step.action(),
        object: record.to.clone(),
        data: json!({
            "before": record.from,
            "after": record.to,
            "version": record.version,
            "reason": record.reason,
            "override_reason": record.override_reason,
            "evidence": record.evidence,
        }),
    }
}

fn decode(row: &Row) -> Result<StageRecord, StoreError> {
    let version = row.uint("version")?;
    let bad = |why: String| StoreError::corrupt(format!("the change of stage {version}"), why);
    let kind = row.text("kind")?;
    let step = Step::ALL.into_iter().find(|step| step.as_str() == kind);
    let evidence = serde_json::from_str(&row.text("evidence")?);
    Ok(StageRecord {
        version,
        at: UnixMs(row.int("at")?),
        step: step.ok_or_else(|| bad(format!("it is of the kind {kind}")))?,
        from: row.text_or_null("from_stage")?,
        to: row.text("to_stage")?,
        by: row.text("actor")?,
        reason: row.text_or_null("reason")?,
        override_reason: row.text_or_null("override_reason")?,
        evidence: evidence.map_err(|error| bad(format!("its evidence: {error}")))?,
    })
}
