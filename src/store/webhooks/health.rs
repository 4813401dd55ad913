//! The health of endpoints, as the tries of a turn show it: who is left alone for a while, and who is
//! disabled.

use super::endpoint::Disabled;
use super::endpoints;
use super::turn::{Patience, Turn, Verdict};
use crate::store::db::{Tx, Value};
use crate::store::error::StoreError;
use crate::store::events::News;
use std::collections::BTreeMap;
use xrpayd_core::ids::{EndpointId, UnixMs};

/// What the tries of a turn say of one endpoint.
#[derive(Default)]
struct Health {
    succeeded: Option<UnixMs>,
    failed: Option<UnixMs>,
    rest_until: Option<UnixMs>,
    is_gone: bool,
}

/// Keeps the endpoints' health, and disables those that are gone or have taken nothing for too long.
pub(super) async fn judge(tx: &mut Tx, turn: &Turn) -> Result<Vec<(EndpointId, News)>, StoreError> {
    let mut healths: BTreeMap<EndpointId, Health> = BTreeMap::new();
    for settled in &turn.settled {
        let health = healths.entry(settled.endpoint).or_default();
        match settled.verdict {
            Verdict::Delivered => health.succeeded = Some(settled.tried.at),
            Verdict::Again(_) | Verdict::GivenUp => health.failed = Some(settled.tried.at),
        }
        match settled.patience {
            Patience::Usual => {}
            Patience::Rest(until) => health.rest_until = health.rest_until.max(Some(until)),
            Patience::Gone => health.is_gone = true,
        }
    }
    let mut news = Vec::new();
    for (endpoint, health) in healths {
        let told = judge_one(tx, turn, endpoint, &health).await?;
        news.extend(told.map(|told| (endpoint, told)));
    }
    Ok(news)
}

async fn judge_one(
    tx: &mut Tx,
    turn: &Turn,
    endpoint: EndpointId,
    health: &Health,
) -> Result<Option<News>, StoreError> {
    let id = || Value::from(endpoint.to_string());
    if let Some(at) = health.succeeded {
        let sql = "update webhook_endpoints set failing_since = null, last_success_at = $2, \
            resting_until = $3 where id = $1";
        let rest = health.rest_until.map(|until| until.0);
        tx.execute(sql, vec![id(), at.0.into(), rest.into()])
            .await?;
    }
    let mut why = health.is_gone.then_some(Disabled::Gone);
    if let (Some(at), None) = (health.failed, health.succeeded) {
        // Failures that lie far apart are no row of them: between two tries of one delivery there is
        // less than half of the time after which an endpoint is disabled.
        let sql = "update webhook_endpoints set last_failure_at = $2, resting_until = $3, \
            failing_since = case when failing_since is null or last_failure_at < $4 then $2 \
            else failing_since end where id = $1 returning failing_since";
        let values = vec![
            id(),
            at.0.into(),
            health.rest_until.map(|until| until.0).into(),
            at.plus_ms(-turn.disable_after_ms / 2).0.into(),
        ];
        let row = tx.fetch_optional(sql, values).await?;
        let since = match row {
            Some(row) => row.int_or_null("failing_since")?.map(UnixMs),
            None => None,
        };
        if since.is_some_and(|since| at.since_ms(since) >= turn.disable_after_ms) {
            why = why.or(Some(Disabled::Failing));
        }
    }
    match why {
        Some(why) => endpoints::disable(tx, endpoint, why, turn.now).await,
        None => Ok(None),
    }
}
