//! What can be changed about an account: who may sign for it, by its regular key, its master key and its
//! signers, and that who pays it has to name a destination tag.
//!
//! A change that comes out of a file is read strictly: a transaction is one of these or it is refused,
//! and one that says anything more is refused as well. So what a person is shown before signing is what
//! the transaction does, whoever wrote the file.

use serde_json::Value;
use std::fmt;
use xrpayd_codec::transaction::{Action, BadTransaction, Common, Slot, Unsigned};
use xrpayd_core::address::AccountId;
use xrpayd_core::ids::LedgerIndex;
use xrpayd_core::money::Drops;

/// The number of the setting that switches the master key off.
const DISABLE_MASTER: u32 = 4;
/// The number of the setting that takes payments with a destination tag alone.
const REQUIRE_TAG: u32 = 1;

/// A change of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// The key of this account may sign too.
    RegularKey(AccountId),
    /// No regular key any more.
    NoRegularKey,
    /// The account's own key signs nothing any more.
    DisableMaster,
    /// These may sign together.
    Signers {
        /// The weight that is needed.
        quorum: u32,
        /// The signers and their weights.
        signers: Vec<(AccountId, u16)>,
    },
    /// Nobody signs together any more.
    NoSigners,
    /// Payments to it must bear a destination tag.
    RequireTag,
}

/// Why a transaction is none that is signed or submitted here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAChange {
    /// A field is missing or is not what it has to be.
    #[error("its {0} is missing or not what it has to be")]
    Field(&'static str),
    /// It is of another type.
    #[error(
        "it is neither a SetRegularKey, a SignerListSet nor an AccountSet that disables the master key or demands a destination tag"
    )]
    Type,
    /// It says something else as well.
    #[error("it says more than the change that it makes")]
    More,
    /// No ledger would take it.
    #[error("no ledger would take it: {0}")]
    Bad(#[from] BadTransaction),
}

impl Change {
    /// What the codec calls it.
    #[must_use]
    pub fn action(&self) -> Action {
        use xrpayd_codec::transaction::{AccountSet, SetRegularKey, SignerListSet};
        let regular_key = |regular_key| Action::SetRegularKey(SetRegularKey { regular_key });
        let signers = |quorum, signers| Action::SignerListSet(SignerListSet { quorum, signers });
        match self {
            Self::RegularKey(key) => regular_key(Some(*key)),
            Self::NoRegularKey => regular_key(None),
            Self::DisableMaster => Action::AccountSet(Box::new(AccountSet {
                set_flag: Some(DISABLE_MASTER),
                ..AccountSet::default()
            })),
            Self::Signers {
                quorum,
                signers: all,
            } => signers(*quorum, all.clone()),
            Self::NoSigners => signers(0, Vec::new()),
            Self::RequireTag => Action::AccountSet(Box::new(AccountSet {
                set_flag: Some(REQUIRE_TAG),
                ..AccountSet::default()
            })),
        }
    }

    /// Whether only the account's own key may sign it.
    #[must_use]
    pub const fn needs_master(&self) -> bool {
        matches!(self, Self::DisableMaster)
    }

    fn read(tx: &Value) -> Result<Self, NotAChange> {
        match tx["TransactionType"].as_str() {
            Some("SetRegularKey") => match tx.get("RegularKey") {
                Some(key) => account(key, "RegularKey").map(Self::RegularKey),
                None => Ok(Self::NoRegularKey),
            },
            Some("AccountSet") if tx["SetFlag"] == DISABLE_MASTER => Ok(Self::DisableMaster),
            Some("AccountSet") if tx["SetFlag"] == REQUIRE_TAG => Ok(Self::RequireTag),
            Some("SignerListSet") => {
                let quorum = number(tx, "SignerQuorum")?;
                let Some(entries) = tx.get("SignerEntries") else {
                    return Ok(Self::NoSigners);
                };
                let entries = entries
                    .as_array()
                    .ok_or(NotAChange::Field("SignerEntries"))?;
                let signers = entries.iter().map(signer).collect::<Result<_, _>>()?;
                Ok(Self::Signers { quorum, signers })
            }
            _ => Err(NotAChange::Type),
        }
    }
}

/// The change as a sentence goes on after the account.
impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RegularKey(key) => write!(f, "gets the regular key {key}"),
            Self::NoRegularKey => f.write_str("loses its regular key"),
            Self::DisableMaster => f.write_str("signs nothing with its master key any more"),
            Self::Signers { quorum, signers } => {
                write!(f, "gets signers who need a weight of {quorum} together:")?;
                for (n, (signer, weight)) in signers.iter().enumerate() {
                    let comma = if n == 0 { "" } else { "," };
                    write!(f, "{comma} {signer} with {weight}")?;
                }
                Ok(())
            }
            Self::NoSigners => f.write_str("loses its list of signers"),
            Self::RequireTag => f.write_str("takes payments with a destination tag alone"),
        }
    }
}

/// The unsigned transaction that `tx` is, provided that it makes one change and says nothing more.
///
/// # Errors
/// Says why it is none that is dealt with here.
pub fn read(tx: &Value) -> Result<(Unsigned, Change), NotAChange> {
    let change = Change::read(tx)?;
    let fee = tx["Fee"].as_str().and_then(|fee| fee.parse::<Drops>().ok());
    let slot = match tx.get("TicketSequence") {
        Some(_) => Slot::Ticket(number(tx, "TicketSequence")?),
        None => Slot::Sequence(number(tx, "Sequence")?),
    };
    let network_id = match tx.get("NetworkID") {
        Some(_) => number(tx, "NetworkID")?,
        None => 0,
    };
    let unsigned = Unsigned {
        common: Common {
            account: account(&tx["Account"], "Account")?,
            fee: fee.ok_or(NotAChange::Field("Fee"))?,
            slot,
            last_ledger: LedgerIndex(number(tx, "LastLedgerSequence")?),
            network_id,
            source_tag: None,
            account_txn_id: None,
            memos: Vec::new(),
        },
        action: change.action(),
    };
    if unsigned.to_json()? == *tx {
        Ok((unsigned, change))
    } else {
        Err(NotAChange::More)
    }
}

fn signer(entry: &Value) -> Result<(AccountId, u16), NotAChange> {
    let entry = &entry["SignerEntry"];
    let weight = number(entry, "SignerWeight")?;
    let weight = u16::try_from(weight).map_err(|_| NotAChange::Field("SignerWeight"))?;
    Ok((account(&entry["Account"], "SignerEntries")?, weight))
}

fn account(value: &Value, field: &'static str) -> Result<AccountId, NotAChange> {
    let text = value.as_str().ok_or(NotAChange::Field(field))?;
    text.parse().map_err(|_| NotAChange::Field(field))
}

fn number(tx: &Value, field: &'static str) -> Result<u32, NotAChange> {
    let number = tx[field]
        .as_u64()
        .and_then(|number| u32::try_from(number).ok());
    number.ok_or(NotAChange::Field(field))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const ACCOUNT: &str = "rBLBSrTC68gJUQ7amoAUyoVJgM8Zr8VWXc";
    const OTHER: &str = "rPT1Sjq2YGrBMTttX4GZHjKu9dyfzbpAYe";
    const THIRD: &str = "rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTh";

    fn unsigned(change: &Change, slot: Slot) -> Unsigned {
        Unsigned {
            common: Common {
                account: ACCOUNT.parse().unwrap(),
                fee: Drops::new(12).unwrap(),
                slot,
                last_ledger: LedgerIndex(90),
                network_id: 21_337,
                source_tag: None,
                account_txn_id: None,
                memos: Vec::new(),
            },
            action: change.action(),
        }
    }

    fn all() -> Vec<Change> {
        vec![
            Change::RegularKey(OTHER.parse().unwrap()),
            Change::NoRegularKey,
            Change::DisableMaster,
            Change::Signers {
                quorum: 3,
                signers: vec![(OTHER.parse().unwrap(), 1), (THIRD.parse().unwrap(), 2)],
            },
            Change::NoSigners,
            Change::RequireTag,
        ]
    }

    #[test]
    fn each_change_is_read_back_as_it_was_written() {
        for change in all() {
            for slot in [Slot::Sequence(7), Slot::Ticket(8)] {
                let written = unsigned(&change, slot);
                let tx = written.to_json().unwrap();
                assert_eq!(read(&tx), Ok((written, change.clone())), "{tx}");
            }
        }
    }

    #[test]
    fn what_says_more_than_its_change_is_refused() {
        for change in all() {
            let plain = unsigned(&change, Slot::Sequence(7)).to_json().unwrap();
            for (field, value) in [
                ("Memos", json!([{ "Memo": { "MemoData": "00" } }])),
                ("Flags", json!(1)),
                ("Domain", json!("00")),
                ("SigningPubKey", json!("")),
                ("ClearFlag", json!(1)),
                ("SourceTag", json!(1)),
            ] {
                let mut tx = plain.clone();
                tx[field] = value;
                assert_eq!(read(&tx), Err(NotAChange::More), "{field} in {tx}");
            }
        }
    }

    #[test]
    fn another_transaction_is_none_of_ours() {
        let mut tx = unsigned(&Change::DisableMaster, Slot::Sequence(7))
            .to_json()
            .unwrap();
        tx["SetFlag"] = json!(8);
        assert_eq!(read(&tx), Err(NotAChange::Type));
        tx["TransactionType"] = json!("Payment");
        assert_eq!(read(&tx), Err(NotAChange::Type));
        for nonsense in [json!(null), json!([]), json!("text"), json!({})] {
            assert_eq!(read(&nonsense), Err(NotAChange::Type));
        }
    }

    #[test]
    fn a_field_that_is_not_what_it_has_to_be_is_named() {
        for field in [
            "Account",
            "Fee",
            "Sequence",
            "LastLedgerSequence",
            "RegularKey",
        ] {
            let change = Change::RegularKey(OTHER.parse().unwrap());
            let mut tx = unsigned(&change, Slot::Sequence(7)).to_json().unwrap();
            tx[field] = json!(-1);
            assert_eq!(read(&tx), Err(NotAChange::Field(field)));
        }
    }

    #[test]
    fn a_sentence_says_what_becomes_of_the_account() {
        let sentences: Vec<String> = all().iter().map(ToString::to_string).collect();
        assert_eq!(
            sentences,
            [
                format!("gets the regular key {OTHER}"),
                "loses its regular key".to_owned(),
                "signs nothing with its master key any more".to_owned(),
                format!(
                    "gets signers who need a weight of 3 together: {OTHER} with 1, {THIRD} with 2"
                ),
                "loses its list of signers".to_owned(),
                "takes payments with a destination tag alone".to_owned(),
            ]
        );
    }
}
