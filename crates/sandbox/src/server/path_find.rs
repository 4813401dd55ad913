//! `ripple_path_find`, which answers once, and `path_find`, which answers again with every ledger.
//!
//! A client has one standing request at most; it is kept with the client's subscriptions.

use super::dispatch::{Answer, Call};
use super::frame::RpcError;
use super::path_request::{Manner, PathRequest, Thoroughness};
use super::select::{self, Selected};
use super::shared::Shared;
use super::streams::Outgoing;
use crate::config::CloseInterval;
use crate::network::{Event, Net};
use serde_json::{Map, Value, json};

/// The ledger that searches look at when the client names none.
fn validated(net: &Net, server: usize) -> Result<Selected, RpcError> {
    let index = net.servers[server].validated;
    select::closed(net, server, index).map(Selected::Closed)
}

/// Searches in a ledger.
fn search(
    net: &Net,
    server: usize,
    selected: &Selected,
    request: &mut PathRequest,
    thoroughness: Thoroughness,
) -> Result<Map<String, Value>, RpcError> {
    let setting = selected.setting(net, server);
    selected.with_state(net, server, |view| {
        request.check(view, &setting)?;
        request.update(view, &setting, thoroughness)
    })?
}

pub(super) fn ripple_path_find(call: &Call<'_>) -> Answer {
    let net = call.shared.net();
    let by_name = ["ledger", "ledger_index", "ledger_hash"];
    let names_ledger = by_name.iter().any(|name| call.params.contains_key(*name));
    let stands_alone = call.shared.close_interval == CloseInterval::Manual;
    let full = Thoroughness::Full;
    if names_ledger || stands_alone {
        let selected = select::select(call, &net)?;
        let fields = selected.fields();
        let found = PathRequest::read(call.params, Manner::Once)
            .and_then(|mut request| search(&net, call.server(), &selected, &mut request, full));
        let mut out = found.map_err(|error| error.with_all(fields.clone()))?;
        out.extend(fields);
        return Ok(Value::Object(out));
    }
    if net.is_stale(call.server()) {
        return Err(RpcError::no_network(call.version));
    }
    let mut request = PathRequest::read(call.params, Manner::Once)?;
    let selected = validated(&net, call.server())?;
    let mut out = search(&net, call.server(), &selected, &mut request, full)?;
    out.insert("status".to_owned(), json!("success"));
    Ok(Value::Object(out))
}

pub(super) fn path_find(call: &Call<'_>) -> Answer {
    match call.params.get("subcommand").and_then(Value::as_str) {
        Some("create") => create(call),
        Some("close") => with_request(call, |request| {
            let mut request = request.take().ok_or_else(RpcError::no_path_request)?;
            request.status.insert("closed".to_owned(), json!(true));
            Ok(Value::Object(request.status))
        }),
        Some("status") => with_request(call, |request| {
            let request = request.as_mut().ok_or_else(RpcError::no_path_request)?;
            request.status.insert("status".to_owned(), json!("success"));
            Ok(Value::Object(request.status.clone()))
        }),
        _ => Err(RpcError::invalid_params()),
    }
}

/// Works on the standing request of the client that calls.
fn with_request(call: &Call<'_>, work: impl FnOnce(&mut Option<PathRequest>) -> Answer) -> Answer {
    let mut subscribers = call.shared.subscribers(call.server());
    match subscribers.clients.get_mut(&call.client.id) {
        Some(client) => work(&mut client.paths),
        None => Err(RpcError::no_events()),
    }
}

fn create(call: &Call<'_>) -> Answer {
    let server = call.server();
    with_request(call, |standing| {
        *standing = None;
        Ok(Value::Null)
    })?;
    let mut request = PathRequest::read(call.params, Manner::Standing)?;
    let out = {
        let net = call.shared.net();
        let selected = validated(&net, server)?;
        search(&net, server, &selected, &mut request, Thoroughness::Fast)?
    };
    with_request(call, |standing| {
        *standing = Some(request);
        Ok(Value::Null)
    })?;
    let net = call.shared.net();
    let full_search = Event::Paths {
        client: call.client.id,
    };
    // Where the publisher is gone, the network is stopping and nobody waits for news.
    let _gone_at_shutdown = net.servers[server].events.send(full_search);
    Ok(Value::Object(out))
}

/// Searches again for one client, or for every client, and tells them what was found.
pub(super) fn update(shared: &Shared, server: usize, only: Option<u64>) {
    let standing: Vec<(u64, PathRequest)> = shared
        .subscribers(server)
        .clients
        .iter()
        .filter(|(id, _)| only.is_none_or(|only| only == **id))
        .filter_map(|(id, client)| client.paths.clone().map(|request| (*id, request)))
        .collect();
    for (id, mut request) in standing {
        let found = {
            let net = shared.net();
            validated(&net, server).and_then(|selected| {
                search(&net, server, &selected, &mut request, Thoroughness::Full)
            })
        };
        let Ok(mut news) = found else { continue };
        news.insert("type".to_owned(), json!("path_find"));
        let mut subscribers = shared.subscribers(server);
        let Some(client) = subscribers.clients.get_mut(&id) else {
            continue;
        };
        if client.paths.is_none() {
            continue;
        }
        client.paths = Some(request);
        let text = Value::Object(news).to_string();
        if client.out.try_send(Outgoing::Text(text.into())).is_err() {
            subscribers.clients.remove(&id);
        }
    }
}
