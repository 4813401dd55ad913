//! Whether a wallet's address is the right one: by the production list, or by the word of a person who
//! compared it.

use super::WalletFacts;
use crate::preflight::people::SignOff;
use crate::preflight::{Outcome, Row, items};
use std::collections::BTreeMap;
use xrpayd_core::address::AccountId;

/// What the production list says of a wallet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listed {
    /// No list is configured; whoever compared this very address by hand.
    ByHand(Option<SignOff>),
    /// No list is configured, and who compared by hand saw another address, or it is not known which.
    ByHandBefore(SignOff),
    /// The list cannot be read.
    Unreadable(String),
    /// The list does not name it.
    Missing,
    /// The address there.
    As(AccountId),
}

/// What a word on the wallets' addresses is about: each wallet's name and its address, a line each.
#[must_use]
pub fn addresses<'a>(wallets: impl IntoIterator<Item = (&'a str, AccountId)>) -> String {
    let lines: Vec<String> = wallets
        .into_iter()
        .map(|(name, address)| format!("{name} {address}"))
        .collect();
    lines.join("\n")
}

/// What a word on the wallets' addresses says of this one. It was said about the addresses of its day:
/// a wallet that came later, or has another one since, needs a word of its own.
#[must_use]
pub fn by_hand(word: Option<&SignOff>, name: &str, address: AccountId) -> Listed {
    let Some(word) = word else {
        return Listed::ByHand(None);
    };
    let own = addresses([(name, address)]);
    let seen = word.about.as_deref().unwrap_or_default();
    if seen.lines().any(|line| line == own) {
        Listed::ByHand(Some(word.clone()))
    } else {
        Listed::ByHandBefore(word.clone())
    }
}

/// Reads a production list: a wallet's name and its address on each line, `#` begins a comment.
///
/// # Errors
/// Which line is none of that, or names a wallet twice.
pub fn address_list(text: &str) -> Result<BTreeMap<String, AccountId>, String> {
    let mut list = BTreeMap::new();
    for (number, line) in (1_u32..).zip(text.lines()) {
        let words: Vec<&str> = line
            .split('#')
            .next()
            .unwrap_or("")
            .split_whitespace()
            .collect();
        let (name, address) = match words.as_slice() {
            [] => continue,
            [name, address] => (*name, address.parse::<AccountId>()),
            _ => {
                return Err(format!(
                    "line {number} is not a wallet's name and an address"
                ));
            }
        };
        let address = address.map_err(|error| format!("line {number}: {error}"))?;
        if list.insert(name.to_owned(), address).is_some() {
            return Err(format!("line {number} names {name} a second time"));
        }
    }
    Ok(list)
}

/// The row of a wallet that says whether its address is the right one.
pub(super) fn row(facts: &WalletFacts) -> Row {
    let own = facts.address;
    let (outcome, words) = match &facts.listed {
        Listed::ByHand(word) => (
            Outcome::Manual(word.clone()),
            format!("no preflight.address_list is set: is {own} the right address?"),
        ),
        Listed::ByHandBefore(word) => (
            Outcome::Manual(None),
            format!(
                "{} did not say so of {own}: is that the right address?",
                word.by
            ),
        ),
        Listed::Unreadable(why) => (Outcome::Fail, format!("the list cannot be read: {why}")),
        Listed::Missing => (Outcome::Fail, "the list does not name it".to_owned()),
        Listed::As(listed) if *listed == own => (Outcome::Pass, format!("{own} is listed")),
        Listed::As(listed) => (
            Outcome::Fail,
            format!("{listed} is listed, {own} is configured"),
        ),
    };
    Row::about(&items::WALLET_LISTED, &facts.name, outcome, words)
}

#[cfg(test)]
mod tests {
    use super::*;
    use xrpayd_core::ids::UnixMs;

    const ACCOUNT: AccountId = AccountId([1; 20]);
    const KEY: AccountId = AccountId([2; 20]);

    #[test]
    fn a_word_on_addresses_holds_for_those_that_it_was_said_of() {
        let word = |about: Option<String>| SignOff {
            by: "Ada".to_owned(),
            at: UnixMs(0),
            until: UnixMs(1),
            note: None,
            about,
        };
        let said = word(Some(addresses([("hot", ACCOUNT), ("warm", KEY)])));
        for (name, address) in [("hot", ACCOUNT), ("warm", KEY)] {
            let counts = Listed::ByHand(Some(said.clone()));
            assert_eq!(by_hand(Some(&said), name, address), counts);
        }
        // Another address since, another wallet's address, a wallet that came later.
        for (name, address) in [("hot", AccountId([3; 20])), ("hot", KEY), ("new", ACCOUNT)] {
            let before = Listed::ByHandBefore(said.clone());
            assert_eq!(by_hand(Some(&said), name, address), before, "{name}");
        }
        let unbound = word(None);
        let before = Listed::ByHandBefore(unbound.clone());
        assert_eq!(by_hand(Some(&unbound), "hot", ACCOUNT), before);
        assert_eq!(by_hand(None, "hot", ACCOUNT), Listed::ByHand(None));
    }

    #[test]
    fn a_list_of_addresses_is_read_strictly() {
        let good = format!("# treasury, 2026\n hot {ACCOUNT} # the till\n\nwarm\t{KEY}\n");
        let list = address_list(&good).unwrap();
        assert_eq!((list.len(), list["hot"], list["warm"]), (2, ACCOUNT, KEY));
        let twice = format!("hot {ACCOUNT}\nhot {KEY}");
        for (bad, words) in [
            ("hot", "line 1 is not"),
            ("hot r", "line 1: "),
            (twice.as_str(), "line 2 names hot a second time"),
        ] {
            let error = address_list(bad).unwrap_err();
            assert!(error.starts_with(words), "{error}");
        }
    }
}
