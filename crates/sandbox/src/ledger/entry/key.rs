//! What names an entry of the state, and how the 256-bit index of each kind is made.
//!
//! Owns nothing. Kinds that every payment touches are named by what they are about, so that no hash is
//! made before the index is shown; all others are named by their type and index.

use crate::ledger::fields::lt;
use xrpayd_codec::sha512_half;
use xrpayd_core::address::AccountId;

/// What names an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Key {
    Account(AccountId),
    Ticket(AccountId, u32),
    SignerList(AccountId),
    /// A page of a directory: the index of its root, and the page's number.
    Dir([u8; 32], u64),
    /// An entry of another type, by its type and its index.
    Object(u16, [u8; 32]),
}

/// The index of the root of the directory that lists what an account owns.
pub(crate) fn owner_dir(owner: AccountId) -> [u8; 32] {
    sha512_half(&[&[0, b'O'], &owner.0])
}

/// The index under which the offers of a book stand, its quality (the last eight bytes) zero.
pub(crate) fn book_base(
    pays_currency: &[u8; 20],
    pays_issuer: AccountId,
    gets_currency: &[u8; 20],
    gets_issuer: AccountId,
) -> [u8; 32] {
    let parts: [&[u8]; 5] = [
        &[0, b'B'],
        pays_currency,
        gets_currency,
        &pays_issuer.0,
        &gets_issuer.0,
    ];
    with_quality(sha512_half(&parts), 0)
}

/// A book's index with a quality in its last eight bytes.
pub(crate) fn with_quality(mut base: [u8; 32], quality: u64) -> [u8; 32] {
    base[24..].copy_from_slice(&quality.to_be_bytes());
    base
}

impl Key {
    /// The trust line between two accounts.
    pub(crate) fn line(one: AccountId, other: AccountId, currency: &[u8; 20]) -> Self {
        let (low, high) = if one < other {
            (one, other)
        } else {
            (other, one)
        };
        let index = sha512_half(&[&[0, b'r'], &low.0, &high.0, currency]);
        Self::Object(lt::LINE, index)
    }

    fn numbered(kind: u16, space: u8, owner: AccountId, sequence: u32) -> Self {
        let index = sha512_half(&[&[0, space], &owner.0, &sequence.to_be_bytes()]);
        Self::Object(kind, index)
    }

    /// An offer, by its owner and the sequence or ticket that made it.
    pub(crate) fn offer(owner: AccountId, sequence: u32) -> Self {
        Self::numbered(lt::OFFER, b'o', owner, sequence)
    }

    /// A check, by its writer and the sequence or ticket that made it.
    pub(crate) fn check(owner: AccountId, sequence: u32) -> Self {
        Self::numbered(lt::CHECK, b'C', owner, sequence)
    }

    /// An escrow, by its owner and the sequence or ticket that made it.
    pub(crate) fn escrow(owner: AccountId, sequence: u32) -> Self {
        Self::numbered(lt::ESCROW, b'u', owner, sequence)
    }

    /// A payment channel, by its ends and the sequence or ticket that made it.
    pub(crate) fn channel(owner: AccountId, destination: AccountId, sequence: u32) -> Self {
        let number = sequence.to_be_bytes();
        let index = sha512_half(&[&[0, b'x'], &owner.0, &destination.0, &number]);
        Self::Object(lt::CHANNEL, index)
    }

    /// The leave that `owner` gives `authorized` to pay it.
    pub(crate) fn deposit_preauth(owner: AccountId, authorized: AccountId) -> Self {
        let index = sha512_half(&[&[0, b'p'], &owner.0, &authorized.0]);
        Self::Object(lt::DEPOSIT_PREAUTH, index)
    }

    /// An issuance of multi-purpose tokens, by its id.
    pub(crate) fn mpt_issuance(id: &[u8; 24]) -> Self {
        Self::Object(lt::MPT_ISSUANCE, sha512_half(&[&[0, b'~'], id]))
    }

    /// What `holder` holds of an issuance.
    pub(crate) fn mpt_holding(id: &[u8; 24], holder: AccountId) -> Self {
        let issuance = Self::mpt_issuance(id).index();
        let index = sha512_half(&[&[0, b't'], &issuance, &holder.0]);
        Self::Object(lt::MPT_HOLDING, index)
    }

    /// The entry's index in the state tree.
    pub(crate) fn index(&self) -> [u8; 32] {
        match self {
            Self::Account(id) => sha512_half(&[&[0, b'a'], &id.0]),
            Self::Ticket(id, number) => sha512_half(&[&[0, b'T'], &id.0, &number.to_be_bytes()]),
            Self::SignerList(id) => sha512_half(&[&[0, b'S'], &id.0, &0_u32.to_be_bytes()]),
            Self::Dir(root, 0) => *root,
            Self::Dir(root, page) => sha512_half(&[&[0, b'd'], root, &page.to_be_bytes()]),
            Self::Object(_, index) => *index,
        }
    }

    /// Appends the key as the model's log keeps it.
    pub(crate) fn put_log(&self, out: &mut Vec<u8>) {
        match self {
            Self::Account(id) => {
                out.push(0);
                out.extend(id.0);
            }
            Self::Ticket(id, number) => {
                out.push(1);
                out.extend(id.0);
                out.extend(number.to_be_bytes());
            }
            Self::SignerList(id) => {
                out.push(2);
                out.extend(id.0);
            }
            Self::Dir(root, page) => {
                out.push(3);
                out.extend(root);
                out.extend(page.to_be_bytes());
            }
            Self::Object(kind, index) => {
                out.push(4);
                out.extend(kind.to_be_bytes());
                out.extend(index);
            }
        }
    }

    /// Takes a key that [`Key::put_log`] wrote off the front of `bytes`.
    pub(crate) fn take_log(bytes: &mut &[u8]) -> Option<Self> {
        Some(match take::<1>(bytes)? {
            [0] => Self::Account(AccountId(take(bytes)?)),
            [1] => Self::Ticket(AccountId(take(bytes)?), u32::from_be_bytes(take(bytes)?)),
            [2] => Self::SignerList(AccountId(take(bytes)?)),
            [3] => Self::Dir(take(bytes)?, u64::from_be_bytes(take(bytes)?)),
            [4] => Self::Object(u16::from_be_bytes(take(bytes)?), take(bytes)?),
            _ => return None,
        })
    }
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (head, tail) = bytes.split_first_chunk::<N>()?;
    *bytes = tail;
    Some(*head)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_key_comes_back_from_the_log() {
        let (one, other) = (AccountId([1; 20]), AccountId([2; 20]));
        let keys = [
            Key::Account(one),
            Key::Ticket(one, 7),
            Key::SignerList(other),
            Key::Dir(owner_dir(one), 3),
            Key::line(one, other, &[9; 20]),
        ];
        let mut bytes = Vec::new();
        keys.iter().for_each(|key| key.put_log(&mut bytes));
        let mut rest = bytes.as_slice();
        for key in keys {
            assert_eq!(Key::take_log(&mut rest), Some(key));
        }
        assert!(rest.is_empty());
        assert_eq!(
            Key::line(one, other, &[9; 20]),
            Key::line(other, one, &[9; 20])
        );
    }
}
