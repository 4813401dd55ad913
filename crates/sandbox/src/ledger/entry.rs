//! The entries of the ledger's state that the model knows, each able to list its fields, which is how
//! metadata, the log and `ledger_entry` are all written from one description. Reading back an entry of
//! another layout is an error of the log.

use super::tx::f;
use crate::st::{FieldId, Fields, OBJECT_END, kind, put_header, put_length};
use xrpayd_codec::sha512_half;
use xrpayd_core::address::AccountId;

/// What names an entry. Its 256-bit index is a hash of this and only computed where it is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Key {
    Account(AccountId),
    Ticket(AccountId, u32),
    OwnerDir(AccountId, u64),
    SignerList(AccountId),
}

impl Key {
    /// The entry's index in the state tree.
    pub(crate) fn index(&self) -> [u8; 32] {
        match self {
            Self::Account(id) => sha512_half(&[&[0, b'a'], &id.0]),
            Self::Ticket(id, number) => sha512_half(&[&[0, b'T'], &id.0, &number.to_be_bytes()]),
            Self::OwnerDir(id, page) => {
                let root = sha512_half(&[&[0, b'O'], &id.0]);
                if *page == 0 {
                    root
                } else {
                    sha512_half(&[&[0, b'd'], &root, &page.to_be_bytes()])
                }
            }
            Self::SignerList(id) => sha512_half(&[&[0, b'S'], &id.0, &0_u32.to_be_bytes()]),
        }
    }
}

/// Fields of state entries by their ids.
mod e {
    use super::{FieldId, kind};
    pub(super) const LEDGER_ENTRY_TYPE: FieldId = FieldId(kind::U16, 1);
    pub(super) const FLAGS: FieldId = FieldId(kind::U32, 2);
    pub(super) const SEQUENCE: FieldId = FieldId(kind::U32, 4);
    pub(crate) const PREVIOUS_TXN_LGR_SEQ: FieldId = FieldId(kind::U32, 5);
    pub(super) const OWNER_COUNT: FieldId = FieldId(kind::U32, 13);
    pub(super) const SIGNER_LIST_ID: FieldId = FieldId(kind::U32, 38);
    pub(super) const INDEX_NEXT: FieldId = FieldId(kind::U64, 1);
    pub(super) const INDEX_PREVIOUS: FieldId = FieldId(kind::U64, 2);
    pub(super) const OWNER_NODE: FieldId = FieldId(kind::U64, 4);
    pub(crate) const PREVIOUS_TXN_ID: FieldId = FieldId(kind::H256, 5);
    pub(super) const ROOT_INDEX: FieldId = FieldId(kind::H256, 8);
    pub(super) const BALANCE: FieldId = FieldId(kind::AMOUNT, 2);
    pub(super) const OWNER: FieldId = FieldId(kind::ACCOUNT, 2);
    /// How many entries a directory page lists; of the model's log only, not of the ledger.
    pub(super) const PAGE_COUNT: FieldId = FieldId(kind::U32, 250);
}

pub(crate) use e::{PREVIOUS_TXN_ID, PREVIOUS_TXN_LGR_SEQ};

/// The last transaction that touched an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Thread {
    pub(crate) txn: [u8; 32],
    pub(crate) ledger: u32,
}

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

/// An unused ticket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ticket {
    pub(crate) owner: AccountId,
    pub(crate) number: u32,
    pub(crate) page: u64,
    pub(crate) thread: Thread,
}

/// A page of what an account owns. The model counts its entries and does not list them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OwnerDir {
    pub(crate) owner: AccountId,
    pub(crate) next: u64,
    pub(crate) previous: u64,
    pub(crate) count: u32,
    pub(crate) thread: Thread,
}

/// Who may sign together for an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SignerList {
    pub(crate) owner: AccountId,
    pub(crate) quorum: u32,
    pub(crate) entries: Vec<(AccountId, u16)>,
    pub(crate) page: u64,
    pub(crate) thread: Thread,
}

/// An entry of the state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Entry {
    Account(Account),
    Ticket(Ticket),
    OwnerDir(OwnerDir),
    SignerList(SignerList),
}

/// A field of an entry: its id and its bytes as they are serialised (with length prefix).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listed {
    pub(crate) id: FieldId,
    pub(crate) bytes: Vec<u8>,
    pub(crate) is_default: bool,
}

#[derive(Default)]
struct Lister(Vec<Listed>);

impl Lister {
    fn push(&mut self, id: FieldId, bytes: Vec<u8>, is_default: bool) {
        self.0.push(Listed {
            id,
            bytes,
            is_default,
        });
    }
    fn u32(&mut self, id: FieldId, value: u32) {
        self.push(id, value.to_be_bytes().to_vec(), value == 0);
    }
    fn u64(&mut self, id: FieldId, value: u64) {
        self.push(id, value.to_be_bytes().to_vec(), value == 0);
    }
    fn hash(&mut self, id: FieldId, value: &[u8; 32]) {
        self.push(id, value.to_vec(), *value == [0; 32]);
    }
    fn drops(&mut self, id: FieldId, value: u64) {
        let word = value | 0x4000_0000_0000_0000;
        self.push(id, word.to_be_bytes().to_vec(), value == 0);
    }
    fn blob(&mut self, id: FieldId, value: &[u8]) {
        let mut bytes = Vec::with_capacity(value.len() + 3);
        put_length(&mut bytes, value.len());
        bytes.extend_from_slice(value);
        self.push(id, bytes, value.is_empty());
    }
    fn account(&mut self, id: FieldId, value: &AccountId) {
        self.blob(id, &value.0);
    }
    fn thread(&mut self, thread: &Thread) {
        self.u32(e::PREVIOUS_TXN_LGR_SEQ, thread.ledger);
        self.hash(e::PREVIOUS_TXN_ID, &thread.txn);
    }
    fn optional_u32(&mut self, id: FieldId, value: u32) {
        if value != 0 {
            self.u32(id, value);
        }
    }
    fn optional_u64(&mut self, id: FieldId, value: u64) {
        if value != 0 {
            self.u64(id, value);
        }
    }
}

impl Entry {
    /// The type's number in `LedgerEntryType`.
    pub(crate) const fn type_number(&self) -> u16 {
        match self {
            Self::Account(_) => 0x61,
            Self::Ticket(_) => 0x54,
            Self::OwnerDir(_) => 0x64,
            Self::SignerList(_) => 0x53,
        }
    }

    /// The last transaction that touched it.
    pub(crate) const fn thread(&self) -> Thread {
        match self {
            Self::Account(account) => account.thread,
            Self::Ticket(ticket) => ticket.thread,
            Self::OwnerDir(dir) => dir.thread,
            Self::SignerList(list) => list.thread,
        }
    }

    /// Notes the transaction that touches it now.
    pub(crate) const fn set_thread(&mut self, thread: Thread) {
        match self {
            Self::Account(account) => account.thread = thread,
            Self::Ticket(ticket) => ticket.thread = thread,
            Self::OwnerDir(dir) => dir.thread = thread,
            Self::SignerList(list) => list.thread = thread,
        }
    }

    /// Its fields but for the type, in canonical order.
    pub(crate) fn fields(&self) -> Vec<Listed> {
        let mut list = Lister(Vec::with_capacity(12));
        list.thread(&self.thread());
        match self {
            Self::Account(account) => account.list(&mut list),
            Self::Ticket(ticket) => {
                list.u32(e::FLAGS, 0);
                list.u32(f::TICKET_SEQUENCE, ticket.number);
                list.u64(e::OWNER_NODE, ticket.page);
                list.account(f::ACCOUNT, &ticket.owner);
            }
            Self::OwnerDir(dir) => {
                list.u32(e::FLAGS, 0);
                list.optional_u64(e::INDEX_NEXT, dir.next);
                list.optional_u64(e::INDEX_PREVIOUS, dir.previous);
                list.hash(e::ROOT_INDEX, &Key::OwnerDir(dir.owner, 0).index());
                list.account(e::OWNER, &dir.owner);
            }
            Self::SignerList(signers) => signers.list(&mut list),
        }
        list.0.sort_by_key(|listed| listed.id);
        list.0
    }

    /// The entry as the ledger serialises it.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(160);
        put_header(&mut out, e::LEDGER_ENTRY_TYPE);
        out.extend(self.type_number().to_be_bytes());
        for field in self.fields() {
            put_header(&mut out, field.id);
            out.extend(field.bytes);
        }
        out
    }

    /// The entry as the model's log keeps it: as the ledger does, and beside it what the ledger keeps
    /// elsewhere (how full a page is).
    pub(crate) fn to_log(&self) -> Vec<u8> {
        let mut out = self.to_bytes();
        if let Self::OwnerDir(dir) = self {
            put_header(&mut out, e::PAGE_COUNT);
            out.extend(dir.count.to_be_bytes());
        }
        out
    }

    /// Reads what [`Entry::to_log`] wrote of the entry with this key.
    pub(crate) fn from_log(key: &Key, bytes: &[u8]) -> Option<Self> {
        let mut entry = Raw::default();
        for field in Fields::of(bytes) {
            let field = field.ok()?;
            match field.id {
                e::LEDGER_ENTRY_TYPE => entry.kind = field.number(),
                e::PREVIOUS_TXN_LGR_SEQ => entry.thread.ledger = field.u32(),
                e::PREVIOUS_TXN_ID => entry.thread.txn = field.array()?,
                f::ACCOUNT | e::OWNER => entry.owner = field.array().map(AccountId),
                _ => entry.rest.push((field.id, field.value)),
            }
        }
        entry.build(key)
    }
}

impl Account {
    fn list(&self, list: &mut Lister) {
        list.u32(e::FLAGS, self.flags);
        list.u32(e::SEQUENCE, self.sequence);
        list.u32(e::OWNER_COUNT, self.owner_count);
        list.drops(e::BALANCE, self.balance);
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

impl SignerList {
    fn list(&self, list: &mut Lister) {
        list.u32(e::FLAGS, lsf::ONE_OWNER_COUNT);
        list.u64(e::OWNER_NODE, self.page);
        list.u32(f::SIGNER_QUORUM, self.quorum);
        list.u32(e::SIGNER_LIST_ID, 0);
        let mut array = Vec::new();
        for (account, weight) in &self.entries {
            put_header(&mut array, f::SIGNER_ENTRY);
            put_header(&mut array, f::SIGNER_WEIGHT);
            array.extend(weight.to_be_bytes());
            put_header(&mut array, f::ACCOUNT);
            put_length(&mut array, 20);
            array.extend(account.0);
            array.push(OBJECT_END);
        }
        array.push(crate::st::ARRAY_END);
        list.push(f::SIGNER_ENTRIES, array, false);
    }
}

/// An entry on its way back from bytes.
#[derive(Default)]
struct Raw<'a> {
    kind: u64,
    thread: Thread,
    owner: Option<AccountId>,
    rest: Vec<(FieldId, &'a [u8])>,
}

impl Raw<'_> {
    fn bytes(&self, id: FieldId) -> Option<&[u8]> {
        self.rest
            .iter()
            .find(|(have, _)| *have == id)
            .map(|(_, bytes)| *bytes)
    }

    fn number(&self, id: FieldId) -> Option<u64> {
        let bytes = self.bytes(id)?;
        Some(bytes.iter().fold(0, |n, &byte| n << 8 | u64::from(byte)))
    }

    fn u32(&self, id: FieldId) -> Option<u32> {
        self.number(id).and_then(|n| u32::try_from(n).ok())
    }

    fn array<const N: usize>(&self, id: FieldId) -> Option<[u8; N]> {
        self.bytes(id).and_then(|bytes| bytes.try_into().ok())
    }

    fn build(self, key: &Key) -> Option<Entry> {
        let (owner, thread) = (self.owner, self.thread);
        Some(match self.kind {
            0x53 => {
                let Key::SignerList(owner) = key else {
                    return None;
                };
                Entry::SignerList(SignerList {
                    owner: *owner,
                    quorum: self.u32(f::SIGNER_QUORUM)?,
                    entries: read_signer_entries(self.bytes(f::SIGNER_ENTRIES)?)?,
                    page: self.number(e::OWNER_NODE)?,
                    thread,
                })
            }
            0x61 => Entry::Account(self.account(owner?)?),
            0x54 => Entry::Ticket(Ticket {
                owner: owner?,
                number: self.u32(f::TICKET_SEQUENCE)?,
                page: self.number(e::OWNER_NODE)?,
                thread,
            }),
            0x64 => Entry::OwnerDir(OwnerDir {
                owner: owner?,
                next: self.number(e::INDEX_NEXT).unwrap_or_default(),
                previous: self.number(e::INDEX_PREVIOUS).unwrap_or_default(),
                count: self.u32(e::PAGE_COUNT)?,
                thread,
            }),
            _ => return None,
        })
    }

    fn account(&self, id: AccountId) -> Option<Account> {
        let extra = AccountExtra {
            account_txn_id: self.array(f::ACCOUNT_TXN_ID),
            email_hash: self.array(f::EMAIL_HASH),
            wallet_locator: self.array(f::WALLET_LOCATOR),
            message_key: self.bytes(f::MESSAGE_KEY).unwrap_or_default().to_vec(),
            domain: self.bytes(f::DOMAIN).unwrap_or_default().to_vec(),
            transfer_rate: self.u32(f::TRANSFER_RATE),
            tick_size: self.number(f::TICK_SIZE).and_then(|n| u8::try_from(n).ok()),
            nftoken_minter: self.array(f::NFTOKEN_MINTER).map(AccountId),
        };
        Some(Account {
            id,
            balance: self.number(e::BALANCE)? & 0x1FFF_FFFF_FFFF_FFFF,
            sequence: self.u32(e::SEQUENCE)?,
            owner_count: self.u32(e::OWNER_COUNT)?,
            flags: self.u32(e::FLAGS)?,
            ticket_count: self.u32(f::TICKET_COUNT).unwrap_or_default(),
            thread: self.thread,
            regular_key: self.array(f::REGULAR_KEY).map(AccountId),
            extra: (extra != AccountExtra::default()).then(|| Box::new(extra)),
        })
    }
}

/// Reads the entries of a signer list, of a state entry or of a transaction.
pub(crate) fn read_signer_entries(array: &[u8]) -> Option<Vec<(AccountId, u16)>> {
    let mut entries = Vec::new();
    for object in Fields::of(array) {
        let object = object.ok().filter(|object| object.id == f::SIGNER_ENTRY)?;
        let (mut account, mut weight) = (None, None);
        for field in Fields::of(object.value) {
            let field = field.ok()?;
            match field.id {
                f::ACCOUNT => account = field.array().map(AccountId),
                f::SIGNER_WEIGHT => weight = u16::try_from(field.number()).ok(),
                _ => {}
            }
        }
        entries.push((account?, weight?));
    }
    Some(entries)
}
