//! A lane's commits: all of it or nothing, and everything is found again.

use super::bed::*;
use crate::support::held::{Held as _, tenure};
use std::task::Poll;
use xrpayd::store::{
    Actor, CommitError, JournalCommit, LaneCommit, NewPlug, PlugRecord, StoreError,
};
use xrpayd_core::ids::{Hash256, LedgerHash, LedgerIndex};
use xrpayd_core::journal::{Delivered, Entry, RootAfter};
use xrpayd_core::money::Drops;
use xrpayd_core::payment::{Absence, AbsenceReason, AttemptState, Slot, Status, Substatus};

fn plug(n: u32) -> NewPlug {
    NewPlug {
        hash: hash(n),
        slot: Slot::Sequence(n),
        fee: Drops::new(12).unwrap(),
        first_ledger: LedgerIndex(101),
        last_ledger: LedgerIndex(120),
        signed_at: T0,
        blob: vec![9, 9, 9],
    }
}

fn dead() -> AttemptState {
    AttemptState::Dead {
        proof: Absence {
            from: LedgerIndex(101),
            to: LedgerIndex(121),
            to_hash: LedgerHash([6; 32]),
            servers: vec!["one".to_owned()],
            reason: AbsenceReason::ConsumedBy {
                hash: hash(1),
                ledger_index: LedgerIndex(111),
            },
        },
    }
}

fn entry(ledger: u32, place: u32, delivered: Delivered) -> Entry {
    Entry {
        hash: hash(ledger * 1_000 + place),
        ledger_index: LedgerIndex(ledger),
        ledger_hash: LedgerHash([8; 32]),
        tx_index: place,
        result: "tesSUCCESS".to_owned(),
        transaction_type: "Payment".to_owned(),
        sender: account(2),
        slot: Slot::Ticket(77),
        fee: Drops::new(15).unwrap(),
        destination: Some(account(1)),
        destination_tag: Some(0),
        source_tag: Some(u32::MAX),
        delivered,
        invoice_id: Some(Hash256([4; 32])),
        marker: Some(Hash256([4; 32])),
        effects: None,
        closed_at: None,
        root_after: Some(RootAfter {
            balance: xrp("17"),
            sequence: 11,
            owner_count: 0,
        }),
    }
}

fn bare(ledger: u32) -> Entry {
    Entry {
        destination: None,
        destination_tag: None,
        source_tag: None,
        invoice_id: None,
        marker: None,
        root_after: None,
        ..entry(ledger, 0, Delivered::Nothing)
    }
}

/// Drops `work` after so many wake-ups, as a crash would; `None` where it was not done by then.
async fn dropped_after<T>(wakes: u32, work: impl Future<Output = T>) -> Option<T> {
    let (mut work, mut polled) = (Box::pin(work), 0);
    std::future::poll_fn(|cx| {
        polled += 1;
        match work.as_mut().poll(cx) {
            Poll::Ready(outcome) => Poll::Ready(Some(outcome)),
            Poll::Pending if polled >= wakes => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

on_both_stores! {
    async fn a_payment_is_followed_from_queued_to_delivered_with_an_event_a_step(bed) {
        let store = anchored(bed).await;
        let payment = accepted(&store, request("key", "12.5", T0)).await;
        assert_eq!(store.queued(WALLET, None, 10).await.unwrap(), std::slice::from_ref(&payment));
        let done = delivered(&store, &payment, 10, T0.plus_ms(4_000)).await;
        assert_eq!(done.status(), Status::Succeeded);
        assert_eq!(store.payment(payment.id).await.unwrap(), Some(done.clone()));
        assert_eq!(store.queued(WALLET, None, 10).await.unwrap(), []);
        let events = store.payment_events(payment.id).await.unwrap();
        let told: Vec<_> = events
            .iter()
            .map(|e| (e.version, e.type_.as_str(), e.data["substatus"].as_str()))
            .collect();
        assert_eq!(told, [
            (1, "payment.processing", Some("queued")),
            (2, "payment.processing", Some("signed")),
            (3, "payment.processing", Some("submitted")),
            (4, "payment.succeeded", None),
        ]);
        assert!(events.windows(2).all(|pair| pair[0].sequence < pair[1].sequence));
        let last = &events[3].data;
        tells(last, &serde_json::json!({
            "object": "payment", "id": payment.id.to_string(), "status": "succeeded", "version": 4,
            "amount": {"currency": "XRP", "value": "12.5"},
            "delivered_amount": {"currency": "XRP", "value": "12.5"},
            "destination": account(7).to_string(), "destination_tag": 0, "wallet": WALLET,
            "metadata": {"order": "42"}, "failure": null, "fee_drops": "10",
        }));
        assert_eq!(last["tx_hash"], hash(10).to_string());
        assert_eq!((&last["result_code"], &last["ledger_index"]), (&"tesSUCCESS".into(), &105.into()));
        let usage = store.limit_usage(T0).await.unwrap().usage;
        assert_eq!((usage.daily_used, usage.pending), (xrp("12.5"), 0));
    }

    async fn a_failed_payment_gives_back_what_it_had_reserved(bed) {
        let store = anchored(bed).await;
        let payment = accepted(&store, request("key", "5", T0)).await;
        let payment = committed(&store, signed(&payment, 10, T0)).await;
        let failed = committed(&store, found(&payment, "tecNO_DST", T0)).await;
        assert_eq!(failed.status(), Status::Failed);
        let usage = store.limit_usage(T0).await.unwrap().usage;
        assert_eq!((usage.daily_used, usage.pending), (xrp("0"), 0));
        let event = store.payment_events(payment.id).await.unwrap().pop().unwrap();
        assert_eq!(event.data["failure"]["ledger_code"], "tecNO_DST");
    }

    async fn a_stale_change_writes_nothing_at_all_of_its_commit(bed) {
        let store = anchored(bed).await;
        let first = accepted(&store, request("first", "1", T0)).await;
        let second = accepted(&store, request("second", "1", T0)).await;
        let stale = signed(&second, 11, T0);
        committed(&store, signed(&second, 12, T0)).await;
        let before = bed.everything().await;
        let commit = LaneCommit {
            changes: vec![signed(&first, 10, T0), stale],
            new_plugs: vec![plug(13)],
            journal: Some(JournalCommit {
                from: LedgerIndex(101),
                cursor: cursor(102),
                entries: vec![entry(101, 3, Delivered::Xrp(xrp("1")))],
                remembered: Vec::new(),
                tickets: Vec::new(),
                sign_from: None,
                credits: Vec::new(),
                closed_at: None,
            }),
            halt: Some("a foreign transaction".to_owned()),
            ..LaneCommit::new(WALLET, T0)
        };
        let error = store.commit_held(&commit).await.unwrap_err();
        assert!(matches!(&error, CommitError::Stale(ids) if *ids == [second.id]), "{error:?}");
        assert_eq!(bed.everything().await, before);
        assert_eq!(store.load_lane(WALLET).await.unwrap().halted, None);
        assert_eq!(store.payment(first.id).await.unwrap(), Some(first));
    }

    async fn a_journal_that_does_not_follow_the_cursor_is_refused_whole(bed) {
        let store = anchored(bed).await;
        let payment = accepted(&store, request("key", "1", T0)).await;
        let commit = |from: u32, to: u32| LaneCommit {
            changes: vec![signed(&payment, 10, T0)],
            journal: Some(JournalCommit {
                from: LedgerIndex(from),
                cursor: cursor(to),
                entries: vec![bare(from)],
                remembered: Vec::new(),
                tickets: Vec::new(),
                sign_from: None,
                credits: Vec::new(),
                closed_at: None,
            }),
            ..LaneCommit::new(WALLET, T0)
        };
        let before = bed.everything().await;
        for (from, to) in [(100, 110), (102, 110), (101, 100)] {
            let error = store.commit_held(&commit(from, to)).await.unwrap_err();
            assert!(matches!(error, CommitError::CursorMoved), "{from} to {to}: {error:?}");
        }
        let unknown = LaneCommit { wallet: "nobody".to_owned(), ..commit(101, 110) };
        assert!(matches!(store.commit_held(&unknown).await, Err(CommitError::CursorMoved)));
        assert_eq!(bed.everything().await, before);
        store.commit_held(&commit(101, 110)).await.unwrap();
        let record = store.load_lane(WALLET).await.unwrap();
        assert_eq!(record.cursor, Some(cursor(110)));
    }

    async fn a_cursor_never_passes_an_attempt_that_the_page_settles_and_the_commit_does_not(bed) {
        let store = anchored(bed).await;
        let payment = accepted(&store, request("key", "1", T0)).await;
        // Another process signs after this one has read the lane.
        let flying = committed(&store, signed(&payment, 10, T0)).await;
        let page = |slot: Slot, changes: Vec<xrpayd::store::Change>| LaneCommit {
            journal: Some(JournalCommit {
                from: LedgerIndex(101),
                cursor: cursor(110),
                entries: vec![Entry { sender: account(1), slot, ..bare(105) }],
                remembered: Vec::new(),
                tickets: Vec::new(),
                sign_from: None,
                credits: Vec::new(),
                closed_at: None,
            }),
            ..commit_of(changes, T0)
        };
        let before = bed.everything().await;
        let error = store.commit_held(&page(Slot::Sequence(10), Vec::new())).await.unwrap_err();
        assert!(matches!(error, CommitError::Overlooked), "{error:?}");
        assert_eq!(bed.everything().await, before);
        let settling = page(Slot::Sequence(10), vec![found(&flying, "tesSUCCESS", T0)]);
        store.commit_held(&settling).await.unwrap();
        assert_eq!(store.load_lane(WALLET).await.unwrap().cursor, Some(cursor(110)));

        let other = accepted(&store, request("other", "1", T0)).await;
        committed(&store, signed(&other, 11, T0)).await;
        let elsewhere = [
            Entry { sender: account(1), slot: Slot::Ticket(11), ..bare(115) },
            Entry { sender: account(2), slot: Slot::Sequence(11), ..bare(116) },
        ];
        let journal = JournalCommit {
            from: LedgerIndex(111),
            cursor: cursor(120),
            entries: elsewhere.to_vec(),
            remembered: Vec::new(),
            tickets: Vec::new(),
            sign_from: None,
            credits: Vec::new(),
            closed_at: None,
        };
        let unrelated = LaneCommit { journal: Some(journal), ..LaneCommit::new(WALLET, T0) };
        store.commit_held(&unrelated).await.unwrap();
    }

    async fn no_attempt_is_opened_on_a_sequence_that_the_journal_has_passed(bed) {
        let store = anchored(bed).await;
        let payment = accepted(&store, request("key", "1", T0)).await;
        // The journal shows the account at sequence 10: another process has carried it on.
        let before = bed.everything().await;
        let late = commit_of(vec![signed(&payment, 9, T0)], T0);
        let late_plug = LaneCommit { new_plugs: vec![plug(9), plug(12)], ..LaneCommit::new(WALLET, T0) };
        for commit in [&late, &late_plug] {
            let error = store.commit_held(commit).await.unwrap_err();
            assert!(matches!(error, CommitError::CursorMoved), "{error:?}");
        }
        assert_eq!(bed.everything().await, before);
        let flying = committed(&store, signed(&payment, 10, T0)).await;
        let journal = JournalCommit {
            from: LedgerIndex(101),
            cursor: xrpayd_core::journal::Cursor { next_sequence: 11, ..cursor(110) },
            entries: Vec::new(),
            remembered: Vec::new(),
            tickets: Vec::new(),
            sign_from: None,
            credits: Vec::new(),
            closed_at: None,
        };
        let passing = LaneCommit { journal: Some(journal), ..commit_of(vec![found(&flying, "tesSUCCESS", T0)], T0) };
        store.commit_held(&passing).await.unwrap();
    }

    async fn journal_entries_read_back_as_they_were_written(bed) {
        let store = anchored(bed).await;
        let entries = vec![
            entry(101, 3, Delivered::Xrp(xrp("1.000001"))),
            entry(101, 4, Delivered::Unreadable("{\"currency\":\"USD\"}".to_owned())),
            entry(102, 0, Delivered::Unavailable),
            bare(103),
        ];
        let journal = JournalCommit { from: LedgerIndex(101), cursor: cursor(104), entries: entries.clone(), remembered: Vec::new(), tickets: Vec::new(), sign_from: None, credits: Vec::new(), closed_at: None };
        let commit = LaneCommit { journal: Some(journal), ..LaneCommit::new(WALLET, T0) };
        store.commit_held(&commit).await.unwrap();
        let read = |from, to| store.journal_entries(WALLET, LedgerIndex(from), LedgerIndex(to));
        assert_eq!(read(0, 200).await.unwrap(), entries);
        assert_eq!(read(102, 102).await.unwrap(), entries[2..3]);
        assert_eq!(store.journal_entries("cold", LedgerIndex(0), LedgerIndex(200)).await.unwrap(), []);
    }

    async fn a_lane_is_found_again_with_its_open_attempts_blobs_and_plugs(bed) {
        let store = anchored(bed).await;
        let mut payments = Vec::new();
        for n in 0..300_u32 {
            payments.push(accepted(&store, request(&format!("key {n}"), "1", T0.plus_ms(n.into()))).await);
        }
        let changes = payments.iter().zip(10..).take(250).map(|(p, n)| signed(p, n, T0)).collect();
        let commit = LaneCommit { new_plugs: vec![plug(900), plug(901)], ..commit_of(changes, T0) };
        store.commit_held(&commit).await.unwrap();
        let closing = LaneCommit { plug_updates: vec![(hash(900), dead())], ..LaneCommit::new(WALLET, T0) };
        store.commit_held(&closing).await.unwrap();
        store.close().await;

        let store = bed.open().await;
        let record = store.load_lane(WALLET).await.unwrap();
        assert_eq!(record.account, Some(account(1)));
        assert_eq!(record.cursor, Some(cursor(100)));
        assert_eq!(record.in_flight.len(), 250);
        for ((payment, blobs), (accepted, n)) in record.in_flight.iter().zip(payments.iter().zip(10_u32..)) {
            assert_eq!((payment.id, payment.substatus()), (accepted.id, Some(Substatus::Signed)));
            assert_eq!(*blobs, [(hash(n), vec![1, 2, 3, u8::try_from(n % 256).unwrap()])]);
        }
        assert_eq!(record.plugs, [PlugRecord { plug: plug(901), state: AttemptState::Signed }]);
        let queued = store.queued(WALLET, None, 1_000).await.unwrap();
        assert_eq!(queued, payments[250..]);
        let after = store.queued(WALLET, Some(payments[260].id), 5).await.unwrap();
        assert_eq!(after, payments[261..266]);
        let nobody = store.load_lane("nobody").await.unwrap();
        assert_eq!((nobody.account, nobody.cursor, nobody.in_flight.len()), (None, None, 0));
    }

    async fn a_dead_attempt_leaves_the_lane_and_stays_in_the_payment(bed) {
        let store = anchored(bed).await;
        let payment = accepted(&store, request("key", "1", T0)).await;
        let payment = committed(&store, signed(&payment, 10, T0)).await;
        let payment = committed(&store, absent(&payment, T0)).await;
        let payment = committed(&store, signed(&payment, 11, T0)).await;
        let record = store.load_lane(WALLET).await.unwrap();
        assert_eq!(record.in_flight.len(), 1);
        assert_eq!(record.in_flight[0].0, payment);
        assert_eq!(record.in_flight[0].1.len(), 1, "only the open attempt's blob");
        assert_eq!(payment.attempts.len(), 2);
    }

    async fn a_wallet_is_anchored_once_and_never_as_somebody_else(bed) {
        let store = anchored(bed).await;
        store.anchor_held(WALLET, account(1), 0, &cursor(500), None, T0).await.unwrap();
        let record = store.load_lane(WALLET).await.unwrap();
        assert_eq!(record.cursor, Some(cursor(100)), "the journal stays where it is");
        for (who, network) in [(account(2), 0), (account(1), 1)] {
            let error = store.anchor_held(WALLET, who, network, &cursor(100), None, T0).await.unwrap_err();
            assert!(matches!(error, StoreError::WalletDiffers { .. }), "{error:?}");
        }
        let from = Some(LedgerIndex(140));
        store.anchor_held("second", account(3), 0, &cursor(100), from, T0).await.unwrap();
        assert_eq!(store.load_lane("second").await.unwrap().sign_from, from);
    }

    async fn a_halt_stands_until_it_is_lifted(bed) {
        let store = anchored(bed).await;
        let halting = LaneCommit { halt: Some("somebody else signs".to_owned()), ..LaneCommit::new(WALLET, T0) };
        store.commit_held(&halting).await.unwrap();
        assert_eq!(store.load_lane(WALLET).await.unwrap().halted.as_deref(), Some("somebody else signs"));
        store.commit_held(&LaneCommit::new(WALLET, T0)).await.unwrap();
        assert!(store.load_lane(WALLET).await.unwrap().halted.is_some(), "a step does not lift it");
        store.set_halt(WALLET, None, &Actor::Daemon, T0).await.unwrap();
        assert_eq!(store.load_lane(WALLET).await.unwrap().halted, None);
        let unknown = store.set_halt("nobody", Some("why"), &Actor::Daemon, T0).await.unwrap_err();
        assert!(matches!(unknown, StoreError::UnknownWallet(_)), "{unknown:?}");
    }

    async fn what_was_found_before_a_person_resumed_the_wallet_does_not_halt_it_again(bed) {
        let store = anchored(bed).await;
        let at = store.load_lane(WALLET).await.unwrap().cursor.unwrap().at;
        assert!(store.halt_unless_halted(WALLET, "differs", None, T0).await.unwrap());
        assert!(!store.halt_unless_halted(WALLET, "differs more", None, T0).await.unwrap());
        assert_eq!(store.load_lane(WALLET).await.unwrap().halted.as_deref(), Some("differs"));
        store.set_halt(WALLET, None, &Actor::Daemon, T0).await.unwrap();
        assert!(!store.halt_unless_halted(WALLET, "differs", None, T0).await.unwrap(), "it was read before");
        assert_eq!(store.load_lane(WALLET).await.unwrap().halted, None);
        assert!(store.halt_unless_halted(WALLET, "differs still", Some(at), T0).await.unwrap());
    }

    async fn a_change_that_contradicts_itself_is_refused_and_writes_nothing(bed) {
        let store = anchored(bed).await;
        let payment = accepted(&store, request("key", "1", T0)).await;
        let flying = committed(&store, signed(&payment, 10, T0)).await;
        let before = bed.everything().await;
        let good = found(&flying, "tesSUCCESS", T0);
        let unsettled = xrpayd::store::Change { settled: None, ..good.clone() };
        let settled_early = xrpayd::store::Change { settled: Some(xrp("1")), ..submitted(&flying, T0) };
        let strange_blob = xrpayd::store::Change { new_blobs: vec![(hash(99), vec![1])], ..good.clone() };
        for bad in [vec![unsettled], vec![settled_early], vec![strange_blob], vec![good.clone(), good.clone()]] {
            let error = store.commit_held(&commit_of(bad, T0)).await.unwrap_err();
            assert!(matches!(error, CommitError::Store(StoreError::BadChange { .. })), "{error:?}");
        }
        assert_eq!(bed.everything().await, before);
        store.commit_held(&commit_of(vec![good], T0)).await.unwrap();
    }

    async fn an_attempt_without_its_blob_is_never_written(bed) {
        let store = anchored(bed).await;
        let payment = accepted(&store, request("key", "1", T0)).await;
        let before = bed.everything().await;
        let change = xrpayd::store::Change { new_blobs: Vec::new(), ..signed(&payment, 10, T0) };
        let error = store.commit_held(&commit_of(vec![change], T0)).await.unwrap_err();
        assert!(matches!(error, CommitError::Store(StoreError::Corrupt { .. })), "{error:?}");
        assert_eq!(bed.everything().await, before);
    }

    async fn what_has_expired_is_found_in_the_order_of_its_expiry(bed) {
        let store = anchored(bed).await;
        let mut ids = Vec::new();
        for (n, expires) in [(0, Some(500)), (1, Some(300)), (2, None), (3, Some(900))] {
            let mut new = request(&format!("key {n}"), "1", T0);
            new.order.expires_at = expires.map(|ms| T0.plus_ms(ms));
            ids.push(accepted(&store, new).await.id);
        }
        let found = |ms: i64| {
            let store = store.clone();
            async move {
                let found = store.past_expiry(WALLET, T0.plus_ms(ms), 10).await.unwrap();
                found.into_iter().map(|payment| payment.id).collect::<Vec<_>>()
            }
        };
        assert_eq!(found(299).await, []);
        assert_eq!(found(300).await, [ids[1]]);
        assert_eq!(found(899).await, [ids[1], ids[0]]);
    }

    async fn a_commit_that_is_dropped_in_the_middle_leaves_nothing(bed) {
        let store = anchored(bed).await;
        let held = tenure(&store, WALLET).await;
        let (mut crashes, mut done) = (0, 0);
        // Each round commits twenty payments in the end; before that it is dropped again and again,
        // one wake-up later each time.
        while crashes < 12 {
            assert!(done < 30, "a commit has to wait for its database: {crashes} crashes");
            let sequences = 10 + 100 * done..;
            let mut changes = Vec::new();
            for sequence in sequences.take(20) {
                let payment = accepted(&store, request(&format!("key {sequence}"), "1", T0)).await;
                changes.push(signed(&payment, sequence, T0));
            }
            let plugs = vec![plug(99 + 100 * done)];
            let commit = LaneCommit { new_plugs: plugs, ..commit_of(changes, T0) };
            let before = bed.everything().await;
            let mut dropped = 0;
            for wakes in 1.. {
                match dropped_after(wakes, store.commit(&held, &commit)).await {
                    None => dropped += 1,
                    // One that was dropped while its commit was on the way may be done after all.
                    Some(Err(CommitError::Stale(_))) if dropped > 0 => break,
                    Some(outcome) => {
                        outcome.unwrap();
                        break;
                    }
                }
                // And then all of it is there, never a part.
                if bed.everything().await != before {
                    break;
                }
            }
            crashes += dropped;
            done += 1;
            let record = store.load_lane(WALLET).await.unwrap();
            let rounds = usize::try_from(done).unwrap();
            assert_eq!((record.in_flight.len(), record.plugs.len()), (20 * rounds, rounds));
        }
    }

    async fn totals_follow_every_step_and_are_the_same_after_a_restart(bed) {
        let store = anchored(bed).await;
        let mut payments = Vec::new();
        for n in 0..6 {
            payments.push(accepted(&store, request(&format!("key {n}"), "1", T0.plus_ms(n))).await);
        }
        let mut other = request("other", "1", T0.plus_ms(50));
        other.wallet = "second".to_owned();
        accepted(&store, other).await;
        delivered(&store, &payments[0], 10, T0).await;
        committed(&store, signed(&payments[1], 11, T0)).await;
        let signed_two = committed(&store, signed(&payments[2], 12, T0)).await;
        committed(&store, submitted(&signed_two, T0)).await;
        let flying = committed(&store, signed(&payments[3], 13, T0)).await;
        committed(&store, found(&flying, "tecNO_DST", T0)).await;
        cancel(&store, payments[4].id, None, T0).await;

        let totals = store.totals().await.unwrap();
        let of = |status| totals.by_status[&status];
        assert_eq!([of(Status::Processing), of(Status::Succeeded), of(Status::Failed)], [4, 1, 1]);
        assert_eq!([of(Status::Expired), of(Status::Cancelled)], [0, 1]);
        let sub = |substatus| totals.by_substatus[&substatus];
        assert_eq!([sub(Substatus::Queued), sub(Substatus::Signed), sub(Substatus::Submitted)], [2, 1, 1]);
        assert_eq!((sub(Substatus::Paused), totals.pending()), (0, 4));
        assert_eq!(totals.oldest_processing, Some(T0.plus_ms(1)));
        let oldest = |substatus| totals.oldest_by_substatus.get(&substatus).copied();
        assert_eq!(oldest(Substatus::Queued), Some(T0.plus_ms(5)));
        assert_eq!(oldest(Substatus::Submitted), Some(T0.plus_ms(2)));
        assert_eq!(oldest(Substatus::Paused), None);
        // Two are open, and a ledger that may still hold them is not one that has passed them.
        assert_eq!(store.attempts_overdue(LedgerIndex(120)).await.unwrap(), 0);
        assert_eq!(store.attempts_overdue(LedgerIndex(121)).await.unwrap(), 2);
        assert_eq!(totals.wallets["second"].oldest_processing, Some(T0.plus_ms(50)));
        assert_eq!(totals.wallets[WALLET].by_status[&Status::Processing], 3);
        store.close().await;
        assert_eq!(bed.open().await.totals().await.unwrap(), totals);
    }
}
