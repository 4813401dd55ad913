//! The routes of operators: the emergency stop, the rollout and the audit log.

use super::operation::Gathered;
use super::payments::plain;
use crate::http::auth::Scope;
use crate::http::pause::{PauseRequest, PausesDto};
use crate::http::problem::Code;
use crate::http::rollout::{DemoteRequest, PromoteRequest, RolloutDto};
use crate::rfc3339::Rfc3339;
use crate::store::AuditForm;
use serde_json::json;

const TAG: &str = "operators";

pub(super) fn describe(gathered: &mut Gathered) {
    audit(gathered);
    rollout(gathered);
    pauses(gathered);
}

fn audit(gathered: &mut Gathered) {
    let place = json!({ "type": "integer", "format": "int64", "minimum": 0 });
    let cursor = json!({ "type": "string", "pattern": "^(before|after)-[0-9]{1,18}$" });
    gathered
        .route(("get", "/v1/audit"), (TAG, "listAuditEntries"), "Who changed what")
        .says(
            "Newest first; with `after` oldest first from there on. A cursor says by itself which way its \
             list goes, so `after` is left out beside it.",
        )
        .needs(Scope::Admin)
        .pages(cursor)
        .query("after", place, "The sequence after which the list begins.")
        .query("action", plain(), "Only this kind of change.")
        .query("subject", plain(), "Only changes of this.")
        .asks::<Rfc3339>("since", "Only what was done then or later.")
        .lists::<AuditForm>("A page of the audit log.")
        .done();
}

fn rollout(gathered: &mut Gathered) {
    gathered
        .route(
            ("get", "/v1/rollout"),
            (TAG, "getRollout"),
            "The rollout's stages",
        )
        .says(
            "The stage in force, and what speaks for the next one. Who changed it is for `admin`.",
        )
        .needs(Scope::PaymentsRead)
        .no_query()
        .answers::<RolloutDto>(200, "The rollout.")
        .done();
    gathered
        .route(
            ("post", "/v1/rollout/promote"),
            (TAG, "promoteStage"),
            "Go up one stage",
        )
        .says("Only where every criterion is met, or with `override_reason`.")
        .needs(Scope::Admin)
        .may_take::<PromoteRequest>(
            json!({ "stage": "internal", "reason": "a week without a fault" }),
        )
        .answers::<RolloutDto>(200, "The rollout, a stage further.")
        .refuses(&[
            Code::ValidationFailed,
            Code::CriteriaNotMet,
            Code::StageChanged,
            Code::NoPromotion,
            Code::Conflict,
        ])
        .done();
    gathered
        .route(
            ("post", "/v1/rollout/demote"),
            (TAG, "demoteStage"),
            "Go down, at once",
        )
        .says("Always allowed.")
        .needs(Scope::Admin)
        .may_take::<DemoteRequest>(json!({ "to": "internal", "reason": "odd refusals" }))
        .answers::<RolloutDto>(200, "The rollout, some stages back.")
        .refuses(&[
            Code::ValidationFailed,
            Code::StageChanged,
            Code::NoDemotion,
            Code::Conflict,
        ])
        .done();
}

fn pauses(gathered: &mut Gathered) {
    gathered
        .route(("get", "/v1/pause"), (TAG, "getPauses"), "What is paused")
        .needs(Scope::PaymentsRead)
        .no_query()
        .answers::<PausesDto>(200, "Everything that is paused.")
        .done();
    gathered
        .route(
            ("post", "/v1/pause"),
            (TAG, "pause"),
            "Stop new signing, at once",
        )
        .says("On every replica. What is in flight is still followed to its end.")
        .needs(Scope::Admin)
        .may_take::<PauseRequest>(
            json!({ "scope": "payments", "reason": "odd payments to one account" }),
        )
        .answers::<PausesDto>(200, "Everything that is paused now.")
        .refuses(&[Code::ValidationFailed, Code::Conflict])
        .done();
    gathered
        .route(("post", "/v1/resume"), (TAG, "resume"), "End a pause")
        .needs(Scope::Admin)
        .may_take::<PauseRequest>(json!({ "scope": "payments", "reason": "looked into" }))
        .answers::<PausesDto>(200, "Everything that is paused still.")
        .refuses(&[Code::ValidationFailed, Code::Conflict])
        .done();
}
