//! What comes in: the credit that a validated transaction is to one of our accounts.
//!
//! A credit is what arrived, never what a transaction asked for. Which credits a transaction holds is
//! read off its agreed metadata; where the ledger does not say how much arrived, or what it says
//! contradicts the account's own balance, the credit is counted for nobody and goes to a person.

mod credits;

pub use credits::{credits_in, credits_of};

use crate::address::AccountId;
use crate::amount::{Amount, Asset};
use crate::ids::{DepositId, LedgerIndex, TxHash, UnixMs};
use sha2::{Digest, Sha512};
use std::str::FromStr;

/// What a validated transaction brought to an account, of one asset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credit {
    /// The transaction.
    pub hash: TxHash,
    /// The ledger that holds it.
    pub ledger_index: LedgerIndex,
    /// Its place in that ledger.
    pub tx_index: u32,
    /// When that ledger closed.
    pub closed_at: UnixMs,
    /// Its type by name.
    pub transaction_type: String,
    /// Who paid: the sender, or whoever owned the check, escrow or channel that was drawn on. Nobody,
    /// where an offer was taken.
    pub from: Option<AccountId>,
    /// The payer's own tag: where a return goes to.
    pub source_tag: Option<u32>,
    /// The tag that it was paid to.
    pub destination_tag: Option<u32>,
    /// What arrived.
    pub amount: Counted,
    /// Whether its sender marked it as the return of something that we had sent.
    pub is_return: bool,
}

/// How much arrived, as far as the ledger says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counted {
    /// This much, to the drop.
    Exact(Amount),
    /// Something of this asset, where that is known; a person has to find out how much.
    Unknown(Option<Asset>),
}

/// Why a credit belongs to no invoice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Unmatched {
    /// It was paid to no tag.
    NoTag,
    /// No invoice has the tag that it was paid to.
    UnknownTag,
    /// The invoice asks for another asset.
    OtherAsset,
    /// The invoice was called off.
    InvoiceCancelled,
    /// The invoice was issued after the ledger that holds the credit.
    BeforeInvoice,
    /// Nobody says how much arrived.
    AmountUnknown,
    /// The sum with what the invoice has received cannot be told exactly.
    NotExact,
}

/// A text that is no reason why a credit belongs to no invoice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a reason why a deposit is unmatched")]
pub struct BadReason;

impl Unmatched {
    /// Every reason.
    pub const ALL: [Self; 7] = [
        Self::NoTag,
        Self::UnknownTag,
        Self::OtherAsset,
        Self::InvoiceCancelled,
        Self::BeforeInvoice,
        Self::AmountUnknown,
        Self::NotExact,
    ];

    /// The text in the API and the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoTag => "no_tag",
            Self::UnknownTag => "unknown_tag",
            Self::OtherAsset => "other_asset",
            Self::InvoiceCancelled => "invoice_cancelled",
            Self::BeforeInvoice => "before_invoice",
            Self::AmountUnknown => "amount_unknown",
            Self::NotExact => "amount_not_exact",
        }
    }
}

impl FromStr for Unmatched {
    type Err = BadReason;
    fn from_str(text: &str) -> Result<Self, BadReason> {
        let mut all = Self::ALL.into_iter();
        all.find(|reason| reason.as_str() == text).ok_or(BadReason)
    }
}

impl Counted {
    /// What arrived, where that is known.
    #[must_use]
    pub const fn exact(&self) -> Option<Amount> {
        match self {
            Self::Exact(amount) => Some(*amount),
            Self::Unknown(_) => None,
        }
    }

    /// The asset, where that is known.
    #[must_use]
    pub const fn asset(&self) -> Option<Asset> {
        match self {
            Self::Exact(amount) => Some(amount.asset()),
            Self::Unknown(asset) => *asset,
        }
    }
}

/// The identifier of a credit: the same for everybody who reads it off the same network. It begins with
/// the ledger's index, so that identifiers sort as the ledger does.
#[must_use]
pub fn id_of(network_id: u32, account: AccountId, credit: &Credit) -> DepositId {
    let mut hash = Sha512::new();
    hash.update(b"xrpayd/deposit\0");
    hash.update(network_id.to_be_bytes());
    hash.update(account.0);
    hash.update(credit.hash.0);
    hash.update(
        credit
            .amount
            .asset()
            .map_or_else(String::new, |asset| asset.to_string()),
    );
    let digest = hash.finalize();
    let tail = digest
        .iter()
        .take(10)
        .fold(0_u128, |tail, byte| tail << 8 | u128::from(*byte));
    // The place is below 2^16 by far: a ledger holds some hundreds of transactions.
    let place = u128::from(credit.tx_index & 0xFFFF);
    DepositId(u128::from(credit.ledger_index.0) << 96 | place << 80 | tail)
}

/// The lowest and the highest identifier that a credit of these ledgers can have.
#[must_use]
pub fn ids_between(from: LedgerIndex, to: LedgerIndex) -> (DepositId, DepositId) {
    // The index is the topmost thing in an identifier, and widening it is exact.
    let (first, last) = (u128::from(from.0) << 96, u128::from(to.0) << 96);
    (DepositId(first), DepositId(last | (u128::MAX >> 32)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::money::Drops;

    fn credit(ledger: u32, place: u32) -> Credit {
        Credit {
            hash: TxHash([1; 32]),
            ledger_index: LedgerIndex(ledger),
            tx_index: place,
            closed_at: UnixMs(0),
            transaction_type: "Payment".to_owned(),
            from: Some(AccountId([2; 20])),
            source_tag: None,
            destination_tag: Some(7),
            amount: Counted::Exact(Amount::Xrp(Drops::ZERO)),
            is_return: false,
        }
    }

    #[test]
    fn an_identifier_is_the_same_again_and_sorts_as_the_ledger_does() {
        let account = AccountId([3; 20]);
        let of = |ledger, place| id_of(0, account, &credit(ledger, place));
        assert_eq!(of(5, 1), of(5, 1));
        assert!(of(5, 1) < of(5, 2));
        assert!(of(5, 2) < of(6, 0));
        let (first, last) = ids_between(LedgerIndex(5), LedgerIndex(6));
        for (ledger, is_within) in [(4, false), (5, true), (6, true), (7, false)] {
            assert_eq!(
                (first..=last).contains(&of(ledger, 9)),
                is_within,
                "{ledger}"
            );
        }
        assert_ne!(of(5, 1), id_of(1, account, &credit(5, 1)));
        assert_ne!(of(5, 1), id_of(0, AccountId([4; 20]), &credit(5, 1)));
        // Whoever reads it again may have been told less of the ledger that holds it.
        let mut again = credit(5, 1);
        again.closed_at = UnixMs(7);
        assert_eq!(of(5, 1), id_of(0, account, &again));
        let mut other = credit(5, 1);
        other.amount = Counted::Unknown(None);
        assert_ne!(of(5, 1), id_of(0, account, &other));
    }
}
