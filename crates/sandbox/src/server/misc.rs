//! Small methods that ask nothing of the ledger.

use super::dispatch::{Answer, Call, Transport};
use super::frame::RpcError;
use super::render::hex;
use serde_json::json;

pub(super) fn ping(call: &Call<'_>) -> Answer {
    Ok(match (call.is_admin(), call.client.transport) {
        (true, Transport::WebSocket) => json!({"role": "admin", "unlimited": true}),
        (true, Transport::Http) => json!({"role": "admin"}),
        (false, _) => json!({}),
    })
}

pub(super) fn random(call: &Call<'_>) -> Answer {
    Ok(json!({ "random": hex(&call.shared.net().random.bytes32()) }))
}

pub(super) fn version(_call: &Call<'_>) -> Answer {
    Ok(json!({"version": {"first": "1.0.0", "good": "1.0.0", "last": "1.0.0"}}))
}

/// The model has no validators, so every key that is asked for is simply not known.
pub(super) fn manifest(call: &Call<'_>) -> Answer {
    let key = call.text("public_key")?;
    Ok(json!({ "requested": key }))
}

pub(super) fn peers(_call: &Call<'_>) -> Answer {
    Ok(json!({"cluster": {}, "peers": null}))
}

pub(super) fn validators(_call: &Call<'_>) -> Answer {
    Ok(json!({
        "local_static_keys": [],
        "publisher_lists": [],
        "signing_keys": {},
        "trusted_validator_keys": [],
        "validation_quorum": 0,
        "validator_list": {
            "count": 0,
            "expiration": "unknown",
            "status": "unknown",
            "validator_list_threshold": 1,
        },
    }))
}

/// A client does not stop a network that others share; whoever started it does.
pub(super) fn stop(_call: &Call<'_>) -> Answer {
    Err(RpcError::not_supported())
}
