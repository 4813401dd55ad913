//! The wallets as the ledger knows them, and the keys that sign for them.

mod listed;

use super::items;
use super::{Outcome, Row, must, should};
use xrpayd_core::address::AccountId;
use xrpayd_core::ids::LedgerIndex;
use xrpayd_core::money::Drops;

pub use listed::{Listed, address_list, addresses, by_hand};

/// What was seen of one wallet.
#[derive(Debug, Clone)]
pub struct WalletFacts {
    /// Its name.
    pub name: String,
    /// Its address, by the configuration.
    pub address: AccountId,
    /// `hot`, `warm` or `cold`.
    pub tier: String,
    /// The address of the key that the secret holds, or why it cannot be had.
    pub key: Result<AccountId, String>,
    /// What the ledger says of the account, or why nothing is known.
    pub account: Result<Option<AccountFacts>, String>,
    /// The least that it should hold: its low and its critical balance.
    pub low: Drops,
    /// Below this somebody is paged.
    pub critical: Drops,
    /// The most that it should hold.
    pub cap: Option<Drops>,
    /// Whether invoices are paid to it.
    pub is_paid: bool,
    /// What the production list says of it.
    pub listed: Listed,
}

/// What a validated ledger says of an account.
#[derive(Debug, Clone)]
pub struct AccountFacts {
    /// Which ledger.
    pub at: LedgerIndex,
    /// Who agreed.
    pub servers: Vec<String>,
    /// The balance.
    pub balance: Drops,
    /// What of it is bound as reserve.
    pub reserve: Drops,
    /// The regular key.
    pub regular_key: Option<AccountId>,
    /// Whether the master key signs nothing.
    pub is_master_disabled: bool,
    /// Whether payments to it must bear a tag.
    pub requires_tag: bool,
    /// Whether only preauthorised accounts may pay it.
    pub requires_authorization: bool,
    /// Whether it is the ledger's own.
    pub is_pseudo: bool,
    /// Those who may sign together.
    pub signers: Option<SignerFacts>,
}

/// A list of signers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignerFacts {
    /// How many.
    pub count: usize,
    /// What they must weigh together.
    pub quorum: u32,
    /// Whether one alone suffices.
    pub is_of_one: bool,
    /// Whether the quorum is met without any one of them.
    pub bears_a_loss: bool,
}

/// The rows of one wallet.
#[must_use]
pub fn rows(facts: &WalletFacts) -> Vec<Row> {
    let name = facts.name.as_str();
    let mut rows = vec![listed::row(facts)];
    let account = match &facts.account {
        Ok(Some(account)) => account,
        Ok(None) => {
            let words = format!("{} does not exist on the ledger", facts.address);
            rows.push(Row::about(
                &items::WALLET_EXISTS,
                name,
                Outcome::Fail,
                words,
            ));
            return rows;
        }
        Err(why) => {
            let words = format!(
                "what the ledger says of {} is not known: {why}",
                facts.address
            );
            rows.push(Row::about(
                &items::WALLET_EXISTS,
                name,
                Outcome::Fail,
                words,
            ));
            return rows;
        }
    };
    let words = format!(
        "{} at ledger {}, by {}",
        facts.address,
        account.at,
        account.servers.join(", ")
    );
    let row = |item, outcome, words: String| Row::about(item, name, outcome, words);
    rows.push(row(&items::WALLET_EXISTS, must(!account.is_pseudo), words));
    rows.push(key(facts, account));
    rows.push(regular_key(facts, account));
    rows.push(master_key(facts, account));
    let words = match account.requires_tag {
        true => "RequireDest is set",
        false => "RequireDest is not set: payments without a tag are taken, and belong to nobody",
    };
    rows.push(row(
        &items::WALLET_TAG,
        must(account.requires_tag),
        words.to_owned(),
    ));
    let (outcome, words) = match (account.requires_authorization, facts.is_paid) {
        (false, _) => (Outcome::Pass, "DepositAuth is not set"),
        (true, true) => (
            Outcome::Fail,
            "DepositAuth is set, and invoices are paid to it",
        ),
        (true, false) => (
            Outcome::Warn,
            "DepositAuth is set: refills must be preauthorised",
        ),
    };
    rows.push(row(&items::WALLET_DEPOSIT, outcome, words.to_owned()));
    rows.push(signers(facts, account));
    rows.extend(balance(facts, account));
    rows
}

fn key(facts: &WalletFacts, account: &AccountFacts) -> Row {
    let (outcome, words) = match &facts.key {
        Err(why) => (Outcome::Fail, format!("the key cannot be had: {why}")),
        Ok(key) => {
            let signs = account.regular_key == Some(*key)
                || (*key == facts.address && !account.is_master_disabled);
            let words = match signs {
                true => format!("the key of {key} may sign"),
                false => format!("the key of {key} may not sign for it"),
            };
            (must(signs), words)
        }
    };
    Row::about(&items::WALLET_KEY, &facts.name, outcome, words)
}

fn regular_key(facts: &WalletFacts, account: &AccountFacts) -> Row {
    let is_hot = facts.tier == "hot";
    let (outcome, words) = match (account.regular_key, &facts.key) {
        (None, _) => {
            let outcome = if is_hot { Outcome::Fail } else { Outcome::Warn };
            (
                outcome,
                "no regular key is set: the master key signs".to_owned(),
            )
        }
        (Some(set), Ok(own)) if set == *own => {
            (Outcome::Pass, format!("{set} is set, and is ours"))
        }
        (Some(set), Ok(own)) => (
            Outcome::Fail,
            format!("{set} is set, and the configured key is of {own}"),
        ),
        (Some(set), Err(_)) => (
            Outcome::Fail,
            format!("{set} is set, and no key is to be had"),
        ),
    };
    Row::about(&items::WALLET_REGULAR_KEY, &facts.name, outcome, words)
}

fn master_key(facts: &WalletFacts, account: &AccountFacts) -> Row {
    let is_hot = facts.tier == "hot";
    let signs_here = facts.key.as_ref().is_ok_and(|key| *key == facts.address);
    let (outcome, words) = match (account.is_master_disabled, is_hot, signs_here) {
        (true, ..) => (Outcome::Pass, "the master key is disabled"),
        (false, _, true) => (
            Outcome::Fail,
            "the master key is what this configuration signs with",
        ),
        (false, true, false) => (Outcome::Fail, "the master key may still sign"),
        (false, false, false) => (Outcome::Warn, "the master key may still sign"),
    };
    Row::about(&items::WALLET_MASTER, &facts.name, outcome, words)
}

fn signers(facts: &WalletFacts, account: &AccountFacts) -> Row {
    let (outcome, words) = match account.signers {
        None => (
            Outcome::Fail,
            "there is no signer list: who loses the key loses the account".to_owned(),
        ),
        Some(list) => {
            let told = format!("{} signers, quorum {}", list.count, list.quorum);
            if list.is_of_one {
                (
                    Outcome::Fail,
                    format!("{told}: one of them alone may empty it"),
                )
            } else if list.bears_a_loss {
                (Outcome::Pass, told)
            } else {
                (Outcome::Warn, format!("{told}: none of them may be lost"))
            }
        }
    };
    Row::about(&items::WALLET_SIGNERS, &facts.name, outcome, words)
}

fn balance(facts: &WalletFacts, account: &AccountFacts) -> Vec<Row> {
    let (name, balance) = (facts.name.as_str(), account.balance);
    let is_hot = facts.tier == "hot";
    let holds = format!(
        "it holds {} XRP, {} of it as reserve",
        balance.to_xrp(),
        account.reserve.to_xrp()
    );
    let low = if !is_hot || balance >= facts.low {
        (should(balance >= account.reserve), holds.clone())
    } else if balance >= facts.critical && balance >= account.reserve {
        (
            Outcome::Warn,
            format!("{holds}, below {} XRP", facts.low.to_xrp()),
        )
    } else {
        (
            Outcome::Fail,
            format!("{holds}, below {} XRP", facts.critical.to_xrp()),
        )
    };
    let cap = match facts.cap {
        Some(cap) => (
            must(balance <= cap),
            format!(
                "it holds {} XRP of {} XRP at most",
                balance.to_xrp(),
                cap.to_xrp()
            ),
        ),
        None if is_hot => (
            Outcome::Fail,
            format!(
                "it holds {} XRP, and no balance_cap_xrp is set",
                balance.to_xrp()
            ),
        ),
        None => (
            Outcome::Pass,
            format!("it is {}, and needs no cap", facts.tier),
        ),
    };
    vec![
        Row::about(&items::WALLET_BALANCE, name, low.0, low.1),
        Row::about(&items::WALLET_CAP, name, cap.0, cap.1),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::preflight::people::SignOff;
    use xrpayd_core::ids::UnixMs;

    const ACCOUNT: AccountId = AccountId([1; 20]);
    const KEY: AccountId = AccountId([2; 20]);

    fn xrp(xrp: u64) -> Drops {
        Drops::new(xrp * 1_000_000).unwrap()
    }

    fn wallet() -> WalletFacts {
        WalletFacts {
            name: "hot".to_owned(),
            address: ACCOUNT,
            tier: "hot".to_owned(),
            key: Ok(KEY),
            account: Ok(Some(AccountFacts {
                at: LedgerIndex(7),
                servers: vec!["a".to_owned(), "b".to_owned()],
                balance: xrp(100),
                reserve: xrp(2),
                regular_key: Some(KEY),
                is_master_disabled: true,
                requires_tag: true,
                requires_authorization: false,
                is_pseudo: false,
                signers: Some(SignerFacts {
                    count: 3,
                    quorum: 2,
                    is_of_one: false,
                    bears_a_loss: true,
                }),
            })),
            low: xrp(50),
            critical: xrp(20),
            cap: Some(xrp(1_000)),
            is_paid: true,
            listed: Listed::As(ACCOUNT),
        }
    }

    fn found(facts: &WalletFacts) -> Vec<(&'static str, &'static str)> {
        let rows = rows(facts).into_iter();
        let bad = rows.filter(|row| row.outcome != Outcome::Pass);
        bad.map(|row| (row.item.id, row.outcome.as_str())).collect()
    }

    fn changed(change: fn(&mut AccountFacts)) -> Vec<(&'static str, &'static str)> {
        let mut facts = wallet();
        facts.account.as_mut().unwrap().iter_mut().for_each(change);
        found(&facts)
    }

    #[test]
    fn a_wallet_that_is_set_up_well_passes() {
        assert_eq!(found(&wallet()), []);
    }

    #[test]
    fn each_fault_on_the_ledger_is_named() {
        type Fault = fn(&mut AccountFacts);
        let faults: [(Fault, &str, &str); 10] = [
            (|a| a.requires_tag = false, "require_tag", "fail"),
            (|a| a.requires_authorization = true, "deposit_auth", "fail"),
            (|a| a.is_master_disabled = false, "master_key", "fail"),
            (|a| a.signers = None, "signer_list", "fail"),
            (
                |a| a.signers.iter_mut().for_each(|list| list.is_of_one = true),
                "signer_list",
                "fail",
            ),
            (
                |a| {
                    let signers = a.signers.iter_mut();
                    signers.for_each(|list| list.bears_a_loss = false);
                },
                "signer_list",
                "warn",
            ),
            (|a| a.balance = xrp(49), "balance", "warn"),
            (|a| a.balance = xrp(19), "balance", "fail"),
            (|a| a.balance = xrp(1_001), "balance_cap", "fail"),
            (|a| a.is_pseudo = true, "exists", "fail"),
        ];
        for (fault, item, outcome) in faults {
            let item = format!("wallet.{item}");
            assert_eq!(changed(fault), [(item.as_str(), outcome)]);
        }
        assert_eq!(
            changed(|a| a.regular_key = Some(ACCOUNT)),
            [("wallet.key", "fail"), ("wallet.regular_key", "fail")]
        );
    }

    #[test]
    fn a_master_key_that_signs_is_named_even_where_it_may() {
        let mut facts = wallet();
        facts.key = Ok(ACCOUNT);
        if let Some(account) = facts.account.as_mut().unwrap() {
            account.regular_key = None;
            account.is_master_disabled = false;
        }
        assert_eq!(
            found(&facts),
            [
                ("wallet.regular_key", "fail"),
                ("wallet.master_key", "fail")
            ]
        );
    }

    #[test]
    fn a_cap_is_asked_of_hot_wallets_alone() {
        let mut facts = wallet();
        facts.cap = None;
        assert_eq!(found(&facts), [("wallet.balance_cap", "fail")]);
        facts.tier = "warm".to_owned();
        assert_eq!(found(&facts), []);
    }

    #[test]
    fn the_production_list_is_believed_before_the_configuration() {
        let mut facts = wallet();
        facts.listed = Listed::As(KEY);
        assert_eq!(found(&facts), [("wallet.address_list", "fail")]);
        facts.listed = Listed::Missing;
        assert_eq!(found(&facts), [("wallet.address_list", "fail")]);
        facts.listed = Listed::ByHand(None);
        assert_eq!(found(&facts), [("wallet.address_list", "manual")]);
        let word = SignOff {
            by: "Ada".to_owned(),
            at: UnixMs(0),
            until: UnixMs(1),
            note: None,
            about: None,
        };
        facts.listed = Listed::ByHand(Some(word.clone()));
        assert_eq!(rows(&facts)[0].outcome, Outcome::Manual(Some(word.clone())));
        facts.listed = Listed::ByHandBefore(word);
        let row = rows(&facts).swap_remove(0);
        assert_eq!(row.outcome, Outcome::Manual(None));
        assert!(
            row.evidence.contains(&ACCOUNT.to_string()),
            "{}",
            row.evidence
        );
    }

    #[test]
    fn an_account_of_which_nothing_is_known_is_one_failure() {
        let mut facts = wallet();
        facts.account = Err("no quorum".to_owned());
        assert_eq!(found(&facts), [("wallet.exists", "fail")]);
        facts.account = Ok(None);
        assert_eq!(found(&facts), [("wallet.exists", "fail")]);
    }
}
