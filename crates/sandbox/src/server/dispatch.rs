//! From a command's name to its method.
//!
//! Owns the table of methods and who may call them.

use super::connection::Role;
use super::frame::{Request, RpcError};
use super::path_find;
use super::shared::Shared;
use super::{absent, legacy};
use super::{
    account, admin, arrivals, channel, clio, definitions, deposit, entry, features, gateway, info,
    ledger_data, ledger_methods, lines, misc, objects, offers, sandbox, signing, simulate, submit,
    subscribe, transaction, wallet,
};
use crate::condition::{Condition, State};
use serde_json::{Map, Value};
use std::net::SocketAddr;
use std::sync::Arc;

/// How a client is connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transport {
    WebSocket,
    Http,
}

/// Who asks, and whom.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Client {
    pub(crate) id: u64,
    pub(crate) server: usize,
    pub(crate) role: Role,
    pub(crate) transport: Transport,
    pub(crate) peer: SocketAddr,
}

/// One call of a method.
pub(crate) struct Call<'a> {
    pub(crate) shared: &'a Arc<Shared>,
    pub(crate) client: &'a Client,
    pub(crate) version: u32,
    pub(crate) params: &'a Map<String, Value>,
}

/// What a method returns.
pub(crate) type Answer = Result<Value, RpcError>;

type Method = fn(&Call<'_>) -> Answer;

impl Call<'_> {
    /// The number of the server that was asked.
    pub(crate) const fn server(&self) -> usize {
        self.client.server
    }

    /// Whether the client is an administrator.
    pub(crate) fn is_admin(&self) -> bool {
        self.client.role == Role::Admin
    }

    /// How the server that was asked stands.
    pub(super) fn condition(&self) -> Condition {
        let net = self.shared.net();
        net.servers[self.server()].faults.condition.clone()
    }

    /// A parameter that must be a text.
    pub(crate) fn text(&self, name: &str) -> Result<&str, RpcError> {
        match self.params.get(name) {
            None => Err(RpcError::missing(name)),
            Some(Value::String(text)) => Ok(text),
            Some(_) => Err(RpcError::invalid_field(name)),
        }
    }

    /// A parameter that is true or false. Version 1 takes anything for one or the other.
    pub(crate) fn flag(&self, name: &str) -> Result<bool, RpcError> {
        match self.params.get(name) {
            None | Some(Value::Bool(_)) => Ok(self.truthy(name)),
            Some(_) if self.version > 1 => Err(RpcError::invalid_field(name)),
            Some(_) => Ok(self.truthy(name)),
        }
    }

    /// What most methods make of a parameter, in either version: anything is true or false.
    pub(crate) fn truthy(&self, name: &str) -> bool {
        match self.params.get(name) {
            None | Some(Value::Null) => false,
            Some(Value::Bool(flag)) => *flag,
            Some(Value::String(text)) => !text.is_empty(),
            Some(Value::Number(number)) => number.as_i64() != Some(0),
            Some(Value::Array(items)) => !items.is_empty(),
            Some(Value::Object(fields)) => !fields.is_empty(),
        }
    }
}

/// Methods that anyone may call.
fn open_method(command: &str) -> Option<Method> {
    Some(match command {
        "ping" => misc::ping,
        "random" => misc::random,
        "version" => misc::version,
        "manifest" => misc::manifest,
        "sign" => signing::sign,
        "sign_for" => signing::sign_for,
        "simulate" => simulate::simulate,
        "submit_multisigned" => signing::submit_multisigned,
        "server_info" => info::server_info,
        "server_state" => info::server_state,
        "fee" => info::fee,
        "account_info" => account::account_info,
        "account_tx" => account::account_tx,
        "account_lines" => lines::account_lines,
        "account_objects" => objects::account_objects,
        "account_currencies" => lines::account_currencies,
        "account_offers" => offers::account_offers,
        "book_offers" => offers::book_offers,
        "path_find" => path_find::path_find,
        "ripple_path_find" => path_find::ripple_path_find,
        "book_changes" => offers::book_changes,
        "gateway_balances" => gateway::gateway_balances,
        "noripple_check" => gateway::noripple_check,
        "deposit_authorized" => deposit::deposit_authorized,
        "tx" => transaction::tx,
        "transaction_entry" => transaction::transaction_entry,
        "submit" => submit::submit,
        "ledger" => ledger_methods::ledger,
        "ledger_current" => ledger_methods::ledger_current,
        "ledger_closed" => ledger_methods::ledger_closed,
        "ledger_data" => ledger_data::ledger_data,
        "account_channels" => channel::account_channels,
        "channel_authorize" => channel::channel_authorize,
        "channel_verify" => channel::channel_verify,
        "ledger_entry" => entry::ledger_entry,
        "subscribe" => subscribe::subscribe,
        "unsubscribe" => subscribe::unsubscribe,
        "sandbox_counts" => sandbox::counts,
        "sandbox_submissions" => arrivals::submissions,
        "sandbox_truth" => sandbox::truth,
        "feature" => features::feature,
        "server_definitions" => definitions::server_definitions,
        "tx_reduce_relay" => admin::tx_reduce_relay,
        "account_nfts" => absent::account_nfts,
        "nft_buy_offers" | "nft_sell_offers" => absent::nft_offers,
        "amm_info" => absent::amm_info,
        "get_aggregate_price" => absent::aggregate_price,
        "owner_info" => legacy::owner_info,
        _ => return None,
    })
}

/// Methods that only version 1 has.
fn first_version_method(command: &str) -> Option<Method> {
    Some(match command {
        "ledger_header" => legacy::ledger_header,
        "tx_history" => legacy::tx_history,
        _ => return None,
    })
}

/// Methods for administrators.
fn admin_method(command: &str) -> Option<Method> {
    Some(match command {
        "ledger_accept" => sandbox::ledger_accept,
        "sandbox_fund" => sandbox::fund_method,
        "sandbox_fault" => sandbox::fault_method,
        "peers" => misc::peers,
        "validators" => misc::validators,
        "blacklist" => admin::blacklist,
        "can_delete" => admin::can_delete,
        "connect" => admin::connect,
        "consensus_info" => admin::consensus_info,
        "fetch_info" => admin::fetch_info,
        "get_counts" => admin::get_counts,
        "ledger_cleaner" => admin::ledger_cleaner,
        "log_level" => admin::log_level,
        "logrotate" => admin::log_rotate,
        "peer_reservations_add" => admin::reservations_add,
        "peer_reservations_del" => admin::reservations_del,
        "peer_reservations_list" => admin::reservations_list,
        "print" => admin::print,
        "unl_list" => admin::unl_list,
        "ledger_request" => legacy::ledger_request,
        "validation_create" => wallet::validation_create,
        "validator_info" => admin::validator_info,
        "wallet_propose" => wallet::wallet_propose,
        "validator_list_sites" => admin::validator_list_sites,
        "stop" => misc::stop,
        _ => return None,
    })
}

/// Methods that need a server which is in step with its network. `ledger_accept` would be one; here it
/// moves the network and not the server that was asked.
const NEED_NETWORK: [&str; 9] = [
    "fee",
    "ledger_closed",
    "ledger_current",
    "owner_info",
    "path_find",
    "simulate",
    "submit",
    "submit_multisigned",
    "tx",
];

/// Whether only administrators may call the method.
pub(crate) fn is_for_administrators(command: &str) -> bool {
    open_method(command).is_none() && admin_method(command).is_some()
}

/// Whether there is a method of this name.
pub(crate) fn is_known(command: &str) -> bool {
    open_method(command).is_some() || admin_method(command).is_some()
}

/// Calls the method that a request names.
pub(crate) fn call(shared: &Arc<Shared>, client: &Client, request: &Request) -> Answer {
    let call = Call {
        shared,
        client,
        version: request.version,
        params: &request.params,
    };
    shared.count(client.server, &request.command);
    find(&call, &request.command).and_then(|method| method(&call))
}

fn find(call: &Call<'_>, command: &str) -> Result<Method, RpcError> {
    if !command.starts_with("sandbox_") {
        let mut net = call.shared.net();
        let faults = &mut net.servers[call.server()].faults;
        if faults.slow_down > 0 {
            faults.slow_down -= 1;
            return Err(RpcError::slow_down());
        }
        if faults.condition.clio {
            clio::check(command, call.params)?;
        }
    }
    let old = (call.version == 1).then(|| first_version_method(command));
    let open = open_method(command).or_else(|| old.flatten());
    let method = match (open, admin_method(command)) {
        (Some(method), _) => method,
        (None, Some(method)) if call.is_admin() => method,
        (None, Some(_)) => return Err(RpcError::forbidden()),
        (None, None) => return Err(RpcError::unknown_command()),
    };
    if NEED_NETWORK.contains(&command) {
        in_step(call)?;
    }
    Ok(method)
}

/// Refuses for a server that does not follow its network.
fn in_step(call: &Call<'_>) -> Result<(), RpcError> {
    let net = call.shared.net();
    let faults = &net.servers[call.server()].faults;
    if faults.amendment_blocked {
        Err(RpcError::amendment_blocked())
    } else if faults.condition.state < State::Syncing {
        Err(RpcError::not_in_network(call.version))
    } else if net.is_stale(call.server()) {
        Err(RpcError::no_current(call.version))
    } else {
        Ok(())
    }
}
