//! `feature`: the amendments that the model knows, all of them enabled or obsolete.
//!
//! Owns their list. Votes are taken and change nothing: an enabled amendment is not voted on any more,
//! and an obsolete one cannot be.

use super::dispatch::{Answer, Call};
use super::frame::RpcError;
use super::render::hex;
use serde_json::{Map, Value, json};
use xrpayd_codec::sha512_half;
use xrpayd_core::ids::Hash256;

const LIST: &str = include_str!("../data/amendments.txt");

/// An amendment. Its id is the hash of its name.
struct Amendment {
    name: &'static str,
    is_enabled: bool,
}

impl Amendment {
    fn id(&self) -> String {
        hex(&sha512_half(&[self.name.as_bytes()]))
    }

    /// What is said of it; only administrators hear how the server votes.
    fn render(&self, is_admin: bool) -> Value {
        let mut out = json!({
            "enabled": self.is_enabled,
            "name": self.name,
            "supported": true,
        });
        if is_admin && !self.is_enabled {
            out["vetoed"] = json!("Obsolete");
        }
        out
    }
}

fn amendments() -> impl Iterator<Item = Amendment> {
    LIST.lines().filter_map(|line| {
        let (state, name) = line.split_once(' ')?;
        let is_enabled = match state {
            "enabled" => true,
            "obsolete" => false,
            _ => return None,
        };
        Some(Amendment { name, is_enabled })
    })
}

pub(super) fn feature(call: &Call<'_>) -> Answer {
    let is_admin = call.is_admin();
    let Some(wanted) = call.params.get("feature") else {
        let features: Map<String, Value> = amendments()
            .map(|amendment| (amendment.id(), amendment.render(is_admin)))
            .collect();
        return Ok(json!({ "features": features }));
    };
    let wanted = wanted.as_str().ok_or_else(RpcError::invalid_params)?;
    let named = amendments().find(|amendment| amendment.name == wanted);
    let by_id = wanted.parse::<Hash256>().ok();
    if named.is_none() && by_id.is_none() {
        return Err(RpcError::bad_feature());
    }
    let vote = call.params.get("vetoed");
    if vote.is_some() && !is_admin {
        return Err(RpcError::no_permission());
    }
    let found = named.or_else(|| {
        let id = by_id?;
        amendments().find(|amendment| amendment.id() == hex(&id.0))
    });
    let amendment = found.ok_or_else(RpcError::bad_feature)?;
    let mut out = Map::new();
    out.insert(amendment.id(), amendment.render(is_admin));
    Ok(Value::Object(out))
}
