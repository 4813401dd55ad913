//! The routes that tell of the daemon itself: wallets, servers, limits, the feed, health, this document.

use super::operation::Gathered;
use super::payments::plain;
use super::words;
use crate::http::auth::Scope;
use crate::http::dto::FeedEventDto;
use crate::http::health::ProbeDto;
use crate::http::limits::LimitsDto;
use crate::http::problem::Code;
use crate::http::servers::PoolDto;
use crate::http::wallets::WalletDto;
use crate::shape::scalar;
use crate::telemetry::health::Document as Health;
use serde_json::{Value, json};

const SERVICE: &str = "service";
const EVENTS: &str = "events";
const HEALTH: &str = "health";
const DOCUMENTS: &str = "documents";

pub(super) fn describe(gathered: &mut Gathered) {
    wallets(gathered);
    limits(gathered);
    events(gathered);
    health(gathered);
    documents(gathered);
}

fn wallets(gathered: &mut Gathered) {
    gathered
        .route(
            ("get", "/v1/wallets"),
            (SERVICE, "listWallets"),
            "List wallets",
        )
        .says("They are always one page.")
        .needs(Scope::PaymentsRead)
        .sized()
        .lists::<WalletDto>("The wallets.")
        .done();
    gathered
        .route(
            ("get", "/v1/wallets/{name}"),
            (SERVICE, "getWallet"),
            "Look at a wallet",
        )
        .needs(Scope::PaymentsRead)
        .part_as(
            "name",
            json!({ "type": "string" }),
            "The wallet's configured name.",
        )
        .answers::<WalletDto>(200, "The wallet.")
        .refuses(&[Code::WalletNotFound])
        .done();
    gathered
        .route(
            ("get", "/v1/servers"),
            (SERVICE, "listServers"),
            "Look at the pool of servers",
        )
        .says("In the order of the configuration; always one page.")
        .needs(Scope::PaymentsRead)
        .sized()
        .answers::<PoolDto>(200, "The servers.")
        .done();
}

fn limits(gathered: &mut Gathered) {
    gathered
        .route(
            ("get", "/v1/limits"),
            (SERVICE, "getLimits"),
            "What may be paid, and what is left",
        )
        .needs(Scope::PaymentsRead)
        .query(
            "client",
            plain(),
            "Whose limits; the caller's own where absent, another's with `admin` alone.",
        )
        .asks::<scalar::Address>("destination", "The account whose limits are told besides.")
        .answers::<LimitsDto>(200, "The limits.")
        .done();
}

/// A place in the feed.
fn place() -> Value {
    json!({ "type": "integer", "format": "int64", "minimum": 0 })
}

fn events(gathered: &mut Gathered) {
    let named = "Only those of these types.";
    let block = json!({
        "type": "object",
        "description": "One block of the stream. The first bears an `id` and no `data`.",
        "properties": {
            "id": { "type": "string", "pattern": "^[0-9]+$" },
            "event": gathered.schemas.of::<words::EventType>(),
            "data": {
                "type": "string",
                "contentMediaType": "application/json",
                "description": "The event, as `GET /v1/events` shows it.",
            },
            "retry": { "type": "integer" },
        },
    });
    gathered
        .route(
            ("get", "/v1/events"),
            (EVENTS, "listEvents"),
            "What happened",
        )
        .says("The ordered feed, oldest first. Webhooks are a hint of it; the feed is the record.")
        .needs(Scope::PaymentsRead)
        .query("after", place(), "The last sequence that was read.")
        .sized()
        .asks::<words::EventTypes>("type", named)
        .lists::<FeedEventDto>("A page of events; `next_cursor` is the next `after`.")
        .refuses(&[Code::EventsExpired])
        .done();
    gathered
        .route(("get", "/v1/events/stream"), (EVENTS, "streamEvents"), "What happens")
        .says(
            "The feed as server-sent events: `id` is the sequence, `event` the type, `data` the event in \
             one line. Without a place it begins with what comes from now on.",
        )
        .needs(Scope::PaymentsRead)
        .query("after", place(), "The last sequence that was read.")
        .asks::<words::EventTypes>("type", named)
        .header(json!({
            "name": "Last-Event-ID", "in": "header", "required": false,
            "description": "The last id that was seen, which goes before `after`; none where it is empty.",
            "schema": { "type": "string", "pattern": "^[0-9]{0,18}$" },
        }))
        .answers_as(200, "Events without an end.", "text/event-stream", block)
        .refuses(&[
            Code::InvalidHeader,
            Code::EventsExpired,
            Code::TooManyStreams,
            Code::ShuttingDown,
        ])
        .done();
}

fn health(gathered: &mut Gathered) {
    gathered
        .route(
            ("get", "/health"),
            (HEALTH, "getHealth"),
            "How the daemon is",
        )
        .says("`degraded` is 200: a restart does not cure it. Balances are not shown to strangers.")
        .answers::<Health>(200, "It is healthy, or degraded.")
        .answers::<Health>(503, "It is unhealthy.")
        .done();
    gathered
        .route(
            ("get", "/health/live"),
            (HEALTH, "isLive"),
            "Whether the process makes progress",
        )
        .answers::<ProbeDto>(200, "It does.")
        .answers::<ProbeDto>(503, "It does not.")
        .done();
    gathered
        .route(
            ("get", "/health/ready"),
            (HEALTH, "isReady"),
            "Whether payments can durably be accepted",
        )
        .answers::<ProbeDto>(200, "They can.")
        .answers::<ProbeDto>(503, "They cannot.")
        .done();
}

fn documents(gathered: &mut Gathered) {
    let known = json!({
        "name": "If-None-Match", "in": "header", "required": false,
        "description": "The `ETag` of the copy that is known.",
        "schema": { "type": "string" },
    });
    gathered
        .route(
            ("get", "/openapi.json"),
            (DOCUMENTS, "getOpenapi"),
            "This document",
        )
        .header(known.clone())
        .answers_as(
            200,
            "The document.",
            "application/json",
            json!({ "type": "object" }),
        )
        .answers_nothing(304, "It is the one that is known.")
        .done();
    gathered
        .route(
            ("get", "/docs"),
            (DOCUMENTS, "getDocs"),
            "This document, to be read",
        )
        .header(known)
        .answers_as(200, "The page.", "text/html", json!({ "type": "string" }))
        .answers_nothing(304, "It is the one that is known.")
        .done();
}
