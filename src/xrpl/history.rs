//! What the pool says about an account's validated history and root, once enough servers agree.

use std::collections::BTreeSet;
use xrpayd_core::address::AccountId;
use xrpayd_core::ids::{Hash256, LedgerHash, LedgerIndex, TxHash, UnixMs};
use xrpayd_core::journal::{self, Delivered, Effects, Entry};
use xrpayd_core::money::Drops;
use xrpayd_core::payment::Slot;

/// A stretch of an account's validated transactions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgreedHistory {
    /// Its first ledger: the one that was asked for.
    pub from: LedgerIndex,
    /// Its last ledger: at most the one that was asked for.
    pub to: LedgerIndex,
    /// The hash of the last ledger.
    pub to_hash: LedgerHash,
    /// When the last ledger closed, where the servers told it.
    pub to_closed_at: Option<UnixMs>,
    /// The names of the servers that agree.
    pub servers: Vec<String>,
    /// The transactions, by ledger and place.
    pub entries: Vec<HistoryEntry>,
}

/// One validated transaction that touched the account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryEntry {
    /// The transaction.
    pub hash: TxHash,
    /// The ledger that holds it.
    pub ledger_index: LedgerIndex,
    /// That ledger's hash.
    pub ledger_hash: LedgerHash,
    /// Its place in that ledger.
    pub tx_index: u32,
    /// The result in the validated metadata.
    pub result: String,
    /// Its type by name.
    pub transaction_type: String,
    /// The sender.
    pub account: AccountId,
    /// The sender's sequence that it consumed; 0 with a ticket.
    pub sequence: u32,
    /// The ticket that it consumed instead.
    pub ticket: Option<u32>,
    /// The fee that was burned.
    pub fee: Drops,
    /// Where it paid to.
    pub destination: Option<AccountId>,
    /// The tag there.
    pub destination_tag: Option<u32>,
    /// The sender's tag.
    pub source_tag: Option<u32>,
    /// What the metadata says was delivered.
    pub delivered: Delivered,
    /// Its `InvoiceID`.
    pub invoice_id: Option<Hash256>,
    /// The marker in a memo of ours.
    pub memo_marker: Option<Hash256>,
    /// When its ledger closed.
    pub close_time: Option<UnixMs>,
    /// The root of the account that was asked for, after it, where it changed.
    pub own_root: Option<RootAfter>,
    /// What it did to what that account holds.
    pub effects: Effects,
}

/// The transaction in the journal's own terms.
impl From<HistoryEntry> for Entry {
    fn from(entry: HistoryEntry) -> Self {
        Self {
            hash: entry.hash,
            ledger_index: entry.ledger_index,
            ledger_hash: entry.ledger_hash,
            tx_index: entry.tx_index,
            result: entry.result,
            transaction_type: entry.transaction_type,
            sender: entry.account,
            slot: entry
                .ticket
                .map_or(Slot::Sequence(entry.sequence), Slot::Ticket),
            fee: entry.fee,
            destination: entry.destination,
            destination_tag: entry.destination_tag,
            source_tag: entry.source_tag,
            delivered: entry.delivered,
            invoice_id: entry.invoice_id,
            marker: entry.memo_marker.or(entry.invoice_id),
            root_after: entry.own_root.map(|root| journal::RootAfter {
                balance: root.balance,
                sequence: root.sequence,
                owner_count: root.owner_count,
            }),
            effects: Some(entry.effects),
            closed_at: entry.close_time,
        }
    }
}

/// An account root after a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RootAfter {
    /// The balance.
    pub balance: Drops,
    /// The next sequence.
    pub sequence: u32,
    /// The number of objects that the account pays a reserve for.
    pub owner_count: u32,
    /// The root before it; `None` where this transaction created the account.
    pub before: Option<RootBefore>,
}

/// An account root before a transaction that changed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RootBefore {
    /// The balance.
    pub balance: Drops,
    /// The next sequence.
    pub sequence: u32,
    /// The number of objects that the account pays a reserve for.
    pub owner_count: u32,
}

/// An account root at one validated ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgreedRoot {
    /// The ledger.
    pub at: LedgerIndex,
    /// The names of the servers that agree.
    pub servers: Vec<String>,
    /// The ledger's hash, where any of them told it.
    pub hash: Option<LedgerHash>,
    /// The root; `None` where the servers agree that the account does not exist in that ledger.
    pub root: Option<Root>,
}

/// The tickets of an account at one validated ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgreedTickets {
    /// The ledger.
    pub at: LedgerIndex,
    /// The names of the servers that agree.
    pub servers: Vec<String>,
    /// The numbers of those that stand.
    pub standing: BTreeSet<u32>,
}

/// Whether one account may pay another at one validated ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgreedLeave {
    /// The ledger.
    pub at: LedgerIndex,
    /// The ledger's hash, where any of them told it.
    pub hash: Option<LedgerHash>,
    /// The names of the servers that agree.
    pub servers: Vec<String>,
    /// Whether the account that is to be paid lets the other.
    pub is_authorized: bool,
}

/// An account root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Root {
    /// The balance.
    pub balance: Drops,
    /// The next sequence.
    pub sequence: u32,
    /// The number of objects that the account pays a reserve for.
    pub owner_count: u32,
    /// The account's flags.
    pub flags: u32,
    /// The ledger in which it last changed.
    pub previous_txn_lgr_seq: u32,
    /// The regular key, where one is set.
    pub regular_key: Option<AccountId>,
    /// Whether it is the ledger's own, of a pool or a vault, and no key's.
    pub is_pseudo: bool,
}
