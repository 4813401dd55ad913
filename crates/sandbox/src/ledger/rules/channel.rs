//! Payment channels: XRP set aside, out of which signed claims are paid as they are shown.

use super::{Context, Setting, deposit, directory, flags, owned};
use crate::ledger::codes::Ter;
use crate::ledger::entry::{Entry, Key, Object, lsf};
use crate::ledger::fields::lt;
use crate::ledger::state::{Changes, Read};
use crate::ledger::tx::{Tx, f};
use xrpayd_codec::keys::PublicKey;

const TF_RENEW: u32 = 0x0001_0000;
const TF_CLOSE: u32 = 0x0002_0000;
/// What stands before a claim in the bytes that its signature is over.
const CLAIM_PREFIX: [u8; 4] = *b"CLM\0";

/// The bytes that the signature of a claim is over.
pub(crate) fn claim_message(channel: &[u8; 32], drops: u64) -> Vec<u8> {
    [&CLAIM_PREFIX[..], channel, &drops.to_be_bytes()].concat()
}

fn public_key(tx: &Tx) -> Option<PublicKey> {
    tx.field(f::PUBLIC_KEY)
        .and_then(|field| PublicKey::from_bytes(field.value).ok())
}

pub(super) fn preflight_create(tx: &Tx) -> Result<(), Ter> {
    flags(tx, 0)?;
    owned::positive_drops(tx, f::AMOUNT)?.ok_or(Ter::TEM_BAD_AMOUNT)?;
    if tx.destination == Some(tx.account) {
        return Err(Ter::TEM_DST_IS_SRC);
    }
    if public_key(tx).is_none() {
        return Err(Ter::TEM_MALFORMED);
    }
    Ok(())
}

pub(super) fn preclaim_create(tx: &Tx, setting: &Setting, view: &dyn Read) -> Result<(), Ter> {
    let account = view.account(tx.account).ok_or(Ter::TER_NO_ACCOUNT)?;
    let drops = owned::positive_drops(tx, f::AMOUNT)?.ok_or(Ter::TEM_BAD_AMOUNT)?;
    let count = account.owner_count.saturating_add(1);
    owned::can_lock(account.balance, count, drops, setting)?;
    let to = tx
        .destination
        .and_then(|id| view.account(id))
        .ok_or(Ter::TEC_NO_DST)?;
    if to.has(lsf::DISALLOW_PAYCHAN) {
        return Err(Ter::TEC_NO_PERMISSION);
    }
    if to.has(lsf::REQUIRE_DEST_TAG) && tx.destination_tag.is_none() {
        return Err(Ter::TEC_DST_TAG_NEEDED);
    }
    Ok(())
}

pub(super) fn apply_create(context: &mut Context<'_, '_>) -> Result<(), Ter> {
    let tx = context.tx;
    let destination = tx.destination.ok_or(Ter::TEC_NO_DST)?;
    let drops = owned::positive_drops(tx, f::AMOUNT)?.ok_or(Ter::TEM_BAD_AMOUNT)?;
    let key = Key::channel(tx.account, destination, owned::sequence(tx));
    let mut channel = Object::new(lt::CHANNEL);
    let copied = [
        f::AMOUNT,
        f::ACCOUNT,
        f::DESTINATION,
        f::SETTLE_DELAY,
        f::PUBLIC_KEY,
        f::CANCEL_AFTER,
        f::SOURCE_TAG,
        f::DESTINATION_TAG,
    ];
    owned::copy(tx, &mut channel, &copied);
    channel.set_drops(f::BALANCE, 0);
    let page = directory::insert_owned(context.changes, tx.account, key)?;
    channel.set_u64(f::OWNER_NODE, page);
    let page = directory::insert_owned(context.changes, destination, key)?;
    channel.set_u64(f::DESTINATION_NODE, page);
    context.changes.put(key, Entry::Object(channel));
    let mut sender = context.sender()?;
    // The fee has been taken since the funds were checked, and may have eaten into the reserve only.
    sender.balance = sender.balance.checked_sub(drops).ok_or(Ter::TEC_UNFUNDED)?;
    sender.owner_count = sender.owner_count.saturating_add(1);
    context.changes.put_account(sender);
    Ok(())
}

pub(super) fn preflight_fund(tx: &Tx) -> Result<(), Ter> {
    flags(tx, 0)?;
    owned::positive_drops(tx, f::AMOUNT)?
        .map(drop)
        .ok_or(Ter::TEM_BAD_AMOUNT)
}

/// The channel that a transaction names.
fn named(context: &Context<'_, '_>, missing: Ter) -> Result<(Key, Object), Ter> {
    let index = context.tx.field(f::CHANNEL).and_then(|field| field.array());
    let key = Key::Object(lt::CHANNEL, index.ok_or(missing)?);
    let channel = owned::object(context.changes, &key).ok_or(missing)?;
    Ok((key, channel))
}

fn has_expired(setting: &Setting, channel: &Object) -> bool {
    [f::CANCEL_AFTER, f::EXPIRATION]
        .iter()
        .any(|&id| owned::has_come(setting, channel.u32(id)))
}

/// The earliest moment at which a channel that is closed now may expire.
fn settled_at(setting: &Setting, channel: &Object) -> u32 {
    let delay = channel.u32(f::SETTLE_DELAY).unwrap_or_default();
    setting.parent_close_time.saturating_add(delay)
}

pub(super) fn apply_fund(context: &mut Context<'_, '_>) -> Result<(), Ter> {
    let (tx, setting) = (context.tx, context.setting);
    let (key, mut channel) = named(context, Ter::TEC_NO_ENTRY)?;
    if has_expired(setting, &channel) {
        return close(context.changes, &key, &channel);
    }
    if channel.account(f::ACCOUNT) != Some(tx.account) {
        return Err(Ter::TEC_NO_PERMISSION);
    }
    if let Some(extended) = owned::number(tx, f::EXPIRATION) {
        let earliest = settled_at(setting, &channel);
        let earliest = channel
            .u32(f::EXPIRATION)
            .map_or(earliest, |current| current.min(earliest));
        if extended < earliest {
            return Err(Ter::TEM_BAD_EXPIRATION);
        }
        channel.set_u32(f::EXPIRATION, extended);
    }
    let drops = owned::positive_drops(tx, f::AMOUNT)?.ok_or(Ter::TEM_BAD_AMOUNT)?;
    let mut sender = context.sender()?;
    owned::can_lock(sender.balance, sender.owner_count, drops, setting)?;
    channel
        .account(f::DESTINATION)
        .and_then(|id| context.changes.account(id))
        .ok_or(Ter::TEC_NO_DST)?;
    let funds = channel.drops(f::AMOUNT).ok_or(Ter::TEF_INTERNAL)?;
    channel.set_drops(f::AMOUNT, funds.saturating_add(drops));
    context.changes.put(key, Entry::Object(channel));
    sender.balance = sender.balance.checked_sub(drops).ok_or(Ter::TEC_UNFUNDED)?;
    context.changes.put_account(sender);
    Ok(())
}

pub(super) fn preflight_claim(tx: &Tx) -> Result<(), Ter> {
    // Credentials belong to an amendment that the model does not have.
    if tx.field(f::CREDENTIAL_IDS).is_some() {
        return Err(Ter::TEM_DISABLED);
    }
    let balance = owned::positive_drops(tx, f::BALANCE)?;
    let amount = owned::positive_drops(tx, f::AMOUNT)?;
    if balance
        .zip(amount)
        .is_some_and(|(balance, amount)| balance > amount)
    {
        return Err(Ter::TEM_BAD_AMOUNT);
    }
    flags(tx, TF_RENEW | TF_CLOSE)?;
    if tx.flags & TF_RENEW != 0 && tx.flags & TF_CLOSE != 0 {
        return Err(Ter::TEM_MALFORMED);
    }
    let Some(signature) = tx.field(f::SIGNATURE) else {
        return Ok(());
    };
    let channel = tx.field(f::CHANNEL).and_then(|field| field.array());
    let (Some(balance), Some(key), Some(channel)) = (balance, public_key(tx), channel) else {
        return Err(Ter::TEM_MALFORMED);
    };
    let message = claim_message(&channel, amount.unwrap_or(balance));
    if key.verify(&message, signature.value) {
        Ok(())
    } else {
        Err(Ter::TEM_BAD_SIGNATURE)
    }
}

pub(super) fn apply_claim(context: &mut Context<'_, '_>) -> Result<(), Ter> {
    let (tx, setting) = (context.tx, context.setting);
    let (key, mut channel) = named(context, Ter::TEC_NO_TARGET)?;
    if has_expired(setting, &channel) {
        return close(context.changes, &key, &channel);
    }
    let is_owner = channel.account(f::ACCOUNT) == Some(tx.account);
    let is_receiver = channel.account(f::DESTINATION) == Some(tx.account);
    if !is_owner && !is_receiver {
        return Err(Ter::TEC_NO_PERMISSION);
    }
    let expiration = channel.u32(f::EXPIRATION);
    if let Some(claimed) = owned::positive_drops(tx, f::BALANCE)? {
        pay(context, &mut channel, claimed)?;
    }
    if tx.flags & TF_RENEW != 0 {
        if !is_owner {
            return Err(Ter::TEC_NO_PERMISSION);
        }
        channel.remove(f::EXPIRATION);
    }
    if tx.flags & TF_CLOSE != 0 {
        let is_dry = channel.drops(f::BALANCE) == channel.drops(f::AMOUNT);
        if is_receiver || is_dry {
            context.changes.put(key, Entry::Object(channel.clone()));
            return close(context.changes, &key, &channel);
        }
        let settled = settled_at(setting, &channel);
        if expiration.is_none_or(|current| current > settled) {
            channel.set_u32(f::EXPIRATION, settled);
        }
    }
    context.changes.put(key, Entry::Object(channel));
    Ok(())
}

/// Pays the receiver what has been claimed in all and not been paid yet.
fn pay(context: &mut Context<'_, '_>, channel: &mut Object, claimed: u64) -> Result<(), Ter> {
    let tx = context.tx;
    let receiver = channel.account(f::DESTINATION).ok_or(Ter::TEF_INTERNAL)?;
    let is_signed = tx.field(f::SIGNATURE).is_some();
    if receiver == tx.account && !is_signed {
        return Err(Ter::TEM_BAD_SIGNATURE);
    }
    let shown = tx.field(f::PUBLIC_KEY).map(|field| field.value);
    if is_signed && shown != channel.blob(f::PUBLIC_KEY) {
        return Err(Ter::TEM_BAD_SIGNER);
    }
    let paid = channel.drops(f::BALANCE).ok_or(Ter::TEF_INTERNAL)?;
    let funds = channel.drops(f::AMOUNT).ok_or(Ter::TEF_INTERNAL)?;
    if claimed > funds || claimed <= paid {
        return Err(Ter::TEC_UNFUNDED_PAYMENT);
    }
    let to = context.changes.account(receiver).ok_or(Ter::TEC_NO_DST)?;
    deposit::verify(context.changes, tx.account, &to)?;
    channel.set_drops(f::BALANCE, claimed);
    owned::credit(context.changes, receiver, claimed - paid)
}

/// Closes a channel: what is left goes back to its owner.
fn close(changes: &mut Changes<'_>, key: &Key, channel: &Object) -> Result<(), Ter> {
    let owner = channel.account(f::ACCOUNT).ok_or(Ter::TEF_INTERNAL)?;
    let page = channel.number(f::OWNER_NODE).unwrap_or_default();
    owned::unlink(changes, owner, page, key);
    if let Some(page) = channel.number(f::DESTINATION_NODE) {
        let receiver = channel.account(f::DESTINATION).ok_or(Ter::TEF_INTERNAL)?;
        owned::unlink(changes, receiver, page, key);
    }
    let funds = channel.drops(f::AMOUNT).ok_or(Ter::TEF_INTERNAL)?;
    let paid = channel.drops(f::BALANCE).ok_or(Ter::TEF_INTERNAL)?;
    changes.delete(*key);
    owned::credit(changes, owner, funds.saturating_sub(paid))?;
    owned::adjust_count(changes, owner, -1)
}
