//! Direct offers: what an account would give for what, in a book with all others of the same two assets.
//!
//! `create` checks, crosses and places a new offer, `cross` finds what it takes of others', `cancel` takes
//! one back. Owns how an offer is read from the state and how it leaves it. The books themselves are
//! directories, one for each price, ordered by [`Read::next_book`].

mod cancel;
mod create;
mod cross;

pub(super) use cancel::{
    apply as apply_cancel, preclaim as preclaim_cancel, preflight as preflight_cancel,
};
pub(super) use create::{apply, preclaim, preflight};

use super::directory::{self, EmptyRoot};
use super::owned;
use crate::ledger::amount::{Amount, Asset, Flow, Quality};
use crate::ledger::codes::Ter;
use crate::ledger::entry::{Entry, Key, Object, book_base, with_quality};
use crate::ledger::fields::{f, lt};
use crate::ledger::state::{BookRoot, Changes, Read};
use std::collections::BTreeSet;
use xrpayd_core::address::AccountId;

/// An offer gives way to better ones only, and never takes one of its own price.
pub(crate) const LSF_PASSIVE: u32 = 0x0001_0000;
/// An offer that was made to sell all of what it gives.
pub(crate) const LSF_SELL: u32 = 0x0002_0000;

/// What takers of a book give and get.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Book {
    /// What takers pay.
    pub(crate) pays: Asset,
    /// What takers get.
    pub(crate) gets: Asset,
}

impl Book {
    /// The root that all directories of the book begin with, its price left zero.
    pub(crate) fn base(&self) -> BookRoot {
        let currency = |asset: &Asset| asset.currency().unwrap_or_default();
        book_base(
            &currency(&self.pays),
            self.pays.issuer(),
            &currency(&self.gets),
            self.gets.issuer(),
        )
    }

    /// The directory of one price.
    pub(crate) fn directory(&self, quality: Quality) -> BookRoot {
        with_quality(self.base(), quality.0)
    }

    /// The book that goes the other way.
    pub(crate) const fn reversed(&self) -> Self {
        Self {
            pays: self.gets,
            gets: self.pays,
        }
    }

    /// The directory with the best price beyond `after`, which is a root of this book.
    pub(crate) fn next(&self, view: &dyn Read, after: &BookRoot) -> Option<BookRoot> {
        let next = view.next_book(after)?;
        (next[..24] == after[..24]).then_some(next)
    }

    /// Every directory of the book, the best price first.
    pub(crate) fn directories<'v>(
        &self,
        view: &'v dyn Read,
    ) -> impl Iterator<Item = BookRoot> + use<'v> {
        let book = *self;
        let first = book.next(view, &book.base());
        std::iter::successors(first, move |root| book.next(view, root))
    }
}

/// The price that a directory of a book is for.
pub(crate) fn quality_of(root: &BookRoot) -> Quality {
    let mut word = [0; 8];
    word.copy_from_slice(&root[24..]);
    Quality(u64::from_be_bytes(word))
}

/// The book that a directory is of.
pub(crate) fn directory_book(view: &dyn Read, root: &BookRoot) -> Option<Book> {
    let dir = directory::page(view, *root, 0)?;
    let part = |wanted| {
        let mut about = dir.about.iter();
        let (_, bytes) = about.find(|(id, _)| *id == wanted)?;
        <[u8; 20]>::try_from(bytes.as_slice()).ok()
    };
    let asset = |currency, issuer| Some(Asset::token(part(currency)?, AccountId(part(issuer)?)));
    Some(Book {
        pays: asset(f::TAKER_PAYS_CURRENCY, f::TAKER_PAYS_ISSUER)?,
        gets: asset(f::TAKER_GETS_CURRENCY, f::TAKER_GETS_ISSUER)?,
    })
}

/// An offer as it stands in the state.
#[derive(Debug, Clone)]
pub(crate) struct Offer {
    pub(crate) key: Key,
    pub(crate) object: Object,
    pub(crate) owner: AccountId,
    /// What a taker pays.
    pub(crate) pays: Amount,
    /// What a taker gets.
    pub(crate) gets: Amount,
    /// The directory of its book that it stands in.
    pub(crate) directory: BookRoot,
}

impl Offer {
    /// The offer with this key, if it is there.
    pub(crate) fn read(view: &dyn Read, key: Key) -> Option<Self> {
        match view.entry(&key) {
            Some(Entry::Object(object)) => Self::of(key, object),
            _ => None,
        }
    }

    /// An entry as an offer, if it is one.
    pub(crate) fn of(key: Key, object: Object) -> Option<Self> {
        if object.kind != lt::OFFER {
            return None;
        }
        let amount = |id| object.raw(id).and_then(Amount::read);
        Some(Self {
            key,
            owner: object.account(f::ACCOUNT)?,
            pays: amount(f::TAKER_PAYS)?,
            gets: amount(f::TAKER_GETS)?,
            directory: object.array(f::BOOK_DIRECTORY)?,
            object,
        })
    }

    /// The price at which it was placed, whatever is left of it.
    pub(crate) fn quality(&self) -> Quality {
        quality_of(&self.directory)
    }

    /// What goes in and what comes out of it.
    pub(crate) const fn amounts(&self) -> Flow {
        Flow {
            input: self.pays.value,
            output: self.gets.value,
        }
    }

    /// When it ends by itself.
    pub(crate) fn expiration(&self) -> Option<u32> {
        self.object.u32(f::EXPIRATION)
    }

    /// Whether either side of it is used up.
    pub(crate) const fn is_consumed(&self) -> bool {
        !self.pays.is_positive() || !self.gets.is_positive()
    }

    /// Takes `taken` off both sides.
    pub(crate) fn consume(&mut self, changes: &mut Changes<'_>, taken: Flow) -> Result<(), Ter> {
        if taken.input > self.pays.value || taken.output > self.gets.value {
            return Err(Ter::TEF_EXCEPTION);
        }
        self.pays.value = self.pays.value.minus(taken.input)?;
        self.gets.value = self.gets.value.minus(taken.output)?;
        self.object.set_raw(f::TAKER_PAYS, self.pays.bytes());
        self.object.set_raw(f::TAKER_GETS, self.gets.bytes());
        changes.put(self.key, Entry::Object(self.object.clone()));
        Ok(())
    }
}

/// Deletes an offer, its places in the book and with its owner, and what it counted for.
pub(crate) fn remove(changes: &mut Changes<'_>, offer: &Offer) -> Result<(), Ter> {
    let page = |id| offer.object.number(id).unwrap_or_default();
    let (owned, listed) = (page(f::OWNER_NODE), page(f::BOOK_NODE));
    directory::remove_owned(changes, offer.owner, owned, &offer.key);
    directory::remove(
        changes,
        offer.directory,
        listed,
        &offer.key,
        EmptyRoot::Goes,
    );
    owned::adjust_count(changes, offer.owner, -1)?;
    changes.delete(offer.key);
    Ok(())
}

/// Deletes those of the named offers that are still there.
pub(crate) fn remove_all(changes: &mut Changes<'_>, keys: &BTreeSet<Key>) -> Result<(), Ter> {
    for key in keys {
        if let Some(offer) = Offer::read(changes, *key) {
            remove(changes, &offer)?;
        }
    }
    Ok(())
}
