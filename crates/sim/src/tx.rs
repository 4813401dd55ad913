//! Transactions as the model ledger knows them: what is signed, its bytes, its hash.
//!
//! Signing is deterministic, as on the real ledger: the same terms give the same bytes and the same
//! hash. The bytes are opaque to the engine, which only keeps and sends them.

use crate::prng::mix;
use xrpayd_core::address::AccountId;
use xrpayd_core::ids::{Hash256, TxHash};
use xrpayd_core::payment::Slot;

/// A signed transaction of the wallet's account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tx {
    /// What it consumes.
    pub slot: Slot,
    /// The fee it burns, in drops.
    pub fee: u64,
    /// The last ledger that may hold it.
    pub last_ledger: u32,
    /// What it does.
    pub body: Body,
}

/// What a transaction does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Body {
    /// Pays XRP.
    Pay {
        /// To whom.
        to: AccountId,
        /// The tag there.
        tag: Option<u32>,
        /// How many drops.
        amount: u64,
        /// The marker of the intent.
        marker: Hash256,
    },
    /// Nothing, but its slot is taken.
    Noop,
    /// Makes that many tickets.
    MakeTickets(u32),
    /// Something that a person signed with the same key; the number tells one from another.
    Stranger(u32),
}

impl Tx {
    /// Its bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(96);
        let (kind, slot) = match self.slot {
            Slot::Sequence(n) => (0_u8, n),
            Slot::Ticket(n) => (1, n),
        };
        bytes.push(kind);
        bytes.extend(slot.to_be_bytes());
        bytes.extend(self.fee.to_be_bytes());
        bytes.extend(self.last_ledger.to_be_bytes());
        match self.body {
            Body::Noop => bytes.push(0),
            Body::Stranger(n) => {
                bytes.push(1);
                bytes.extend(n.to_be_bytes());
            }
            Body::MakeTickets(count) => {
                bytes.push(4);
                bytes.extend(count.to_be_bytes());
            }
            Body::Pay {
                to,
                tag,
                amount,
                marker,
            } => {
                bytes.push(2 + u8::from(tag.is_some()));
                bytes.extend(to.0);
                bytes.extend(tag.unwrap_or_default().to_be_bytes());
                bytes.extend(amount.to_be_bytes());
                bytes.extend(marker.0);
            }
        }
        bytes
    }

    /// The transaction in `bytes`; none where there is none.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let mut rest = bytes;
        let [kind] = take::<1>(&mut rest)?;
        let number = u32::from_be_bytes(take(&mut rest)?);
        let slot = match kind {
            0 => Slot::Sequence(number),
            1 => Slot::Ticket(number),
            _ => return None,
        };
        let fee = u64::from_be_bytes(take(&mut rest)?);
        let last_ledger = u32::from_be_bytes(take(&mut rest)?);
        let [body] = take::<1>(&mut rest)?;
        let body = match body {
            0 => Body::Noop,
            1 => Body::Stranger(u32::from_be_bytes(take(&mut rest)?)),
            2 | 3 => {
                let to = AccountId(take(&mut rest)?);
                let tag = u32::from_be_bytes(take(&mut rest)?);
                Body::Pay {
                    to,
                    tag: (body == 3).then_some(tag),
                    amount: u64::from_be_bytes(take(&mut rest)?),
                    marker: Hash256(take(&mut rest)?),
                }
            }
            4 => Body::MakeTickets(u32::from_be_bytes(take(&mut rest)?)),
            _ => return None,
        };
        rest.is_empty().then_some(Self {
            slot,
            fee,
            last_ledger,
            body,
        })
    }
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (head, rest) = bytes.split_first_chunk::<N>()?;
    *bytes = rest;
    Some(*head)
}

/// The hash of signed bytes.
#[must_use]
pub fn hash_of(blob: &[u8]) -> TxHash {
    TxHash(digest(blob, 1))
}

/// Thirty-two bytes that stand for `bytes` under `domain`; no cryptography, only no accident.
#[must_use]
pub fn digest(bytes: &[u8], domain: u64) -> [u8; 32] {
    let mut lanes = [1_u64, 2, 3, 4].map(|lane| mix(domain.wrapping_mul(31).wrapping_add(lane)));
    for chunk in bytes.chunks(8) {
        let mut word = [0_u8; 8];
        for (to, from) in word.iter_mut().zip(chunk) {
            *to = *from;
        }
        let word = u64::from_le_bytes(word);
        for (n, lane) in (1_u64..).zip(lanes.iter_mut()) {
            *lane = mix(*lane ^ word.wrapping_mul(2 * n + 1));
        }
    }
    let mut digest = [0_u8; 32];
    for (to, lane) in digest.chunks_mut(8).zip(lanes) {
        to.copy_from_slice(
            &mix(lane ^ u64::try_from(bytes.len()).unwrap_or_default()).to_be_bytes(),
        );
    }
    digest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transaction_survives_its_bytes() {
        let pay = |tag| Body::Pay {
            to: AccountId([7; 20]),
            tag,
            amount: 25,
            marker: Hash256([9; 32]),
        };
        let mut hashes = std::collections::BTreeSet::new();
        let others = [Body::Noop, Body::Stranger(4), Body::MakeTickets(4)];
        for body in others.into_iter().chain([pay(None), pay(Some(0))]) {
            for slot in [Slot::Sequence(5), Slot::Ticket(5)] {
                let tx = Tx {
                    slot,
                    fee: 10,
                    last_ledger: 30,
                    body,
                };
                let bytes = tx.encode();
                assert_eq!(Tx::decode(&bytes), Some(tx));
                assert_eq!(Tx::decode(&bytes[1..]), None);
                assert!(hashes.insert(hash_of(&bytes)), "two transactions, one hash");
            }
        }
    }
}
