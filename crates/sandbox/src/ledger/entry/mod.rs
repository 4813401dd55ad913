//! The entries of the ledger's state, each able to list its fields, which is how metadata, the log and
//! `ledger_entry` are all written from one description.
//!
//! Owns the typed entries that payments touch all the time, and one form, a list of fields, for all
//! others. Reading back an entry of another layout is an error of the log.

mod account;
mod dir;
mod key;
mod object;

pub(crate) use account::{Account, AccountExtra, lsf};
pub(crate) use dir::Dir;
pub(crate) use key::{Key, book_base, owner_dir, with_quality};
pub(crate) use object::Object;

use super::fields::{f, lt};
use crate::st::{ARRAY_END, FieldId, Fields, OBJECT_END, header_len, put_header, put_length};
use xrpayd_core::address::AccountId;

/// The last transaction that touched an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Thread {
    pub(crate) txn: [u8; 32],
    pub(crate) ledger: u32,
}

/// An unused ticket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ticket {
    pub(crate) owner: AccountId,
    pub(crate) number: u32,
    pub(crate) page: u64,
    pub(crate) thread: Thread,
}

/// One who may sign, and what the signature weighs. Signers stand in the order of their accounts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ListedSigner {
    pub(crate) account: AccountId,
    pub(crate) weight: u16,
    /// Whatever the owner notes beside the signer.
    pub(crate) locator: Option<[u8; 32]>,
}

/// Who may sign together for an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SignerList {
    pub(crate) owner: AccountId,
    pub(crate) quorum: u32,
    pub(crate) entries: Vec<ListedSigner>,
    pub(crate) page: u64,
    pub(crate) thread: Thread,
}

/// An entry of the state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Entry {
    Account(Account),
    Ticket(Ticket),
    SignerList(SignerList),
    Dir(Dir),
    Object(Object),
}

/// A field of an entry: its id and its bytes as they follow its header.
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
        self.u32(f::PREVIOUS_TXN_LGR_SEQ, thread.ledger);
        self.hash(f::PREVIOUS_TXN_ID, &thread.txn);
    }
    fn optional_u32(&mut self, id: FieldId, value: u32) {
        if value != 0 {
            self.u32(id, value);
        }
    }
}

impl Entry {
    /// The type's number in `LedgerEntryType`.
    pub(crate) const fn type_number(&self) -> u16 {
        match self {
            Self::Account(_) => lt::ACCOUNT,
            Self::Ticket(_) => lt::TICKET,
            Self::SignerList(_) => lt::SIGNER_LIST,
            Self::Dir(_) => lt::DIR,
            Self::Object(object) => object.kind,
        }
    }

    /// The last transaction that touched it.
    pub(crate) const fn thread(&self) -> Thread {
        match self {
            Self::Account(account) => account.thread,
            Self::Ticket(ticket) => ticket.thread,
            Self::SignerList(list) => list.thread,
            Self::Dir(dir) => dir.thread,
            Self::Object(object) => object.thread,
        }
    }

    /// Notes the transaction that touches it now.
    pub(crate) const fn set_thread(&mut self, thread: Thread) {
        match self {
            Self::Account(account) => account.thread = thread,
            Self::Ticket(ticket) => ticket.thread = thread,
            Self::SignerList(list) => list.thread = thread,
            Self::Dir(dir) => dir.thread = thread,
            Self::Object(object) => object.thread = thread,
        }
    }

    /// Its fields but for the type, in canonical order.
    pub(crate) fn fields(&self) -> Vec<Listed> {
        let mut list = Lister(Vec::with_capacity(12));
        list.thread(&self.thread());
        match self {
            Self::Account(account) => account.list(&mut list),
            Self::Ticket(ticket) => {
                list.u32(f::FLAGS, 0);
                list.u32(f::TICKET_SEQUENCE, ticket.number);
                list.u64(f::OWNER_NODE, ticket.page);
                list.account(f::ACCOUNT, &ticket.owner);
            }
            Self::SignerList(signers) => signers.list(&mut list),
            Self::Dir(dir) => dir.list(&mut list),
            Self::Object(object) => list.0.extend(object.listed()),
        }
        list.0.sort_by_key(|listed| listed.id);
        list.0
    }

    /// The accounts that hear of this entry's beginning and end.
    pub(crate) fn owners(&self) -> Vec<AccountId> {
        match self {
            Self::Account(_) | Self::Dir(_) | Self::SignerList(_) => Vec::new(),
            Self::Ticket(ticket) => vec![ticket.owner],
            Self::Object(object) if object.kind == lt::LINE => [f::LOW_LIMIT, f::HIGH_LIMIT]
                .into_iter()
                .filter_map(|side| issuer_of(object.raw(side)?))
                .collect(),
            Self::Object(object) => [f::ACCOUNT, f::DESTINATION]
                .into_iter()
                .filter_map(|id| object.account(id))
                .collect(),
        }
    }

    /// The entry as the ledger serialises it.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(160);
        put_header(&mut out, f::LEDGER_ENTRY_TYPE);
        out.extend(self.type_number().to_be_bytes());
        for field in self.fields() {
            put_header(&mut out, field.id);
            out.extend(field.bytes);
        }
        out
    }

    /// The entry as a client reads it: as the ledger serialises it, with the members of a directory's
    /// page, which metadata never shows.
    pub(crate) fn to_node(&self) -> Vec<u8> {
        let Self::Dir(dir) = self else {
            return self.to_bytes();
        };
        let mut out = self.to_bytes();
        // It is the last field of a page in canonical order.
        put_header(&mut out, f::INDEXES);
        put_length(&mut out, dir.members.len() * 32);
        dir.members.iter().for_each(|key| out.extend(key.index()));
        out
    }

    /// The entry as the model's log keeps it: as the ledger does, and beside it what the ledger lists by
    /// indexes only (the members of a directory's page).
    pub(crate) fn to_log(&self) -> Vec<u8> {
        let mut out = self.to_bytes();
        if let Self::Dir(dir) = self {
            dir.put_members(&mut out);
        }
        out
    }

    /// Reads what [`Entry::to_log`] wrote.
    pub(crate) fn from_log(key: &Key, bytes: &[u8]) -> Option<Self> {
        let object = read(bytes)?;
        Some(match object.kind {
            lt::ACCOUNT => Self::Account(Account::from_object(&object)?),
            lt::TICKET => Self::Ticket(Ticket::from_object(&object)?),
            lt::SIGNER_LIST => {
                let Key::SignerList(owner) = key else {
                    return None;
                };
                Self::SignerList(SignerList::from_object(*owner, &object)?)
            }
            lt::DIR => Self::Dir(Dir::from_object(&object)?),
            _ => Self::Object(object),
        })
    }
}

/// Reads an entry's fields from its bytes.
fn read(bytes: &[u8]) -> Option<Object> {
    let mut object = Object::new(0);
    object.remove(f::FLAGS);
    for field in Fields::of(bytes) {
        let field = field.ok()?;
        match field.id {
            f::LEDGER_ENTRY_TYPE => object.kind = u16::try_from(field.number()).ok()?,
            f::PREVIOUS_TXN_LGR_SEQ => object.thread.ledger = field.u32(),
            f::PREVIOUS_TXN_ID => object.thread.txn = field.array()?,
            id => {
                let start = field.start + header_len(id);
                object.set_raw(id, bytes.get(start..field.end)?.to_vec());
            }
        }
    }
    Some(object)
}

/// The issuer of a token's amount in its binary form.
pub(crate) fn issuer_of(amount: &[u8]) -> Option<AccountId> {
    let bytes = amount.get(28..48)?;
    bytes.try_into().ok().map(AccountId)
}

impl Ticket {
    fn from_object(object: &Object) -> Option<Self> {
        Some(Self {
            owner: object.account(f::ACCOUNT)?,
            number: object.u32(f::TICKET_SEQUENCE)?,
            page: object.number(f::OWNER_NODE)?,
            thread: object.thread,
        })
    }
}

impl SignerList {
    fn list(&self, list: &mut Lister) {
        list.u32(f::FLAGS, lsf::ONE_OWNER_COUNT);
        list.u64(f::OWNER_NODE, self.page);
        list.u32(f::SIGNER_QUORUM, self.quorum);
        list.u32(f::SIGNER_LIST_ID, 0);
        let mut array = Vec::new();
        for signer in &self.entries {
            put_header(&mut array, f::SIGNER_ENTRY);
            put_header(&mut array, f::SIGNER_WEIGHT);
            array.extend(signer.weight.to_be_bytes());
            if let Some(locator) = &signer.locator {
                put_header(&mut array, f::WALLET_LOCATOR);
                array.extend(locator);
            }
            put_header(&mut array, f::ACCOUNT);
            put_length(&mut array, 20);
            array.extend(signer.account.0);
            array.push(OBJECT_END);
        }
        array.push(ARRAY_END);
        list.push(f::SIGNER_ENTRIES, array, false);
    }

    fn from_object(owner: AccountId, object: &Object) -> Option<Self> {
        let array = object.raw(f::SIGNER_ENTRIES)?;
        Some(Self {
            owner,
            quorum: object.u32(f::SIGNER_QUORUM)?,
            entries: read_signer_entries(array.strip_suffix(&[ARRAY_END])?)?,
            page: object.number(f::OWNER_NODE)?,
            thread: object.thread,
        })
    }
}

/// Reads the entries of a signer list, of a state entry or of a transaction.
pub(crate) fn read_signer_entries(array: &[u8]) -> Option<Vec<ListedSigner>> {
    let mut entries = Vec::new();
    for object in Fields::of(array) {
        let object = object.ok().filter(|object| object.id == f::SIGNER_ENTRY)?;
        let (mut account, mut weight, mut locator) = (None, None, None);
        for field in Fields::of(object.value) {
            let field = field.ok()?;
            match field.id {
                f::ACCOUNT => account = field.array().map(AccountId),
                f::SIGNER_WEIGHT => weight = u16::try_from(field.number()).ok(),
                f::WALLET_LOCATOR => locator = field.array(),
                _ => {}
            }
        }
        entries.push(ListedSigner {
            account: account?,
            weight: weight?,
            locator,
        });
    }
    Some(entries)
}
