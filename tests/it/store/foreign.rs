//! What the account sent that nothing here signed: shown whole, and accepted by nothing but its name.

use super::bed::*;
use crate::support::held::Held as _;
use std::collections::BTreeSet;
use xrpayd::store::{Actor, FOREIGN_MAX, JournalCommit, LaneCommit, Resumed, Store};
use xrpayd_core::ids::{LedgerHash, LedgerIndex, TxHash};
use xrpayd_core::journal::{Delivered, Entry};
use xrpayd_core::payment::Slot;

const OPERATOR: Actor = Actor::Cli { uid: 7, said: None };

/// A transaction of the wallet's account.
fn sent(n: u32, ledger: u32, place: u32) -> Entry {
    Entry {
        hash: hash(n),
        ledger_index: LedgerIndex(ledger),
        ledger_hash: LedgerHash([8; 32]),
        tx_index: place,
        result: "tesSUCCESS".to_owned(),
        transaction_type: "Payment".to_owned(),
        sender: account(1),
        slot: Slot::Sequence(n),
        fee: xrp("0.00001"),
        destination: Some(account(9)),
        destination_tag: None,
        source_tag: None,
        delivered: Delivered::Xrp(xrp("7")),
        invoice_id: None,
        marker: None,
        effects: None,
        closed_at: None,
        root_after: None,
    }
}

/// Books ledgers up to `to` with what the account sent in them, and halts the wallet as its engine does.
async fn booked(store: &Store, from: u32, to: u32, entries: Vec<Entry>) {
    let commit = LaneCommit {
        journal: Some(JournalCommit {
            from: LedgerIndex(from),
            cursor: cursor(to),
            entries,
            remembered: Vec::new(),
            tickets: Vec::new(),
            sign_from: None,
            credits: Vec::new(),
            closed_at: None,
        }),
        halt: Some("an unknown transaction".to_owned()),
        ..LaneCommit::new(WALLET, T0)
    };
    store.commit_held(&commit).await.unwrap();
}

async fn resumed(store: &Store, accepted: &[TxHash]) -> Resumed {
    let accepted: BTreeSet<TxHash> = accepted.iter().copied().collect();
    let resumed = store.resume_wallet(WALLET, &accepted, &OPERATOR, T0).await;
    resumed.unwrap()
}

on_both_stores! {
    async fn a_wallet_goes_on_once_all_that_nothing_here_signed_is_accepted_by_name(bed) {
        let store = anchored(bed).await;
        assert_eq!(resumed(&store, &[]).await, Resumed::WasNot);
        let ours = accepted(&store, request("key", "1", T0)).await;
        let ours = delivered(&store, &ours, 10, T0).await;
        let of_ours = Entry { hash: ours.attempts[0].hash, ..sent(10, 101, 0) };
        booked(&store, 101, 102, vec![of_ours, sent(20, 101, 1), sent(21, 102, 0)]).await;
        let found = store.foreign_transactions(WALLET).await.unwrap();
        assert_eq!(found.iter().map(|theirs| theirs.hash).collect::<Vec<_>>(), [hash(20), hash(21)]);
        assert_eq!(found[0].destination, Some(account(9).to_string()));
        for named in [&[][..], &[hash(20)], &[hash(20), hash(99)]] {
            let Resumed::Not(unnamed) = resumed(&store, named).await else {
                panic!("{named:?} resumed it");
            };
            assert_eq!(unnamed.last().unwrap().hash, hash(21));
            assert!(store.halt_reason(WALLET).await.unwrap().is_some());
        }
        // What is booked after it was shown has been shown to nobody.
        booked(&store, 103, 103, vec![sent(22, 103, 0)]).await;
        let shown = [hash(20), hash(21)];
        assert!(matches!(resumed(&store, &shown).await, Resumed::Not(_)));
        let all = [hash(20), hash(21), hash(22)];
        assert_eq!(resumed(&store, &all).await, Resumed::Yes("an unknown transaction".to_owned()));
        assert_eq!(store.halt_reason(WALLET).await.unwrap(), None);
        assert_eq!(store.foreign_transactions(WALLET).await.unwrap(), []);
        assert_eq!(store.halts().await.unwrap().len(), 0);
    }

    async fn an_engine_does_not_write_over_the_reason_that_a_person_gave(bed) {
        let store = anchored(bed).await;
        store.set_halt(WALLET, Some("its account is being changed"), &OPERATOR, T0).await.unwrap();
        booked(&store, 101, 101, vec![sent(20, 101, 0)]).await;
        let reason = store.halt_reason(WALLET).await.unwrap();
        assert_eq!(reason.as_deref(), Some("its account is being changed"));
        assert_eq!(store.halts().await.unwrap().get(WALLET), reason.as_ref());
    }

    async fn more_than_a_person_is_shown_at_once_is_accepted_in_parts(bed) {
        let store = anchored(bed).await;
        let count = u32::try_from(FOREIGN_MAX).unwrap() + 1;
        let entries = (0..count).map(|n| sent(1_000 + n, 101 + n / 400, n % 400)).collect();
        booked(&store, 101, 110, entries).await;
        let mut parts = 0;
        loop {
            let shown = store.foreign_transactions(WALLET).await.unwrap();
            let shown: Vec<TxHash> = shown.iter().map(|theirs| theirs.hash).collect();
            parts += 1;
            match resumed(&store, &shown).await {
                Resumed::InPart => assert!(store.halt_reason(WALLET).await.unwrap().is_some()),
                Resumed::Yes(_) => break,
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(parts, 2);
    }
}
