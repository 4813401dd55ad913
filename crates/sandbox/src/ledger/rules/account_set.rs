//! AccountSet: flags and the small fields of an account.

use super::owned::number;
use super::{Context, directory, flags};
use crate::ledger::amount::QUALITY_ONE;
use crate::ledger::codes::Ter;
use crate::ledger::entry::{Account, Dir, lsf, owner_dir};
use crate::ledger::state::Read;
use crate::ledger::tx::{Tx, f};
use xrpayd_codec::keys::PublicKey;
use xrpayd_core::address::AccountId;

const TF_REQUIRE_DEST_TAG: u32 = 0x0001_0000;
const TF_OPTIONAL_DEST_TAG: u32 = 0x0002_0000;
const TF_REQUIRE_AUTH: u32 = 0x0004_0000;
const TF_OPTIONAL_AUTH: u32 = 0x0008_0000;
const TF_DISALLOW_XRP: u32 = 0x0010_0000;
const TF_ALLOW_XRP: u32 = 0x0020_0000;
const TF_ALL: u32 = 0x003F_0000;

const ASF_REQUIRE_DEST: u32 = 1;
const ASF_REQUIRE_AUTH: u32 = 2;
const ASF_DISALLOW_XRP: u32 = 3;
const ASF_DISABLE_MASTER: u32 = 4;
const ASF_ACCOUNT_TXN_ID: u32 = 5;
const ASF_NO_FREEZE: u32 = 6;
const ASF_GLOBAL_FREEZE: u32 = 7;
const ASF_NFTOKEN_MINTER: u32 = 10;
const ASF_ALLOW_CLAWBACK: u32 = 16;

/// Flags that are set and cleared without a further condition.
const SIMPLE: [(u32, u32); 6] = [
    (8, lsf::DEFAULT_RIPPLE),
    (9, lsf::DEPOSIT_AUTH),
    (12, lsf::DISALLOW_NFT_OFFER),
    (13, lsf::DISALLOW_CHECK),
    (14, lsf::DISALLOW_PAYCHAN),
    (15, lsf::DISALLOW_TRUSTLINE),
];

const DOMAIN_MAX: usize = 256;

/// What the transaction sets and clears of one property, by both of its spellings.
struct Wish {
    set: bool,
    clear: bool,
}

fn wish(tx: &Tx, asf: u32, tf_set: u32, tf_clear: u32) -> Wish {
    Wish {
        set: tx.flags & tf_set != 0 || number(tx, f::SET_FLAG) == Some(asf),
        clear: tx.flags & tf_clear != 0 || number(tx, f::CLEAR_FLAG) == Some(asf),
    }
}

fn require_auth(tx: &Tx) -> Wish {
    wish(tx, ASF_REQUIRE_AUTH, TF_REQUIRE_AUTH, TF_OPTIONAL_AUTH)
}

fn require_dest(tx: &Tx) -> Wish {
    wish(
        tx,
        ASF_REQUIRE_DEST,
        TF_REQUIRE_DEST_TAG,
        TF_OPTIONAL_DEST_TAG,
    )
}

fn disallow_xrp(tx: &Tx) -> Wish {
    wish(tx, ASF_DISALLOW_XRP, TF_DISALLOW_XRP, TF_ALLOW_XRP)
}

pub(super) fn preflight(tx: &Tx) -> Result<(), Ter> {
    flags(tx, TF_ALL)?;
    let (set, clear) = (number(tx, f::SET_FLAG), number(tx, f::CLEAR_FLAG));
    let contradiction = set.is_some_and(|flag| flag != 0 && Some(flag) == clear)
        || [require_auth(tx), require_dest(tx), disallow_xrp(tx)]
            .iter()
            .any(|w| w.set && w.clear);
    if contradiction {
        return Err(Ter::TEM_INVALID_FLAG);
    }
    if let Some(rate) = number(tx, f::TRANSFER_RATE)
        && rate != 0
        && !(QUALITY_ONE..=2 * QUALITY_ONE).contains(&rate)
    {
        return Err(Ter::TEM_BAD_TRANSFER_RATE);
    }
    if let Some(size) = tx.field(f::TICK_SIZE).map(|field| field.number())
        && size != 0
        && !(3..=15).contains(&size)
    {
        return Err(Ter::TEM_BAD_TICK_SIZE);
    }
    if let Some(key) = tx.field(f::MESSAGE_KEY)
        && !key.value.is_empty()
        && PublicKey::from_bytes(key.value).is_err()
    {
        return Err(Ter::TEL_BAD_PUBLIC_KEY);
    }
    if tx
        .field(f::DOMAIN)
        .is_some_and(|domain| domain.value.len() > DOMAIN_MAX)
    {
        return Err(Ter::TEL_BAD_DOMAIN);
    }
    let minter = tx.field(f::NFTOKEN_MINTER).is_some();
    let minter_set = set == Some(ASF_NFTOKEN_MINTER);
    if (minter_set && !minter) || (clear == Some(ASF_NFTOKEN_MINTER) && minter) {
        return Err(Ter::TEM_MALFORMED);
    }
    Ok(())
}

fn is_empty(root: &Dir) -> bool {
    root.members.is_empty() && root.next.unwrap_or_default() == 0
}

pub(super) fn preclaim(tx: &Tx, view: &dyn Read) -> Result<(), Ter> {
    let account = view.account(tx.account).ok_or(Ter::TER_NO_ACCOUNT)?;
    // A line that costs the account nothing stands in its directory all the same.
    let owns =
        || directory::page(view, owner_dir(account.id), 0).is_some_and(|root| !is_empty(&root));
    if require_auth(tx).set && !account.has(lsf::REQUIRE_AUTH) && owns() {
        return Err(Ter::TEC_OWNERS);
    }
    match number(tx, f::SET_FLAG) {
        Some(ASF_ALLOW_CLAWBACK) if account.has(lsf::NO_FREEZE) => Err(Ter::TEC_NO_PERMISSION),
        Some(ASF_ALLOW_CLAWBACK) if owns() => Err(Ter::TEC_OWNERS),
        Some(ASF_NO_FREEZE) if account.has(lsf::ALLOW_CLAWBACK) => Err(Ter::TEC_NO_PERMISSION),
        _ => Ok(()),
    }
}

pub(super) fn apply(context: &mut Context<'_, '_>) -> Result<(), Ter> {
    let tx = context.tx;
    let mut account = context.sender()?;
    let signed_with_master = tx.signing_account == Some(tx.account);
    let (set, clear) = (number(tx, f::SET_FLAG), number(tx, f::CLEAR_FLAG));
    let pairs = [
        (require_auth(tx), lsf::REQUIRE_AUTH),
        (require_dest(tx), lsf::REQUIRE_DEST_TAG),
        (disallow_xrp(tx), lsf::DISALLOW_XRP),
    ];
    for (wish, flag) in pairs {
        change(&mut account, flag, &wish);
    }
    if set == Some(ASF_DISABLE_MASTER) && !account.has(lsf::DISABLE_MASTER) {
        if !signed_with_master {
            return Err(Ter::TEC_NEED_MASTER_KEY);
        }
        let has_list = super::keys::has_signer_list(context.changes, account.id);
        if account.regular_key.is_none() && !has_list {
            return Err(Ter::TEC_NO_ALTERNATIVE_KEY);
        }
        account.flags |= lsf::DISABLE_MASTER;
    }
    if clear == Some(ASF_DISABLE_MASTER) {
        account.flags &= !lsf::DISABLE_MASTER;
    }
    if set == Some(ASF_NO_FREEZE) {
        if !signed_with_master && !account.has(lsf::DISABLE_MASTER) {
            return Err(Ter::TEC_NEED_MASTER_KEY);
        }
        account.flags |= lsf::NO_FREEZE;
    }
    if set == Some(ASF_GLOBAL_FREEZE) {
        account.flags |= lsf::GLOBAL_FREEZE;
    }
    if clear == Some(ASF_GLOBAL_FREEZE) && !account.has(lsf::NO_FREEZE) {
        account.flags &= !lsf::GLOBAL_FREEZE;
    }
    if set == Some(ASF_ALLOW_CLAWBACK) {
        account.flags |= lsf::ALLOW_CLAWBACK;
    }
    for (asf, flag) in SIMPLE {
        change(
            &mut account,
            flag,
            &Wish {
                set: set == Some(asf),
                clear: clear == Some(asf),
            },
        );
    }
    small_fields(tx, &mut account, set, clear);
    context.changes.put_account(account);
    Ok(())
}

const fn change(account: &mut Account, flag: u32, wish: &Wish) {
    if wish.set {
        account.flags |= flag;
    }
    if wish.clear {
        account.flags &= !flag;
    }
}

fn small_fields(tx: &Tx, account: &mut Account, set: Option<u32>, clear: Option<u32>) {
    let mut extra = account.extra.take().unwrap_or_default();
    if set == Some(ASF_ACCOUNT_TXN_ID) && extra.account_txn_id.is_none() {
        extra.account_txn_id = Some([0; 32]);
    }
    if clear == Some(ASF_ACCOUNT_TXN_ID) {
        extra.account_txn_id = None;
    }
    if let Some(hash) = tx.field(f::EMAIL_HASH) {
        extra.email_hash = hash.array().filter(|hash| *hash != [0; 16]);
    }
    if let Some(locator) = tx.field(f::WALLET_LOCATOR) {
        extra.wallet_locator = locator.array().filter(|locator| *locator != [0; 32]);
    }
    if let Some(key) = tx.field(f::MESSAGE_KEY) {
        extra.message_key = key.value.to_vec();
    }
    if let Some(domain) = tx.field(f::DOMAIN) {
        extra.domain = domain.value.to_vec();
    }
    if let Some(rate) = number(tx, f::TRANSFER_RATE) {
        extra.transfer_rate = (rate != 0 && rate != QUALITY_ONE).then_some(rate);
    }
    if let Some(size) = tx.field(f::TICK_SIZE) {
        let size = u8::try_from(size.number()).unwrap_or_default();
        extra.tick_size = (size != 0 && size != 15).then_some(size);
    }
    if set == Some(ASF_NFTOKEN_MINTER) {
        extra.nftoken_minter = tx
            .field(f::NFTOKEN_MINTER)
            .and_then(|m| m.array().map(AccountId));
    }
    if clear == Some(ASF_NFTOKEN_MINTER) {
        extra.nftoken_minter = None;
    }
    account.extra = (*extra != crate::ledger::entry::AccountExtra::default()).then_some(extra);
}
