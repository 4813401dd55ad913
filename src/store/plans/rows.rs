//! What the ledger tells in the operations whose plans are read.

use super::*;

pub(super) fn of_a_stranger(ledger_index: LedgerIndex) -> Entry {
    Entry {
        hash: TxHash([9; 32]),
        ledger_index,
        ledger_hash: LedgerHash([9; 32]),
        tx_index: 0,
        result: "tesSUCCESS".to_owned(),
        transaction_type: "Payment".to_owned(),
        sender: AccountId([9; 20]),
        slot: Slot::Sequence(1),
        fee: Drops::ZERO,
        destination: None,
        destination_tag: None,
        source_tag: None,
        delivered: Delivered::Nothing,
        invoice_id: None,
        marker: None,
        effects: None,
        closed_at: None,
        root_after: None,
    }
}

pub(super) fn credit() -> Credit {
    Credit {
        hash: TxHash([9; 32]),
        ledger_index: LedgerIndex(101),
        tx_index: 0,
        closed_at: T0,
        transaction_type: "Payment".to_owned(),
        from: Some(AccountId([9; 20])),
        source_tag: None,
        destination_tag: Some(7),
        amount: Counted::Exact(Amount::Xrp(Drops::MAX)),
        is_return: false,
    }
}
