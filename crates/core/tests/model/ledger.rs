//! The ledger's truth in the model: what was sent, what validated ledgers hold, and what servers say
//! of it, one of three lying.

use std::collections::BTreeSet;
use xrpayd_core::address::AccountId;
use xrpayd_core::ids::{Hash256, LedgerHash, LedgerIndex, TxHash, UnixMs};
use xrpayd_core::journal::{Delivered, Entry, Page, RootAfter, RootProof};
use xrpayd_core::money::Drops;
use xrpayd_core::payment::Slot;

/// The account whose key the writers hold.
pub const OURS: AccountId = AccountId([1; 20]);
/// Where both payments go.
pub const THEIRS: AccountId = AccountId([2; 20]);
/// What each of them moves.
pub const AMOUNT: Drops = drops(25_000_000);
/// What the account holds: enough, always. Being short of money is an outcome that the ledger picks.
pub const BALANCE: Drops = drops(1_000_000_000_000);
/// The account's sequence at the start.
pub const FIRST_SEQUENCE: u8 = 5;
/// The ledger at which every run starts.
const START: u32 = 100;

/// So many drops.
pub const fn drops(n: u64) -> Drops {
    match Drops::new(n) {
        Some(drops) => drops,
        None => Drops::ZERO,
    }
}

/// The index of the ledger that is `n` after the start.
pub const fn index(n: u8) -> LedgerIndex {
    LedgerIndex(START + n as u32)
}

/// How many ledgers after the start `ledger` is.
pub fn since_start(ledger: LedgerIndex) -> u8 {
    u8::try_from(ledger.0.saturating_sub(START)).unwrap()
}

/// The hash of a ledger.
pub const fn ledger_hash(ledger: LedgerIndex) -> LedgerHash {
    LedgerHash([ledger.0 as u8; 32])
}

/// The time at which a ledger closed: the model's clock is the ledger's.
pub fn time_of(n: u8) -> UnixMs {
    UnixMs(i64::from(n) * 1_000)
}

/// Whose a transaction is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Who {
    /// An attempt of this payment.
    Payment(u8),
    /// A no-op of ours.
    Plug,
    /// Somebody else's who holds the key.
    Stranger,
}

/// A signed transaction. The same terms make the same bytes, whoever signs them; so the terms are the
/// bytes, and the hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tx {
    /// Whose it is.
    pub who: Who,
    /// What it consumes.
    pub sequence: u8,
    /// Its fee in drops.
    pub fee: u8,
    /// Its last ledger, counted from the start.
    pub last_ledger: u8,
}

impl Tx {
    /// Its hash, from which it can be told again.
    pub fn tx_hash(self) -> TxHash {
        let who = match self.who {
            Who::Payment(n) => n,
            Who::Plug => 100,
            Who::Stranger => 200,
        };
        let mut bytes = [0; 32];
        bytes[..4].copy_from_slice(&[who, self.sequence, self.fee, self.last_ledger]);
        TxHash(bytes)
    }

    /// The transaction with this hash.
    pub fn of(hash: TxHash) -> Self {
        let [who, sequence, fee, last_ledger, ..] = hash.0;
        let who = match who {
            100 => Who::Plug,
            200 => Who::Stranger,
            n => Who::Payment(n),
        };
        Self {
            who,
            sequence,
            fee,
            last_ledger,
        }
    }
}

/// What a validated ledger made of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// It did what it says.
    Done,
    /// The fee was burned, and it will never work.
    Refused,
    /// The fee was burned because the account was short.
    Short,
}

impl Outcome {
    /// Its result code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Done => "tesSUCCESS",
            Self::Refused => "tecNO_DST",
            Self::Short => "tecUNFUNDED_PAYMENT",
        }
    }
}

/// A transaction in a validated ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Applied {
    /// The ledger, counted from the start.
    pub ledger: u8,
    /// The transaction.
    pub tx: Tx,
    /// What became of it.
    pub outcome: Outcome,
}

/// How a server lies about a stretch of ledgers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Lie {
    /// It leaves out every transaction, and shows their sequences unused.
    Absent,
    /// It turns success into failure, and failure into success.
    Result,
}

/// What really happened, and what may still happen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Truth {
    /// The newest validated ledger, counted from the start.
    pub ledger: u8,
    /// Everything that validated ledgers hold, oldest first.
    pub applied: Vec<Applied>,
    /// What left a writer and could still be applied. The ledger may take it or not: so a lost
    /// request, a full queue and a server that drops what it held are all here, and so is a
    /// submission that a frozen server carries out long after.
    pub wire: BTreeSet<Tx>,
}

impl Truth {
    /// Before anything happened.
    pub const fn new() -> Self {
        Self {
            ledger: 0,
            applied: Vec::new(),
            wire: BTreeSet::new(),
        }
    }

    /// The account's sequence after ledger `at`.
    pub fn sequence_at(&self, at: u8) -> u8 {
        let taken = self.applied.iter().filter(|applied| applied.ledger <= at);
        FIRST_SEQUENCE + u8::try_from(taken.count()).unwrap()
    }

    /// How often a payment was delivered.
    pub fn deliveries(&self, payment: u8) -> usize {
        let is_delivery = |applied: &&Applied| {
            applied.tx.who == Who::Payment(payment) && applied.outcome == Outcome::Done
        };
        self.applied.iter().filter(is_delivery).count()
    }

    /// Whether `tx` could still be applied.
    pub fn could_apply(&self, tx: &Tx) -> bool {
        tx.last_ledger > self.ledger && tx.sequence >= self.sequence_at(self.ledger)
    }

    /// One more validated ledger with these transactions in it.
    pub fn close(&mut self, taken: &[(Tx, Outcome)]) {
        self.ledger += 1;
        for &(tx, outcome) in taken {
            self.applied.push(Applied {
                ledger: self.ledger,
                tx,
                outcome,
            });
        }
        let wire = std::mem::take(&mut self.wire);
        self.wire = wire.into_iter().filter(|tx| self.could_apply(tx)).collect();
    }

    fn entry(&self, place: usize, applied: &Applied) -> Entry {
        let Applied {
            ledger,
            tx,
            outcome,
        } = *applied;
        let earlier = |other: &&Applied| other.ledger == ledger;
        let in_ledger = self.applied[..place].iter().filter(earlier).count();
        let (marker, kind) = match tx.who {
            Who::Payment(n) => (Some(marker(n)), "Payment"),
            Who::Plug | Who::Stranger => (None, "AccountSet"),
        };
        let pays = kind == "Payment" && outcome == Outcome::Done;
        Entry {
            hash: tx.tx_hash(),
            ledger_index: index(ledger),
            ledger_hash: ledger_hash(index(ledger)),
            tx_index: u32::try_from(in_ledger).unwrap(),
            result: outcome.code().to_owned(),
            transaction_type: kind.to_owned(),
            sender: OURS,
            slot: Slot::Sequence(u32::from(tx.sequence)),
            fee: drops(u64::from(tx.fee)),
            destination: (kind == "Payment").then_some(THEIRS),
            destination_tag: None,
            source_tag: None,
            delivered: if pays {
                Delivered::Xrp(AMOUNT)
            } else {
                Delivered::Nothing
            },
            invoice_id: marker,
            marker,
            effects: None,
            closed_at: None,
            root_after: Some(RootAfter {
                balance: BALANCE,
                sequence: u32::from(tx.sequence) + 1,
                owner_count: 0,
            }),
        }
    }

    /// The ledgers `from` to `to` as an honest server tells them.
    pub fn page(&self, from: u8, to: u8) -> Page {
        let inside = |(_, applied): &(usize, &Applied)| (from..=to).contains(&applied.ledger);
        let entries = self.applied.iter().enumerate().filter(inside);
        Page {
            account: OURS,
            from: index(from),
            to: index(to),
            to_hash: ledger_hash(index(to)),
            closed_at: None,
            servers: Vec::new(),
            entries: entries.map(|(n, applied)| self.entry(n, applied)).collect(),
        }
    }

    /// The same as a server tells it that lies.
    pub fn forged_page(&self, from: u8, to: u8, lie: Lie) -> Page {
        let mut page = self.page(from, to);
        match lie {
            Lie::Absent => page.entries.clear(),
            Lie::Result => {
                for entry in &mut page.entries {
                    let lied = if entry.result == Outcome::Done.code() {
                        (Outcome::Refused, Delivered::Nothing)
                    } else {
                        (Outcome::Done, Delivered::Xrp(AMOUNT))
                    };
                    entry.result = lied.0.code().to_owned();
                    entry.delivered = lied.1;
                }
            }
        }
        page
    }

    /// The account root at ledger `at` as an honest server tells it.
    pub fn root(&self, at: u8) -> RootProof {
        RootProof {
            at: index(at),
            sequence: u32::from(self.sequence_at(at)),
            tickets: None,
            servers: Vec::new(),
        }
    }
}

/// The marker that every attempt of a payment bears.
pub const fn marker(payment: u8) -> Hash256 {
    Hash256([payment + 1; 32])
}

/// What `quorum` of the answers agree on; the liar is asked first.
pub fn agreed<T: PartialEq + Clone>(answers: &[T], quorum: usize) -> Option<T> {
    let voices = |said: &T| answers.iter().filter(|other| *other == said).count();
    answers.iter().find(|said| voices(said) >= quorum).cloned()
}
