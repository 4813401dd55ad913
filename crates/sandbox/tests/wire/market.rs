//! A market for tests of issued currencies: an issuer, holders, and what they do, each step a ledger.

use super::{Client, account_set, by_hand, fund, key, signed, started, with};
use serde_json::{Value, json};
use xrpayd_codec::keys::Keypair;
use xrpayd_sandbox::Network;

/// A market: an issuer, and holders of what it issues, each with 1000 XRP.
pub struct Market {
    pub network: Network,
    pub client: Client,
    pub issuer: Keypair,
    sequences: Vec<(String, u32)>,
}

/// The issuer's key.
pub const ISSUER: u8 = 1;

impl Market {
    pub async fn open() -> Self {
        let (network, client) = started(by_hand(1)).await;
        let issuer = key(ISSUER);
        let mut market = Self {
            network,
            client,
            issuer,
            sequences: Vec::new(),
        };
        let issuer = key(ISSUER);
        market.fund(&issuer, 1000);
        market.does(&issuer, account_set(8)).await;
        market
    }

    pub fn fund(&mut self, key: &Keypair, xrp: u64) {
        let sequence = fund(&self.network, key, xrp);
        self.sequences
            .push((key.account_id().to_string(), sequence));
    }

    /// An account with XRP and so much of the issuer's USD.
    pub async fn holder(&mut self, number: u8, usd: &str) -> Keypair {
        let holder = key(number);
        self.fund(&holder, 1000);
        for currency in ["USD", "EUR"] {
            let limit = self.token("1000000", currency);
            self.does(
                &holder,
                json!({"TransactionType": "TrustSet", "LimitAmount": limit}),
            )
            .await;
        }
        if usd != "0" {
            self.issue(&holder, usd, "USD").await;
        }
        holder
    }

    pub async fn issue(&mut self, to: &Keypair, value: &str, currency: &str) {
        let (issuer, amount) = (key(ISSUER), self.token(value, currency));
        let to = to.account_id().to_string();
        self.does(
            &issuer,
            json!({"TransactionType": "Payment", "Destination": to, "Amount": amount}),
        )
        .await;
    }

    pub fn token(&self, value: &str, currency: &str) -> Value {
        let issuer = self.issuer.account_id().to_string();
        json!({"currency": currency, "issuer": issuer, "value": value})
    }

    pub fn usd(&self, value: &str) -> Value {
        self.token(value, "USD")
    }

    pub fn next(&mut self, key: &Keypair) -> &mut u32 {
        let account = key.account_id().to_string();
        let known = self.sequences.iter_mut().find(|(id, _)| *id == account);
        &mut known.unwrap().1
    }

    /// Submits and closes; returns the final result and the metadata.
    pub async fn sends(&mut self, key: &Keypair, mut fields: Value) -> (String, Value) {
        let sequence = *self.next(key);
        fields["Sequence"] = json!(sequence);
        let answer = self.client.submit(&signed(key, fields)).await;
        if answer["applied"] == json!(true) {
            *self.next(key) += 1;
        }
        let _open = self.network.close_ledger();
        let hash = &answer["tx_json"]["hash"];
        let tx = self
            .client
            .ask(json!({"command": "tx", "transaction": hash}))
            .await;
        match tx["result"]["meta"]["TransactionResult"].as_str() {
            Some(result) => (result.to_owned(), tx["result"]["meta"].clone()),
            None => (
                answer["engine_result"].as_str().unwrap().to_owned(),
                Value::Null,
            ),
        }
    }

    pub async fn does(&mut self, key: &Keypair, fields: Value) {
        let (result, _) = self.sends(key, fields.clone()).await;
        assert_eq!(result, "tesSUCCESS", "{fields}");
    }

    /// Makes an offer; returns its sequence and what came of it.
    pub async fn offers(&mut self, key: &Keypair, gets: Value, pays: Value) -> (u32, String) {
        self.offers_with(key, gets, pays, json!({})).await
    }

    pub async fn offers_with(
        &mut self,
        key: &Keypair,
        gets: Value,
        pays: Value,
        more: Value,
    ) -> (u32, String) {
        let offer = json!({"TransactionType": "OfferCreate", "TakerGets": gets, "TakerPays": pays});
        let sequence = *self.next(key);
        let (result, _) = self.sends(key, with(offer, more)).await;
        (sequence, result)
    }

    /// An account's offers by sequence, with what is left of them.
    pub async fn left(&mut self, key: &Keypair) -> Vec<(u64, Value, Value)> {
        let account = key.account_id().to_string();
        let answer = self
            .client
            .result(json!({"command": "account_offers", "account": account}))
            .await;
        let mut rows: Vec<_> = answer["offers"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| {
                (
                    row["seq"].as_u64().unwrap(),
                    row["taker_gets"].clone(),
                    row["taker_pays"].clone(),
                )
            })
            .collect();
        rows.sort_by_key(|row| row.0);
        rows
    }

    /// What an account holds of the issuer's currency.
    pub async fn holds(&mut self, key: &Keypair, currency: &str) -> String {
        let account = key.account_id().to_string();
        let answer = self
            .client
            .result(json!({"command": "account_lines", "account": account}))
            .await;
        let lines = answer["lines"].as_array().unwrap();
        let line = lines.iter().find(|line| line["currency"] == currency);
        line.map_or_else(
            || "0".to_owned(),
            |line| line["balance"].as_str().unwrap().to_owned(),
        )
    }

    pub async fn drops(&mut self, key: &Keypair) -> u64 {
        let root = self.client.validated_account(key).await;
        root["Balance"].as_str().unwrap().parse().unwrap()
    }

    pub async fn owns(&mut self, key: &Keypair) -> u64 {
        let root = self.client.validated_account(key).await;
        root["OwnerCount"].as_u64().unwrap()
    }
}
