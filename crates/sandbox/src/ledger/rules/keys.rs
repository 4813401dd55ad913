//! Who may sign for an account: regular keys, signer lists, and the check of several signatures.

use super::{Context, Mode, directory, flags, owned};
use crate::ledger::codes::Ter;
use crate::ledger::entry::{
    Entry, Key, ListedSigner, SignerList, Thread, lsf, read_signer_entries,
};
use crate::ledger::state::{Changes, Read};
use crate::ledger::tx::{SIGNERS_MAX, Tx, f};
use xrpayd_codec::keys::PublicKey;
use xrpayd_core::address::AccountId;

fn regular_key(tx: &Tx) -> Option<AccountId> {
    tx.field(f::REGULAR_KEY)
        .and_then(|field| field.array().map(AccountId))
}

pub(super) fn preflight_regular_key(tx: &Tx) -> Result<(), Ter> {
    flags(tx, 0)?;
    if regular_key(tx) == Some(tx.account) {
        Err(Ter::TEM_BAD_REGKEY)
    } else {
        Ok(())
    }
}

pub(super) fn apply_regular_key(context: &mut Context<'_, '_>) -> Result<(), Ter> {
    let mut account = context.sender()?;
    // A reset that could have been had for nothing is spent, even where a fee was paid for it.
    let free_reset = context.tx.signing_account == Some(account.id);
    if free_reset && !account.has(lsf::PASSWORD_SPENT) {
        account.flags |= lsf::PASSWORD_SPENT;
    }
    let new_key = regular_key(context.tx);
    let left_without_key = new_key.is_none()
        && account.has(lsf::DISABLE_MASTER)
        && !has_signer_list(context.changes, account.id);
    if left_without_key {
        return Err(Ter::TEC_NO_ALTERNATIVE_KEY);
    }
    account.regular_key = new_key;
    context.changes.put_account(account);
    Ok(())
}

fn signer_list(view: &dyn Read, owner: AccountId) -> Option<SignerList> {
    match view.entry(&Key::SignerList(owner)) {
        Some(Entry::SignerList(list)) => Some(list),
        _ => None,
    }
}

/// Whether the account has a signer list.
pub(super) fn has_signer_list(changes: &Changes<'_>, owner: AccountId) -> bool {
    signer_list(changes, owner).is_some()
}

/// The quorum and the entries that a SignerListSet carries.
fn wanted_list(tx: &Tx) -> Option<(u32, Option<Vec<ListedSigner>>)> {
    let quorum = tx.field(f::SIGNER_QUORUM)?.u32();
    match tx.field(f::SIGNER_ENTRIES) {
        None => Some((quorum, None)),
        Some(array) => read_signer_entries(array.value).map(|entries| (quorum, Some(entries))),
    }
}

pub(super) fn preflight_signer_list(tx: &Tx) -> Result<(), Ter> {
    flags(tx, 0)?;
    let (quorum, entries) = match wanted_list(tx) {
        Some((0, None)) => return Ok(()),
        Some((quorum, Some(entries))) if quorum > 0 => (quorum, entries),
        _ => return Err(Ter::TEM_MALFORMED),
    };
    if entries.is_empty() || entries.len() > SIGNERS_MAX {
        return Err(Ter::TEM_MALFORMED);
    }
    let mut ids: Vec<AccountId> = entries.iter().map(|signer| signer.account).collect();
    ids.sort_unstable();
    let unique = ids.windows(2).all(|pair| pair[0] != pair[1]);
    if !unique {
        return Err(Ter::TEM_BAD_SIGNER);
    }
    if entries.iter().any(|signer| signer.weight == 0) {
        return Err(Ter::TEM_BAD_WEIGHT);
    }
    if ids.contains(&tx.account) {
        return Err(Ter::TEM_BAD_SIGNER);
    }
    let sum: u32 = entries.iter().map(|signer| u32::from(signer.weight)).sum();
    if quorum > sum {
        Err(Ter::TEM_BAD_QUORUM)
    } else {
        Ok(())
    }
}

pub(super) fn apply_signer_list(context: &mut Context<'_, '_>) -> Result<(), Ter> {
    let mut account = context.sender()?;
    let (quorum, entries) = wanted_list(context.tx).ok_or(Ter::TEM_MALFORMED)?;
    let old = signer_list(context.changes, account.id);
    let Some(mut entries) = entries else {
        let may_sign = !account.has(lsf::DISABLE_MASTER) || account.regular_key.is_some();
        if !may_sign {
            return Err(Ter::TEC_NO_ALTERNATIVE_KEY);
        }
        if let Some(list) = old {
            remove_list(context.changes, &list);
            account.owner_count = account.owner_count.saturating_sub(1);
        }
        context.changes.put_account(account);
        return Ok(());
    };
    if let Some(list) = &old {
        account.owner_count = account.owner_count.saturating_sub(1);
        let key = Key::SignerList(account.id);
        directory::remove_owned(context.changes, account.id, list.page, &key);
    }
    if owned::lacks_reserve(context, &account, 1) {
        return Err(Ter::TEC_INSUFFICIENT_RESERVE);
    }
    entries.sort_unstable();
    let page = directory::insert_owned(context.changes, account.id, Key::SignerList(account.id))?;
    let thread = old.map_or_else(Thread::default, |list| list.thread);
    let list = SignerList {
        owner: account.id,
        quorum,
        entries,
        page,
        thread,
    };
    context
        .changes
        .put(Key::SignerList(account.id), Entry::SignerList(list));
    account.owner_count = account.owner_count.saturating_add(1);
    context.changes.put_account(account);
    Ok(())
}

/// Removes a signer list and its place in the owner's directory.
pub(super) fn remove_list(changes: &mut Changes<'_>, list: &SignerList) {
    changes.delete(Key::SignerList(list.owner));
    let key = Key::SignerList(list.owner);
    directory::remove_owned(changes, list.owner, list.page, &key);
}

/// Whether the signers on a transaction stand for the account.
pub(super) fn check_multi_sign(tx: &Tx, mode: Mode, view: &dyn Read) -> Result<(), Ter> {
    let list = signer_list(view, tx.account).ok_or(Ter::TEF_NOT_MULTI_SIGNING)?;
    let mut weight = 0_u32;
    for signer in &tx.signers {
        let entry = list
            .entries
            .iter()
            .find(|entry| entry.account == signer.account);
        let entry = entry.ok_or(Ter::TEF_BAD_SIGNATURE)?;
        let key_account = if mode == Mode::Trial && signer.key.is_empty() {
            signer.account
        } else {
            let key = PublicKey::from_bytes(&signer.key);
            key.map_err(|_| Ter::TEF_BAD_SIGNATURE)?.account_id()
        };
        let root = view.account(signer.account);
        if key_account == signer.account {
            if root.is_some_and(|root| root.has(lsf::DISABLE_MASTER)) {
                return Err(Ter::TEF_MASTER_DISABLED);
            }
        } else if root.and_then(|root| root.regular_key) != Some(key_account) {
            return Err(Ter::TEF_BAD_SIGNATURE);
        }
        weight = weight.saturating_add(u32::from(entry.weight));
    }
    if weight < list.quorum {
        Err(Ter::TEF_BAD_QUORUM)
    } else {
        Ok(())
    }
}

/// The account's signer list, for those that delete or show it.
pub(super) fn list_of(changes: &Changes<'_>, owner: AccountId) -> Option<SignerList> {
    signer_list(changes, owner)
}
