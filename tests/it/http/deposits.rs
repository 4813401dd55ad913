//! `/v1/deposits`: what came in, for who may see it.

use super::bed::{Bed, HOT, START, get};
use crate::support::held::Held as _;
use axum::http::StatusCode;
use serde_json::{Value, json};
use xrpayd::store::{JournalCommit, LaneCommit};
use xrpayd_core::address::AccountId;
use xrpayd_core::amount::{Amount, Asset};
use xrpayd_core::deposit::{Counted, Credit};
use xrpayd_core::ids::{LedgerHash, LedgerIndex, TxHash};
use xrpayd_core::journal::Cursor;
use xrpayd_core::money::Drops;

const PAYER: AccountId = AccountId([2; 20]);

pub(super) fn credit(place: u8, amount: Counted, tag: Option<u32>) -> Credit {
    Credit {
        hash: TxHash([place; 32]),
        ledger_index: LedgerIndex(101),
        tx_index: u32::from(place),
        closed_at: START,
        transaction_type: "Payment".to_owned(),
        from: Some(PAYER),
        source_tag: Some(5),
        destination_tag: tag,
        amount,
        is_return: false,
    }
}

/// The wallet's journal holds these credits.
pub(super) async fn book(bed: &Bed, credits: Vec<Credit>) {
    let cursor = |at| Cursor {
        start: LedgerIndex(101),
        at: LedgerIndex(at),
        at_hash: LedgerHash([1; 32]),
        next_sequence: 5,
        balance: Drops::ZERO,
        owner_count: 0,
    };
    let account = HOT.parse().unwrap();
    let start = cursor(100);
    let anchored = bed
        .store
        .anchor_held("hot", account, 0, &start, None, START);
    anchored.await.unwrap();
    let commit = LaneCommit {
        journal: Some(JournalCommit {
            from: LedgerIndex(101),
            cursor: cursor(110),
            entries: Vec::new(),
            remembered: Vec::new(),
            tickets: Vec::new(),
            sign_from: None,
            credits,
            closed_at: None,
        }),
        ..LaneCommit::new("hot", START)
    };
    bed.store.commit_held(&commit).await.unwrap();
}

pub(super) fn xrp(text: &str) -> Counted {
    Counted::Exact(Asset::Xrp.amount(text).unwrap())
}

#[tokio::test]
async fn a_deposit_is_shown_as_the_contract_says() {
    let bed = Bed::new().await;
    book(&bed, vec![credit(1, xrp("12.5"), Some(0))]).await;
    let token = bed.key("shop", &["invoices:read"]).await;
    let list = bed.send(get("/v1/deposits", &token)).await;
    assert_eq!(list.status, StatusCode::OK, "{}", list.body);
    assert_eq!(list.body["next_cursor"], json!(null));
    let deposit = &list.body["data"][0];
    let id = deposit["id"].as_str().unwrap();
    assert!(id.starts_with("dep_"));
    let expected = json!({
        "id": id, "object": "deposit", "wallet": "hot", "address": HOT, "tx_hash": "01".repeat(32),
        "ledger_index": 101, "closed_at": "2027-01-15T08:00:00.000Z", "transaction_type": "Payment",
        "from": PAYER.to_string(), "source_tag": 5, "destination_tag": 0,
        "delivered_amount": {"currency": "XRP", "value": "12.5"}, "internal": false, "is_return": false,
        "invoice_id": null, "unmatched_reason": "unknown_tag", "returned_by": null, "version": 1,
        "assigned_by": null, "return": null,
        "created_at": "2027-01-15T08:00:00.000Z",
    });
    assert_eq!(*deposit, expected);
    let one = bed.send(get(&format!("/v1/deposits/{id}"), &token)).await;
    assert_eq!(one.body, expected);
    bed.end().await;
}

#[tokio::test]
async fn amounts_of_every_asset_are_shown_and_what_nobody_tells_is_null() {
    let bed = Bed::new().await;
    let usd: Asset = format!("USD.{HOT}").parse().unwrap();
    let mpt: Asset = "07".repeat(24).parse().unwrap();
    let amounts: Vec<Counted> = vec![
        Counted::Exact(usd.amount("0.000001").unwrap()),
        Counted::Exact(mpt.amount("9").unwrap()),
        Counted::Unknown(Some(Asset::Xrp)),
        Counted::Unknown(None),
    ];
    let credits = (1..)
        .zip(amounts)
        .map(|(place, amount)| credit(place, amount, Some(7)));
    book(&bed, credits.collect()).await;
    let token = bed.key("shop", &["invoices:read"]).await;
    let list = bed.send(get("/v1/deposits?matched=false", &token)).await;
    let shown: Vec<&Value> = list.body["data"].as_array().unwrap().iter().collect();
    let amounts: Vec<&Value> = shown
        .iter()
        .rev()
        .map(|row| &row["delivered_amount"])
        .collect();
    assert_eq!(
        *amounts[0],
        json!({"currency": "USD", "issuer": HOT, "value": "0.000001"})
    );
    assert_eq!(
        *amounts[1],
        json!({"mpt_issuance_id": "07".repeat(24), "value": "9"})
    );
    assert_eq!((amounts[2], amounts[3]), (&json!(null), &json!(null)));
    assert_eq!(shown[0]["unmatched_reason"], "amount_unknown");
    bed.end().await;
}

#[tokio::test]
async fn deposits_need_their_scope_and_what_is_not_there_is_404() {
    let bed = Bed::new().await;
    let amount = Counted::Exact(Amount::Xrp(Drops::MAX));
    book(&bed, vec![credit(1, amount, None)]).await;
    let merchant = bed.merchant().await;
    for path in [
        "/v1/deposits",
        "/v1/deposits/dep_00000000000000000000000000",
    ] {
        bed.send(get(path, &merchant))
            .await
            .refused(403, "scope_missing");
    }
    let reader = bed.key("shop", &["invoices:read"]).await;
    for id in ["dep_00000000000000000000000000", "dep_", "pay_1", "%00"] {
        let answer = bed.send(get(&format!("/v1/deposits/{id}"), &reader)).await;
        answer.refused(404, "deposit_not_found");
    }
    let admin = bed.key("root", &["admin"]).await;
    let list = bed.send(get("/v1/deposits", &admin)).await;
    assert_eq!(list.body["data"].as_array().unwrap().len(), 1);
    bed.end().await;
}

#[tokio::test]
async fn a_query_that_cannot_be_used_names_its_parameter() {
    let bed = Bed::new().await;
    let token = bed.key("shop", &["invoices:read"]).await;
    for (query, name) in [
        ("matched=maybe", "matched"),
        ("wallet=%07", "wallet"),
        ("invoice_id=dep_1", "invoice_id"),
        ("from=me", "from"),
        ("tx_hash=12", "tx_hash"),
        ("destination_tag=-1", "destination_tag"),
        ("created_after=yesterday", "created_after"),
        ("cursor=pay_1", "cursor"),
        ("limit=201", "limit"),
        ("colour=red", "colour"),
    ] {
        let answer = bed
            .send(get(&format!("/v1/deposits?{query}"), &token))
            .await;
        assert_eq!(
            answer.refused(400, "invalid_query"),
            [format!("/query/{name}")]
        );
    }
    bed.end().await;
}

#[tokio::test]
async fn pages_hold_every_deposit_once() {
    let bed = Bed::new().await;
    let credits = (1..=23)
        .map(|place| credit(place, xrp("1"), Some(7)))
        .collect();
    book(&bed, credits).await;
    let token = bed.key("shop", &["invoices:read"]).await;
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let path = format!("/v1/deposits?limit=5&destination_tag=7{cursor}");
        let page = bed.send(get(&path, &token)).await.body;
        let rows = page["data"].as_array().unwrap().iter();
        seen.extend(rows.map(|row| row["tx_hash"].as_str().unwrap().to_owned()));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    let expected: Vec<String> = (1..=23)
        .rev()
        .map(|n| format!("{n:02X}").repeat(32))
        .collect();
    assert_eq!(seen, expected);
    bed.end().await;
}
