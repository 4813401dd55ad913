//! The answer to `account_info` at one validated ledger.

use crate::xrpl::account_setup::{AccountSetup, SignerList};
use crate::xrpl::history::Root;
use serde::Deserialize;
use serde::de::IgnoredAny;
use std::borrow::Cow;
use xrpayd_core::address::AccountId;
use xrpayd_core::ids::{LedgerHash, LedgerIndex};
use xrpayd_core::money::Drops;

/// What says which ledger an answer is about: in the result, or beside the error `actNotFound`.
#[derive(Debug, Deserialize)]
pub(in crate::xrpl) struct AtLedger<'a> {
    #[serde(borrow, default)]
    ledger_hash: Option<Cow<'a, str>>,
    #[serde(default)]
    ledger_index: Option<u32>,
    #[serde(default)]
    validated: bool,
}

impl AtLedger<'_> {
    /// Makes sure that the answer is about the validated ledger `wanted`, and returns its hash where
    /// the server gives it.
    pub(in crate::xrpl) fn check(
        &self,
        wanted: LedgerIndex,
    ) -> Result<Option<LedgerHash>, &'static str> {
        if !self.validated {
            return Err("the ledger is not validated there");
        }
        if self.ledger_index != Some(wanted.0) {
            return Err("the answer is about another ledger");
        }
        match self.ledger_hash.as_deref().map(str::parse) {
            None => Ok(None),
            Some(Ok(hash)) => Ok(Some(hash)),
            Some(Err(_)) => Err("the ledger's hash is malformed"),
        }
    }
}

/// The result.
#[derive(Debug, Deserialize)]
pub(in crate::xrpl) struct AccountInfo<'a> {
    #[serde(borrow)]
    pub account_data: AccountData<'a>,
    /// Where they were asked for: as version 2 of the servers' API tells them.
    #[serde(default)]
    signer_lists: Vec<SignerListEntry>,
}

impl AccountInfo<'_> {
    /// The account root.
    pub(in crate::xrpl) fn root(&self) -> Root {
        let data = &self.account_data;
        Root {
            balance: data.balance,
            sequence: data.sequence,
            owner_count: data.owner_count,
            flags: data.flags,
            previous_txn_lgr_seq: data.previous_txn_lgr_seq,
            regular_key: data.regular_key,
            is_pseudo: data.is_pseudo(),
        }
    }

    /// How the account is set up, where the lists of signers were asked for.
    pub(in crate::xrpl) fn setup(self) -> Result<AccountSetup, &'static str> {
        let root = self.root();
        let mut lists = self.signer_lists;
        lists.extend(self.account_data.signer_lists);
        if lists.len() > 1 {
            return Err("an account has one list of signers at most");
        }
        Ok(AccountSetup {
            root,
            ticket_count: self.account_data.ticket_count,
            signers: lists.pop().map(SignerListEntry::list),
        })
    }
}

/// A list of signers as the ledger keeps it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SignerListEntry {
    signer_quorum: u32,
    signer_entries: Vec<SignerEntry>,
}

/// The wrapping that the ledger's JSON puts around each member of an array.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SignerEntry {
    signer_entry: Signer,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Signer {
    account: AccountId,
    signer_weight: u16,
}

impl SignerListEntry {
    fn list(self) -> SignerList {
        let entries = self.signer_entries.into_iter();
        let signers =
            entries.map(|entry| (entry.signer_entry.account, entry.signer_entry.signer_weight));
        SignerList {
            quorum: self.signer_quorum,
            signers: signers.collect(),
        }
    }
}

/// The account root.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::xrpl) struct AccountData<'a> {
    #[serde(borrow)]
    pub account: Cow<'a, str>,
    pub balance: Drops,
    pub sequence: u32,
    pub owner_count: u32,
    pub flags: u32,
    #[serde(default, rename = "PreviousTxnLgrSeq")]
    pub previous_txn_lgr_seq: u32,
    #[serde(default)]
    pub regular_key: Option<AccountId>,
    #[serde(default)]
    ticket_count: u32,
    /// Where version 1 of the servers' API tells the lists of signers.
    #[serde(default, rename = "signer_lists")]
    signer_lists: Vec<SignerListEntry>,
    #[serde(default, rename = "AMMID")]
    amm: Option<IgnoredAny>,
    #[serde(default, rename = "VaultID")]
    vault: Option<IgnoredAny>,
    #[serde(default, rename = "LoanBrokerID")]
    loan_broker: Option<IgnoredAny>,
}

impl AccountData<'_> {
    /// Whether the account is the ledger's own.
    const fn is_pseudo(&self) -> bool {
        self.amm.is_some() || self.vault.is_some() || self.loan_broker.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = r#"{"Flags":65536,"LedgerEntryType":"SignerList","OwnerNode":"0","SignerListID":0,
        "SignerQuorum":3,"SignerEntries":[
        {"SignerEntry":{"Account":"rpHit3GvUR1VSGh2PXcaaZKEEUnCVxWU2i","SignerWeight":2}},
        {"SignerEntry":{"Account":"rN4oCm1c6BQz6nru83H52FBSpNbC9VQcRc","SignerWeight":1}}]}"#;

    fn answer(inside: &str, beside: &str) -> Result<AccountSetup, &'static str> {
        let text = format!(
            r#"{{"account_data":{{"Account":"r9cZA1mLK5R5Am25ArfXFmqgNwjZgnfk59","Balance":"922913243","Flags":655360,
            "OwnerCount":1,"PreviousTxnLgrSeq":6614625,"Sequence":23,"TicketCount":4{inside}}}{beside}}}"#
        );
        let info: AccountInfo<'_> = serde_json::from_str(&text).unwrap();
        info.setup()
    }

    #[test]
    fn a_list_of_signers_reads_wherever_a_version_of_the_api_puts_it() {
        let lists = format!(r#","signer_lists":[{LIST}]"#);
        for (inside, beside) in [(lists.as_str(), ""), ("", lists.as_str())] {
            let setup = answer(inside, beside).unwrap();
            let list = setup.signers.clone().unwrap();
            assert_eq!((list.quorum, list.signers.len()), (3, 2));
            assert_eq!(list.signers[0].1, 2);
            assert_eq!(setup.ticket_count, 4);
            assert!(setup.requires_tag() && !setup.requires_authorization());
        }
    }

    #[test]
    fn no_list_is_none_and_two_are_an_answer_that_cannot_be_used() {
        assert_eq!(answer("", r#","signer_lists":[]"#).unwrap().signers, None);
        let twice = format!(r#","signer_lists":[{LIST},{LIST}]"#);
        assert!(answer("", &twice).is_err());
    }
}
