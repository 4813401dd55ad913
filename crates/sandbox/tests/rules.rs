//! Keys, signer lists, deletion and deposit authorisation, by the result codes a client sees.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod wire;

use serde_json::{Value, json};
use wire::{Client, by_hand, fund, key, payment, signed};
use xrpayd_codec::keys::Keypair;
use xrpayd_sandbox::{Network, NetworkConfig};

/// A network with one funded account, a client, and the account's sequence.
struct Scene {
    network: Network,
    client: Client,
    alice: Keypair,
    sequence: u32,
}

impl Scene {
    async fn new() -> Self {
        let network = Network::start(by_hand(1)).await.unwrap();
        let alice = key(1);
        let sequence = fund(&network, &alice, 100);
        let client = Client::connect(network.addresses()[0]).await;
        Self {
            network,
            client,
            alice,
            sequence,
        }
    }

    /// Submits what `signer` signs for alice at her next sequence, which advances when it applies.
    async fn act_as(&mut self, signer: &Keypair, mut fields: Value) -> String {
        fields["Account"] = json!(self.alice.account_id().to_string());
        fields["Sequence"] = json!(self.sequence);
        let result = self.client.submit(&signed(signer, fields)).await;
        self.sequence += u32::from(result["applied"] == true);
        result["engine_result"].as_str().unwrap().to_owned()
    }

    async fn act(&mut self, fields: Value) -> String {
        let alice = key(1);
        self.act_as(&alice, fields).await
    }
}

fn pay(to: &Keypair, drops: u64) -> Value {
    json!({"TransactionType": "Payment", "Destination": to.account_id().to_string(), "Amount": drops.to_string()})
}

fn account_set(field: &str, flag: u32) -> Value {
    json!({"TransactionType": "AccountSet", field: flag})
}

#[tokio::test]
async fn a_regular_key_signs_and_the_master_key_can_be_switched_off() {
    let mut scene = Scene::new().await;
    let (regular, bob) = (key(9), key(2));
    let set =
        json!({"TransactionType": "SetRegularKey", "RegularKey": regular.account_id().to_string()});
    let own = json!({"TransactionType": "SetRegularKey", "RegularKey": scene.alice.account_id().to_string()});
    assert_eq!(scene.act(own).await, "temBAD_REGKEY");
    assert_eq!(
        scene.act(account_set("SetFlag", 4)).await,
        "tecNO_ALTERNATIVE_KEY"
    );
    assert_eq!(
        scene.act_as(&regular, pay(&bob, 1_000_000)).await,
        "tefBAD_AUTH"
    );
    assert_eq!(scene.act(set).await, "tesSUCCESS");
    assert_eq!(
        scene.act_as(&regular, pay(&bob, 1_000_000)).await,
        "tesSUCCESS"
    );
    assert_eq!(
        scene.act_as(&regular, account_set("SetFlag", 4)).await,
        "tecNEED_MASTER_KEY"
    );
    assert_eq!(scene.act(account_set("SetFlag", 4)).await, "tesSUCCESS");
    assert_eq!(scene.act(pay(&bob, 1)).await, "tefMASTER_DISABLED");
    let none = json!({"TransactionType": "SetRegularKey"});
    assert_eq!(scene.act_as(&regular, none).await, "tecNO_ALTERNATIVE_KEY");
    assert_eq!(
        scene.act_as(&regular, account_set("ClearFlag", 4)).await,
        "tesSUCCESS"
    );
    assert_eq!(scene.act(pay(&bob, 1)).await, "tesSUCCESS");
    scene.network.stop().await;
}

#[tokio::test]
async fn signers_sign_together_up_to_the_quorum() {
    let mut scene = Scene::new().await;
    let (bob, carol, dave) = (key(2), key(3), key(4));
    let entry = |key: &Keypair| json!({"SignerEntry": {"Account": key.account_id().to_string(), "SignerWeight": 1}});
    let list = |quorum: u32| json!({"TransactionType": "SignerListSet", "SignerQuorum": quorum, "SignerEntries": [entry(&bob), entry(&carol)]});
    let mut tx = pay(&bob, 2_000_000);
    tx["Account"] = json!(scene.alice.account_id().to_string());
    tx["Sequence"] = json!(scene.sequence);
    tx["Fee"] = json!("30");
    tx["Flags"] = json!(0);
    let together = |tx: &Value, signers: &[&Keypair]| {
        let one = |key: &&Keypair| xrpayd_codec::multisign_one(tx, key, key.account_id()).unwrap();
        let signers = signers.iter().map(one).collect();
        hex::encode_upper(xrpayd_codec::combine(tx, signers).unwrap().blob)
    };
    let alone = together(&tx, &[&bob, &carol]);
    assert_eq!(
        scene.client.engine_result(&alone).await,
        "tefNOT_MULTI_SIGNING"
    );
    assert_eq!(scene.act(list(3)).await, "temBAD_QUORUM");
    assert_eq!(scene.act(list(2)).await, "tesSUCCESS");
    tx["Sequence"] = json!(scene.sequence);
    assert_eq!(
        scene.client.engine_result(&together(&tx, &[&bob])).await,
        "tefBAD_QUORUM"
    );
    assert_eq!(
        scene
            .client
            .engine_result(&together(&tx, &[&bob, &dave]))
            .await,
        "tefBAD_SIGNATURE"
    );
    let mut cheap = tx.clone();
    cheap["Fee"] = json!("29");
    assert_eq!(
        scene
            .client
            .engine_result(&together(&cheap, &[&bob, &carol]))
            .await,
        "telINSUF_FEE_P"
    );
    assert_eq!(
        scene
            .client
            .engine_result(&together(&tx, &[&bob, &carol]))
            .await,
        "tesSUCCESS"
    );
    let _open = scene.network.close_ledger();
    let root = scene.client.validated_account(&scene.alice).await;
    assert_eq!(
        (&root["OwnerCount"], &root["Balance"]),
        (&json!(1), &json!("97999960"))
    );
    scene.network.stop().await;
}

#[tokio::test]
async fn a_guarded_account_takes_only_what_keeps_it_alive_from_strangers() {
    let mut scene = Scene::new().await;
    let bob = key(2);
    let first = fund(&scene.network, &bob, 2);
    let guard = signed(
        &bob,
        json!({"TransactionType": "AccountSet", "SetFlag": 9, "Sequence": first}),
    );
    assert_eq!(scene.client.engine_result(&guard).await, "tesSUCCESS");
    assert_eq!(scene.act(pay(&bob, 1)).await, "tecNO_PERMISSION");
    let away = payment(&bob, &scene.alice, first + 1, 1_000_000 - 20);
    assert_eq!(scene.client.engine_result(&away).await, "tesSUCCESS");
    assert_eq!(scene.act(pay(&bob, 1_000_001)).await, "tecNO_PERMISSION");
    assert_eq!(scene.act(pay(&bob, 1_000_000)).await, "tesSUCCESS");
    scene.network.stop().await;
}

#[tokio::test]
async fn an_old_account_gives_all_it_has_and_is_gone() {
    let mut scene = Scene::new().await;
    let bob = key(2);
    let _first = fund(&scene.network, &bob, 10);
    let delete = json!({"TransactionType": "AccountDelete", "Destination": bob.account_id().to_string(), "Fee": "200000"});
    assert_eq!(scene.act(delete.clone()).await, "tecTOO_SOON");
    for _ in 0..260 {
        let _open = scene.network.close_ledger();
    }
    assert_eq!(scene.act(delete).await, "tesSUCCESS");
    let open = scene.network.close_ledger();
    assert_eq!(
        scene.client.validated_account(&bob).await["Balance"],
        "109600000"
    );
    let alice = scene.alice.account_id().to_string();
    let gone = json!({"command": "account_info", "account": alice, "ledger_index": "validated"});
    assert_eq!(scene.client.ask(gone.clone()).await["error"], "actNotFound");
    let again = fund(&scene.network, &scene.alice, 5);
    assert_eq!(again, open);
    assert_eq!(
        scene.client.validated_account(&scene.alice).await["Sequence"],
        open
    );
    scene.network.stop().await;
}

#[tokio::test]
async fn what_is_malformed_once_is_a_bad_signature_ever_after() {
    let mut scene = Scene::new().await;
    let fields = json!({"TransactionType": "Payment", "Destination": key(2).account_id().to_string(), "Amount": "0", "Sequence": scene.sequence});
    let blob = signed(&scene.alice, fields);
    assert_eq!(scene.client.engine_result(&blob).await, "temBAD_AMOUNT");
    assert_eq!(scene.client.engine_result(&blob).await, "temBAD_SIGNATURE");
    let trust = json!({"TransactionType": "TrustSet", "LimitAmount": {"currency": "USD", "issuer": key(2).account_id().to_string(), "value": "1"}});
    assert_eq!(scene.act(trust).await, "tecNO_DST");
    scene.network.stop().await;
}

#[tokio::test]
async fn a_network_with_a_large_id_wants_it_in_every_transaction() {
    let config = NetworkConfig {
        network_id: 21_338,
        ..by_hand(1)
    };
    let network = Network::start(config).await.unwrap();
    let (alice, bob) = (key(1), key(2));
    let sequence = fund(&network, &alice, 100);
    let mut client = Client::connect(network.addresses()[0]).await;
    let with_id = |id: Option<u32>| {
        let mut fields = pay(&bob, 1_000_000);
        fields["Sequence"] = json!(sequence);
        if let Some(id) = id {
            fields["NetworkID"] = json!(id);
        }
        signed(&alice, fields)
    };
    assert_eq!(
        client.engine_result(&with_id(None)).await,
        "telREQUIRES_NETWORK_ID"
    );
    assert_eq!(
        client.engine_result(&with_id(Some(21_337))).await,
        "telWRONG_NETWORK"
    );
    assert_eq!(
        client.engine_result(&with_id(Some(21_338))).await,
        "tesSUCCESS"
    );
    network.stop().await;
}
