//! A transaction's metadata, written in the ledger's binary form straight from its changes, with the
//! threading (`PreviousTxnID`) that only a closed ledger has.
//!
//! Owns nothing. JSON is rendered from these bytes when somebody asks.

use super::codes::Ter;
use super::entry::{Account, Entry, Key, Listed, Thread, issuer_of};
use super::fields::f;
use super::state::{Change, Read};
use crate::st::{ARRAY_END, FieldId, OBJECT_END, kind, put_header};
use std::collections::BTreeMap;
use xrpayd_core::address::AccountId;
use xrpayd_core::ids::TxHash;

/// The metadata of one applied transaction, and the accounts whose history it belongs to.
pub(crate) struct Written {
    pub(crate) meta: Box<[u8]>,
    pub(crate) accounts: Vec<AccountId>,
}

/// What metadata says besides the changes.
pub(crate) struct About<'a> {
    pub(crate) hash: TxHash,
    pub(crate) ledger: u32,
    /// The transaction's place in its ledger.
    pub(crate) index: u32,
    pub(crate) result: Ter,
    /// What was delivered, in the ledger's bytes, where that is not plainly what was asked for.
    pub(crate) delivered: Option<&'a [u8]>,
}

/// How a node of metadata came about.
enum Touched<'a> {
    /// An entry was made, changed or deleted.
    Changed(&'a mut Change),
    /// An account only hears of it: something that it has a part in began or ended.
    Told(Thread),
}

/// Threads the changes and writes the metadata. Accounts that only hear of it join the changes.
pub(crate) fn write(
    changes: &mut BTreeMap<Key, Change>,
    view: &dyn Read,
    about: &About<'_>,
) -> Written {
    let thread = Thread {
        txn: about.hash.0,
        ledger: about.ledger,
    };
    let told = tell_owners(changes, view, thread);
    let mut nodes: Vec<([u8; 32], Touched<'_>)> = changes
        .iter_mut()
        .filter(|(key, change)| {
            !told.contains_key(key) && (change.now.is_none() || change.now != change.before)
        })
        .map(|(key, change)| (key.index(), Touched::Changed(change)))
        .collect();
    let heard = told
        .into_iter()
        .filter(|(_, previous)| previous.ledger != 0);
    nodes.extend(heard.map(|(key, previous)| (key.index(), Touched::Told(previous))));
    nodes.sort_by_key(|(index, _)| *index);
    let mut out = Vec::with_capacity(nodes.len() * 192 + 16);
    put_header(&mut out, f::TRANSACTION_INDEX);
    out.extend(about.index.to_be_bytes());
    if let Some(amount) = about.delivered {
        put_header(&mut out, f::DELIVERED_AMOUNT);
        out.extend(amount);
    }
    put_header(&mut out, f::AFFECTED_NODES);
    let mut accounts = Vec::with_capacity(2);
    for (index, touched) in nodes {
        match touched {
            Touched::Changed(change) => node(&mut out, &index, change, thread, &mut accounts),
            Touched::Told(previous) => {
                put_header(&mut out, f::MODIFIED_NODE);
                put_type(&mut out, super::fields::lt::ACCOUNT);
                put_previous(&mut out, previous);
                put_hash(&mut out, f::LEDGER_INDEX, &index);
                out.push(OBJECT_END);
            }
        }
    }
    out.push(ARRAY_END);
    put_header(&mut out, f::TRANSACTION_RESULT);
    out.push(about.result.meta_byte());
    accounts.sort_unstable();
    accounts.dedup();
    Written {
        meta: out.into_boxed_slice(),
        accounts,
    }
}

/// Threads the accounts that have a part in what began or ended and are not changed themselves. Returns
/// them with their threads as they were before.
fn tell_owners(
    changes: &mut BTreeMap<Key, Change>,
    view: &dyn Read,
    thread: Thread,
) -> BTreeMap<Key, Thread> {
    let mut owners: Vec<AccountId> = Vec::new();
    for change in changes.values() {
        match (&change.before, &change.now) {
            (None, Some(entry)) | (Some(entry), None) => owners.extend(entry.owners()),
            _ => {}
        }
    }
    let mut told = BTreeMap::new();
    for owner in owners {
        let key = Key::Account(owner);
        // A root that the rules looked at and put back as it was counts as not changed.
        let untouched = changes
            .get(&key)
            .is_none_or(|change| change.now.is_some() && change.now == change.before);
        let Some(root) = view.account(owner).filter(|_| untouched) else {
            continue;
        };
        told.insert(key, root.thread);
        let before = Entry::Account(root);
        let mut now = before.clone();
        now.set_thread(thread);
        changes.insert(
            key,
            Change {
                before: Some(before),
                now: Some(now),
                last: None,
            },
        );
    }
    told
}

fn put_type(out: &mut Vec<u8>, number: u16) {
    put_header(out, f::LEDGER_ENTRY_TYPE);
    out.extend(number.to_be_bytes());
}

fn put_previous(out: &mut Vec<u8>, previous: Thread) {
    put_header(out, f::PREVIOUS_TXN_LGR_SEQ);
    out.extend(previous.ledger.to_be_bytes());
    put_hash(out, f::PREVIOUS_TXN_ID, &previous.txn);
}

fn node(
    out: &mut Vec<u8>,
    index: &[u8; 32],
    change: &mut Change,
    thread: Thread,
    accounts: &mut Vec<AccountId>,
) {
    match (&change.before, &mut change.now) {
        (None, Some(created)) => {
            put_header(out, f::CREATED_NODE);
            put_type(out, created.type_number());
            put_hash(out, f::LEDGER_INDEX, index);
            let mut fields = created.fields();
            fields.retain(|field| !is_thread(field) && !field.is_default);
            affected(created, &fields, accounts);
            object(out, f::NEW_FIELDS, fields.iter());
            created.set_thread(thread);
        }
        (Some(before), Some(now)) => {
            put_header(out, f::MODIFIED_NODE);
            put_type(out, now.type_number());
            let previous = before.thread();
            if previous.ledger != 0 {
                put_previous(out, previous);
            }
            put_hash(out, f::LEDGER_INDEX, index);
            let (old, mut new) = (before.fields(), now.fields());
            changed_fields(out, &old, &new);
            new.retain(|field| !is_thread(field));
            affected(now, &new, accounts);
            object(out, f::FINAL_FIELDS, new.iter());
            now.set_thread(thread);
        }
        (Some(before), None) => {
            put_header(out, f::DELETED_NODE);
            put_type(out, before.type_number());
            put_hash(out, f::LEDGER_INDEX, index);
            let last = change.last.as_ref().unwrap_or(before);
            let (old, new) = (before.fields(), last.fields());
            changed_fields(out, &old, &new);
            affected(last, &new, accounts);
            object(out, f::FINAL_FIELDS, new.iter());
        }
        (None, None) => return,
    }
    out.push(OBJECT_END);
}

/// Notes the accounts that the shown fields of an entry name: the transaction belongs to their history.
fn affected(entry: &Entry, shown: &[Listed], accounts: &mut Vec<AccountId>) {
    if let Entry::Account(Account {
        id,
        regular_key: None,
        extra: None,
        ..
    }) = entry
    {
        accounts.push(*id);
        return;
    }
    for field in shown {
        let named = match field.id {
            FieldId(kind::ACCOUNT, _) => field.bytes.get(1..).and_then(|id| id.try_into().ok()),
            f::LOW_LIMIT | f::HIGH_LIMIT | f::TAKER_PAYS | f::TAKER_GETS => {
                issuer_of(&field.bytes).map(|issuer| issuer.0)
            }
            f::MPT_ISSUANCE_ID => field.bytes.get(4..).and_then(|id| id.try_into().ok()),
            _ => None,
        };
        accounts.extend(named.map(AccountId));
    }
}

fn put_hash(out: &mut Vec<u8>, id: FieldId, hash: &[u8; 32]) {
    put_header(out, id);
    out.extend(hash);
}

fn is_thread(field: &Listed) -> bool {
    field.id == f::PREVIOUS_TXN_ID || field.id == f::PREVIOUS_TXN_LGR_SEQ
}

/// The fields that had another value, with that value. One that is new has none to show, but the object
/// stands there for it, empty if need be.
fn changed_fields(out: &mut Vec<u8>, old: &[Listed], new: &[Listed]) {
    let has = |list: &[Listed], id: FieldId| list.iter().any(|candidate| candidate.id == id);
    let differs = |field: &&Listed| {
        let now = new.iter().find(|candidate| candidate.id == field.id);
        !is_thread(field) && now.is_none_or(|now| now.bytes != field.bytes)
    };
    let any_changed = old.iter().any(|field| differs(&field));
    let any_new = new
        .iter()
        .any(|field| !is_thread(field) && !has(old, field.id));
    if any_new && !any_changed {
        put_header(out, f::PREVIOUS_FIELDS);
        out.push(OBJECT_END);
    } else {
        object(out, f::PREVIOUS_FIELDS, old.iter().filter(differs));
    }
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
