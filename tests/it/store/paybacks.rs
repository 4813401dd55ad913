//! What came in goes back once, and never more of it than came, whoever asks at the same moment; and a
//! person's word on which invoice a deposit is for.

use super::bed::*;
use super::deposits::{credit, page, usd};
use super::invoices::{asked, cancelled, issued};
use crate::support::held::Held as _;
use std::sync::Arc;
use tokio::sync::Barrier;
use tokio::task::JoinSet;
use xrpayd::store::{
    AssignOutcome, Assignment, Blocked, Bounce, Deposit, FeedFilter, HOUSE, NewPayback, NewPayment,
    PaybackOutcome, PaybackState, Place, Remembered, Store, Subject,
};
use xrpayd_core::amount::Amount;
use xrpayd_core::deposit::{Credit, id_of};
use xrpayd_core::ids::{DepositId, InvoiceId, LedgerHash, LedgerIndex, UnixMs};
use xrpayd_core::invoice::{Illegal, InvoiceStatus};
use xrpayd_core::journal::Delivered;
use xrpayd_core::limits::{Breach, Caps};
use xrpayd_core::marker;
use xrpayd_core::money::Drops;
use xrpayd_core::payment::{Event, Payback, Payment, Slot};

/// Books credits in the next ledger of the wallet's journal.
async fn booked(store: &Store, ledger: u32, credits: Vec<Credit>) -> Vec<Deposit> {
    let ids: Vec<DepositId> = credits.iter().map(|of| id_of(0, account(1), of)).collect();
    let at = T0.plus_ms(i64::from(ledger) * 10);
    store
        .commit_held(&page(WALLET, ledger, ledger, credits, at))
        .await
        .unwrap();
    let mut deposits = Vec::new();
    for id in ids {
        deposits.push(store.deposit(id).await.unwrap().unwrap());
    }
    deposits
}

/// Ten XRP that belong to nothing.
pub async fn unmatched(store: &Store, ledger: u32) -> Deposit {
    let ten = credit(ledger, 0, Amount::Xrp(xrp("10")), None);
    booked(store, ledger, vec![ten]).await.remove(0)
}

fn back(subject: Subject, client: &str, amount: &str, now: UnixMs) -> NewPayback {
    NewPayback {
        new: NewPayment {
            client: client.to_owned(),
            ..request("", amount, now)
        },
        subject,
        reason: Some("a reason".to_owned()),
        asked_client: CLIENT.to_owned(),
        asked_key: None,
        past_is_read: true,
    }
}

pub fn return_of(deposit: &Deposit, amount: &str) -> NewPayback {
    back(Subject::Deposit(deposit.id), HOUSE, amount, T0.plus_ms(500))
}

pub fn refund_of(invoice: InvoiceId, amount: &str) -> NewPayback {
    back(
        Subject::Invoice(invoice, None),
        CLIENT,
        amount,
        T0.plus_ms(500),
    )
}

pub async fn created(store: &Store, new: &NewPayback) -> Payment {
    match store.pay_back(new).await.unwrap() {
        PaybackOutcome::Created(payment) => payment,
        other => panic!("not created: {other:?}"),
    }
}

async fn again(store: &Store, id: DepositId) -> Deposit {
    store.deposit(id).await.unwrap().unwrap()
}

async fn told(store: &Store) -> Vec<String> {
    let events = store.feed(0, &FeedFilter::default(), 1_000).await.unwrap();
    events.into_iter().map(|event| event.type_).collect()
}

/// An invoice of 10 XRP that received so much.
pub async fn paid(store: &Store, ledger: u32, tag: u32, value: &str) -> InvoiceId {
    let invoice = issued(store, &asked(T0, &[tag])).await;
    let amount = Amount::Xrp(xrp(value));
    let deposits = booked(store, ledger, vec![credit(ledger, 0, amount, Some(tag))]).await;
    assert_eq!(deposits[0].place, Place::Invoice(invoice.id));
    invoice.id
}

pub fn assignment(deposit: &Deposit, invoice: InvoiceId) -> Assignment<'static> {
    Assignment {
        deposit: deposit.id,
        version: None,
        invoice,
        client: Some(CLIENT),
        by: "maker",
        of: CLIENT,
    }
}

/// What the ledger remembers of a payback that the database does not know.
async fn remembered(store: &Store, client: &str, payback: Payback, of: &NewPayback) {
    let order = &of.new.order;
    let row = Remembered {
        wallet: WALLET.to_owned(),
        marker: marker::of(WALLET, client, &payback.key()),
        hash: hash(77),
        ledger_index: LedgerIndex(101),
        ledger_hash: LedgerHash([7; 32]),
        tx_index: 0,
        result: "tesSUCCESS".to_owned(),
        slot: Slot::Sequence(77),
        fee: Drops::new(10).unwrap(),
        destination: Some(order.destination.to_string()),
        destination_tag: order.destination_tag,
        delivered: Delivered::Xrp(order.amount),
        servers: vec!["one".to_owned()],
    };
    store.remember_held(WALLET, &[row], None).await.unwrap();
}

on_both_stores! {
    async fn a_deposit_is_returned_once_whoever_asks_at_the_same_moment(bed) {
        let store = anchored(bed).await;
        let deposit = unmatched(&store, 101).await;
        let (gate, mut asking) = (Arc::new(Barrier::new(20)), JoinSet::new());
        for _ in 0..20 {
            let (store, gate, new) = (store.clone(), Arc::clone(&gate), return_of(&deposit, "10"));
            asking.spawn(async move {
                gate.wait().await;
                store.pay_back(&new).await.unwrap()
            });
        }
        let outcomes = asking.join_all().await;
        let made: Vec<&Payment> = outcomes.iter().filter_map(|outcome| match outcome {
            PaybackOutcome::Created(payment) => Some(payment),
            _ => None,
        }).collect();
        let [payment] = made[..] else { panic!("{made:?}") };
        let replays = outcomes.iter().filter(|outcome| matches!(outcome, PaybackOutcome::Replayed(of) if of.id == payment.id));
        assert_eq!(replays.count(), 19);
        let key = format!("return {} 1", deposit.id);
        assert_eq!((payment.client.as_str(), &payment.order.idempotency_key), (HOUSE, &key));
        let now = again(&store, deposit.id).await;
        assert_eq!((now.returned_by(), now.version), (Some(payment.id), 2));
        let less = store.pay_back(&return_of(&deposit, "9")).await.unwrap();
        assert_eq!(less, PaybackOutcome::Blocked(Blocked::Returned(payment.id)));
        assert_eq!(told(&store).await, ["deposit.unmatched", "payment.processing"]);

        let payment = delivered(&store, payment, 10, T0.plus_ms(600)).await;
        let now = again(&store, deposit.id).await;
        assert_eq!(now.returned.unwrap().state, PaybackState::Succeeded);
        assert_eq!(now.returned_by(), Some(payment.id));
        let all = told(&store).await;
        assert_eq!(all.iter().filter(|kind| *kind == "deposit.returned").count(), 1);
        assert_eq!(all.last().unwrap(), "deposit.returned");
        let once_more = store.pay_back(&return_of(&deposit, "10")).await.unwrap();
        assert!(matches!(once_more, PaybackOutcome::Replayed(of) if of.id == payment.id));
        assert_eq!(bed.number("select cast(count(*) as bigint) from payments").await, 1);
    }

    async fn a_return_that_ends_undelivered_leaves_the_deposit_to_be_tried_again(bed) {
        let store = anchored(bed).await;
        let deposit = unmatched(&store, 101).await;
        let first = created(&store, &return_of(&deposit, "10")).await;
        committed(&store, change(&first, Event::Cancel, T0.plus_ms(600))).await;
        let now = again(&store, deposit.id).await;
        assert_eq!(now.returned.unwrap().state, PaybackState::Failed);
        assert_eq!(now.returned_by(), None);
        assert!(!told(&store).await.contains(&"deposit.returned".to_owned()));
        let second = created(&store, &return_of(&deposit, "9.5")).await;
        assert_ne!(second.id, first.id);
        assert_eq!(second.order.idempotency_key, format!("return {} 2", deposit.id));
        assert_eq!(again(&store, deposit.id).await.returned_by(), Some(second.id));
    }

    async fn a_limit_refuses_a_return_and_nothing_of_it_is_left(bed) {
        let store = anchored(bed).await;
        let deposit = unmatched(&store, 101).await;
        let before = bed.everything().await;
        let mut new = return_of(&deposit, "10");
        new.new.caps = Caps { max_payment: xrp("9"), ..roomy() };
        let outcome = store.pay_back(&new).await.unwrap();
        assert!(matches!(outcome, PaybackOutcome::Refused { breach: Breach::AboveMaximum { .. }, .. }));
        assert_eq!(bed.everything().await, before);
        assert_eq!(again(&store, deposit.id).await, deposit);
        created(&store, &return_of(&deposit, "10")).await;
    }

    async fn a_key_finds_the_payment_that_it_made_also_after_that_failed(bed) {
        let store = anchored(bed).await;
        let deposit = unmatched(&store, 101).await;
        let keyed = |amount| NewPayback { asked_key: Some("mine".to_owned()), ..return_of(&deposit, amount) };
        let first = created(&store, &keyed("10")).await;
        committed(&store, change(&first, Event::Cancel, T0.plus_ms(600))).await;
        let replay = store.pay_back(&keyed("10")).await.unwrap();
        assert!(matches!(replay, PaybackOutcome::Replayed(of) if of.id == first.id));
        assert_eq!(store.pay_back(&keyed("9")).await.unwrap(), PaybackOutcome::KeyReused);
        let known = store.paid_back_under(CLIENT, "mine", keyed("10").new.fingerprint).await.unwrap();
        assert!(matches!(known, Some(PaybackOutcome::Replayed(of)) if of.id == first.id));
    }

    async fn refunds_never_exceed_what_came_however_many_race(bed) {
        let store = anchored(bed).await;
        let invoice = paid(&store, 101, 1, "20").await;
        let (gate, mut asking) = (Arc::new(Barrier::new(200)), JoinSet::new());
        for _ in 0..200 {
            let (store, gate) = (store.clone(), Arc::clone(&gate));
            asking.spawn(async move {
                gate.wait().await;
                loop {
                    match store.pay_back(&refund_of(invoice, "0.7")).await {
                        Ok(outcome) => return outcome,
                        // So many at once may be told to come again.
                        Err(error) => assert!(error.retryable(), "{error:?}"),
                    }
                }
            });
        }
        let outcomes = asking.join_all().await;
        let made = outcomes.iter().filter(|outcome| matches!(outcome, PaybackOutcome::Created(_)));
        assert_eq!(made.count(), 28, "twenty hold twenty-eight of them");
        let left = PaybackOutcome::Blocked(Blocked::Left(xrp("0.4")));
        assert_eq!(outcomes.iter().filter(|outcome| **outcome == left).count(), 172);
        let shown = store.shown_invoice(invoice).await.unwrap().unwrap();
        let sum = shown.refunds.iter().try_fold(Drops::ZERO, |sum, refund| sum.checked_add(refund.drops));
        assert_eq!(sum, Some(xrp("19.6")));
        created(&store, &refund_of(invoice, "0.4")).await;
    }

    async fn a_refund_whose_commit_was_not_answered_is_found_again_and_not_made_twice(bed) {
        let store = anchored(bed).await;
        let invoice = paid(&store, 101, 1, "20").await;
        for amount in ["5", "15"] {
            let asked = refund_of(invoice, amount);
            let made = created(&store, &asked).await;
            let found = store.pay_back(&asked).await.unwrap();
            assert!(matches!(found, PaybackOutcome::Replayed(of) if of.id == made.id));
        }
    }

    async fn a_refund_that_ends_undelivered_frees_what_it_held(bed) {
        let store = anchored(bed).await;
        let invoice = paid(&store, 101, 1, "10").await;
        let first = created(&store, &refund_of(invoice, "6")).await;
        assert_eq!(first.order.payback, Some(Payback::Refund { invoice, number: 1 }));
        let blocked = store.pay_back(&refund_of(invoice, "4.000001")).await.unwrap();
        assert_eq!(blocked, PaybackOutcome::Blocked(Blocked::Left(xrp("4"))));
        committed(&store, change(&first, Event::Cancel, T0.plus_ms(600))).await;
        let second = created(&store, &refund_of(invoice, "10")).await;
        delivered(&store, &second, 10, T0.plus_ms(700)).await;
        let shown = store.shown_invoice(invoice).await.unwrap().unwrap();
        let states: Vec<_> = shown.refunds.iter().map(|refund| refund.state).collect();
        assert_eq!(states, [PaybackState::Failed, PaybackState::Succeeded]);
        let events = store.feed(0, &FeedFilter::default(), 100).await.unwrap();
        let refunded: Vec<_> = events.iter().filter(|event| event.type_ == "invoice.refunded").collect();
        let [event] = refunded[..] else { panic!("{refunded:?}") };
        assert_eq!(event.data["amount_refunded"]["value"], "10");
        assert_eq!(event.data["refund"]["payment_id"], second.id.to_string());
        assert_eq!(event.version, shown.invoice.version);
    }

    async fn what_the_ledger_remembers_of_refunds_counts_and_is_found_again(bed) {
        let store = anchored(bed).await;
        let invoice = paid(&store, 101, 1, "10").await;
        let forgotten = refund_of(invoice, "6");
        let unread = NewPayback { past_is_read: false, ..forgotten.clone() };
        let early = store.pay_back(&unread).await.unwrap();
        assert_eq!(early, PaybackOutcome::Blocked(Blocked::NotKnownYet));
        remembered(&store, CLIENT, Payback::Refund { invoice, number: 1 }, &forgotten).await;
        let blocked = store.pay_back(&refund_of(invoice, "5")).await.unwrap();
        assert_eq!(blocked, PaybackOutcome::Blocked(Blocked::Left(xrp("4"))));
        let other = created(&store, &refund_of(invoice, "4")).await;
        assert_eq!(other.order.payback, Some(Payback::Refund { invoice, number: 2 }));
        let same = created(&store, &forgotten).await;
        assert_eq!(same.order.payback, Some(Payback::Refund { invoice, number: 1 }));
    }

    async fn a_person_assigns_a_deposit_once_and_it_pays_the_invoice(bed) {
        let store = anchored(bed).await;
        let deposit = unmatched(&store, 101).await;
        let invoice = issued(&store, &asked(T0, &[1])).await;
        let other = issued(&store, &asked(T0, &[2])).await;
        let strange = Assignment { client: Some("stranger"), ..assignment(&deposit, invoice.id) };
        assert_eq!(store.assign(strange, T0).await.unwrap(), AssignOutcome::NoInvoice);
        let stale = Assignment { version: Some(9), ..assignment(&deposit, invoice.id) };
        assert!(matches!(store.assign(stale, T0).await.unwrap(), AssignOutcome::Stale(_)));
        let outcome = store.assign(assignment(&deposit, invoice.id), T0.plus_ms(600)).await.unwrap();
        let AssignOutcome::Done(now) = outcome else { panic!("{outcome:?}") };
        assert_eq!((now.place, now.client.as_str()), (Place::Invoice(invoice.id), CLIENT));
        assert_eq!((now.assigned_by.as_deref(), now.version), (Some("maker"), 2));
        assert_eq!(again(&store, deposit.id).await, now);
        let paid = store.invoice(invoice.id).await.unwrap().unwrap();
        assert_eq!((paid.status, paid.received), (InvoiceStatus::Paid, Amount::Xrp(xrp("10"))));
        assert_eq!(told(&store).await, ["deposit.unmatched", "deposit.received", "invoice.paid"]);
        let same = store.assign(assignment(&deposit, invoice.id), T0.plus_ms(700)).await.unwrap();
        assert_eq!(same, AssignOutcome::AsBefore(now.clone()));
        let elsewhere = store.assign(assignment(&deposit, other.id), T0.plus_ms(700)).await.unwrap();
        assert_eq!(elsewhere, AssignOutcome::Elsewhere(now, invoice.id));
        let blocked = store.pay_back(&return_of(&deposit, "10")).await.unwrap();
        assert_eq!(blocked, PaybackOutcome::Blocked(Blocked::Matched(invoice.id)));
    }

    async fn what_is_not_the_invoices_to_take_is_not_assigned_to_it(bed) {
        let store = anchored(bed).await;
        let deposit = unmatched(&store, 101).await;
        let dollars = booked(&store, 102, vec![credit(102, 0, usd("10"), None)]).await.remove(0);
        let gone = issued(&store, &asked(T0, &[1])).await;
        cancelled(&store, gone.id, T0).await;
        let open = issued(&store, &asked(T0, &[2])).await;
        let refused = store.assign(assignment(&deposit, gone.id), T0).await.unwrap();
        assert_eq!(refused, AssignOutcome::Illegal(deposit.clone(), Illegal::Cancelled));
        let refused = store.assign(assignment(&dollars, open.id), T0).await.unwrap();
        assert_eq!(refused, AssignOutcome::Illegal(dollars, Illegal::OtherAsset));
        let returned = created(&store, &return_of(&deposit, "10")).await;
        let refused = store.assign(assignment(&deposit, open.id), T0).await.unwrap();
        assert!(matches!(refused, AssignOutcome::NotAssignable(..)));
        committed(&store, change(&returned, Event::Cancel, T0.plus_ms(600))).await;
        let done = store.assign(assignment(&deposit, open.id), T0).await.unwrap();
        assert!(matches!(done, AssignOutcome::Done(_)));
    }

    async fn what_came_back_is_known_as_such(bed) {
        let store = anchored(bed).await;
        let deposit = unmatched(&store, 101).await;
        assert_eq!(store.bounce(&deposit).await.unwrap(), None);
        let marked = Credit { is_return: true, ..credit(102, 0, Amount::Xrp(xrp("1")), None) };
        let marked = booked(&store, 102, vec![marked]).await.remove(0);
        assert_eq!(store.bounce(&marked).await.unwrap(), Some(Bounce::Marked));
        // Who is paid in these tests is account 7.
        let given = created(&store, &return_of(&deposit, "10")).await;
        delivered(&store, &given, 10, T0.plus_ms(600)).await;
        let from_payee = |ledger, value| Credit {
            from: Some(account(7)),
            ..credit(ledger, 0, Amount::Xrp(xrp(value)), None)
        };
        let less = booked(&store, 103, vec![from_payee(103, "9.99")]).await.remove(0);
        assert_eq!(store.bounce(&less).await.unwrap(), Some(Bounce::AfterPayback));
        let more = booked(&store, 104, vec![from_payee(104, "10.01")]).await.remove(0);
        assert_eq!(store.bounce(&more).await.unwrap(), None);
    }
}
