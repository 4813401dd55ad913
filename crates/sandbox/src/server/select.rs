//! Which ledger a request is about, and what of it stands in the answer.
//!
//! Owns nothing.

use super::dispatch::Call;
use super::frame::RpcError;
use crate::ledger::chain::Ledger;
use crate::ledger::entry::{Entry, Key};
use crate::ledger::rules::{Mode, Setting};
use crate::ledger::state::Read;
use crate::network::Net;
use serde_json::{Map, Value, json};
use std::sync::Arc;
use xrpayd_core::ids::LedgerHash;

/// The ledger that a request is about.
#[derive(Debug, Clone)]
pub(crate) enum Selected {
    /// The server's open ledger.
    Open { index: u32 },
    /// A validated one.
    Closed(Arc<Ledger>),
    /// The newest that the server has closed, which no quorum has validated yet.
    Awaiting(Arc<Ledger>),
}

impl Selected {
    /// What every answer about a ledger says of it.
    pub(crate) fn fields(&self) -> Map<String, Value> {
        let mut out = Map::new();
        match self {
            Self::Open { index } => {
                out.insert("ledger_current_index".to_owned(), json!(index));
                out.insert("validated".to_owned(), json!(false));
            }
            Self::Closed(ledger) | Self::Awaiting(ledger) => {
                out.insert(
                    "ledger_hash".to_owned(),
                    json!(LedgerHash(ledger.header.hash)),
                );
                out.insert("ledger_index".to_owned(), json!(ledger.header.index));
                let is_validated = matches!(self, Self::Closed(_));
                out.insert("validated".to_owned(), json!(is_validated));
            }
        }
        out
    }

    /// Reads from the ledger's state.
    pub(crate) fn with_state<T>(
        &self,
        net: &Net,
        server: usize,
        read: impl FnOnce(&dyn Read) -> T,
    ) -> Result<T, RpcError> {
        match self {
            Self::Open { .. } => Ok(read(&net.open_view(server))),
            Self::Closed(ledger) | Self::Awaiting(ledger) => {
                let state = net.chain(server).state_at(ledger.header.index);
                state
                    .map(|state| read(&state))
                    .ok_or_else(RpcError::ledger_not_found)
            }
        }
    }

    /// How its rules read: what it charges, and the time that offers end by.
    pub(crate) fn setting(&self, net: &Net, server: usize) -> Setting {
        let open = &net.servers[server].open;
        match self {
            Self::Open { .. } => open.setting(Mode::Open),
            Self::Closed(ledger) | Self::Awaiting(ledger) => Setting {
                ledger: ledger.header.index,
                parent_close_time: ledger.header.parent_close_time,
                ..open.setting(Mode::CloseFinal)
            },
        }
    }

    /// An entry of the ledger's state.
    pub(crate) fn entry(
        &self,
        net: &Net,
        server: usize,
        key: &Key,
    ) -> Result<Option<Entry>, RpcError> {
        self.with_state(net, server, |state| state.entry(key))
    }
}

/// A validated ledger that the server has.
pub(crate) fn closed(net: &Net, server: usize, index: u32) -> Result<Arc<Ledger>, RpcError> {
    let view = &net.servers[server];
    if !view.has_ledger(index) {
        return Err(RpcError::ledger_not_found());
    }
    net.chain(server)
        .ledger(index)
        .map(Arc::clone)
        .ok_or_else(RpcError::ledger_not_found)
}

/// The hash and the index that a request names a ledger by. The older `ledger` is the one or the other,
/// by its length, and goes before both; nulls count as absent.
fn specifiers<'a>(call: &'a Call<'_>) -> (Option<&'a Value>, Option<&'a Value>) {
    const INDEX_LEN_MAX: usize = 12;
    let given = |name: &str| call.params.get(name).filter(|value| !value.is_null());
    match call.params.get("ledger").filter(|_| call.truthy("ledger")) {
        Some(Value::String(text)) if text.len() > INDEX_LEN_MAX => {
            (call.params.get("ledger"), given("ledger_index"))
        }
        Some(index) => (given("ledger_hash"), Some(index)),
        None => (given("ledger_hash"), given("ledger_index")),
    }
}

/// Finds the ledger that the request names; the open one when it names none.
pub(crate) fn select(call: &Call<'_>, net: &Net) -> Result<Selected, RpcError> {
    let server = call.server();
    let view = &net.servers[server];
    let (hash, wanted) = specifiers(call);
    if let Some(hash) = hash {
        let text = hash
            .as_str()
            .ok_or_else(|| RpcError::invalid("ledgerHashNotString"))?;
        let hash: LedgerHash = text
            .parse()
            .map_err(|_| RpcError::invalid("ledgerHashMalformed"))?;
        let index = net
            .chain(server)
            .index_of(&hash.0)
            .ok_or_else(RpcError::ledger_not_found)?;
        return closed(net, server, index).map(Selected::Closed);
    }
    let malformed = || RpcError::invalid("ledgerIndexMalformed");
    let by_number = |number: u64| {
        let index = u32::try_from(number).map_err(|_| malformed())?;
        if index == view.open.index && !view.faults.condition.clio {
            return Ok(Selected::Open { index });
        }
        closed(net, server, index).map(Selected::Closed)
    };
    let by_shortcut = || {
        if net.is_stale(server) {
            return Err(RpcError::no_network(call.version));
        }
        Ok(())
    };
    let open = || {
        by_shortcut()?;
        Ok(Selected::Open {
            index: view.open.index,
        })
    };
    let validated = || {
        by_shortcut()?;
        closed(net, server, view.validated).map(Selected::Closed)
    };
    // What Clio passes on to a rippled is about the open ledger there.
    let is_passed_on = call.params.get("queue") == Some(&Value::Bool(true));
    let is_clio = view.faults.condition.clio && !is_passed_on;
    match wanted {
        None if is_clio => validated(),
        None => open(),
        Some(Value::Number(number)) => by_number(number.as_u64().ok_or_else(malformed)?),
        Some(Value::String(text)) => match text.as_str() {
            "current" | "" => open(),
            "closed" if view.closed > view.validated => {
                by_shortcut()?;
                let ledger = net.chain(server).ledger(view.closed).map(Arc::clone);
                let ledger = ledger.ok_or_else(RpcError::ledger_not_found)?;
                Ok(Selected::Awaiting(ledger))
            }
            "validated" | "closed" => validated(),
            number => by_number(number.parse().map_err(|_| malformed())?),
        },
        Some(_) => Err(malformed()),
    }
}
