//! What the choice of a wallet stands on, and a payment that moves into the books of the wallet that
//! paid it.

use super::bed::*;
use crate::support::held::Held as _;
use std::collections::BTreeMap;
use xrpayd::payments::loads::Loads;
use xrpayd::store::{LaneCommit, NewPayment, Store};
use xrpayd_core::ids::LedgerIndex;
use xrpayd_core::money::Drops;
use xrpayd_core::payment::{Adoption, ApprovalRule, Event, Payment, Slot, Status};
use xrpayd_core::route::Load;

/// A payment from `wallet`.
fn from(wallet: &str, key: &str, amount: &str) -> NewPayment {
    let mut new = request(key, amount, T0);
    new.wallet = wallet.to_owned();
    new
}

fn load(count: u64, amount: &str) -> Load {
    let drops = u128::from(xrp(amount).get());
    Load { count, drops }
}

fn of(loads: &Loads, wallet: &str) -> Load {
    let mut load = Load::default();
    let none = loads.ask(|known| {
        load = known(wallet);
        None
    });
    assert_eq!(none, None);
    load
}

/// What the ledger holds of `payment`: it was paid from `wallet`.
fn paid_from(wallet: &str, payment: &Payment) -> Event {
    Event::Adopt(Adoption {
        wallet: wallet.to_owned(),
        hash: hash(7),
        slot: Slot::Sequence(40),
        fee: Drops::new(12).unwrap(),
        result: "tesSUCCESS".to_owned(),
        ledger_index: LedgerIndex(90),
        ledger_hash: cursor(90).at_hash,
        delivered: Some(payment.order.amount),
        servers: vec!["one".to_owned(), "two".to_owned()],
    })
}

async fn commit(store: &Store, changes: Vec<xrpayd::store::Change>) {
    let commit = LaneCommit {
        changes,
        ..LaneCommit::new(WALLET, T0)
    };
    store.commit_held(&commit).await.unwrap();
}

on_both_stores! {
    async fn a_load_is_everything_without_an_end_and_of_its_own_wallet(bed) {
        let store = anchored(bed).await;
        assert_eq!(store.loads().await.unwrap(), BTreeMap::new());
        let first = accepted(&store, from("hot", "a", "2")).await;
        let second = accepted(&store, from("hot", "b", "3")).await;
        let mut large = from("hot", "c", "5");
        large.approval = Some(ApprovalRule { threshold: xrp("5"), expires_in_ms: 60_000 });
        accepted(&store, large).await;
        accepted(&store, from("other", "d", "7")).await;
        let both = [("hot".to_owned(), load(3, "10")), ("other".to_owned(), load(1, "7"))];
        assert_eq!(store.loads().await.unwrap(), both.into());
        commit(&store, vec![signed(&first, 10, T0)]).await;
        assert_eq!(store.loads().await.unwrap()["hot"], load(3, "10"), "signed, and without an end");
        cancel(&store, second.id, None, T0).await;
        assert_eq!(store.loads().await.unwrap()["hot"], load(2, "7"));
    }

    async fn what_was_given_counts_at_once_and_until_the_database_has_had_time_to_show_it(bed) {
        let store = anchored(bed).await;
        let loads = Loads::default();
        let give = |wallet: &str| {
            let wallet = wallet.to_owned();
            loads.give(xrp("2"), move |_| Some(wallet))
        };
        loads.read(&store).await.unwrap();
        assert_eq!(give("hot").as_deref(), Some("hot"));
        assert_eq!(loads.give(xrp("2"), |_| None), None, "given to nobody");
        assert_eq!((of(&loads, "hot"), of(&loads, "other")), (load(1, "2"), Load::default()));
        // It may not have been committed when this reading began.
        loads.read(&store).await.unwrap();
        assert_eq!(of(&loads, "hot"), load(1, "2"));
        give("hot");
        accepted(&store, from("hot", "a", "2")).await;
        loads.read(&store).await.unwrap();
        assert_eq!(of(&loads, "hot"), load(2, "4"), "busier than it is, never idler");
        loads.read(&store).await.unwrap();
        assert_eq!(of(&loads, "hot"), load(1, "2"), "what came to nothing is forgotten");
        store.clone().close().await;
        assert!(loads.read(&store).await.is_err());
        give("hot");
        assert_eq!(of(&loads, "hot"), load(2, "4"), "the last reading stands, and what is given adds up");
    }

    async fn what_another_wallet_paid_moves_into_its_books_with_its_limits_and_events(bed) {
        let store = anchored(bed).await;
        let payment = accepted(&store, from("hot", "a", "2")).await;
        store.anchor_held("other", account(3), 0, &cursor(100), None, T0).await.unwrap();
        let mut moved = change(&payment, paid_from("other", &payment), T0);
        moved.new_blobs.push((hash(7), Vec::new()));
        commit(&store, vec![moved.clone()]).await;
        let found = store.payment(payment.id).await.unwrap().unwrap();
        assert_eq!(found, moved.payment);
        assert_eq!((found.wallet.as_str(), found.status()), ("other", Status::Succeeded));
        assert_eq!(store.loads().await.unwrap(), BTreeMap::new());
        let usage = store.limit_usage(T0).await.unwrap().usage;
        assert_eq!((usage.daily_used, usage.pending), (xrp("2"), 0), "paid today, and no more pending");
        for wallet in ["hot", "other"] {
            let record = store.load_lane(wallet).await.unwrap();
            assert!(record.in_flight.is_empty(), "nothing of it is open in {wallet}");
        }
        let sql = "select count(*) from attempts where wallet = 'other' and slot = 40 and open = 0";
        assert_eq!(bed.number(sql).await, 1);
        let replayed = store.accept(from("hot", "a", "2")).await.unwrap();
        assert_eq!(replayed, xrpayd::store::AcceptOutcome::Replayed(found));
    }
}
