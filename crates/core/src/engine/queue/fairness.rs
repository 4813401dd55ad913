//! How long a large payment can be kept waiting by smaller ones.

use super::super::bed;
use super::*;
use crate::journal::RootAfter;
use crate::payment::{Slot, State, Verdict};
use proptest::prelude::*;

/// How long a ledger takes.
const LEDGER_MS: i64 = 4_000;

/// A wallet, its queue, and what comes in with every ledger.
struct Shop {
    desk: Desk,
    queue: Vec<Payment>,
    now: UnixMs,
    /// The payments that were signed, with the instant.
    signed: BTreeMap<PaymentId, UnixMs>,
}

impl Shop {
    fn new(balance: u64) -> Self {
        let mut record = bed::record();
        if let Some(cursor) = record.cursor.as_mut() {
            cursor.balance = bed::drops(balance + bed::AT.reserve.get());
        }
        Self {
            desk: bed::desk_of(record),
            queue: Vec::new(),
            now: bed::NOW,
            signed: BTreeMap::new(),
        }
    }

    fn accept(&mut self, n: usize, amount: u64) -> PaymentId {
        let mut payment = bed::payment(n);
        payment.order.amount = bed::drops(amount);
        payment.created_at = self.now;
        let id = payment.id;
        self.queue.push(payment);
        id
    }

    /// Signs what can be signed, as the daemon would.
    fn pass(&mut self) {
        let mut at = bed::AT;
        at.tip = self.desk.cursor().at;
        while let Some(scan) = self.desk.next_scan(&at, &bed::SETTINGS) {
            let is_ahead = |payment: &&Payment| scan.after.is_none_or(|after| after < payment.id);
            let queued: Vec<Payment> = self.queue.iter().filter(is_ahead).cloned().collect();
            let known = BTreeMap::new();
            let plan =
                self.desk
                    .plan_signing(queued, &known, &at, &bed::SETTINGS, self.now, &mut |_| {
                        Sight::Clear
                    });
            let is_end = plan.jobs().is_empty();
            let step = bed::sealed(&mut self.desk, plan);
            for change in &step.commit().changes {
                let payment = &change.payment;
                self.queue.retain(|queued| queued.id != payment.id);
                match payment.state {
                    State::InFlight => {
                        self.signed.insert(payment.id, self.now);
                    }
                    _ => self.queue.push(payment.clone()),
                }
            }
            self.queue.sort_by_key(|payment| payment.id);
            let _ = self.desk.made_durable(step);
            if is_end {
                break;
            }
        }
    }

    /// The next ledger holds everything that was signed, and `inflow` came in.
    fn close(&mut self, inflow: u64) {
        let mut balance = self.desk.cursor().balance.get();
        let mut entries = Vec::new();
        for (hash, flight) in self.desk.flights() {
            let Slot::Sequence(sequence) = flight.slot else {
                continue;
            };
            entries.push((sequence, *hash, flight.cost.get()));
        }
        entries.sort_unstable();
        let mut held = Vec::new();
        for (sequence, hash, cost) in entries {
            balance -= cost;
            let mut entry = bed::entry(hash, sequence, "tesSUCCESS");
            entry.root_after = Some(RootAfter {
                balance: bed::drops(balance),
                sequence: sequence + 1,
                owner_count: 0,
            });
            held.push(entry);
        }
        let mut deposit = bed::entry(bed::hash(255), 1, "tesSUCCESS");
        deposit.sender = crate::address::AccountId([8; 20]);
        deposit.root_after = Some(RootAfter {
            balance: bed::drops(balance + inflow),
            sequence: held.last().map_or_else(
                || self.desk.cursor().next_sequence,
                |entry| entry.root_after.map_or(0, |root| root.sequence),
            ),
            owner_count: 0,
        });
        held.push(deposit);
        let page = bed::page(&self.desk, held);
        let step = self
            .desk
            .take_page(&page, None, &bed::SETTINGS, self.now)
            .unwrap();
        let _ = self.desk.made_durable(step);
        self.now = self.now.plus_ms(LEDGER_MS);
    }
}

#[test]
fn smaller_payments_pass_by_until_the_patience_is_over_and_then_none_does() {
    let mut shop = Shop::new(0);
    let large = shop.accept(1, 10_000_000);
    let patience = bed::SETTINGS.low_balance_patience_ms;
    let (began, mut n) = (shop.now, 2);
    while !shop.signed.contains_key(&large) {
        let small = shop.accept(n, 999_990);
        shop.pass();
        let is_patient = shop.now.since_ms(began) < patience;
        let paid = shop.signed.contains_key(&small);
        assert!(
            paid <= is_patient,
            "a smaller one passed by at {:?}",
            shop.now
        );
        shop.close(1_000_000);
        n += 1;
        assert!(shop.now.since_ms(began) < patience + 12 * LEDGER_MS);
    }
    shop.close(100_000_000);
    shop.pass();
    assert!(shop.queue.is_empty(), "those behind it go on");
}

#[test]
fn the_time_that_an_approval_took_is_not_counted() {
    let mut payment = bed::payment(1);
    payment.approval = Some(crate::payment::Approval {
        asked_by: "a".into(),
        expires_at: UnixMs(9_000),
        verdict: Some(Verdict::Approved {
            by: "b".into(),
            at: UnixMs(5_000),
        }),
    });
    assert_eq!(payment.queued_since(), UnixMs(5_000));
}

proptest! {
    #[test]
    fn a_large_payment_waits_no_longer_than_the_patience_and_the_money_it_needs(
        large in 1_000_000..50_000_000_u64,
        inflow in 500_000..5_000_000_u64,
        smalls in proptest::collection::vec((100_000..4_000_000_u64, 0..3_usize), 1..20),
        start in 0..40_000_000_u64,
    ) {
        let mut shop = Shop::new(start);
        let oldest = shop.accept(1, large);
        let (began, mut n) = (shop.now, 2);
        let needed = i64::try_from((large + 10).div_ceil(inflow)).unwrap();
        let bound = bed::SETTINGS.low_balance_patience_ms + (needed + 2) * LEDGER_MS;
        for (amount, count) in smalls.iter().cycle() {
            for _ in 0..*count {
                shop.accept(n, *amount);
                n += 1;
            }
            shop.pass();
            if shop.signed.contains_key(&oldest) {
                break;
            }
            shop.close(inflow);
            prop_assert!(shop.now.since_ms(began) <= bound, "it starves");
        }
        prop_assert!(shop.signed[&oldest].since_ms(began) <= bound);
    }
}
