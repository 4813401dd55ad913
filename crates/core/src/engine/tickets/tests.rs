use super::super::{LaneRecord, bed};
use super::*;
use crate::engine::{Sight, Tick};
use crate::journal::{Entry, RootAfter, RootProof, TICKET_CREATE};
use crate::payment::{AbsenceReason, Answer, Payment, Proof, State, Status};
use std::collections::BTreeMap;

mod chain;

const EACH: Drops = bed::drops(200_000);

fn wants(request: Option<&TicketRequest>) -> TicketWants<'_> {
    TicketWants {
        request,
        refill: Refill {
            low_water: 2,
            refill_to: 4,
        },
        reserve_each: EACH,
    }
}

fn request(count: u32) -> TicketRequest {
    TicketRequest {
        id: TicketRequestId(7),
        count,
        waits_for: None,
    }
}

fn desk_with(standing: impl IntoIterator<Item = u32>) -> Desk {
    bed::desk_of(LaneRecord {
        tickets: Some(standing.into_iter().collect()),
        ..bed::record()
    })
}

/// The conditions at the desk's cursor.
fn at(desk: &Desk) -> Conditions {
    Conditions {
        tip: desk.cursor().at,
        ..bed::AT
    }
}

fn plan(desk: &mut Desk, wants: &TicketWants<'_>) -> TicketPlan {
    let at = at(desk);
    desk.plan_tickets(wants, &at, &bed::SETTINGS, bed::NOW)
}

/// Signs the TicketCreate that is wanted; its hash.
fn make(desk: &mut Desk, wants: &TicketWants<'_>) -> TxHash {
    let TicketPlan::Sign(plan) = plan(desk, wants) else {
        panic!("nothing is signed")
    };
    let step = bed::sealed(desk, plan);
    assert_eq!(step.commit().new_ticket_creates.len(), 1);
    desk.made_durable(step).send[0].0
}

/// What a plan that signs nothing tells the request.
fn told(plan: TicketPlan) -> RequestNews {
    let TicketPlan::Tell(step) = plan else {
        panic!("{plan:?}")
    };
    step.commit().request_news[0].1.clone()
}

/// Our TicketCreate on `sequence` as the next ledger holds it.
fn made(hash: TxHash, sequence: u32, count: u32, result: &str) -> Entry {
    let next = sequence + 1 + if result == MADE { count } else { 0 };
    Entry {
        transaction_type: TICKET_CREATE.into(),
        root_after: Some(RootAfter {
            balance: bed::drops(bed::BALANCE - 10),
            sequence: next,
            owner_count: count,
        }),
        ..bed::entry(hash, sequence, result)
    }
}

fn take(desk: &mut Desk, entries: Vec<Entry>) -> Step {
    let page = bed::page(desk, entries);
    desk.take_page(&page, None, &bed::SETTINGS, bed::NOW)
        .unwrap()
}

#[test]
fn tickets_that_were_asked_for_are_made_and_the_request_is_told_in_the_commit_of_the_page() {
    let mut desk = desk_with([]);
    let request = request(5);
    let hash = make(&mut desk, &wants(Some(&request)));
    assert_eq!(desk.tickets_on_order(), 5);
    assert!(matches!(
        plan(&mut desk, &wants(Some(&request))),
        TicketPlan::Nothing
    ));
    let step = take(&mut desk, vec![made(hash, 100, 5, MADE)]);
    let commit = step.commit();
    assert_eq!(commit.request_news, [(request.id, RequestNews::Made(hash))]);
    assert_eq!(commit.journal.as_ref().unwrap().tickets.len(), 5);
    assert!(desk.tickets().standing().is_empty(), "memory waits");
    let notes = desk.made_durable(step).notes;
    assert!(
        notes.contains(&Note::TicketsMade { hash, count: 5 }),
        "{notes:?}"
    );
    assert_eq!(desk.tickets().standing(), &(101..106).collect());
    assert_eq!((desk.tickets_on_order(), desk.lane().open_len()), (0, 0));
    let stale = plan(&mut desk, &wants(Some(&request)));
    assert!(matches!(stale, TicketPlan::Nothing), "made once");
    let sent = bed::signed(&mut desk, vec![bed::payment(1)]);
    assert_eq!(desk.flights()[&sent[0]].slot, Slot::Sequence(106));
}

#[test]
fn a_refusal_of_the_ledger_ends_the_request_and_the_lane_goes_on_right_behind() {
    let mut desk = desk_with([]);
    let request = request(5);
    let hash = make(&mut desk, &wants(Some(&request)));
    let step = take(
        &mut desk,
        vec![made(hash, 100, 5, "tecINSUFFICIENT_RESERVE")],
    );
    let news = &step.commit().request_news[0].1;
    assert!(matches!(news, RequestNews::Refused(why) if why.contains("tecINSUFFICIENT")));
    let _ = desk.made_durable(step);
    assert!(desk.tickets().standing().is_empty());
    let sent = bed::signed(&mut desk, vec![bed::payment(1)]);
    assert_eq!(desk.flights()[&sent[0]].slot, Slot::Sequence(101));
}

#[test]
fn nothing_is_signed_behind_tickets_that_are_being_made() {
    let mut desk = desk_with([]);
    bed::signed(&mut desk, vec![bed::payment(1)]);
    make(&mut desk, &wants(Some(&request(5))));
    assert_eq!(desk.next_scan(&bed::AT, &bed::SETTINGS), None);
    assert!(bed::signed(&mut desk, vec![bed::payment(2)]).is_empty());
}

#[test]
fn tickets_that_never_came_to_be_are_signed_again_only_when_that_is_proven() {
    let mut desk = desk_with([]);
    let request = request(5);
    let hash = make(&mut desk, &wants(Some(&request)));
    while desk.cursor().at < bed::AT.tip.plus(20) {
        bed::next_ledger(&mut desk);
        assert!(matches!(
            plan(&mut desk, &wants(Some(&request))),
            TicketPlan::Nothing
        ));
    }
    let root = RootProof {
        at: desk.cursor().at,
        sequence: 100,
        tickets: None,
        servers: vec!["a".into(), "b".into()],
    };
    let step = desk.take_root(&root, bed::NOW);
    assert!(step.commit().request_news.is_empty(), "it is still open");
    let _ = desk.made_durable(step);
    assert_ne!(make(&mut desk, &wants(Some(&request))), hash);
    assert_eq!(desk.flights().len(), 1);
}

#[test]
fn what_no_server_takes_is_refused_and_its_sequence_plugged() {
    let mut desk = desk_with([]);
    let request = request(5);
    let hash = make(&mut desk, &wants(Some(&request)));
    let answers = [(hash, Answer::Engine("temDISABLED".into()))];
    let step = desk.take_answers(&answers, Tick(0), bed::NOW);
    let news = &step.commit().request_news[0].1;
    assert!(matches!(news, RequestNews::Refused(why) if why.contains("temDISABLED")));
    assert_eq!(desk.made_durable(step).closed, [hash]);
    let again = desk.take_answers(&answers, Tick(0), bed::NOW);
    assert!(again.is_empty(), "told once");
    let plug = desk.plan_plugs(&bed::AT, &bed::SETTINGS).unwrap();
    assert_eq!(plug.jobs()[0].terms.slot, Slot::Sequence(100));
}

#[test]
fn a_request_waits_with_a_reason_that_is_told_once_or_is_refused_for_good() {
    let mut desk = desk_with(1..=246);
    let refused = told(plan(&mut desk, &wants(Some(&request(5)))));
    assert!(matches!(refused, RequestNews::Refused(why) if why.contains("250")));

    let mut desk = desk_with(1..=245);
    let full = plan(&mut desk, &wants(Some(&request(5))));
    assert!(matches!(full, TicketPlan::Sign(_)), "250 may stand");

    let mut desk = desk_with([]);
    let mut dear = at(&desk);
    dear.reserve = bed::drops(bed::BALANCE - 5 * EACH.get() - 9);
    let mut ask = request(5);
    let TicketPlan::Tell(step) =
        desk.plan_tickets(&wants(Some(&ask)), &dear, &bed::SETTINGS, bed::NOW)
    else {
        panic!("nothing is told")
    };
    let RequestNews::Waits(why) = step.commit().request_news[0].1.clone() else {
        panic!("{step:?}")
    };
    let _ = desk.made_durable(step);
    ask.waits_for = Some(why);
    let again = desk.plan_tickets(&wants(Some(&ask)), &dear, &bed::SETTINGS, bed::NOW);
    assert!(matches!(again, TicketPlan::Nothing));
    assert!(!desk.lane().is_barred());
    dear.reserve = dear.reserve.saturating_sub(bed::drops(1));
    let enough = desk.plan_tickets(&wants(Some(&ask)), &dear, &bed::SETTINGS, bed::NOW);
    assert!(matches!(enough, TicketPlan::Sign(_)));

    let mut unread = bed::desk();
    let news = told(plan(&mut unread, &wants(Some(&request(5)))));
    assert!(matches!(news, RequestNews::Waits(why) if why.contains("not read")));
}

#[test]
fn a_refill_comes_at_the_low_water_mark_and_pauses_after_a_refusal() {
    let mut desk = desk_with([1, 2]);
    assert!(matches!(plan(&mut desk, &wants(None)), TicketPlan::Nothing));
    let mut desk = desk_with([1]);
    let hash = make(&mut desk, &wants(None));
    let making = desk.flights()[&hash].owner;
    let refill = Making {
        count: 3,
        request: None,
    };
    assert_eq!(making, Owner::Tickets(refill));
    let step = take(&mut desk, vec![made(hash, 100, 3, "tecDIR_FULL")]);
    let notes = desk.made_durable(step).notes;
    let told = |note: &Note| matches!(note, Note::TicketsRefused { why, .. } if why.contains("tecDIR_FULL"));
    assert!(notes.iter().any(told), "{notes:?}");
    assert!(matches!(plan(&mut desk, &wants(None)), TicketPlan::Nothing));
    // The page with the refusal was the first of them.
    for _ in 1..REFILL_PAUSE_LEDGERS {
        assert!(matches!(plan(&mut desk, &wants(None)), TicketPlan::Nothing));
        bed::next_ledger(&mut desk);
    }
    make(&mut desk, &wants(None));
}

#[test]
fn a_request_that_the_ledger_refused_holds_up_no_refill() {
    let mut desk = desk_with([1]);
    let hash = make(&mut desk, &wants(Some(&request(5))));
    let step = take(&mut desk, vec![made(hash, 100, 5, "tecDIR_FULL")]);
    let _ = desk.made_durable(step);
    make(&mut desk, &wants(None));
}

#[test]
fn tickets_are_not_made_at_the_end_of_a_lane_that_is_stuck() {
    let (mut desk, _) = stuck([]);
    let news = told(plan(&mut desk, &wants(Some(&request(5)))));
    assert!(matches!(news, RequestNews::Waits(why) if why.contains("does not get into a ledger")));
    assert!(!desk.lane().is_barred());
}

#[test]
fn a_ticket_is_kept_for_a_payment_that_is_being_looked_at() {
    let (mut desk, _) = stuck([7]);
    let (at, first) = (at(&desk), bed::payment(101).id);
    let mut look = |payment: &Payment| match payment.id == first {
        true => Sight::Pending,
        false => Sight::Clear,
    };
    let queued = vec![bed::payment(101), bed::payment(102)];
    let none = BTreeMap::new();
    let plan = desk.plan_signing(queued, &none, &at, &bed::SETTINGS, bed::NOW, &mut look);
    assert!(plan.jobs().is_empty());
    assert_eq!(bed::signed(&mut desk, vec![bed::payment(101)]).len(), 1);
}

#[test]
fn a_desk_that_is_read_again_knows_the_tickets_that_are_being_made_and_those_in_use() {
    let mut desk = desk_with([]);
    let request = request(5);
    let TicketPlan::Sign(plan) = plan(&mut desk, &wants(Some(&request))) else {
        panic!("nothing is signed")
    };
    let step = bed::sealed(&mut desk, plan);
    let signed = step.commit().new_ticket_creates[0].clone();
    let mut by_ticket = bed::in_flight(1, 0, 9);
    by_ticket.attempts[0].slot = Slot::Ticket(40);
    let again = bed::desk_of(LaneRecord {
        ticket_creates: vec![TicketCreateRecord {
            signed,
            state: AttemptState::Signed,
        }],
        tickets: Some(BTreeSet::from([40, 41])),
        in_flight: vec![(by_ticket, vec![(bed::hash(9), vec![9])])],
        ..bed::record()
    });
    assert_eq!(again.tickets_on_order(), 5);
    assert!(again.lane().is_barred());
    assert_eq!(again.tickets().free_len(), 1);
}

/// A desk whose first transaction does not get into a ledger, and what stands behind it.
fn stuck(standing: impl IntoIterator<Item = u32>) -> (Desk, Vec<TxHash>) {
    let mut desk = desk_with(standing);
    let many = (1..=bed::SETTINGS.max_in_flight).map(bed::payment);
    let sent = bed::signed(&mut desk, many.collect());
    for _ in 0..3 {
        assert_eq!(desk.next_scan(&at(&desk), &bed::SETTINGS), None, "full");
        bed::next_ledger(&mut desk);
    }
    (desk, sent)
}

#[test]
fn payments_pass_by_a_lane_that_is_stuck_and_full_as_long_as_there_are_tickets() {
    let (mut desk, _) = stuck([7, 8]);
    let later: Vec<Payment> = (101..104).map(bed::payment).collect();
    let sent = bed::signed(&mut desk, later);
    let slots: Vec<Slot> = sent.iter().map(|hash| desk.flights()[hash].slot).collect();
    assert_eq!(slots, [Slot::Ticket(7), Slot::Ticket(8)]);
    assert_eq!(desk.next_scan(&at(&desk), &bed::SETTINGS), None);
}

#[test]
fn a_lane_that_moves_again_takes_the_payments_again() {
    let (mut desk, sent) = stuck([7, 8]);
    let step = take(&mut desk, vec![bed::entry(sent[0], 100, "tesSUCCESS")]);
    let _ = desk.made_durable(step);
    let next = bed::signed(&mut desk, vec![bed::payment(101), bed::payment(102)]);
    assert_eq!(next.len(), 1, "there is room for one");
    assert!(matches!(desk.flights()[&next[0]].slot, Slot::Sequence(_)));
}

/// A desk whose lane is stuck, with nothing by ticket, at that ledger.
fn stuck_until(ledger: LedgerIndex) -> (Desk, Vec<TxHash>) {
    let (mut desk, sent) = stuck([7]);
    while desk.cursor().at < ledger {
        bed::next_ledger(&mut desk);
    }
    (desk, sent)
}

/// A desk on which payment 101 went by ticket 7, in the ledger of its last one.
fn overdue_by_ticket() -> (Desk, TxHash) {
    let (mut desk, _) = stuck([7]);
    let hash = bed::signed(&mut desk, vec![bed::payment(101)])[0];
    let last = desk.flights()[&hash].last_ledger;
    while desk.cursor().at < last {
        bed::next_ledger(&mut desk);
    }
    assert!(desk.has_overdue_by_ticket());
    let by_sequence = stuck_until(last).0;
    assert!(by_sequence.has_overdue() && !by_sequence.has_overdue_by_ticket());
    (desk, hash)
}

fn root_with(desk: &Desk, tickets: Option<&[u32]>) -> RootProof {
    RootProof {
        at: desk.cursor().at,
        sequence: 100,
        tickets: tickets.map(|standing| standing.iter().copied().collect()),
        servers: vec!["a".into(), "b".into()],
    }
}

#[test]
fn the_ticket_that_stands_proves_the_absence_and_the_payment_may_go_by_another_slot() {
    let (mut desk, hash) = overdue_by_ticket();
    let silent = desk.take_root(&root_with(&desk, None), bed::NOW);
    let of_ticket = |step: &Step| step.settled.contains(&hash);
    assert!(!of_ticket(&silent), "an account root says nothing of it");
    let step = desk.take_root(&root_with(&desk, Some(&[7])), bed::NOW);
    assert!(of_ticket(&step) && step.commit().halt.is_none());
    let mut changes = step.commit().changes.iter();
    let change = changes.find(|change| change.payment.id == bed::payment(101).id);
    let payment = change.unwrap().payment.clone();
    assert_eq!(payment.state, State::Queued { hold: None });
    let AttemptState::Dead { proof } = &payment.attempts[0].state else {
        panic!("{payment:?}")
    };
    assert!(matches!(
        proof.reason,
        AbsenceReason::TicketStands { ticket: 7, .. }
    ));
    let _ = desk.made_durable(step);
    assert_eq!(desk.tickets().free_len(), 1);
    // Everything of the lane was proven absent with it: the lane is empty, and taken.
    let again = bed::signed(&mut desk, vec![payment]);
    assert_eq!(desk.flights()[&again[0]].slot, Slot::Sequence(100));
}

#[test]
fn a_ticket_that_is_gone_with_nobody_who_used_it_halts_the_wallet() {
    let (desk, hash) = overdue_by_ticket();
    let step = desk.take_root(&root_with(&desk, Some(&[])), bed::NOW);
    let halt = step.commit().halt.as_deref().unwrap();
    assert!(halt.contains("Ticket(7)"), "{halt}");
    assert!(!step.settled.contains(&hash));
}

#[test]
fn a_ticket_of_ours_that_somebody_else_used_halts_the_wallet_and_settles_what_was_on_it() {
    let (mut desk, _) = stuck([7]);
    let hash = bed::signed(&mut desk, vec![bed::payment(101)])[0];
    let theirs = Entry {
        slot: Slot::Ticket(7),
        root_after: None,
        ..bed::entry(bed::hash(99), 0, "tesSUCCESS")
    };
    let step = take(&mut desk, vec![theirs]);
    assert!(
        step.commit()
            .halt
            .as_deref()
            .unwrap()
            .contains("our ticket")
    );
    assert!(step.settled.contains(&hash));
    let _ = desk.made_durable(step);
    assert!(desk.tickets().standing().is_empty());
}

#[test]
fn a_payment_by_ticket_that_the_ledger_holds_uses_the_ticket_up() {
    let (mut desk, _) = stuck([7]);
    let hash = bed::signed(&mut desk, vec![bed::payment(101)])[0];
    let entry = Entry {
        slot: Slot::Ticket(7),
        root_after: Some(RootAfter {
            balance: bed::drops(bed::BALANCE - 5_000_010),
            sequence: 100,
            owner_count: 0,
        }),
        ..bed::entry(hash, 0, "tesSUCCESS")
    };
    let step = take(&mut desk, vec![entry]);
    let change = &step.commit().changes[0];
    assert_eq!(change.payment.status(), Status::Succeeded);
    assert!(matches!(
        change.payment.proof(),
        Some(Proof::Validated { .. })
    ));
    let _ = desk.made_durable(step);
    assert!(desk.tickets().standing().is_empty());
    assert!(desk.is_stuck(), "the lane did not move by it");
}

#[test]
fn tickets_are_read_once_and_what_the_journal_tells_meanwhile_counts() {
    let mut desk = bed::desk();
    assert!(desk.wants_tickets_read());
    let read_at = desk.reading_tickets();
    let theirs = Entry {
        slot: Slot::Ticket(7),
        root_after: None,
        ..bed::entry(bed::hash(99), 0, "tesSUCCESS")
    };
    let step = take(&mut desk, vec![theirs]);
    let _ = desk.made_durable(step);
    let step = desk.take_tickets(read_at, &BTreeSet::from([7, 8]), bed::NOW);
    let known = KnownTickets {
        at: read_at.plus(1),
        standing: BTreeSet::from([8]),
    };
    assert_eq!(step.commit().tickets, Some(known));
    assert!(desk.wants_tickets_read(), "memory waits");
    let _ = desk.made_durable(step);
    assert_eq!(desk.tickets().standing(), &BTreeSet::from([8]));
    assert!(!desk.wants_tickets_read());
    assert!(
        desk.take_tickets(read_at, &BTreeSet::new(), bed::NOW)
            .is_empty()
    );
}
