//! Who goes up and down the stages, and by what evidence: the judge between what the store measured
//! and what the configuration wants.
//!
//! Owns the order of a change: measure, judge, then change from the very version that was measured. A
//! promotion is one stage at a time, by evidence or by an override that is kept with its reason; a
//! demotion needs neither. On failure the stage stays as it is; where a change was made by somebody
//! else in between, a promotion is refused and a demotion looks again.

mod findings;
mod report;

pub(crate) use findings::capitalised;
pub use findings::{FindingShape, shown};
pub use report::{Change, Eyes, Report, report};

use crate::store::{Actor, StageChange, StageInForce, StageOutcome, Step, Store, StoreError};
use serde_json::{Value as Json, json};
use xrpayd_core::ids::UnixMs;
use xrpayd_core::rollout::{
    Criteria, Finding, InForce, Ladder, NoDemotion, NoPromotion, all_met, evaluate as judge,
};

/// Two at once are one too many; more than a few in a row are somebody's loop.
const TRIES_MAX: u32 = 5;

/// What speaks for the next stage and against it.
#[derive(Debug, Clone)]
pub struct Evaluation {
    /// The stage in force.
    pub in_force: StageInForce,
    /// The stage that a promotion leads to, or why none does.
    pub next: Result<String, NoPromotion>,
    /// Every criterion of the stage in force, held against what was measured. None where the stage is
    /// not one of the configuration.
    pub findings: Vec<Finding>,
}

impl Evaluation {
    /// Whether a promotion would be granted without an override.
    #[must_use]
    pub fn is_met(&self) -> bool {
        self.next.is_ok() && all_met(&self.findings)
    }
}

/// Who wants another stage, and what he says.
#[derive(Debug, Clone)]
pub struct Wish {
    /// The stage that he saw in force, where he says so.
    pub seen: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// Why although the criteria are not met.
    pub override_reason: Option<String>,
    /// Who.
    pub by: Actor,
    /// When.
    pub now: UnixMs,
}

/// Why the stage stays as it is.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// The store failed.
    #[error("the store failed")]
    Store(#[from] StoreError),
    /// No daemon has run on the database yet.
    #[error("no daemon has begun the rollout on this database yet")]
    NotBegun,
    /// Another stage is in force than the one that was seen.
    #[error("the stage in force is {}", .0.stage)]
    Moved(StageInForce),
    /// There is nowhere to go up to.
    #[error("there is no promotion from here: {0}")]
    NoPromotion(#[from] NoPromotion),
    /// There is nowhere to go down to.
    #[error("there is no demotion from here: {0}")]
    NoDemotion(#[from] NoDemotion),
    /// The criteria are not met, and nobody overrides them.
    #[error("the criteria are not met")]
    NotMet(Evaluation),
}

/// What is in force.
async fn in_force(store: &Store) -> Result<StageInForce, Refused> {
    store.stage_in_force().await?.ok_or(Refused::NotBegun)
}

/// Holds the criteria of the stage in force against what the store measures.
///
/// # Errors
/// The store failed, or nothing has begun.
pub async fn evaluate(store: &Store, ladder: &Ladder, now: UnixMs) -> Result<Evaluation, Refused> {
    let in_force = in_force(store).await?;
    let next = ladder.above(&in_force.stage);
    let findings = match ladder.in_force(&in_force.stage) {
        InForce::Unknown => Vec::new(),
        // The last stage asks nothing, and would be measured over the longest time.
        InForce::Known(_, stage) if stage.criteria == Criteria::default() => Vec::new(),
        InForce::Known(_, stage) => {
            let criteria = &stage.criteria;
            let within_ms = criteria.confirmed.map_or(0, |wanted| wanted.within_ms);
            let measured = store.measure(&in_force, within_ms, now).await?;
            judge(criteria, &measured)
        }
    };
    Ok(Evaluation {
        next: next.map(|stage| stage.name.clone()),
        in_force,
        findings,
    })
}

/// Goes up one stage.
///
/// # Errors
/// Why not.
pub async fn promote(store: &Store, ladder: &Ladder, wish: Wish) -> Result<StageInForce, Refused> {
    let evaluation = evaluate(store, ladder, wish.now).await?;
    let from = evaluation.in_force.clone();
    if wish.seen.as_ref().is_some_and(|seen| *seen != from.stage) {
        return Err(Refused::Moved(from));
    }
    let to = evaluation.next.clone()?;
    let is_met = evaluation.is_met();
    // A reason of blanks is none.
    let is_overridden = wish
        .override_reason
        .as_ref()
        .is_some_and(|why| !why.trim().is_empty());
    if !is_met && !is_overridden {
        return Err(Refused::NotMet(evaluation));
    }
    // What is met needs no override; what was said of one is still why.
    let (reason, override_reason) = match is_met {
        true => (wish.reason.or(wish.override_reason), None),
        false => (wish.reason, wish.override_reason),
    };
    let change = StageChange {
        from,
        to,
        step: Step::Promoted,
        at: wish.now,
        by: wish.by,
        reason,
        override_reason,
        evidence: findings::document(&evaluation.findings),
    };
    match store.change_stage(&change).await? {
        StageOutcome::Changed(now) => Ok(told(&change, now)),
        StageOutcome::Moved(now) => Err(Refused::Moved(now)),
    }
}

/// Goes down, to the stage that is named or to the next one below.
///
/// # Errors
/// Why not.
pub async fn demote(
    store: &Store,
    ladder: &Ladder,
    to: Option<&str>,
    wish: Wish,
) -> Result<StageInForce, Refused> {
    let mut tries = 0;
    loop {
        let from = in_force(store).await?;
        if wish.seen.as_ref().is_some_and(|seen| *seen != from.stage) {
            return Err(Refused::Moved(from));
        }
        let target = ladder.below(&from.stage, to)?.name.clone();
        let change = StageChange {
            from,
            to: target,
            step: Step::Demoted,
            at: wish.now,
            by: wish.by.clone(),
            reason: wish.reason.clone(),
            override_reason: None,
            evidence: json!([]),
        };
        tries += 1;
        match store.change_stage(&change).await? {
            StageOutcome::Changed(now) => return Ok(told(&change, now)),
            // Whoever was first may have gone up, and a demotion is for now.
            StageOutcome::Moved(_) if tries < TRIES_MAX => {}
            StageOutcome::Moved(now) => return Err(Refused::Moved(now)),
        }
    }
}

/// Brings a database and a configuration together, at a start and after a reload: begins the rollout
/// where none has begun, and goes down where the configuration does not allow the stage any more.
///
/// # Errors
/// The store failed.
pub async fn settle(
    store: &Store,
    ladder: &Ladder,
    now: UnixMs,
) -> Result<StageInForce, StoreError> {
    let in_force = store.begin_rollout(&ladder.first, now).await?;
    match ladder.in_force(&in_force.stage) {
        InForce::Unknown => tracing::error!(
            rollout.stage = in_force.stage,
            rollout.lowest = ladder.lowest().name,
            "the stage in force is not one of the configuration: the caps of the lowest stage hold"
        ),
        InForce::Known(..) if ladder.is_above_highest(&in_force.stage) => {
            return leave(store, ladder, in_force, now).await;
        }
        InForce::Known(..) if in_force.stage != ladder.first => tracing::info!(
            rollout.stage = in_force.stage,
            rollout.first = ladder.first,
            "the stage in force is the database's; rollout.stage is for a new one"
        ),
        InForce::Known(..) => {}
    }
    Ok(in_force)
}

/// Leaves a stage that the configuration does not allow any more.
async fn leave(
    store: &Store,
    ladder: &Ladder,
    from: StageInForce,
    now: UnixMs,
) -> Result<StageInForce, StoreError> {
    let reason = format!("rollout.highest_stage is {}", ladder.highest);
    let change = by_itself(from, &ladder.highest, reason, json!([]), now);
    Ok(match store.change_stage(&change).await? {
        StageOutcome::Changed(now) => told(&change, now),
        StageOutcome::Moved(now) => now,
    })
}

/// Goes down where the configuration does not allow the stage any more, and one stage where too many
/// payments fail by its own measure; the stage in force afterwards, where it was left.
///
/// # Errors
/// The store failed.
pub async fn demote_where_breached(
    store: &Store,
    ladder: &Ladder,
    now: UnixMs,
) -> Result<Option<StageInForce>, StoreError> {
    let Some(from) = store.stage_in_force().await? else {
        return Ok(None);
    };
    if ladder.is_above_highest(&from.stage) {
        return leave(store, ladder, from, now).await.map(Some);
    }
    let Some(rule) = ladder.auto_demotion else {
        return Ok(None);
    };
    let Ok(below) = ladder.below(&from.stage, None) else {
        return Ok(None);
    };
    // What failed at another stage says nothing against this one.
    let after = |window_ms: i64| now.plus_ms(window_ms.saturating_neg()).max(from.since);
    let (from_long, from_short) = (after(rule.long_ms), after(rule.short_ms));
    let (long, short) = store.ends_since(&from.stage, from_long, from_short).await?;
    if !rule.is_breached(long, short) {
        return Ok(None);
    }
    let evidence = json!([
        findings::window("long_window", rule.long_ms, long),
        findings::window("short_window", rule.short_ms, short),
    ]);
    let reason = format!(
        "{} of {} payments failed in the long window and {} of {} in the short one",
        long.faults,
        long.total(),
        short.faults,
        short.total()
    );
    let change = by_itself(from, &below.name.clone(), reason, evidence, now);
    match store.change_stage(&change).await? {
        StageOutcome::Changed(now) => Ok(Some(told(&change, now))),
        // Another replica, or a person, was first.
        StageOutcome::Moved(_) => Ok(None),
    }
}

/// A demotion that nobody asked for.
fn by_itself(
    from: StageInForce,
    to: &str,
    reason: String,
    evidence: Json,
    now: UnixMs,
) -> StageChange {
    StageChange {
        from,
        to: to.to_owned(),
        step: Step::Demoted,
        at: now,
        by: Actor::Daemon,
        reason: Some(reason),
        override_reason: None,
        evidence,
    }
}

/// Every change of stage is worth a line, whoever made it.
fn told(change: &StageChange, now: StageInForce) -> StageInForce {
    tracing::warn!(
        rollout.stage = now.stage,
        rollout.previous = change.from.stage,
        rollout.change = change.step.as_str(),
        rollout.overridden = change.override_reason.is_some(),
        by = %change.by,
        reason = change.reason.as_deref().unwrap_or_default(),
        "the rollout stage has changed"
    );
    now
}
