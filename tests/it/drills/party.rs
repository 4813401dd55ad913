//! Somebody on the ledger who is not the daemon, and signs for themselves.

use super::scene::Scene;
use crate::support::daemon::WALLET;
use serde_json::{Value, json};

/// An account that a drill signs for.
pub struct Party {
    /// Its account.
    pub address: String,
    secret: String,
}

impl Party {
    /// An account with a key of its own and 5,000 XRP.
    pub async fn funded(scene: &Scene, name: &str) -> Self {
        let key = json!({"command": "wallet_propose", "passphrase": name});
        let key = scene.ledger.ask(key).await;
        let address = key["account_id"].as_str().unwrap().to_owned();
        let fund = json!({"command": "sandbox_fund", "account": address, "drops": "5000000000"});
        scene.ledger.ask(fund).await;
        scene.ledger.close().await;
        let secret = key["master_seed"].as_str().unwrap().to_owned();
        Self { address, secret }
    }

    /// The daemon's own wallet, used past it.
    pub fn wallet() -> Self {
        Self {
            address: WALLET.0.to_owned(),
            secret: WALLET.1.to_owned(),
        }
    }

    /// Sends a transaction, closes a ledger over it and demands `result`; returns its hash.
    pub async fn sends(&self, scene: &Scene, fields: Value, result: &str) -> String {
        let mut tx = fields;
        tx["Account"] = self.address.clone().into();
        let submit = json!({"command": "submit", "secret": self.secret, "tx_json": tx});
        let answer = scene.ledger.ask(submit).await;
        assert_eq!(answer["engine_result"], result, "{answer:#}");
        scene.ledger.close().await;
        answer["tx_json"]["hash"].as_str().unwrap().to_owned()
    }

    /// The same for one that succeeds.
    pub async fn does(&self, scene: &Scene, fields: Value) -> String {
        self.sends(scene, fields, "tesSUCCESS").await
    }

    /// So many of the dollars that the account issues.
    pub fn usd(&self, value: &str) -> Value {
        json!({"currency": "USD", "issuer": self.address, "value": value})
    }

    /// Its next sequence.
    pub async fn sequence(&self, scene: &Scene) -> u64 {
        let ask = json!({"command": "account_info", "account": self.address});
        let answer = scene.ledger.ask(ask).await;
        answer["account_data"]["Sequence"].as_u64().unwrap()
    }

    /// The identifier of the one object of a kind that the account owns.
    pub async fn object(&self, scene: &Scene, kind: &str) -> String {
        let ask = json!({"command": "account_objects", "account": self.address, "type": kind});
        let answer = scene.ledger.ask(ask).await;
        answer["account_objects"][0]["index"]
            .as_str()
            .unwrap()
            .to_owned()
    }
}
