//! A life whose books are right, act by act: what the tests falsify.

use super::*;
use crate::amount::Amount;
use crate::deposit::Counted;
use crate::engine::bed;
use crate::ids::{DepositId, LedgerHash, PaymentId, UnixMs};
use crate::journal::RootAfter;
use crate::payment::{
    Absence, AbsenceReason, AttemptState, Failure, Hold, Order, Proof, Slot, State,
};

pub(super) const OURS: AccountId = AccountId([1; 20]);
pub(super) const SHOP: AccountId = AccountId([2; 20]);
pub(super) const FIRST: LedgerIndex = LedgerIndex(100);
pub(super) const OPENING: u64 = 1_000_000_000;

pub(super) fn drops(n: u64) -> Drops {
    Drops::new(n).unwrap()
}

/// What happens next in a life.
#[derive(Debug, Clone, Copy)]
pub(super) enum Act {
    Pay,
    Refused,
    Expires,
    PaysAtTheSecondTry,
    Chore,
    Credit,
    Touched,
    Remembered,
    Accepted,
    Waits,
}

pub(super) const ACTS: [Act; 10] = [
    Act::Pay,
    Act::Refused,
    Act::Expires,
    Act::PaysAtTheSecondTry,
    Act::Chore,
    Act::Credit,
    Act::Touched,
    Act::Remembered,
    Act::Accepted,
    Act::Waits,
];

/// A life whose books are right: books, ledger and the root at its end.
pub(super) struct Life {
    pub(super) books: Books,
    pub(super) ledger: Vec<Entry>,
    pub(super) balance: u64,
    pub(super) sequence: u32,
    pub(super) acts: u8,
}

impl Life {
    pub(super) fn new() -> Self {
        Self {
            books: Books {
                account: OURS,
                from: FIRST,
                to: FIRST,
                opening: i128::from(OPENING),
                entries: Vec::new(),
                payments: Vec::new(),
                chores: Vec::new(),
                remembered: BTreeSet::new(),
                accepted_through: None,
                deposits: Vec::new(),
                unbooked: None,
            },
            ledger: Vec::new(),
            balance: OPENING,
            sequence: 7,
            acts: 0,
        }
    }

    pub(super) fn of(acts: &[Act]) -> Self {
        let mut life = Self::new();
        // What a person accepted comes first: acceptance ends at a ledger.
        let accepted = acts.iter().filter(|act| matches!(act, Act::Accepted));
        for act in accepted {
            life.live(*act);
            life.books.accepted_through = Some(life.books.to);
        }
        let others = acts.iter().filter(|act| !matches!(act, Act::Accepted));
        for act in others {
            life.live(*act);
        }
        life
    }

    pub(super) fn hash(&self, n: u8) -> TxHash {
        let mut bytes = [n; 32];
        bytes[0] = self.acts;
        TxHash(bytes)
    }

    pub(super) fn live(&mut self, act: Act) {
        self.acts += 1;
        self.books.to = self.books.to.plus(1);
        match act {
            Act::Pay => {
                let (hash, amount) = (self.hash(1), 1_000 + u64::from(self.acts));
                let signed = self.sign(hash);
                let entry = self.ours(hash, "tesSUCCESS", amount);
                self.succeed(vec![validated(signed, &entry)], amount, &entry);
            }
            Act::PaysAtTheSecondTry => {
                let (first, second) = (self.hash(1), self.hash(2));
                let dead = Attempt {
                    state: AttemptState::Dead {
                        proof: self.absence(),
                    },
                    ..self.sign(first)
                };
                let signed = self.sign(second);
                let entry = self.ours(second, "tesSUCCESS", 70);
                self.succeed(vec![dead, validated(signed, &entry)], 70, &entry);
            }
            Act::Refused => {
                let hash = self.hash(1);
                let signed = self.sign(hash);
                let entry = self.ours(hash, "tecNO_DST", 0);
                let failure = Failure {
                    code: "destination_not_funded".to_owned(),
                    message: String::new(),
                    ledger_code: "tecNO_DST".to_owned(),
                    fee_charged: true,
                };
                let proof = proof_of(&entry);
                let state = State::Failed { failure, proof };
                self.claim(vec![validated(signed, &entry)], state, 50);
            }
            Act::Expires => {
                let proof = self.absence();
                let dead = Attempt {
                    state: AttemptState::Dead {
                        proof: proof.clone(),
                    },
                    ..self.sign(self.hash(1))
                };
                let proof = Some(Proof::Absent(proof));
                self.claim(vec![dead], State::Expired { proof }, 50);
            }
            Act::Waits => {
                let hold = Some(Hold::LowBalance);
                self.claim(Vec::new(), State::Queued { hold }, 50);
            }
            Act::Chore => {
                let hash = self.hash(3);
                let signed = self.sign(hash);
                let mut entry = self.ours(hash, "tesSUCCESS", 0);
                entry.transaction_type = "AccountSet".to_owned();
                entry.destination = None;
                self.redo(&entry);
                self.books.chores.push(validated(signed, &entry));
            }
            Act::Credit => {
                self.balance += 500;
                let hash = self.hash(4);
                let root = self.root();
                let entry = Entry {
                    sender: SHOP,
                    slot: Slot::Sequence(90),
                    destination: Some(OURS),
                    ..self.entry(hash, "tesSUCCESS", 500, Some(root))
                };
                self.books.deposits.push(BookedDeposit {
                    id: DepositId(u128::from(self.acts)),
                    hash,
                    ledger_index: entry.ledger_index,
                    destination_tag: entry.destination_tag,
                    amount: Counted::Exact(Amount::Xrp(drops(500))),
                });
                self.book(entry, 500);
            }
            Act::Touched => {
                let hash = self.hash(5);
                let entry = Entry {
                    sender: SHOP,
                    slot: Slot::Sequence(91),
                    transaction_type: "TrustSet".to_owned(),
                    destination: None,
                    ..self.entry(hash, "tesSUCCESS", 0, None)
                };
                self.book(entry, 0);
            }
            Act::Remembered | Act::Accepted => {
                let hash = self.hash(6);
                let entry = self.ours(hash, "tesSUCCESS", 33);
                if matches!(act, Act::Remembered) {
                    self.books.remembered.insert(entry.hash);
                }
            }
        }
    }

    fn sign(&self, hash: TxHash) -> Attempt {
        Attempt {
            hash,
            slot: Slot::Sequence(self.sequence),
            fee: drops(12),
            first_ledger: self.books.to,
            last_ledger: self.books.to.plus(20),
            state: AttemptState::Signed,
            signed_at: UnixMs(0),
        }
    }

    fn absence(&self) -> Absence {
        Absence {
            from: FIRST,
            to: self.books.to,
            to_hash: LedgerHash([9; 32]),
            servers: Vec::new(),
            reason: AbsenceReason::SlotFree {
                at: self.books.to,
                account_sequence: self.sequence,
            },
        }
    }

    fn root(&self) -> RootAfter {
        RootAfter {
            balance: drops(self.balance),
            sequence: self.sequence,
            owner_count: 0,
        }
    }

    fn entry(&self, hash: TxHash, result: &str, sent: u64, root: Option<RootAfter>) -> Entry {
        Entry {
            hash,
            ledger_index: self.books.to,
            ledger_hash: LedgerHash([self.acts; 32]),
            tx_index: 1,
            result: result.to_owned(),
            transaction_type: "Payment".to_owned(),
            sender: OURS,
            slot: Slot::Sequence(self.sequence),
            fee: drops(12),
            destination: Some(SHOP),
            destination_tag: Some(u32::from(self.acts)),
            source_tag: None,
            delivered: match sent {
                0 => Delivered::Nothing,
                sent => Delivered::Xrp(drops(sent)),
            },
            invoice_id: None,
            marker: None,
            effects: None,
            closed_at: None,
            root_after: root,
        }
    }

    /// A transaction of ours, validated and booked.
    pub(super) fn ours(&mut self, hash: TxHash, result: &str, sent: u64) -> Entry {
        self.balance -= 12 + sent;
        let slot = Slot::Sequence(self.sequence);
        self.sequence += 1;
        let root = self.root();
        let mut entry = self.entry(hash, result, sent, Some(root));
        entry.slot = slot;
        self.book(entry.clone(), -i128::from(12 + sent));
        entry
    }

    fn book(&mut self, entry: Entry, change: i128) {
        self.ledger.push(entry.clone());
        self.books.entries.push(Booked { entry, change });
    }

    fn redo(&mut self, entry: &Entry) {
        *self.ledger.last_mut().unwrap() = entry.clone();
        self.books.entries.last_mut().unwrap().entry = entry.clone();
    }

    fn succeed(&mut self, attempts: Vec<Attempt>, amount: u64, entry: &Entry) {
        let state = State::Succeeded {
            delivered: drops(amount),
            tx_hash: entry.hash,
            proof: proof_of(entry),
        };
        self.claim(attempts, state, amount);
    }

    fn claim(&mut self, attempts: Vec<Attempt>, state: State, amount: u64) {
        let marker = Hash256([self.acts; 32]);
        // The transactions of a payment bear its marker.
        let hashes: Vec<TxHash> = attempts.iter().map(|attempt| attempt.hash).collect();
        for entry in &mut self.ledger {
            if hashes.contains(&entry.hash) {
                (entry.invoice_id, entry.marker) = (Some(marker), Some(marker));
            }
        }
        for row in &mut self.books.entries {
            if hashes.contains(&row.entry.hash) {
                (row.entry.invoice_id, row.entry.marker) = (Some(marker), Some(marker));
            }
        }
        let payment = Payment {
            id: PaymentId(u128::from(self.acts)),
            version: 1,
            client: "shop".to_owned(),
            wallet: "hot".to_owned(),
            order: Order {
                destination: SHOP,
                destination_tag: Some(u32::from(self.acts)),
                amount: drops(amount),
                ..bed::payment(1).order
            },
            stage: "internal".to_owned(),
            state,
            approval: None,
            attempts,
            created_at: UnixMs(0),
            updated_at: UnixMs(0),
        };
        self.books.payments.push(Claim { payment, marker });
    }

    /// Every difference, those at the end of the stretch among them.
    pub(super) fn differences(&self) -> Vec<Difference> {
        let compared = compare(&self.books, &self.ledger);
        let mut found = compared.differences;
        found.extend(balance_at(
            Kind::Balance,
            self.books.to,
            compared.closing,
            drops(self.balance),
        ));
        found
    }
}

pub(super) fn validated(signed: Attempt, entry: &Entry) -> Attempt {
    Attempt {
        state: AttemptState::Validated {
            result: entry.result.clone(),
            ledger_index: entry.ledger_index,
        },
        ..signed
    }
}

pub(super) fn proof_of(entry: &Entry) -> Proof {
    Proof::Validated {
        ledger_index: entry.ledger_index,
        ledger_hash: entry.ledger_hash,
        servers: vec!["a".to_owned(), "b".to_owned()],
    }
}
