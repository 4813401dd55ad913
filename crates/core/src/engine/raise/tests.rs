use super::super::bed;
use super::super::{LaneRecord, Note, Tick};
use super::*;
use crate::payment::{Answer, Status};
use proptest::prelude::*;

/// The conditions of a ledger that asks `price` of what goes in at once.
fn at_price(desk: &Desk, price: u64) -> Conditions {
    let mut at = bed::AT;
    at.tip = desk.cursor().at;
    at.quote.open_ledger = bed::drops(price);
    at
}

fn ledgers(desk: &mut Desk, count: u32) {
    for _ in 0..count {
        bed::next_ledger(desk);
    }
}

fn raise(desk: &mut Desk, price: u64) -> Vec<(TxHash, Slot, Drops)> {
    let at = at_price(desk, price);
    let Some(plan) = desk.plan_replacements(&at, &bed::SETTINGS, bed::NOW) else {
        return Vec::new();
    };
    let step = bed::sealed(desk, plan);
    let done = desk.made_durable(step);
    let raised = done.notes.into_iter().map(|note| match note {
        Note::Raised { hash, slot, fee } => (hash, slot, fee),
        other => panic!("{other:?}"),
    });
    raised.collect()
}

#[test]
fn what_waits_under_a_higher_price_is_replaced_on_its_sequence_and_paid_once() {
    let mut desk = bed::desk();
    let first = bed::signed(&mut desk, vec![bed::payment(1), bed::payment(2)]);
    ledgers(&mut desk, 2);
    assert_eq!(raise(&mut desk, 500), []);
    ledgers(&mut desk, 1);
    let raised = raise(&mut desk, 500);
    let slots: Vec<Slot> = raised.iter().map(|(_, slot, _)| *slot).collect();
    assert_eq!(slots, [100, 101].map(Slot::Sequence));
    assert!(raised.iter().all(|(_, _, fee)| *fee == bed::drops(600)));
    assert_eq!(
        desk.flights().len(),
        4,
        "all of them could still be applied"
    );
    assert_eq!(desk.lane().open_len(), 2);

    // The cheap one was validated after all: the dearer one can never be.
    let page = bed::page(&desk, vec![bed::entry(first[0], 100, "tesSUCCESS")]);
    let step = desk.take_page(&page, None, &bed::SETTINGS, bed::NOW);
    let step = step.unwrap();
    let paid = &step.commit().changes[0].payment;
    assert_eq!(paid.status(), Status::Succeeded);
    assert_eq!(paid.open_attempts().count(), 0);
    let _ = desk.made_durable(step);
    assert_eq!((desk.flights().len(), desk.lane().open_len()), (2, 1));
}

#[test]
fn only_the_dearest_of_a_slot_is_sent_again_and_counts_against_the_balance() {
    let mut desk = bed::desk();
    let _ = bed::signed(&mut desk, vec![bed::payment(1)]);
    ledgers(&mut desk, 3);
    let raised = raise(&mut desk, 500);
    assert_eq!(desk.in_flight(), bed::drops(5_000_600));
    ledgers(&mut desk, 2);
    let again = desk.due_for_sending(Tick(0));
    let hashes: Vec<TxHash> = again.into_iter().map(|(hash, _)| hash).collect();
    assert_eq!(hashes, [raised[0].0]);
}

#[test]
fn a_fee_that_was_turned_away_is_raised_with_the_next_ledger() {
    let mut desk = bed::desk();
    let sent = bed::signed(&mut desk, vec![bed::payment(1)]);
    for code in ["telINSUF_FEE_P", "telCAN_NOT_QUEUE_FULL"] {
        let answer = (sent[0], Answer::Engine(code.into()));
        let step = desk.take_answers(&[answer], Tick(0), bed::NOW);
        let _ = desk.made_durable(step);
    }
    assert_eq!(raise(&mut desk, 500), []);
    ledgers(&mut desk, 1);
    assert_eq!(raise(&mut desk, 500).len(), 1);
    assert_eq!(raise(&mut desk, 500), [], "once a ledger and price");
}

#[test]
fn nothing_behind_a_head_that_cannot_be_raised_is_paid_more_for() {
    let mut frugal = bed::payment(1);
    frugal.order.max_fee = Some(bed::drops(100));
    let mut desk = bed::desk();
    let _ = bed::signed(&mut desk, vec![frugal, bed::payment(2)]);
    ledgers(&mut desk, 3);
    assert_eq!(raise(&mut desk, 500), []);
    // Where the price comes within the cap of the head, both go.
    ledgers(&mut desk, 1);
    let raised = raise(&mut desk, 100);
    let fees: Vec<Drops> = raised.iter().map(|(_, _, fee)| *fee).collect();
    assert_eq!(fees, [bed::drops(100), bed::drops(120)]);
}

#[test]
fn a_price_above_the_cap_is_waited_for() {
    let mut desk = bed::desk();
    let _ = bed::signed(&mut desk, vec![bed::payment(1)]);
    ledgers(&mut desk, 5);
    let above = bed::SETTINGS.max_fee.get() + 1;
    assert_eq!(raise(&mut desk, above), []);
}

#[test]
fn nothing_is_replaced_past_its_last_ledger_or_past_the_payments_time() {
    let mut desk = bed::desk();
    let _ = bed::signed(&mut desk, vec![bed::payment(1)]);
    ledgers(&mut desk, bed::SETTINGS.ledger_window);
    assert_eq!(raise(&mut desk, 500), []);

    let mut desk = bed::desk();
    let mut late = bed::payment(1);
    late.order.expires_at = Some(bed::NOW.plus_ms(1));
    let _ = bed::signed(&mut desk, vec![late]);
    ledgers(&mut desk, 3);
    let at = at_price(&desk, 500);
    let later = bed::NOW.plus_ms(1);
    assert!(desk.plan_replacements(&at, &bed::SETTINGS, later).is_none());
}

#[test]
fn replacements_of_a_slot_are_bounded_and_each_is_dearer_by_more_than_a_quarter() {
    let mut desk = bed::desk();
    let _ = bed::signed(&mut desk, vec![bed::payment(1)]);
    let mut fees = vec![10];
    for step in 1..=8_u64 {
        ledgers(&mut desk, 3);
        fees.extend(
            raise(&mut desk, step * 150)
                .iter()
                .map(|(_, _, fee)| fee.get()),
        );
    }
    assert_eq!(fees.len(), 1 + fee::RAISES_MAX);
    assert!(fees.windows(2).all(|pair| pair[1] * 4 > pair[0] * 5));
}

#[test]
fn a_plug_is_replaced_like_any_attempt() {
    let record = LaneRecord {
        plugs: vec![bed::plug_record(100, 9)],
        ..bed::record()
    };
    let mut desk = bed::desk_of(record);
    ledgers(&mut desk, 3);
    let raised = raise(&mut desk, 500);
    assert_eq!(raised.len(), 1);
    assert_eq!(desk.flights()[&raised[0].0].owner, Owner::Plug);
    assert_eq!(desk.lane().open_len(), 1);
}

#[test]
fn a_balance_that_bears_no_more_fee_is_not_overdrawn() {
    let mut desk = bed::desk();
    let mut all = bed::payment(1);
    all.order.amount = bed::drops(bed::BALANCE - bed::AT.reserve.get() - 100);
    let _ = bed::signed(&mut desk, vec![all]);
    ledgers(&mut desk, 3);
    assert_eq!(raise(&mut desk, 500), []);
}

proptest! {
    #[test]
    fn raising_never_passes_a_cap_nor_leaves_the_slot_nor_overdraws(
        prices in proptest::collection::vec((1..4_u32, 0..4_000_u64), 1..20),
        caps in proptest::collection::vec(10..3_000_u64, 1..6)
    ) {
        let mut desk = bed::desk();
        let queued = caps.iter().enumerate().map(|(n, cap)| {
            let mut payment = bed::payment(n + 1);
            payment.order.max_fee = Some(bed::drops(*cap));
            payment
        });
        let _ = bed::signed(&mut desk, queued.collect());
        for (pause, price) in prices {
            ledgers(&mut desk, pause);
            let _ = raise(&mut desk, price);
            let balance = bed::BALANCE - bed::AT.reserve.get();
            prop_assert!(desk.in_flight().get() <= balance);
            for flight in desk.flights().values() {
                let Owner::Payment(id) = flight.owner else { continue };
                let payment = desk.payment(id).unwrap();
                let cap = payment.order.max_fee.unwrap().min(bed::SETTINGS.max_fee);
                prop_assert!(flight.fee <= cap);
                prop_assert_eq!(payment.attempts[0].slot, flight.slot);
                prop_assert!(payment.attempts.len() <= 1 + fee::RAISES_MAX);
            }
        }
        prop_assert_eq!(desk.lane().open_len(), caps.len());
    }
}
