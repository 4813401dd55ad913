//! What comes in: what others bring to the account, in the ways in which a ledger tells of it.
//!
//! The chain writes down what really arrived when it arrives. Nobody but the auditor reads that: the
//! engine has to find it in what the transactions say of themselves.

use super::{Chain, OURS, THEIRS, drops};
use crate::tx::digest;
use std::collections::BTreeMap;
use xrpayd_core::amount::{Amount, Asset};
use xrpayd_core::deposit::Counted;
use xrpayd_core::ids::TxHash;
use xrpayd_core::journal::{Delivered, Drawn, Effects, Entry, MptChange};
use xrpayd_core::mpt::{MptIssuanceId, MptValue};
use xrpayd_core::payment::Slot;

/// What is brought besides XRP.
const ISSUANCE: MptIssuanceId = MptIssuanceId([4; 24]);

/// What the chain knows of what came in.
#[derive(Debug, Clone, Default)]
pub(super) struct Income {
    /// Everything that was brought, by the ledger that holds it and its transaction.
    arrived: BTreeMap<(u32, TxHash), Counted>,
    /// Transactions that concerned the account, and perhaps brought nothing.
    count: u32,
    /// What the account holds of the issuance.
    held: u64,
}

impl Chain {
    /// What came in with the ledgers between two, both included.
    #[must_use]
    pub fn arrived(&self, from: u32, to: u32) -> BTreeMap<(u32, TxHash), Counted> {
        let all = self.income.arrived.range((from, TxHash([0; 32]))..);
        all.take_while(|((ledger, _), _)| *ledger <= to)
            .map(|(at, amount)| (*at, *amount))
            .collect()
    }

    /// A transaction of somebody else that concerns the account. Its amount draws what it is, so that
    /// an amount is always the same.
    pub(super) fn brought(&mut self, index: u32, place: u32, amount: u64) -> Entry {
        self.income.count += 1;
        let seed = u64::from(self.income.count);
        let mut entry = self.blank(index, place, TxHash(digest(&seed.to_be_bytes(), 5)));
        entry.sender = THEIRS;
        entry.slot = Slot::Sequence(self.income.count);
        entry.result = "tesSUCCESS".to_owned();
        entry.transaction_type = "Payment".to_owned();
        entry.destination = Some(OURS);
        entry.destination_tag = Some(self.income.count);
        let came = match amount % 8 {
            3 => Some(self.bring_tokens(&mut entry, amount)),
            4 => {
                entry.transaction_type = "EscrowFinish".to_owned();
                entry.destination = None;
                let came = self.bring_xrp(&mut entry, amount);
                entry.effects.get_or_insert_default().drawn = Some(Drawn {
                    owner: THEIRS,
                    destination: OURS,
                    destination_tag: None,
                    source_tag: Some(self.income.count),
                });
                Some(came)
            }
            5 => {
                // A ledger from before it was told what was delivered.
                let _ = self.bring_xrp(&mut entry, amount);
                entry.delivered = Delivered::Unavailable;
                Some(Counted::Unknown(Some(Asset::Xrp)))
            }
            6 => {
                // It asked for an amount, and paid its fee.
                entry.result = "tecPATH_PARTIAL".to_owned();
                None
            }
            _ => {
                entry.delivered = Delivered::Xrp(drops(amount));
                Some(self.bring_xrp(&mut entry, amount))
            }
        };
        if let Some(came) = came {
            self.income.arrived.insert((index, entry.hash), came);
        }
        entry
    }

    fn bring_xrp(&mut self, entry: &mut Entry, amount: u64) -> Counted {
        let before = self.root.balance;
        let sum = before.checked_add(drops(amount));
        self.root.balance = sum.unwrap_or(before);
        entry.root_after = Some(self.root);
        entry.effects = Some(Effects {
            balance_before: Some(before),
            ..Effects::default()
        });
        Counted::Exact(Amount::Xrp(self.root.balance.saturating_sub(before)))
    }

    fn bring_tokens(&mut self, entry: &mut Entry, amount: u64) -> Counted {
        let units = |units: u64| MptValue::new(units).unwrap_or(MptValue::MAX);
        let before = self.income.held;
        self.income.held = before.saturating_add(amount);
        let came = Amount::Mpt {
            issuance: ISSUANCE,
            value: units(amount),
        };
        entry.delivered = Delivered::Other(came);
        entry.effects = Some(Effects {
            mpts: vec![MptChange {
                issuance: ISSUANCE,
                before: Some(units(before)),
                after: units(self.income.held),
            }],
            ..Effects::default()
        });
        Counted::Exact(came)
    }
}
