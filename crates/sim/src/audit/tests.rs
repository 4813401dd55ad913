use super::*;
use crate::chain::{FIRST, FIRST_SEQUENCE, Taker, account_of, marker_of};
use crate::prng::Prng;
use crate::tx::{Body, Tx};
use xrpayd_core::deposit::credits_of;
use xrpayd_core::ids::{LedgerIndex, UnixMs};
use xrpayd_core::payment::{Attempt, AttemptState, Order};

const AMOUNT: u64 = 5_000_000;

fn marker() -> Hash256 {
    marker_of("shop", "k")
}

fn audit() -> Audit {
    let mut audit = Audit::default();
    audit.expect(marker(), AMOUNT);
    audit
}

/// A chain on which the intent was paid so many times, by so much each.
fn paid(times: u32, amount: u64) -> Chain {
    let mut chain = Chain::new(100_000_000);
    for sequence in FIRST_SEQUENCE..FIRST_SEQUENCE + times {
        chain.take(Tx {
            slot: Slot::Sequence(sequence),
            fee: 10,
            last_ledger: u32::MAX,
            body: Body::Pay {
                to: account_of(Taker::Plain, 1),
                tag: None,
                amount,
                marker: marker(),
            },
        });
    }
    let _ = chain.close(&mut Prng::new(1), None);
    chain
}

fn read(audit: &mut Audit, chain: &Chain) {
    let ledger = chain.ledger(chain.last()).unwrap();
    audit.validated(&ledger.entries);
}

fn payment(version: u32, state: State) -> Payment {
    Payment {
        id: PaymentId(7),
        version,
        client: "shop".into(),
        wallet: "hot".into(),
        order: Order {
            destination: account_of(Taker::Plain, 1),
            destination_tag: None,
            amount: drops(AMOUNT),
            source_tag: None,
            invoice_id: None,
            memos: Vec::new(),
            max_fee: None,
            reference: None,
            metadata: BTreeMap::new(),
            expires_at: None,
            idempotency_key: "k".into(),
            payback: None,
        },
        stage: "general".into(),
        state,
        approval: None,
        attempts: Vec::new(),
        created_at: UnixMs(1),
        updated_at: UnixMs(1),
    }
}

fn blamed(audit: &Audit) -> &str {
    audit.violation.as_deref().unwrap_or_default()
}

#[test]
fn a_payment_that_is_delivered_twice_is_seen() {
    let mut audit = audit();
    read(&mut audit, &paid(1, AMOUNT));
    assert_eq!(audit.violation, None);
    read(&mut audit, &paid(1, AMOUNT));
    assert!(blamed(&audit).starts_with("paid twice"));
}

#[test]
fn another_amount_than_was_asked_is_seen() {
    let mut audit = audit();
    read(&mut audit, &paid(1, AMOUNT - 1));
    assert!(blamed(&audit).contains("another amount"));
}

#[test]
fn an_end_must_agree_with_the_ledger_before_and_after() {
    let cancelled = || payment(3, State::Cancelled { proof: None });
    let mut before = audit();
    read(&mut before, &paid(1, AMOUNT));
    before.seen(marker(), &cancelled());
    assert!(blamed(&before).contains("is said to be Cancelled"));
    let mut after = audit();
    after.seen(marker(), &cancelled());
    assert_eq!(after.violation, None);
    read(&mut after, &paid(1, AMOUNT));
    assert!(blamed(&after).contains("what was said to be Cancelled"));
}

#[test]
fn a_success_that_the_ledger_does_not_hold_is_seen() {
    let mut audit = audit();
    let proof = xrpayd_core::payment::Proof::Validated {
        ledger_index: LedgerIndex(1),
        ledger_hash: xrpayd_core::ids::LedgerHash([0; 32]),
        servers: Vec::new(),
    };
    let state = State::Succeeded {
        delivered: drops(AMOUNT),
        tx_hash: TxHash([1; 32]),
        proof,
    };
    audit.seen(marker(), &payment(3, state));
    assert!(blamed(&audit).contains("the ledger holds []"));
}

#[test]
fn an_end_that_changes_is_seen_and_a_late_answer_is_not_a_change() {
    let mut audit = audit();
    audit.seen(marker(), &payment(3, State::Cancelled { proof: None }));
    audit.seen(marker(), &payment(2, State::Queued { hold: None }));
    assert_eq!(audit.violation, None);
    audit.seen(marker(), &payment(4, State::Rejected));
    assert!(blamed(&audit).contains("and is Rejected"));
}

#[test]
fn open_attempts_on_two_slots_are_seen() {
    let mut audit = audit();
    let mut payment = payment(3, State::InFlight);
    for n in [1, 2] {
        payment.attempts.push(Attempt {
            hash: TxHash([n; 32]),
            slot: Slot::Sequence(u32::from(n)),
            fee: drops(10),
            first_ledger: LedgerIndex(1),
            last_ledger: LedgerIndex(9),
            state: AttemptState::Unknown,
            signed_at: UnixMs(1),
        });
    }
    audit.seen(marker(), &payment);
    assert!(blamed(&audit).contains("two slots"));
}

#[test]
fn keys_limits_and_books_are_checked() {
    let other = Payment {
        id: PaymentId(8),
        ..payment(1, State::Queued { hold: None })
    };
    let mut keys = audit();
    keys.accepted(marker(), &payment(1, State::Queued { hold: None }));
    keys.accepted(marker(), &other);
    assert!(blamed(&keys).starts_with("one key, two payments"));
    let mut limits = audit();
    limits.limits(10, 10, 5, 5);
    assert_eq!(limits.violation, None);
    limits.limits(11, 10, 5, 5);
    assert!(blamed(&limits).starts_with("limits exceeded"));
    let (mut books, chain) = (audit(), paid(1, AMOUNT));
    let balance = chain.ledger(chain.last()).unwrap().root.balance.get();
    books.books(&chain, chain.last(), balance);
    assert_eq!(books.violation, None);
    books.books(&chain, chain.last(), balance + 1);
    assert!(blamed(&books).starts_with("the books show"));
}

#[test]
fn what_has_no_end_and_what_is_not_released_is_seen_at_the_end() {
    let mut stuck = audit();
    stuck.accepted(marker(), &payment(1, State::InFlight));
    assert!(!stuck.is_settled());
    stuck.close((AMOUNT, 1));
    assert!(blamed(&stuck).starts_with("stuck"));
    let mut held = audit();
    held.accepted(marker(), &payment(2, State::Cancelled { proof: None }));
    assert!(held.is_settled());
    held.close((AMOUNT, 0));
    assert!(blamed(&held).starts_with("limits not released"));
}

/// A chain to which so much came in its second ledger, and what its journal credits for it.
fn brought(amount: u64) -> (Chain, Credit) {
    let mut chain = Chain::new(100_000_000);
    let before = chain.ledger(chain.last()).unwrap().root.balance;
    let entry = chain.close(&mut Prng::new(1), Some(amount))[0].clone();
    let credits = credits_of(crate::chain::OURS, before, &entry, UnixMs(1));
    (chain, credits[0].clone())
}

fn shown(chain: &Chain, credits: &[&Credit]) -> Audit {
    let mut audit = Audit::default();
    audit.deposits(chain, (FIRST + 1, chain.last()), credits);
    audit
}

#[test]
fn what_came_is_credited_once_and_nothing_else_is() {
    for amount in [8, 11, 12, 13] {
        let (chain, credit) = brought(amount);
        assert_eq!(shown(&chain, &[&credit]).violation, None);
        assert!(blamed(&shown(&chain, &[])).contains("is not credited"));
        let twice = shown(&chain, &[&credit, &credit]);
        assert!(blamed(&twice).contains("of one transaction"));
        let mut wrong = credit.clone();
        wrong.amount = Counted::Exact(xrpayd_core::amount::Amount::Xrp(drops(amount + 1)));
        assert!(blamed(&shown(&chain, &[&wrong])).contains("is credited for"));
        let mut invented = credit.clone();
        invented.hash = TxHash([7; 32]);
        assert!(blamed(&shown(&chain, &[&credit, &invented])).contains("and None came"));
    }
}
