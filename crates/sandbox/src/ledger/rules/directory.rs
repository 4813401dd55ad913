//! The pages that list what an account owns. The model counts the entries of a page; which entries
//! they are shows nowhere in metadata.

use crate::ledger::codes::Ter;
use crate::ledger::entry::{Entry, Key, OwnerDir, Thread};
use crate::ledger::state::{Changes, Read};
use xrpayd_core::address::AccountId;

/// Entries that fit a page.
const PAGE_ENTRIES_MAX: u32 = 32;
/// Pages that a directory may have.
const PAGES_MAX: u64 = 262_144;

fn page(changes: &Changes<'_>, owner: AccountId, number: u64) -> Option<OwnerDir> {
    match changes.entry(&Key::OwnerDir(owner, number)) {
        Some(Entry::OwnerDir(dir)) => Some(dir),
        _ => None,
    }
}

fn put(changes: &mut Changes<'_>, number: u64, dir: OwnerDir) {
    changes.put(Key::OwnerDir(dir.owner, number), Entry::OwnerDir(dir));
}

const fn empty(owner: AccountId) -> OwnerDir {
    OwnerDir {
        owner,
        next: 0,
        previous: 0,
        count: 0,
        thread: Thread {
            txn: [0; 32],
            ledger: 0,
        },
    }
}

/// Adds an entry and returns its page.
pub(super) fn insert(changes: &mut Changes<'_>, owner: AccountId) -> Result<u64, Ter> {
    let mut root = page(changes, owner, 0).unwrap_or_else(|| empty(owner));
    let last = root.previous;
    let mut tail = if last == 0 {
        root.clone()
    } else {
        page(changes, owner, last).ok_or(Ter::TEC_DIR_FULL)?
    };
    if tail.count < PAGE_ENTRIES_MAX {
        tail.count += 1;
        put(changes, last, tail);
        return Ok(last);
    }
    let number = last + 1;
    if number >= PAGES_MAX {
        return Err(Ter::TEC_DIR_FULL);
    }
    if last == 0 {
        root.next = number;
    } else {
        tail.next = number;
        put(changes, last, tail);
    }
    root.previous = number;
    put(changes, 0, root);
    put(
        changes,
        number,
        OwnerDir {
            count: 1,
            previous: last,
            ..empty(owner)
        },
    );
    Ok(number)
}

/// Removes an entry from a page, and a page that is left empty.
pub(super) fn remove(changes: &mut Changes<'_>, owner: AccountId, number: u64) {
    let Some(mut dir) = page(changes, owner, number) else {
        return;
    };
    dir.count = dir.count.saturating_sub(1);
    let (count, next, previous) = (dir.count, dir.next, dir.previous);
    put(changes, number, dir);
    if count > 0 {
        return;
    }
    if number == 0 {
        if next == 0 {
            changes.delete(Key::OwnerDir(owner, 0));
        }
        return;
    }
    if let Some(mut before) = page(changes, owner, previous) {
        before.next = next;
        put(changes, previous, before);
    }
    if let Some(mut after) = page(changes, owner, next) {
        after.previous = previous;
        put(changes, next, after);
    }
    changes.delete(Key::OwnerDir(owner, number));
    let root_is_bare =
        page(changes, owner, 0).is_some_and(|root| root.count == 0 && root.next == 0);
    if root_is_bare {
        changes.delete(Key::OwnerDir(owner, 0));
    }
}
