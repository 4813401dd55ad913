//! The pages of directories: what an account owns, and the offers of a book at one price.
//!
//! Owns nothing; pages are entries of the state. A directory that should have a page and has not is a
//! fault of the model, answered as a full directory is.

use crate::ledger::codes::Ter;
use crate::ledger::entry::{Dir, Entry, Key, owner_dir};
use crate::ledger::fields::f;
use crate::ledger::state::{Changes, Read};
use crate::st::{FieldId, put_length};
use xrpayd_core::address::AccountId;

/// Entries that fit a page.
const PAGE_ENTRIES_MAX: usize = 32;
/// Pages that a directory may have.
const PAGES_MAX: u64 = 262_144;

/// Where a new member stands on its page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// By its index.
    Sorted,
    /// After all others, for books: who came first is served first.
    Arrival,
}

/// Whether an empty root stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EmptyRoot {
    Goes,
    Stays,
}

/// A page of a directory.
pub(crate) fn page(view: &dyn Read, root: [u8; 32], number: u64) -> Option<Dir> {
    match view.entry(&Key::Dir(root, number)) {
        Some(Entry::Dir(dir)) => Some(dir),
        _ => None,
    }
}

/// Every member of a directory, page by page.
pub(crate) fn members(view: &dyn Read, root: [u8; 32]) -> Vec<Key> {
    let mut out = Vec::new();
    let mut next = page(view, root, 0);
    while let Some(dir) = next {
        out.extend_from_slice(&dir.members);
        next = dir
            .next
            .filter(|&number| number != 0)
            .and_then(|number| page(view, root, number));
    }
    out
}

/// The first member of a directory.
pub(crate) fn first_member(view: &dyn Read, root: [u8; 32]) -> Option<Key> {
    let mut dir = page(view, root, 0)?;
    while dir.members.is_empty() {
        let next = dir.next.filter(|&number| number != 0)?;
        dir = page(view, root, next)?;
    }
    dir.members.first().copied()
}

fn put(changes: &mut Changes<'_>, number: u64, dir: Dir) {
    changes.put(Key::Dir(dir.root, number), Entry::Dir(dir));
}

/// Adds a member and returns its page. `about` is what a page says of its directory.
pub(crate) fn insert(
    changes: &mut Changes<'_>,
    root: [u8; 32],
    member: Key,
    order: Order,
    about: impl FnOnce() -> Vec<(FieldId, Vec<u8>)>,
) -> Result<u64, Ter> {
    let Some(mut first) = page(changes, root, 0) else {
        let mut dir = Dir::new(root, about());
        dir.members.push(member);
        put(changes, 0, dir);
        return Ok(0);
    };
    let last = first.previous.unwrap_or_default();
    let mut tail = if last == 0 {
        first.clone()
    } else {
        page(changes, root, last).ok_or(Ter::TEC_DIR_FULL)?
    };
    if tail.members.len() < PAGE_ENTRIES_MAX {
        let at = match order {
            Order::Arrival => tail.members.len(),
            Order::Sorted => {
                let index = member.index();
                tail.members.partition_point(|key| key.index() < index)
            }
        };
        tail.members.insert(at, member);
        put(changes, last, tail);
        return Ok(last);
    }
    let number = last + 1;
    if number >= PAGES_MAX {
        return Err(Ter::TEC_DIR_FULL);
    }
    if last == 0 {
        first.next = Some(number);
    } else {
        tail.next = Some(number);
        put(changes, last, tail);
    }
    first.previous = Some(number);
    put(changes, 0, first);
    let mut dir = Dir::new(root, about());
    dir.previous = (last != 0).then_some(last);
    dir.members.push(member);
    put(changes, number, dir);
    Ok(number)
}

/// Removes a member from its page, and pages that are left empty.
pub(crate) fn remove(
    changes: &mut Changes<'_>,
    root: [u8; 32],
    number: u64,
    member: &Key,
    empty_root: EmptyRoot,
) {
    let Some(mut dir) = page(changes, root, number) else {
        return;
    };
    dir.members.retain(|key| key != member);
    let is_empty = dir.members.is_empty();
    let next = dir.next.unwrap_or_default();
    let previous = dir.previous.unwrap_or_default();
    put(changes, number, dir);
    if !is_empty {
        return;
    }
    if number == 0 {
        if empty_root == EmptyRoot::Goes && next == 0 {
            changes.delete(Key::Dir(root, 0));
        }
        return;
    }
    if let Some(mut before) = page(changes, root, previous) {
        before.next = Some(next);
        put(changes, previous, before);
    }
    if let Some(mut after) = page(changes, root, next) {
        after.previous = Some(previous);
        put(changes, next, after);
    }
    changes.delete(Key::Dir(root, number));
    let root_is_bare = page(changes, root, 0)
        .is_some_and(|first| first.members.is_empty() && first.next.unwrap_or_default() == 0);
    if empty_root == EmptyRoot::Goes && root_is_bare {
        changes.delete(Key::Dir(root, 0));
    }
}

/// Adds an entry to what an account owns, and returns its page.
pub(crate) fn insert_owned(
    changes: &mut Changes<'_>,
    owner: AccountId,
    member: Key,
) -> Result<u64, Ter> {
    insert(changes, owner_dir(owner), member, Order::Sorted, || {
        let mut bytes = Vec::with_capacity(21);
        put_length(&mut bytes, owner.0.len());
        bytes.extend(owner.0);
        vec![(f::OWNER, bytes)]
    })
}

/// Removes an entry from what an account owns.
pub(crate) fn remove_owned(changes: &mut Changes<'_>, owner: AccountId, number: u64, member: &Key) {
    remove(changes, owner_dir(owner), number, member, EmptyRoot::Goes);
}

/// Everything that an account owns.
pub(crate) fn owned(view: &dyn Read, owner: AccountId) -> Vec<Key> {
    members(view, owner_dir(owner))
}
