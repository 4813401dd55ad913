//! The truth: what every account did and has, read from the chain beside every server and its faults.
//!
//! Owns nothing. An auditor may ask for one account and for ledgers after one, to read in pages.

use crate::decoded;
use crate::ledger::chain::{Applied, Chain, Header, Ledger};
use crate::ledger::entry::{Account, Entry};
use crate::ledger::state::Read as _;
use crate::ledger::tx::{SeqProxy, Tx, f};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
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

/// Everything an answer needs, taken from the chain in one moment and rendered at leisure.
pub(crate) struct Evidence {
    tip: Header,
    first_index: u32,
    ledgers: Vec<Arc<Ledger>>,
    roots: Vec<Account>,
    question: Question,
}

/// Takes the evidence for an answer; quick, since the chain is locked meanwhile.
pub(crate) fn collect(chain: &Chain, question: Question) -> Evidence {
    let after = |ledger: &&Arc<Ledger>| ledger.header.index > question.after_ledger;
    let ledgers = match question.account {
        None => chain.ledgers().filter(after).map(Arc::clone).collect(),
        Some(account) => {
            let places = chain.history(account).into_iter().flatten();
            let mut indexes: Vec<u32> = places.map(|place| place.ledger).collect();
            indexes.dedup();
            let ledgers = indexes.into_iter().filter_map(|index| chain.ledger(index));
            ledgers.filter(after).map(Arc::clone).collect()
        }
    };
    let roots = match question.account {
        Some(account) => chain.state.account(account).into_iter().collect(),
        None => chain
            .state
            .iter()
            .filter_map(|(_, entry)| root(entry))
            .collect(),
    };
    Evidence {
        tip: chain.tip().header.clone(),
        first_index: chain.first_index(),
        ledgers,
        roots,
        question,
    }
}

fn root(entry: &Entry) -> Option<Account> {
    match entry {
        Entry::Account(root) => Some(root.clone()),
        _ => None,
    }
}

impl Evidence {
    /// What really happened, as far back as history is retained.
    pub(crate) fn render(&self) -> Value {
        let asked = |id: &AccountId| self.question.account.is_none_or(|account| account == *id);
        let mut rows: BTreeMap<AccountId, Vec<Value>> = BTreeMap::new();
        for ledger in &self.ledgers {
            for tx in ledger.txs.iter().filter(|tx| tx.accounts.iter().any(asked)) {
                let Some(row) = row(ledger, tx) else { continue };
                for account in tx.accounts.iter().filter(|id| asked(id)) {
                    rows.entry(*account).or_default().push(row.clone());
                }
            }
        }
        let mut accounts: Map<String, Value> = Map::new();
        for root in &self.roots {
            let mut account = json!({ "transactions": rows.remove(&root.id).unwrap_or_default() });
            account["balance"] = json!(root.balance.to_string());
            account["sequence"] = json!(root.sequence);
            account["owner_count"] = json!(root.owner_count);
            account["ticket_count"] = json!(root.ticket_count);
            accounts.insert(root.id.to_string(), account);
        }
        // Accounts that are gone have a history and no balance.
        rows.extend(
            self.question
                .account
                .map(|id| (id, Vec::new()))
                .filter(|(id, _)| {
                    !accounts.contains_key(&id.to_string()) && !rows.contains_key(id)
                }),
        );
        for (id, rows) in rows {
            accounts.insert(id.to_string(), json!({ "transactions": rows }));
        }
        json!({
            "ledger": {
                "ledger_index": self.tip.index,
                "ledger_hash": LedgerHash(self.tip.hash),
                "close_time": self.tip.close_time,
                "first_ledger_index": self.first_index,
                "total_drops": self.tip.total_drops.to_string(),
            },
            "accounts": accounts,
        })
    }
}

/// One validated transaction; `None` only for bytes that do not parse, which the chain never holds.
fn row(ledger: &Ledger, applied: &Applied) -> Option<Value> {
    let tx = Tx::parse(applied.blob.to_vec()).ok()?;
    let mut out = json!({
        "hash": applied.hash,
        "ledger_index": ledger.header.index,
        "account": tx.account,
        "result": applied.result.name(),
        "type": decoded::transaction(&applied.blob).remove("TransactionType"),
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
    if applied.result.is_success()
        && let Some(amount) = delivered(applied)
    {
        out["delivered"] = amount;
    }
    Some(out)
}

/// What a transaction delivered, from the chain's own bytes.
fn delivered(applied: &Applied) -> Option<Value> {
    let meta = decoded::object(&applied.meta);
    decoded::delivered_amount(&applied.blob, &meta)
}
