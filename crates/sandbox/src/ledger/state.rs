//! State and the layers over it: the closed state, an overlay (an open ledger, a ledger being built),
//! and the changes of one transaction, which are kept or thrown away as a whole.
//!
//! Owns the entries. Nothing here knows a rule.

use super::entry::{Account, Entry, Key, Ticket};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;
use std::sync::OnceLock;
use xrpayd_core::address::AccountId;

/// The index of a book directory's first page.
pub(crate) type BookRoot = [u8; 32];

/// The root that stands first beyond `after` in an ordered set of them.
fn first_beyond(roots: &BTreeSet<BookRoot>, after: &BookRoot) -> Option<BookRoot> {
    let beyond = (Bound::Excluded(*after), Bound::Unbounded);
    roots.range(beyond).next().copied()
}

/// The root that an entry makes known, where it is the first page of a book's directory.
fn book_root(key: &Key, entry: Option<&Entry>) -> Option<BookRoot> {
    match (key, entry) {
        (Key::Dir(root, 0), Some(Entry::Dir(dir))) if dir.is_of_book() => Some(*root),
        _ => None,
    }
}

/// The lesser of two roots, where there are any.
fn lesser(one: Option<BookRoot>, other: Option<BookRoot>) -> Option<BookRoot> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

/// Something that entries can be read from.
pub(crate) trait Read {
    /// The entry with this key.
    fn entry(&self, key: &Key) -> Option<Entry>;

    /// The least root of a book's directory beyond `after` that this layer or one beneath it knows of.
    /// A layer over it may have deleted that one since, which [`Read::next_book`] looks after.
    fn book_named_after(&self, after: &BookRoot) -> Option<BookRoot>;

    /// The root of the book directory that comes next beyond `after`, whichever book's it is. Directories
    /// of one book differ in their last eight bytes only, which hold the price, the best first.
    fn next_book(&self, after: &BookRoot) -> Option<BookRoot> {
        let mut named = self.book_named_after(after)?;
        while self.entry(&Key::Dir(named, 0)).is_none() {
            named = self.book_named_after(&named)?;
        }
        Some(named)
    }

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
    /// Every book's directories, so that a book is read in the order of its prices without a search.
    books: BTreeSet<BookRoot>,
    /// Every key by its index, made when somebody first asks for it and kept from then on: payments do
    /// not pay for what only those need who read the state by index. What is deleted stays listed, since
    /// older states still have it.
    by_index: OnceLock<BTreeMap<[u8; 32], Key>>,
}

impl State {
    /// Every key by its index. `older` are keys that may be gone from the newest state.
    pub(crate) fn by_index(&self, older: impl Iterator<Item = Key>) -> &BTreeMap<[u8; 32], Key> {
        self.by_index.get_or_init(|| {
            let keys = self.entries.keys().copied().chain(older);
            keys.map(|key| (key.index(), key)).collect()
        })
    }

    /// Sets or removes an entry, and returns what was there.
    pub(crate) fn put(&mut self, key: Key, entry: Option<Entry>) -> Option<Entry> {
        match entry {
            Some(entry) => {
                self.books.extend(book_root(&key, Some(&entry)));
                let before = self.entries.insert(key, entry);
                if let Some(known) = self.by_index.get_mut().filter(|_| before.is_none()) {
                    known.insert(key.index(), key);
                }
                before
            }
            None => {
                if let Key::Dir(root, 0) = &key {
                    self.books.remove(root);
                }
                self.entries.remove(&key)
            }
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

    fn book_named_after(&self, after: &BookRoot) -> Option<BookRoot> {
        first_beyond(&self.books, after)
    }
}

/// What differs from a state beneath.
#[derive(Debug, Default, Clone)]
pub(crate) struct Overlay {
    pub(crate) changed: HashMap<Key, Option<Entry>>,
    books: BTreeSet<BookRoot>,
}

impl Overlay {
    /// An empty layer with room for so many entries.
    pub(crate) fn with_capacity(count: usize) -> Self {
        Self {
            changed: HashMap::with_capacity(count),
            books: BTreeSet::new(),
        }
    }

    /// Sets an entry, or notes that it is gone.
    pub(crate) fn put(&mut self, key: Key, entry: Option<Entry>) {
        self.books.extend(book_root(&key, entry.as_ref()));
        self.changed.insert(key, entry);
    }

    /// The least root beyond `after` of the book directories that this layer itself holds.
    pub(crate) fn own_book_after(&self, after: &BookRoot) -> Option<BookRoot> {
        first_beyond(&self.books, after)
    }
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

    fn book_named_after(&self, after: &BookRoot) -> Option<BookRoot> {
        lesser(
            self.overlay.own_book_after(after),
            self.base.book_named_after(after),
        )
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

    fn book_named_after(&self, after: &BookRoot) -> Option<BookRoot> {
        let beyond = (
            Bound::Excluded(Key::Dir(*after, u64::MAX)),
            Bound::Included(Key::Dir([u8::MAX; 32], u64::MAX)),
        );
        let own = self
            .map
            .range(beyond)
            .find_map(|(key, change)| book_root(key, change.now.as_ref()));
        lesser(own, self.base.book_named_after(after))
    }
}
