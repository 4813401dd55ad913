//! What one server thinks would come of a transaction that nobody has signed.
//!
//! A hint about that server's open ledger: one server is asked, nobody has to agree, and nothing is
//! concluded from it. Not every make and version of server offers it; one that does not is remembered
//! for as long as its connection stands, and is not asked again.

use super::error::RequestError;
use super::proto;
use super::proto::simulate::Simulate;
use super::proto::submit::is_result_code;
use super::route;
use super::server::{Command, Server};
use super::shared::Shared;
use serde_json::Value;
use std::sync::Arc;
use xrpayd_core::ids::LedgerIndex;

/// Servers that are asked one after the other at most.
const ASKED_MAX: usize = 3;

/// What a server thinks would come of a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Simulation {
    /// The server.
    pub server: String,
    /// The result that it would give.
    pub result: String,
    /// The open ledger that it tried it in.
    pub ledger_index: LedgerIndex,
}

/// Tries `tx`, unsigned and in the ledger's JSON, on the fittest server that offers it.
pub(super) async fn simulate(shared: &Shared, tx: &Value) -> Result<Simulation, RequestError> {
    let params = format!(r#","tx_json":{tx}"#);
    let mut last_error = RequestError::NoServer;
    let offering = route::readers(shared).into_iter().filter(offers);
    for server in offering.take(ASKED_MAX) {
        match ask(&server, &params).await {
            Ok(simulation) => return Ok(simulation),
            Err(error) => last_error = error,
        }
    }
    Err(last_error)
}

fn offers(server: &Arc<Server>) -> bool {
    !server.health().lacks_simulate
}

async fn ask(server: &Server, params: &str) -> Result<Simulation, RequestError> {
    let answer = server.ask(Command::Simulate, params).await?;
    if let Some(error) = answer.error {
        if is_lacking(&error) {
            server.health().lacks_simulate = true;
        }
        return Err(RequestError::Server {
            server: server.name().to_owned(),
            error,
        });
    }
    let malformed = |why: &dyn ToString| server.malformed(Command::Simulate, why.to_string());
    let told: Simulate<'_> = proto::result(&answer.frame).map_err(|error| malformed(&error))?;
    if told.applied || !is_result_code(&told.engine_result) {
        return Err(malformed(&"the answer is not that of a simulation"));
    }
    Ok(Simulation {
        server: server.name().to_owned(),
        result: told.engine_result.into_owned(),
        ledger_index: LedgerIndex(told.ledger_index),
    })
}

/// Whether an error says that the server does not know the request at all.
fn is_lacking(error: &str) -> bool {
    matches!(
        error,
        "unknownCmd" | "notImpl" | "notSupported" | "reportingUnsupported" | "noPermission"
    )
}
