//! What the model offers beyond rippled: closing by hand, money, faults, and the truth.

use super::connection::Cut;
use super::dispatch::{Answer, Call};
use super::frame::RpcError;
use super::shared::Shared;
use crate::auditor::{self, Question};
use crate::condition::{Change, Leave};
use crate::faults::{self, Effect, FaultError, Target};
use crate::network::STEP_S;
use serde_json::{Value, json};
use xrpayd_core::address::AccountId;
use xrpayd_core::money::Drops;

/// `ledger_accept`, with one parameter of the model's own: `advance_s`, the seconds that pass before
/// this close.
pub(super) fn ledger_accept(call: &Call<'_>) -> Answer {
    let advance_s = match call.params.get("advance_s") {
        None => None,
        Some(seconds) => {
            let seconds = seconds.as_u64().and_then(|s| u32::try_from(s).ok());
            let some = seconds.filter(|&seconds| seconds > 0);
            Some(some.ok_or_else(|| RpcError::invalid_field("advance_s"))?)
        }
    };
    let mut net = call.shared.net();
    // Beyond the last second that a ledger can name there is no later one to close at.
    let tip_s = net.main.tip().header.close_time;
    if tip_s.checked_add(advance_s.unwrap_or(STEP_S)).is_none() {
        return Err(RpcError::invalid_field("advance_s"));
    }
    Ok(json!({ "ledger_current_index": net.close(advance_s) }))
}

fn account(call: &Call<'_>) -> Result<AccountId, RpcError> {
    call.text("account")?
        .parse()
        .map_err(|_| RpcError::account_malformed())
}

pub(super) fn fund_method(call: &Call<'_>) -> Answer {
    let account = account(call)?;
    let drops = match call.params.get("drops") {
        Some(Value::String(text)) => text.parse().ok(),
        Some(number) => number.as_u64().and_then(Drops::new),
        None => return Err(RpcError::missing("drops")),
    };
    let drops = drops.ok_or_else(|| RpcError::invalid_field("drops"))?;
    let mut net = call.shared.net();
    let (result, hash) = net.fund(account, drops);
    Ok(json!({
        "account": account,
        "engine_result": result.name(),
        "hash": hash,
        "ledger_current_index": net.servers[call.server()].open.index,
    }))
}

pub(super) fn fault_method(call: &Call<'_>) -> Answer {
    let request = Value::Object(call.params.clone());
    fault(call.shared, call.server(), &request)
        .map_err(|error| RpcError::invalid(error.to_string()))?;
    Ok(json!({}))
}

/// Inflicts a fault on the servers that the request names.
pub(super) fn fault(shared: &Shared, asked: usize, request: &Value) -> Result<(), FaultError> {
    let count = shared.addresses.len();
    let targets: Vec<usize> = match faults::target(request)? {
        Target::Asked => vec![asked],
        Target::All => (0..count).collect(),
        Target::Index(index) if index < count => vec![index],
        Target::Index(index) => return Err(FaultError::UnknownServer(index.to_string())),
        Target::Address(text) => {
            let found = shared
                .addresses
                .iter()
                .position(|address| address.to_string() == text);
            vec![found.ok_or(FaultError::UnknownServer(text))?]
        }
    };
    if shared.net().inflict_on_all(request)? {
        return Ok(());
    }
    for server in targets {
        inflict(shared, server, request)?;
    }
    Ok(())
}

fn inflict(shared: &Shared, server: usize, request: &Value) -> Result<(), FaultError> {
    let (effect, condition) = {
        let mut net = shared.net();
        let effect = net.inflict(server, request)?;
        (effect, net.servers[server].faults.condition.clone())
    };
    let is_up = !condition.down;
    shared.set_patience(server, condition.patience_ms);
    shared.thaws[server].send_modify(|times| *times += 1);
    // The doors first: a connection that is cut waits until a server that went down has shut them.
    shared.doors[server].send_if_modified(|open| std::mem::replace(open, is_up) != is_up);
    let leave = match effect {
        Effect::CloseConnections => Some(Leave::Abrupt),
        Effect::Server(Change::Stop(leave) | Change::Restart(leave, _)) => Some(leave),
        Effect::None | Effect::Server(Change::None) => None,
    };
    if let Some(leave) = leave {
        Cut::now(&shared.cuts[server], leave);
    }
    Ok(())
}

/// How often each server was asked for what, since the network started.
pub(super) fn counts(call: &Call<'_>) -> Answer {
    let servers: Vec<Value> = (0..call.shared.addresses.len())
        .map(|server| json!(call.shared.counted(server)))
        .collect();
    Ok(json!({ "servers": servers }))
}

pub(super) fn truth(call: &Call<'_>) -> Answer {
    let account = match call.params.get("account") {
        None => None,
        Some(_) => Some(account(call)?),
    };
    let after_ledger = match call.params.get("after_ledger") {
        None => 0,
        Some(index) => index
            .as_u64()
            .and_then(|index| u32::try_from(index).ok())
            .ok_or_else(|| RpcError::invalid_field("after_ledger"))?,
    };
    let question = Question {
        account,
        after_ledger,
    };
    let evidence = auditor::collect(&call.shared.net().main, question);
    Ok(evidence.render())
}
