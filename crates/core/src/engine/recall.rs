//! What the ledger itself remembers of payments that this database does not know.

use super::Desk;
use crate::ids::{Hash256, LedgerHash, LedgerIndex, TxHash};
use crate::journal::{Delivered, Entry};
use crate::money::Drops;
use crate::payment::Slot;

/// A payment that the ledger holds and this database did not know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remembered {
    /// The wallet whose account sent it.
    pub wallet: String,
    /// The marker of the intent that it served.
    pub marker: Hash256,
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
    /// What it consumed.
    pub slot: Slot,
    /// The fee that was burned.
    pub fee: Drops,
    /// Where it paid to.
    pub destination: Option<String>,
    /// The tag there.
    pub destination_tag: Option<u32>,
    /// What the metadata says was delivered.
    pub delivered: Delivered,
    /// The servers that agreed on it.
    pub servers: Vec<String>,
}

impl Remembered {
    /// What an entry of the journal leaves to remember; nothing where it bears no marker.
    #[must_use]
    pub fn of(wallet: &str, entry: &Entry, servers: &[String]) -> Option<Self> {
        let marker = entry.marker?;
        (entry.transaction_type == "Payment").then(|| Self {
            wallet: wallet.to_owned(),
            marker,
            hash: entry.hash,
            ledger_index: entry.ledger_index,
            ledger_hash: entry.ledger_hash,
            tx_index: entry.tx_index,
            result: entry.result.clone(),
            slot: entry.slot,
            fee: entry.fee,
            destination: entry.destination.map(|account| account.to_string()),
            destination_tag: entry.destination_tag,
            delivered: entry.delivered.clone(),
            servers: servers.to_vec(),
        })
    }
}

impl Desk {
    /// A stretch of the ledgers before the journal's beginning was read and what it remembers, as
    /// `found_any` says, is durable; `next` is where reading goes on, none where it has ended.
    pub fn recalled(&mut self, found_any: bool, next: Option<LedgerIndex>) {
        self.remembers |= found_any;
        self.recall = match (next, self.recall) {
            (Some(next), Some((_, to))) => Some((next, to)),
            _ => None,
        };
        self.look_again();
    }
}

#[cfg(test)]
mod tests {
    use super::super::bed;
    use super::*;

    #[test]
    fn nothing_is_signed_before_the_forgotten_ledgers_have_been_read() {
        let mut record = bed::record();
        record.recall = Some((LedgerIndex(10), LedgerIndex(90)));
        let mut desk = bed::desk_of(record);
        assert!(!desk.may_sign());
        desk.recalled(true, Some(LedgerIndex(50)));
        assert_eq!(desk.recall(), Some((LedgerIndex(50), LedgerIndex(90))));
        assert!(!desk.may_sign());
        desk.recalled(false, None);
        assert!(desk.may_sign());
        assert!(desk.remembers());
    }
}
