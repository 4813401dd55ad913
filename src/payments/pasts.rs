//! What each wallet of the service has read of the lives that this database does not know.
//!
//! A payment that names no wallet may have been paid, in such a life, from any of them. So nothing is
//! signed, called off or said to have run out of time before every wallet's past has been read, and
//! what is asked of the ledger's memory is asked for all wallets.
//!
//! Shared by the engines and owned by none: each tells of its own wallet, and of those that another
//! process holds that process tells. A wallet whose past has been
//! read once stays so while its engine begins anew, unless its journal has gone back or shows payments
//! of another life: what holds one wallet up holds no other up for longer than it must.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use xrpayd_core::ids::LedgerIndex;

/// Whether a wallet's past has been read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Past {
    /// Something is still to be read.
    Unread,
    /// Everything that matters has been.
    Read,
}

/// What is known of a wallet's past.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Told {
    /// Whether it has been read.
    pub past: Past,
    /// How far its journal has ever been.
    pub furthest: LedgerIndex,
    /// Whether it remembers payments that this database did not know.
    pub remembers: bool,
}

/// The pasts of all wallets of the service.
#[derive(Debug, Clone)]
pub struct Pasts {
    wallets: Arc<Mutex<BTreeMap<String, Told>>>,
}

impl Pasts {
    /// Those of wallets of which nothing has been read yet.
    #[must_use]
    pub fn of(wallets: impl IntoIterator<Item = String>) -> Self {
        let nothing = |name| {
            let told = Told {
                past: Past::Unread,
                furthest: LedgerIndex(0),
                remembers: false,
            };
            (name, told)
        };
        Self {
            wallets: Arc::new(Mutex::new(wallets.into_iter().map(nothing).collect())),
        }
    }

    /// An engine begins with its journal at `cursor`, which may be an older one than was seen before.
    pub fn begins_at(&self, wallet: &str, cursor: LedgerIndex) {
        self.change(wallet, |told| {
            if cursor < told.furthest {
                told.past = Past::Unread;
            }
            told.furthest = cursor;
        });
    }

    /// A wallet has been read as far as `cursor`, and says how its past stands; `None` where that is
    /// for an earlier word to say.
    pub fn tell(&self, wallet: &str, cursor: LedgerIndex, past: Option<Past>, remembers: bool) {
        self.change(wallet, |told| {
            told.past = past.unwrap_or(told.past);
            told.furthest = told.furthest.max(cursor);
            told.remembers = remembers;
        });
    }

    /// The names of all wallets.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        let wallets = self.wallets.lock().unwrap_or_else(PoisonError::into_inner);
        wallets.keys().cloned().collect()
    }

    /// What was told of a wallet; `None` where it is none of the service's.
    #[must_use]
    pub fn told_of(&self, wallet: &str) -> Option<Told> {
        let wallets = self.wallets.lock().unwrap_or_else(PoisonError::into_inner);
        wallets.get(wallet).copied()
    }

    /// Another process, which holds the wallet to this moment, tells of it. Where its journal is not as
    /// far as was ever known here the database may be an older one, and the past is to be read first.
    pub fn hear(&self, wallet: &str, heard: Told) {
        self.change(wallet, |told| {
            told.past = if heard.furthest < told.furthest {
                Past::Unread
            } else {
                heard.past
            };
            told.furthest = told.furthest.max(heard.furthest);
            told.remembers = heard.remembers;
        });
    }

    /// Whether every wallet's past has been read.
    #[must_use]
    pub fn are_read(&self) -> bool {
        let wallets = self.wallets.lock().unwrap_or_else(PoisonError::into_inner);
        wallets.values().all(|told| told.past == Past::Read)
    }

    /// The names of all wallets, where any of them remembers something; none else.
    #[must_use]
    pub fn that_remember(&self) -> Vec<String> {
        let wallets = self.wallets.lock().unwrap_or_else(PoisonError::into_inner);
        wallets
            .iter()
            .filter(|(_, told)| told.remembers)
            .map(|(name, _)| name.clone())
            .collect()
    }

    fn change(&self, wallet: &str, change: impl FnOnce(&mut Told)) {
        let mut wallets = self.wallets.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(told) = wallets.get_mut(wallet) {
            change(told);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: LedgerIndex = LedgerIndex(100);

    fn two() -> Pasts {
        Pasts::of(["hot", "other"].map(str::to_owned))
    }

    fn read(pasts: &Pasts, wallet: &str, remembers: bool) {
        pasts.begins_at(wallet, AT);
        pasts.tell(wallet, AT, Some(Past::Read), remembers);
    }

    #[test]
    fn nothing_is_known_before_every_wallet_has_read_its_own() {
        let pasts = two();
        assert!(!pasts.are_read());
        read(&pasts, "hot", false);
        assert!(!pasts.are_read(), "the other one may have paid it");
        read(&pasts, "a stranger's", false);
        assert!(!pasts.are_read());
        read(&pasts, "other", false);
        assert!(pasts.are_read());
        assert_eq!(pasts.that_remember(), Vec::<String>::new());
    }

    #[test]
    fn whoever_remembers_is_asked_and_nobody_else() {
        let pasts = two();
        read(&pasts, "hot", false);
        read(&pasts, "other", true);
        assert_eq!(pasts.that_remember(), ["other"]);
    }

    #[test]
    fn a_wallet_of_another_process_has_been_read_once_that_says_so_of_as_much_as_was_known() {
        let pasts = two();
        read(&pasts, "hot", false);
        let heard = |past, at| Told {
            past,
            furthest: LedgerIndex(at),
            remembers: true,
        };
        pasts.hear("other", heard(Past::Unread, 90));
        assert!(!pasts.are_read());
        pasts.hear("other", heard(Past::Read, 100));
        assert!(pasts.are_read());
        assert_eq!(pasts.that_remember(), ["other"]);
        // The database that tells it now knows less than the one before.
        pasts.hear("other", heard(Past::Read, 99));
        assert!(!pasts.are_read());
        pasts.hear("other", heard(Past::Read, 100));
        assert!(pasts.are_read());
    }

    #[test]
    fn an_engine_that_begins_anew_where_it_was_holds_no_other_up() {
        let pasts = two();
        read(&pasts, "hot", false);
        read(&pasts, "other", false);
        pasts.tell("hot", LedgerIndex(120), Some(Past::Read), false);
        pasts.begins_at("hot", LedgerIndex(120));
        pasts.tell("hot", LedgerIndex(120), None, false);
        assert!(pasts.are_read(), "what was known of it stands");
    }

    #[test]
    fn a_journal_that_went_back_and_payments_of_another_life_are_read_before_anything_else() {
        let pasts = two();
        read(&pasts, "hot", false);
        read(&pasts, "other", false);
        pasts.tell("hot", LedgerIndex(120), Some(Past::Read), false);
        // The database is an older one than before.
        pasts.begins_at("hot", LedgerIndex(119));
        pasts.tell("hot", LedgerIndex(119), None, false);
        assert!(!pasts.are_read());
        pasts.tell("hot", LedgerIndex(120), Some(Past::Read), false);
        assert!(pasts.are_read());
        // Its page shows what somebody else signed.
        pasts.tell("hot", LedgerIndex(121), Some(Past::Unread), true);
        assert!(!pasts.are_read());
    }
}
