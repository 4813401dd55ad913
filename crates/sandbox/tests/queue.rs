//! A network of ledgers of fifteen and queues of forty-five under load, held against what was measured on
//! a real one of that size, and the faults that play a loaded server.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod wire;

use serde_json::{Value, json};
use wire::{Client, by_hand, key, signed};
use xrpayd_codec::keys::Keypair;
use xrpayd_core::money::Drops;
use xrpayd_sandbox::{FaultError, Network, NetworkConfig};

/// The accounts that fill an open ledger: one more than it is expected to hold.
const FILLERS: u8 = 16;

/// A loaded network: funded accounts with their next sequences.
struct Load {
    network: Network,
    sequences: Vec<u32>,
}

impl Load {
    async fn start(servers: usize, capacity: Option<u32>, accounts: u8) -> Self {
        let config = NetworkConfig {
            ledger_capacity: capacity,
            ..by_hand(servers)
        };
        let network = Network::start(config).await.unwrap();
        let mut sequences = Vec::new();
        let numbers: Vec<u8> = (1..=accounts).collect();
        for batch in numbers.chunks(10) {
            for number in batch {
                let drops = Drops::new(100_000_000).unwrap();
                assert!(network.fund(key(*number).account_id(), drops));
            }
            let funded_in = network.close_ledger() - 1;
            sequences.extend(batch.iter().map(|_| funded_in));
        }
        let _empty = network.close_ledger();
        Self { network, sequences }
    }

    fn sequence(&self, number: u8) -> u32 {
        self.sequences[usize::from(number) - 1]
    }

    async fn client(&self, server: usize) -> Client {
        Client::connect(self.network.addresses()[server]).await
    }

    /// Fills the open ledger until the price jumps.
    async fn fill(&self, client: &mut Client) {
        for number in 1..=FILLERS {
            let blob = pay(&key(number), self.sequence(number), 15, None);
            assert_eq!(client.engine_result(&blob).await, "tesSUCCESS");
        }
    }
}

/// A payment of a few drops to an account that exists.
fn pay(from: &Keypair, sequence: u32, fee: u64, last: Option<u64>) -> String {
    let to = if from.account_id() == key(1).account_id() {
        2
    } else {
        1
    };
    let mut fields = json!({
        "TransactionType": "Payment",
        "Destination": key(to).account_id().to_string(),
        "Amount": "7",
        "Sequence": sequence,
        "Fee": fee.to_string(),
    });
    if let Some(last) = last {
        fields["LastLedgerSequence"] = json!(last);
    }
    signed(from, fields)
}

async fn fee(client: &mut Client) -> Value {
    client.result(json!({"command": "fee"})).await
}

async fn queue_data(client: &mut Client, number: u8) -> Value {
    let account = key(number).account_id().to_string();
    let request = json!({"command": "account_info", "account": account, "ledger_index": "current", "queue": true});
    client.result(request).await["queue_data"].clone()
}

async fn open_index(client: &mut Client) -> u64 {
    fee(client).await["ledger_current_index"].as_u64().unwrap()
}

#[tokio::test]
async fn the_price_jumps_and_one_drop_decides_between_the_ledger_and_the_queue() {
    let load = Load::start(1, Some(15), 18).await;
    let mut client = load.client(0).await;
    let status = json!({"command": "subscribe", "streams": ["server"]});
    client.result(status).await;
    load.fill(&mut client).await;
    assert_eq!(
        client.next_news("serverStatus").await["load_factor"],
        256,
        "the first report is told in any case"
    );
    assert_eq!(
        client.next_news("serverStatus").await,
        json!({"base_fee": 10, "load_base": 256, "load_factor": 145_635, "load_factor_fee_escalation": 145_635, "load_factor_fee_queue": 256, "load_factor_fee_reference": 256, "load_factor_server": 256, "server_status": "full", "type": "serverStatus"})
    );
    let told = fee(&mut client).await;
    assert_eq!(told["drops"]["open_ledger_fee"], "5689");
    assert_eq!(told["drops"]["median_fee"], "5000");
    assert_eq!(
        (&told["expected_ledger_size"], &told["max_queue_size"]),
        (&json!("15"), &json!("45"))
    );
    let info = client.result(json!({"command": "server_info"})).await["info"].clone();
    assert_eq!(info["load_factor"].to_string(), "568.88671875");
    assert_eq!(info["load_factor_fee_escalation"], info["load_factor"]);
    assert_eq!(info["load_factor_server"], 1);
    let sequence = load.sequence(17);
    let queued = client.submit(&pay(&key(17), sequence, 5_688, None)).await;
    assert_eq!(queued["engine_result"], "terQUEUED");
    assert_eq!(queued["open_ledger_cost"], "5688");
    assert_eq!(
        (
            &queued["account_sequence_next"],
            &queued["account_sequence_available"]
        ),
        (&json!(sequence), &json!(sequence + 1))
    );
    let hash = queued["tx_json"]["hash"].clone();
    let lookup = json!({"command": "tx", "transaction": hash});
    assert_eq!(client.result(lookup).await["validated"], false);
    let paid = client
        .submit(&pay(&key(18), load.sequence(18), 5_689, None))
        .await;
    assert_eq!(
        (&paid["engine_result"], &paid["open_ledger_cost"]),
        (&json!("tesSUCCESS"), &json!("6422"))
    );
    load.network.stop().await;
}

#[tokio::test]
async fn the_queue_takes_ten_of_an_account_that_last_long_enough() {
    let load = Load::start(1, Some(15), 20).await;
    let mut client = load.client(0).await;
    load.fill(&mut client).await;
    let open = open_index(&mut client).await;
    let (patient, hasty) = (load.sequence(17), load.sequence(18));
    for ahead in 0..10 {
        let blob = pay(&key(17), patient + ahead, 15, None);
        assert_eq!(client.engine_result(&blob).await, "terQUEUED");
    }
    let eleventh = client.submit(&pay(&key(17), patient + 10, 15, None)).await;
    assert_eq!(eleventh["engine_result"], "telCAN_NOT_QUEUE_FULL");
    assert_eq!(
        (&eleventh["kept"], &eleventh["broadcast"]),
        (&json!(true), &json!(false))
    );
    let short = pay(&key(18), hasty, 15, Some(open + 1));
    assert_eq!(client.engine_result(&short).await, "telCAN_NOT_QUEUE");
    let long = pay(&key(18), hasty, 15, Some(open + 2));
    assert_eq!(client.engine_result(&long).await, "terQUEUED");
    let gap = pay(&key(18), hasty + 2, 15, None);
    assert_eq!(client.engine_result(&gap).await, "telCAN_NOT_QUEUE");
    let alone = pay(&key(19), load.sequence(19) + 2, 15, None);
    assert_eq!(client.engine_result(&alone).await, "terPRE_SEQ");
    let hard = json!({"command": "submit", "tx_blob": pay(&key(20), load.sequence(20), 15, None), "fail_hard": true});
    let refused = client.result(hard).await;
    assert_eq!(
        (&refused["engine_result"], &refused["kept"]),
        (&json!("telCAN_NOT_QUEUE"), &json!(false))
    );
    let data = queue_data(&mut client, 18).await;
    assert_eq!(
        data,
        json!({
            "auth_change_queued": false, "highest_sequence": hasty, "lowest_sequence": hasty,
            "max_spend_drops_total": "22", "sequence_count": 1, "txn_count": 1,
            "transactions": [{"LastLedgerSequence": open + 2, "auth_change": false, "fee": "15", "fee_level": "384", "max_spend_drops": "22", "seq": hasty}],
        })
    );
    assert_eq!(queue_data(&mut client, 1).await, json!({"txn_count": 0}));
    load.network.stop().await;
}

#[tokio::test]
async fn a_change_of_keys_blocks_and_is_blocked() {
    let load = Load::start(1, Some(15), 18).await;
    let mut client = load.client(0).await;
    load.fill(&mut client).await;
    let change = |number: u8, sequence: u32| {
        let fields = json!({"TransactionType": "SetRegularKey", "RegularKey": key(99).account_id().to_string(), "Sequence": sequence, "Fee": "15"});
        signed(&key(number), fields)
    };
    let first = load.sequence(17);
    let queued = pay(&key(17), first, 15, None);
    assert_eq!(client.engine_result(&queued).await, "terQUEUED");
    assert_eq!(
        client.engine_result(&change(17, first + 1)).await,
        "telCAN_NOT_QUEUE_BLOCKS"
    );
    // The first change of a key may be free, and so pays its way into any ledger; this one is not.
    let fields = json!({"TransactionType": "AccountSet", "SetFlag": 5, "Sequence": load.sequence(18), "Fee": "15"});
    let blocker = signed(&key(18), fields);
    assert_eq!(client.engine_result(&blocker).await, "terQUEUED");
    let behind = pay(&key(18), load.sequence(18) + 1, 15, None);
    assert_eq!(
        client.engine_result(&behind).await,
        "telCAN_NOT_QUEUE_BLOCKED"
    );
    let data = queue_data(&mut client, 18).await;
    assert_eq!(data["auth_change_queued"], true);
    load.network.stop().await;
}

#[tokio::test]
async fn a_replacement_pays_more_than_a_quarter_more_on_every_server() {
    let load = Load::start(3, Some(15), 17).await;
    let (mut first, mut third) = (load.client(0).await, load.client(2).await);
    load.fill(&mut first).await;
    let sequence = load.sequence(17);
    let mut results = Vec::new();
    results.push(
        first
            .engine_result(&pay(&key(17), sequence, 20, None))
            .await,
    );
    for fee in [25, 26] {
        results.push(
            third
                .engine_result(&pay(&key(17), sequence, fee, None))
                .await,
        );
    }
    for fee in [26, 20, 40] {
        results.push(
            first
                .engine_result(&pay(&key(17), sequence, fee, None))
                .await,
        );
    }
    assert_eq!(
        results,
        [
            "terQUEUED",
            "telCAN_NOT_QUEUE_FEE",
            "terQUEUED",
            "telCAN_NOT_QUEUE_FEE",
            "telCAN_NOT_QUEUE_FEE",
            "terQUEUED"
        ]
    );
    for client in [&mut first, &mut third] {
        let data = queue_data(client, 17).await;
        assert_eq!(data["transactions"][0]["fee_level"], "1024");
        assert_eq!(data["max_spend_drops_total"], "47");
    }
    assert_eq!(
        first
            .engine_result(&pay(&key(17), sequence, 5_689, None))
            .await,
        "tesSUCCESS",
        "what pays the open price takes the place of what waits"
    );
    assert_eq!(queue_data(&mut first, 17).await["txn_count"], 0);
    load.network.stop().await;
}

#[tokio::test]
async fn an_expired_head_leaves_a_hole_that_stops_those_behind_until_it_is_filled() {
    let load = Load::start(1, Some(15), 60).await;
    let mut client = load.client(0).await;
    load.fill(&mut client).await;
    let open = open_index(&mut client).await;
    let hole = load.sequence(17);
    let head = pay(&key(17), hole, 15, Some(open + 2));
    assert_eq!(client.engine_result(&head).await, "terQUEUED");
    for ahead in 1..=2 {
        let behind = pay(&key(17), hole + ahead, 20, Some(open + 40));
        assert_eq!(client.engine_result(&behind).await, "terQUEUED");
    }
    // Dearer ones keep the ledgers full until the head has expired.
    for number in 18..=57 {
        let dear = pay(&key(number), load.sequence(number), 200, None);
        assert_eq!(client.engine_result(&dear).await, "terQUEUED");
    }
    for _ in 0..3 {
        let _open = load.network.close_ledger();
    }
    let data = queue_data(&mut client, 17).await;
    assert_eq!(
        (&data["lowest_sequence"], &data["txn_count"]),
        (&json!(hole + 1), &json!(2))
    );
    for _ in 0..3 {
        let _open = load.network.close_ledger();
    }
    let empty = fee(&mut client).await;
    assert_eq!(
        (&empty["current_ledger_size"], &empty["current_queue_size"]),
        (&json!("0"), &json!("2")),
        "those behind the hole are stuck though the ledger is empty"
    );
    let further = client.submit(&pay(&key(17), hole + 3, 250, None)).await;
    assert_eq!(further["engine_result"], "telCAN_NOT_QUEUE");
    assert_eq!(further["account_sequence_available"], hole);
    let filled = client.submit(&pay(&key(17), hole, 12, None)).await;
    assert_eq!(filled["engine_result"], "tesSUCCESS");
    assert_eq!(
        (
            &filled["account_sequence_next"],
            &filled["account_sequence_available"]
        ),
        (&json!(hole + 1), &json!(hole + 3))
    );
    let _open = load.network.close_ledger();
    assert_eq!(
        client.validated_account(&key(17)).await["Sequence"],
        hole + 1
    );
    let _open = load.network.close_ledger();
    assert_eq!(
        client.validated_account(&key(17)).await["Sequence"],
        hole + 4,
        "freed one ledger later, with the one that was kept"
    );
    load.network.stop().await;
}

#[tokio::test]
async fn higher_fees_push_out_the_lowest_and_are_served_first() {
    let load = Load::start(1, Some(15), 75).await;
    let mut client = load.client(0).await;
    load.fill(&mut client).await;
    for number in 17..=61 {
        let cheap = pay(&key(number), load.sequence(number), 15, None);
        assert_eq!(client.engine_result(&cheap).await, "terQUEUED");
    }
    let full = fee(&mut client).await;
    assert_eq!(
        (
            &full["levels"]["minimum_level"],
            &full["drops"]["minimum_fee"]
        ),
        (&json!("385"), &json!("15"))
    );
    let same = pay(&key(62), load.sequence(62), 15, None);
    assert_eq!(client.engine_result(&same).await, "telCAN_NOT_QUEUE_FULL");
    for number in 63..=72 {
        let dear = pay(&key(number), load.sequence(number), 200, None);
        assert_eq!(client.engine_result(&dear).await, "terQUEUED");
    }
    let mut left = 0;
    for number in 17..=61 {
        left += queue_data(&mut client, number).await["txn_count"]
            .as_u64()
            .unwrap();
    }
    assert_eq!(left, 35, "each of the ten pushed one out");
    let _open = load.network.close_ledger();
    let _open = load.network.close_ledger();
    for number in 63..=72 {
        assert_eq!(
            client.validated_account(&key(number)).await["Sequence"],
            load.sequence(number) + 1,
            "the dear ones are in the next ledger"
        );
    }
    load.network.stop().await;
}

#[tokio::test]
async fn one_that_pays_for_all_before_it_takes_them_along_into_the_ledger() {
    let load = Load::start(1, Some(15), 17).await;
    let mut client = load.client(0).await;
    load.fill(&mut client).await;
    let first = load.sequence(17);
    for ahead in 0..3 {
        let blob = pay(&key(17), first + ahead, 15, None);
        assert_eq!(client.engine_result(&blob).await, "terQUEUED");
    }
    let payer = client.submit(&pay(&key(17), first + 3, 28_445, None)).await;
    assert_eq!(
        (&payer["engine_result"], &payer["open_ledger_cost"]),
        (&json!("tesSUCCESS"), &json!("8888"))
    );
    assert_eq!(payer["account_sequence_next"], first + 4);
    assert_eq!(queue_data(&mut client, 17).await["txn_count"], 0);
    load.network.stop().await;
}

#[tokio::test]
async fn a_spike_of_the_fee_queues_or_refuses_what_pays_too_little() {
    let load = Load::start(2, None, 3).await;
    let (mut spiked, mut other) = (load.client(0).await, load.client(1).await);
    load.network
        .fault(&json!({"server": 0, "kind": "fee_spike", "multiplier": 50}))
        .unwrap();
    let info = spiked.result(json!({"command": "server_info"})).await["info"].clone();
    assert_eq!(info["load_factor"], 50);
    assert_eq!(fee(&mut spiked).await["drops"]["open_ledger_fee"], "500");
    assert_eq!(fee(&mut other).await["drops"]["open_ledger_fee"], "10");
    let cheap = spiked
        .submit(&pay(&key(1), load.sequence(1), 10, None))
        .await;
    assert_eq!(
        (&cheap["engine_result"], &cheap["open_ledger_cost"]),
        (&json!("terQUEUED"), &json!("500"))
    );
    let dear = pay(&key(2), load.sequence(2), 500, None);
    assert_eq!(spiked.engine_result(&dear).await, "tesSUCCESS");
    load.network
        .fault(&json!({"server": 0, "kind": "fee_spike", "load_factor": 7}))
        .unwrap();
    let info = spiked.result(json!({"command": "server_info"})).await["info"].clone();
    assert_eq!(
        (&info["load_factor"], &info["load_factor_local"]),
        (&json!(7), &json!(7))
    );
    let third = load.sequence(3);
    assert_eq!(
        spiked.engine_result(&pay(&key(3), third, 69, None)).await,
        "telINSUF_FEE_P"
    );
    assert_eq!(
        spiked.engine_result(&pay(&key(3), third, 70, None)).await,
        "tesSUCCESS"
    );
    load.network
        .fault(&json!({"server": 0, "kind": "clear"}))
        .unwrap();
    let after = pay(&key(3), third + 1, 10, None);
    assert_eq!(spiked.engine_result(&after).await, "tesSUCCESS");
    let zero = load
        .network
        .fault(&json!({"kind": "fee_spike", "multiplier": 0}));
    assert_eq!(zero, Err(FaultError::BadParameter("multiplier")));
    load.network.stop().await;
}

#[tokio::test]
async fn a_full_queue_refuses_what_does_not_pay_the_open_price() {
    let load = Load::start(1, None, 2).await;
    let mut client = load.client(0).await;
    load.network.fault(&json!({"kind": "queue_full"})).unwrap();
    let told = fee(&mut client).await;
    assert_eq!(told["current_queue_size"], told["max_queue_size"]);
    let price = told["drops"]["open_ledger_fee"].as_str().unwrap();
    let price: u64 = price.parse().unwrap();
    assert!(price > 5_000, "{price}");
    let cheap = pay(&key(1), load.sequence(1), price - 1, None);
    assert_eq!(client.engine_result(&cheap).await, "telCAN_NOT_QUEUE_FULL");
    let enough = pay(&key(2), load.sequence(2), price, None);
    assert_eq!(client.engine_result(&enough).await, "tesSUCCESS");
    load.network
        .fault(&json!({"kind": "queue_full", "on": false}))
        .unwrap();
    let _open = load.network.close_ledger();
    let _open = load.network.close_ledger();
    assert_eq!(
        client.validated_account(&key(1)).await["Sequence"],
        load.sequence(1) + 1,
        "the refused one was kept and validated without a second submission"
    );
    load.network.stop().await;
}
