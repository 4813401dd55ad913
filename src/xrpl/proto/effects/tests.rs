//! What real servers said, read and credited: their transcripts, and single transactions of the public
//! network with what each of them is known to have brought.

use crate::xrpl::proto::account_tx::{Item, Subject};
use crate::xrpl::proto::recorded;
use flate2::read::GzDecoder;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;
use xrpayd_core::address::AccountId;
use xrpayd_core::amount::Amount;
use xrpayd_core::deposit::{Counted, Credit, credits_of};
use xrpayd_core::ids::UnixMs;
use xrpayd_core::journal::{ASSETS_MAX, Delivered, Effects, Entry};
use xrpayd_core::money::Drops;

fn entry(item: &Value, account: AccountId) -> Result<Entry, &'static str> {
    let text = item.to_string();
    let item: Item<'_> = serde_json::from_str(&text).unwrap();
    item.entry(&Subject::new(account)).map(Entry::from)
}

/// The balance before by the metadata, or the one after where they show no change.
fn before(entry: &Entry) -> Drops {
    let after = entry.root_after.map_or(Drops::ZERO, |root| root.balance);
    let effects = entry.effects.clone().unwrap_or_default();
    effects.balance_before.unwrap_or(after)
}

fn credits(item: &Value, account: &str) -> Vec<Credit> {
    let account = account.parse().unwrap();
    let entry = entry(item, account).unwrap();
    credits_of(account, before(&entry), &entry, UnixMs(0))
}

/// The transactions of the public network, by name.
fn examples() -> BTreeMap<String, Value> {
    let packed = &include_bytes!("../../../../tests/data/credits.jsonl.gz")[..];
    let mut text = String::new();
    GzDecoder::new(packed).read_to_string(&mut text).unwrap();
    let items = text.lines().map(|line| {
        let item: Value = serde_json::from_str(line).unwrap();
        (item["name"].as_str().unwrap().to_owned(), item)
    });
    items.collect()
}

#[test]
fn what_real_transactions_brought_is_credited_exactly() {
    const MERCHANT: &str = "rLDYrujdKUfVx28T9vRDAbyJ7G2WVXKo4K";
    const GATEWAY: &str = "rMwjYedjc7qqtKYVLiAccJSmCwih4LnE2q";
    let expected: &[(&str, &str, &[&str])] = &[
        (
            "token",
            MERCHANT,
            &["0.01 USD.rMwjYedjc7qqtKYVLiAccJSmCwih4LnE2q"],
        ),
        ("token", GATEWAY, &[]),
        (
            "token_no_balance",
            MERCHANT,
            &["0.01 USD.rMwjYedjc7qqtKYVLiAccJSmCwih4LnE2q"],
        ),
        // Asked for of the receiver's own issue, paid in what it takes of others.
        (
            "token_multipath",
            "rnYDWQaRdMb5neCGgvFfhw3MBoxmv5LtfH",
            &[
                "100 USD.rJsaPnGdeo7BhMnHjuc3n44Mf7Ra1qkSVJ",
                "100 USD.rrnsYgWn13Z28GtRgznrSUsLfMkvsXCZSu",
                "100 USD.rGpeQzUWFu4fMhJHZ1Via5aqFC3A5twZUD",
            ],
        ),
        (
            "any_issuer",
            "rMH4UxPrbuMa1spCBR98hLLyNJp4d8p4tM",
            &["0.001 USD.rpZc4mVfWUif9CRoHRKKcmhu1nx2xktxBo"],
        ),
        (
            "any_issuer",
            "r9tGqzZgKxVFvzKFdUqXAqTzazWBUia8Qr",
            &["1.101198 XRP"],
        ),
        // Its own tokens came home.
        ("token_redeem", "rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTh", &[]),
        ("xrp_creates", MERCHANT, &["100 XRP"]),
        // A line that came with a balance.
        (
            "trust_line",
            MERCHANT,
            &["10 USD.rMwjYedjc7qqtKYVLiAccJSmCwih4LnE2q"],
        ),
        // A billion XRP were asked for.
        (
            "partial_xrp",
            "rPT1Sjq2YGrBMTttX4GZHjKu9dyfzbpAYe",
            &["0.004456 XRP"],
        ),
        (
            "partial_token",
            "rNNuQMuExCiEjeZ4h9JJnj5PSWypdMXDj4",
            &["9.980039920159681 USD.rvYAfWj5gh67oV6fW32ZzP3Aw4Eubs59B"],
        ),
        // Two XRP by its word, and none of them in the balance.
        (
            "contradiction",
            "rNNuQMuExCiEjeZ4h9JJnj5PSWypdMXDj4",
            &[
                "? XRP",
                "9.980039920159681 USD.rvYAfWj5gh67oV6fW32ZzP3Aw4Eubs59B",
            ],
        ),
        ("tec", "r4PowrZ7KZw83oWDYxzY82ht2kgDmFUpB7", &[]),
        // Offers of theirs were taken.
        (
            "cross_currency_payment",
            "r9KG7Du7aFmABzMvDnwuvPaEoMu4Eurwok",
            &["0.055098 XRP"],
        ),
        (
            "cross_currency_payment",
            "rBndiPPKs9k5rjBb7HsEiqXKrz8AfUnqWq",
            &["2.733597 XRP"],
        ),
        (
            "cross_currency_payment",
            "rd5Sx93pCMgfxwBuofjen2csoFYmY8VrT",
            &["0.99800399201 USD.rhub8VRN55s94qWKDv6jmDy1pUykJzF3wq"],
        ),
    ];
    let examples = examples();
    for (name, account, amounts) in expected {
        let found = credits(&examples[*name], account);
        let told: BTreeSet<String> = found.iter().map(|credit| told(&credit.amount)).collect();
        let amounts: BTreeSet<String> = amounts.iter().map(|text| (*text).to_owned()).collect();
        assert_eq!(told, amounts, "{name} {account}");
    }
    let partial = credits(
        &examples["partial_xrp"],
        "rPT1Sjq2YGrBMTttX4GZHjKu9dyfzbpAYe",
    );
    let payer = "rrvV6w5Jho4RYpcdH8x1subhYzK89DZDW".parse().ok();
    assert_eq!(partial[0].from, payer);
}

fn told(amount: &Counted) -> String {
    match amount {
        Counted::Exact(amount) => amount.to_string(),
        Counted::Unknown(Some(asset)) => format!("? {asset}"),
        Counted::Unknown(None) => "?".to_owned(),
    }
}

/// Every validated transaction in the transcripts, as a page would tell it.
fn recorded_items() -> Vec<Value> {
    let mut items = Vec::new();
    for (request, message) in recorded::frames() {
        let asked = |name: &str| request.as_ref().map(|request| request[name].clone());
        // Asked for by its ledger, a transaction is told without what it delivered.
        if asked("command").is_some_and(|command| command == "transaction_entry") {
            continue;
        }
        let is_v2 = asked("api_version").is_some_and(|version| version == 2);
        let of_page = message["result"]["transactions"]
            .as_array()
            .filter(|_| is_v2);
        let single = [&message["result"], &message].map(std::slice::from_ref);
        let all = of_page.map(Vec::as_slice).into_iter().chain(single);
        for item in all.flatten() {
            let whole = ["hash", "ledger_hash", "ledger_index", "tx_json", "meta"];
            let has_all = whole.iter().all(|name| !item[*name].is_null());
            if has_all && item["validated"] == true && item["meta"].is_object() {
                items.push(item.clone());
            }
        }
    }
    items
}

/// The accounts whose roots a transaction changed and left standing.
fn touched(item: &Value) -> BTreeSet<String> {
    let nodes = item["meta"]["AffectedNodes"].as_array().unwrap().iter();
    let roots = nodes.filter_map(|node| {
        let (kind, node) = node.as_object()?.iter().next()?;
        let fields = if kind == "CreatedNode" {
            "NewFields"
        } else {
            "FinalFields"
        };
        let is_root = node["LedgerEntryType"] == "AccountRoot" && kind != "DeletedNode";
        node[fields]["Account"].as_str().filter(|_| is_root)
    });
    roots.map(str::to_owned).collect()
}

#[test]
fn in_every_recorded_transaction_credits_less_debits_are_the_change_of_the_balance() {
    let (mut paid, mut seen) = (0_u32, 0_u32);
    for item in recorded_items() {
        for account in touched(&item) {
            let account: AccountId = account.parse().unwrap();
            let entry = entry(&item, account).unwrap();
            let (before, after) = (before(&entry), entry.root_after.unwrap().balance);
            let found = credits_of(account, before, &entry, UnixMs(0));
            let credited: u64 = found
                .iter()
                .filter_map(|credit| credit.amount.exact()?.drops())
                .map(Drops::get)
                .sum();
            assert!(
                found.iter().all(|credit| credit.amount.exact().is_some()),
                "{item}"
            );
            if entry.sender == account && entry.transaction_type == "Payment" {
                assert_eq!(found, []);
            } else {
                let fee = if entry.sender == account {
                    entry.fee.get()
                } else {
                    0
                };
                assert_eq!(
                    before.get() + credited,
                    (after.get() + fee).max(before.get()),
                    "{item}"
                );
            }
            if let Delivered::Xrp(delivered) = entry.delivered
                && entry.destination == Some(account)
                && entry.sender != account
            {
                paid += 1;
                assert_eq!(found.len(), 1);
                assert_eq!(found[0].amount, Counted::Exact(Amount::Xrp(delivered)));
            }
            seen += 1;
        }
    }
    assert!(paid >= 20 && seen >= 100, "{paid} of {seen}");
}

const OURS: &str = "rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTh";
const THEIRS: &str = "rrvV6w5Jho4RYpcdH8x1subhYzK89DZDW";
const ISSUANCE: &str = "000000016A0DD0F3C8A9C95C8C0C5AB11D1B2E65E0E6E111";

fn item(kind: &str, nodes: Value) -> Value {
    json!({
        "validated": true, "hash": "A".repeat(64), "ledger_hash": "B".repeat(64), "ledger_index": 7,
        "tx_json": {"Account": THEIRS, "TransactionType": kind, "Sequence": 1, "Fee": "10"},
        "meta": {"TransactionIndex": 0, "TransactionResult": "tesSUCCESS", "AffectedNodes": nodes},
    })
}

fn effects(kind: &str, nodes: Value) -> Effects {
    let read = entry(&item(kind, nodes), OURS.parse().unwrap());
    read.unwrap().effects.unwrap()
}

fn mptoken(kind: &str, fields: Value, previous: Option<Value>) -> Value {
    let name = if kind == "CreatedNode" {
        "NewFields"
    } else {
        "FinalFields"
    };
    let mut node = json!({"LedgerEntryType": "MPToken", "LedgerIndex": "C".repeat(64), name: {
        "Account": OURS, "MPTokenIssuanceID": ISSUANCE}});
    for (name_of, value) in fields.as_object().unwrap() {
        node[name][name_of] = value.clone();
    }
    if let Some(previous) = previous {
        node["PreviousFields"] = previous;
    }
    json!([{ kind: node }])
}

#[test]
fn a_holding_is_read_by_the_rule_that_nothing_is_not_kept() {
    let amount = |text: &str| json!({ "MPTAmount": text });
    let cases = [
        (
            mptoken("ModifiedNode", amount("15"), Some(amount("10"))),
            Some((Some(10), 15)),
        ),
        (
            mptoken("ModifiedNode", amount("15"), Some(json!({}))),
            Some((Some(0), 15)),
        ),
        (
            mptoken("ModifiedNode", json!({}), Some(amount("10"))),
            Some((Some(10), 0)),
        ),
        (mptoken("ModifiedNode", amount("15"), None), None),
        (
            mptoken("ModifiedNode", amount("15"), Some(json!({"Flags": 0}))),
            None,
        ),
        (
            mptoken(
                "ModifiedNode",
                amount("15"),
                Some(json!({"LockedAmount": "4"})),
            ),
            Some((None, 15)),
        ),
        (mptoken("CreatedNode", json!({}), None), None),
        (
            mptoken("CreatedNode", amount("15"), None),
            Some((Some(0), 15)),
        ),
        (
            mptoken("DeletedNode", json!({}), Some(amount("10"))),
            Some((Some(10), 0)),
        ),
    ];
    for (nodes, expected) in cases {
        let read = effects("Payment", nodes.clone()).mpts;
        let read = read
            .first()
            .map(|change| (change.before.map(|units| units.get()), change.after.get()));
        assert_eq!(read, expected, "{nodes}");
    }
    let malformed = item(
        "Payment",
        mptoken("ModifiedNode", amount("-1"), Some(json!({}))),
    );
    assert!(entry(&malformed, OURS.parse().unwrap()).is_err());
}

fn line_node(n: u8, ours_is_low: bool, before: &str, after: &str) -> Value {
    let other = AccountId([n; 20]).to_string();
    let (low, high) = if ours_is_low {
        (OURS, other.as_str())
    } else {
        (other.as_str(), OURS)
    };
    let limit = |issuer: &str| json!({"currency": "USD", "issuer": issuer, "value": "100"});
    let balance = |value: &str| json!({"currency": "USD", "issuer": "rrrrrrrrrrrrrrrrrrrrBZbvji", "value": value});
    json!({"ModifiedNode": {"LedgerEntryType": "RippleState", "LedgerIndex": "C".repeat(64),
        "FinalFields": {"Balance": balance(after), "LowLimit": limit(low), "HighLimit": limit(high)},
        "PreviousFields": {"Balance": balance(before)}}})
}

#[test]
fn a_line_is_read_from_our_side_and_what_is_not_ours_is_not_read() {
    let node = |ours_is_low| line_node(9, ours_is_low, "-3", "2");
    let low = effects("Payment", json!([node(true)])).lines;
    let high = effects("Payment", json!([node(false)])).lines;
    let values = |lines: &[xrpayd_core::journal::LineChange]| {
        let [line] = lines else { panic!("{lines:?}") };
        (line.before.to_string(), line.after.to_string())
    };
    assert_eq!(values(&low), ("-3".to_owned(), "2".to_owned()));
    assert_eq!(values(&high), ("3".to_owned(), "-2".to_owned()));
    let mut others = node(true);
    others["ModifiedNode"]["FinalFields"]["LowLimit"]["issuer"] = THEIRS.into();
    assert_eq!(effects("Payment", json!([others])), Effects::default());
    let mut malformed = node(true);
    malformed["ModifiedNode"]["FinalFields"]["Balance"]["value"] = "much".into();
    let malformed = item("Payment", json!([malformed]));
    assert!(entry(&malformed, OURS.parse().unwrap()).is_err());
}

#[test]
fn what_is_kept_of_a_transaction_is_small_whatever_a_server_sends() {
    let nodes: Vec<Value> = (1..60)
        .rev()
        .map(|n| line_node(n, true, "1", "2"))
        .collect();
    let read = effects("Payment", Value::Array(nodes));
    assert_eq!(read.lines.len(), ASSETS_MAX);
    assert!(read.more);
    assert!(read.lines.is_sorted_by_key(|line| line.counterparty));
}

#[test]
fn an_object_that_was_drawn_on_names_who_paid() {
    let escrow = json!([{"DeletedNode": {"LedgerEntryType": "Escrow", "LedgerIndex": "C".repeat(64), "FinalFields": {
        "Account": THEIRS, "Destination": OURS, "Amount": "5", "DestinationTag": 8, "SourceTag": 9}}}]);
    let drawn = effects("EscrowFinish", escrow.clone()).drawn.unwrap();
    assert_eq!(drawn.owner.to_string(), THEIRS);
    assert_eq!(drawn.destination.to_string(), OURS);
    assert_eq!(
        (drawn.destination_tag, drawn.source_tag),
        (Some(8), Some(9))
    );
    assert_eq!(effects("Payment", escrow).drawn, None);
}

#[test]
fn a_return_is_marked_by_a_memo_and_by_nothing_that_only_contains_it() {
    let marked = |memo_type: &str| {
        let mut item = item("Payment", json!([]));
        item["tx_json"]["Memos"] = json!([{"Memo": {"MemoType": hex::encode_upper(memo_type)}}]);
        entry(&item, OURS.parse().unwrap())
            .unwrap()
            .effects
            .unwrap()
            .is_return
    };
    assert!(marked("xrpayd/return"));
    assert!(!marked("xrpayd/return2"));
    assert!(!marked("xrpayd/marker"));
}
