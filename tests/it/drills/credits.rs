//! What comes in, by every way that the model ledger has: booked once, exactly by what came, whatever a
//! sender writes or a server says.

use super::party::Party;
use super::scene::{GRACE, Scene};
use crate::support::daemon::WALLET;
use crate::support::merchant::Merchant;
use serde_json::{Value, json};
use std::collections::BTreeMap;

const PARTIAL_PAYMENT: u32 = 0x0002_0000;
const DEFAULT_RIPPLE: u32 = 8;
/// The destination of a channel, which closes it at once, gives back what it has not claimed.
const CLOSE: u32 = 0x0002_0000;
/// Ledgers that an account has to be old to be deleted, and some.
const DELETION_AGE: u32 = 260;

/// A client that sees deposits.
fn clerk(scene: &Scene) -> Merchant {
    let key = scene.setup.create_key("books", &["invoices:read"]);
    Merchant::new(&scene.setup.api, &key)
}

/// Every deposit by its transaction, once the journal has read what is validated now.
async fn deposits(scene: &Scene, clerk: &Merchant) -> BTreeMap<String, Value> {
    let newest = scene.ledger.validated().await;
    let read = r#"journal_cursor_ledger{wallet_type="hot"}"#;
    #[expect(clippy::cast_precision_loss, reason = "a metric is a float")]
    let newest = newest as f64;
    scene.until_metric(read, |ledger| ledger >= newest).await;
    let list = clerk.get("/v1/deposits?limit=200").await;
    assert_eq!(list["next_cursor"], json!(null));
    let mut found = BTreeMap::new();
    for deposit in list["data"].as_array().unwrap() {
        let hash = deposit["tx_hash"].as_str().unwrap().to_owned();
        let twice = found.insert(hash, deposit.clone());
        assert!(twice.is_none(), "{deposit:#} and {twice:#?}");
    }
    found
}

fn xrp(value: &str) -> Value {
    json!({"currency": "XRP", "value": value})
}

/// A time on the ledger's clock, shortly after its newest ledger.
async fn soon(scene: &Scene, seconds: u64) -> u64 {
    let ledger = scene
        .ledger
        .ask(json!({"command": "ledger", "ledger_index": "validated"}))
        .await;
    ledger["ledger"]["close_time"].as_u64().unwrap() + seconds
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_kind_of_credit_is_booked_exactly_by_what_came() {
    let scene = Scene::new("manual", "10000", "");
    let daemon = scene.start().await;
    let clerk = clerk(&scene);
    let wallet = Party::wallet();
    let payer = Party::funded(&scene, "payer").await;
    let gateway = Party::funded(&scene, "gateway").await;
    let leaver = Party::funded(&scene, "leaver").await;

    // The market: the wallet and the payer hold what the gateway issues, and the payer what the wallet does.
    gateway
        .does(
            &scene,
            json!({"TransactionType": "AccountSet", "SetFlag": DEFAULT_RIPPLE}),
        )
        .await;
    for holder in [&wallet, &payer] {
        holder
            .does(
                &scene,
                json!({"TransactionType": "TrustSet", "LimitAmount": gateway.usd("1000")}),
            )
            .await;
    }
    let eur = |value: &str| json!({"currency": "EUR", "issuer": WALLET.0, "value": value});
    payer
        .does(
            &scene,
            json!({"TransactionType": "TrustSet", "LimitAmount": eur("1000")}),
        )
        .await;
    let pay = |to: &str, amount: Value| json!({"TransactionType": "Payment", "Destination": to, "Amount": amount});
    gateway
        .does(&scene, pay(&payer.address, gateway.usd("500")))
        .await;
    wallet.does(&scene, pay(&payer.address, eur("50"))).await;

    let mut expected: BTreeMap<String, (&str, Value, Value, Value, Value)> = BTreeMap::new();
    let from_payer = || json!(payer.address);

    let mut plain = pay(WALLET.0, json!("5000000"));
    (plain["DestinationTag"], plain["SourceTag"]) = (42.into(), 7.into());
    let hash = payer.does(&scene, plain).await;
    expected.insert(
        hash,
        ("Payment", from_payer(), json!(7), json!(42), xrp("5")),
    );

    // A million is asked for, and three are there to be had.
    let mut partial = pay(WALLET.0, gateway.usd("1000000"));
    (partial["SendMax"], partial["Flags"]) = (gateway.usd("3"), PARTIAL_PAYMENT.into());
    let hash = payer.does(&scene, partial).await;
    expected.insert(
        hash,
        (
            "Payment",
            from_payer(),
            json!(null),
            json!(null),
            gateway.usd("3"),
        ),
    );

    // Nothing moves, and still it names an amount.
    let refused = pay(WALLET.0, json!("99000000000000"));
    payer.sends(&scene, refused, "tecUNFUNDED_PAYMENT").await;

    // Our own tokens come home: nothing that we are owed.
    payer.does(&scene, pay(WALLET.0, eur("20"))).await;

    let check = json!({"TransactionType": "CheckCreate", "Destination": WALLET.0, "SendMax": "9000000",
        "DestinationTag": 43, "SourceTag": 8});
    payer.does(&scene, check).await;
    let check = payer.object(&scene, "check").await;
    let hash = wallet
        .does(
            &scene,
            json!({"TransactionType": "CheckCash", "CheckID": check, "Amount": "9000000"}),
        )
        .await;
    expected.insert(
        hash,
        ("CheckCash", from_payer(), json!(8), json!(43), xrp("9")),
    );

    let escrow = json!({"TransactionType": "EscrowCreate", "Destination": WALLET.0, "Amount": "8000000",
        "FinishAfter": soon(&scene, 3).await, "DestinationTag": 44});
    payer.does(&scene, escrow).await;
    let sequence = payer.sequence(&scene).await - 1;
    for _ in 0..4 {
        scene.ledger.close().await;
    }
    let finish = json!({"TransactionType": "EscrowFinish", "Owner": payer.address, "OfferSequence": sequence});
    let hash = gateway.does(&scene, finish).await;
    expected.insert(
        hash,
        (
            "EscrowFinish",
            from_payer(),
            json!(null),
            json!(44),
            xrp("8"),
        ),
    );

    let channel = json!({"TransactionType": "PaymentChannelCreate", "Destination": WALLET.0, "Amount": "20000000",
        "SettleDelay": 1, "DestinationTag": 45,
        "PublicKey": "0330E7FC9D56BB25D6893BA3F317AE5BCF33B3291BD63DB32654A313222F7FD020"});
    payer.does(&scene, channel).await;
    let channel = payer.object(&scene, "payment_channel").await;
    let claim =
        json!({"TransactionType": "PaymentChannelClaim", "Channel": channel, "Balance": "6000000"});
    let hash = payer.does(&scene, claim).await;
    expected.insert(
        hash,
        (
            "PaymentChannelClaim",
            from_payer(),
            json!(null),
            json!(45),
            xrp("6"),
        ),
    );

    let offer = |pays: Value, gets: Value| json!({"TransactionType": "OfferCreate", "TakerPays": pays, "TakerGets": gets});
    wallet
        .does(&scene, offer(gateway.usd("10"), json!("10000000")))
        .await;
    let hash = payer
        .does(&scene, offer(json!("10000000"), gateway.usd("10")))
        .await;
    expected.insert(
        hash,
        (
            "OfferCreate",
            json!(null),
            json!(null),
            json!(null),
            gateway.usd("10"),
        ),
    );

    gateway
        .does(&scene, json!({"TransactionType": "MPTokenIssuanceCreate"}))
        .await;
    let made = scene.ledger.ask(json!({"command": "account_objects", "account": gateway.address, "type": "mpt_issuance"})).await;
    let issuance = made["account_objects"][0]["mpt_issuance_id"]
        .as_str()
        .unwrap()
        .to_owned();
    wallet
        .does(
            &scene,
            json!({"TransactionType": "MPTokenAuthorize", "MPTokenIssuanceID": issuance}),
        )
        .await;
    let units = json!({"mpt_issuance_id": issuance, "value": "77"});
    for _ in 0..2 {
        let hash = gateway.does(&scene, pay(WALLET.0, units.clone())).await;
        expected.insert(
            hash,
            (
                "Payment",
                json!(gateway.address),
                json!(null),
                json!(null),
                units.clone(),
            ),
        );
    }

    // The payer asks for whatever the wallet takes: what comes is the gateway's, and is called so.
    let mut any_issuer = pay(
        WALLET.0,
        json!({"currency": "USD", "issuer": WALLET.0, "value": "4"}),
    );
    any_issuer["SendMax"] = gateway.usd("4");
    let hash = payer.does(&scene, any_issuer).await;
    expected.insert(
        hash,
        (
            "Payment",
            from_payer(),
            json!(null),
            json!(null),
            gateway.usd("4"),
        ),
    );

    for _ in 0..DELETION_AGE {
        scene.ledger.close().await;
    }
    let delete = json!({"TransactionType": "AccountDelete", "Destination": WALLET.0, "DestinationTag": 46, "Fee": "200000"});
    let hash = leaver.does(&scene, delete).await;
    expected.insert(
        hash,
        (
            "AccountDelete",
            json!(leaver.address),
            json!(null),
            json!(46),
            xrp("4999.8"),
        ),
    );

    let found = deposits(&scene, &clerk).await;
    for (hash, (kind, from, source_tag, destination_tag, amount)) in &expected {
        let deposit = found
            .get(hash)
            .unwrap_or_else(|| panic!("{kind} {hash} is missing"));
        let told = |name: &str| &deposit[name];
        assert_eq!(told("transaction_type"), kind, "{deposit:#}");
        assert_eq!(told("from"), from, "{deposit:#}");
        assert_eq!(told("source_tag"), source_tag, "{deposit:#}");
        assert_eq!(told("destination_tag"), destination_tag, "{deposit:#}");
        assert_eq!(told("delivered_amount"), amount, "{deposit:#}");
        assert_eq!(told("internal"), false, "{deposit:#}");
    }
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    let unmatched = scene.metric(r#"deposits_total{matched="false"}"#).await;
    #[expect(clippy::cast_precision_loss, reason = "a metric is a float")]
    let all = expected.len() as f64;
    assert_eq!(unmatched, all);
    drop(daemon);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_comes_back_to_the_wallet_is_internal() {
    let scene = Scene::new("manual", "10000", "");
    let daemon = scene.start().await;
    let clerk = clerk(&scene);
    let (wallet, payer) = (Party::wallet(), Party::funded(&scene, "payer").await);

    let soon = soon(&scene, 2).await;
    let escrow = json!({"TransactionType": "EscrowCreate", "Destination": payer.address, "Amount": "8000000",
        "FinishAfter": soon, "CancelAfter": soon + 1, "DestinationTag": 5});
    wallet.does(&scene, escrow).await;
    let sequence = wallet.sequence(&scene).await - 1;
    for _ in 0..5 {
        scene.ledger.close().await;
    }
    let cancel =
        json!({"TransactionType": "EscrowCancel", "Owner": WALLET.0, "OfferSequence": sequence});
    let from_escrow = payer.does(&scene, cancel).await;

    let channel = json!({"TransactionType": "PaymentChannelCreate", "Destination": payer.address, "Amount": "20000000",
        "SettleDelay": 1, "PublicKey": "0330E7FC9D56BB25D6893BA3F317AE5BCF33B3291BD63DB32654A313222F7FD020"});
    wallet.does(&scene, channel).await;
    let channel = wallet.object(&scene, "payment_channel").await;
    let close =
        json!({"TransactionType": "PaymentChannelClaim", "Channel": channel, "Flags": CLOSE});
    let from_channel = payer.does(&scene, close).await;

    let found = deposits(&scene, &clerk).await;
    for (hash, kind, amount) in [
        (from_escrow, "EscrowCancel", "8"),
        (from_channel, "PaymentChannelClaim", "20"),
    ] {
        let deposit = &found[&hash];
        assert_eq!(deposit["transaction_type"], kind, "{deposit:#}");
        assert_eq!(deposit["delivered_amount"], xrp(amount), "{deposit:#}");
        assert_eq!(deposit["from"], WALLET.0, "{deposit:#}");
        assert_eq!(deposit["internal"], true, "{deposit:#}");
        assert_eq!(deposit["unmatched_reason"], json!(null), "{deposit:#}");
    }
    assert_eq!(found.len(), 2, "{found:#?}");
    let waiting = clerk.get("/v1/deposits?matched=false").await;
    assert_eq!(waiting["data"], json!([]));
    drop(daemon);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lying_server_changes_no_credit_and_what_no_server_tells_waits_for_a_person() {
    let scene = Scene::new("manual", "10000", "");
    let daemon = scene.start().await;
    let clerk = clerk(&scene);
    let payer = Party::funded(&scene, "payer").await;
    super::failover::all_ready(&scene).await;
    let pay = || json!({"TransactionType": "Payment", "Destination": WALLET.0, "Amount": "5000000", "DestinationTag": 9});

    let lie = json!({"kind": "lie_delivered", "account": WALLET.0, "amount": "9000000000"});
    scene.ledger.fault(0, &lie).await;
    let hash = payer.does(&scene, pay()).await;
    let found = deposits(&scene, &clerk).await;
    assert_eq!(found[&hash]["delivered_amount"], xrp("5"));
    scene.ledger.clear().await;

    let lie = json!({"kind": "lie_result", "account": WALLET.0, "result": "tecPATH_DRY"});
    scene.ledger.fault(1, &lie).await;
    let hash = payer.does(&scene, pay()).await;
    let found = deposits(&scene, &clerk).await;
    assert_eq!(found[&hash]["delivered_amount"], xrp("5"));
    scene.ledger.clear().await;

    let silence = json!({"kind": "lie_delivered", "account": WALLET.0, "amount": "unavailable"});
    scene.ledger.fault_all(&silence).await;
    let hash = payer.does(&scene, pay()).await;
    let found = deposits(&scene, &clerk).await;
    assert_eq!(found[&hash]["delivered_amount"], json!(null));
    assert_eq!(found[&hash]["unmatched_reason"], "amount_unknown");
    assert_eq!(found.len(), 3);
    drop(daemon);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_comes_while_the_daemon_is_away_is_booked_once_when_it_is_back() {
    let scene = Scene::new("manual", "10000", "");
    let mut daemon = scene.start().await;
    let clerk = clerk(&scene);
    let payer = Party::funded(&scene, "payer").await;
    let pay = || json!({"TransactionType": "Payment", "Destination": WALLET.0, "Amount": "1000000", "DestinationTag": 9});
    let mut hashes = Vec::new();
    for round in 0..3 {
        hashes.push(payer.does(&scene, pay()).await);
        if round % 2 == 0 {
            daemon.kill();
        } else {
            daemon.terminate(GRACE);
        }
        hashes.push(payer.does(&scene, pay()).await);
        daemon = scene.start().await;
    }
    hashes.push(payer.does(&scene, pay()).await);
    let found = deposits(&scene, &clerk).await;
    assert_eq!(found.len(), hashes.len());
    for hash in &hashes {
        assert_eq!(found[hash]["delivered_amount"], xrp("1"));
    }
    drop(daemon);
}
