//! How an account is set up in one validated ledger: what it asks of those who pay it, and which keys
//! may sign for it.

use super::history::Root;
use xrpayd_core::address::AccountId;
use xrpayd_core::ids::{LedgerHash, LedgerIndex};

/// A payment to it must bear a tag (`lsfRequireDestTag`).
const REQUIRE_DESTINATION_TAG: u32 = 0x0002_0000;
/// Its master key signs nothing (`lsfDisableMaster`).
const DISABLE_MASTER: u32 = 0x0010_0000;
/// It takes payments only from those whom it authorised (`lsfDepositAuth`).
const DEPOSIT_AUTH: u32 = 0x0100_0000;

/// An account's set-up at one validated ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgreedSetup {
    /// The ledger.
    pub at: LedgerIndex,
    /// The ledger's hash, where any of them told it.
    pub hash: Option<LedgerHash>,
    /// The names of the servers that agree.
    pub servers: Vec<String>,
    /// The set-up; `None` where the servers agree that the account does not exist in that ledger.
    pub setup: Option<AccountSetup>,
}

/// An account's set-up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountSetup {
    /// The account root: balance, sequence, flags, regular key.
    pub root: Root,
    /// How many tickets stand.
    pub ticket_count: u32,
    /// Who may sign for it together, where there is such a list.
    pub signers: Option<SignerList>,
}

/// Those who may sign for an account together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignerList {
    /// The weight that signatures must have together.
    pub quorum: u32,
    /// Each signer and what his signature weighs.
    pub signers: Vec<(AccountId, u16)>,
}

impl AccountSetup {
    /// Whether a payment to it must bear a tag.
    #[must_use]
    pub const fn requires_tag(&self) -> bool {
        self.root.flags & REQUIRE_DESTINATION_TAG != 0
    }

    /// Whether it takes payments only from those whom it authorised.
    #[must_use]
    pub const fn requires_authorization(&self) -> bool {
        self.root.flags & DEPOSIT_AUTH != 0
    }

    /// Whether its master key signs nothing.
    #[must_use]
    pub const fn is_master_disabled(&self) -> bool {
        self.root.flags & DISABLE_MASTER != 0
    }

    /// Whether the key whose own address is `key` may sign alone for this account, whose address is
    /// `account`: as its regular key, or as its master key while that is not disabled.
    #[must_use]
    pub fn lets_sign(&self, account: AccountId, key: AccountId) -> bool {
        self.root.regular_key == Some(key) || (key == account && !self.is_master_disabled())
    }
}

impl SignerList {
    /// Whether all of `signed`, each named once, are on the list and reach the quorum together.
    #[must_use]
    pub fn lets_sign(&self, signed: impl IntoIterator<Item = AccountId>) -> bool {
        let weight_of = |signer| {
            let listed = self.signers.iter().find(|(listed, _)| *listed == signer);
            listed.map(|(_, weight)| *weight)
        };
        let weights: Option<Vec<u16>> = signed.into_iter().map(weight_of).collect();
        weights.is_some_and(|weights| self.reaches_quorum(weights))
    }

    fn reaches_quorum(&self, weights: impl IntoIterator<Item = u16>) -> bool {
        // At most 32 weights of 16 bits.
        let weight: u64 = weights.into_iter().map(u64::from).sum();
        weight >= u64::from(self.quorum)
    }

    /// Whether some signers can reach the quorum without `one` of them: where none can, losing that
    /// one key loses the account.
    #[must_use]
    pub fn does_without(&self, one: AccountId) -> bool {
        let others = self.signers.iter().filter(|(signer, _)| *signer != one);
        self.reaches_quorum(others.map(|(_, weight)| *weight))
    }

    /// Whether one signer alone reaches the quorum.
    #[must_use]
    pub fn is_of_one(&self) -> bool {
        let mut weights = self.signers.iter().map(|(_, weight)| *weight);
        weights.any(|weight| self.reaches_quorum([weight]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use xrpayd_core::money::Drops;

    const ACCOUNT: AccountId = AccountId([1; 20]);
    const KEY: AccountId = AccountId([2; 20]);

    fn setup(flags: u32, regular_key: Option<AccountId>) -> AccountSetup {
        AccountSetup {
            root: Root {
                balance: Drops::new(1).unwrap(),
                sequence: 1,
                owner_count: 0,
                flags,
                previous_txn_lgr_seq: 1,
                regular_key,
                is_pseudo: false,
            },
            ticket_count: 0,
            signers: None,
        }
    }

    #[test]
    fn the_master_key_signs_until_it_is_disabled_and_the_regular_key_always() {
        let (open, shut) = (setup(0, Some(KEY)), setup(DISABLE_MASTER, Some(KEY)));
        assert!(open.lets_sign(ACCOUNT, ACCOUNT) && open.lets_sign(ACCOUNT, KEY));
        assert!(!shut.lets_sign(ACCOUNT, ACCOUNT) && shut.lets_sign(ACCOUNT, KEY));
        assert!(!setup(0, None).lets_sign(ACCOUNT, KEY));
    }

    #[test]
    fn signers_sign_together_when_all_are_listed_and_weigh_enough() {
        let signer = |n| AccountId([n; 20]);
        let list = SignerList {
            quorum: 3,
            signers: vec![(signer(1), 1), (signer(2), 2), (signer(3), u16::MAX)],
        };
        assert!(list.lets_sign([signer(1), signer(2)]) && list.lets_sign([signer(3)]));
        assert!(!list.lets_sign([signer(2)]), "too light");
        assert!(
            !list.lets_sign([signer(3), signer(9)]),
            "one is a stranger to the list, however much the other weighs"
        );
        assert!(!list.lets_sign([]));
    }

    #[test]
    fn a_list_that_one_signer_can_meet_or_break_is_told_from_a_sound_one() {
        let list = |quorum, weights: &[u16]| SignerList {
            quorum,
            signers: (10_u8..)
                .zip(weights)
                .map(|(n, weight)| (AccountId([n; 20]), *weight))
                .collect(),
        };
        assert!(list(2, &[1, 2]).is_of_one() && !list(2, &[1, 1, 1]).is_of_one());
        let sound = list(2, &[1, 1, 1]);
        assert!(
            sound
                .signers
                .iter()
                .all(|(one, _)| sound.does_without(*one))
        );
        let brittle = list(2, &[1, 1]);
        assert!(!brittle.does_without(AccountId([10; 20])));
    }
}
