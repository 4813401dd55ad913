//! State and the layers over it: the closed state, an overlay (an open ledger, a ledger being built),
//! and the changes of one transaction, which are kept or thrown away as a whole.
//!
//! Owns the entries. Nothing here knows a rule.

use super::entry::{Account, Entry, Key, Ticket};
use std::collections::{BTreeMap, HashMap};
use xrpayd_core::address::AccountId;

/// Something that entries can be read from.
pub(crate) trait Read {
    /// The entry with this key.
    fn entry(&self, key: &Key) -> Option<Entry>;

    /// An account's root.
    fn account(&self, id: AccountId) -> Option<Account> {
        match self.entry(&Key::Account(id)) {
            Some(Entry::Account(account)) => Some(account),
            _ => None,
        }
    }

    /// An unused ticket.
    fn ticket(&self, owner: AccountId, number: u32) -> Option<Ticket> {
        match self.entry(&Key::Ticket(owner, number)) {
            Some(Entry::Ticket(ticket)) => Some(ticket),
            _ => None,
        }
    }
}

/// The state of the newest closed ledger.
#[derive(Debug, Default, Clone)]
pub(crate) struct State {
    entries: HashMap<Key, Entry>,
}

impl State {
    /// Sets or removes an entry, and returns what was there.
    pub(crate) fn put(&mut self, key: Key, entry: Option<Entry>) -> Option<Entry> {
        match entry {
            Some(entry) => self.entries.insert(key, entry),
            None => self.entries.remove(&key),
        }
    }

    /// Every entry.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Key, &Entry)> {
        self.entries.iter()
    }
}

impl Read for State {
    fn entry(&self, key: &Key) -> Option<Entry> {
        self.entries.get(key).cloned()
    }
}

/// What differs from a state beneath.
#[derive(Debug, Default)]
pub(crate) struct Overlay {
    pub(crate) changed: HashMap<Key, Option<Entry>>,
}

/// An overlay with the state it lies on.
pub(crate) struct Layered<'a> {
    pub(crate) base: &'a dyn Read,
    pub(crate) overlay: &'a Overlay,
}

impl Read for Layered<'_> {
    fn entry(&self, key: &Key) -> Option<Entry> {
        match self.overlay.changed.get(key) {
            Some(entry) => entry.clone(),
            None => self.base.entry(key),
        }
    }
}

/// One entry's change in one transaction.
#[derive(Debug, Clone)]
pub(crate) struct Change {
    /// As it was before the transaction.
    pub(crate) before: Option<Entry>,
    /// As it is now; `None` when deleted.
    pub(crate) now: Option<Entry>,
    /// As it was just before it was deleted.
    pub(crate) last: Option<Entry>,
}

/// The changes that one transaction makes, over what it reads from.
pub(crate) struct Changes<'a> {
    base: &'a dyn Read,
    pub(crate) map: BTreeMap<Key, Change>,
}

impl<'a> Changes<'a> {
    /// No changes yet.
    pub(crate) const fn over(base: &'a dyn Read) -> Self {
        Self {
            base,
            map: BTreeMap::new(),
        }
    }

    /// Throws every change away.
    pub(crate) fn discard(&mut self) {
        self.map.clear();
    }

    /// Sets an entry.
    pub(crate) fn put(&mut self, key: Key, entry: Entry) {
        let base = self.base;
        let change = self.map.entry(key).or_insert_with(|| Change {
            before: base.entry(&key),
            now: None,
            last: None,
        });
        change.now = Some(entry);
    }

    /// Takes over what was changed in a layer over these changes.
    pub(crate) fn absorb(&mut self, map: BTreeMap<Key, Change>) {
        for (key, change) in map {
            match change.now {
                Some(entry) => self.put(key, entry),
                None => {
                    if let Some(last) = change.last {
                        self.put(key, last);
                    }
                    self.delete(key);
                }
            }
        }
    }

    /// Sets an account's root.
    pub(crate) fn put_account(&mut self, account: Account) {
        self.put(Key::Account(account.id), Entry::Account(account));
    }

    /// Deletes an entry. One that this transaction made leaves no trace.
    pub(crate) fn delete(&mut self, key: Key) {
        let current = self.entry(&key);
        let before = self.base.entry(&key);
        if before.is_none() {
            self.map.remove(&key);
        } else {
            self.map.insert(
                key,
                Change {
                    before,
                    now: None,
                    last: current,
                },
            );
        }
    }
}

impl Read for Changes<'_> {
    fn entry(&self, key: &Key) -> Option<Entry> {
        match self.map.get(key) {
            Some(change) => change.now.clone(),
            None => self.base.entry(key),
        }
    }
}
