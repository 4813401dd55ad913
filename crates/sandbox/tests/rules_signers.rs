//! Signer lists at their limits, by the result codes and the entries that a client sees.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod stage;
mod wire;

use serde_json::{Value, json};
use stage::{Stage, address};

const ALICE: u8 = 1;

fn signer(who: u8, weight: u32) -> Value {
    json!({"SignerEntry": {"Account": address(who), "SignerWeight": weight}})
}

fn list(quorum: u32, entries: Vec<Value>) -> Value {
    json!({"TransactionType": "SignerListSet", "SignerQuorum": quorum, "SignerEntries": entries})
}

fn many(count: u8) -> Vec<Value> {
    (0..count).map(|who| signer(10 + who, 1)).collect()
}

#[tokio::test]
async fn a_signer_list_has_up_to_32_signers_who_can_reach_its_quorum() {
    let mut stage = Stage::with(&[(ALICE, 100)]).await;
    let twice = vec![signer(2, 1), signer(2, 1)];
    stage
        .play(vec![
            (ALICE, list(1, Vec::new()), "temMALFORMED"),
            (ALICE, list(0, many(1)), "temMALFORMED"),
            (ALICE, list(33, many(33)), "temMALFORMED"),
            (ALICE, list(1, twice), "temBAD_SIGNER"),
            (ALICE, list(1, vec![signer(ALICE, 1)]), "temBAD_SIGNER"),
            (ALICE, list(1, vec![signer(2, 0)]), "temBAD_WEIGHT"),
            (ALICE, list(4, many(3)), "temBAD_QUORUM"),
            (ALICE, list(32, many(32)), "tesSUCCESS"),
        ])
        .await;
    stage.close();
    assert_eq!(stage.root(ALICE, "OwnerCount").await, 1);
    let none = json!({"TransactionType": "SignerListSet", "SignerQuorum": 0});
    assert_eq!(stage.act(ALICE, none).await, "tesSUCCESS");
    assert_eq!(stage.objects(ALICE).await, Vec::<Value>::new());
    stage.network.stop().await;
}

#[tokio::test]
async fn what_is_noted_beside_a_signer_stays_with_it() {
    let mut stage = Stage::with(&[(ALICE, 100)]).await;
    let mut noted = signer(2, 1);
    noted["SignerEntry"]["WalletLocator"] = json!("AB".repeat(32));
    stage
        .settle(ALICE, list(2, vec![noted, signer(3, 5)]))
        .await;
    let entries = stage.objects(ALICE).await[0]["SignerEntries"].clone();
    let of = |who: u8| {
        let entries = entries.as_array().unwrap();
        let mut all = entries.iter().map(|entry| &entry["SignerEntry"]);
        all.find(|entry| entry["Account"] == address(who)).unwrap()
    };
    assert_eq!(of(2)["WalletLocator"], "AB".repeat(32));
    assert_eq!(of(3).get("WalletLocator"), None);
    stage.network.stop().await;
}
