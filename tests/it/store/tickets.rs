//! Tickets and what operators ask of them: written with the page or the step that they follow from.

use super::bed::*;
use crate::support::held::Held as _;
use std::collections::BTreeSet;
use xrpayd::store::{
    Actor, Change, CommitError, JournalCommit, LaneCommit, TicketAsk, TicketStatus,
};
use xrpayd_core::engine::{
    KnownTickets, Making, NewTicketCreate, RequestNews, TicketCreateRecord, TicketRequest,
    TicketRequestId,
};
use xrpayd_core::ids::LedgerIndex;
use xrpayd_core::journal::TicketChange::{self, Made, Used};
use xrpayd_core::money::Drops;
use xrpayd_core::payment::{AttemptState, Event, NewAttempt, Slot};

fn page(ledger: u32, changes: &[TicketChange]) -> LaneCommit {
    let tickets = changes
        .iter()
        .map(|change| (LedgerIndex(ledger), *change))
        .collect();
    LaneCommit {
        journal: Some(JournalCommit {
            from: LedgerIndex(ledger),
            cursor: cursor(ledger),
            entries: Vec::new(),
            remembered: Vec::new(),
            tickets,
            sign_from: None,
            credits: Vec::new(),
            closed_at: None,
        }),
        ..LaneCommit::new(WALLET, T0)
    }
}

fn known(ledger: u32, numbers: &[u32]) -> LaneCommit {
    LaneCommit {
        tickets: Some(KnownTickets {
            at: LedgerIndex(ledger),
            standing: numbers.iter().copied().collect(),
        }),
        ..LaneCommit::new(WALLET, T0)
    }
}

fn making(n: u32, request: Option<TicketRequestId>) -> NewTicketCreate {
    NewTicketCreate {
        making: Making { count: 5, request },
        attempt: NewAttempt {
            hash: hash(n),
            slot: Slot::Sequence(n),
            fee: Drops::new(12).unwrap(),
            first_ledger: LedgerIndex(101),
            last_ledger: LedgerIndex(120),
            signed_at: T0,
        },
        blob: vec![7, 7],
    }
}

on_both_stores! {
    async fn tickets_are_unknown_until_they_were_read_and_then_follow_the_pages(bed) {
        let store = anchored(bed).await;
        let standing = async || store.load_lane(WALLET).await.unwrap().tickets;
        assert_eq!(standing().await, None);
        store.commit_held(&page(101, &[Made(9)])).await.unwrap();
        assert_eq!(standing().await, None);
        let late = store.commit_held(&known(100, &[7, 8])).await;
        assert!(matches!(late, Err(CommitError::CursorMoved)), "the journal went on meanwhile");
        assert_eq!(standing().await, None);
        store.commit_held(&known(101, &[7, 8, 9])).await.unwrap();
        let again = store.commit_held(&known(101, &[7])).await;
        assert!(matches!(again, Err(CommitError::CursorMoved)), "somebody else read them before");
        assert_eq!(standing().await, Some(BTreeSet::from([7, 8, 9])));
        store.commit_held(&page(102, &[Made(20), Made(21), Used(8), Used(20)])).await.unwrap();
        assert_eq!(standing().await, Some(BTreeSet::from([7, 9, 21])));
        let stale = page(102, &[Used(7)]);
        assert!(store.commit_held(&stale).await.is_err());
        assert_eq!(standing().await, Some(BTreeSet::from([7, 9, 21])), "all or nothing");
        let nobody = LaneCommit { wallet: "nobody".to_owned(), ..known(102, &[1]) };
        assert!(store.commit_held(&nobody).await.is_err());
    }

    async fn no_attempt_is_opened_on_a_ticket_that_does_not_stand(bed) {
        let store = anchored(bed).await;
        let payment = accepted(&store, request("key", "1", T0)).await;
        let on_ticket = |number: u32| {
            let attempt = NewAttempt { slot: Slot::Ticket(number), ..making(number, None).attempt };
            let blobs = vec![(attempt.hash, vec![7])];
            let signed = Change { new_blobs: blobs, ..change(&payment, Event::Sign(attempt), T0) };
            LaneCommit { changes: vec![signed], ..LaneCommit::new(WALLET, T0) }
        };
        store.commit_held(&known(100, &[7, 8])).await.unwrap();
        // Another process reads a page in which ticket 7 is used.
        store.commit_held(&page(101, &[Used(7)])).await.unwrap();
        let before = bed.everything().await;
        for gone in [7, 9] {
            let error = store.commit_held(&on_ticket(gone)).await.unwrap_err();
            assert!(matches!(error, CommitError::CursorMoved), "{error:?}");
        }
        assert_eq!(bed.everything().await, before);
        store.commit_held(&on_ticket(8)).await.unwrap();
        let late_making = LaneCommit {
            new_ticket_creates: vec![making(9, None)],
            ..LaneCommit::new(WALLET, T0)
        };
        let error = store.commit_held(&late_making).await.unwrap_err();
        assert!(matches!(error, CommitError::CursorMoved), "{error:?}");
    }

    async fn a_request_is_one_however_often_it_is_asked_for(bed) {
        let store = anchored(bed).await;
        let TicketAsk::Open(id) = store.ask_for_tickets(WALLET, 5, &Actor::Daemon, T0).await.unwrap() else {
            panic!("another is open")
        };
        assert_eq!(store.ask_for_tickets(WALLET, 5, &Actor::Daemon, T0).await.unwrap(), TicketAsk::Open(id));
        let other = store.ask_for_tickets(WALLET, 6, &Actor::Daemon, T0).await.unwrap();
        assert!(matches!(other, TicketAsk::Other(open) if open.id == id && open.count == 5));
        let elsewhere = store.ask_for_tickets("warm", 6, &Actor::Daemon, T0).await.unwrap();
        assert!(matches!(elsewhere, TicketAsk::Open(theirs) if theirs > id));
        let too_many = store.ask_for_tickets("cold", 251, &Actor::Daemon, T0).await;
        assert!(too_many.is_err());
        let open = store.open_ticket_request(WALLET).await.unwrap();
        assert_eq!(open, Some(TicketRequest { id, count: 5, waits_for: None }));
    }

    async fn what_comes_of_a_request_is_told_and_what_the_ledger_did_stands(bed) {
        let store = anchored(bed).await;
        let TicketAsk::Open(id) = store.ask_for_tickets(WALLET, 5, &Actor::Daemon, T0).await.unwrap() else {
            panic!("another is open")
        };
        let tell = async |news| {
            let commit = LaneCommit { request_news: vec![(id, news)], ..LaneCommit::new(WALLET, T0) };
            store.commit_held(&commit).await.unwrap();
            store.ticket_request(id).await.unwrap().unwrap().status
        };
        let waits = |why: &str| TicketStatus::Open { waits_for: Some(why.to_owned()) };
        assert_eq!(tell(RequestNews::Waits("money".into())).await, waits("money"));
        let refused = TicketStatus::Refused { reason: "no".into() };
        assert_eq!(tell(RequestNews::Refused("no".into())).await, refused);
        assert_eq!(tell(RequestNews::Waits("late".into())).await, refused);
        assert_eq!(store.open_ticket_request(WALLET).await.unwrap(), None);
        let made = TicketStatus::Made { hash: hash(3) };
        assert_eq!(tell(RequestNews::Made(hash(3))).await, made);
        assert_eq!(tell(RequestNews::Refused("too late".into())).await, made);
        let next = store.ask_for_tickets(WALLET, 9, &Actor::Daemon, T0).await.unwrap();
        assert!(matches!(next, TicketAsk::Open(next) if next > id));
        assert_eq!(store.ticket_request(TicketRequestId(77)).await.unwrap(), None);
    }

    async fn a_transaction_that_makes_tickets_is_found_again_with_what_it_serves(bed) {
        let store = anchored(bed).await;
        let TicketAsk::Open(id) = store.ask_for_tickets(WALLET, 5, &Actor::Daemon, T0).await.unwrap() else {
            panic!("another is open")
        };
        let (asked, refill) = (making(10, Some(id)), making(11, None));
        let commit = LaneCommit {
            new_ticket_creates: vec![asked.clone(), refill.clone()],
            ..LaneCommit::new(WALLET, T0)
        };
        store.commit_held(&commit).await.unwrap();
        let state = AttemptState::Signed;
        let record = |signed: NewTicketCreate| TicketCreateRecord { signed, state: state.clone() };
        let lane = store.load_lane(WALLET).await.unwrap();
        assert_eq!(lane.ticket_creates, [record(asked), record(refill.clone())]);
        assert!(lane.plugs.is_empty());
        let validated = AttemptState::Validated {
            result: "tesSUCCESS".to_owned(),
            ledger_index: LedgerIndex(102),
        };
        let settled = LaneCommit {
            plug_updates: vec![(hash(10), validated)],
            ..LaneCommit::new(WALLET, T0)
        };
        store.commit_held(&settled).await.unwrap();
        assert_eq!(store.load_lane(WALLET).await.unwrap().ticket_creates, [record(refill)]);
        let unknown = LaneCommit {
            new_ticket_creates: vec![making(12, Some(TicketRequestId(99)))],
            ..LaneCommit::new(WALLET, T0)
        };
        assert!(store.commit_held(&unknown).await.is_err(), "no such request");
    }
}
