//! The rollout as it stands, in one form for the API and the command line.

use super::{Evaluation, FindingShape, Refused, evaluate, shown};
use crate::rfc3339::Rfc3339;
use crate::shape::scalar;
use crate::store::{StageRecord, Store};
use serde::Serialize;
use serde_json::Value as Json;
use utoipa::ToSchema;
use xrpayd_core::ids::UnixMs;
use xrpayd_core::rollout::Ladder;

/// How many changes of stage are shown: more than a rollout has on its way to the last one.
const HISTORY_MAX: u32 = 50;

/// Who looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Eyes {
    /// Whoever may also change the stage: he sees who did, and what was said.
    Administrator,
    /// Everybody else who may look.
    Reader,
}

/// The rollout as it stands.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RolloutReport)]
pub struct Report {
    /// The stage in force.
    pub stage: String,
    /// Since when.
    pub since: Rfc3339,
    /// Grows by one with every change of the stage.
    pub version: u32,
    /// The stage that a promotion leads to.
    pub next: Option<String>,
    /// Why there is none.
    pub next_refused: Option<String>,
    /// Whether a promotion would be granted without an override.
    pub ready: bool,
    /// Every criterion, held against what was measured.
    pub criteria: Vec<FindingShape>,
    /// The highest stage that the configuration allows.
    pub highest_stage: String,
    /// The changes of stage, the newest first.
    pub history: Vec<Change>,
}

/// A change of stage.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RolloutChange)]
pub struct Change {
    /// The version that it made.
    pub version: u32,
    /// When.
    pub at: Rfc3339,
    /// `began`, `promoted` or `demoted`.
    #[schema(value_type = scalar::StageStep)]
    pub change: &'static str,
    /// The stage before.
    pub from: Option<String>,
    /// The stage after.
    pub to: String,
    /// Whether the criteria were not met.
    pub overridden: bool,
    /// Who; for administrators, as are the reasons.
    pub by: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// Why although the criteria were not met.
    pub override_reason: Option<String>,
    /// What was measured.
    #[schema(value_type = Value)]
    pub evidence: Json,
}

/// Measures and tells.
///
/// # Errors
/// The store failed, or nothing has begun.
pub async fn report(
    store: &Store,
    ladder: &Ladder,
    eyes: Eyes,
    now: UnixMs,
) -> Result<Report, Refused> {
    let evaluation = evaluate(store, ladder, now).await?;
    let records = store.stage_records(HISTORY_MAX).await?;
    let ready = evaluation.is_met();
    let Evaluation {
        in_force,
        next,
        findings,
    } = evaluation;
    let (next, next_refused) = match next {
        Ok(next) => (Some(next), None),
        Err(why) => (None, Some(why.to_string())),
    };
    Ok(Report {
        stage: in_force.stage,
        since: Rfc3339(in_force.since),
        version: in_force.version,
        next,
        next_refused,
        ready,
        criteria: findings.iter().map(shown).collect(),
        highest_stage: ladder.highest.clone(),
        history: records
            .into_iter()
            .map(|record| Change::of(record, eyes))
            .collect(),
    })
}

impl Change {
    fn of(record: StageRecord, eyes: Eyes) -> Self {
        let shown = |text: Option<String>| text.filter(|_| eyes == Eyes::Administrator);
        Self {
            version: record.version,
            at: Rfc3339(record.at),
            change: record.step.as_str(),
            from: record.from,
            to: record.to,
            overridden: record.override_reason.is_some(),
            by: shown(Some(record.by)),
            reason: shown(record.reason),
            override_reason: shown(record.override_reason),
            evidence: record.evidence,
        }
    }
}
