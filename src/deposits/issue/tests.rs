use super::*;
use crate::clock::SeededEntropy;
use serde_json::{Value, json};
use std::collections::BTreeSet;

const HOT: &str = "rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTh";
const SHOP: &str = "rPT1Sjq2YGrBMTttX4GZHjKu9dyfzbpAYe";

fn policy() -> Policy {
    let account = |text: &str| text.parse::<AccountId>().unwrap();
    Policy {
        wallets: [
            ("hot".to_owned(), account(HOT)),
            ("till".to_owned(), account(SHOP)),
        ]
        .into(),
        wallet: Some("till".to_owned()),
        assets: vec![format!("USD.{HOT}").parse().unwrap()],
        expires_in: Duration::from_secs(60),
        tag_quarantine: Duration::from_secs(100),
    }
}

fn reading(change: impl FnOnce(&mut Value)) -> Result<Reading, Vec<FieldError>> {
    let mut body = json!({ "amount": { "currency": "XRP", "value": "1" } });
    change(&mut body);
    read(&serde_json::from_value(body).unwrap())
}

fn placed(reading: &Reading, policy: &Policy) -> Result<Invoice, Vec<FieldError>> {
    let issuing = Issuing {
        id: InvoiceId(1),
        client: "shop",
        tip: Some(LedgerIndex(9)),
        now: UnixMs(1_000),
    };
    place(reading, policy, &issuing)
}

fn pointers(faults: Result<impl std::fmt::Debug, Vec<FieldError>>) -> Vec<String> {
    let faults = faults.unwrap_err();
    faults.into_iter().map(|fault| fault.pointer).collect()
}

#[test]
fn every_fault_is_told_at_once() {
    let faults = reading(|body| {
        *body = json!({
            "amount": { "currency": "XRP", "value": "0" },
            "reference": "",
            "expires_in": 0,
            "tolerance_bps": 10_000,
        });
    });
    let expected = [
        "/amount/value",
        "/reference",
        "/expires_in",
        "/tolerance_bps",
    ];
    assert_eq!(pointers(faults), expected);
    assert_eq!(pointers(reading(|body| *body = json!({}))), ["/amount"]);
}

#[test]
fn tokens_need_their_issuer_and_issuances_stand_alone() {
    for (amount, pointer) in [
        (json!({ "currency": "USD", "value": "1" }), "/amount/issuer"),
        (
            json!({ "currency": "USD", "issuer": "r", "value": "1" }),
            "/amount/issuer",
        ),
        (
            json!({ "currency": "USD", "issuer": HOT, "value": "-1" }),
            "/amount/value",
        ),
        (
            json!({ "currency": "XRP", "issuer": HOT, "value": "1" }),
            "/amount/issuer",
        ),
        (
            json!({ "mpt_issuance_id": "07".repeat(24) }),
            "/amount/value",
        ),
        (
            json!({ "mpt_issuance_id": "07".repeat(24), "value": "1.5" }),
            "/amount/value",
        ),
        (
            json!({ "mpt_issuance_id": "07", "value": "1" }),
            "/amount/mpt_issuance_id",
        ),
    ] {
        let read = reading(|body| body["amount"] = amount.clone());
        assert_eq!(pointers(read), [pointer], "{amount}");
    }
    let named = |currency: &str| {
        let amount = json!({ "currency": currency, "issuer": HOT, "value": "1" });
        reading(|body| body["amount"] = amount).unwrap().amount
    };
    assert_eq!(named("RLUSD"), named(xrpayd_core::currency::RLUSD));
}

#[test]
fn what_means_the_same_has_the_same_fingerprint() {
    let print = |change: fn(&mut Value)| reading(change).unwrap().fingerprint;
    let plain = print(|_| {});
    assert_eq!(plain, print(|body| body["amount"]["value"] = json!("1.00")));
    assert_eq!(plain, print(|body| body["tolerance_bps"] = json!(0)));
    for other in [
        print(|body| body["amount"]["value"] = json!("2")),
        print(|body| body["wallet"] = json!("till")),
        print(|body| body["reference"] = json!("a")),
        print(|body| body["metadata"] = json!({ "a": "b" })),
        print(|body| body["expires_in"] = json!(60)),
        print(|body| body["tolerance_bps"] = json!(1)),
    ] {
        assert_ne!(plain, other);
    }
}

#[test]
fn the_named_wallet_is_paid_or_the_set_one_or_the_only_one() {
    let unnamed = reading(|_| {}).unwrap();
    let named = reading(|body| body["wallet"] = json!("hot")).unwrap();
    let several = policy();
    assert_eq!(placed(&unnamed, &several).unwrap().wallet, "till");
    assert_eq!(placed(&named, &several).unwrap().wallet, "hot");
    let unset = Policy {
        wallet: None,
        ..policy()
    };
    assert_eq!(pointers(placed(&unnamed, &unset)), ["/wallet"]);
    let mut only = unset;
    only.wallets.remove("till");
    assert_eq!(placed(&unnamed, &only).unwrap().wallet, "hot");
    let stranger = reading(|body| body["wallet"] = json!("cold")).unwrap();
    assert_eq!(pointers(placed(&stranger, &only)), ["/wallet"]);
}

#[test]
fn only_what_is_listed_is_taken_and_never_what_the_wallet_itself_issues() {
    let in_asset = |issuer: &str| {
        let amount = json!({ "currency": "USD", "issuer": issuer, "value": "5" });
        reading(|body| body["amount"] = amount).unwrap()
    };
    let invoice = placed(&in_asset(HOT), &policy()).unwrap();
    assert_eq!(invoice.amount.value(), "5");
    assert_eq!(
        pointers(placed(&in_asset(SHOP), &policy())),
        ["/amount/currency", "/amount"]
    );
    let issuer_is_paid = Policy {
        wallet: Some("hot".to_owned()),
        ..policy()
    };
    let refused = placed(&in_asset(HOT), &issuer_is_paid).unwrap_err();
    assert_eq!(refused[0].fault, Fault::CurrencyNotEnabled);
}

#[test]
fn an_invoice_ends_as_asked_or_as_configured() {
    let configured = placed(&reading(|_| {}).unwrap(), &policy()).unwrap();
    assert_eq!(configured.expires_at, UnixMs(61_000));
    let asked = reading(|body| body["expires_in"] = json!(5)).unwrap();
    assert_eq!(placed(&asked, &policy()).unwrap().expires_at, UnixMs(6_000));
    assert_eq!(rested_since(&policy(), UnixMs(150_000)), UnixMs(50_000));
}

#[test]
fn tags_are_drawn_from_everywhere_and_are_never_nought() {
    let entropy = SeededEntropy::new(7);
    let mut drawn: BTreeSet<u32> = BTreeSet::new();
    for _ in 0..64 {
        let tags = draw_tags(&entropy);
        assert_eq!(tags.len(), TAGS_DRAWN);
        drawn.extend(tags);
    }
    assert_eq!(drawn.len(), 64 * TAGS_DRAWN, "no two alike");
    assert!(!drawn.contains(&0));
    for quarter in 0..4_u32 {
        let from = quarter << 30;
        let held = drawn.range(from..=from | 0x3FFF_FFFF).count();
        assert!(held > 64 * TAGS_DRAWN / 8, "{held} in quarter {quarter}");
    }
}
