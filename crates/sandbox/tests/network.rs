//! Several servers of one network: relay, races, what survives a restart, and the fee of a full ledger.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod wire;

use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::Write as _;
use wire::{Client, by_hand, fund, key, payment, signed};
use xrpayd_sandbox::{Network, NetworkConfig, StartError};

/// A file name of its own for each test.
fn state_file(name: &str) -> std::path::PathBuf {
    let path = std::env::temp_dir().join(format!("model-{}-{name}.log", std::process::id()));
    if path.exists() {
        std::fs::remove_file(&path).unwrap();
    }
    path
}

/// All the XRP of the accounts and all that was burned is all the XRP there is.
fn assert_no_xrp_is_lost(truth: &Value) {
    let drops = |value: &Value| value.as_str().unwrap().parse::<u128>().unwrap();
    let accounts = truth["accounts"].as_object().unwrap();
    let held: u128 = accounts
        .values()
        .filter_map(|a| a.get("balance"))
        .map(drops)
        .sum();
    let mut fees: BTreeMap<&str, u128> = BTreeMap::new();
    for row in accounts
        .values()
        .flat_map(|a| a["transactions"].as_array().unwrap())
    {
        fees.insert(row["hash"].as_str().unwrap(), drops(&row["fee"]));
    }
    let burned: u128 = fees.values().sum();
    assert_eq!(held + burned, 100_000_000_000_000_000);
    assert_eq!(drops(&truth["ledger"]["total_drops"]), held);
}

#[tokio::test]
async fn what_one_server_takes_the_others_know_and_validate() {
    let network = Network::start(by_hand(3)).await.unwrap();
    let (alice, bob) = (key(1), key(2));
    let sequence = fund(&network, &alice, 1_000);
    let mut first = Client::connect(network.addresses()[0]).await;
    let mut third = Client::connect(network.addresses()[2]).await;
    let blob = payment(&alice, &bob, sequence, 5_000_000);
    let taken = first.submit(&blob).await;
    assert_eq!(taken["engine_result"], "tesSUCCESS");
    let hash = taken["tx_json"]["hash"].clone();
    let lookup = json!({"command": "tx", "transaction": hash});
    assert_eq!(third.result(lookup.clone()).await["validated"], false);
    assert_eq!(third.engine_result(&blob).await, "tefPAST_SEQ");
    let _open = network.close_ledger();
    let seen = third.result(lookup).await;
    assert_eq!(
        (&seen["validated"], &seen["meta"]["delivered_amount"]),
        (&json!(true), &json!("5000000"))
    );
    assert_eq!(third.validated_account(&bob).await["Balance"], "5000000");
    assert_no_xrp_is_lost(&network.truth());
    network.stop().await;
}

#[tokio::test]
async fn of_two_blobs_on_one_sequence_exactly_one_is_validated() {
    let network = Network::start(by_hand(2)).await.unwrap();
    let (alice, bob, carol) = (key(1), key(2), key(3));
    let sequence = fund(&network, &alice, 1_000);
    let mut first = Client::connect(network.addresses()[0]).await;
    let mut second = Client::connect(network.addresses()[1]).await;
    assert_eq!(
        first
            .engine_result(&payment(&alice, &bob, sequence, 3_000_000))
            .await,
        "tesSUCCESS"
    );
    assert_eq!(
        second
            .engine_result(&payment(&alice, &carol, sequence, 3_000_000))
            .await,
        "tefPAST_SEQ"
    );
    let _open = network.close_ledger();
    let truth = network.truth();
    let paid = |who: &xrpayd_codec::keys::Keypair| {
        truth["accounts"]
            .get(who.account_id().to_string())
            .is_some()
    };
    assert!(paid(&bob) && !paid(&carol));
    assert_eq!(
        second.validated_account(&alice).await["Sequence"],
        sequence + 1
    );
    network.stop().await;
}

#[tokio::test]
async fn a_transaction_that_came_too_early_applies_when_its_predecessor_has() {
    let network = Network::start(by_hand(1)).await.unwrap();
    let (alice, bob) = (key(1), key(2));
    let sequence = fund(&network, &alice, 1_000);
    let mut client = Client::connect(network.addresses()[0]).await;
    for ahead in [3, 1, 2] {
        let early = payment(&alice, &bob, sequence + ahead, 2_000_000);
        assert_eq!(client.engine_result(&early).await, "terPRE_SEQ");
    }
    assert_eq!(
        client
            .engine_result(&payment(&alice, &bob, sequence, 2_000_000))
            .await,
        "tesSUCCESS"
    );
    let _open = network.close_ledger();
    assert_eq!(client.validated_account(&bob).await["Balance"], "8000000");
    network.stop().await;
}

#[tokio::test]
async fn a_held_transaction_is_forgotten_after_some_ledgers() {
    let network = Network::start(by_hand(1)).await.unwrap();
    let (alice, bob) = (key(1), key(2));
    let sequence = fund(&network, &alice, 1_000);
    let mut client = Client::connect(network.addresses()[0]).await;
    let late = payment(&alice, &bob, sequence + 1, 2_000_000);
    assert_eq!(client.engine_result(&late).await, "terPRE_SEQ");
    for _ in 0..8 {
        let _open = network.close_ledger();
    }
    assert_eq!(
        client
            .engine_result(&payment(&alice, &bob, sequence, 3_000_000))
            .await,
        "tesSUCCESS"
    );
    let _open = network.close_ledger();
    let _open = network.close_ledger();
    assert_eq!(client.validated_account(&bob).await["Balance"], "3000000");
    network.stop().await;
}

#[tokio::test]
async fn the_ledger_survives_a_restart_and_a_torn_last_record() {
    let path = state_file("restart");
    let config = || NetworkConfig {
        state: Some(path.clone()),
        ..by_hand(2)
    };
    let network = Network::start(config()).await.unwrap();
    let (alice, bob) = (key(1), key(2));
    let sequence = fund(&network, &alice, 1_000);
    let mut client = Client::connect(network.addresses()[1]).await;
    let tickets = signed(
        &alice,
        json!({"TransactionType": "TicketCreate", "TicketCount": 40, "Sequence": sequence}),
    );
    assert_eq!(client.engine_result(&tickets).await, "tesSUCCESS");
    let domain = json!({"TransactionType": "AccountSet", "Domain": "6578616D706C65", "SetFlag": 1, "Sequence": sequence + 41});
    assert_eq!(
        client.engine_result(&signed(&alice, domain)).await,
        "tesSUCCESS"
    );
    let list = json!({
        "TransactionType": "SignerListSet",
        "SignerQuorum": 1,
        "SignerEntries": [{"SignerEntry": {"Account": bob.account_id().to_string(), "SignerWeight": 1}}],
        "Sequence": sequence + 42,
    });
    assert_eq!(
        client.engine_result(&signed(&alice, list)).await,
        "tesSUCCESS"
    );
    let _open = network.close_ledger();
    let before = network.truth();
    let root = client.validated_account(&alice).await;
    // What a killed process leaves behind is what stands in the file at this moment.
    let killed = state_file("killed");
    std::fs::copy(&path, &killed).unwrap();
    network.stop().await;
    let left = NetworkConfig {
        state: Some(killed.clone()),
        ..by_hand(2)
    };
    let revived = Network::start(left).await.unwrap();
    assert_eq!(revived.truth(), before);
    revived.stop().await;
    std::fs::remove_file(&killed).unwrap();
    let mut file = std::fs::OpenOptions::new()
        .append(true)
        .open(&path)
        .unwrap();
    file.write_all(&[0, 0, 1, 0, 9, 9, 9, 9, 42]).unwrap();
    drop(file);
    for _ in 0..2 {
        let network = Network::start(config()).await.unwrap();
        assert_eq!(network.truth(), before);
        let mut client = Client::connect(network.addresses()[1]).await;
        assert_eq!(client.validated_account(&alice).await, root);
        let history = json!({"command": "account_tx", "account": alice.account_id().to_string()});
        assert_eq!(
            client.result(history).await["transactions"]
                .as_array()
                .unwrap()
                .len(),
            4
        );
        network.stop().await;
    }
    let other = NetworkConfig {
        network_id: 7,
        ..config()
    };
    assert!(matches!(
        Network::start(other).await,
        Err(StartError::BadState { .. })
    ));
    std::fs::write(&path, b"something else entirely").unwrap();
    assert!(matches!(
        Network::start(config()).await,
        Err(StartError::BadState { .. })
    ));
    std::fs::remove_file(&path).unwrap();
}

#[tokio::test]
async fn a_bounded_history_is_forgotten_and_its_log_made_small() {
    let path = state_file("retain");
    let config = || NetworkConfig {
        state: Some(path.clone()),
        retain_ledgers: Some(3),
        ..by_hand(1)
    };
    let network = Network::start(config()).await.unwrap();
    let (alice, bob) = (key(1), key(2));
    let sequence = fund(&network, &alice, 1_000);
    let mut client = Client::connect(network.addresses()[0]).await;
    for n in 0..20 {
        assert_eq!(
            client
                .engine_result(&payment(&alice, &bob, sequence + n, 1_000_000))
                .await,
            "tesSUCCESS"
        );
        let _open = network.close_ledger();
    }
    let history = json!({"command": "account_tx", "account": bob.account_id().to_string()});
    let kept = client.result(history.clone()).await;
    assert_eq!(kept["transactions"].as_array().unwrap().len(), 3);
    let root = client.validated_account(&bob).await;
    network.stop().await;
    let large = std::fs::metadata(&path).unwrap().len();
    let network = Network::start(config()).await.unwrap();
    let small = std::fs::metadata(&path).unwrap().len();
    assert!(small < large / 2, "{small} of {large} bytes");
    let mut client = Client::connect(network.addresses()[0]).await;
    assert_eq!(client.result(history).await, kept);
    assert_eq!(client.validated_account(&bob).await, root);
    assert_eq!(root["Balance"], "20000000");
    network.stop().await;
    std::fs::remove_file(&path).unwrap();
}

#[tokio::test]
async fn a_full_ledger_queues_and_refuses_as_a_real_server_did() {
    let config = NetworkConfig {
        ledger_capacity: Some(15),
        ..by_hand(1)
    };
    let network = Network::start(config).await.unwrap();
    let keys: Vec<_> = (1..=89).map(key).collect();
    let sink = key(200);
    let mut sequences = Vec::new();
    for batch in keys.chunks(10) {
        for key in batch {
            let drops = xrpayd_core::money::Drops::new(100_000_000).unwrap();
            assert!(network.fund(key.account_id(), drops));
        }
        let open = network.close_ledger();
        sequences.extend(batch.iter().map(|_| open - 1));
    }
    let mut client = Client::connect(network.addresses()[0]).await;
    let mut results: BTreeMap<String, u32> = BTreeMap::new();
    for (key, sequence) in keys.iter().zip(&sequences) {
        let result = client
            .submit(&payment(key, &sink, *sequence, 1_000_000))
            .await;
        *results
            .entry(result["engine_result"].as_str().unwrap().to_owned())
            .or_default() += 1;
    }
    let expected = [
        ("telCAN_NOT_QUEUE_FULL", 28),
        ("terQUEUED", 45),
        ("tesSUCCESS", 16),
    ];
    assert_eq!(
        results,
        expected
            .map(|(name, count)| (name.to_owned(), count))
            .into()
    );
    let fee = client.result(json!({"command": "fee"})).await;
    assert_eq!(fee["drops"]["open_ledger_fee"], "5689");
    assert_eq!(
        (&fee["current_queue_size"], &fee["max_queue_size"]),
        (&json!("45"), &json!("45"))
    );
    for _ in 0..8 {
        let _open = network.close_ledger();
    }
    for (key, sequence) in keys.iter().zip(&sequences) {
        assert_eq!(
            client.validated_account(key).await["Sequence"],
            sequence + 1
        );
    }
    assert_no_xrp_is_lost(&network.truth());
    network.stop().await;
}

#[tokio::test]
async fn a_replacement_in_the_queue_must_pay_more_than_a_quarter_more() {
    let config = NetworkConfig {
        ledger_capacity: Some(1),
        ..by_hand(1)
    };
    let network = Network::start(config).await.unwrap();
    let (alice, bob) = (key(1), key(2));
    let sequence = fund(&network, &alice, 1_000);
    let mut client = Client::connect(network.addresses()[0]).await;
    let pay = |sequence: u32, fee: &str| {
        let fields = json!({"TransactionType": "Payment", "Destination": bob.account_id().to_string(), "Amount": "2000000", "Sequence": sequence, "Fee": fee});
        signed(&alice, fields)
    };
    assert_eq!(
        client.engine_result(&pay(sequence, "10")).await,
        "tesSUCCESS"
    );
    assert_eq!(
        client.engine_result(&pay(sequence + 1, "10")).await,
        "tesSUCCESS"
    );
    assert_eq!(
        client.engine_result(&pay(sequence + 2, "20")).await,
        "terQUEUED"
    );
    assert_eq!(
        client.engine_result(&pay(sequence + 2, "25")).await,
        "telCAN_NOT_QUEUE_FEE"
    );
    assert_eq!(
        client.engine_result(&pay(sequence + 2, "26")).await,
        "terQUEUED"
    );
    let info = json!({"command": "account_info", "account": alice.account_id().to_string(), "ledger_index": "current", "queue": true});
    assert_eq!(client.result(info).await["queue_data"]["txn_count"], 1);
    let _open = network.close_ledger();
    let _open = network.close_ledger();
    let root = client.validated_account(&alice).await;
    assert_eq!(
        (&root["Sequence"], &root["Balance"]),
        (&json!(sequence + 3), &json!("993999954"))
    );
    network.stop().await;
}

#[tokio::test]
async fn an_auditor_reads_the_truth_of_one_account_in_pages() {
    let network = Network::start(by_hand(1)).await.unwrap();
    let (alice, bob) = (key(1), key(2));
    let sequence = fund(&network, &alice, 1_000);
    let mut client = Client::connect(network.addresses()[0]).await;
    for n in 0..4 {
        client
            .submit(&payment(&alice, &bob, sequence + n, 2_000_000))
            .await;
        let _open = network.close_ledger();
    }
    let bob = bob.account_id().to_string();
    let page = json!({"command": "sandbox_truth", "account": bob, "after_ledger": 5});
    let truth = client.result(page).await;
    assert_eq!(truth["ledger"]["ledger_index"], 7);
    let accounts = truth["accounts"].as_object().unwrap();
    assert_eq!(accounts.keys().collect::<Vec<_>>(), [&bob]);
    let rows = accounts[&bob]["transactions"].as_array().unwrap();
    let ledgers: Vec<u64> = rows
        .iter()
        .map(|row| row["ledger_index"].as_u64().unwrap())
        .collect();
    assert_eq!(ledgers, [6, 7]);
    assert_eq!(
        (&rows[0]["sequence"], &rows[0]["delivered"]),
        (&json!(sequence + 2), &json!("2000000"))
    );
    assert_eq!(accounts[&bob]["balance"], "8000000");
    let nobody = json!({"command": "sandbox_truth", "account": key(77).account_id().to_string()});
    let empty = client.result(nobody).await["accounts"].clone();
    assert_eq!(
        empty[key(77).account_id().to_string()],
        json!({"transactions": []})
    );
    network.stop().await;
}

#[tokio::test]
async fn an_auditor_who_asked_for_it_reads_what_was_submitted_to_which_server() {
    let network = Network::start(by_hand(2)).await.unwrap();
    let (alice, bob) = (key(1), key(2));
    let sequence = fund(&network, &alice, 1_000);
    let mut first = Client::connect(network.addresses()[0]).await;
    let mut second = Client::connect(network.addresses()[1]).await;
    first
        .submit(&payment(&alice, &bob, sequence, 1_000_000))
        .await;
    let record = |after: usize| json!({"command": "sandbox_submissions", "after": after});
    let begun = first.result(record(0)).await;
    assert_eq!(begun, json!({"arrivals": [], "kept": 0, "unkept": 0}));
    let known = payment(&alice, &bob, sequence, 1_000_000);
    let premature = payment(&alice, &bob, sequence + 7, 1_000_000);
    let sent = [second.submit(&known).await, first.submit(&premature).await];
    let told = first.result(record(0)).await;
    let arrivals = told["arrivals"].as_array().unwrap();
    let hashes: Vec<&Value> = sent.iter().map(|sent| &sent["tx_json"]["hash"]).collect();
    let noted: Vec<&Value> = arrivals.iter().map(|one| &one["hash"]).collect();
    assert_eq!(noted, hashes);
    let servers: Vec<&Value> = arrivals.iter().map(|one| &one["server"]).collect();
    assert_eq!(servers, [1, 0]);
    assert!(arrivals[0]["at_us"].as_u64() <= arrivals[1]["at_us"].as_u64());
    assert_eq!(arrivals[0]["account"], alice.account_id().to_string());
    let rest = first.result(record(1)).await;
    assert_eq!(rest["arrivals"], json!([arrivals[1]]));
    network.stop().await;
}

#[tokio::test]
async fn a_client_that_says_goodbye_hears_it_back() {
    use futures_util::{SinkExt as _, StreamExt as _};
    use tokio_tungstenite::tungstenite::Message;
    let network = Network::start(by_hand(1)).await.unwrap();
    let url = format!("ws://{}", network.addresses()[0]);
    let (mut socket, _) = tokio_tungstenite::connect_async(url).await.unwrap();
    socket.send(Message::Close(None)).await.unwrap();
    assert!(matches!(
        socket.next().await,
        Some(Ok(Message::Close(None)))
    ));
    network.stop().await;
}

#[tokio::test]
async fn a_server_that_stands_still_keeps_its_ledger_however_short_the_history() {
    let network = Network::start(NetworkConfig {
        retain_ledgers: Some(3),
        ..by_hand(2)
    })
    .await
    .unwrap();
    let (alice, bob) = (key(1), key(2));
    let sequence = fund(&network, &alice, 1_000);
    let stall = json!({"server": 0, "kind": "stall_ledger"});
    network.fault(&stall).unwrap();
    let mut stalled = Client::connect(network.addresses()[0]).await;
    let mut other = Client::connect(network.addresses()[1]).await;
    let paid = payment(&alice, &bob, sequence, 2_000_000);
    assert_eq!(other.engine_result(&paid).await, "tesSUCCESS");
    for _ in 0..20 {
        let _open = network.close_ledger();
    }
    assert_eq!(
        stalled.validated_account(&alice).await["Balance"],
        "1000000000"
    );
    let info = stalled.result(json!({"command": "server_info"})).await;
    assert_eq!(info["info"]["validated_ledger"]["seq"], sequence);
    network
        .fault(&json!({"server": 0, "kind": "clear"}))
        .unwrap();
    let _open = network.close_ledger();
    assert_eq!(
        stalled.validated_account(&alice).await["Balance"],
        "997999990"
    );
    let info = other.result(json!({"command": "server_info"})).await;
    let newest = info["info"]["validated_ledger"]["seq"].as_u64().unwrap();
    assert_eq!(
        info["info"]["complete_ledgers"],
        format!("{}-{newest}", newest - 2)
    );
    network.stop().await;
}
