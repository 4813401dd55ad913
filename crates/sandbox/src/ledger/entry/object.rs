//! An entry of any type as the list of its fields, each in the ledger's own bytes.
//!
//! Owns the fields of one entry. Reading a field that is not there gives nothing; writing one keeps the
//! canonical order, so that an entry is always printed, hashed and logged from one description.

use super::{Listed, Thread};
use crate::ledger::fields::f;
use crate::st::{ARRAY_END, FieldId, kind, put_length};
use std::collections::BTreeMap;
use xrpayd_core::address::AccountId;

/// An entry of the state by its fields. The thread's two fields and the type stand beside the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Object {
    pub(crate) kind: u16,
    pub(crate) thread: Thread,
    /// Each field's bytes as they follow its header: with a length prefix or an end marker.
    fields: BTreeMap<FieldId, Vec<u8>>,
}

impl Object {
    /// A new entry, which has flags and nothing else.
    pub(crate) fn new(kind: u16) -> Self {
        let mut object = Self {
            kind,
            thread: Thread::default(),
            fields: BTreeMap::new(),
        };
        object.set_u32(f::FLAGS, 0);
        object
    }

    /// The bytes of a field, as they follow its header.
    pub(crate) fn raw(&self, id: FieldId) -> Option<&[u8]> {
        self.fields.get(&id).map(Vec::as_slice)
    }

    /// Sets a field to bytes as they follow its header.
    pub(crate) fn set_raw(&mut self, id: FieldId, bytes: Vec<u8>) {
        self.fields.insert(id, bytes);
    }

    /// Takes a field away.
    pub(crate) fn remove(&mut self, id: FieldId) {
        self.fields.remove(&id);
    }

    /// Whether the field is there.
    pub(crate) fn has(&self, id: FieldId) -> bool {
        self.fields.contains_key(&id)
    }

    /// A field of fixed length.
    pub(crate) fn array<const N: usize>(&self, id: FieldId) -> Option<[u8; N]> {
        self.raw(id).and_then(|bytes| bytes.try_into().ok())
    }

    /// A number of up to 64 bits.
    pub(crate) fn number(&self, id: FieldId) -> Option<u64> {
        let bytes = self.raw(id).filter(|bytes| bytes.len() <= 8)?;
        Some(bytes.iter().fold(0, |n, &byte| n << 8 | u64::from(byte)))
    }

    /// A number of 32 bits.
    pub(crate) fn u32(&self, id: FieldId) -> Option<u32> {
        self.number(id).and_then(|n| u32::try_from(n).ok())
    }

    /// Sets a number of 32 bits.
    pub(crate) fn set_u32(&mut self, id: FieldId, value: u32) {
        self.set_raw(id, value.to_be_bytes().to_vec());
    }

    /// Sets a number of 64 bits.
    pub(crate) fn set_u64(&mut self, id: FieldId, value: u64) {
        self.set_raw(id, value.to_be_bytes().to_vec());
    }

    /// What stands behind a field's length prefix: a blob or an account.
    pub(crate) fn blob(&self, id: FieldId) -> Option<&[u8]> {
        let bytes = self.raw(id)?;
        let prefix = match bytes.first()? {
            0..=192 => 1,
            193..=240 => 2,
            _ => 3,
        };
        bytes.get(prefix..)
    }

    /// Sets a field that has a length prefix.
    pub(crate) fn set_blob(&mut self, id: FieldId, value: &[u8]) {
        let mut bytes = Vec::with_capacity(value.len() + 3);
        put_length(&mut bytes, value.len());
        bytes.extend_from_slice(value);
        self.set_raw(id, bytes);
    }

    /// An account.
    pub(crate) fn account(&self, id: FieldId) -> Option<AccountId> {
        let bytes = self.blob(id)?;
        bytes.try_into().ok().map(AccountId)
    }

    /// Sets an account.
    pub(crate) fn set_account(&mut self, id: FieldId, value: AccountId) {
        self.set_blob(id, &value.0);
    }

    /// XRP in drops, where the amount is XRP and not negative.
    pub(crate) fn drops(&self, id: FieldId) -> Option<u64> {
        let word = u64::from_be_bytes(self.array(id)?);
        (word >> 62 == 1).then_some(word & 0x3FFF_FFFF_FFFF_FFFF)
    }

    /// Sets an amount of XRP.
    pub(crate) fn set_drops(&mut self, id: FieldId, drops: u64) {
        self.set_u64(id, drops | 0x4000_0000_0000_0000);
    }

    /// The entry's flags.
    pub(crate) fn flags(&self) -> u32 {
        self.u32(f::FLAGS).unwrap_or_default()
    }

    /// Sets the entry's flags.
    pub(crate) fn set_flags(&mut self, flags: u32) {
        self.set_u32(f::FLAGS, flags);
    }

    /// Every field, in order.
    pub(super) fn listed(&self) -> impl Iterator<Item = Listed> {
        self.fields.iter().map(|(&id, bytes)| Listed {
            id,
            bytes: bytes.clone(),
            is_default: is_default(id, bytes),
        })
    }
}

/// Whether a field has the value that a new entry's metadata leaves out.
pub(super) fn is_default(id: FieldId, bytes: &[u8]) -> bool {
    match id.0 {
        // Zero XRP is a default; zero of a token is not.
        kind::AMOUNT => *bytes == [0x40, 0, 0, 0, 0, 0, 0, 0],
        kind::ARRAY => *bytes == [ARRAY_END],
        kind::OBJECT => false,
        _ => bytes.iter().all(|&byte| byte == 0),
    }
}
