use super::*;

fn xrp(text: &str) -> Drops {
    Drops::from_xrp(text).unwrap()
}

fn well() -> Facts {
    Facts {
        xrpl: XrplFacts {
            servers_ready: 3,
            servers_configured: 3,
            quorum: 2,
            latency_ms: Some(12),
            validated_ledger: Some(LedgerIndex(90)),
            ledger_age_s: Some(3),
        },
        wallets: vec![WalletFacts {
            balance: Some(xrp("100")),
            spendable: Some(xrp("98.5")),
            low_balance: xrp("50"),
            halted: Halted::No,
            foreign: 0,
            age_s: None,
            is_stale: false,
            waits: Vec::new(),
        }],
        payments: Some(PaymentFacts {
            pending: 2,
            oldest_age_s: Some(4),
        }),
        pause: PauseFact::Nothing,
        store: StoreFact::Writable,
        books: Some(BooksFacts {
            through: LedgerIndex(89),
            differences: 0,
        }),
        webhooks: Some(WebhookFacts {
            oldest_undelivered_s: Some(900),
        }),
        lease_held: None,
        leases: Vec::new(),
        stalled: None,
        draining: Draining::No,
        thresholds: Thresholds::default(),
    }
}

fn status_of(change: impl FnOnce(&mut Facts)) -> Status {
    let mut facts = well();
    change(&mut facts);
    examine(&facts, Audience::Operator, String::new()).status
}

#[test]
fn all_is_well_only_while_nothing_is_wrong() {
    assert_eq!(status_of(|_| {}), Status::Healthy);
}

#[test]
fn what_a_restart_does_not_cure_is_degraded() {
    let degraded: [fn(&mut Facts); 15] = [
        |facts| facts.wallets[0].is_stale = true,
        |facts| facts.wallets[0].waits = vec!["hot: 1 servers hold ledger 7".to_owned()],
        |facts| {
            facts.webhooks = Some(WebhookFacts {
                oldest_undelivered_s: Some(901),
            })
        },
        |facts| {
            facts.books = Some(BooksFacts {
                through: LedgerIndex(89),
                differences: 1,
            })
        },
        |facts| facts.wallets[0].balance = Some(xrp("49.999999")),
        |facts| facts.wallets[0].balance = None,
        |facts| facts.wallets[0].halted = Halted::Yes,
        |facts| facts.wallets.clear(),
        |facts| {
            facts.payments = Some(PaymentFacts {
                pending: 1,
                oldest_age_s: Some(301),
            })
        },
        |facts| facts.payments = None,
        |facts| facts.pause = PauseFact::Unreadable,
        |facts| facts.xrpl.servers_ready = 1,
        |facts| facts.xrpl.ledger_age_s = Some(31),
        |facts| facts.xrpl.ledger_age_s = None,
        |facts| facts.draining = Draining::Yes,
    ];
    for (n, change) in degraded.into_iter().enumerate() {
        assert_eq!(status_of(change), Status::Degraded, "case {n}");
    }
    let at_the_threshold = |facts: &mut Facts| {
        facts.payments = Some(PaymentFacts {
            pending: 1,
            oldest_age_s: Some(300),
        });
    };
    assert_eq!(status_of(at_the_threshold), Status::Healthy);
    let paused_for_long = |facts: &mut Facts| {
        facts.pause = PauseFact::Something;
        facts.payments = Some(PaymentFacts {
            pending: 1,
            oldest_age_s: Some(3_000),
        });
    };
    assert_eq!(status_of(paused_for_long), Status::Healthy);
}

#[test]
fn only_a_store_that_is_down_and_a_process_that_stands_still_are_unhealthy() {
    assert_eq!(
        status_of(|facts| facts.store = StoreFact::Down),
        Status::Unhealthy
    );
    assert_eq!(
        status_of(|facts| facts.store = StoreFact::LimitsDiffer),
        Status::Degraded
    );
    assert_eq!(
        status_of(|facts| facts.store = StoreFact::Split),
        Status::Degraded
    );
    let stalled = |facts: &mut Facts| facts.stalled = Some("the journal reader".to_owned());
    assert_eq!(status_of(stalled), Status::Unhealthy);
    let all_servers_gone = |facts: &mut Facts| facts.xrpl.servers_ready = 0;
    assert_eq!(status_of(all_servers_gone), Status::Degraded);
}

#[test]
fn readiness_is_the_power_to_accept_durably() {
    assert_eq!(ready(StoreFact::Writable, Draining::No), Ok(()));
    assert_eq!(ready(StoreFact::Split, Draining::No), Ok(()));
    assert!(ready(StoreFact::Down, Draining::No).is_err());
    assert!(ready(StoreFact::Writable, Draining::Yes).is_err());
    assert!(live(Some("the engine")).is_err());
    assert!(live(None).is_ok());
}

#[test]
fn the_document_has_the_contracts_fields_and_a_stranger_sees_no_balance() {
    let at = "2026-01-31T12:00:00.000Z".to_owned();
    let document = examine(&well(), Audience::Operator, at.clone());
    let json = serde_json::to_value(&document).unwrap();
    assert_eq!(
        json,
        serde_json::json!({
            "status": "healthy",
            "timestamp": at,
            "checks": {
                "xrpl": {
                    "status": "healthy", "servers_ready": 3, "servers_configured": 3, "quorum": 2,
                    "latency_ms": 12, "validated_ledger": 90, "ledger_age_s": 3,
                },
                "wallet": {
                    "status": "healthy", "balance_xrp": "100", "spendable_xrp": "98.5", "halted": 0, "foreign_unaccepted": 0,
                    "unseen": 0, "view_age_s": null,
                },
                "journal": { "status": "healthy", "waiting": 0 },
                "payments": { "status": "healthy", "pending": 2, "oldest_age_s": 4, "paused": false },
                "store": { "status": "healthy" },
                "books": { "status": "healthy", "checked_through": 89, "differences": 0 },
                "webhooks": { "status": "healthy", "oldest_undelivered_s": 900 },
                "process": { "status": "healthy" },
            },
        })
    );
    let mut facts = well();
    facts.wallets[0].waits = vec!["hot: nobody holds ledger 7".to_owned()];
    let document = examine(&facts, Audience::Stranger, String::new());
    let json = serde_json::to_value(&document).unwrap();
    let wallet = &json["checks"]["wallet"];
    assert!(wallet["balance_xrp"].is_null() && wallet["spendable_xrp"].is_null());
    let journal = &json["checks"]["journal"];
    assert_eq!(
        *journal,
        serde_json::json!({ "status": "degraded", "waiting": 1 })
    );
    let document = examine(&facts, Audience::Operator, String::new());
    let json = serde_json::to_value(&document).unwrap();
    let detail = &json["checks"]["journal"]["detail"];
    assert_eq!(*detail, serde_json::json!(["hot: nobody holds ledger 7"]));
}

#[test]
fn what_is_worth_a_look_is_for_the_operator_to_say() {
    type Found = (Alert, fn(&mut Facts));
    let found: [Found; 6] = [
        (Alert::Latency, |facts| facts.xrpl.latency_ms = Some(2_001)),
        (Alert::LedgerAge, |facts| facts.xrpl.ledger_age_s = Some(31)),
        (Alert::OldestPayment, |facts| {
            facts.payments = Some(PaymentFacts {
                pending: 1,
                oldest_age_s: Some(301),
            });
        }),
        (Alert::LowBalance, |facts| {
            facts.wallets[0].balance = Some(xrp("49.999999"));
        }),
        (Alert::Books, |facts| {
            facts.books = Some(BooksFacts {
                through: LedgerIndex(1),
                differences: 1,
            });
        }),
        (Alert::Webhooks, |facts| {
            facts.webhooks = Some(WebhookFacts {
                oldest_undelivered_s: Some(901),
            });
        }),
    ];
    for (alert, find) in found {
        assert_eq!(status_of(find), Status::Degraded, "{alert:?}");
        let without = status_of(|facts| {
            find(facts);
            facts.thresholds.alerts.retain(|other| *other != alert);
        });
        assert_eq!(without, Status::Healthy, "{alert:?}");
    }
    // What it is, is shown all the same, and from where on it counts can be moved.
    let patient = status_of(|facts| {
        facts.xrpl.latency_ms = Some(3_000);
        facts.thresholds.latency_ms_max = 3_000;
        facts.payments = Some(PaymentFacts {
            pending: 1,
            oldest_age_s: Some(600),
        });
        facts.thresholds.oldest_age_s_max = 600;
    });
    assert_eq!(patient, Status::Healthy);
    // That it cannot pay, or that nobody answers, is always worth a look.
    let halted = status_of(|facts| {
        facts.wallets[0].halted = Halted::Yes;
        facts.thresholds.alerts.clear();
    });
    assert_eq!(halted, Status::Degraded);
}
