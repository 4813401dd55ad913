//! What is noted, with the change itself; and that what a payment goes through by itself is not.

use super::{OPERATOR, length};
use crate::store::approval::{approval, rejection, rule};
use crate::store::bed::*;
use crate::store::paybacks::{assignment, created, paid, refund_of, return_of, unmatched};
use crate::store::webhooks::endpoint;
use crate::support::held::Held as _;
use serde_json::{Value, json};
use xrpayd::store::webhooks::EndpointChange;
use xrpayd::store::{Actor, AuditEntry, AuditFilter, AuditFrom, LaneCommit, Store};
use xrpayd_core::payment::ApprovalRule;

/// What was noted since `after`, which moves on.
async fn since(store: &Store, after: &mut i64) -> Vec<AuditEntry> {
    let from = AuditFrom::After(*after);
    let page = store
        .audit_entries(&AuditFilter::default(), from, 100)
        .await
        .unwrap();
    *after = page.items.last().map_or(*after, |last| last.sequence);
    page.items
}

/// The one thing that was noted since.
async fn one(store: &Store, after: &mut i64) -> AuditEntry {
    let mut found = since(store, after).await;
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}

fn is(entry: &AuditEntry, action: &str, subject: &str, actor: &Actor) {
    let found = (entry.action.as_str(), entry.subject.as_str(), &entry.actor);
    assert_eq!(found, (action, subject, actor));
}

fn person(id: &str, client: &str) -> Actor {
    Actor::Key {
        id: id.to_owned(),
        client: client.to_owned(),
    }
}

fn has(entry: &AuditEntry, pointer: &str, value: Value) {
    assert_eq!(
        entry.data.pointer(pointer),
        Some(&value),
        "{pointer} of {}",
        entry.data
    );
}

on_both_stores! {
    async fn accepting_signing_and_settling_leave_the_log_alone(bed) {
        let store = anchored(bed).await;
        let before = length(bed).await;
        for n in 0..5_u32 {
            let payment = accepted(&store, request(&format!("key {n}"), "1", T0)).await;
            delivered(&store, &payment, 20 + n, T0).await;
        }
        unmatched(&store, 101).await;
        assert_eq!(length(bed).await, before);
    }

    async fn what_a_person_says_of_a_payment_is_noted_with_what_it_changed(bed) {
        let store = anchored(bed).await;
        let mut seen = 0;
        since(&store, &mut seen).await;
        for (n, (event, action, after)) in [
            (approval("second", 1), "payment.approved", "processing"),
            (rejection("second", 1), "payment.rejected", "rejected"),
        ].into_iter().enumerate() {
            let mut new = request(&format!("key {n}"), "7", T0);
            new.approval = Some(ApprovalRule { threshold: xrp("1"), expires_in_ms: 1_000 });
            let payment = accepted(&store, new).await;
            rule(&store, payment.id, "second", event.clone()).await;
            let entry = one(&store, &mut seen).await;
            is(&entry, action, &payment.id.to_string(), &person("second", "house"));
            has(&entry, "/status", json!({ "before": "awaiting_approval", "after": after }));
            has(&entry, "/amount", json!({ "currency": "XRP", "value": "7" }));
            let reason = if action == "payment.rejected" { json!("twice the usual") } else { Value::Null };
            has(&entry, "/reason", reason);
            rule(&store, payment.id, "second", event).await;
            assert_eq!(since(&store, &mut seen).await, [], "said again it changes nothing");
        }
        let payment = accepted(&store, request("another", "1", T0)).await;
        cancel(&store, payment.id, Some("stranger"), T0).await;
        assert_eq!(since(&store, &mut seen).await, []);
        cancel(&store, payment.id, Some(CLIENT), T0).await;
        let entry = one(&store, &mut seen).await;
        is(&entry, "payment.cancelled", &payment.id.to_string(), &person("maker", "house"));
    }

    async fn what_is_given_back_or_assigned_is_noted(bed) {
        let store = anchored(bed).await;
        let deposit = unmatched(&store, 101).await;
        let mut seen = 0;
        since(&store, &mut seen).await;
        let asked = return_of(&deposit, "10");
        let payment = created(&store, &asked).await;
        let entry = one(&store, &mut seen).await;
        is(&entry, "deposit.return_requested", &deposit.id.to_string(), &person("maker", CLIENT));
        has(&entry, "/payment_id", json!(payment.id.to_string()));
        has(&entry, "/reason", json!("a reason"));
        store.pay_back(&asked).await.unwrap();
        store.pay_back(&return_of(&deposit, "9")).await.unwrap();
        assert_eq!(since(&store, &mut seen).await, [], "asked again, and refused");

        let invoice = paid(&store, 102, 7, "10").await;
        created(&store, &refund_of(invoice, "4")).await;
        let entry = one(&store, &mut seen).await;
        is(&entry, "invoice.refund_requested", &invoice.to_string(), &person("maker", CLIENT));
        has(&entry, "/amount", json!({ "currency": "XRP", "value": "4" }));

        let stray = unmatched(&store, 103).await;
        let said = assignment(&stray, invoice);
        store.assign(said, T0.plus_ms(600)).await.unwrap();
        let entry = one(&store, &mut seen).await;
        is(&entry, "deposit.assigned", &stray.id.to_string(), &person("maker", CLIENT));
        has(&entry, "/invoice_id", json!(invoice.to_string()));
        store.assign(said, T0.plus_ms(600)).await.unwrap();
        assert_eq!(since(&store, &mut seen).await, [], "it was so before");
    }

    async fn a_wallet_is_noted_when_it_is_new_and_when_it_halts_or_goes_on(bed) {
        let store = anchored(bed).await;
        let mut seen = 0;
        let entry = one(&store, &mut seen).await;
        is(&entry, "wallet.added", WALLET, &Actor::Daemon);
        has(&entry, "/account", json!(account(1).to_string()));
        store.anchor_held(WALLET, account(1), 0, &cursor(300), None, T0).await.unwrap();
        assert_eq!(since(&store, &mut seen).await, [], "it is known");

        let by_engine = LaneCommit { halt: Some("a stranger signed".to_owned()), ..LaneCommit::new(WALLET, T0) };
        store.commit_held(&by_engine).await.unwrap();
        let entry = one(&store, &mut seen).await;
        is(&entry, "wallet.halted", WALLET, &Actor::Daemon);
        has(&entry, "/reason", json!({ "before": null, "after": "a stranger signed" }));
        store.commit_held(&by_engine).await.unwrap();
        store.set_halt(WALLET, Some("a stranger signed"), &Actor::Daemon, T0).await.unwrap();
        assert!(!store.halt_unless_halted(WALLET, "differs", None, T0).await.unwrap());
        assert_eq!(since(&store, &mut seen).await, [], "it stands so already");
        store.set_halt(WALLET, None, &OPERATOR, T0).await.unwrap();
        let entry = one(&store, &mut seen).await;
        is(&entry, "wallet.resumed", WALLET, &OPERATOR);
        has(&entry, "/reason", json!({ "before": "a stranger signed", "after": null }));
        let accepted = Some(cursor(100).at);
        assert!(store.halt_unless_halted(WALLET, "differs", accepted, T0).await.unwrap());
        is(&one(&store, &mut seen).await, "wallet.halted", WALLET, &Actor::Daemon);
        store.ask_for_tickets(WALLET, 5, &OPERATOR, T0).await.unwrap();
        let entry = one(&store, &mut seen).await;
        is(&entry, "tickets.requested", WALLET, &OPERATOR);
        has(&entry, "/count", json!(5));
        store.ask_for_tickets(WALLET, 5, &OPERATOR, T0).await.unwrap();
        assert_eq!(since(&store, &mut seen).await, [], "it is asked for already");
    }

    async fn endpoints_are_noted_without_a_secret(bed) {
        let store = bed.open().await;
        let by = person("hooks", CLIENT);
        let mut new = endpoint(1);
        new.url = "https://example.com/hooks?token=hunter2".to_owned();
        new.secret = b"hunter3".to_vec();
        let made = store.create_endpoint(&new, 1, &by).await.unwrap().unwrap();
        assert_eq!(store.create_endpoint(&endpoint(2), 1, &by).await.unwrap(), None);
        let id = made.id.to_string();
        let mut seen = 0;
        let entry = one(&store, &mut seen).await;
        is(&entry, "webhook_endpoint.created", &id, &by);
        has(&entry, "/after/url", json!("https://example.com/hooks"));
        let off = EndpointChange { enabled: Some(false), ..EndpointChange::default() };
        store.change_endpoint(made.id, &off, &by, T0).await.unwrap().unwrap();
        let entry = one(&store, &mut seen).await;
        is(&entry, "webhook_endpoint.changed", &id, &by);
        has(&entry, "/before/enabled", json!(true));
        has(&entry, "/after/enabled", json!(false));
        store.rotate_endpoint_secret(made.id, b"hunter4", Some(T0), &by, T0).await.unwrap().unwrap();
        is(&one(&store, &mut seen).await, "webhook_endpoint.secret_rotated", &id, &by);
        store.recover_endpoint(made.id, T0, true, &by, T0).await.unwrap().unwrap();
        is(&one(&store, &mut seen).await, "webhook_endpoint.recovered", &id, &by);
        assert!(store.delete_endpoint(made.id, &by, T0).await.unwrap());
        is(&one(&store, &mut seen).await, "webhook_endpoint.deleted", &id, &by);
        assert!(!store.delete_endpoint(made.id, &by, T0).await.unwrap());
        assert_eq!(store.rotate_endpoint_secret(made.id, b"x", None, &by, T0).await.unwrap(), None);
        assert_eq!(store.recover_endpoint(made.id, T0, true, &by, T0).await.unwrap(), None);
        assert_eq!(since(&store, &mut seen).await, [], "it is gone");
        for secret in ["hunter", "68756e746572"] {
            let found = format!("select cast(count(*) as bigint) from audit_log where data like '%{secret}%'");
            assert_eq!(bed.number(&found).await, 0, "{secret}");
        }
        assert_eq!(store.verify_audit(&[]).await.unwrap().faults, []);
    }
}
