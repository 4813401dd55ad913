//! What the ledger delivered to the wallet, held against everything that the API says came in.

use crate::support::daemon::WALLET;
use crate::support::ledger::Ledger;
use crate::support::merchant::Merchant;
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};
use xrpayd_core::money::Drops;

/// How long the journal may take to read what came, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(300);

/// An invoice that was issued.
#[derive(Debug, Clone)]
pub struct Asked {
    id: String,
    /// The tag that it is paid to.
    pub tag: u32,
    /// How much it asks for.
    pub drops: u64,
}

impl Asked {
    /// The invoice that was answered to a request for so much.
    pub fn of(invoice: &Value, drops: u64) -> Self {
        let tag = invoice["destination_tag"].as_u64().unwrap();
        Self {
            id: invoice["id"].as_str().unwrap().to_owned(),
            tag: u32::try_from(tag).unwrap(),
            drops,
        }
    }
}

/// A payment to the wallet that a validated ledger holds.
#[derive(Debug)]
struct Receipt {
    hash: String,
    tag: Option<u64>,
    drops: u64,
    from: Value,
}

/// What the ledger delivered, in its order, and what was asked for.
#[derive(Debug)]
pub struct Receipts {
    all: Vec<Receipt>,
    invoices: HashMap<u64, Asked>,
    through: u64,
}

impl Receipts {
    /// What `ledger` holds by now; what was funded before the journal began is left out of it.
    pub async fn of(ledger: &Ledger, invoices: &[Asked]) -> Self {
        let through = ledger.validated().await;
        let mut all = Vec::new();
        for tx in ledger.truth_of(WALLET.0).await {
            let to_us = tx["destination"] == WALLET.0 && tx["type"] == "Payment";
            // The house that funds a fresh ledger pays before there is a daemon.
            if !to_us || tx["result"] != "tesSUCCESS" || tx["ledger_index"].as_u64() <= Some(3) {
                continue;
            }
            all.push(Receipt {
                hash: tx["hash"].as_str().unwrap().to_owned(),
                tag: tx["destination_tag"].as_u64(),
                drops: tx["delivered"].as_str().unwrap().parse().unwrap(),
                from: tx["account"].clone(),
            });
        }
        let of_tag = |asked: &Asked| (u64::from(asked.tag), asked.clone());
        Self {
            all,
            invoices: invoices.iter().map(of_tag).collect(),
            through,
        }
    }

    /// How many there are.
    pub const fn count(&self) -> usize {
        self.all.len()
    }

    /// Waits until the journal has read all of it.
    pub async fn arrive(&self, till: &Merchant) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let wallet = till.get("/v1/wallets/hot").await;
            let at = wallet["journal_ledger"].as_u64();
            if at >= Some(self.through) {
                return;
            }
            assert!(Instant::now() < deadline, "the journal stays {wallet:#}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Holds deposits, invoices and the feed against the ledger; how many events were told.
    pub async fn audit(&self, till: &Merchant) -> usize {
        self.deposits(&till.all("/v1/deposits").await);
        self.totals(&till.all("/v1/invoices").await);
        let events = till.all_events().await;
        self.feed(&events);
        events.len()
    }

    /// Each credit is there once, by what was delivered, to whom it belongs, and nothing else is.
    fn deposits(&self, shown: &[Value]) {
        let mut by_hash = HashMap::new();
        for deposit in shown {
            let hash = deposit["tx_hash"].as_str().unwrap();
            let twice = by_hash.insert(hash, deposit);
            assert!(twice.is_none(), "booked twice: {deposit:#}");
        }
        for receipt in &self.all {
            let Some(deposit) = by_hash.remove(receipt.hash.as_str()) else {
                panic!("not booked: {receipt:?}");
            };
            let invoice = receipt.tag.and_then(|tag| self.invoices.get(&tag));
            let reason = match (receipt.tag, invoice) {
                (None, _) => json!("no_tag"),
                (Some(_), None) => json!("unknown_tag"),
                (Some(_), Some(_)) => Value::Null,
            };
            for (field, expected) in [
                ("delivered_amount", xrp(receipt.drops)),
                ("destination_tag", json!(receipt.tag)),
                ("from", receipt.from.clone()),
                ("invoice_id", json!(invoice.map(|asked| &asked.id))),
                ("unmatched_reason", reason),
                ("internal", json!(false)),
            ] {
                assert_eq!(deposit[field], expected, "{field} of {deposit:#}");
            }
        }
        assert!(by_hash.is_empty(), "came from nowhere: {by_hash:#?}");
    }

    /// What came to each invoice, in the order of the ledger.
    fn by_invoice(&self) -> BTreeMap<&str, (u64, Vec<u64>)> {
        let asked = self.invoices.values();
        let mut came: BTreeMap<&str, (u64, Vec<u64>)> = asked
            .map(|asked| (asked.id.as_str(), (asked.drops, Vec::new())))
            .collect();
        for receipt in &self.all {
            if let Some(asked) = receipt.tag.and_then(|tag| self.invoices.get(&tag)) {
                came.get_mut(asked.id.as_str())
                    .unwrap()
                    .1
                    .push(receipt.drops);
            }
        }
        came
    }

    fn totals(&self, shown: &[Value]) {
        let came = self.by_invoice();
        assert_eq!(shown.len(), came.len());
        for invoice in shown {
            let (asked, parts) = &came[invoice["id"].as_str().unwrap()];
            let received: u64 = parts.iter().sum();
            let status = match received {
                0 => "open",
                some if some < *asked => "partially_paid",
                _ => "paid",
            };
            for (field, expected) in [
                ("status", json!(status)),
                ("amount_received", xrp(received)),
                ("overpaid", json!(received > *asked)),
                ("paid_late", json!(false)),
            ] {
                assert_eq!(invoice[field], expected, "{field} of {invoice:#}");
            }
        }
    }

    /// Every deposit was told once, and of each invoice all its changes, one version after the other.
    fn feed(&self, events: &[Value]) {
        let mut sequence = 0;
        let mut deposits: HashMap<&str, &str> = HashMap::new();
        let mut told: BTreeMap<&str, Vec<(&str, u64)>> = BTreeMap::new();
        for event in events {
            let next = event["sequence"].as_u64().unwrap();
            assert!(next > sequence, "{event:#} comes after {sequence}");
            sequence = next;
            let kind = event["type"].as_str().unwrap();
            let data = &event["data"];
            match data["object"].as_str().unwrap() {
                "deposit" => {
                    let hash = data["tx_hash"].as_str().unwrap();
                    let twice = deposits.insert(hash, kind);
                    assert!(twice.is_none(), "told twice: {event:#}");
                }
                "invoice" => {
                    let id = data["id"].as_str().unwrap();
                    let version = data["version"].as_u64().unwrap();
                    told.entry(id).or_default().push((kind, version));
                }
                _ => {}
            }
        }
        assert_eq!(deposits.len(), self.all.len(), "events of deposits");
        for receipt in &self.all {
            let is_ours = receipt
                .tag
                .is_some_and(|tag| self.invoices.contains_key(&tag));
            let expected = ["deposit.unmatched", "deposit.received"][usize::from(is_ours)];
            assert_eq!(deposits[receipt.hash.as_str()], expected, "{receipt:?}");
        }
        for (id, (asked, parts)) in self.by_invoice() {
            let of_invoice = told.remove(id).unwrap_or_default();
            let versions: Vec<u64> = of_invoice.iter().map(|(_, version)| *version).collect();
            assert!(versions.is_sorted(), "{id}: {of_invoice:?}");
            let kinds: Vec<&str> = of_invoice.iter().map(|(kind, _)| *kind).collect();
            assert_eq!(kinds, story(asked, &parts), "{id}: {parts:?} for {asked}");
        }
        assert!(told.is_empty(), "told of nobody's invoices: {told:?}");
    }
}

/// What is told of an invoice that asks for `asked` and gets `parts`.
fn story(asked: u64, parts: &[u64]) -> Vec<&'static str> {
    let (mut received, mut told) = (0, Vec::new());
    for part in parts {
        let was_paid = received >= asked;
        received += part;
        if received < asked {
            told.push("invoice.partially_paid");
            continue;
        }
        if !was_paid {
            told.push("invoice.paid");
        }
        if received > asked {
            told.push("invoice.overpaid");
        }
    }
    told
}

fn xrp(drops: u64) -> Value {
    json!({ "currency": "XRP", "value": Drops::new(drops).unwrap().to_xrp() })
}
