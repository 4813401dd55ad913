//! What a real server said, recorded: every answer of a kind that the pool reads has to be read.

use super::account_info::{AccountInfo, AtLedger};
use super::account_objects::Tickets;
use super::account_tx::{Page, Subject};
use super::envelope;
use super::fee::Fee;
use super::ledger::Ledger;
use super::server_info::ServerInfo;
use super::stream::{LedgerClosed, ServerStatus};
use super::submit::{Submit, is_result_code};
use crate::xrpl::proto;
use flate2::read::GzDecoder;
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};
use std::io::Read as _;
use std::path::Path;
use xrpayd_core::ids::LedgerIndex;

/// Every frame that was received, with the request that it answers.
pub(super) fn frames() -> Vec<(Option<Value>, Value)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/transcripts");
    let mut out = Vec::new();
    for file in std::fs::read_dir(folder).unwrap() {
        let file = std::fs::File::open(file.unwrap().path()).unwrap();
        let mut text = String::new();
        GzDecoder::new(file).read_to_string(&mut text).unwrap();
        let mut sent: HashMap<String, Value> = HashMap::new();
        for line in text.lines() {
            let record: Value = serde_json::from_str(line).unwrap();
            let key = |message: &Value| format!("{} {}", record["conn"], message["id"]);
            let message = &record["msg"];
            match record["dir"].as_str() {
                Some("send") => drop(sent.insert(key(message), message.clone())),
                Some("recv") if message.is_object() => {
                    out.push((sent.get(&key(message)).cloned(), message.clone()));
                }
                _ => {}
            }
        }
    }
    out
}

/// Reads a success of `command`; false where the pool would never have asked so.
fn read(command: &str, request: &Value, text: &str) -> Result<bool, String> {
    let is_v2 = request["api_version"] == 2;
    let said = |error: serde_json::Error| error.to_string();
    match command {
        "server_info" => {
            let info = proto::result::<ServerInfo<'_>>(text).map_err(said)?.info;
            assert!(info.is_synced() && info.load_factor().is_some());
            let ranges = info.complete_ledgers.as_deref().unwrap_or_default();
            ranges
                .parse::<super::ranges::Ranges>()
                .map_err(|error| error.to_string())?;
        }
        "fee" => {
            let _fee: Fee = proto::result(text).map_err(said)?;
        }
        "submit" => {
            let submit: Submit<'_> = proto::result(text).map_err(said)?;
            assert!(
                is_result_code(&submit.engine_result),
                "{}",
                submit.engine_result
            );
        }
        "subscribe" if request["streams"].to_string().contains("ledger") => {
            let closed: LedgerClosed<'_> = proto::result(text).map_err(said)?;
            closed.header().map_err(|error| error.to_string())?;
        }
        "account_info" => {
            let at: AtLedger<'_> = proto::result(text).map_err(said)?;
            let _info: AccountInfo<'_> = proto::result(text).map_err(said)?;
            if request["ledger_index"] == "validated" {
                let message: Value = serde_json::from_str(text).map_err(said)?;
                let index = message["result"]["ledger_index"]
                    .as_u64()
                    .and_then(|n| u32::try_from(n).ok());
                at.check(LedgerIndex(index.unwrap_or_default()))?;
            }
        }
        "account_objects" if request["type"] == "ticket" => {
            let page: Tickets<'_> = proto::result(text).map_err(said)?;
            let account = request["account"].as_str().unwrap_or_default();
            assert!(!page.numbers(account)?.is_empty());
        }
        "account_tx" if is_v2 && request["binary"] != true => {
            let page: Page<'_> = proto::result(text).map_err(said)?;
            let account = request["account"].as_str().unwrap_or_default();
            let subject = Subject::new(account.parse().map_err(|_| "an account")?);
            for item in &page.transactions {
                let entry = item.entry(&subject)?;
                assert!(
                    entry.own_root.is_some() || entry.account != subject.id,
                    "{entry:?}"
                );
            }
        }
        "ledger" if is_v2 && request["ledger_index"] == "validated" => {
            let message: Value = serde_json::from_str(text).map_err(said)?;
            let index = message["result"]["ledger_index"]
                .as_u64()
                .and_then(|n| u32::try_from(n).ok());
            let ledger: Ledger<'_> = proto::result(text).map_err(said)?;
            let _hash = ledger.hash_of(LedgerIndex(index.unwrap_or_default()))?;
        }
        _ => return Ok(false),
    }
    Ok(true)
}

#[test]
fn everything_that_a_real_server_said_is_read() {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for (request, message) in frames() {
        let text = message.to_string();
        let head = envelope::parse(&text).unwrap();
        let kind = match (&request, head.kind.as_deref()) {
            (_, Some(kind @ "ledgerClosed")) => {
                let closed: LedgerClosed<'_> = serde_json::from_str(&text).unwrap();
                closed.header().unwrap();
                kind.to_owned()
            }
            (_, Some(kind @ "serverStatus")) => {
                let status: ServerStatus<'_> = serde_json::from_str(&text).unwrap();
                assert!(status.load_factor().is_some() && status.server_status.is_some());
                kind.to_owned()
            }
            (_, Some(kind @ "transaction")) => {
                assert!(super::looks_like_stream_transaction(&text));
                kind.to_owned()
            }
            (Some(request), Some("response")) if head.error.is_none() => {
                assert!(!super::looks_like_stream_transaction(&text));
                let command = request["command"].as_str().unwrap_or_default();
                match read(command, request, &text) {
                    Ok(true) => command.to_owned(),
                    Ok(false) => continue,
                    Err(error) => panic!("{command}: {error} in {text}"),
                }
            }
            _ => continue,
        };
        *seen.entry(kind).or_default() += 1;
    }
    for (kind, at_least) in [
        ("server_info", 2),
        ("fee", 2),
        ("submit", 100),
        ("subscribe", 2),
        ("account_info", 20),
        ("account_objects", 2),
        ("account_tx", 5),
        ("ledger", 1),
        ("ledgerClosed", 4),
        ("transaction", 4),
    ] {
        let count = seen.get(kind).copied().unwrap_or(0);
        assert!(count >= at_least, "{kind}: {count} in {seen:?}");
    }
}
