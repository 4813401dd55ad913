//! A transaction's metadata, written in the ledger's binary form straight from its changes, with the
//! threading (`PreviousTxnID`) that only a closed ledger has.
//!
//! Owns nothing. JSON is rendered from these bytes when somebody asks.

use super::codes::Ter;
use super::entry::{Entry, Listed, PREVIOUS_TXN_ID, PREVIOUS_TXN_LGR_SEQ, Thread};
use super::state::Change;
use crate::st::{ARRAY_END, FieldId, OBJECT_END, kind, put_header};
use std::collections::BTreeMap;
use xrpayd_core::address::AccountId;
use xrpayd_core::ids::TxHash;

const TRANSACTION_INDEX: FieldId = FieldId(kind::U32, 28);
const AFFECTED_NODES: FieldId = FieldId(kind::ARRAY, 8);
const TRANSACTION_RESULT: FieldId = FieldId(kind::U8, 3);
const LEDGER_ENTRY_TYPE: FieldId = FieldId(kind::U16, 1);
const LEDGER_INDEX: FieldId = FieldId(kind::H256, 6);
const CREATED_NODE: FieldId = FieldId(kind::OBJECT, 3);
const DELETED_NODE: FieldId = FieldId(kind::OBJECT, 4);
const MODIFIED_NODE: FieldId = FieldId(kind::OBJECT, 5);
const PREVIOUS_FIELDS: FieldId = FieldId(kind::OBJECT, 6);
const FINAL_FIELDS: FieldId = FieldId(kind::OBJECT, 7);
const NEW_FIELDS: FieldId = FieldId(kind::OBJECT, 8);

/// The metadata of one applied transaction, and the accounts whose history it belongs to.
pub(crate) struct Written {
    pub(crate) meta: Box<[u8]>,
    pub(crate) accounts: Vec<AccountId>,
}

/// Threads the changes to `hash` in ledger `ledger` and writes the metadata.
pub(crate) fn write(
    changes: &mut BTreeMap<super::entry::Key, Change>,
    hash: TxHash,
    ledger: u32,
    index: u32,
    result: Ter,
) -> Written {
    let mut nodes: Vec<([u8; 32], &mut Change)> = changes
        .iter_mut()
        .filter(|(_, change)| change.now.is_none() || change.now != change.before)
        .map(|(key, change)| (key.index(), change))
        .collect();
    nodes.sort_by_key(|(index, _)| *index);
    let mut out = Vec::with_capacity(nodes.len() * 192 + 16);
    put_header(&mut out, TRANSACTION_INDEX);
    out.extend(index.to_be_bytes());
    put_header(&mut out, AFFECTED_NODES);
    let mut accounts = Vec::with_capacity(2);
    for (key_index, change) in nodes {
        if let Some(Entry::Account(account)) = change.now.as_ref().or(change.last.as_ref()) {
            accounts.push(account.id);
        }
        node(
            &mut out,
            &key_index,
            change,
            Thread {
                txn: hash.0,
                ledger,
            },
        );
    }
    out.push(ARRAY_END);
    put_header(&mut out, TRANSACTION_RESULT);
    out.push(result.meta_byte());
    Written {
        meta: out.into_boxed_slice(),
        accounts,
    }
}

fn node(out: &mut Vec<u8>, key_index: &[u8; 32], change: &mut Change, thread: Thread) {
    let entry_type = |out: &mut Vec<u8>, entry: &Entry| {
        put_header(out, LEDGER_ENTRY_TYPE);
        out.extend(entry.type_number().to_be_bytes());
    };
    match (&change.before, &mut change.now) {
        (None, Some(created)) => {
            put_header(out, CREATED_NODE);
            entry_type(out, created);
            put_hash(out, LEDGER_INDEX, key_index);
            let fields = created.fields();
            object(
                out,
                NEW_FIELDS,
                fields
                    .iter()
                    .filter(|field| !is_thread(field) && !field.is_default),
            );
            created.set_thread(thread);
        }
        (Some(before), Some(now)) => {
            put_header(out, MODIFIED_NODE);
            entry_type(out, now);
            let previous = before.thread();
            if previous.ledger != 0 {
                put_header(out, PREVIOUS_TXN_LGR_SEQ);
                out.extend(previous.ledger.to_be_bytes());
                put_hash(out, PREVIOUS_TXN_ID, &previous.txn);
            }
            put_hash(out, LEDGER_INDEX, key_index);
            let (old, new) = (before.fields(), now.fields());
            changed_fields(out, &old, &new);
            object(
                out,
                FINAL_FIELDS,
                new.iter().filter(|field| !is_thread(field)),
            );
            now.set_thread(thread);
        }
        (Some(before), None) => {
            put_header(out, DELETED_NODE);
            entry_type(out, before);
            put_hash(out, LEDGER_INDEX, key_index);
            let last = change.last.as_ref().unwrap_or(before);
            let (old, new) = (before.fields(), last.fields());
            changed_fields(out, &old, &new);
            object(out, FINAL_FIELDS, new.iter());
        }
        (None, None) => return,
    }
    out.push(OBJECT_END);
}

fn put_hash(out: &mut Vec<u8>, id: FieldId, hash: &[u8; 32]) {
    put_header(out, id);
    out.extend(hash);
}

fn is_thread(field: &Listed) -> bool {
    field.id == PREVIOUS_TXN_ID || field.id == PREVIOUS_TXN_LGR_SEQ
}

/// The fields that had another value, with that value; one that is new has none to show.
fn changed_fields(out: &mut Vec<u8>, old: &[Listed], new: &[Listed]) {
    let differs = |field: &&Listed| {
        let now = new.iter().find(|candidate| candidate.id == field.id);
        !is_thread(field) && now.is_none_or(|now| now.bytes != field.bytes)
    };
    object(out, PREVIOUS_FIELDS, old.iter().filter(differs));
}

/// An object of fields; nothing at all when there are none.
fn object<'a>(out: &mut Vec<u8>, id: FieldId, fields: impl Iterator<Item = &'a Listed>) {
    let mut any = false;
    for field in fields {
        if !any {
            put_header(out, id);
            any = true;
        }
        put_header(out, field.id);
        out.extend_from_slice(&field.bytes);
    }
    if any {
        out.push(OBJECT_END);
    }
}
