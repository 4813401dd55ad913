//! Section `limits`: the hard caps, and those of single clients and destinations.

use super::{positive, xrp};
use crate::config::read::Reader;
use crate::config::schema::Limits;
use crate::config::value::{FromValue, Xrp};
use figment::value::Value;
use std::collections::BTreeMap;
use xrpayd_core::address::AccountId;
use xrpayd_core::limits::{ScopeCaps, ScopeRules};
use xrpayd_core::payment::ApprovalRule;

/// What everybody has that does not say otherwise.
const EVERY: &str = "*";

pub(super) fn limits(r: &mut Reader) -> Option<Limits> {
    let min_payment = xrp(r, "limits.min_payment_xrp");
    let max_payment = xrp(r, "limits.max_payment_xrp");
    let daily_limit = xrp(r, "limits.daily_limit_xrp");
    let max_pending = r.number("limits.max_pending", 1..=1_000_000);
    let threshold = r
        .optional("limits.approval_threshold")
        .map(|Xrp(drops)| drops);
    let patience = positive(r, "limits.approval_expires_in");
    let scopes = scopes(r);
    let _none: Option<NoAssets> = r.optional("limits.assets");
    let acknowledge_high_cap = r.required("limits.acknowledge_high_cap");
    if let (Some(min), Some(max)) = (min_payment, max_payment)
        && min > max
    {
        r.error(
            "limits.min_payment_xrp",
            "must not be above limits.max_payment_xrp",
        );
    }
    Some(Limits {
        min_payment: min_payment?,
        max_payment: max_payment?,
        daily_limit: daily_limit?,
        max_pending: max_pending?,
        scopes,
        approval: match threshold {
            None => None,
            Some(threshold) => Some(ApprovalRule {
                threshold,
                expires_in_ms: i64::try_from(patience?.as_millis()).unwrap_or(i64::MAX),
            }),
        },
        acknowledge_high_cap: acknowledge_high_cap?,
    })
}

/// The caps of issued currencies, which bind nothing as long as only XRP is paid.
struct NoAssets;

impl FromValue for NoAssets {
    fn from_value(value: &Value) -> Result<Self, String> {
        match value.as_dict() {
            Some(table) if table.is_empty() => Ok(Self),
            Some(_) => Err(
                "could have no effect: payments are made in XRP only in this version, \
                            and the limits of XRP stand in `limits` itself"
                    .to_owned(),
            ),
            None => Err("must be a table".to_owned()),
        }
    }
}

fn scopes(r: &mut Reader) -> ScopeRules {
    let every_client = caps(r, &format!("limits.clients.{EVERY}"));
    let every_destination = caps(r, &format!("limits.destinations.{EVERY}"));
    let mut clients = BTreeMap::new();
    for name in named(r, "limits.clients") {
        let key = format!("limits.clients.{name}");
        if name.contains(['[', ']']) {
            // Keys of settings are told apart by these.
            r.error(&key, "is no client that can be named here: it has brackets");
            continue;
        }
        let caps = caps(r, &key);
        clients.insert(name, caps);
    }
    let mut destinations = BTreeMap::new();
    for name in named(r, "limits.destinations") {
        let key = format!("limits.destinations.{name}");
        match name.parse::<AccountId>() {
            Ok(account) => {
                let caps = caps(r, &key);
                destinations.insert(account, caps);
            }
            Err(bad) => r.error(&key, bad.to_string()),
        }
    }
    ScopeRules {
        every_client,
        clients,
        every_destination,
        destinations,
    }
}

fn named(r: &Reader, key: &str) -> Vec<String> {
    let names = r.names(key).into_iter();
    names.filter(|name| name != EVERY).collect()
}

fn caps(r: &mut Reader, key: &str) -> ScopeCaps {
    let drops = |r: &mut Reader, field: &str| {
        let read: Option<Xrp> = r.optional(&format!("{key}.{field}"));
        read.map(|Xrp(drops)| drops)
    };
    ScopeCaps {
        max_payment: drops(r, "max_payment_xrp"),
        daily: drops(r, "daily_limit_xrp"),
        max_pending: r.optional_number(&format!("{key}.max_pending"), 0..=1_000_000),
    }
}
