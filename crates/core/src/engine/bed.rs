//! A desk for the tests of this room: journal at ledger 100, next sequence 100, a signer whose hashes
//! are told from the slot and the fee.

use super::{
    Conditions, Desk, Job, LaneRecord, NewPlug, Plan, PlugRecord, Settings, Sight, SignedTx, Step,
};
use crate::address::AccountId;
use crate::fee::FeeQuote;
use crate::ids::{LedgerHash, LedgerIndex, PaymentId, TxHash, UnixMs};
use crate::journal::{Cursor, Delivered, Entry, Page, RootAfter};
use crate::money::Drops;
use crate::payment::{Attempt, AttemptState, Order, Payment, Slot, State};
use std::collections::BTreeMap;

pub const NOW: UnixMs = UnixMs(1_000);
pub const BALANCE: u64 = 1_000_000_000;
pub const ACCOUNT: AccountId = AccountId([5; 20]);
const START: LedgerIndex = LedgerIndex(100);

pub const SETTINGS: Settings = Settings {
    max_in_flight: 40,
    max_fee: drops(2_000),
    ledger_window: 20,
    low_balance_patience_ms: 60_000,
};

pub const AT: Conditions = Conditions {
    tip: START,
    quote: FeeQuote {
        base: drops(10),
        open_ledger: drops(10),
    },
    reserve: drops(1_000_000),
};

pub const fn drops(n: u64) -> Drops {
    Drops::new(n).unwrap()
}

pub fn hash(n: u8) -> TxHash {
    TxHash([n; 32])
}

pub fn payment(n: usize) -> Payment {
    Payment {
        id: PaymentId(u128::try_from(n).unwrap()),
        version: 1,
        client: "shop".into(),
        wallet: "hot".into(),
        order: Order {
            destination: AccountId([9; 20]),
            destination_tag: None,
            amount: drops(5_000_000),
            source_tag: None,
            invoice_id: None,
            memos: Vec::new(),
            max_fee: None,
            reference: None,
            metadata: BTreeMap::new(),
            expires_at: None,
            idempotency_key: format!("k{n}"),
            payback: None,
        },
        stage: "internal".into(),
        state: State::Queued { hold: None },
        approval: None,
        attempts: Vec::new(),
        created_at: UnixMs(0),
        updated_at: UnixMs(0),
    }
}

/// Payment `n` with one open attempt.
pub fn in_flight(n: usize, sequence: u32, hash_of: u8) -> Payment {
    let mut payment = payment(n);
    payment.state = State::InFlight;
    payment.attempts.push(Attempt {
        hash: hash(hash_of),
        slot: Slot::Sequence(sequence),
        fee: drops(10),
        first_ledger: START.plus(1),
        last_ledger: START.plus(20),
        state: AttemptState::Signed,
        signed_at: NOW,
    });
    payment
}

pub fn plug_record(sequence: u32, hash_of: u8) -> PlugRecord {
    PlugRecord {
        plug: NewPlug {
            hash: hash(hash_of),
            slot: Slot::Sequence(sequence),
            fee: drops(10),
            first_ledger: START.plus(1),
            last_ledger: START.plus(20),
            signed_at: NOW,
            blob: vec![hash_of],
        },
        state: AttemptState::Signed,
    }
}

pub fn record() -> LaneRecord {
    LaneRecord {
        account: Some(ACCOUNT),
        cursor: Some(Cursor {
            start: LedgerIndex(90),
            at: START,
            at_hash: LedgerHash([1; 32]),
            next_sequence: 100,
            balance: drops(BALANCE),
            owner_count: 0,
        }),
        ..LaneRecord::default()
    }
}

pub fn desk_of(record: LaneRecord) -> Desk {
    let cursor = record.cursor.clone().unwrap();
    let mut desk = Desk::restore("hot", record, cursor.clone());
    desk.began(cursor.at);
    desk
}

pub fn desk() -> Desk {
    desk_of(record())
}

pub fn plan(desk: &mut Desk, queued: Vec<Payment>) -> Plan {
    let mut at = AT;
    at.tip = desk.cursor().at;
    desk.plan_signing(queued, &BTreeMap::new(), &at, &SETTINGS, NOW, &mut |_| {
        Sight::Clear
    })
}

pub fn sign(jobs: &[Job]) -> Vec<SignedTx> {
    let signed = |job: &Job| {
        let mut bytes = [0; 32];
        let slot = match job.terms.slot {
            Slot::Sequence(n) | Slot::Ticket(n) => n,
        };
        bytes[..4].copy_from_slice(&slot.to_be_bytes());
        bytes[4..12].copy_from_slice(&job.terms.fee.get().to_be_bytes());
        bytes[12..16].copy_from_slice(&job.terms.last_ledger.0.to_be_bytes());
        SignedTx {
            hash: TxHash(bytes),
            blob: bytes.to_vec(),
        }
    };
    jobs.iter().map(signed).collect()
}

pub fn sealed(desk: &mut Desk, plan: Plan) -> Step {
    let signed = sign(&plan.jobs());
    desk.seal(plan, Ok(signed), NOW)
}

/// Signs the payments and makes them durable; their attempts, in order.
pub fn signed(desk: &mut Desk, queued: Vec<Payment>) -> Vec<TxHash> {
    let plan = plan(desk, queued);
    let step = sealed(desk, plan);
    let done = desk.made_durable(step);
    done.send.into_iter().map(|(hash, _)| hash).collect()
}

/// One of our transactions as the next ledger holds it.
pub fn entry(hash: TxHash, sequence: u32, result: &str) -> Entry {
    Entry {
        hash,
        ledger_index: LedgerIndex(0),
        ledger_hash: LedgerHash([2; 32]),
        tx_index: 0,
        result: result.into(),
        transaction_type: "Payment".into(),
        sender: ACCOUNT,
        slot: Slot::Sequence(sequence),
        fee: drops(10),
        destination: None,
        destination_tag: None,
        source_tag: None,
        delivered: Delivered::Xrp(drops(5_000_000)),
        invoice_id: None,
        marker: None,
        effects: None,
        closed_at: None,
        root_after: Some(RootAfter {
            balance: drops(BALANCE - 5_000_010),
            sequence: sequence + 1,
            owner_count: 0,
        }),
    }
}

/// The ledger right behind the cursor, with these transactions.
pub fn page(desk: &Desk, mut entries: Vec<Entry>) -> Page {
    let next = desk.cursor().at.plus(1);
    for (n, entry) in entries.iter_mut().enumerate() {
        entry.ledger_index = next;
        entry.tx_index = u32::try_from(n).unwrap();
    }
    Page {
        account: ACCOUNT,
        from: next,
        to: next,
        to_hash: LedgerHash([2; 32]),
        closed_at: None,
        servers: vec!["a".into(), "b".into()],
        entries,
    }
}

/// The journal goes on by an empty ledger.
pub fn next_ledger(desk: &mut Desk) {
    let page = page(desk, Vec::new());
    let step = desk.take_page(&page, None, &SETTINGS, NOW).unwrap();
    let _ = desk.made_durable(step);
}
