//! The truth: what every account did and has, read from the chain beside every server and its faults.
//!
//! Owns nothing. An auditor may ask for one account and for ledgers after one, to read in pages.

use crate::ledger::chain::{Applied, Chain, Ledger};
use crate::ledger::entry::{Entry, Key};
use crate::ledger::state::Read as _;
use crate::ledger::tx::{Amount, SeqProxy, Tx, f, types};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use xrpayd_core::address::AccountId;
use xrpayd_core::ids::{Hash256, LedgerHash};

/// What an auditor asks for.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Question {
    /// Only this account.
    pub(crate) account: Option<AccountId>,
    /// Only ledgers after this one.
    pub(crate) after_ledger: u32,
}

/// What really happened, as far back as history is retained.
pub(crate) fn truth(chain: &Chain, question: Question) -> Value {
    let tip = &chain.tip().header;
    let mut accounts: BTreeMap<AccountId, Vec<Value>> = BTreeMap::new();
    match question.account {
        Some(account) => {
            let places = chain.history(account).into_iter().flatten();
            let rows = places
                .filter(|place| place.ledger > question.after_ledger)
                .filter_map(|&place| chain.at(place))
                .filter_map(|(ledger, tx)| row(ledger, tx))
                .collect();
            accounts.insert(account, rows);
        }
        None => {
            for ledger in chain
                .ledgers()
                .filter(|l| l.header.index > question.after_ledger)
            {
                for tx in &ledger.txs {
                    let Some(row) = row(ledger, tx) else { continue };
                    for account in &tx.accounts {
                        accounts.entry(*account).or_default().push(row.clone());
                    }
                }
            }
            for (key, _) in chain.state.iter() {
                if let Key::Account(id) = key {
                    accounts.entry(*id).or_default();
                }
            }
        }
    }
    let accounts: Map<String, Value> = accounts
        .into_iter()
        .map(|(id, rows)| (id.to_string(), account(chain, id, rows)))
        .collect();
    json!({
        "ledger": {
            "ledger_index": tip.index,
            "ledger_hash": LedgerHash(tip.hash),
            "close_time": tip.close_time,
            "first_ledger_index": chain.first_index(),
            "total_drops": tip.total_drops.to_string(),
        },
        "accounts": accounts,
    })
}

fn account(chain: &Chain, id: AccountId, rows: Vec<Value>) -> Value {
    let mut out = json!({ "transactions": rows });
    if let Some(Entry::Account(root)) = chain.state.entry(&Key::Account(id)) {
        out["balance"] = json!(root.balance.to_string());
        out["sequence"] = json!(root.sequence);
        out["owner_count"] = json!(root.owner_count);
        out["ticket_count"] = json!(root.ticket_count);
    }
    out
}

/// One validated transaction; `None` only for bytes that do not parse, which the chain never holds.
fn row(ledger: &Ledger, applied: &Applied) -> Option<Value> {
    let tx = Tx::parse(applied.blob.to_vec()).ok()?;
    let mut out = json!({
        "hash": applied.hash,
        "ledger_index": ledger.header.index,
        "account": tx.account,
        "result": applied.result.name(),
        "type": type_name(tx.kind),
        "fee": applied.fee.to_string(),
    });
    match tx.proxy() {
        SeqProxy::Sequence(sequence) => out["sequence"] = json!(sequence),
        SeqProxy::Ticket(ticket) => out["ticket"] = json!(ticket),
    }
    if let Some(destination) = tx.destination {
        out["destination"] = json!(destination);
    }
    if let Some(tag) = tx.destination_tag {
        out["destination_tag"] = json!(tag);
    }
    if let Some(invoice) = tx.field(f::INVOICE_ID).and_then(|field| field.array()) {
        out["invoice_id"] = json!(Hash256(invoice));
    }
    if let Some(last) = tx.last_ledger {
        out["last_ledger_sequence"] = json!(last);
    }
    if tx.kind == types::PAYMENT
        && applied.result.is_success()
        && let Some(drops) = tx.amount.as_ref().and_then(Amount::drops)
    {
        out["delivered"] = json!(drops.to_string());
    }
    Some(out)
}

fn type_name(kind: u16) -> Value {
    let name = match kind {
        types::PAYMENT => "Payment",
        types::ACCOUNT_SET => "AccountSet",
        types::SET_REGULAR_KEY => "SetRegularKey",
        types::TICKET_CREATE => "TicketCreate",
        types::SIGNER_LIST_SET => "SignerListSet",
        types::ACCOUNT_DELETE => "AccountDelete",
        types::CHECK_CREATE => "CheckCreate",
        types::CHECK_CASH => "CheckCash",
        types::CHECK_CANCEL => "CheckCancel",
        types::ESCROW_FINISH => "EscrowFinish",
        types::ESCROW_CANCEL => "EscrowCancel",
        _ => return json!(kind),
    };
    json!(name)
}
