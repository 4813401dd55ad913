//! An account's root, and what few accounts have besides.
//!
//! Owns the typed form; every XRP payment reads and writes two of these.

use super::{Lister, Object, Thread};
use crate::ledger::fields::f;
use xrpayd_core::address::AccountId;

/// An account's root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Account {
    pub(crate) id: AccountId,
    pub(crate) balance: u64,
    pub(crate) sequence: u32,
    pub(crate) owner_count: u32,
    pub(crate) flags: u32,
    pub(crate) ticket_count: u32,
    pub(crate) thread: Thread,
    pub(crate) regular_key: Option<AccountId>,
    pub(crate) extra: Option<Box<AccountExtra>>,
}

/// What few accounts have.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct AccountExtra {
    pub(crate) account_txn_id: Option<[u8; 32]>,
    pub(crate) email_hash: Option<[u8; 16]>,
    pub(crate) wallet_locator: Option<[u8; 32]>,
    pub(crate) message_key: Vec<u8>,
    pub(crate) domain: Vec<u8>,
    pub(crate) transfer_rate: Option<u32>,
    pub(crate) tick_size: Option<u8>,
    pub(crate) nftoken_minter: Option<AccountId>,
}

/// Flags of an account root.
pub(crate) mod lsf {
    pub(crate) const PASSWORD_SPENT: u32 = 0x0001_0000;
    pub(crate) const REQUIRE_DEST_TAG: u32 = 0x0002_0000;
    pub(crate) const REQUIRE_AUTH: u32 = 0x0004_0000;
    pub(crate) const DISALLOW_XRP: u32 = 0x0008_0000;
    pub(crate) const DISABLE_MASTER: u32 = 0x0010_0000;
    pub(crate) const NO_FREEZE: u32 = 0x0020_0000;
    pub(crate) const GLOBAL_FREEZE: u32 = 0x0040_0000;
    pub(crate) const DEFAULT_RIPPLE: u32 = 0x0080_0000;
    pub(crate) const DEPOSIT_AUTH: u32 = 0x0100_0000;
    pub(crate) const DISALLOW_NFT_OFFER: u32 = 0x0400_0000;
    pub(crate) const DISALLOW_CHECK: u32 = 0x0800_0000;
    pub(crate) const DISALLOW_PAYCHAN: u32 = 0x1000_0000;
    pub(crate) const DISALLOW_TRUSTLINE: u32 = 0x2000_0000;
    pub(crate) const ALLOW_CLAWBACK: u32 = 0x8000_0000;
    /// A signer list counts as one owned object.
    pub(crate) const ONE_OWNER_COUNT: u32 = 0x0001_0000;
}

impl Account {
    /// A new account.
    pub(crate) const fn new(id: AccountId, sequence: u32) -> Self {
        Self {
            id,
            balance: 0,
            sequence,
            owner_count: 0,
            flags: 0,
            ticket_count: 0,
            thread: Thread {
                txn: [0; 32],
                ledger: 0,
            },
            regular_key: None,
            extra: None,
        }
    }

    /// Whether all bits of `flag` are set.
    pub(crate) const fn has(&self, flag: u32) -> bool {
        self.flags & flag == flag
    }

    /// The rarely used fields, made room for.
    pub(crate) fn extra_mut(&mut self) -> &mut AccountExtra {
        self.extra.get_or_insert_default()
    }
}

impl Account {
    /// Reads an account's root back from its fields.
    pub(super) fn from_object(object: &Object) -> Option<Self> {
        let blob = |id| object.blob(id).unwrap_or_default().to_vec();
        let extra = AccountExtra {
            account_txn_id: object.array(f::ACCOUNT_TXN_ID),
            email_hash: object.array(f::EMAIL_HASH),
            wallet_locator: object.array(f::WALLET_LOCATOR),
            message_key: blob(f::MESSAGE_KEY),
            domain: blob(f::DOMAIN),
            transfer_rate: object.u32(f::TRANSFER_RATE),
            tick_size: object.array(f::TICK_SIZE).map(|[size]| size),
            nftoken_minter: object.account(f::NFTOKEN_MINTER),
        };
        Some(Self {
            id: object.account(f::ACCOUNT)?,
            balance: object.drops(f::BALANCE)?,
            sequence: object.u32(f::SEQUENCE)?,
            owner_count: object.u32(f::OWNER_COUNT)?,
            flags: object.flags(),
            ticket_count: object.u32(f::TICKET_COUNT).unwrap_or_default(),
            thread: object.thread,
            regular_key: object.account(f::REGULAR_KEY),
            extra: (extra != AccountExtra::default()).then(|| Box::new(extra)),
        })
    }

    pub(super) fn list(&self, list: &mut Lister) {
        list.u32(f::FLAGS, self.flags);
        list.u32(f::SEQUENCE, self.sequence);
        list.u32(f::OWNER_COUNT, self.owner_count);
        list.drops(f::BALANCE, self.balance);
        list.account(f::ACCOUNT, &self.id);
        list.optional_u32(f::TICKET_COUNT, self.ticket_count);
        if let Some(key) = &self.regular_key {
            list.account(f::REGULAR_KEY, key);
        }
        let Some(extra) = &self.extra else { return };
        if let Some(hash) = &extra.email_hash {
            list.push(f::EMAIL_HASH, hash.to_vec(), false);
        }
        if let Some(id) = &extra.account_txn_id {
            list.hash(f::ACCOUNT_TXN_ID, id);
        }
        if let Some(locator) = &extra.wallet_locator {
            list.hash(f::WALLET_LOCATOR, locator);
        }
        if !extra.message_key.is_empty() {
            list.blob(f::MESSAGE_KEY, &extra.message_key);
        }
        if !extra.domain.is_empty() {
            list.blob(f::DOMAIN, &extra.domain);
        }
        if let Some(rate) = extra.transfer_rate {
            list.u32(f::TRANSFER_RATE, rate);
        }
        if let Some(size) = extra.tick_size {
            list.push(f::TICK_SIZE, vec![size], false);
        }
        if let Some(minter) = &extra.nftoken_minter {
            list.account(f::NFTOKEN_MINTER, minter);
        }
    }
}
