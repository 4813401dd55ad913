//! `POST /v1/payments/validate`: every check at once, what is not known told as that, nothing created.

use super::bed::{Answer, Bed, Call, HOT, SHOP, get, order, post, post_payment, xrp};
use axum::http::{Method, StatusCode};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use xrpayd::http::state::{Auth, FeeOutlook, Outlook, SimulationRow};
use xrpayd_core::address::AccountId;
use xrpayd_core::ids::{LedgerHash, LedgerIndex};
use xrpayd_core::money::Drops;
use xrpayd_core::preflight::{Facts, Kind, Leave, Reading, Recipient};

const REQUIRE_DESTINATION_TAG: u32 = 0x0002_0000;
const DISALLOW_XRP: u32 = 0x0008_0000;
const DEPOSIT_AUTH: u32 = 0x0100_0000;

/// The failed checks of an answer, each with the field that it is about.
pub fn failures(answer: &Answer) -> Vec<(String, String)> {
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    let checks = answer.body["checks"].as_array().unwrap();
    let failed: Vec<(String, String)> = checks
        .iter()
        .filter(|check| check["status"] == "fail")
        .map(|check| {
            let text = |name: &str| check[name].as_str().unwrap_or_default().to_owned();
            (text("code"), text("pointer"))
        })
        .collect();
    assert_eq!(
        answer.body["valid"] == true,
        answer.body["verdict"] == "valid"
    );
    assert_eq!(!failed.is_empty(), answer.body["verdict"] == "invalid");
    failed
}

/// One check of an answer.
pub fn check<'a>(answer: &'a Answer, code: &str) -> &'a Value {
    let checks = answer.body["checks"].as_array().unwrap();
    let mut found = checks.iter().filter(|check| check["code"] == code);
    let first = found
        .next()
        .unwrap_or_else(|| panic!("no {code} in {checks:#?}"));
    assert!(found.next().is_none(), "{code} is there twice");
    assert!(
        first["detail"]
            .as_str()
            .is_some_and(|text| text.ends_with('.'))
    );
    first
}

fn of_status(answer: &Answer, status: &str) -> Vec<String> {
    let checks = answer.body["checks"].as_array().unwrap();
    let found = checks.iter().filter(|check| check["status"] == status);
    found
        .map(|check| check["code"].as_str().unwrap().to_owned())
        .collect()
}

fn facts(account: Option<Recipient>) -> Facts {
    Facts {
        reading: Reading {
            ledger_index: LedgerIndex(78),
            ledger_hash: LedgerHash([0xAB; 32]),
            servers: vec!["one".into(), "two".into()],
        },
        reserve_base: xrp("1"),
        account,
    }
}

fn account(flags: u32, leave: Leave) -> Option<Recipient> {
    Some(Recipient {
        balance: xrp("20"),
        flags,
        kind: Kind::Ordinary,
        leave,
    })
}

/// A bed whose ledger says this of the shop, and asks ten drops for a transaction.
async fn bed(said: Option<Recipient>) -> (Bed, String) {
    let bed = Bed::new().await;
    tell(&bed, said);
    bed.live.outlook.lock().unwrap().fee = FeeOutlook::Pays(Drops::new(10).unwrap());
    let token = bed.merchant().await;
    (bed, token)
}

fn tell(bed: &Bed, said: Option<Recipient>) {
    let shop: AccountId = SHOP.parse().unwrap();
    let known = BTreeMap::from([(shop, facts(said))]);
    *bed.live.accounts.lock().unwrap() = Ok(known);
}

async fn validate(bed: &Bed, token: &str, body: &Value) -> Answer {
    bed.send(post("/v1/payments/validate", token).json(body))
        .await
}

#[tokio::test]
async fn a_good_payment_passes_every_check_and_nothing_is_made() {
    let (bed, token) = bed(account(0, Leave::Unknown)).await;
    let answer = validate(&bed, &token, &order("2")).await;
    assert_eq!(failures(&answer), []);
    assert_eq!(answer.body["verdict"], "valid");
    let codes: Vec<&str> = answer.body["checks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|check| check["code"].as_str().unwrap())
        .collect();
    assert_eq!(
        codes,
        [
            "missing_field",
            "validation_failed",
            "destination_invalid",
            "currency_not_enabled",
            "destination_is_self",
            "client_not_in_stage",
            "amount_below_minimum",
            "amount_above_stage_limit",
            "daily_limit_exceeded",
            "too_many_pending",
            "paused",
            "insufficient_balance",
            "wallet_halted",
            "fee_above_cap",
            "destination_not_funded",
            "destination_tag_required",
            "destination_requires_authorization",
            "destination_disallows_xrp",
        ]
    );
    assert_eq!(
        answer.body["would"],
        json!({
            "wallet": "hot", "source": HOT, "destination": SHOP, "destination_tag": null,
            "amount": { "currency": "XRP", "value": "2" }, "fee_drops": "10", "stage": "internal",
            "awaiting_approval": false, "expires_at": null,
        })
    );
    assert_eq!(answer.body["object"], "payment_validation");
    assert_eq!(answer.body["simulation"], Value::Null);
    assert_eq!(answer.body["ledger_index"], 78);
    assert_eq!(answer.body["ledger_hash"], "AB".repeat(32));
    assert_eq!(answer.body["servers"], json!(["one", "two"]));
    let all = bed.send(get("/v1/payments", &token)).await;
    assert_eq!(all.body, json!({ "data": [], "next_cursor": null }));
    let wrong = Call::new(Method::GET, "/v1/payments/validate").token(&token);
    assert!(bed.send(wrong).await.status.is_client_error());
    bed.end().await;
}

#[tokio::test]
async fn what_nobody_could_be_asked_about_is_neither_a_yes_nor_an_error() {
    let bed = Bed::new().await;
    let token = bed.merchant().await;
    let answer = validate(&bed, &token, &order("2")).await;
    assert_eq!(failures(&answer), []);
    assert_eq!(answer.body["verdict"], "unknown");
    assert_eq!(answer.body["valid"], false);
    assert_eq!(
        of_status(&answer, "unknown"),
        [
            "fee_above_cap",
            "destination_not_funded",
            "destination_tag_required",
            "destination_requires_authorization",
            "destination_disallows_xrp",
        ]
    );
    let why = &check(&answer, "destination_not_funded")["detail"];
    assert_eq!(why, "Not known: the servers did not answer.");
    assert_eq!(answer.body["ledger_index"], Value::Null);
    assert_eq!(answer.body["servers"], json!([]));
    // Nor does it stand in the way of the payment itself.
    bed.pay(&token, "k", order("2")).await;
    bed.end().await;
}

#[tokio::test]
async fn each_word_of_the_ledger_against_a_destination_has_its_code() {
    let pool = Some(Recipient {
        kind: Kind::Pseudo,
        ..account(DEPOSIT_AUTH, Leave::Unknown).unwrap()
    });
    let cases = [
        (None, "0.5", None, Some("destination_not_funded")),
        (None, "1", None, None),
        (
            account(REQUIRE_DESTINATION_TAG, Leave::Unknown),
            "1",
            None,
            Some("destination_tag_required"),
        ),
        (
            account(REQUIRE_DESTINATION_TAG, Leave::Unknown),
            "1",
            Some(0),
            None,
        ),
        (
            account(DEPOSIT_AUTH, Leave::Withheld),
            "1",
            None,
            Some("destination_requires_authorization"),
        ),
        (account(DEPOSIT_AUTH, Leave::Given), "1", None, None),
        (pool, "1", None, Some("destination_requires_authorization")),
    ];
    let (bed, token) = bed(None).await;
    for (n, (said, value, tag, code)) in cases.into_iter().enumerate() {
        tell(&bed, said);
        let mut body = order(value);
        if let Some(tag) = tag {
            body["destination_tag"] = json!(tag);
        }
        let answer = validate(&bed, &token, &body).await;
        let failed: Vec<String> = failures(&answer)
            .into_iter()
            .map(|(code, _)| code)
            .collect();
        assert_eq!(failed, Vec::from_iter(code.map(str::to_owned)), "{body}");
        // What the newest ledger is known to refuse is not accepted either.
        let posted = bed
            .send(post_payment(&token, &format!("k{n}"), &body))
            .await;
        match code {
            Some(code) => assert_eq!(posted.refused(422, code).len(), 1),
            None => assert_eq!(posted.status, StatusCode::CREATED, "{}", posted.body),
        }
    }
    bed.end().await;
}

#[tokio::test]
async fn a_guarded_account_of_which_nobody_says_whom_it_authorised_is_unknown() {
    let (bed, token) = bed(account(DEPOSIT_AUTH, Leave::Unknown)).await;
    let answer = validate(&bed, &token, &order("2")).await;
    assert_eq!(answer.body["verdict"], "unknown");
    assert_eq!(
        of_status(&answer, "unknown"),
        ["destination_requires_authorization"]
    );
    assert_eq!(answer.body["ledger_index"], 78);
    bed.end().await;
}

#[tokio::test]
async fn what_is_only_worth_knowing_warns_and_does_not_refuse() {
    let (bed, token) = bed(account(DISALLOW_XRP, Leave::Unknown)).await;
    {
        let mut wallets = bed.live.wallets.lock().unwrap();
        wallets[0].halted = Some("somebody else uses the key".into());
        wallets[0].spendable = Some(xrp("1"));
    }
    *bed.live.outlook.lock().unwrap() = Outlook {
        fee: FeeOutlook::Waits {
            needed: Drops::new(9_999).unwrap(),
        },
        simulation: Some(SimulationRow {
            server: "one".into(),
            result: "tecUNFUNDED_PAYMENT".into(),
            ledger_index: LedgerIndex(79),
        }),
    };
    let answer = validate(&bed, &token, &order("2")).await;
    assert_eq!(failures(&answer), []);
    assert_eq!(answer.body["verdict"], "valid");
    assert_eq!(
        of_status(&answer, "warn"),
        [
            "insufficient_balance",
            "wallet_halted",
            "fee_above_cap",
            "destination_disallows_xrp",
            "simulation",
        ]
    );
    let tried = check(&answer, "simulation")["detail"].as_str().unwrap();
    assert!(tried.contains("tecUNFUNDED_PAYMENT"), "{tried}");
    assert_eq!(
        answer.body["simulation"],
        json!({ "engine_result": "tecUNFUNDED_PAYMENT", "ledger_index": 79, "server": "one" })
    );
    assert_eq!(answer.body["would"]["fee_drops"], Value::Null);
    bed.pay(&token, "k", order("2")).await;
    bed.end().await;
}

#[tokio::test]
async fn what_waits_in_the_queue_is_counted_before_the_payment() {
    let (bed, token) = bed(account(0, Leave::Unknown)).await;
    bed.live.wallets.lock().unwrap()[0].spendable = Some(xrp("150"));
    let status = |answer: &Answer| check(answer, "insufficient_balance")["status"].clone();
    let before = validate(&bed, &token, &order("100")).await;
    assert_eq!(status(&before), "pass");
    bed.pay(&token, "k", order("60")).await;
    let after = validate(&bed, &token, &order("100")).await;
    assert_eq!(status(&after), "warn");
    // To the drop, the fee included.
    let fits = validate(&bed, &token, &order("89.99999")).await;
    assert_eq!(status(&fits), "pass");
    let misses = validate(&bed, &token, &order("89.999991")).await;
    assert_eq!(status(&misses), "warn");
    bed.end().await;
}

#[tokio::test]
async fn everything_that_speaks_against_a_payment_is_told_at_once() {
    let close = |rules: &mut xrpayd::http::Rules| {
        rules.policy.allowed_clients = vec!["beta".to_owned()];
        rules.policy.caps.daily = xrp("50");
        rules.policy.caps.max_pending = 0;
    };
    let bed = Bed::with(close, Auth::Required).await;
    tell(
        &bed,
        account(REQUIRE_DESTINATION_TAG | DEPOSIT_AUTH, Leave::Withheld),
    );
    let token = bed.merchant().await;
    let mut body = order("501");
    body["invoice_id"] = json!("x");
    body["reference"] = json!("");
    let answer = validate(&bed, &token, &body).await;
    let codes: Vec<String> = failures(&answer)
        .into_iter()
        .map(|(code, _)| code)
        .collect();
    assert_eq!(
        codes,
        [
            "validation_failed",
            "validation_failed",
            "client_not_in_stage",
            "amount_above_stage_limit",
            "daily_limit_exceeded",
            "too_many_pending",
            "insufficient_balance",
            "destination_tag_required",
            "destination_requires_authorization",
        ]
    );
    assert_eq!(answer.body["would"], Value::Null);
    bed.end().await;
}

#[tokio::test]
async fn a_check_that_a_fault_leaves_nothing_to_look_at_is_unknown() {
    let (bed, token) = bed(account(0, Leave::Unknown)).await;
    let answer = validate(&bed, &token, &json!({ "destination": "nobody" })).await;
    let codes: Vec<String> = failures(&answer)
        .into_iter()
        .map(|(code, _)| code)
        .collect();
    assert_eq!(codes, ["missing_field", "destination_invalid"]);
    let unknown = of_status(&answer, "unknown");
    for code in [
        "destination_is_self",
        "amount_below_minimum",
        "daily_limit_exceeded",
        "insufficient_balance",
        "destination_not_funded",
        "destination_tag_required",
    ] {
        assert!(unknown.contains(&code.to_owned()), "{code}: {unknown:?}");
    }
    bed.end().await;
}

#[tokio::test]
async fn a_body_that_cannot_be_read_is_a_problem() {
    let (bed, token) = bed(None).await;
    let send = |body: &'static [u8]| {
        let call = post("/v1/payments/validate", &token);
        bed.send(call.header("content-type", "application/json").bytes(body))
    };
    send(b"{").await.refused(400, "malformed_json");
    send(b"{\"colour\":1}").await.refused(400, "unknown_field");
    send(b"{\"destination\":1}")
        .await
        .refused(400, "invalid_type");
    *bed.live.draining.lock().unwrap() = true;
    let late = validate(&bed, &token, &order("1")).await;
    late.refused(503, "shutting_down");
    bed.end().await;
}
