//! A few accounts on one server, one of which issues a currency.
#![allow(dead_code, reason = "each test binary uses its own part of it")]

use crate::stage::Stage;
use crate::wire::account_set;
use serde_json::{Value, json};

pub use crate::stage::address;
pub use crate::wire::with;

pub const ISSUER: u8 = 1;
pub const ALICE: u8 = 2;
pub const BOB: u8 = 3;
pub const CAROL: u8 = 4;

pub const TF_SET_AUTH: u32 = 0x0001_0000;
pub const TF_SET_NO_RIPPLE: u32 = 0x0002_0000;
pub const TF_CLEAR_NO_RIPPLE: u32 = 0x0004_0000;
pub const TF_SET_FREEZE: u32 = 0x0010_0000;
pub const TF_CLEAR_FREEZE: u32 = 0x0020_0000;
pub const TF_SET_DEEP_FREEZE: u32 = 0x0040_0000;
pub const TF_CLEAR_DEEP_FREEZE: u32 = 0x0080_0000;
pub const TF_NO_RIPPLE_DIRECT: u32 = 0x0001_0000;
pub const TF_PARTIAL: u32 = 0x0002_0000;
pub const TF_LIMIT_QUALITY: u32 = 0x0004_0000;

pub fn usd(issuer: u8, value: &str) -> Value {
    json!({"currency": "USD", "issuer": address(issuer), "value": value})
}

pub fn trust(peer: u8, limit: &str) -> Value {
    json!({"TransactionType": "TrustSet", "LimitAmount": usd(peer, limit)})
}

pub fn pay(to: u8, amount: Value) -> Value {
    json!({"TransactionType": "Payment", "Destination": address(to), "Amount": amount})
}

/// Some funded accounts on one server.
pub struct Town {
    pub stage: Stage,
}

impl Town {
    pub async fn new() -> Self {
        let stage = Stage::with(&[ISSUER, ALICE, BOB, CAROL].map(|who| (who, 100))).await;
        Self { stage }
    }

    /// A town whose issuer lets its currency ripple, and where Alice and Bob trust it; Alice holds 100.
    pub async fn with_money() -> Self {
        let mut town = Self::new().await;
        town.good(ISSUER, account_set(8)).await;
        // Within one ledger, what several accounts send may apply in another order than it came.
        town.close().await;
        for holder in [ALICE, BOB] {
            town.good(holder, trust(ISSUER, "1000")).await;
        }
        town.good(ISSUER, pay(ALICE, usd(ISSUER, "100"))).await;
        town.close().await;
        town
    }

    pub async fn act(&mut self, who: u8, fields: Value) -> String {
        self.stage.act(who, fields).await
    }

    pub async fn good(&mut self, who: u8, fields: Value) {
        let text = fields.to_string();
        assert_eq!(self.act(who, fields).await, "tesSUCCESS", "{text}");
    }

    pub async fn ask(&mut self, command: &str, who: u8, more: Value) -> Value {
        let request = json!({"command": command, "account": address(who)});
        self.stage.client.result(with(request, more)).await
    }

    pub async fn lines(&mut self, who: u8) -> Vec<Value> {
        let answer = self.ask("account_lines", who, json!({})).await;
        answer["lines"].as_array().unwrap().clone()
    }

    pub async fn balance(&mut self, who: u8) -> String {
        let lines = self.lines(who).await;
        lines
            .first()
            .map_or("none", |line| line["balance"].as_str().unwrap())
            .to_owned()
    }

    pub async fn owner_count(&mut self, who: u8) -> u64 {
        let answer = self.ask("account_info", who, json!({})).await;
        answer["account_data"]["OwnerCount"].as_u64().unwrap()
    }

    /// The metadata of the only transaction of the ledger that is closed now.
    pub async fn close(&mut self) -> Value {
        let index = self.stage.network.close_ledger() - 1;
        let request = json!({"command": "ledger", "ledger_index": index, "transactions": true, "expand": true});
        let answer = self.stage.client.result(request).await;
        let txs = answer["ledger"]["transactions"].as_array().unwrap().clone();
        txs.last().expect("a transaction")["metaData"].clone()
    }
}
