//! A network that closes by hand, with funded accounts known by small numbers, for tables of cases.
#![allow(dead_code, reason = "each test binary uses its own part of it")]

use crate::wire::{Client, by_hand, fund, key, signed, started};
use serde_json::{Value, json};
use xrpayd_sandbox::Network;

pub struct Stage {
    pub network: Network,
    pub client: Client,
}

/// One case of a table: who sends what, and what comes of it.
pub type Case = (u8, Value, &'static str);

/// The address of a numbered account.
pub fn address(who: u8) -> String {
    key(who).account_id().to_string()
}

impl Stage {
    /// Accounts with so many XRP each.
    pub async fn with(accounts: &[(u8, u64)]) -> Self {
        let (network, client) = started(by_hand(1)).await;
        for (who, xrp) in accounts {
            let _first = fund(&network, &key(*who), *xrp);
        }
        Self { network, client }
    }

    /// The next sequence of an account in the open ledger.
    pub async fn sequence(&mut self, who: u8) -> u64 {
        let request =
            json!({"command": "account_info", "account": address(who), "ledger_index": "current"});
        let root = self.client.result(request).await;
        root["account_data"]["Sequence"].as_u64().unwrap()
    }

    /// Submits at the account's next sequence, unless the fields say otherwise.
    pub async fn submit(&mut self, who: u8, mut fields: Value) -> Value {
        if fields.get("Sequence").is_none() {
            fields["Sequence"] = json!(self.sequence(who).await);
        }
        self.client.submit(&signed(&key(who), fields)).await
    }

    /// Submits, and returns the engine's result code.
    pub async fn act(&mut self, who: u8, fields: Value) -> String {
        let answer = self.submit(who, fields).await;
        answer["engine_result"].as_str().unwrap().to_owned()
    }

    /// Submits what must succeed, closes the ledger, and returns the validated transaction.
    pub async fn settle(&mut self, who: u8, fields: Value) -> Value {
        let answer = self.submit(who, fields).await;
        assert_eq!(answer["engine_result"], "tesSUCCESS", "{answer}");
        self.close();
        let hash = answer["tx_json"]["hash"].clone();
        let tx = self
            .client
            .result(json!({"command": "tx", "transaction": hash}))
            .await;
        assert_eq!(tx["validated"], true, "{tx}");
        tx
    }

    /// Plays a table of cases in their order.
    pub async fn play(&mut self, cases: Vec<Case>) {
        for (place, (who, fields, wanted)) in cases.into_iter().enumerate() {
            let what = fields.to_string();
            assert_eq!(self.act(who, fields).await, wanted, "case {place}: {what}");
        }
    }

    /// Plays a table of cases with a ledger for each, so that none is tried again after a later one.
    pub async fn play_one_by_one(&mut self, cases: Vec<Case>) {
        for case in cases {
            self.play(vec![case]).await;
            self.close();
        }
    }

    pub fn close(&self) {
        let _open = self.network.close_ledger();
    }

    /// The close time of the newest ledger.
    pub async fn now(&mut self) -> u64 {
        let request = json!({"command": "ledger", "ledger_index": "validated"});
        self.client.result(request).await["ledger"]["close_time"]
            .as_u64()
            .unwrap()
    }

    /// Closes ledgers until their time is past `moment`.
    pub async fn wait_until_past(&mut self, moment: u64) {
        while self.now().await <= moment {
            self.close();
        }
    }

    /// A field of an account's validated root.
    pub async fn root(&mut self, who: u8, field: &str) -> Value {
        self.client.validated_account(&key(who)).await[field].clone()
    }

    /// What an account owns in the open ledger.
    pub async fn objects(&mut self, who: u8) -> Vec<Value> {
        let request = json!({"command": "account_objects", "account": address(who)});
        self.client.result(request).await["account_objects"]
            .as_array()
            .unwrap()
            .clone()
    }
}
