//! A page of a directory: what an account owns, or the offers of a book at one price.
//!
//! Owns the page's members. The ledger lists members by their indexes; the model keeps their keys, so
//! that an entry is found from its directory without a search.

use super::{Key, Listed, Lister, Object, Thread};
use crate::ledger::fields::f;
use crate::st::{FieldId, put_header, put_length};

/// A page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Dir {
    /// The index of the directory's root, which is its first page.
    pub(crate) root: [u8; 32],
    /// What the directory is about, the same on every page: an owner, or a book and its price.
    pub(crate) about: Vec<(FieldId, Vec<u8>)>,
    pub(crate) next: Option<u64>,
    pub(crate) previous: Option<u64>,
    pub(crate) members: Vec<Key>,
    pub(crate) thread: Thread,
}

impl Dir {
    /// An empty page.
    pub(crate) const fn new(root: [u8; 32], about: Vec<(FieldId, Vec<u8>)>) -> Self {
        Self {
            root,
            about,
            next: None,
            previous: None,
            members: Vec::new(),
            thread: Thread {
                txn: [0; 32],
                ledger: 0,
            },
        }
    }

    /// Whether it lists a book's offers at one price.
    pub(crate) fn is_of_book(&self) -> bool {
        self.about.iter().any(|(id, _)| *id == f::EXCHANGE_RATE)
    }

    pub(super) fn list(&self, list: &mut Lister) {
        list.u32(f::FLAGS, 0);
        for (id, number) in [
            (f::INDEX_NEXT, self.next),
            (f::INDEX_PREVIOUS, self.previous),
        ] {
            if let Some(number) = number {
                list.u64(id, number);
            }
        }
        // The root's index is always shown, even where a new entry's defaults are left out.
        list.push(f::ROOT_INDEX, self.root.to_vec(), false);
        list.0.extend(self.about.iter().map(|(id, bytes)| Listed {
            id: *id,
            bytes: bytes.clone(),
            is_default: super::object::is_default(*id, bytes),
        }));
    }

    /// Appends the members as the log keeps them.
    pub(super) fn put_members(&self, out: &mut Vec<u8>) {
        let mut members = Vec::with_capacity(self.members.len() * 35);
        self.members
            .iter()
            .for_each(|key| key.put_log(&mut members));
        put_header(out, f::PAGE_MEMBERS);
        put_length(out, members.len());
        out.extend(members);
    }

    pub(super) fn from_object(object: &Object) -> Option<Self> {
        let mut rest = object.blob(f::PAGE_MEMBERS)?;
        let mut members = Vec::new();
        while !rest.is_empty() {
            members.push(Key::take_log(&mut rest)?);
        }
        let own = [
            f::FLAGS,
            f::INDEX_NEXT,
            f::INDEX_PREVIOUS,
            f::ROOT_INDEX,
            f::PAGE_MEMBERS,
        ];
        let about = object.listed().filter(|listed| !own.contains(&listed.id));
        Some(Self {
            root: object.array(f::ROOT_INDEX)?,
            about: about.map(|listed| (listed.id, listed.bytes)).collect(),
            next: object.number(f::INDEX_NEXT),
            previous: object.number(f::INDEX_PREVIOUS),
            members,
            thread: object.thread,
        })
    }
}
