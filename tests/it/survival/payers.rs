//! Customers that pay to tags: each signs by itself, sends over a server that no fault is about, and
//! sends again whatever the ledger has not taken, as wallets do.

use crate::support::ledger::Ledger;
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use xrpayd_codec::keys::{Algorithm, Keypair};

/// How long a ledger that is hurt now and then may take to hold all that was sent.
const PATIENCE: Duration = Duration::from_secs(300);
/// The pause before what was sent is looked for.
const PAUSE: Duration = Duration::from_millis(300);
/// Payments that are sent before the sender looks what the ledger holds of them.
const SENT_TOGETHER: usize = 100;
/// What each begins with, in drops.
const FUNDS: &str = "100000000000";

/// What a customer pays.
#[derive(Debug, Clone, Copy)]
pub struct Gift {
    /// To which tag.
    pub tag: Option<u32>,
    /// How much.
    pub drops: u64,
}

/// A customer.
#[derive(Debug)]
pub struct Payer {
    key: Keypair,
    first: u32,
}

impl Payer {
    /// Customers with money on `ledger`.
    pub async fn funded(ledger: &Ledger, count: u8) -> Vec<Self> {
        let mut payers = Vec::new();
        for number in 1..=count {
            let key = Keypair::from_entropy(Algorithm::Ed25519, &[number; 16]).unwrap();
            let account = key.account_id().to_string();
            let fund = json!({ "command": "sandbox_fund", "account": account, "drops": FUNDS });
            ledger.ask(fund).await;
            payers.push(Self { key, first: 0 });
        }
        ledger.reach(ledger.validated().await + 2).await;
        for payer in &mut payers {
            payer.first = payer.sequence(ledger).await;
        }
        payers
    }

    /// The account's next sequence by the newest validated ledger.
    async fn sequence(&self, ledger: &Ledger) -> u32 {
        let account = self.key.account_id().to_string();
        let ask =
            json!({ "command": "account_info", "account": account, "ledger_index": "validated" });
        let answer: Value = ledger.ask(ask).await;
        let sequence = answer["account_data"]["Sequence"].as_u64().unwrap();
        u32::try_from(sequence).unwrap()
    }

    /// Pays all of `gifts` to `destination`; returns when validated ledgers hold them.
    pub async fn pay(self, ledger: &Ledger, destination: &str, gifts: &[Gift]) {
        let blobs: Vec<String> = (self.first..)
            .zip(gifts)
            .map(|(sequence, gift)| self.sign(sequence, destination, *gift))
            .collect();
        let deadline = Instant::now() + PATIENCE;
        loop {
            let held = self.sequence(ledger).await - self.first;
            let held = usize::try_from(held).unwrap();
            if held == blobs.len() {
                return;
            }
            // What was sent before and is in no ledger is sent once more.
            let next = blobs.len().min(held + SENT_TOGETHER);
            ledger.submit(&blobs[held..next]).await;
            assert!(
                Instant::now() < deadline,
                "the ledger holds {held} of {} payments",
                blobs.len()
            );
            tokio::time::sleep(PAUSE).await;
        }
    }

    fn sign(&self, sequence: u32, destination: &str, gift: Gift) -> String {
        let mut tx = json!({
            "TransactionType": "Payment",
            "Account": self.key.account_id().to_string(),
            "Destination": destination,
            "Amount": gift.drops.to_string(),
            "Fee": "10",
            "Flags": 0,
            "Sequence": sequence,
        });
        if let Some(tag) = gift.tag {
            tx["DestinationTag"] = json!(tag);
        }
        hex::encode_upper(xrpayd_codec::sign(&tx, &self.key).unwrap().blob)
    }
}
